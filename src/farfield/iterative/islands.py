"""Measured pixels that a reconstruction does not see, to judge it by: islands as large as speckles."""

from functools import reduce

import numpy as np
import torch

STREAM = 4
"""Key of the islands' random numbers, apart from those of starts, noise, crystals and images of the same seed."""

CENTRE = 2.0
"""Radius around the DC, in speckles, that holds no island: nothing tells the low frequencies but their pixels."""


def islands(
    measured: torch.Tensor, share: float, width: torch.Tensor, seed: int, number: torch.Tensor
) -> torch.Tensor:
    """Choose pixels to set aside, as PyNX does (Favre-Nicolin et al., Sci. Rep. 10, 2664, 2020).

    A pixel alone is told by its neighbours, for it is smaller than a speckle.

    Parameters
    ----------
    measured : torch.Tensor, bool, shape (batch, *frame)
        DC first.
    share : float
        Of the measured pixels, about.
    width : torch.Tensor, float, shape (batch,)
        Of a speckle, in pixels: islands are as wide along every axis.
    seed : int
    number : torch.Tensor, int64, shape (batch,)
        Islands depend on (seed, number) alone.

    Returns
    -------
    torch.Tensor, bool, shape (batch, *frame)
    """
    held = [
        _islands(pixels, share, float(speckle), np.random.SeedSequence([seed, int(n)], spawn_key=(STREAM,)))
        for pixels, speckle, n in zip(measured.cpu().numpy(), width, number, strict=True)
    ]
    return torch.from_numpy(np.stack(held)).to(measured.device)


def _islands(measured: np.ndarray, share: float, speckle: float, seed: np.random.SeedSequence) -> np.ndarray:
    """Discs or balls at random until they hold so many measured pixels; fewer, if there is no room for more."""
    lines = [np.minimum(np.arange(side), side - np.arange(side)) for side in measured.shape]
    distance = reduce(np.hypot, np.ix_(*lines))
    radius = max(speckle / 2, 1.0)
    disc = np.argwhere(distance <= radius)
    allowed = np.flatnonzero(measured & (distance > CENTRE * speckle + radius))
    held, count, wanted = np.zeros_like(measured), 0, share * measured.sum()
    for centre in np.random.default_rng(seed).permutation(allowed):
        if count >= wanted:
            break
        places = tuple(((disc + np.unravel_index(centre, measured.shape)) % measured.shape).T)
        count += (measured[places] & ~held[places]).sum()
        held[places] |= measured[places]
    return held
