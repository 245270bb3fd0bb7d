"""What a measured file holds, and the sentences with which one that does not is refused."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.constants import c, h

InOrder = np.ndarray | Sequence
"""Frames one after another; what they are is not told, as who checks one item of a sequence reads a file."""


class Geometry(NamedTuple):
    """Where the detector stood; each is None where the file does not say.

    Attributes
    ----------
    energy : float or None
        Of the photons, in J.
    distance : float or None
        From sample to detector, in m.
    pixel_size : tuple of float or None
        (y, x), in m.
    """

    energy: float | None = None
    distance: float | None = None
    pixel_size: tuple[float, float] | None = None

    def binned(self, bin: tuple[int, ...]) -> "Geometry":
        """What it is for sums of pixels, of so many on each axis, rows and columns the last."""
        if self.pixel_size is None:
            return self
        return self._replace(pixel_size=tuple(n * x for n, x in zip(bin[-2:], self.pixel_size, strict=True)))

    def image_size(self) -> tuple[float, float] | None:
        """Sides (y, x) of a frame's object, wavelength × distance / pixel size, in m."""
        if None in self:
            return None
        return tuple(h * c / self.energy * self.distance / x for x in self.pixel_size)


class Frames(NamedTuple):
    """What was read of a measurement, by `reading.read`.

    Attributes
    ----------
    data : numpy.ndarray, shape (rows, columns) or (frames, rows, columns)
        Real numbers as the file holds them, in native byte order. Mapped from the disk, read-only, where the format
        allows.
    mask : numpy.ndarray or None
        Booleans, (rows, columns) or of data's shape, True where measured, if the file has a mask of its own.
    amplitude : bool
        True if the file holds amplitudes, not counts.
    geometry : Geometry
        What the file says of the instrument.
    notes : list of str
        One line each of what was found and how it was taken.
    """

    data: np.ndarray
    mask: np.ndarray | None
    amplitude: bool
    geometry: Geometry
    notes: list[str]


class Scan(NamedTuple):
    """What was read of a rocking scan, by `reading.read_scan`: as `Frames`, but for the frames themselves.

    Attributes
    ----------
    frames : sequence of numpy.ndarray, shape (rows, columns) each
        In order; they stay on the disk until they are asked for by number, where the format allows.
    mask : numpy.ndarray, bool, shape (rows, columns) or (frames, rows, columns), or None
        As of `Frames`.
    amplitude, geometry, notes
        As of `Frames`.
    """

    frames: InOrder
    mask: np.ndarray | None
    amplitude: bool
    geometry: Geometry
    notes: list[str]


class Found(NamedTuple):
    """What the reader of a format returns: arrays as they lie in the file, or stay there, and whence they are."""

    source: str
    data: InOrder
    mask: np.ndarray | None = None
    amplitude: bool = False
    geometry: Geometry = Geometry()
    notes: Sequence[str] = ()


class Unreadable(ValueError):
    """A file that does not hold what it should, in one sentence."""


def size(shape: Sequence[int | str]) -> str:
    """Word a shape, or lengths that are worded already."""
    return " × ".join(map(str, shape)) or "one number"


def whole_numbers(values: np.ndarray) -> np.ndarray:
    """Take truth values as 0 and 1: outside of numpy's own files, 1 is a bad pixel whatever the type."""
    return values.astype(np.uint8) if values.dtype == bool else values


@contextmanager
def refusing(path: Path, kind: str) -> Iterator[None]:
    """Put what a library raises of a damaged file into one sentence; a lack of permission stays what it is."""
    try:
        yield
    except (PermissionError, Unreadable):
        raise
    except Exception as error:  # of a damaged file, libraries raise anything
        got = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise Unreadable(
            f"{path}: expected a whole {kind} file, got one that cannot be read ({got}); "
            "copy it again, or save it anew"
        ) from None


def choose(path: Path, name: str | None, names: Sequence[str], well_known: Sequence[str] = ()) -> str:
    """Find the array to read: the one that is named, a well-known one, or the only one.

    Parameters
    ----------
    path : Path
        The file.
    name : str or None
        What stood behind ``::``.
    names : sequence of str
        The arrays of the file.
    well_known : sequence of str
        Those to take before others, in order.

    Returns
    -------
    str
        One of `names`.
    """
    if not names:
        raise Unreadable(f"{path}: expected frames, got no array of numbers with two axes; name a file with data")
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    if name is not None and name not in names:
        raise Unreadable(f"{path}: expected {name} in it, got {listed}; name one of these, as in {path}::{names[0]}")
    known = [candidate for candidate in (name, *well_known) if candidate in names]
    if not known and len(names) > 1:
        raise Unreadable(f"{path}: expected one array, got {listed}; name the one to read, as in {path}::{names[0]}")
    return (*known, *names)[0]


def first_gap(numbers: Sequence[int]) -> int | None:
    """Find the first number that a sorted numbering lacks, if any."""
    return next((a + 1 for a, b in pairwise(numbers) if b > a + 1), None)
