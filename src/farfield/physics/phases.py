"""Phase objects: garments, crystals and smooth random waves, as what delays light and absorbs none.

All are phases from 0, which they have at the edge of their frame, to a height, in radians.
"""

import numpy as np
import torch
from scipy import ndimage

from farfield.machine.shapes import Objects, check_objects, check_whole

STREAM = 6
"""Key of the waves' random numbers; noise, starts, places, islands and polyhedra have 1 to 5."""

WIDTHS = (1 / 32, 1 / 8)
"""Least and largest width σ of a wave's features, as a share of the frame; logarithmically uniform."""

FADE = 1 / 8
"""Share of the frame, at each side, over which waves fade to nothing."""


def _checked(height: float | int) -> float:
    if not 0 < height < np.inf:
        raise ValueError(f"expected a height as radians above 0, got {height!r}; 1 is usual")
    return float(height)


def of_images(images: Objects, height: float | int) -> Objects:
    """Take images in [0, 1], those of `images.load`, for phase objects of some height in radians."""
    check_objects(images)
    return _checked(height) * images


def of_crystals(crystals: Objects, height: float | int) -> Objects:
    """Take the phases of crystals for those of phase objects.

    Parameters
    ----------
    crystals : torch.Tensor, complex, shape (…, N, N)
        Of magnitude 1 inside and 0 outside, as of `crystals.simulate`.
    height : float
        In radians: a crystal's phase, from -π to π, becomes 0 to this.

    Returns
    -------
    torch.Tensor, complex, shape (…, N, N)
        Phases in the real part, 0 outside; dislocations are edges that end within.
    """
    check_objects(crystals)
    turns = (crystals.angle() / (2 * torch.pi) + 0.5) * crystals.abs()
    return (_checked(height) * turns).to(crystals.dtype)


def waves(count: int, size: int, seed: int, height: float | int) -> Objects:
    """Draw smooth random phase objects, which have no edges and fill their frame.

    Parameters
    ----------
    count : int
    size : int
        Side of the square frame, in pixels; at least 8.
    seed : int
        Object i depends on ``(seed, i)`` alone.
    height : float
        In radians: where they are largest.

    Returns
    -------
    torch.Tensor, complex64, shape (count, size, size)
        Phases in the real part: noise blurred by one of `WIDTHS`, from 0 to the height, and faded to 0 at the edges.
    """
    check_whole("count", count, 1)
    check_whole("size", size, 8)
    line = np.minimum(1, (0.5 + np.arange(size)) / (FADE * size))
    window = np.sin(np.pi / 2 * np.minimum(line, line[::-1])) ** 2
    objects = np.empty((count, size, size), np.complex64)
    for index in range(count):
        rng = np.random.default_rng(np.random.SeedSequence([seed, index], spawn_key=(STREAM,)))
        width = size * np.exp(rng.uniform(*np.log(WIDTHS)))
        wave = ndimage.gaussian_filter(rng.standard_normal((size, size)), width, mode="reflect")
        wave = (wave - wave.min()) * window[:, None] * window
        objects[index] = _checked(height) * wave / wave.max()
    return torch.from_numpy(objects)
