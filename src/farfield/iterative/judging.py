"""Whether to believe an object: its pattern explained within the noise, by a support that constrains, found again.

Nothing here knows the truth; the limits below were looked at on crystals of their own (docs/choices.md).
"""

from itertools import product

import torch

from farfield.iterative.patterns import Counts, Patterns
from farfield.machine.passes import LEAST_POWER, magnitude
from farfield.machine.shapes import frame_axes
from farfield.physics.noise import deviance, mean_deviance
from farfield.symmetry import actions, alignment

PIXELS_AT_ONCE = 2**17
"""Of a volume that is held against counts, in double precision."""

SOLVED_RESIDUAL = 2e-5
"""Fourier residual that is rounding: a start is done, and no other start of its pattern is made."""

NOISE = {2: 1.3, 3: 1.1}
"""Deviance per degree of freedom that is still noise, by the axes of a pattern: that of right objects is 0.95 to 1.2.

Of volumes it is 0.99 to 1.09, of wrong objects 1.25 where photons are few: most voxels hold none (docs/choices.md).
"""

CERTAIN = {2: 1.15, 3: 1.05}
"""The same of objects for which escalating starts end: of right ones, brought together, 0.97 to 1.12."""

MODEL = 0.05
"""Share of the amplitudes that detectors and beams may falsify beyond noise: flat fields, partial coherence.

It is 0.04 of a measured frame with its flat field, and 0.08 without (docs/measured.md).
"""

TWINS = 0.2
"""Share of a support that may lie half a frame from the rest of it: of two copies of an object all of it does."""

AGREEMENT = 0.03
"""Relative squared difference up to which two starts have found the same object."""

RIVAL = 1.5
"""Times the best start's rank up to which another one may be the object instead: one that ranks worse has failed."""


def residual_of(objects: torch.Tensor, patterns: Patterns) -> torch.Tensor:
    """Relative misfit of the amplitudes of objects with their origin in pixel (0, 0), over the pixels in use."""
    return residuals(objects, patterns)[0]


def residuals(objects: torch.Tensor, patterns: Patterns) -> list[torch.Tensor]:
    """Relative misfits, (batch,), of the measured amplitudes, and of those that projections give."""
    axes = frame_axes(objects)
    field, whole = magnitude(torch.fft.fftn(objects, dim=axes)), patterns.amplitude.square().sum(axes)
    found = []
    for amplitude in (patterns.amplitude, patterns.expected)[: 1 if patterns.expected is patterns.amplitude else 2]:
        misfit = (field - amplitude).square_()
        if patterns.free is not None:
            misfit.masked_fill_(patterns.free, 0)
        found.append((misfit.sum(axes) / whole.clamp_min(LEAST_POWER)).sqrt())
    return found


def constrains(support: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """Tell whether supports, (batch, *frame), hold some pixels, fewer than half of the measured ones, and no twins.

    X, and iX half a frame from it, have the pattern of √2 X, exactly; but an object that is oversampled twice has
    next to nothing half a frame from itself.
    """
    axes = frame_axes(support)
    pixels = support.sum(axes)
    shifts = list(product(*((0, side // 2) for side in support.shape[1:])))[1:]  # but for none
    twins = torch.stack([(support & support.roll(shift, axes)).sum(axes) for shift in shifts]).amax(0)
    return (pixels > 0) & (2 * pixels < measured) & (twins <= TWINS * pixels)


def rank(residual: torch.Tensor, pixels: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """Residual per degree of freedom left, the lower the better: a loose support fits also what is wrong.

    Generalised cross-validation (Golub, Heath & Wahba 1979); a complex pixel of the support fits two amplitudes.
    """
    return residual / freedom(pixels, measured).clamp_min(LEAST_POWER)


def freedom(pixels: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """Share of the measured amplitudes that a support of so many complex pixels does not fit by itself."""
    return 1 - 2 * pixels / measured


def deviances(objects: torch.Tensor, pixels: torch.Tensor, patterns: Patterns) -> tuple[torch.Tensor, torch.Tensor]:
    """Hold objects against the counts.

    Parameters
    ----------
    objects : torch.Tensor, complex64, shape (batch, *frame)
        Their origin in pixel (0, 0).
    pixels : torch.Tensor, int64, shape (batch,)
        In the support.
    patterns : Patterns

    Returns
    -------
    tuple of torch.Tensor, float32, shape (batch,)
        Deviance per degree of freedom of the pixels in use, and of the held ones, which have all of theirs. Both in
        units of what Poisson's law gives on average at such counts, so that a right object has 1 for few photons too.
        NaN where the noise is not known, or nothing is held.
    """
    if not patterns.noisy().any():
        return (torch.full(pixels.shape, torch.nan, device=pixels.device),) * 2
    field = magnitude(torch.fft.fftn(objects, dim=frame_axes(objects)))
    free = torch.zeros_like(field, dtype=torch.bool) if patterns.free is None else patterns.free
    left = freedom(pixels, patterns.measured())
    used, *held = _ratios(field, patterns.counts, ~free, *([] if patterns.held is None else [patterns.held]))
    used = (used / left).where(left > 0, torch.inf).float()
    return used, held[0].float() if held else torch.full_like(used, torch.nan)


def _ratios(field: torch.Tensor, counts: Counts, *kinds: torch.Tensor) -> list[torch.Tensor]:
    """Deviance of far fields' magnitudes over the usual one, in pixels of each kind; volumes are read in slabs."""
    rows = field.shape[1] if field.ndim == 3 else max(1, PIXELS_AT_ONCE // field[0, 0].numel())
    parts = zip(*(x.expand_as(field).split(rows, 1) for x in (field, *counts, *kinds)), strict=True)
    sums = [[0.0, 0.0] for _ in kinds]
    for size, intensity, photon, background, *chosen in parts:
        expected = (size.double().square() + background) / photon
        both = deviance(intensity / photon, expected), mean_deviance(expected)
        for total, where in zip(sums, chosen, strict=True):
            total[:] = (old + (x * where).sum(frame_axes(x)) for old, x in zip(total, both, strict=True))
    return [found / usual for found, usual in sums]


def believes(
    residual: torch.Tensor, deviance: torch.Tensor, agreement: torch.Tensor, support: torch.Tensor, patterns: Patterns
) -> torch.Tensor:
    """Tell whether objects explain their patterns, by supports that constrain, and no rival is another one.

    Explained is what is left to noise, whose share of the residual's square the deviance tells (none where noise is
    not known), and to detectors and beams. An object without rivals must be explained to noise alone.

    Returns
    -------
    torch.Tensor, bool, shape (batch,)
    """
    limit = NOISE[patterns.dims]
    noise = residual.square() * (limit / deviance).nan_to_num(0.0)
    explained = (residual.square() <= noise + MODEL**2) & (agreement <= AGREEMENT)
    return constrains(support, patterns.measured()) & (explained | (agreement.isnan() & (deviance <= limit)))


def agreement(objects: torch.Tensor, rank: torch.Tensor) -> torch.Tensor:
    """Tell how far the best start's rivals are from it.

    Parameters
    ----------
    objects : torch.Tensor, complex64, shape (batch, starts, *frame)
        Origin in the centre, the best first.
    rank : torch.Tensor, float32, shape (batch, starts)
        Infinite where there is none.

    Returns
    -------
    torch.Tensor, float32, shape (batch,)
        Median difference; NaN without a rival.
    """
    found = torch.full_like(rank[:, 0], torch.nan)
    rivals = rank[:, 1:].isfinite() & (rank[:, 1:] <= RIVAL * rank[:, :1].clamp_min(SOLVED_RESIDUAL))
    todo = rivals.any(-1).nonzero()[:, 0]
    if len(todo):
        found[todo] = differences(objects[todo]).where(rivals[todo], torch.nan).nanmedian(-1).values
    return found


def differences(objects: torch.Tensor) -> torch.Tensor:
    """Tell how far starts differ from the best.

    Parameters
    ----------
    objects : torch.Tensor, complex64, shape (batch, starts, *frame)
        Origin in the centre, the best first.

    Returns
    -------
    torch.Tensor, float32, shape (batch, starts - 1)
        ‖A - B‖² / ‖A‖² after alignment.
    """
    best, axes = objects[:, :1].expand_as(objects[:, 1:]), frame_axes(objects, 2)
    power = objects[:, 0].abs().square().sum(axes).clamp_min(LEAST_POWER)
    return (align(best, objects[:, 1:]) - best).abs().square().sum(axes) / power[:, None]


def align(reference: torch.Tensor, estimate: torch.Tensor) -> torch.Tensor:
    """Give the symmetric copies of starts, (batch, starts, *frame), that resemble their references most."""
    return (actions if estimate.ndim == 4 else alignment).align(reference, estimate)
