import shutil

import numpy as np
import pytest
import xarray as xr

from farfield import store


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


def test_what_is_kept_comes_back_until_it_is_let_go(tmp_path):
    (tmp_path / "a").write_text("first")
    store.keep(tmp_path, ["a"], "job")
    (tmp_path / "a").unlink()
    assert not store.put_back(tmp_path, "another job")
    assert not (tmp_path / "a").exists()
    assert store.put_back(tmp_path, "job")
    assert (tmp_path / "a").read_text() == "first"
    (tmp_path / "a").write_text("second")
    store.keep(tmp_path, ["a"], "another job")
    assert not store.put_back(tmp_path, "job")
    store.let_go(tmp_path)
    store.let_go(tmp_path)
    assert not store.put_back(tmp_path, "another job")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_nothing_is_kept_where_there_are_no_hard_links(tmp_path, monkeypatch, caplog):
    def refuse(*paths):
        raise PermissionError("Operation not permitted")

    (tmp_path / "a").write_text("first")
    monkeypatch.setattr(store.os, "link", refuse)
    with caplog.at_level("INFO"):
        store.keep(tmp_path, ["a"], "job")
    assert "no hard links (Operation not permitted)" in caplog.text
    assert not store.put_back(tmp_path, "job")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
