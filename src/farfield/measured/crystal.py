"""From a reconstructed volume to the crystal in the laboratory: cubic voxels, displacement and strain."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage
from skimage.restoration import unwrap_phase

from farfield.measured.geometry import Space

ISOSURFACE = 0.3
"""Share of the largest magnitude where the crystal ends, by default; 0.3 to 0.5 are in use."""

MARGIN = 2
"""Voxels beyond the crystal on every side, so that its surface is closed."""

ROUNDS = 3
"""The mean step of a phase is found again after it was taken off: the first time, steep ones are wrapped."""


class Crystal(NamedTuple):
    """What a reconstruction tells of a crystal, in cubic voxels along the laboratory's axes.

    Attributes
    ----------
    magnitude : numpy.ndarray, float32, shape (z, y, x)
        Density, in the unit of the reconstruction.
    phase : numpy.ndarray, float32, shape (z, y, x)
        φ = Q · u in rad, unwrapped, its ramp removed, its mean 0; zero outside, as all that follows.
    displacement : numpy.ndarray, float32, shape (z, y, x)
        u = φ / |Q| along Q, in nm.
    strain : numpy.ndarray, float32, shape (z, y, x)
        ε = Q̂ · ∇u; the spacing of the lattice planes is 2π / |Q| (1 + ε).
    support : numpy.ndarray, bool, shape (z, y, x)
        True inside of the isosurface.
    voxel : float
        Side of a voxel in nm.
    origin : tuple of float
        (x, y, z) of the first voxel in nm; the middle of the reconstructed volume is at (0, 0, 0).
    scattering : numpy.ndarray, float64, shape (3,)
        Q (x, y, z) in 1/nm, of which the ramp was a part.
    isosurface : float
        Magnitude at the surface.
    """

    magnitude: np.ndarray
    phase: np.ndarray
    displacement: np.ndarray
    strain: np.ndarray
    support: np.ndarray
    voxel: float
    origin: tuple[float, float, float]
    scattering: np.ndarray
    isosurface: float

    def spacing(self) -> float:
        """Mean distance of the lattice planes, 2π / |Q|, in nm."""
        return float(2 * np.pi / np.linalg.norm(self.scattering))


def in_laboratory(
    density: np.ndarray,
    space: Space,
    *,
    support: np.ndarray | None = None,
    isosurface: float = ISOSURFACE,
    voxel: float | int | None = None,
) -> Crystal:
    """Bring a reconstructed volume to cubic voxels of the laboratory, and read displacement and strain from it.

    Parameters
    ----------
    density : numpy.ndarray, complex, shape (F, M, N)
        Object whose Fourier transform, ``exp(-i q · r)`` as in `numpy.fft.fftn`, has the measured magnitudes.
    space : Space
        Reciprocal space of the volume that it was made of.
    support : numpy.ndarray, bool, shape (F, M, N), optional
        Beyond it there is no crystal.
    isosurface : float
        Share of the largest magnitude where the crystal ends.
    voxel : float, optional
        Side in nm; by default a cube has the volume of a voxel of the object.

    Returns
    -------
    Crystal

    Raises
    ------
    ValueError
        If the density is no complex volume, or nothing of it lies in the support and above the isosurface.

    Notes
    -----
    Atoms that are displaced by u scatter with exp(-i q · (r + u)), so the phase of the density is - Q · u: here it
    is turned, as bcdi's ``invert_phase`` does, and a widened lattice has a positive strain. Displacement is that of
    Pfeifer et al., Nature 442, 63 (2006), and cdiutils, strain that of Newton et al., Nature Materials 9, 120 (2010):
    central differences, at the surface one-sided ones, of phases from voxel to voxel, which no jump by 2π disturbs.

    The ramp is the mean step of the phase between neighbours, weighted by their densities. Taking it off puts DC on
    the peak's centre of mass; Q is that of this place. Density is interpolated linearly, after that.
    """
    inside = _inside(density, support, isosurface)
    turned, ramp = _without_ramp(np.conj(density).astype(np.complex128), inside)
    sides = np.array(density.shape)
    scattering = space.scattering - (ramp * sides / (2 * np.pi)) @ space.steps
    steps = space.voxels(density.shape)
    voxel = float(np.cbrt(abs(np.linalg.det(steps)))) if voxel is None else float(voxel)
    if not 0 < voxel < np.inf:
        raise ValueError(f"expected the side of a voxel above 0 nm, got {voxel:g}; change or leave it out")
    places = (np.argwhere(inside) - sides // 2) @ steps
    ends = np.floor(places.min(0) / voxel) - MARGIN, np.ceil(places.max(0) / voxel) + MARGIN
    lines = [np.arange(first, last + 1) * voxel for first, last in zip(*ends, strict=True)]
    where = _indices(lines, steps, sides)
    magnitude = ndimage.map_coordinates(np.abs(turned), where, order=1)
    within = ndimage.map_coordinates(inside.astype(np.float64), where, order=1) >= 0.5
    if not within.any():
        raise ValueError(f"expected voxels smaller than the crystal, got {voxel:g} nm; take smaller ones")
    wave = ndimage.map_coordinates(turned, where, order=1)
    length = float(np.linalg.norm(scattering))
    phase = _unwrapped(wave, within)
    strain = _slope(wave, within, scattering / length) / (voxel * length)
    fields = (magnitude, phase, phase / length, strain)
    level = float(isosurface * np.abs(density).max())
    origin = tuple(float(line[0]) for line in lines)
    return Crystal(*(field.astype(np.float32) for field in fields), within, voxel, origin, scattering, level)


def in_voxels(density: np.ndarray, *, support: np.ndarray | None = None) -> Crystal:
    """Do the same where the laboratory is not known: frames go along z, rows along y, columns along x.

    Parameters
    ----------
    density : numpy.ndarray, complex, shape (F, M, N)
        As of `in_laboratory`.
    support : numpy.ndarray, bool, shape (F, M, N), optional
        As of `in_laboratory`.

    Returns
    -------
    Crystal
        Lengths are in voxels, and Q is not known: displacement and strain mean nothing.
    """
    steps = np.diag(2 * np.pi / np.array(density.shape))[:, ::-1]
    return in_laboratory(density, Space(steps, np.ones(3)), support=support)


def _inside(density: np.ndarray, support: np.ndarray | None, isosurface: float) -> np.ndarray:
    """Find the crystal."""
    if density.ndim != 3 or density.dtype.kind != "c":
        raise ValueError(
            f"expected a complex volume, got {density.dtype} of shape {density.shape}; give one object, as objects[0]"
        )
    if support is not None and (support.shape != density.shape or support.dtype != bool):
        raise ValueError(
            f"expected a support of booleans of shape {density.shape}, got {support.dtype} of {support.shape}; cut it"
        )
    if not 0 < isosurface < 1:
        raise ValueError(f"expected an isosurface between 0 and 1, got {isosurface:g}; 0.3 to 0.5 are in use")
    magnitude = np.abs(density)
    inside = magnitude > isosurface * magnitude.max()
    inside &= True if support is None else support
    if not inside.any():
        raise ValueError("expected a density above the isosurface in the support, got none; lower the isosurface")
    return inside


def _steps(wave: np.ndarray, inside: np.ndarray, axis: int) -> np.ndarray:
    """Give products of neighbours along an axis, whose phase is the step between them; zero beside the crystal."""
    after, before = (
        tuple(slice(*ends) if which == axis else slice(None) for which in range(3)) for ends in ((1, None), (0, -1))
    )
    return wave[after] * wave[before].conj() * (inside[after] & inside[before])


def _without_ramp(wave: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the mean step of the phase off, and tell it for each axis."""
    ramp = np.zeros(3)
    for _ in range(ROUNDS):
        found = np.array([np.angle(_steps(wave, inside, axis).sum()) for axis in range(3)])
        for axis, slope in enumerate(found):
            line = np.exp(-1j * slope * (np.arange(wave.shape[axis]) - wave.shape[axis] // 2))
            wave = wave * np.expand_dims(line, tuple(other for other in range(3) if other != axis))
        ramp += found
    return wave, ramp


def _indices(lines: list[np.ndarray], steps: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Find where the laboratory's places (z, y, x) lie in the volume, (3, z, y, x)."""
    z, y, x = np.meshgrid(*lines[::-1], indexing="ij")
    return np.einsum("i...,ij->j...", np.stack([x, y, z]), np.linalg.inv(steps)) + (sides // 2)[:, None, None, None]


def _unwrapped(wave: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Unwrap the phase of the crystal, its mean 0."""
    phase = np.ma.masked_array(np.angle(wave), ~inside)
    found = unwrap_phase(phase, rng=0).filled(0.0)
    return np.where(inside, found - found[inside].mean(), 0)


def _slope(wave: np.ndarray, inside: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Differentiate the phase along a direction (x, y, z), per voxel."""
    total = np.zeros(wave.shape)
    for axis, share in enumerate(direction[::-1]):
        products = _steps(wave, inside, axis)
        ends = [((0, 1) if which == axis else (0, 0)) for which in range(3)]
        # The angle of a zero may be π, by the signs of its parts.
        after = np.pad(np.where(products != 0, np.angle(products), 0), ends)
        known = np.pad(products != 0, ends).astype(int)
        before, known_before = np.roll(after, 1, axis), np.roll(known, 1, axis)  # the last is zero
        total += share * (after + before) / np.maximum(known + known_before, 1)
    return np.where(inside, total, 0)
