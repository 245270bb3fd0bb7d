"""Where voxels lie: the three steps of a scan in reciprocal space, and the dual ones in direct space.

The laboratory's frame is that of CXI and NeXus: x outboard, y up, z downstream, right-handed. Lengths are in nm,
those of reciprocal space in 1/nm, 2π included.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.constants import c, eV, h
from scipy.spatial.transform import Rotation

from farfield.measured.frames import Geometry

FLATTEST = 1e-3
"""Volume of three steps over the product of their lengths, from which they span space: 0.06° off a plane."""

SOFTEST, HARDEST = 100 * eV, 1e6 * eV
"""Photon energies that are taken for one, in J."""

LONGEST, WIDEST = 1e3, 1e-2
"""Distances and pixel sizes that are taken for one, in m."""

Vector = tuple[int, int, int]


class Diffractometer(NamedTuple):
    """What its motors turn, in the laboratory's frame at zero of them all.

    Attributes
    ----------
    sample, detector : dict of tuple
        Axes of right-handed rotations by the name of the motor, the one that stands on the floor first.
    rows, columns : tuple
        Where the detector's rows and columns grow, with all its motors at zero, on the direct beam.
    """

    sample: dict[str, Vector]
    detector: dict[str, Vector]
    rows: Vector
    columns: Vector


DIFFRACTOMETERS = {
    "34-ID-C": Diffractometer(
        {"theta": (0, 1, 0), "chi": (0, 0, -1), "phi": (0, 1, 0)},
        {"delta": (0, 1, 0), "gamma": (-1, 0, 0)},
        (0, -1, 0),
        (1, 0, 0),
    )
}
"""Advanced Photon Source, sector 34: motors and signs as in cohere-ui, ``beamlines/aps_34idc/diffractometers.py``."""


class Space(NamedTuple):
    """The reciprocal space of a volume.

    Attributes
    ----------
    steps : numpy.ndarray, float64, shape (3, 3)
        Rows are the steps (x, y, z) from one frame, row and column of the volume to the next, in 1/nm.
    scattering : numpy.ndarray, float64, shape (3,)
        Q = k_f - k_i of the voxel with DC, in 1/nm.
    """

    steps: np.ndarray
    scattering: np.ndarray

    def voxels(self, shape: Sequence[int]) -> np.ndarray:
        """Tell the steps of direct space.

        Parameters
        ----------
        shape : sequence of int
            Frames, rows and columns of the volume.

        Returns
        -------
        numpy.ndarray, float64, shape (3, 3)
            Rows r_i are the steps (x, y, z) from one voxel of the object to the next, in nm: r_i · N_j q_j = 2π δ_ij
            (Maddali et al., J. Appl. Cryst. 53, 393, 2020).
        """
        return 2 * np.pi * np.linalg.inv(self.steps * np.asarray(shape)[:, None]).T


def space(
    steps: Sequence[Sequence[float | int]] | np.ndarray, scattering: Sequence[float | int] | np.ndarray
) -> Space:
    """Take three steps of reciprocal space as they are, of whatever diffractometer.

    Parameters
    ----------
    steps : array, shape (3, 3)
        Rows are the steps (x, y, z) from one frame, row and column to the next, in 1/nm.
    scattering : array, shape (3,)
        Q of the voxel with DC, in 1/nm.

    Returns
    -------
    Space

    Raises
    ------
    ValueError
        If these are no three vectors and a fourth, or the three lie in a plane.
    """
    steps, scattering = (np.asarray(values, np.float64) for values in (steps, scattering))
    if steps.shape != (3, 3) or scattering.shape != (3,):
        raise ValueError(
            "expected three steps (x, y, z), one a row, and a scattering vector, got shapes "
            f"{steps.shape} and {scattering.shape}; give 3 × 3 numbers and 3"
        )
    if not np.isfinite(steps).all() or not np.isfinite(scattering).all() or not scattering.any():
        raise ValueError("expected finite steps and a scattering vector that is not zero, got others; change them")
    lengths = np.linalg.norm(steps, axis=1)
    if abs(np.linalg.det(steps)) <= FLATTEST * lengths.prod():
        told = ", ".join(f"({', '.join(f'{x:.3g}' for x in step)})" for step in steps.tolist())
        raise ValueError(
            f"expected three steps that span reciprocal space, got {told} 1/nm, which lie in a plane; check the "
            "angles, and which motor was rocked"
        )
    return Space(steps, scattering)


def rocking(
    diffractometer: str | Diffractometer,
    angles: Mapping[str, float | int],
    rocked: str,
    step: float | int,
    geometry: Geometry,
    *,
    offset: tuple[float | int, float | int] = (0, 0),
    bin: tuple[int, int, int] = (1, 1, 1),
) -> Space:
    """Find the reciprocal space of a rocking scan.

    Parameters
    ----------
    diffractometer : str or Diffractometer
        A name of `DIFFRACTOMETERS`, or another's axes.
    angles : mapping of float
        Degrees of the detector's motors, and of those that carry the one that is rocked; others do not matter.
    rocked : str
        Motor of the sample that turns from frame to frame.
    step : float
        Degrees from one frame to the next, before binning; below zero where it turns back.
    geometry : Geometry
        Energy in J, distance in m and pixel size in m, before binning.
    offset : tuple of float
        Row and column of the voxel with DC, less those of the pixel at which the detector's angles point, in pixels
        of the detector.
    bin : tuple of int
        Frames, rows and columns that were summed into one.

    Returns
    -------
    Space

    Raises
    ------
    ValueError
        If an angle, the energy, the distance or the pixel size is missing or cannot be, there is no such motor, or
        the three steps lie in a plane.

    Notes
    -----
    Q = k (s - z), with k = 2π / λ, s from the sample to the pixel and z along the beam. A pixel's step p moves it by
    k (p - s (s · p)) / L, a turn of the crystal by dω about the axis w, which leaves the beam where it is, by
    - dω w × Q as the crystal sees it, in the laboratory's frame of the middle of the scan (Maddali et al., J. Appl.
    Cryst. 53, 393, 2020).
    """
    known = _named(diffractometer)
    _check_geometry(geometry)
    axis = _axis(known, angles, rocked)
    turned = _turn(known.detector, _needed(known.detector, angles))
    pixels = [turned.apply(way) * side for way, side in zip(known[2:], geometry.pixel_size, strict=True)]
    place = turned.apply((0, 0, geometry.distance)) + offset[0] * pixels[0] + offset[1] * pixels[1]
    away = np.linalg.norm(place)
    sight, wave = place / away, 2e-9 * np.pi * geometry.energy / (h * c)
    scattering = wave * (sight - (0, 0, 1))
    moved = [wave * (pixel - sight * (sight @ pixel)) / away for pixel in pixels]
    steps = np.array([-np.deg2rad(step) * np.cross(axis, scattering), *moved])
    return space(steps * np.asarray(bin)[:, None], scattering)


def _named(diffractometer: str | Diffractometer) -> Diffractometer:
    if isinstance(diffractometer, str) and diffractometer not in DIFFRACTOMETERS:
        raise ValueError(
            f"expected a diffractometer of {', '.join(DIFFRACTOMETERS)}, got {diffractometer!r}; name one, or give "
            "its axes, or the three steps"
        )
    return DIFFRACTOMETERS[diffractometer] if isinstance(diffractometer, str) else diffractometer


def _check_geometry(geometry: Geometry) -> None:
    """Refuse what is missing or of another unit."""
    missing = [name for name, value in geometry._asdict().items() if value is None]
    if missing:
        told = ", ".join(missing).replace("_", " ")
        raise ValueError(f"expected energy, distance and pixel size, got no {told}; give what is missing")
    check_lengths(geometry)


def check_lengths(geometry: Geometry) -> None:
    """Refuse what is known of a geometry and of another unit."""
    energy, distance, pixels = geometry
    if energy is not None and not SOFTEST <= energy <= HARDEST:
        raise ValueError(
            f"expected a photon energy from {SOFTEST / eV / 1e3:g} to {HARDEST / eV / 1e3:g} keV, got "
            f"{energy / eV / 1e3:g} keV; commands and configs take keV, a Geometry J: multiply keV by {1e3 * eV:.4g}"
        )
    for name, lengths, most in (("distance", (distance,), LONGEST), ("pixel size", pixels or (), WIDEST)):
        if any(length is not None and not 0 < length <= most for length in lengths):
            told = " × ".join(f"{length:g}" for length in lengths)
            raise ValueError(
                f"expected a {name} above 0 and at most {most:g} m, got {told} m; distances are in m, pixel sizes in "
                "µm for commands and configs, in m in a Geometry"
            )


def _needed(motors: Mapping[str, Vector], angles: Mapping[str, float | int]) -> list[float]:
    missing = [motor for motor in motors if motor not in angles]
    if missing:
        raise ValueError(
            f"expected the angles of {', '.join(motors)}, got none of {', '.join(missing)}; give them in degrees"
        )
    return [float(angles[motor]) for motor in motors]


def _turn(motors: Mapping[str, Vector], degrees: Sequence[float]) -> Rotation:
    """Turn by motors of which each carries the next."""
    turned = Rotation.identity()
    for axis, angle in zip(motors.values(), degrees, strict=True):
        turned = turned * Rotation.from_rotvec(np.asarray(axis, float) * np.deg2rad(angle))
    return turned


def _axis(known: Diffractometer, angles: Mapping[str, float | int], rocked: str) -> np.ndarray:
    """Find the axis about which the sample turns, as the motors that carry it have turned it."""
    if rocked not in known.sample:
        raise ValueError(
            f"expected a motor of the sample that was rocked, {', '.join(known.sample)}, got {rocked!r}; name one"
        )
    names = list(known.sample)
    below = {motor: known.sample[motor] for motor in names[: names.index(rocked)]}
    return _turn(below, _needed(below, angles)).apply(known.sample[rocked])
