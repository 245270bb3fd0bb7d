"""Which patterns of a stack may hold what `outliers.find` finds: a look at all, wherever they are.

`outliers.find` goes through its frames one by one. Here are conditions that whatever it finds must meet, cheap enough
for every frame of a stack. One that meets none holds nothing; one that meets some is for `find` to tell.
"""

from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F

from farfield.physics.outliers import BLOCK, COMPANIONS, ENOUGH, EXTREMES, FAR, FEW, JUMP, LIKELY, PLENTY

SLACK = 1e-5
"""Relative: more than single precision loses in any of the comparisons."""

_LARGE = [float(value + more) for value in EXTREMES if value > LIKELY for more in (0, 1)]
"""Flags wherever they stand, and what single precision makes of them."""


def suspects(patterns: torch.Tensor, measured: torch.Tensor | None = None) -> torch.Tensor:
    """Tell which patterns `outliers.find` could find anything in.

    Parameters
    ----------
    patterns : torch.Tensor, float, shape (batch, rows, columns)
    measured : torch.Tensor, bool, shape (batch, rows, columns), optional
        Elsewhere patterns may have any value.

    Returns
    -------
    torch.Tensor, bool, shape (batch,)
        False only where nothing would be found.
    """
    patterns = patterns if patterns.dtype == torch.float64 else patterns.float()
    seen = patterns if measured is None else torch.where(measured, patterns, 0)
    hidden = patterns if measured is None else torch.where(measured, patterns, torch.inf)
    positive = F.threshold(seen, 0, torch.inf)
    least = positive.amin((-2, -1))  # no unit of `find` is smaller
    hot = _hot(seen, hidden, least)
    if len(left := hot.nonzero()[:, 0]):
        hot[left] = _hot(seen[left], hidden[left], _unit(seen[left], least[left]))  # costs more, for a few
    found = hot | _flagged(seen) | _modules(seen, measured, least)
    for axis, lines in ((-1, seen), (-2, seen.mT)):
        some = None if measured is None else measured.any(axis)
        found |= _lines(lines, some, seen.amax(axis), positive.amin(axis), least)
    return found


def _unit(seen: torch.Tensor, least: torch.Tensor) -> torch.Tensor:
    """What `find` takes for the unit of frames, (batch,), or less, given the least above zero."""
    pixels = F.threshold(seen.flatten(1), 0, torch.inf)
    few = int(pixels.isfinite().sum(1).amin())  # of the darkest frame: ranks differ little in a stack
    tenth = pixels.kthvalue(max(few - 1, 0) // 10 + 1, dim=1).values
    return torch.where(seen.frac().amax((-2, -1)) == 0, least, tenth)


def _flagged(seen: torch.Tensor) -> torch.Tensor:
    """Tell which frames hold no numbers, negative ones or flags, or end at an integer type's largest value."""
    least, peak = seen.amin((-2, -1)), seen.amax((-2, -1))
    found = ~((least >= 0) & (peak < torch.inf))  # NaN is neither
    found |= torch.isin(peak, peak.new_tensor(EXTREMES))
    high = (peak >= min(_LARGE)).nonzero()[:, 0]
    if len(high):
        found[high] |= torch.isin(seen[high], peak.new_tensor(_LARGE)).any(-1).any(-1)
    return found


def _hot(seen: torch.Tensor, hidden: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
    """Tell which frames hold a pixel above what nearly all of its neighbours hold a share of."""
    framed = F.pad(hidden, (2, 2, 2, 2))
    # Of the three above, the three below and the two beside, those of one kind must all be darker.
    near = framed[:, 1:-1, 1:-1]
    beside = torch.maximum(near[..., :-2], near[..., 2:])
    three = torch.maximum(beside, near[..., 1:-1])
    brightest = torch.minimum(torch.minimum(three[:, :-2], three[:, 2:]), beside[:, 1:-1])
    place = (_share(seen, 1, unit[:, None, None]) > brightest).flatten().nonzero()[:, 0]
    height, width = seen.shape[-2:]
    frame, row, column = place // (height * width), place // width % height, place % width
    rows, columns = framed.shape[-2:]
    value, place = seen.take(place), (frame * rows + row + 2) * columns + column + 2
    for distance in FAR:
        steps = [
            down * columns + right
            for down, right in product(range(-distance, distance + 1), repeat=2)
            if max(abs(down), abs(right)) == distance
        ]
        around = framed.take(place[:, None] + torch.tensor(steps, device=place.device))
        brighter = (around >= _share(value, distance, unit[frame])[:, None]).sum(-1)
        frame, value, place = (x[brighter <= COMPANIONS] for x in (frame, value, place))
    return _marked(frame, seen)


def _share(value: torch.Tensor, distance: int, unit: torch.Tensor) -> torch.Tensor:
    """What neighbours at this distance must hold for a pixel not to be hot."""
    return value * ((1 + SLACK) / FAR[distance]) - FEW * unit


def _marked(frames: torch.Tensor, stack: torch.Tensor) -> torch.Tensor:
    """Mark frames of a stack, (batch,), by their numbers."""
    return torch.zeros(len(stack), dtype=torch.bool, device=stack.device).index_fill_(0, frames, True)


def _lines(
    seen: torch.Tensor, some: torch.Tensor | None, highest: torch.Tensor, lowest: torch.Tensor, unit: torch.Tensor
) -> torch.Tensor:
    """Tell which frames hold rows of one value, or of zeros beside a row with enough in it.

    Of each row: whether some of it was measured, its largest value, and its least above zero.
    """
    alike, dark = highest == lowest, highest == 0
    unlit = alike | dark
    if not unlit.any():
        return _marked(unlit.new_zeros(0, dtype=torch.int64), seen)
    frame, row = alike.nonzero(as_tuple=True)
    same = (seen[frame, row] > 0).sum(-1) >= max(BLOCK, seen.shape[-1] // 2)
    # Rows that are not lit have the number of the last lit one, a band: it has that beside it, and the one before.
    band = (~unlit).cumsum(-1)
    bands = torch.zeros(len(band), band.shape[-1] + 1, dtype=torch.bool, device=band.device)
    dark = (dark if some is None else dark & some).nonzero(as_tuple=True)
    bands[dark[0], band[dark]] = True
    beside, row = (bands.gather(1, band) | bands.gather(1, (band - 1).clamp_min(0))).nonzero(as_tuple=True)
    enough = _weights(seen[beside, row], unit[beside, None]).sum(-1) > PLENTY * (1 - SLACK)
    return _marked(torch.cat([frame[same], beside[enough]]), seen)


def _weights(value: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
    """How much pixels beside a gap tell, in double precision."""
    return (value.double() / unit.double() - JUMP).clamp(0, ENOUGH - JUMP)


def _modules(seen: torch.Tensor, measured: torch.Tensor | None, unit: torch.Tensor) -> torch.Tensor:
    """Tell which frames hold squares of zeros with enough beside them."""
    if min(seen.shape[-2:]) < BLOCK:
        return _marked(torch.zeros(0, dtype=torch.int64, device=seen.device), seen)
    which = _dark_blocks(seen).nonzero()[:, 0]
    zeros = seen[which] == 0 if measured is None else (seen[which] == 0) & measured[which]
    corners = _windows(zeros, BLOCK, torch.logical_and)
    holds = corners.flatten(1).any(-1)
    which, corners = which[holds], corners[holds]
    if not len(which):
        return _marked(which, seen)
    near = _windows(F.pad(corners, (BLOCK,) * 4), BLOCK + 2, torch.logical_or)
    bright = seen[which] > (JUMP * (1 - SLACK) * unit[which])[:, None, None]
    frame, row, column = (near & bright).nonzero(as_tuple=True)
    weights = _weights(seen[which[frame], row, column], unit[which[frame]])
    total = torch.zeros(len(seen), dtype=torch.float64, device=seen.device)
    return total.index_add_(0, which[frame], weights) > PLENTY * (1 - SLACK)


def _dark_blocks(seen: torch.Tensor) -> torch.Tensor:
    """Tell which frames hold zeros alone in a block of a grid, so small that every square of zeros holds one."""
    half = BLOCK // 2
    rows, columns = (n // half * half for n in seen.shape[-2:])
    highest = seen[:, :rows, :columns].unflatten(1, (-1, half)).amax(2).unflatten(2, (-1, half)).amax(3)
    return highest.amin((-2, -1)) == 0


def _windows(pixels: torch.Tensor, width: int, join: Callable) -> torch.Tensor:
    """Join the pixels of each square of this width, at its first: of both axes, twice as many with each step."""
    for axis in (1, 2):
        have = 1
        while have < width:
            step = min(have, width - have)
            length = pixels.shape[axis] - step
            pixels = join(pixels.narrow(axis, 0, length), pixels.narrow(axis, step, length))
            have += step
    return pixels
