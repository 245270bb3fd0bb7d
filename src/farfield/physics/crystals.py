"""Simulated Bragg CDI crystals: rounded polygons, strained by dislocations (the data of arXiv:2403.15448).

A crystal is 1 inside and 0 outside; its phase is the displacement field u, projected on the scattering vector Q: of a
few dislocations, or, in a harder set, of a smooth strain and two partial dislocations. Lengths are in pixels of the
crystal's own frame.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from skimage.measure import grid_points_in_poly

from farfield.machine.shapes import Objects

POISSON_RATIO = 0.3
"""Of most metals (Hirth & Lothe, Theory of Dislocations)."""

CORE_RADIUS = 1.0
"""Pixels: within it the strain of a dislocation is regularised, as linear elasticity ends at its core."""

FIRST_ORDER = 2 / np.sqrt(3)
"""|Q| |b| / 2π of a first-order reflection of a close-packed plane: Q·b is then -2π, 0 or 2π for its edges."""

SLIP_ANGLES = np.deg2rad([30.0, 90.0, 150.0, 210.0, 270.0, 330.0])
"""Angles between Q and the Burgers vectors ±b of the three close-packed directions in such a plane."""

DEFECTS = (0, 2)
"""Fewest and most dislocations in a crystal that is said to be dislocated."""

STRAIN = 1.0
"""Radians: root mean square, inside of a strained crystal, of its phase without dislocations."""

CORRELATION = 0.1
"""Of the frame's side: σ of the Gaussian that makes a smooth strain of white noise."""

PARTIALS = 2
"""Dislocations in a strained crystal."""

STRONGEST = 2.0
"""Most of |Q·b| / 2π of a strained crystal's dislocations."""

MOST_SHAPES = 1000
"""Polygons tried before a crystal is called too large for its frame."""


Kind = Literal["dislocated", "strained"]


class Dislocation(NamedTuple):
    """A straight dislocation with its line along the beam.

    Attributes
    ----------
    row, column : float
        Where the line crosses the frame, in pixels.
    burgers : float
        Direction of an edge dislocation's Burgers vector in the plane, in radians from the column axis.
    screw : float
        Q·b/2π of a screw dislocation (Burgers vector along the line), whole unless it is a partial one; 0 for an edge
        dislocation.
    """

    row: float
    column: float
    burgers: float
    screw: float | int


def dislocation_phase(dislocation: Dislocation, scattering: float, size: int) -> Float[np.ndarray, "size size"]:
    """Phase Q·u of one dislocation (isotropic linear elasticity, Hirth & Lothe).

    Parameters
    ----------
    dislocation : Dislocation
        Position and Burgers vector.
    scattering : float
        Direction of Q in the plane, in radians from the column axis.
    size : int
        Side of the frame, in pixels.

    Returns
    -------
    numpy.ndarray, shape (size, size)
        Phase in radians; its branch cut is a multiple of 2π wherever Q·b is. Elsewhere it shows, as the stacking
        fault behind a partial dislocation: of a screw, from its line to lower columns.
    """
    pixels = np.arange(size)
    right, up = pixels[None, :] - dislocation.column, pixels[:, None] - dislocation.row
    if dislocation.screw:
        return dislocation.screw * np.arctan2(up, right)
    cosine, sine = np.cos(dislocation.burgers), np.sin(dislocation.burgers)
    x, y = cosine * right + sine * up, cosine * up - sine * right
    squared = x**2 + y**2 + CORE_RADIUS**2
    along = np.arctan2(y, x) + x * y / (2 * (1 - POISSON_RATIO) * squared)
    across = -(
        (1 - 2 * POISSON_RATIO) / (4 * (1 - POISSON_RATIO)) * np.log(squared)
        + (x**2 - y**2) / (4 * (1 - POISSON_RATIO) * squared)
    )
    angle = scattering - dislocation.burgers
    return FIRST_ORDER * (np.cos(angle) * along + np.sin(angle) * across)


def _signed_distance(vertices: np.ndarray, size: int) -> np.ndarray:
    """Distance of every pixel to a closed polygon of (row, column) vertices, negative inside."""
    pixels = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), axis=-1)[None]
    start, end = vertices[:, None, None], np.roll(vertices, -1, axis=0)[:, None, None]
    edge, to_pixel = end - start, pixels - start
    along = np.clip((to_pixel * edge).sum(-1) / (edge**2).sum(-1), 0, 1)
    nearest = ((to_pixel - along[..., None] * edge) ** 2).sum(-1).min(axis=0)
    inside = grid_points_in_poly((size, size), vertices)
    return np.sqrt(nearest) * np.where(inside, -1, 1)


def _polygon(rng: np.random.Generator, area: int) -> np.ndarray:
    """Return random vertices around the origin, convex or not, with the given area in square pixels."""
    count = rng.integers(4, 9)
    angles = 2 * np.pi * (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count
    radii = np.ones(count)
    if rng.random() < 0.5:  # non-convex: some corners are drawn towards the middle
        radii = rng.uniform(0.4, 1.0, count)
    stretch, turn = rng.uniform(1, 1.6), rng.uniform(0, 2 * np.pi)
    points = np.stack([radii * np.sin(angles) * stretch, radii * np.cos(angles)], axis=-1)
    points = points @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    following = np.roll(points, -1, axis=0)
    enclosed = 0.5 * abs(np.sum(points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]))
    return points * np.sqrt(area / enclosed)


def _shapes(rng: np.random.Generator, size: int, pixels: int) -> Iterator[np.ndarray]:
    """Yield random rounded polygons of exactly `pixels` pixels, as masks centred in the frame."""
    for _ in range(MOST_SHAPES):
        centre = (size - 1) / 2 + rng.uniform(-0.5, 0.5, 2)
        distance = _signed_distance(_polygon(rng, pixels) + centre, size)
        # Smoothing the distance rounds the convex and the re-entrant corners alike.
        smooth = ndimage.gaussian_filter(distance, rng.uniform(0.01, 0.04) * size, mode="nearest")
        yield smooth <= np.partition(smooth.ravel(), pixels - 1)[pixels - 1]
    raise ValueError(
        f"expected crystals that fit their frame, got none of {pixels} pixels in {size} × {size} after "
        f"{MOST_SHAPES} tries; lower the fill"
    )


def _touches_border(mask: np.ndarray) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _place(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """Move a mask to a random position inside its frame."""
    for axis in (0, 1):
        filled = np.flatnonzero(mask.any(axis=1 - axis))
        shift = rng.integers(-filled[0], mask.shape[axis] - filled[-1])
        mask = np.roll(mask, shift, axis)
    return mask


def _somewhere(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """Draw a row and a column inside a mask."""
    inside = np.argwhere(mask)
    return inside[rng.integers(len(inside))] + rng.uniform(-0.5, 0.5, 2)


def _dislocated(rng: np.random.Generator, mask: np.ndarray, defects: tuple[int, int]) -> np.ndarray:
    """Phase of a crystal with a random number of dislocations."""
    scattering = rng.uniform(0, 2 * np.pi)
    phase = np.full(mask.shape, rng.uniform(-np.pi, np.pi))
    for _ in range(rng.integers(defects[0], defects[1] + 1)):
        row, column = _somewhere(rng, mask)
        screw = rng.choice([-1, 1]) if rng.random() < 0.5 else 0
        burgers = scattering - rng.choice(SLIP_ANGLES)
        phase += dislocation_phase(Dislocation(row, column, burgers, screw), scattering, len(mask))
    return phase


def _strained(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """Phase of a crystal with a smooth random strain and `PARTIALS` dislocations of any strength."""
    smooth = ndimage.gaussian_filter(rng.standard_normal(mask.shape), CORRELATION * len(mask), mode="wrap")
    smooth -= smooth[mask].mean()
    phase = rng.uniform(-np.pi, np.pi) + STRAIN / smooth[mask].std() * smooth
    for _ in range(PARTIALS):
        fault = Dislocation(*_somewhere(rng, mask), 0.0, rng.uniform(-STRONGEST, STRONGEST))
        phase += dislocation_phase(fault, 0.0, len(mask))
    return phase


def _crystal(rng: np.random.Generator, size: int, fill: float, phase: Callable[..., np.ndarray]) -> np.ndarray:
    # Fills vary by half about their mean; the area is drawn once, so that refused shapes do not bias it.
    area = round(rng.uniform(0.5, 1.5) * fill * size**2)
    mask: Bool[np.ndarray, "size size"] = next(itertools.dropwhile(_touches_border, _shapes(rng, size, max(area, 4))))
    mask = _place(rng, mask)
    return (mask * np.exp(1j * phase(rng, mask))).astype(np.complex64)


def simulate(
    count: int,
    size: int,
    seed: int,
    *,
    kind: Kind = "dislocated",
    fill: float = 0.278,
    defects: tuple[int, int] = DEFECTS,
) -> Objects:
    """Simulate Bragg CDI crystals in random position, orientation and global phase.

    Parameters
    ----------
    count : int
        Number of crystals.
    size : int
        Side of the square frame, in pixels; at least 8.
    seed : int
        Crystal i depends on ``(seed, i)`` alone, so a shorter set is a prefix of a longer one; its shape and place
        are those of crystal i of the other kind.
    kind : {"dislocated", "strained"}
        What makes the phase: whole dislocations, as in the study, or a smooth random strain of 1 rad (root mean
        square) and two partial dislocations, whose stacking faults are jumps of any height.
    fill : float
        Mean share of the frame that is crystal; each crystal fills between half and 1.5 times of it.
    defects : tuple of int
        Fewest and most dislocations in a dislocated crystal; every number between is as likely.

    Returns
    -------
    torch.Tensor, complex64, shape (count, size, size)
        Magnitude 1 inside the crystal, 0 outside.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    Zhang et al., arXiv:2403.15448, "Evaluation dataset"; Hirth & Lothe, Theory of Dislocations.

    Examples
    --------
    >>> import farfield
    >>> crystals = farfield.simulate(3, 32, seed=0)
    >>> tuple(crystals.shape), bool((crystals[:2] == farfield.simulate(2, 32, seed=0)).all())
    ((3, 32, 32), True)
    """
    if count < 1:
        raise ValueError(f"expected a count of at least 1, got {count}; ask for at least one crystal")
    if size < 8:
        raise ValueError(f"expected a size of at least 8 pixels, got {size}; crystals need room, try 32")
    if not 0.05 <= fill <= 0.35:
        raise ValueError(f"expected a fill from 0.05 to 0.35, got {fill}; the published sets have 0.278")
    if not 0 <= defects[0] <= defects[1]:
        raise ValueError(f"expected defects as (fewest, most), got {tuple(defects)}; try (0, 2)")
    if kind not in get_args(Kind):
        raise ValueError(f"expected kind as one of {', '.join(get_args(Kind))}, got {kind!r}; choose one")
    if kind == "strained" and tuple(defects) != DEFECTS:
        raise ValueError(f"expected no defects, as strained crystals have {PARTIALS}, got {defects}; leave them out")
    phase = _strained if kind == "strained" else partial(_dislocated, defects=defects)
    crystals = np.empty((count, size, size), np.complex64)
    for index in range(count):
        crystals[index] = _crystal(np.random.default_rng([seed, index]), size, fill, phase)
    return torch.from_numpy(crystals)
