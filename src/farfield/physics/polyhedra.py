"""Simulated Bragg CDI crystals in three dimensions: polyhedra, strained, with a dislocation."""

import numpy as np
import torch
from scipy import ndimage

from farfield.machine.shapes import Volumes, check_whole
from farfield.physics.crystals import CORRELATION, STRAIN

FACES = 6, 12
"""Fewest and most pairs of faces that are drawn; some lie beyond the others, and cut nothing off."""

REACH = 0.6, 1.0
"""Nearest and farthest that a face may be from the centre, of the farthest one's."""

EXTENT = 0.7, 0.95
"""Smallest and largest size, of the one at which a crystal would touch the border of its frame."""

SMALLEST = 16
"""Pixels a side of the smallest frame: a polyhedron must have room for its faces."""

STREAM = 5
"""Key of these crystals' random numbers, apart from those of flat ones of the same seed."""


def simulate(count: int, size: int, seed: int) -> Volumes:
    """Simulate crystals in three dimensions: convex polyhedra with a smooth strain and a screw dislocation.

    Parameters
    ----------
    count : int
        Number of crystals.
    size : int
        Side of the cubic frame, in pixels; at least 16.
    seed : int
        Crystal i depends on ``(seed, i)`` alone, so a shorter set is a prefix of a longer one.

    Returns
    -------
    torch.Tensor, complex64, shape (count, size, size, size)
        Magnitude 1 inside the crystal, 0 outside. The phase is a smooth random strain of 1 rad (root mean square) and
        that of a screw dislocation, Q·b = ±2π, whose straight line runs through the crystal in any direction.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    check_whole("count", count, 1)
    check_whole("size", size, SMALLEST)
    check_whole("seed", seed, 0)
    crystals = np.empty((count, size, size, size), np.complex64)
    for index in range(count):
        rng = np.random.default_rng(np.random.SeedSequence([seed, index], spawn_key=(STREAM,)))
        places = np.stack(np.meshgrid(*[np.arange(size) - size / 2] * 3, indexing="ij"), -1)
        crystals[index] = _crystal(rng, places)
    return torch.from_numpy(crystals)


def _crystal(rng: np.random.Generator, places: np.ndarray) -> np.ndarray:
    """Make one, on (size, size, size, 3) places about the frame's centre."""
    size = len(places)
    normals = rng.standard_normal((rng.integers(FACES[0], FACES[1] + 1), 3))
    normals = np.concatenate([normals, -normals]) / np.tile(np.linalg.norm(normals, axis=1), 2)[:, None]
    # How far the faces must be moved out for a place to be inside of all of them.
    scale = (places @ (normals.T / rng.uniform(*REACH, len(normals)))).max(-1)
    touching = min(np.moveaxis(scale, axis, 0)[[0, -1]].min() for axis in range(3))
    inside = scale < rng.uniform(*EXTENT) * touching
    smooth = ndimage.gaussian_filter(rng.standard_normal(inside.shape), CORRELATION * size, mode="wrap")
    smooth = STRAIN * (smooth - smooth[inside].mean()) / smooth[inside].std()
    phase = rng.uniform(-np.pi, np.pi) + smooth + _screw(rng, places, inside)
    return inside * np.exp(1j * phase)


def _screw(rng: np.random.Generator, places: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Phase of a screw dislocation through a random pixel of a crystal: the angle about its line."""
    line, across = rng.standard_normal((2, 3))
    across = np.cross(line, across)
    beside = np.cross(line / np.linalg.norm(line), across)
    from_line = places - places[inside][rng.integers(inside.sum())]
    return rng.choice([-1, 1]) * np.arctan2(from_line @ beside, from_line @ across)
