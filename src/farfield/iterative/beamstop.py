"""What a beamstop hides: low frequencies, which projections alone find far too slowly.

Where a support is loose, nearly all of what a smooth field has lies inside of it, and error reduction brings the rest
of such a field to zero by a share of that little in each iteration. The best field under a beamstop is the answer to
linear equations, though, for the pattern and the support that there are, few of them. In a volume they would be many:
what is hidden there is told, and left to projections, for the beam that a stop hides is none of a Bragg peak's.
"""

from dataclasses import replace
from functools import reduce

import torch

from farfield.iterative.patterns import Patterns
from farfield.machine.passes import LEAST_POWER

NEAR = 1 / 8
"""Of the frame's side: the distance from the DC within which pixels that were not measured are a beamstop's."""

NEAREST = 11.0
"""Pixels: the same in frames of any size, for the equations grow with the square of what is hidden."""

DOUBT = 1e-3
"""Share of a field outside of the support below which noise decides how strong it is: it stays as it was."""

LITTLE_DOUBT = 1e-7
"""The same for intensities, which the far larger support of an autocorrelation holds worse."""

LEVELS = (2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0)
"""Of the noise: where the autocorrelation of the high frequencies is above them, objects may have one."""

LEFT = 2.0
"""Noise that a region may leave outside of it, relative to the least that any leaves: the smallest such is taken."""

BLUR = 3 / 64
"""Of that autocorrelation's power, a share of the frame's side: it has speckles too, and a region none."""


def hidden(patterns: Patterns) -> torch.Tensor | None:
    """Mark the pixels near the DC that were not measured, (batch, *frame); None if there are none."""
    if patterns.free is None:
        return None
    missing = patterns.free if patterns.held is None else patterns.free & ~patterns.held
    found = missing & (_distance(missing) < min(NEAR * min(missing.shape[1:]), NEAREST))
    return found if found.any() else None


def solvable(patterns: Patterns) -> torch.Tensor | None:
    """Mark the same, (batch, M, M), where there are equations for it; None for volumes."""
    return hidden(patterns) if patterns.dims == 2 else None


def settle(iterate: torch.Tensor, image: torch.Tensor, support: torch.Tensor, under: torch.Tensor) -> torch.Tensor:
    """Change an iterate's far field under the beamstop so that least of its image is outside of the support.

    Parameters
    ----------
    iterate, image : torch.Tensor, complex64, shape (batch, M, M)
        Origin in pixel (0, 0); the image is the iterate's modulus projection.
    support : torch.Tensor, bool, shape (batch, M, M)
    under : torch.Tensor, bool, shape (batch, M, M)
        Pixels of the far field, DC first.

    Returns
    -------
    torch.Tensor, complex64, shape (batch, M, M)
    """
    return iterate + torch.fft.ifft2(_least_outside(torch.fft.fft2(image), under, ~support, DOUBT))


def fill(patterns: Patterns) -> Patterns:
    """Estimate the amplitudes under a beamstop: those whose autocorrelation ends where that of the others does.

    An object's autocorrelation has an end, and beyond it the hidden intensities must cancel what the others leave.
    The high frequencies tell where: of regions where theirs is strong, the smallest that leaves little but noise.

    Parameters
    ----------
    patterns : Patterns

    Returns
    -------
    Patterns
        Themselves if nothing is hidden, or if they are volumes.
    """
    under = solvable(patterns)
    if under is None:
        return patterns
    intensity = patterns.amplitude.double().square()
    power = _blurred(torch.fft.fft2(intensity * _high(under)).abs().square())
    floor = power.flatten(1).kthvalue(power[0].numel() // 20, dim=1).values[:, None, None]
    tries = [_filled(intensity, under, power <= level * floor) for level in LEVELS]
    whole, left = (torch.stack(x) for x in zip(*tries, strict=True))
    enough = left <= LEFT * left.amin(0)
    smallest = len(LEVELS) - 1 - enough.flip(0).int().argmax(0)
    found = whole[smallest, torch.arange(len(under), device=under.device)].clamp_min(0)
    return replace(patterns, filled=torch.where(under, found.sqrt().float(), patterns.amplitude))


def _filled(intensity: torch.Tensor, under: torch.Tensor, outside: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Fill intensities so that least of their autocorrelation is outside, and tell what is, per degree of freedom."""
    change = _least_outside(intensity.to(torch.complex128), under, outside, LITTLE_DOUBT).real
    rest = (torch.fft.ifft2(intensity + change).abs().square() * outside).sum((-2, -1))
    return intensity + change, rest / (outside.sum((-2, -1)) - under.sum((-2, -1))).clamp_min(1)


def _least_outside(field: torch.Tensor, under: torch.Tensor, outside: torch.Tensor, doubt: float) -> torch.Tensor:
    """Change a far field under the beamstop, so that least of its transform is outside: least squares.

    Pixels that see each other through what is outside do so by their difference alone: its far field is the matrix.
    """
    side, change = field.shape[-1], torch.zeros_like(field)
    rest = torch.fft.fft2(torch.fft.ifft2(field) * outside)
    seen = torch.fft.fft2(outside.to(field.dtype), norm="forward")
    masks, kinds = under.flatten(1).unique(dim=0, return_inverse=True)
    for kind, mask in enumerate(masks):  # each is solved for the patterns that have it: mostly one for all
        rows, columns = mask.reshape(side, side).nonzero().T
        which = (kinds == kind).nonzero()
        between = [(x[:, None] - x) % side for x in (rows, columns)]
        matrix = seen[which[:, 0]][:, between[0], between[1]] + doubt * torch.eye(len(rows), device=field.device)
        change[which, rows, columns] = -torch.linalg.solve(matrix, rest[which, rows, columns])
    return change


def _distance(like: torch.Tensor) -> torch.Tensor:
    lines = [torch.fft.fftfreq(side, 1 / side, device=like.device) for side in like.shape[1:]]
    return reduce(torch.hypot, torch.meshgrid(*lines, indexing="ij"))


def _high(under: torch.Tensor) -> torch.Tensor:
    """Weights of high frequencies, which rise from the DC over twice the radius of what is hidden: no edge."""
    width = 2 * (under.sum((-2, -1), keepdim=True) / torch.pi).sqrt()
    return -torch.expm1(-_distance(under).double().square() / (2 * width.square()).clamp_min(LEAST_POWER))


def _blurred(power: torch.Tensor) -> torch.Tensor:
    kernel = torch.exp(-2 * (torch.pi * BLUR * _distance(power)) ** 2)
    return torch.fft.ifft2(torch.fft.fft2(power) * kernel).real
