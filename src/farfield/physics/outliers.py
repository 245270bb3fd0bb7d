"""What no far field shows: single hot pixels, values that are flags, and lines or modules of one value.

A far field that is sampled as `diffraction.measure` does it, twice as finely as its object, has no feature of a
single pixel: the brightest peak spans two or three. It is never of exactly one value over a whole row, and it does
not fall from many photons to none from one row to the next. Numpy in and out; leading dimensions are those of a
stack.
"""

from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import ndimage

FAR = {1: 10, 2: 5}
"""Times that a hot pixel exceeds the third largest of the eight pixels around it, and of the sixteen around those.

Six of 2000 noise-free crystals hold such a pixel, in the dark between two streaks, and none does after `FEW`. The
peak of a square that fills half of the frame, which is as sharp as peaks get, exceeds its neighbours 2.5 times."""

FEW = 5
"""Photons that are added to those neighbours: what a dark pixel may count by chance."""

COMPANIONS = 2
"""Neighbours that may be as bright: hot pixels come in pairs."""

JUMP, ENOUGH, PLENTY = 3, 10, 35
"""Pixels beside a gap count from 3 photons on and up to 10: what lies between, summed, must come to 35."""

BLOCK = 8
"""Pixels a side from which a square of one value is a module, and no dark place between speckles."""

EXTREMES = (2**32 - 1, 2**31 - 1, 2**16 - 1, 2**15 - 1, 2**8 - 1, 2**7 - 1)
"""Largest values of the detectors' integers, which files keep as floats or as wider integers, too."""

LIKELY = 2**16
"""Counts that a pixel may reach; the extremes beyond are flags wherever they stand."""

PLATEAU = 3
"""Pixels that must hold the largest value for it to be a flag, where chance could make a peak end there."""

NAMED = 5
"""Places that a sentence names."""


class Outliers(NamedTuple):
    """What was found, each of the data's shape and True where it is.

    Attributes
    ----------
    hot : numpy.ndarray, bool, shape (…, rows, columns)
        Single pixels far above their neighbours.
    flagged : numpy.ndarray, bool, shape (…, rows, columns)
        Values that stand for "not measured": NaN, infinite, -1 and -2, an integer type's largest.
    lines : numpy.ndarray, bool, shape (…, rows, columns)
        Whole rows, columns or modules of one value.
    """

    hot: np.ndarray
    flagged: np.ndarray
    lines: np.ndarray

    def bad(self) -> np.ndarray:
        """Whatever was found, in one."""
        return self.hot | self.flagged | self.lines


def find(data: np.ndarray, mask: np.ndarray | None = None) -> Outliers:
    """Find what no far field shows.

    Parameters
    ----------
    data : numpy.ndarray, shape (…, rows, columns)
        Measured intensities of any real type, sampled at least twice as finely as the object asks for.
    mask : numpy.ndarray, bool, shape (rows, columns) or as the data's, optional
        True where it was measured; nothing is found elsewhere.

    Returns
    -------
    Outliers
        Each of the data's shape.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.random.default_rng(0).poisson(3.0, (16, 16))
    >>> frame[4, 7] = 1000
    >>> np.argwhere(find(frame).hot).tolist()
    [[4, 7]]
    """
    if not data.size:
        return Outliers(*np.zeros((3, *data.shape), bool))
    stack = data.reshape(-1, *data.shape[-2:])
    good = np.ones(stack.shape, bool) if mask is None else np.broadcast_to(mask, data.shape).reshape(stack.shape)
    flagged = np.stack([_flagged(*pair) for pair in zip(stack, good, strict=True)]) & good
    good = good & ~flagged
    clean = np.where(good, stack, 0).astype(np.float64)
    unit = np.array([_unit(frame) for frame in clean])[:, None, None]
    lines = np.stack([_lines(*frames) for frames in zip(clean / unit, good, flagged, strict=True)])
    hot = _hot(clean, good & ~lines, unit)
    return Outliers(*(found.reshape(data.shape) for found in (hot, flagged, lines)))


def _flagged(frame: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Find flags in one frame."""
    flagged = ~np.isfinite(frame)
    if frame.dtype.kind in "iu":
        limits = np.iinfo(frame.dtype)
        flagged |= (frame == limits.max) | (frame == min(limits.min, -1))
    negative = frame < 0
    if np.isin(frame[negative & good & ~flagged], (-1, -2)).all():  # else they are noise about a level taken off
        flagged |= negative
    for extreme in EXTREMES:
        equal = (frame == extreme) | (frame == float(np.float32(extreme)))
        rest = frame[good & ~flagged]
        saturated = rest.size and rest.max() == extreme
        if extreme > LIKELY or (saturated and (rest == extreme).sum() >= (1 if extreme > 255 else PLATEAU)):
            flagged |= equal
    return flagged


def _unit(frame: np.ndarray) -> float:
    """Least intensity that tells: of whole numbers one photon or a threshold's last, else the weakest tenth's."""
    positive = frame[frame > 0]
    if not len(positive):
        return 1.0
    return float(positive.min() if (positive == np.rint(positive)).all() else np.quantile(positive, 0.1))


def _hot(clean: np.ndarray, good: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Find pixels of which at most two neighbours, near or next to near, hold a share.

    What was not measured may hold one: beside a beamstop pixels are far brighter than those further out.
    """
    hot = good.copy()
    hidden = np.where(good, clean, np.inf)
    values, known = (np.pad(array, ((0, 0), (2, 2), (2, 2))) for array in (hidden, np.ones_like(good)))
    rows, columns = clean.shape[-2:]
    for distance, factor in FAR.items():
        share = clean / factor - FEW * unit
        hot &= share > 0
        brighter, neighbours = np.zeros(clean.shape, np.int16), np.zeros(clean.shape, np.int16)
        for down, right in product(range(-distance, distance + 1), repeat=2):
            if max(abs(down), abs(right)) == distance:
                window = np.s_[:, 2 + down : 2 + down + rows, 2 + right : 2 + right + columns]
                brighter += (values[window] >= share) & known[window]
                neighbours += known[window]
        hot &= (8 * distance * brighter <= COMPANIONS * neighbours) & (neighbours > 2 * distance)
    return hot


def _lines(values: np.ndarray, good: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """Find rows, columns and modules of one value in one frame, in its unit."""
    lines = _rows(values, good, flagged) | _rows(values.T, good.T, flagged.T).T
    return (lines | _modules(values, good, lines)) & (good | flagged)


def _rows(values: np.ndarray, good: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """Find whole rows of one value, as far as they were measured; flags are all of one value."""
    measured = good.sum(1)
    lowest = values.min(1, where=good, initial=np.inf)
    same = (lowest == values.max(1, where=good, initial=-np.inf)) & (measured > 0)
    found = (measured == 0) & (flagged.sum(1) > BLOCK // 2)
    if 2 * same.sum() < len(same):  # else it is a far field of one dimension
        found |= same & (lowest != 0) & (measured >= max(BLOCK, values.shape[1] // 2))
    found |= _dark(values, good, same & (lowest == 0), ~same & (measured > 0))
    return np.broadcast_to(found[:, None], values.shape)


def _dark(values: np.ndarray, good: np.ndarray, zero: np.ndarray, lit: np.ndarray) -> np.ndarray:
    """Choose, of rows of zeros, those whose nearest other rows hold too much for them to be zero by chance."""
    found = np.zeros(len(zero), bool)
    others = np.flatnonzero(lit)
    bands, count = ndimage.label(zero | ~lit)
    members = [np.flatnonzero((bands == band) & zero) for band in range(1, count + 1)]
    members = [rows for rows in members if len(rows)]
    if _are_nodes(np.array([rows[0] for rows in members if len(rows) == 1])):
        members = [rows for rows in members if len(rows) > 1]
    for rows in members:
        place = np.searchsorted(others, rows[0])
        beside = values[others[max(place - 1, 0) : place + 1]]  # the row above and below, or the only one at an edge
        expected = np.where(good[rows].any(0), beside.min(0, initial=np.inf), 0)
        found[rows] = np.isfinite(expected).all() and _weights(expected).sum() > PLENTY
    return found


def _are_nodes(rows: np.ndarray) -> bool:
    """Whether single dark rows are the zeros of an object with straight edges: evenly spaced, with few left out."""
    if len(rows) < 3:
        return False
    period = np.gcd.reduce(np.diff(rows))
    return bool(period > 1 and 2 * len(rows) * period > np.ptp(rows))


def _weights(photons: np.ndarray) -> np.ndarray:
    """How much pixels beside a gap tell: no pixel alone, nor a threshold's last photons, tells enough."""
    return np.clip(photons - JUMP, 0, ENOUGH - JUMP)


def _modules(values: np.ndarray, good: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Find squares of zeros, with all that hangs together of such, that have bright pixels beside them."""
    dark = (values == 0) & good
    corners = ndimage.minimum_filter(dark, BLOCK, mode="constant")
    squares = ndimage.maximum_filter(corners, BLOCK, mode="constant", origin=-1)  # those of an even size lie off by 1
    blocks, count = ndimage.label(squares & ~lines)
    beside = np.where(blocks == 0, ndimage.maximum_filter(blocks, 3), 0)
    weight = ndimage.sum_labels(np.where(good & ~lines, _weights(values), 0), beside, np.arange(count + 1))
    found = np.append(False, weight[1:] > PLENTY)[blocks]
    return ndimage.binary_dilation(found, iterations=BLOCK // 2, mask=dark)  # the round ends of a beamstop


def _listed(found: np.ndarray) -> str:
    """Name the first places of those that were found."""
    places = [place[0] if len(place) == 1 else tuple(place) for place in np.argwhere(found)[:NAMED].tolist()]
    return ", ".join(map(str, places)) + (", …" if found.sum() > NAMED else "")


def _counted(found: np.ndarray, one: str) -> str:
    """Say how many there are."""
    return f"{found.sum()} {one}" + "s" * int(found.sum() > 1)


def _values(values: np.ndarray) -> str:
    """Name the values that flags and gaps have."""
    return ", ".join(f"{value:.10g}" for value in np.unique(values)[:NAMED])


def _neighbourhood(data: np.ndarray, place: tuple[int, ...]) -> float:
    """Median of the pixels around one."""
    rows, columns = (slice(max(at - 1, 0), at + 2) for at in place[-2:])
    around = data[place[:-2]][rows, columns].astype(float)
    return float(np.nanmedian(around))  # the pixel itself, the highest of nine, moves it by less than a neighbour


def sentences(outliers: Outliers, data: np.ndarray) -> list[str]:
    """Say what was found and where, a line for each kind.

    Parameters
    ----------
    outliers : Outliers
    data : numpy.ndarray, shape (…, rows, columns)
        Where they were found.

    Returns
    -------
    list of str
        Empty for data without outliers.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.random.default_rng(0).poisson(3.0, (16, 16))
    >>> frame[4, 7] = 1000
    >>> sentences(find(frame), frame)
    ['1 hot pixel, at (4, 7): 1000 where its neighbours have 3']
    """
    hot, flagged, lines = outliers
    said = []
    if hot.any():
        first = tuple(np.argwhere(hot)[0].tolist())
        told = f"{data[first]:g} where its neighbours have {_neighbourhood(data, first):g}"
        said.append(f"{_counted(hot, 'hot pixel')}, at {_listed(hot)}: {told}")
    single = flagged & ~lines
    if single.any():
        said.append(f"{_counted(single, 'flagged pixel')} ({_values(data[single])}), at {_listed(single)}")
    for axis, across, name in ((-1, -2, "row"), (-2, -1, "column")):
        whole = lines.all(axis)
        if whole.any():
            apart = np.expand_dims(whole, axis) & ~lines.all(
                across, keepdims=True
            )  # crossings may be of either value
            value = _values(data[apart if apart.any() else lines])
            said.append(f"{_counted(whole, name)} of one value ({value}): {_listed(whole)}")
    rest = lines & ~lines.all(-1, keepdims=True) & ~lines.all(-2, keepdims=True)
    if rest.any():
        ends = " and ".join(
            f"{name} {np.argwhere(rest)[:, axis].min()} to {np.argwhere(rest)[:, axis].max()}"
            for axis, name in ((-2, "rows"), (-1, "columns"))
        )
        said.append(f"{_counted(rest, 'pixel')} of gaps or modules ({_values(data[rest])}), within {ends}")
    return said
