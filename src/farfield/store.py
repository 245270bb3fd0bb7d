"""Artefacts on disk: xarray datasets in zarr, written whole or not at all, with where they came from.

A store carries axis names and units, the package version, the git commit and the config section that made it
(`section`). Its end mark, the number of files and bytes, tells a whole store from a truncated one.
"""

import json
import logging
import os
import shutil
import subprocess
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

import farfield

logger = logging.getLogger(__name__)

SAMPLES_PER_CHUNK = 64
"""About a training batch: whole samples, so that a reader of some touches no other."""

MOST_FILES = 1000
"""Chunks a variable may have before they are gathered into shards; cluster file systems dislike many files."""


class StoreError(Exception):
    """A store that is missing, truncated or of another config."""


def _rebuild(path: Path) -> str:
    """Say which command rebuilds a store: Snakemake makes what is missing."""
    return f"rm -rf {path} && snakemake --cores all --configfile <the study's config>"


@cache
def git_commit() -> str:
    """Return the commit this package runs from, or "unknown" outside of a checkout."""
    result = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or "unknown"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, and rename it to `path` when the block ends well.

    Parameters
    ----------
    path : str or Path
        File or folder to be written whole or not at all; a previous one is replaced.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):  # of a writer that was killed
        _remove(leftover)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        _remove(temporary)


KEPT = ".kept"
"""Folder of the second names that `keep` gives."""


def keep(folder: Path, names: Iterable[str], key: str) -> None:
    """Give what a job made second names, by hard links, which take no room.

    Where jobs share a cluster's job and one of them fails, Snakemake deletes the outputs of all.

    Parameters
    ----------
    folder : Path
        Where the files are.
    names : iterable of str
        Of the files.
    key : str
        What tells this job from any other that writes there.
    """
    let_go(folder)
    try:
        with atomic(folder / KEPT) as temporary:
            (temporary / key).mkdir(parents=True)
            for name in names:
                os.link(folder / name, temporary / key / name)
    except OSError as error:
        logger.info("%s: not kept for another attempt, as the file system has no hard links (%s)", folder, error)


def put_back(folder: Path, key: str) -> bool:
    """Restore what the very same job left, and tell whether there was anything.

    Parameters
    ----------
    folder : Path
    key : str
        As for `keep`.
    """
    kept = folder / KEPT / key
    for file in kept.glob("*"):
        with atomic(folder / file.name) as temporary:
            os.link(file, temporary)
    return kept.is_dir()


def let_go(folder: Path) -> None:
    """Forget what `keep` kept, as nothing will need it any more."""
    if (folder / KEPT).is_dir():
        going = folder / f".{KEPT}.{os.getpid()}.tmp"  # at once or not at all; a leftover goes with the next `keep`
        (folder / KEPT).replace(going)
        shutil.rmtree(going)


def _census(path: Path) -> dict[str, int]:
    """Count what the end mark promises: everything below a store but its own description and hidden files."""
    files = [
        file
        for file in path.rglob("*")
        # Snakemake leaves a hidden timestamp in folders that are outputs.
        if file.is_file() and file != path / "zarr.json" and not file.name.startswith(".")
    ]
    return {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}


def _encoding(variable: xr.DataArray) -> dict[str, Any]:
    if variable.dims[-1] == "sample" or "sample" not in variable.dims:
        return {"chunks": variable.shape}  # a number a sample: one file
    shape = dict(zip(variable.dims, variable.shape, strict=True))
    chunks = tuple(
        min(n, SAMPLES_PER_CHUNK) if name == "sample" else 1 if name in ("seed", "checkpoint") else n
        for name, n in shape.items()
    )
    count = int(np.prod([-(-n // c) for n, c in zip(variable.shape, chunks, strict=True)]))
    encoding = {"chunks": chunks}
    if count > MOST_FILES:
        gather = -(-count // MOST_FILES)
        encoding["shards"] = tuple(
            c * gather if name == "sample" else c for name, c in zip(shape, chunks, strict=True)
        )
    return encoding


def write_dataset(dataset: xr.Dataset, path: str | Path, section: Mapping[str, Any] | None = None) -> None:
    """Write a dataset as a zarr store, atomically and with its provenance.

    Parameters
    ----------
    dataset : xarray.Dataset
        Variables with units in their attributes; chunked along the dimension ``sample``.
    path : str or Path
        Store to make; an old one of that name is replaced once the new one is whole.
    section : mapping, optional
        The part of the config that the contents depend on; `open_dataset` can hold a store against it.
    """
    stamped = dataset.assign_attrs(
        farfield_version=farfield.__version__,
        git_commit=git_commit(),
        section=json.dumps(section or {}, sort_keys=True),
    )
    with atomic(path) as temporary:
        encoding = {name: _encoding(variable) for name, variable in stamped.data_vars.items()}
        stamped.to_zarr(temporary, mode="w", zarr_format=3, consolidated=False, encoding=encoding)
        zarr.open_group(temporary, mode="r+").attrs["whole"] = _census(temporary)


def open_dataset(path: str | Path, section: Mapping[str, Any] | None = None) -> xr.Dataset:
    """Open a store lazily, after checking that it is whole and of the right config.

    Parameters
    ----------
    path : str or Path
        A store of `write_dataset`.
    section : mapping, optional
        The config section that the store must have been made from.

    Returns
    -------
    xarray.Dataset
        Read chunk by chunk on access.

    Raises
    ------
    StoreError
        If the store is missing, truncated or of another config; the message names the repair.
    """
    path = Path(path)
    if not (path / "zarr.json").is_file():
        raise StoreError(f"{path}: expected a store, found none; make it with: {_rebuild(path)}")
    try:
        attributes = json.loads((path / "zarr.json").read_text())["attributes"]
    except (json.JSONDecodeError, KeyError, TypeError):
        attributes = None
    attributes = attributes or {}
    promised, found = attributes.get("whole"), _census(path)
    if promised != found:
        raise StoreError(
            f"{path}: expected a whole store ({promised or 'no end mark'}), found {found}; "
            f"rebuild it with: {_rebuild(path)}"
        )
    made_from = json.loads(attributes["section"])
    if section is not None and made_from != json.loads(json.dumps(section)):
        keys = sorted(k for k in {*made_from, *section} if made_from.get(k) != section.get(k))
        differences = "; ".join(f"{k}: {made_from.get(k)!r} instead of {section.get(k)!r}" for k in keys)
        raise StoreError(f"{path}: made from another config ({differences}); rebuild it with: {_rebuild(path)}")
    with warnings.catch_warnings():
        # The hidden timestamp that Snakemake leaves in a folder is no part of the store.
        warnings.filterwarnings("ignore", message="Object at .snakemake_timestamp", module="zarr")
        return xr.open_zarr(path, consolidated=False, chunks=None)
