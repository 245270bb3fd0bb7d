"""Whether to believe an object: its pattern explained within the noise, by a support that constrains, found again.

Nothing here knows the truth; the limits below were looked at on crystals of their own (docs/choices.md).
"""

import torch

from farfield.iterative.patterns import Patterns
from farfield.machine.passes import LEAST_POWER, magnitude
from farfield.physics.noise import deviance, mean_deviance
from farfield.symmetry.actions import align

SOLVED_RESIDUAL = 2e-5
"""Fourier residual that is rounding: a start is done, and no other start of its pattern is made."""

NOISE = 1.3
"""Deviance per degree of freedom that is still noise: that of right objects is 0.95 to 1.2."""

CERTAIN = 1.15
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
    misfit = (magnitude(torch.fft.fft2(objects)) - patterns.amplitude).square()
    if patterns.free is not None:
        misfit.masked_fill_(patterns.free, 0)
    return (misfit.sum((-1, -2)) / patterns.amplitude.square().sum((-1, -2)).clamp_min(LEAST_POWER)).sqrt()


def constrains(support: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """Tell whether supports, (batch, M, M), hold some pixels, fewer than half of the measured ones, and no twins.

    X, and iX half a frame from it, have the pattern of √2 X, exactly; but an object that is oversampled twice has
    next to nothing half a frame from itself.
    """
    pixels = support.sum((-2, -1))
    half = support.shape[-1] // 2
    beside = [support & support.roll(shift, (-2, -1)) for shift in ((half, 0), (0, half), (half, half))]
    twins = torch.stack([x.sum((-2, -1)) for x in beside]).amax(0)
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
    objects : torch.Tensor, complex64, shape (batch, M, M)
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
    photon = patterns.counts.photon
    if not patterns.noisy().any():
        return (torch.full(pixels.shape, torch.nan, device=pixels.device),) * 2
    expected = (magnitude(torch.fft.fft2(objects)).double().square() + patterns.counts.background) / photon
    counts = patterns.counts.intensity / photon
    found, usual = deviance(counts, expected), mean_deviance(expected)
    free = torch.zeros_like(found, dtype=torch.bool) if patterns.free is None else patterns.free
    left = freedom(pixels, patterns.measured())
    used = (_ratio(found, usual, ~free) / left).where(left > 0, torch.inf)
    held = torch.full_like(used, torch.nan) if patterns.held is None else _ratio(found, usual, patterns.held)
    return used.float(), held.float()


def _ratio(found: torch.Tensor, usual: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    found, usual = ((x * where).sum((-2, -1)) for x in (found, usual))
    return found / usual


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
    noise = residual.square() * (NOISE / deviance).nan_to_num(0.0)
    explained = (residual.square() <= noise + MODEL**2) & (agreement <= AGREEMENT)
    return constrains(support, patterns.measured()) & (explained | (agreement.isnan() & (deviance <= NOISE)))


def agreement(objects: torch.Tensor, rank: torch.Tensor) -> torch.Tensor:
    """Tell how far the best start's rivals are from it.

    Parameters
    ----------
    objects : torch.Tensor, complex64, shape (batch, starts, M, M)
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
    objects : torch.Tensor, complex64, shape (batch, starts, M, M)
        Origin in the centre, the best first.

    Returns
    -------
    torch.Tensor, float32, shape (batch, starts - 1)
        ‖A - B‖² / ‖A‖² after alignment.
    """
    best = objects[:, :1].expand(-1, objects.shape[1] - 1, -1, -1)
    power = objects[:, 0].abs().square().sum((-2, -1)).clamp_min(LEAST_POWER)
    return (align(best, objects[:, 1:]) - best).abs().square().sum((-2, -1)) / power[:, None]
