"""Objects that make what was measured likeliest; where photons are few, those of the nearest amplitudes are not."""

import torch

from farfield.iterative.descent import flat, minimise
from farfield.iterative.patterns import Patterns
from farfield.machine.passes import LEAST_POWER, magnitude

DARK = 0.1
"""Counts added to what is expected: without them, dark pixels that were hit by chance would rule (as in PyNX)."""


def likeliest(objects: torch.Tensor, support: torch.Tensor, patterns: Patterns, iterations: int) -> torch.Tensor:
    """Descend minus the logarithm of Poisson's likelihood.

    Parameters
    ----------
    objects : torch.Tensor, complex64, shape (batch, M, M)
        Where to begin, the origin in pixel (0, 0).
    support : torch.Tensor, bool, shape (batch, M, M)
    patterns : Patterns
        Whose noise is known.
    iterations : int
        Of L-BFGS, at most.

    Returns
    -------
    torch.Tensor, complex64, shape (batch, M, M)
    """
    photon = patterns.counts.photon
    counts = (patterns.counts.intensity / photon).float()
    dark = (patterns.counts.background / photon + DARK).float()
    least = torch.xlogy(counts, counts) - counts
    if patterns.free is not None:  # nothing is expected and nothing counted there
        counts, least = counts.masked_fill(patterns.free, 0), least.masked_fill(patterns.free, 0)
    # Far fields in roots of photons, where a quarter of the likelihood is as curved as half the misfit of amplitudes.
    one = photon.mean((-2, -1), keepdim=True)
    unit, weight = (one.sqrt() / objects.shape[-1]).float(), (one / photon).sqrt().float()
    if patterns.free is not None:
        weight = weight * ~patterns.free

    def unlikelihood(point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = torch.view_as_complex(point.view(*objects.shape, 2)) * support
        field = torch.fft.fft2(z, norm="ortho").mul_(weight)
        expected = torch.view_as_real(field).square().sum(-1).add_(dark)
        value = (expected - counts * expected.log() + least).sum((-2, -1)) / 4
        slope = field.mul_((1 - counts / expected).mul_(weight / 2))
        return value[:, None], flat(torch.fft.ifft2(slope, norm="ortho") * support)

    found = minimise(unlikelihood, flat(objects * support / unit), iterations)
    return torch.view_as_complex(found.view(*objects.shape, 2)) * support * unit


def nearest(objects: torch.Tensor, support: torch.Tensor, patterns: Patterns, iterations: int) -> torch.Tensor:
    """Descend the misfit of the amplitudes, ½ ‖|F z| - √I‖²: error reduction does, but far more slowly.

    Parameters
    ----------
    objects : torch.Tensor, complex64, shape (batch, M, M)
        Where to begin, the origin in pixel (0, 0).
    support : torch.Tensor, bool, shape (batch, M, M)
    patterns : Patterns
    iterations : int
        Of L-BFGS, at most.

    Returns
    -------
    torch.Tensor, complex64, shape (batch, M, M)
    """
    scale = patterns.amplitude.square().mean((-2, -1), keepdim=True).sqrt()  # its rounding is that of numbers near 1
    amplitude = patterns.amplitude / scale

    def misfit(point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = torch.view_as_complex(point.view(*objects.shape, 2)) * support
        field = torch.fft.fft2(z, norm="ortho")
        size = magnitude(field)
        left = size - amplitude if patterns.free is None else (size - amplitude).masked_fill_(patterns.free, 0)
        slope = field.mul_(left / size.clamp_min(LEAST_POWER**0.5))
        return left.square().sum((-2, -1))[:, None] / 2, flat(torch.fft.ifft2(slope, norm="ortho") * support)

    unit = scale / objects.shape[-1]
    found = minimise(misfit, flat(objects * support / unit), iterations)
    return torch.view_as_complex(found.view(*objects.shape, 2)) * support * unit
