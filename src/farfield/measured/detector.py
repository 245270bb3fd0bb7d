"""What a detector's numbers are: which pixels are good, what a photon is, what dark and flat field say of them."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from farfield.physics import noise, outliers

SMALLEST = 8
"""Pixels a side of the smallest pattern that is made."""

HOT = 10
"""Robust standard deviations above its median from which a pixel of the dark frame is hot."""

DEAD = 0.2
"""Share of the median response below which a pixel of the flat field is dead."""

Pair = tuple[int, int]
Region = tuple[Pair, Pair]


@dataclass
class Frame:
    """A frame while it is worked on; what is not good counts for nothing."""

    intensity: np.ndarray
    good: np.ndarray
    quantum: np.ndarray | None = None
    background: np.ndarray | None = None
    steps: list[str] = field(default_factory=list)

    def hide(self, bad: np.ndarray, why: str) -> None:
        """Mask pixels, and say how many were good until now."""
        count = int((bad & self.good).sum())
        self.good &= ~bad
        if count:
            self.steps.append(f"masked {count} pixel{'s' * (count > 1)} {why}")

    def divide(self, divisor: np.ndarray | float) -> None:
        """Divide the intensity and its unit."""
        self.intensity = self.intensity / divisor
        if self.quantum is not None:
            self.quantum = self.quantum / divisor
        if self.background is not None:
            self.background = self.background / divisor


def sized(shape: tuple[int, ...]) -> str:
    """Name a shape."""
    return " × ".join(map(str, shape))


def told(region: Region) -> str:
    """Name rows and columns as a slice would."""
    (top, bottom), (left, right) = region
    return f"rows {top}:{bottom}, columns {left}:{right}"


def single(data: np.ndarray) -> np.ndarray:
    """Refuse what is no single frame of real numbers."""
    if data.dtype.kind not in "iuf":
        raise ValueError(f"expected a frame of real numbers, got {data.dtype}; give counts or intensities")
    if data.ndim > 2 and np.prod(data.shape[:-2]) == 1:
        data = data.reshape(data.shape[-2:])
    if data.ndim == 3:
        raise ValueError(
            f"expected one frame of rows and columns, got {len(data)} frames of {sized(data.shape[1:])}; "
            "choose one, as data[0], or sum them"
        )
    if data.ndim != 2 or min(data.shape) < SMALLEST:
        raise ValueError(
            f"expected one frame of at least {SMALLEST} × {SMALLEST} pixels, got shape {data.shape}; "
            "give rows and columns"
        )
    return data


def place(shape: Pair, region: Region | None) -> Region:
    """Rows and columns of the detector that the data are: its first ones, unless told."""
    if region is None:
        return ((0, shape[0]), (0, shape[1]))
    if any(end - first != size for (first, end), size in zip(region, shape, strict=True)):
        raise ValueError(
            f"expected a region of the data's {sized(shape)} pixels, got {told(region)}; "
            "name the rows and columns of the detector that the data are"
        )
    return region


def cut(name: str, array: np.ndarray | None, shape: Pair, region: Region | None) -> np.ndarray | None:
    """Cut what is of the whole detector to the rows and columns of the data."""
    if array is None or array.shape == shape:
        return array
    chosen = place(shape, region)
    inside = array.ndim == 2 and all(
        0 <= first < end <= whole for (first, end), whole in zip(chosen, array.shape, strict=True)
    )
    if not inside:
        raise ValueError(
            f"expected a {name} of the data's {sized(shape)} pixels, or of the whole detector with a region in it, "
            f"got {sized(array.shape)} and {told(chosen)}; name the data's rows and columns in it"
        )
    return array[tuple(slice(*ends) for ends in chosen)]


def check_mask(mask: np.ndarray | None) -> None:
    """Refuse a mask that may mean either."""
    if mask is not None and mask.dtype != bool:
        raise ValueError(
            f"expected a mask of booleans, True where the frame was measured, got {mask.dtype}; "
            "a mask with 0 = good is mask == 0, one with 1 = good mask == 1"
        )


def read(data: np.ndarray, mask: np.ndarray | None, amplitude: bool) -> Frame:
    """Find out what the numbers are, and mask those that are none."""
    check_mask(mask)
    frame = Frame(data.astype(np.float64), np.ones(data.shape, bool))
    if mask is not None:
        frame.hide(~mask, "by the mask that was given")
        if 2 * mask.sum() < mask.size:
            raise ValueError(
                "expected a mask that leaves at least half of the frame, got one that leaves "
                f"{100 * mask.mean():.0f} %; invert it (~mask, or ~FILE), or crop to where the detector is"
            )
    found = outliers.find(data, frame.good)
    if amplitude:
        frame.intensity = np.square(frame.intensity)
        frame.steps.append("squared the amplitudes")
        usable = frame.good & ~found.flagged & ~found.lines
        found = found._replace(hot=outliers.find(np.where(usable, frame.intensity, 0), usable).hot)
    frame.good &= ~found.bad()
    frame.steps += [f"masked {said}" for said in outliers.sentences(found, data)]
    frame.intensity = np.where(frame.good, frame.intensity, 0)
    _check_signal(frame)
    _find_quantum(frame, amplitude)
    return frame


def _check_signal(frame: Frame) -> None:
    """Refuse a frame in which nothing was measured; what is below zero was nothing."""
    negative = frame.intensity < 0
    if negative.any():
        frame.steps.append(f"set {negative.sum()} negative pixels to 0: noise about a level that was taken off")
        frame.intensity = np.maximum(frame.intensity, 0)
    if not frame.intensity.any():
        raise ValueError(
            f"expected a frame with some intensity, got none in the {frame.good.sum()} of {frame.good.size} pixels "
            f"that are good ({'; '.join(frame.steps)}); choose another frame, or invert the mask with ~mask"
        )


def _find_quantum(frame: Frame, amplitude: bool) -> None:
    """Find the photon, the largest value of which all others are multiples; squares of amplitudes have none."""
    values = frame.intensity[frame.good & (frame.intensity > 0)]
    photon = math.nan if amplitude else noise.photon(torch.from_numpy(np.asarray(values, np.float64)))
    if math.isnan(photon):
        frame.steps.append(f"found no photon of which the values are multiples; they sum to {values.sum():g}")
        return
    frame.steps.append(
        f"took {photon:g}, the largest number of which all values are multiples, for one photon: "
        f"{values.sum() / photon:.0f} photons"
    )
    frame.quantum = np.full(frame.good.shape, photon)


def correct(frame: Frame, dark: np.ndarray | None, flat: np.ndarray | None) -> np.ndarray | float:
    """Mask what dark and flat field show to be no good, divide by the flat field, and tell by what of each pixel."""
    response = 1.0
    if dark is not None:
        known = dark[frame.good & np.isfinite(dark)]
        if not known.size:
            raise ValueError("expected a dark with some numbers, got none where the frame is good; drop it")
        level = float(np.median(known))
        spread = 1.4826 * float(np.median(np.abs(known - level))) or 1.0
        frame.hide(~(dark <= level + HOT * spread), f"that are hot in the dark: above {level + HOT * spread:g}")
        frame.background = np.where(frame.good, dark, level).astype(np.float64)
        mean = frame.background[frame.good].mean()
        frame.steps.append(f"took the rest of the dark for background: {mean:.3g} a pixel")
    if flat is not None:
        usable = frame.good & np.isfinite(flat) & (flat > 0)
        if not usable.any():
            raise ValueError("expected a flat field with some response, got none where the frame is good; drop it")
        dead = ~(flat > DEAD * np.median(flat[usable]))
        frame.hide(dead, f"that are dead in the flat field: below {DEAD:g} of its median")
        mean = flat[frame.good].mean()
        response = np.where(frame.good, flat, mean) / mean
        frame.divide(response)
        spread = response[frame.good].std()
        frame.steps.append(f"divided by the flat field, whose response varies by {100 * spread:.0f} %")
    frame.intensity = np.where(frame.good, frame.intensity, 0)
    _check_signal(frame)
    return response
