import os
import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from farfield.machine import store


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(150, 4, 4)) + 1j).astype(np.complex64)
    return xr.Dataset({"object": (("sample", "y", "x"), values, {"units": "1"})})


def test_a_store_comes_back_with_its_provenance(tmp_path, dataset):
    store.write_dataset(dataset, tmp_path / "a.zarr", {"seed": 3})
    found = store.open_dataset(tmp_path / "a.zarr", {"seed": 3})
    xr.testing.assert_equal(found.load(), dataset)
    assert found.object.attrs["units"] == "1"
    assert found.attrs["farfield_version"]
    assert found.attrs["git_commit"]
    assert found.object.encoding["chunks"] == (64, 4, 4)


def test_a_missing_store_is_named_with_its_repair(tmp_path):
    with pytest.raises(
        store.StoreError, match=r"no\.zarr: expected a store, found none; make it with: rm -rf .* && snakemake"
    ):
        store.open_dataset(tmp_path / "no.zarr")


@pytest.mark.parametrize("damage", ["chunk lost", "chunk cut", "no end mark", "description cut"])
def test_a_truncated_store_is_refused(tmp_path, dataset, damage):
    path = tmp_path / "a.zarr"
    store.write_dataset(dataset, path)
    chunk = next(file for file in path.glob("object/c/**/*") if file.is_file())
    if damage == "chunk lost":
        chunk.unlink()
    elif damage == "chunk cut":
        chunk.write_bytes(chunk.read_bytes()[:-1])
    elif damage == "no end mark":
        shutil.rmtree(path)
        dataset.to_zarr(path, consolidated=False, zarr_format=3)
    else:
        (path / "zarr.json").write_text((path / "zarr.json").read_text()[:50])
    with pytest.raises(
        store.StoreError, match=r"a\.zarr: expected a whole store .* rebuild it with: rm -rf .* && snakemake"
    ):
        store.open_dataset(path)


def test_a_store_of_another_config_is_refused(tmp_path, dataset):
    store.write_dataset(dataset, tmp_path / "a.zarr", {"seed": 3, "size": 8})
    with pytest.raises(
        store.StoreError, match=r"another config \(seed: 3 instead of 4\); rebuild it with: rm -rf .* && snakemake"
    ):
        store.open_dataset(tmp_path / "a.zarr", {"seed": 4, "size": 8})


def test_a_write_that_fails_leaves_the_old_store_and_nothing_else(tmp_path, dataset):
    store.write_dataset(dataset, tmp_path / "a.zarr")
    with pytest.raises(RuntimeError), store.atomic(tmp_path / "a.zarr") as temporary:  # noqa: PT012
        temporary.mkdir()
        (temporary / "half").touch()
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    assert store.open_dataset(tmp_path / "a.zarr").sizes["sample"] == 150


def test_many_chunks_are_gathered_into_shards(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(store, "MOST_FILES", 2)
    monkeypatch.setattr(store, "SAMPLES_PER_CHUNK", 10)
    store.write_dataset(dataset, tmp_path / "a.zarr")
    assert len([file for file in (tmp_path / "a.zarr/object/c").rglob("*") if file.is_file()]) <= 2
    xr.testing.assert_equal(store.open_dataset(tmp_path / "a.zarr").load(), dataset)


def test_zeros_are_stored_like_any_number_and_a_lost_chunk_is_not_read_as_zeros(tmp_path, dataset):
    """zarr leaves chunks of zeros out, and takes those that are missing for such."""
    store.write_dataset(0 * dataset, tmp_path / "a.zarr")
    assert not store.open_dataset(tmp_path / "a.zarr").object.values.any()
    found = store.open_dataset(tmp_path / "a.zarr")
    (tmp_path / "a.zarr/object/c/2/0/0").unlink()
    assert not found.object[:128].values.any()
    with pytest.raises(store.StoreError, match=r"object/c/2/0/0 is gone or another's; open it again"):
        found.object[128:].values.any()


def test_a_reader_never_sees_two_stores_at_once(tmp_path, dataset):
    store.write_dataset(dataset, tmp_path / "a.zarr")
    found = store.open_dataset(tmp_path / "a.zarr")
    assert np.array_equal(found.object[:64], dataset.object[:64])
    store.write_dataset(2 * dataset, tmp_path / "a.zarr")
    with pytest.raises(store.StoreError, match="expected the store that was opened"):
        found.object[64:].values.any()


@pytest.mark.parametrize("replaced", [True, False])
def test_a_store_that_changes_while_it_is_opened_is_refused(tmp_path, dataset, monkeypatch, replaced):
    path, census = tmp_path / "a.zarr", store._census
    store.write_dataset(dataset, path, {"seed": 1})

    def meanwhile(folder):
        found = census(folder)
        monkeypatch.setattr(store, "_census", census)
        if replaced:
            store.write_dataset(2 * dataset, path, {"seed": 2})
        else:
            shutil.rmtree(path)
        return found

    monkeypatch.setattr(store, "_census", meanwhile)
    with pytest.raises(store.StoreError, match=r"being replaced; open it again|expected a store, found none"):
        store.open_dataset(path, {"seed": 1})


def test_a_store_that_lost_files_while_it_was_written_is_not_whole(tmp_path, dataset, monkeypatch):
    census = store._census

    def lose_one(path):
        next(file for file in path.glob("object/c/**/*") if file.is_file()).unlink()
        return census(path)

    monkeypatch.setattr(store, "_census", lose_one)
    with pytest.raises(store.StoreError, match=r"a\.zarr: expected 4 files to be written, found 3; write it again"):
        store.write_dataset(dataset, tmp_path / "a.zarr")
    assert not list(tmp_path.iterdir())


def test_leftovers_of_the_dead_are_cleared_and_those_of_the_living_are_not(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    here = platform.node()
    names = {
        "dead": f".a.zarr~{here}~{dead.pid}.tmp",
        "dead, half way in place": f".old.a.zarr~{here}~{dead.pid}.tmp",
        "living": f".a.zarr~{here}~{os.getppid()}.tmp",
        "elsewhere": f".a.zarr~another-node~{dead.pid}.tmp",
        "another store's": f".ba.zarr~{here}~{dead.pid}.tmp",
    }
    for name in names.values():
        (tmp_path / name).mkdir()
    with store.atomic(tmp_path / "a.zarr") as temporary:
        temporary.write_text("whole")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.zarr", *(names[key] for key in ("living", "elsewhere", "another store's"))}


WRITER = """
import sys
import numpy as np, xarray as xr
from farfield.machine import store
value = int(sys.argv[2])
sets = {"object": (("sample", "y", "x"), np.full((3200, 16, 16), value, np.complex64)),
        "intensity": (("sample", "ky", "kx"), np.full((3200, 32, 32), value, np.float32))}
print("ready", flush=True)
sys.stdin.readline()
for _ in range(4):
    store.write_dataset(xr.Dataset(sets), sys.argv[1])
"""


def test_writers_and_a_reader_race_and_a_store_is_whole_or_refused(tmp_path):
    path = tmp_path / "a.zarr"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(value)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for value in (1, 2, 3)
    ]
    for writer in writers:
        writer.stdout.readline()
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    read = 0
    while any(writer.poll() is None for writer in writers):
        try:
            found = store.open_dataset(path)
            parts = [found[name][begin::800] for name in ("object", "intensity") for begin in (0, 400)]
            values = {float(np.real(value)) for part in parts for value in np.unique(part)}
        except store.StoreError:
            continue
        assert len(values) == 1, values
        read += 1
        if read == 3:
            writers[0].kill()
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers[1:]] == [0, 0]
    assert read > 3
    assert set(store.open_dataset(path)) == {"object", "intensity"}
    store.write_dataset(store.open_dataset(path).load(), path)  # clears what the killed one left
    assert [file.name for file in tmp_path.iterdir()] == ["a.zarr"]
