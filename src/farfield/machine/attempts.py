"""Outputs of a job that ended, kept for another attempt of it.

Where jobs share a cluster's job and one of them fails, Snakemake deletes the outputs of all. So what took long has
second names, hard links, which take no room, until a run that needed it ends well.
"""

import hashlib
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from farfield.machine import store

logger = logging.getLogger(__name__)

KEPT = ".kept"
"""Folder of the second names, beside the outputs."""


def fingerprint(decided: object, inputs: Iterable[str | Path]) -> str:
    """Digest all that decides a job's outputs.

    Parameters
    ----------
    decided : object
        Whose ``repr`` tells it: where an order says nothing, sorted.
    inputs : iterable of path
        Stores, which count by their moments of writing.

    Returns
    -------
    str
    """
    written = [Path(path, "zarr.json").stat().st_mtime_ns for path in inputs]
    return hashlib.sha256(repr((decided, written)).encode()).hexdigest()


def keep(outputs: Sequence[Path], attempt: str) -> None:
    """Give outputs of one folder second names, if they can be made.

    Parameters
    ----------
    outputs : sequence of Path
        Files that are replaced, never written into, as by `store.atomic`.
    attempt : str
        What `fingerprint` gives.
    """
    folder = outputs[0].parent / KEPT / attempt
    try:
        with store.atomic(folder.parent) as temporary:
            (temporary / attempt).mkdir(parents=True)
            for path in outputs:
                os.link(path, temporary / attempt / path.name)
    except OSError as error:
        logger.info("%s: not kept for another attempt (%s)", folder, error)


def put_back(outputs: Sequence[Path], attempt: str) -> bool:
    """Make outputs of what was kept of this very attempt, and tell whether there was any.

    Parameters
    ----------
    outputs : sequence of Path
    attempt : str

    Returns
    -------
    bool
    """
    kept = outputs[0].parent / KEPT / attempt
    if not kept.is_dir():
        return False
    for path in outputs:
        path.unlink(missing_ok=True)
        os.link(kept / path.name, path)
    return True
