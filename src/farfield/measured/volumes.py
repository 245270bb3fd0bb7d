"""From the frames of a rocking scan to a volume about its peak, and what is known of its noise."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from scipy import ndimage

from farfield.machine.shapes import check_whole
from farfield.measured.detector import SMALLEST, Frame, Pair, Region, check_mask, correct, cut, read, single, sized
from farfield.measured.frames import InOrder
from farfield.measured.preparation import (
    CENTRES,
    SMOOTH,
    Prepared,
    check_monitor,
    fast_sides,
    no_place,
    room_about,
    span,
    uniform,
)
from farfield.physics import noise, outliers

FEWEST = 16
"""Frames of a rocking curve that can be phased."""

CUT_OFF = 0.1
"""Share of the brightest frame's peak that an end of the scan may hold before it is told."""

AXES = ("frames", "rows", "columns")

Box = tuple[Pair, Pair, Pair]
"""First and end on each axis."""

Sides = int | tuple[int, ...]
"""One number for all three axes (frames, rows, columns), or one for each."""


class _Scan(NamedTuple):
    """Frames, and what belongs to each of them."""

    frames: InOrder
    mask: np.ndarray | None  # True where measured, of one frame or of all
    amplitude: bool
    monitor: np.ndarray  # relative to its mean

    def good(self, number: int) -> np.ndarray | None:
        return self.mask if self.mask is None or self.mask.ndim == 2 else self.mask[number]

    def values(self, number: int, bad: np.ndarray) -> np.ndarray:
        """Intensities of one frame, none below zero, and zero in the bad pixels, whose flat indices are given."""
        values = np.array(self.frames[number], np.float64)
        values.flat[bad] = 0
        return np.square(values) if self.amplitude else np.maximum(values, 0)


class _Seen(NamedTuple):
    """What one look at every frame tells."""

    total: np.ndarray  # sum of all frames, NaN where no frame has a good pixel
    bad: list[np.ndarray]  # flat indices of each frame's bad pixels
    heights: np.ndarray  # of each frame's peak, slightly blurred: the rocking curve
    sums: np.ndarray


class _Whole(NamedTuple):
    """What the sum of all frames tells of the pixels; the background is one frame's."""

    frame: Frame
    response: np.ndarray | float


def prepare_scan(
    frames: InOrder,
    *,
    mask: np.ndarray | None = None,
    flat: np.ndarray | None = None,
    dark: np.ndarray | None = None,
    monitor: Sequence[float] | np.ndarray | None = None,
    region: Region | None = None,
    centre: Literal["peak", "mass", "frame"] = "peak",
    crop: Sides | None = None,
    bin: Sides = 1,
    background: float | int | Literal["corners"] | None = None,
    amplitude: bool = False,
) -> Prepared:
    """Make a volume of the frames of a rocking scan, as `preparation.prepare` makes a pattern of one.

    Every frame is looked at twice, one after another: first for what no far field shows and for the peak, then to be
    divided by flat field and monitor, cropped and binned. Of the whole there is never a copy.

    Parameters
    ----------
    frames : sequence of numpy.ndarray, shape (rows, columns) each
        Counts, or intensities in any unit, in the order of the rocking angle: `Scan.frames`, or an array.
    mask : numpy.ndarray, bool, shape (rows, columns) or (frames, rows, columns), optional
        True where measured.
    flat, dark : numpy.ndarray, shape (rows, columns) or the whole detector's, optional
        As for `preparation.prepare`; the dark is at the exposure of one frame.
    region, amplitude
        As for `preparation.prepare`.
    monitor : sequence of float, or numpy.ndarray of shape (frames,), optional
        Beam of each frame; frames are divided by it over its mean, so that counts stay counts.
    centre : {"peak", "mass", "frame"}
        DC is the brightest frame's number, and in rows and columns the sum's of all frames slightly blurred maximum;
        the centre of mass of what exceeds the median; or the middle of the scan and of its frames.
    crop : int or tuple of int, optional
        Frames, rows and columns that are kept; by default as many as make even sides of the factors 2, 3 and 5.
    bin : int or tuple of int
        Frames, rows and columns that are summed into one.
    background : float or "corners", optional
        Intensity a voxel of the result that is expected without the object, beside the dark; "corners" takes the mean
        of the volume's darkest two opposite corners, a sixth of each axis.

    Returns
    -------
    Prepared

    Raises
    ------
    ValueError
        If no volume can be made of what was given, with what to do: there are fewer than 16 frames, they differ in
        shape, or the peak is cut off at an end of the scan.
    """
    shape = _check_frames(frames)
    check_mask(mask)
    if mask is not None and mask.ndim == 3 and len(mask) != len(frames):
        raise ValueError(f"expected a mask of {len(frames)} frames or of one, got {len(mask)}; cut it")
    cut_mask = mask if mask is not None and mask.ndim == 3 else cut("mask", mask, shape, region)
    scan = _Scan(frames, cut_mask, amplitude, _relative(monitor, len(frames)))
    seen = _look(scan, shape)
    whole = _whole(scan, seen, dark, flat, region)
    if monitor is not None:
        whole.frame.steps.append("divided each frame by its monitor over the mean of all")
    bins = _each("bin", bin, 1)
    kept = _kept(whole.frame, seen, centre, crop, bins)
    return _fill(scan, seen, whole, kept, bins, background)


def _check_frames(frames: InOrder) -> Pair:
    """Refuse what is no scan, and tell the shape of its frames."""
    shape = single(frames[0]).shape if len(frames) else ()
    if len(frames) < FEWEST:
        raise ValueError(
            f"expected a rocking scan of at least {FEWEST} frames, got {len(frames)}; add frames, or reconstruct one"
        )
    return shape


def _relative(monitor: Sequence[float] | np.ndarray | None, count: int) -> np.ndarray:
    """Bring the monitor to its mean."""
    if monitor is None:
        return np.ones(count)
    values = np.asarray(monitor, np.float64)
    if values.shape != (count,):
        raise ValueError(
            f"expected a monitor for each of {count} frames, got {sized(values.shape) or 'one'}; give as many"
        )
    for value in values.tolist():
        check_monitor(value)
    return values / values.mean()


def _look(scan: _Scan, shape: Pair) -> _Seen:
    """Look at every frame once."""
    total, often, bad, heights, sums = np.zeros(shape), np.zeros(shape, np.int32), [], [], []
    for number in range(len(scan.frames)):
        frame, good = scan.frames[number], scan.good(number)
        if frame.shape != shape:
            raise ValueError(
                f"expected frames of one shape, {sized(shape)} as the first, got {sized(frame.shape)} in frame "
                f"{number}; leave it out, or cut it"
            )
        found = outliers.find(frame, good).bad()
        hidden = np.flatnonzero(found if good is None else found | ~good)
        values = scan.values(number, hidden)
        total += values
        often += 1
        often.flat[hidden] -= 1
        bad.append(hidden)
        heights.append(ndimage.gaussian_filter(values, SMOOTH).max() / scan.monitor[number])
        sums.append(values.sum() / scan.monitor[number])
    return _Seen(np.where(often > 0, total, np.nan), bad, np.array(heights), np.array(sums))


def _whole(
    scan: _Scan, seen: _Seen, dark: np.ndarray | None, flat: np.ndarray | None, region: Region | None
) -> _Whole:
    """Find out of the sum of all frames which pixels are good, what a photon is, and how the pixels respond."""
    shape = seen.total.shape
    mask = scan.mask if scan.mask is None or scan.mask.ndim == 2 else scan.mask.any(0)
    whole = read(np.sqrt(seen.total) if scan.amplitude else seen.total, mask, scan.amplitude)
    whole.steps.insert(0, f"summed {len(scan.frames)} frames to look at their pixels")
    response = correct(whole, *(cut(name, array, shape, region) for name, array in (("dark", dark), ("flat", flat))))
    return _Whole(whole, response)


def _each(name: str, value: Sides, least: int) -> tuple[int, int, int]:
    """Bring one number, or three, to three."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * 3
    if len(values) != 3:
        raise ValueError(
            f"expected {name} as one number, or three for frames, rows and columns, got {value!r}; change it"
        )
    for one in values:
        check_whole(name, one, least)
    return values


def _centre(whole: Frame, seen: _Seen, how: str) -> tuple[int, int, int]:
    """Find the centre, and refuse a scan that does not go over its peak."""
    count, brightest = len(seen.heights), int(seen.heights.argmax())
    if brightest in (0, count - 1):
        end = "first" if brightest == 0 else "last"
        raise ValueError(
            f"expected a rocking curve that rises and falls again, got its maximum in frame {brightest} of {count}, "
            f"the {end}: the scan cuts the peak off; scan on beyond it"
        )
    ends = seen.heights[[0, -1]] / seen.heights[brightest]
    if ends.max() > CUT_OFF:
        end = "first" if ends[0] > ends[1] else "last"
        whole.steps.append(
            f"the {end} frame's peak has {100 * ends.max():.0f} % of the brightest one's: the scan cuts the peak off"
        )
    if how not in CENTRES:
        raise ValueError(f"expected centre as one of {', '.join(CENTRES)}, got {how!r}; name one of them")
    name, find = CENTRES[how]
    above = np.maximum(seen.sums - np.median(seen.sums), 0)
    first = {"peak": brightest, "mass": round(float(above @ np.arange(count) / above.sum())), "frame": count // 2}[
        how
    ]
    centre = (first, *find(whole).tolist())
    whole.steps.append(f"centred on the {name}, at {centre}")
    return centre


def _kept(whole: Frame, seen: _Seen, how: str, crop: Sides | None, bins: tuple[int, int, int]) -> Box:
    """Choose the box about the centre."""
    centre = _centre(whole, seen, how)
    asked = (None,) * 3 if crop is None else _each("crop", crop, 1)
    lengths = (len(seen.heights), *whole.good.shape)
    leasts = (FEWEST, SMALLEST, SMALLEST)
    kept = tuple(map(_kept_axis, AXES, centre, lengths, leasts, asked, bins))
    told = ", ".join(f"{name} {first}:{end}" for name, (first, end) in zip(AXES, kept, strict=True))
    whole.steps.append(f"cropped to {told}")
    return kept


def _kept_axis(name: str, centre: int, length: int, least: int, crop: int | None, bin: int) -> Pair:
    """Choose what is kept of one axis."""
    room = room_about(centre, length, bin)
    sides = fast_sides(room, least)
    if not sides:
        raise ValueError(
            f"expected room for {least} {name}{' after binning' * (bin > 1)} about the centre, got it at {centre} of "
            f"{length}; choose another centre, bin less, or measure more about it"
        )
    crop = sides[-1] * bin if crop is None else crop
    if crop % (2 * bin) or not least * bin <= crop <= 2 * room * bin:
        raise ValueError(
            f"expected a crop of the {name} as a multiple of {2 * bin} from {least * bin} to {2 * room * bin}, which "
            f"fits about {centre} of {length}, got {crop}; {sides[-1] * bin} is a fast size"
        )
    return span(centre, crop, bin)


def _blocks(values: np.ndarray, window: tuple[slice, slice], bins: tuple[int, int, int]) -> np.ndarray:
    """Cut a frame, and give what is summed into one pixel two axes of its own, 1 and 3."""
    cropped, (_, down, right) = values[window], bins
    return cropped.reshape(cropped.shape[0] // down, down, cropped.shape[1] // right, right)


def _voxels(scan: _Scan, seen: _Seen, whole: _Whole, kept: Box, bins: tuple[int, int, int]) -> Iterator[np.ndarray]:
    """Give the intensity of each frame of the result, NaN where it is not good."""
    window = tuple(slice(*ends) for ends in kept[1:])
    for first in range(*kept[0], bins[0]):
        summed = 0.0
        for number in range(first, first + bins[0]):
            values = scan.values(number, seen.bad[number])
            values.flat[seen.bad[number]] = np.nan
            values[~whole.frame.good] = np.nan
            summed = summed + _blocks(values / whole.response / scan.monitor[number], window, bins).sum((1, 3))
        yield summed


def _fill(
    scan: _Scan,
    seen: _Seen,
    whole: _Whole,
    kept: Box,
    bins: tuple[int, int, int],
    background: float | int | str | None,
) -> Prepared:
    """Crop and sum; a sum's photon is the mean of its pixels'."""
    sides = tuple((end - first) // bin for (first, end), bin in zip(kept, bins, strict=True))
    intensity, steps = torch.empty(sides), whole.frame.steps
    for number, frame in enumerate(_voxels(scan, seen, whole, kept, bins)):
        intensity[number] = torch.from_numpy(frame)
    mask = ~intensity.isnan()
    intensity.nan_to_num_(0.0)
    if max(bins) > 1:
        steps.append(f"summed {sized(bins)} voxels into one, {sized(sides)} in all")
    if lost := int((~mask).sum()):
        steps.append(f"left {lost} of {mask.numel()} voxels out: bad pixels, and what is bad in single frames")
    if not intensity.any():
        raise ValueError("expected some good intensity in what is kept, got none; crop less, or try another centre")
    window = tuple(slice(*ends) for ends in kept[1:])
    weight = 1 / scan.monitor[slice(*kept[0])].reshape(-1, bins[0])
    quantum, dark = whole.frame.quantum, whole.frame.background
    photon = None if quantum is None else _product(weight.mean(1), _blocks(quantum, window, bins).mean((1, 3)))
    level = None if dark is None else _product(weight.sum(1), _blocks(dark, window, bins).sum((1, 3)))
    return Prepared(
        intensity, mask, photon, _background(intensity, mask, level, background, steps), kept, bins, steps
    )


def _product(weight: np.ndarray, plane: np.ndarray) -> torch.Tensor | float:
    """Weigh one frame for all: one number if nothing differs, else a volume, a view if no frame differs."""
    weight, plane = (torch.from_numpy(values.astype(np.float32)) for values in (weight, plane))
    if (weight != weight[0]).any():
        return weight[:, None, None] * plane
    return (
        uniform((weight[0] * plane).numpy())
        if (plane == plane[0, 0]).all()
        else (weight[0] * plane).expand(len(weight), *plane.shape)
    )


def _background(
    intensity: torch.Tensor,
    mask: torch.Tensor,
    dark: torch.Tensor | float | None,
    background: float | int | str | None,
    steps: list[str],
) -> torch.Tensor | float | None:
    """Add what was told to the dark, or look whether something should be told."""
    if background is None:
        if level := float(noise.dark_level((intensity if dark is None else intensity - dark)[None], mask[None])):
            steps.append(no_place(level))
        return dark
    if background == "corners":
        known = float(dark.mean()) if isinstance(dark, torch.Tensor) else dark or 0.0
        level = noise.corners(intensity[None], mask[None], torch.tensor([torch.nan]))
        background = max(float(level) - known, 0.0)
    if isinstance(background, str) or not 0 <= background < np.inf:
        raise ValueError(
            f"expected the background as a number of at least 0, or 'corners', got {background!r}; "
            "change or leave it out"
        )
    steps.append(f"took {background:.3g} a voxel for background")
    return background if dark is None else dark + background
