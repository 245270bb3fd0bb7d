"""From a frame as a detector wrote it to a square pattern about its centre, and what is known of its noise."""

from typing import Literal, NamedTuple

import numpy as np
import torch
from scipy import fft, ndimage

from farfield.machine.shapes import check_whole
from farfield.measured.detector import SMALLEST, Frame, Pair, Region, correct, cut, place, read, single, sized, told
from farfield.physics import noise

SMOOTH = 1.0
"""Standard deviation, in pixels, of the blur in which the peak is looked for: one pixel cannot win."""


class Prepared(NamedTuple):
    """A pattern or a volume that iterations can take, and how it came about.

    Attributes
    ----------
    intensity : torch.Tensor, float32, shape (M, M), or (F, M, N) of frames, rows and columns
        DC at ``[M // 2, M // 2]``, or ``[F // 2, M // 2, N // 2]``, divided by flat field and monitor; the background
        is still in it. Zero where nothing was measured.
    mask : torch.Tensor, bool, of that shape
        True where it was measured.
    quantum : torch.Tensor, float32, of that shape, or float or None
        Intensity of one photon; None if the values are not multiples of one. A view of one frame where all are equal.
    background : torch.Tensor, float32, of that shape, or float or None
        Intensity that is expected without the object.
    region : tuple of tuple
        First and end of what was kept of each axis.
    bin : tuple of int
        How many pixels of each axis were summed into one.
    steps : list of str
        What was done, a line for each step.
    """

    intensity: torch.Tensor
    mask: torch.Tensor
    quantum: torch.Tensor | float | None
    background: torch.Tensor | float | None
    region: tuple[Pair, ...]
    bin: tuple[int, ...]
    steps: list[str]


def prepare(
    data: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    flat: np.ndarray | None = None,
    dark: np.ndarray | None = None,
    monitor: float | None = None,
    region: Region | None = None,
    centre: Literal["peak", "mass", "frame"] = "peak",
    crop: int | None = None,
    bin: int = 1,
    background: float | Literal["corners"] | None = None,
    amplitude: bool = False,
) -> Prepared:
    """Make a pattern of one measured frame.

    In this order: amplitudes are squared; flags, gaps and hot pixels are masked, by `outliers.find`, and those that
    dark and flat field show; the frame is divided by flat field and monitor, cropped to a square about its centre,
    and binned; the background is found.

    Parameters
    ----------
    data : numpy.ndarray, shape (rows, columns)
        Counts, or intensities in any unit.
    mask : numpy.ndarray, bool, shape (rows, columns) or the whole detector's, optional
        True where the frame was measured.
    flat : numpy.ndarray, shape (rows, columns) or the whole detector's, optional
        Response of the pixels, in any unit.
    dark : numpy.ndarray, shape (rows, columns) or the whole detector's, optional
        Mean frame without a beam, at the exposure of the data and in the unit of their intensity.
    monitor : float, optional
        What the intensity is divided by: beam, exposure.
    region : tuple, optional
        Rows and columns of the detector that the data are, ``((first, end), (first, end))``, where mask, flat field
        or dark are of the whole; else the data are its first ones.
    centre : {"peak", "mass", "frame"}
        DC is the maximum of the slightly blurred frame, the centre of mass of what exceeds its median, or the frame's
        middle, ``[rows // 2, columns // 2]``.
    crop : int, optional
        Pixels of the data a side that are kept; by default as many as make an even side of the factors 2, 3 and 5.
    bin : int
        Pixels a side that are summed into one; with one bad pixel the sum is bad. An odd number keeps the centre
        pixel in the middle of its sum, an even number in the sum's upper left half.
    background : float or "corners", optional
        Intensity a pixel of the result that is expected without the object, beside the dark; "corners" reads it there
        (`noise.corners`).
    amplitude : bool
        Whether the data are square roots of intensities.

    Returns
    -------
    Prepared

    Raises
    ------
    ValueError
        If no pattern can be made of what was given, with what to do.
    """
    data = single(data)
    whole = place(data.shape, region)
    frame = read(data, cut("mask", mask, data.shape, region), amplitude)
    for name, array in (("mask", mask), ("dark", dark), ("flat", flat)):
        if array is not None and array.shape != data.shape:
            frame.steps.append(f"cut the {name} of {sized(array.shape)} to {told(whole)}")
    correct(frame, *(cut(name, array, data.shape, region) for name, array in (("dark", dark), ("flat", flat))))
    if monitor is not None:
        check_monitor(monitor)
        frame.divide(monitor)
        frame.steps.append(f"divided by the monitor, {monitor:g}")
    kept = _kept(frame, centre, crop, bin)
    frame = _binned(frame, kept, bin)
    _add_background(frame, background)
    return Prepared(
        torch.from_numpy(np.where(frame.good, frame.intensity, 0).astype(np.float32)),
        torch.from_numpy(frame.good),
        None if frame.quantum is None else uniform(frame.quantum),
        None if frame.background is None else uniform(frame.background),
        kept,
        (bin, bin),
        frame.steps,
    )


def check_monitor(monitor: float) -> None:
    """Refuse what nothing can be divided by."""
    if not 0 < monitor < np.inf:
        raise ValueError(f"expected the monitor as a positive number, got {monitor!r}; change or leave it out")


def uniform(values: np.ndarray) -> torch.Tensor | float:
    """One number, where all pixels have the same."""
    if (values == values.flat[0]).all():
        return float(values.flat[0])
    return torch.from_numpy(values.astype(np.float32))


def _peak(frame: Frame) -> np.ndarray:
    """Find the maximum of the blurred frame; beside gaps, of what is left of it."""
    blurred = ndimage.gaussian_filter(np.where(frame.good, frame.intensity, 0), SMOOTH)
    weight = ndimage.gaussian_filter(frame.good.astype(float), SMOOTH)
    return np.array(np.unravel_index(np.argmax(blurred / np.maximum(weight, 0.5)), blurred.shape))


def _mass(frame: Frame) -> np.ndarray:
    """Find the centre of mass of what exceeds the median, which is the background if there is one."""
    above = np.maximum(frame.intensity - np.median(frame.intensity[frame.good]), 0)
    return np.rint(ndimage.center_of_mass(np.where(frame.good, above, 0))).astype(int)


def _middle(frame: Frame) -> np.ndarray:
    """Take the pixel in which `diffraction.measure` has the DC."""
    return np.array(frame.good.shape) // 2


CENTRES = {"peak": ("peak", _peak), "mass": ("centre of mass", _mass), "frame": ("frame's middle", _middle)}
"""Where the DC may be looked for."""


def room_about(centre: int, length: int, bin: int) -> int:
    """Count the sums that an axis has on the nearer side of its centre."""
    before = (bin - 1) // 2  # so many pixels of the central sum lie above and left of the centre
    return min(centre - before, length - centre + before) // bin


def fast_sides(room: int, least: int) -> list[int]:
    """List the even sides of the factors 2, 3 and 5 for which there is room on either side of the centre."""
    return [side for side in range(least, 2 * room + 1, 2) if fft.next_fast_len(side, real=True) == side]


def span(centre: int, crop: int, bin: int) -> Pair:
    """Cut an axis so that the centre comes into the sum in the middle."""
    first = centre - (bin - 1) // 2 - crop // 2
    return (first, first + crop)


def _kept(frame: Frame, how: str, crop: int | None, bin: int) -> Region:
    """Choose the square about the centre."""
    check_whole("bin", bin, 1)
    if how not in CENTRES:
        raise ValueError(f"expected centre as one of {', '.join(CENTRES)}, got {how!r}; name one of them")
    name, find = CENTRES[how]
    centre = find(frame)
    frame.steps.append(f"centred on the {name}, at {tuple(centre.tolist())}")
    room = min(room_about(*axis, bin) for axis in zip(centre.tolist(), frame.good.shape, strict=True))
    sides = fast_sides(room, SMALLEST)
    if not sides:
        raise ValueError(
            f"expected a {name} with room for {SMALLEST} × {SMALLEST} pixels{' of the binned frame' * (bin > 1)} "
            f"about it, got {tuple(centre.tolist())} in {sized(frame.good.shape)}; shift the frame by "
            "half its size if DC is in the corner, mask what is brighter, or choose another centre"
        )
    if crop is None:
        crop = sides[-1] * bin
    check_whole("crop", crop, SMALLEST * bin)
    if crop % (2 * bin) or crop > 2 * room * bin:
        raise ValueError(
            f"expected crop as a multiple of {2 * bin} of at most {2 * room * bin}, which fits about the {name} at "
            f"{tuple(centre.tolist())}, got {crop}; {sides[-1] * bin} is a fast size"
        )
    return tuple(span(place, crop, bin) for place in centre.tolist())


def _binned(frame: Frame, kept: Region, bin: int) -> Frame:
    """Crop and sum; a sum's photon is the mean of its pixels'."""
    rows, columns = (slice(*ends) for ends in kept)
    side = (kept[0][1] - kept[0][0]) // bin

    def blocks(values: np.ndarray) -> np.ndarray:
        return values[rows, columns].reshape(side, bin, side, bin)

    good = blocks(frame.good).all((1, 3))
    frame.steps.append(f"cropped to {told(kept)}")
    if bin > 1:
        frame.steps.append(f"summed {bin} × {bin} pixels into one, {side} × {side} in all")
    if not (intensity := blocks(frame.intensity).sum((1, 3)) * good).any():
        raise ValueError(
            f"expected some good intensity in {told(kept)}, got none; crop less, bin less, or try another centre"
        )
    quantum = None if frame.quantum is None else blocks(frame.quantum).mean((1, 3))
    background = None if frame.background is None else blocks(frame.background).sum((1, 3))
    return Frame(intensity, good, quantum, background, frame.steps)


def no_place(level: float) -> str:
    """Say that a level may lie under a pattern, of which nothing was said."""
    return (
        f"no place along the border is darker than {level:.3g}, as an object leaves one: give background='corners' "
        "if it does not scatter there"
    )


def _add_background(frame: Frame, background: float | str | None) -> None:
    """Add what was told to the dark, or look whether something should be told."""
    dark = np.zeros(frame.good.shape) if frame.background is None else frame.background
    good = torch.from_numpy(frame.good)[None]
    if background is None:
        if level := float(noise.dark_level(torch.from_numpy(frame.intensity - dark)[None], good)):
            frame.steps.append(no_place(level))
        return
    if background == "corners":
        unit = torch.nan if frame.quantum is None else float(np.median(frame.quantum))
        level = noise.corners(
            torch.from_numpy(frame.intensity)[None], good, torch.tensor([unit], dtype=torch.float64)
        )
        background = max(float(level) - float(dark[frame.good].mean()), 0.0)
    if isinstance(background, str) or not 0 <= background < np.inf:
        raise ValueError(
            f"expected the background as a number of at least 0, or 'corners', got {background!r}; "
            "change or leave it out"
        )
    frame.background = dark + background
    frame.steps.append(f"took {background:.3g} a pixel for background")
