"""What is read of a frame or a scan and of what belongs to it, and what is made of them."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from farfield.measured import preparation, reading, volumes
from farfield.measured.detector import sized
from farfield.measured.frames import Frames, Geometry
from farfield.measured.geometry import Space
from farfield.measured.instrument import Instrument, geometry_of, read_spec, space_of
from farfield.measured.preparation import Prepared
from farfield.measured.trust import MOST_FILLED


class Loaded(NamedTuple):
    """What was read, and the pattern or volume that was made of it.

    Attributes
    ----------
    raw : numpy.ndarray, shape (rows, columns)
        The frame as it was read; of a scan that in which DC lies.
    prepared : Prepared
    geometry : Geometry
        Of the pixels of `prepared`.
    space : Space or None
        Where a volume lies, if that is known.
    steps : list of str
        What was done, a line for each step.
    """

    raw: np.ndarray
    prepared: Prepared
    geometry: Geometry
    space: Space | None
    steps: list[str]


def load(
    data: str | Path,
    *,
    dimensions: int = 2,
    frame: int | None = None,
    mask: str | Path | None = None,
    flat: str | Path | None = None,
    dark: str | Path | None = None,
    monitor: float | int | str | Path | None = None,
    **how: Any,
) -> Loaded:
    """Read a frame or a scan and what belongs to it, and make a pattern or a volume of it.

    Parameters
    ----------
    data : str or Path
        As `reading.read` takes it, or, of a scan, `reading.read_scan`.
    dimensions : {2, 3}
        3 if the frames are a rocking scan: a volume.
    frame : int, optional
        Number of the frame, from 0, where the data are several and no scan.
    mask, flat, dark : str or Path, optional
        As `reading.read_mask` and `reading.read_image` take them.
    monitor : float, str or Path, optional
        A number, or, as `reading.read_numbers` takes it, one of each frame.
    **how
        What `Instrument` has; region, centre, crop, bin and background of `preparation.prepare`, or of
        `volumes.prepare_scan`.

    Returns
    -------
    Loaded

    Raises
    ------
    ValueError
        If a file cannot be read, no pattern be made of it, or what is told of the instrument cannot be.
    """
    told = Instrument(**{name: how.pop(name) for name in Instrument._fields if name in how})
    images = {
        name: None if path is None else reading.read_image(path) for name, path in (("flat", flat), ("dark", dark))
    }
    good = None if mask is None else reading.read_mask(mask)
    beam = reading.read_numbers(monitor) if isinstance(monitor, str | Path) else monitor
    how = {**how, **images, "monitor": beam}
    if dimensions == 3:
        return _scan(data, frame, mask, good, told, how)
    if dimensions != 2:
        raise ValueError(f"expected dimensions as 2 or 3, got {dimensions!r}; 3 is for rocking scans")
    if told.told():
        raise ValueError(
            f"expected {told.told()[0]} of a rocking scan, got a frame; say that it is a scan by --dimensions 3, or "
            "leave that out"
        )
    return _frame(Path(data), frame, mask, good, told, how)


def _frame(
    path: Path,
    number: int | None,
    mask: str | Path | None,
    good: np.ndarray | None,
    told: Instrument,
    how: dict[str, Any],
) -> Loaded:
    """Make a pattern of one frame."""
    found = reading.read(path)
    geometry = geometry_of(told, found.geometry)
    raw, own = _choose(path, found, number)
    if isinstance(how["monitor"], np.ndarray):
        how["monitor"] = _monitor_of(path, how["monitor"], found, number)
    prepared = preparation.prepare(raw, mask=_both(mask, good, own), amplitude=found.amplitude, **how)
    chosen = [] if number is None else [f"took frame {number} of {len(found.data)}"]
    return Loaded(raw, prepared, geometry.binned(prepared.bin), None, [*found.notes, *chosen, *prepared.steps])


def _choose(path: Path, found: Frames, frame: int | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Take one frame, and its mask."""
    data, mask = found.data, found.mask
    if data.ndim == 2:
        if frame not in (None, 0):
            raise ValueError(f"{path}: expected several frames to take number {frame} of, got one; leave --frame out")
        return data, mask
    if frame is None:
        raise ValueError(
            f"{path}: expected one frame, got {len(data)} of {data.shape[1]} × {data.shape[2]}; choose one by "
            "--frame N, or say by --dimensions 3 that they are a rocking scan, which is a volume"
        )
    if not 0 <= frame < len(data):
        raise ValueError(f"{path}: expected a frame from 0 to {len(data) - 1}, got {frame}; change --frame")
    return data[frame], mask if mask is None or mask.ndim == 2 else mask[frame]


def _monitor_of(path: Path, monitor: np.ndarray, found: Frames, number: int | None) -> float:
    """Take the value of one frame."""
    frames = 1 if found.data.ndim == 2 else len(found.data)
    if len(monitor) != frames:
        raise ValueError(
            f"{path}: expected a monitor of one value for each of {frames} frames, got {len(monitor)}; give as many, "
            "or one number"
        )
    return float(monitor[number or 0])


def _scan(
    data: str | Path,
    number: int | None,
    mask: str | Path | None,
    good: np.ndarray | None,
    told: Instrument,
    how: dict[str, Any],
) -> Loaded:
    """Make a volume of a scan."""
    if number is not None:
        raise ValueError(
            f"{data}: expected a rocking scan with all of its frames, got --frame {number} beside --dimensions 3; "
            "leave one out"
        )
    found = reading.read_scan(data)
    told = read_spec(told, len(found.frames))
    geometry = geometry_of(told, found.geometry)
    both = _both(mask, good, found.mask)
    how["monitor"] = None if how["monitor"] is None else np.asarray(how["monitor"])
    prepared = volumes.prepare_scan(found.frames, mask=both, amplitude=found.amplitude, **how)
    first, end = prepared.region[0]
    raw = np.asarray(found.frames[(first + end) // 2])
    space, step = space_of(told, geometry, prepared, raw.shape)
    steps = [*found.notes, *prepared.steps, step]
    return Loaded(raw, prepared, geometry.binned(prepared.bin), space, steps)


def _both(path: str | Path | None, mine: np.ndarray | None, theirs: np.ndarray | None) -> np.ndarray | None:
    """Put the mask that was given and that of the data's file together."""
    if mine is None or theirs is None:
        return theirs if mine is None else mine
    if mine.shape[-2:] != theirs.shape[-2:] or (mine.ndim == theirs.ndim and mine.shape != theirs.shape):
        raise ValueError(
            f"{path}: expected a mask of the data's {sized(theirs.shape)} pixels, which have one of their own, got "
            f"{sized(mine.shape)}; cut it"
        )
    return mine & theirs


def read_support(path: str | Path, loaded: Loaded) -> torch.Tensor:
    """Read an object's support, and bring it to the frame of the pattern, whose centre it keeps.

    Parameters
    ----------
    path : str or Path
        As `reading.read_image` takes it: not zero where the object is; of the pattern's shape, or, of a frame, of the
        data's.
    loaded : Loaded

    Returns
    -------
    torch.Tensor, bool, of the pattern's shape

    Raises
    ------
    ValueError
        If it is of another shape, larger than the pattern, fills half of it or nothing, or the data are binned.
    """
    image, shape = reading.read_image(path) != 0, tuple(loaded.prepared.mask.shape)
    if image.shape != shape and not (len(shape) == 2 and image.shape == loaded.raw.shape):
        raise ValueError(
            f"{path}: expected a support of {sized(shape)} pixels, got {sized(image.shape)}; crop or pad it round "
            "the object"
        )
    if max(loaded.prepared.bin) > 1 or not 0 < image.mean() < MOST_FILLED:
        raise ValueError(
            f"{path}: expected a support that fills some of the frame and less than half, and no --bin beside it, "
            f"got one that fills {100 * image.mean():.0f} %; change either"
        )
    places = np.argwhere(image)
    box = image[tuple(slice(first, last + 1) for first, last in zip(places.min(0), places.max(0), strict=True))]
    if any(side > room for side, room in zip(box.shape, shape, strict=True)):
        raise ValueError(f"{path}: expected a support of at most {sized(shape)} pixels, got {box.shape}; crop less")
    framed = np.zeros(shape, dtype=bool)
    corner = [room // 2 - side // 2 for room, side in zip(shape, box.shape, strict=True)]
    framed[tuple(slice(first, first + side) for first, side in zip(corner, box.shape, strict=True))] = box
    return torch.from_numpy(framed)
