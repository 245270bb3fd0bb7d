"""The scale of patterns: what a training set's have, kept in its models, and what brings others to it."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool

from farfield.machine.shapes import TINY, Intensity, PerSample


def _radius(side: int) -> torch.Tensor:
    """Distances (M, M) from the DC, in whole pixels."""
    line = torch.arange(side).double() - side // 2
    return torch.hypot(line[:, None], line).round().long()


def describe(mean: Intensity, least: float, most: float) -> dict[str, Any]:
    """Say what a model must know of the patterns that it learned from, as JSON can hold it.

    Parameters
    ----------
    mean : torch.Tensor, float, shape (M, M)
        Their mean.
    least, most : float
        Smallest and largest total intensity of one.

    Returns
    -------
    dict
        ``rings``: their mean intensity at 0, 1, 2, … pixels from the DC; ``least`` and ``most`` as shares of the
        mean total.
    """
    radius, mean = _radius(len(mean)).flatten(), mean.double()
    total = torch.zeros(int(radius.max()) + 1, dtype=torch.float64).index_add_(0, radius, mean.flatten())
    whole = max(float(mean.sum()), TINY)
    return {"rings": (total / radius.bincount()).tolist(), "least": least / whole, "most": most / whole}


def factors(intensity: Intensity, mask: Bool[torch.Tensor, "..."] | None, known: Mapping[str, Any]) -> PerSample:
    """Find what brings each pattern to the scale of those that a model learned from.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (samples, M, M)
    mask : torch.Tensor, bool, shape (M, M) or (samples, M, M), optional
        True where it was measured.
    known : mapping
        What `describe` said.

    Returns
    -------
    torch.Tensor, float64, shape (samples,)
        1 for a pattern whose total is one of theirs, and else what makes it their mean. A masked pattern is held
        against the same pixels of their mean rings.
    """
    expected = torch.tensor(known["rings"], dtype=torch.float64)[_radius(intensity.shape[-1])]
    seen = torch.ones_like(expected, dtype=torch.bool) if mask is None else mask
    share = (intensity.double() * seen).sum((-2, -1)) / (expected * seen).sum((-2, -1)).clamp_min(TINY)
    alike = (known["least"] <= share * (1 + 1e-6)) & (share <= known["most"] * (1 + 1e-6))
    return torch.where(alike, 1, 1 / share.clamp_min(TINY))
