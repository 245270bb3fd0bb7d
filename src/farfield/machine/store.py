"""Artefacts on disk: xarray datasets in zarr, written whole or not at all, with where they came from.

A store carries axis names and units, the package version, the git commit and the config section that made it
(`section`). Its end mark, the number of files that its variables need and their bytes, tells a whole store from a
mutilated one; a chunk that is gone when it is read, or belongs to a store that took this one's place, is refused.
"""

import json
import math
import os
import platform
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

import xarray as xr
import zarr
from zarr.storage import LocalStore

import farfield
from farfield.machine.provenance import git_commit

SAMPLES_PER_CHUNK = 64
"""About a training batch: whole samples, so that a reader of some touches no other."""

MOST_FILES = 1000
"""Chunks a variable may have before they are gathered into shards; cluster file systems dislike many files."""


class StoreError(ValueError):
    """A store that is missing, truncated or of another config."""


def _rebuild(path: Path) -> str:
    """Say which command rebuilds a store: Snakemake makes what is missing."""
    return f"rm -rf {path} && snakemake --cores all --configfile <the study's config>"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_leftover(temporary: Path) -> bool:
    """Whether the process of this machine that named a temporary file or folder has ended."""
    *_, host, process = temporary.name.removesuffix(".tmp").rsplit("~", 2)
    if host != platform.node() or not process.isdigit() or sys.platform == "win32":  # where 0 is a signal
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _put_in_place(temporary: Path, path: Path) -> None:
    """Rename to a path, whatever is there; of writers that end at the same time the last one stays."""
    if not temporary.is_dir() and not path.is_dir():
        temporary.replace(path)
        return
    old = temporary.with_name(f".old{temporary.name}")  # a leftover, like the other, if this process is killed here
    _remove(old)
    while True:
        with suppress(FileNotFoundError):
            path.rename(old)
        try:
            temporary.rename(path)
            break
        except OSError:
            if not path.is_dir():  # else another writer was quicker
                raise
        finally:
            _remove(old)


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, and rename it to `path` when the block ends well.

    Parameters
    ----------
    path : str or Path
        File or folder to be written whole or not at all; a previous one is replaced. Any number of processes may
        write it at once.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for begin in (f".{path.name}~", f".old.{path.name}~"):
        for temporary in path.parent.glob(f"{escape(begin)}*~*.tmp"):
            if _is_leftover(temporary):
                with suppress(FileNotFoundError):  # another writer may clear it away too
                    _remove(temporary)
    temporary = path.with_name(f".{path.name}~{platform.node()}~{os.getpid()}.tmp")
    try:
        yield temporary
        _put_in_place(temporary, path)
    finally:
        _remove(temporary)


def _census(path: Path) -> dict[str, int]:
    """Count what the end mark promises: everything below a store but its own description and hidden files."""
    files = [
        file
        for file in path.rglob("*")
        # Snakemake leaves a hidden timestamp in folders that are outputs.
        if file.is_file() and file != path / "zarr.json" and not file.name.startswith(".")
    ]
    return {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}


def _encoding(variable: xr.Variable) -> dict[str, Any]:
    """Chunks of a variable, and shards where there would be too many of them."""
    if variable.dims[-1:] == ("sample",) or "sample" not in variable.dims:
        return {"chunks": variable.shape}  # a number a sample: one file
    shape = dict(zip(variable.dims, variable.shape, strict=True))
    chunks = tuple(
        min(n, SAMPLES_PER_CHUNK) if name == "sample" else 1 if name in ("seed", "checkpoint") else n
        for name, n in shape.items()
    )
    encoding = {"chunks": chunks}
    if (count := _files(variable.shape, chunks)) > MOST_FILES:
        gather = -(-count // MOST_FILES)
        encoding["shards"] = tuple(
            c * gather if name == "sample" else c for name, c in zip(shape, chunks, strict=True)
        )
    return encoding


def _files(shape: tuple[int, ...], pieces: tuple[int, ...]) -> int:
    """Count the pieces that an array is stored in."""
    return math.prod(-(-n // piece) for n, piece in zip(shape, pieces, strict=True))


def _identity(path: Path) -> tuple[int, ...]:
    """What tells a store from one that takes its place: its description is written once."""
    status = (path / "zarr.json").stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


class _Whole(LocalStore):
    """A store of which every chunk is read as it was when it was opened, where zarr reads zeros for a lost one."""

    def __init__(self, root: str | Path, *, read_only: bool = True):
        super().__init__(Path(root), read_only=read_only)
        self.identity = _identity(self.root)

    def with_read_only(self, read_only: bool = False) -> "_Whole":
        other = super().with_read_only(read_only)
        other.identity = self.identity
        return other

    def _checked(self, key: str, found: Any) -> Any:
        if "/c/" not in f"{key}/":  # no chunk: zarr looks for descriptions that need not be there
            return found
        try:
            same = _identity(self.root) == self.identity
        except OSError:
            same = False
        if found is None or not same:
            raise StoreError(
                f"{self.root}: expected the store that was opened, but {key} is gone or another's; open it again"
            )
        return found

    async def get(self, key: str, *arguments: Any, **options: Any) -> Any:
        return self._checked(key, await super().get(key, *arguments, **options))

    def get_sync(self, key: str, **options: Any) -> Any:
        return self._checked(key, super().get_sync(key, **options))


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
        encoding = {name: _encoding(variable) for name, variable in stamped.variables.items()}
        with zarr.config.set({"array.write_empty_chunks": True}):
            stamped.to_zarr(temporary, mode="w", zarr_format=3, consolidated=False, encoding=encoding)
        pieces = [(stamped[name].shape, how.get("shards", how["chunks"])) for name, how in encoding.items()]
        meant, found = sum(1 + _files(*piece) for piece in pieces), _census(temporary)  # 1: the array's description
        if found["files"] != meant:
            raise StoreError(f"{path}: expected {meant} files to be written, found {found['files']}; write it again")
        zarr.open_group(temporary, mode="r+").attrs["whole"] = found


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
        If the store is missing, truncated or of another config, or, on access, if it was replaced or removed since;
        the message names the repair.
    """
    path = Path(path)
    try:
        return _opened(path, section)
    except (FileNotFoundError, NotADirectoryError):  # also of one that is removed, or replaced, right now
        raise StoreError(f"{path}: expected a store, found none; make it with: {_rebuild(path)}") from None


def _opened(path: Path, section: Mapping[str, Any] | None) -> xr.Dataset:
    lazily = _Whole(path)
    try:
        attributes = json.loads((path / "zarr.json").read_text())["attributes"] or {}
    except (ValueError, KeyError, TypeError):
        attributes = {}
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
        # Of the hidden timestamp that Snakemake leaves in a folder, and of what a writer takes away right now.
        warnings.filterwarnings("ignore", message="Object at", module="zarr")
        opened = xr.open_zarr(lazily, consolidated=False, chunks=None)
    if _identity(path) != lazily.identity:  # what was read is of two stores
        raise StoreError(f"{path}: expected a store, found one that is being replaced; open it again")
    return opened
