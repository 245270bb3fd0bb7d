"""Measured pixels that a reconstruction does not see, to judge it by: islands as large as speckles."""

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
    measured : torch.Tensor, bool, shape (batch, M, M)
        DC first.
    share : float
        Of the measured pixels, about.
    width : torch.Tensor, float, shape (batch,)
        Of a speckle, in pixels.
    seed : int
    number : torch.Tensor, int64, shape (batch,)
        Islands depend on (seed, number) alone.

    Returns
    -------
    torch.Tensor, bool, shape (batch, M, M)
    """
    held = [
        _islands(pixels, share, float(speckle), np.random.SeedSequence([seed, int(n)], spawn_key=(STREAM,)))
        for pixels, speckle, n in zip(measured.cpu().numpy(), width, number, strict=True)
    ]
    return torch.from_numpy(np.stack(held)).to(measured.device)


def _islands(measured: np.ndarray, share: float, speckle: float, seed: np.random.SeedSequence) -> np.ndarray:
    """Discs at random until they hold so many measured pixels; fewer, if there is no room for more."""
    side = len(measured)
    line = np.minimum(np.arange(side), side - np.arange(side))
    distance = np.hypot(line[:, None], line)
    radius = max(speckle / 2, 1.0)
    disc = np.argwhere(distance <= radius)
    allowed = measured & (distance > CENTRE * speckle + radius)
    held = np.zeros_like(measured)
    for centre in np.random.default_rng(seed).permutation(np.argwhere(allowed)):
        if held.sum() >= share * measured.sum():
            break
        rows, columns = ((disc + centre) % side).T
        held[rows, columns] |= measured[rows, columns]
    return held
