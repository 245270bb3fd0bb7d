"""What counts let expect of amplitudes: where photons are few, roots of counts are far from those of intensities.

A modulus projection that gives each pixel the root of its count makes most of a weak far field zero, and its objects
are wrong by twice what the photons allow. With the amplitude to be expected, projections come to what is likeliest.
"""

from dataclasses import replace

import torch

from farfield.iterative.patterns import Patterns
from farfield.iterative.shrinkwrap import kernel
from farfield.iterative.workers import look_at
from farfield.machine.shapes import frame_axes
from farfield.physics.noise import LEAST_SPECKLE, expected_amplitude

AROUND = 0.4
"""Width of the Gaussian over which counts are averaged, in speckles: wider ones average over what differs."""

LEAST_SHARE = 1e-3
"""Of the pixels around one that must have been seen; elsewhere nothing is expected."""


def expect(patterns: Patterns, side: torch.Tensor) -> Patterns:
    """Give projections the amplitudes that counts let expect, where the noise is known.

    Parameters
    ----------
    patterns : Patterns
    side : torch.Tensor, float32, shape (batch,), or (batch, 3) for volumes
        Of the objects' frames, in pixels.

    Returns
    -------
    Patterns
    """
    if not patterns.noisy().any():
        return patterns
    sides = side.view(len(side), -1).expand(-1, patterns.dims)
    width = AROUND * torch.tensor(patterns.frame, device=side.device) / sides
    frame = patterns.amplitude.shape
    photon, background = (x.expand(frame) for x in (patterns.counts.photon, patterns.counts.background))
    seen = torch.ones_like(patterns.amplitude, dtype=torch.bool) if patterns.free is None else ~patterns.free
    expected = look_at([patterns.counts.intensity, photon, background, seen, width], _expected)
    known = patterns.noisy().view(-1, *[1] * patterns.dims)
    return replace(patterns, expected=torch.where(known, expected, patterns.amplitude))


def _expected(
    intensity: torch.Tensor, photon: torch.Tensor, background: torch.Tensor, seen: torch.Tensor, width: torch.Tensor
) -> torch.Tensor:
    """Expect amplitudes, (batch, *frame), zero where nothing was seen."""
    above, blur = (intensity - background).masked_fill(~seen, 0), kernel(width, intensity.shape[1:])
    mean, share = (_blurred(x, blur) for x in (above, seen.double()))
    # Of intensities, not of photons, which may be larger in one pixel than in the next.
    mean = (mean / share.clamp_min(LEAST_SHARE) / photon).clamp_min(LEAST_SPECKLE)
    found = expected_amplitude(intensity / photon, mean, background / photon) * photon.sqrt()
    return found.masked_fill(~seen, 0).float()


def _blurred(images: torch.Tensor, blur: torch.Tensor) -> torch.Tensor:
    axes = frame_axes(images)
    return torch.fft.irfftn(torch.fft.rfftn(images, dim=axes) * blur, images.shape[1:], axes)
