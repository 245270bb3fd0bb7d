import os

import pytest

from farfield.machine import attempts, store


@pytest.fixture
def outputs(tmp_path):
    for name in ("final", "history"):
        (tmp_path / name).write_text(f"{name} of the first")
    return [tmp_path / name for name in ("final", "history")]


def test_deleted_outputs_are_put_back_for_the_same_attempt_alone(outputs):
    attempts.keep(outputs, "first")
    outputs[0].unlink()
    with store.atomic(outputs[1]) as temporary:
        temporary.write_text("another's")
    assert not attempts.put_back(outputs, "second")
    assert not outputs[0].exists()
    assert attempts.put_back(outputs, "first")
    assert [path.read_text() for path in outputs] == ["final of the first", "history of the first"]


def test_the_last_attempt_is_kept(outputs):
    attempts.keep(outputs, "first")
    attempts.keep(outputs, "second")
    assert not attempts.put_back(outputs, "first")
    assert attempts.put_back(outputs, "second")


def test_nothing_is_kept_where_there_are_no_hard_links(outputs, monkeypatch, caplog):
    def link(old, new):
        raise OSError("not supported")

    monkeypatch.setattr(os, "link", link)
    caplog.set_level("INFO")
    attempts.keep(outputs, "first")
    assert "not kept for another attempt (not supported)" in caplog.text
    assert not attempts.put_back(outputs, "first")
    assert sorted(path.name for path in outputs[0].parent.iterdir()) == ["final", "history"]


def test_a_fingerprint_tells_settings_and_moments_of_writing(tmp_path):
    path = tmp_path / "set.zarr"
    path.mkdir()
    (path / "zarr.json").write_text("{}")
    first = attempts.fingerprint({"seed": 1}, [path])
    assert first == attempts.fingerprint({"seed": 1}, [str(path)])
    assert first != attempts.fingerprint({"seed": 2}, [path])
    os.utime(path / "zarr.json", ns=(0, 1))
    assert first != attempts.fingerprint({"seed": 1}, [path])
