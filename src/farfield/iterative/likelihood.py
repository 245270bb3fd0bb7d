"""Objects that make what was measured likeliest; where photons are few, those of the nearest amplitudes are not."""

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

import torch

from farfield.iterative.descent import Unknowns, alike, minimise
from farfield.iterative.patterns import Patterns
from farfield.machine import passes
from farfield.machine.shapes import frame_axes

DARK = 0.1
"""Counts added to what is expected: without them, dark pixels that were hit by chance would rule (as in PyNX)."""


def likeliest(objects: torch.Tensor, support: torch.Tensor, patterns: Patterns, iterations: int) -> torch.Tensor:
    """Descend minus the logarithm of Poisson's likelihood.

    Parameters
    ----------
    objects : torch.Tensor, complex64, shape (batch, *frame)
        Where to begin, the origin in pixel (0, 0).
    support : torch.Tensor, bool, shape (batch, *frame)
    patterns : Patterns
        Whose noise is known.
    iterations : int
        Of L-BFGS, at most.

    Returns
    -------
    torch.Tensor, complex64, shape (batch, *frame)
    """
    return _descend(_poisson, objects, support, patterns, iterations)


def nearest(objects: torch.Tensor, support: torch.Tensor, patterns: Patterns, iterations: int) -> torch.Tensor:
    """Descend the misfit of the amplitudes, ½ ‖|F z| - √I‖²: error reduction does, but far more slowly.

    Parameters
    ----------
    objects : torch.Tensor, complex64, shape (batch, *frame)
        Where to begin, the origin in pixel (0, 0).
    support : torch.Tensor, bool, shape (batch, *frame)
    patterns : Patterns
    iterations : int
        Of L-BFGS, at most.

    Returns
    -------
    torch.Tensor, complex64, shape (batch, *frame)
    """
    return _descend(_gauss, objects, support, patterns, iterations)


class Law(NamedTuple):
    """What far fields are held against.

    Attributes
    ----------
    unit : torch.Tensor, float32, shape (batch, 1, 1), or (batch, 1, 1, 1) for volumes
        Of objects, such that L-BFGS begins with steps of the right size and rounds numbers near 1.
    descend : callable
        Far fields (batch, *frame) of an orthogonal transform → values (batch,) and gradients (batch, *frame).
    """

    unit: torch.Tensor
    descend: Callable


def _gauss(patterns: Patterns) -> Law:
    scale = patterns.amplitude.square().mean(frame_axes(patterns.amplitude), keepdim=True).sqrt()
    amplitude = patterns.amplitude / scale
    free = torch.zeros_like(amplitude, dtype=torch.bool) if patterns.free is None else patterns.free
    return Law(scale / sqrt(amplitude[0].numel()), lambda field: passes.misfit(field, amplitude, free))


def _poisson(patterns: Patterns) -> Law:
    photon, frame = patterns.counts.photon, patterns.amplitude.shape
    counts = (patterns.counts.intensity / photon).float()
    dark = (patterns.counts.background / photon + DARK).float().expand(frame).contiguous()
    # Far fields in roots of photons, where a quarter of the likelihood is as curved as half the misfit of amplitudes.
    one = photon.mean(frame_axes(photon), keepdim=True)
    weight = (one / photon).sqrt().float().expand(frame).contiguous()
    if patterns.free is not None:  # nothing is expected and nothing counted there
        counts, weight = (x.masked_fill(patterns.free, 0) for x in (counts, weight))
    unit = (one.sqrt() / sqrt(frame[1:].numel())).float()
    return Law(unit, lambda field: passes.unlikelihood(field, counts, dark, weight))


def _descend(
    law: Callable[[Patterns], Law], objects: torch.Tensor, support: torch.Tensor, patterns: Patterns, iterations: int
) -> torch.Tensor:
    """Descend in the pixels of supports, which are few, those of as many unknowns together."""
    found, axes = torch.empty_like(objects), frame_axes(objects)
    for which, unknowns in alike(support):
        unit, descend = law(patterns[which])

        def objective(point: torch.Tensor, unknowns: Unknowns = unknowns, descend: Callable = descend) -> tuple:
            value, slope = descend(torch.fft.fftn(unknowns.images(point), dim=axes, norm="ortho"))
            return value[:, None], unknowns.points(torch.fft.ifftn(slope, dim=axes, norm="ortho"))

        point = minimise(objective, unknowns.points(objects[which] / unit), iterations)
        found[which] = unknowns.images(point) * unit
    return found
