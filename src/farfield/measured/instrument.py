"""What is told of an instrument, by hand, by the data's own file or by one of spec: where a volume lies."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.constants import eV

from farfield.measured import spec
from farfield.measured.frames import Geometry, size
from farfield.measured.geometry import Space, check_lengths, rocking, space
from farfield.measured.preparation import Prepared

ANGLES = ("diffractometer", "angles", "rocked")
"""What tells the steps of a scan, together with energy, distance and pixel size."""

NEEDED = (
    "made no crystal in the laboratory's frame: it takes energy, distance and pixel size, and the diffractometer "
    "with its angles and what was rocked, or a file of spec; or the three steps and the scattering vector"
)


class Instrument(NamedTuple):
    """What commands and configs tell, in their units; None is what they do not.

    Attributes
    ----------
    energy : float, optional
        Of the photons, in keV.
    distance : float, optional
        From sample to detector, in m.
    pixel_size : float or pair of float, optional
        One number, or (y, x), in µm.
    spec : str, optional
        As `spec.read` takes it; what is told beside it goes before.
    diffractometer : str, optional
        As `geometry.rocking` takes it.
    angles : mapping of float, optional
        Degrees by the names of motors.
    rocked : mapping of float, optional
        One motor, and its degrees from one frame to the next.
    aim : tuple of int, optional
        Row and column of the frames at which the detector's angles point; by default their middle.
    q_steps : 3 × 3 numbers, optional
        The steps (x, y, z) from one frame, row and column to the next, before binning, in 1/nm.
    scattering : 3 numbers, optional
        Q at the peak, in 1/nm.
    """

    energy: float | int | None = None
    distance: float | int | None = None
    pixel_size: float | int | Sequence[float | int] | None = None
    spec: str | None = None
    diffractometer: str | None = None
    angles: Mapping[str, float | int] | None = None
    rocked: Mapping[str, float | int] | None = None
    aim: tuple[int, int] | None = None
    q_steps: Sequence[Sequence[float | int]] | None = None
    scattering: Sequence[float | int] | None = None

    def told(self) -> list[str]:
        """Name what is told of the crystal beside energy, distance and pixel size."""
        return [name for name in self._fields[3:] if getattr(self, name) is not None]


def read_spec(told: Instrument, frames: int) -> Instrument:
    """Take what was not told from the file of spec, if one is named, of a scan of so many frames."""
    if told.spec is None:
        return told
    found = spec.read(told.spec)
    if found.frames != frames:
        raise ValueError(
            f"{told.spec}: expected a scan of the data's {frames} frames, got one of {found.frames}; name another "
            "scan, or give what it tells yourself"
        )
    theirs = Instrument(found.energy, found.distance, None, None, spec.DIFFRACTOMETER, found.angles, found.rocked)
    both = Instrument(*(theirs[n] if mine is None else mine for n, mine in enumerate(told)))
    return both._replace(angles={**found.angles, **(told.angles or {})})  # motor by motor


def geometry_of(told: Instrument, file: Geometry) -> Geometry:
    """Take what was not told from the data's own file."""
    pixels = told.pixel_size
    if pixels is not None:
        both = (pixels, pixels) if isinstance(pixels, int | float) else tuple(pixels)
        if len(both) != 2:
            raise ValueError(f"expected a pixel size as one number or two, y and x, got {len(both)}; change it")
        pixels = tuple(1e-6 * side for side in both)
    mine = Geometry(None if told.energy is None else 1e3 * eV * told.energy, told.distance, pixels)
    found = Geometry(*(theirs if ours is None else ours for ours, theirs in zip(mine, file, strict=True)))
    check_lengths(found)
    return found


def space_of(
    told: Instrument, geometry: Geometry, volume: Prepared, frame: tuple[int, int]
) -> tuple[Space | None, str]:
    """Find where a volume lies in reciprocal space.

    Parameters
    ----------
    told : Instrument
        With what a file of spec has told.
    geometry : Geometry
        Of the detector's own pixels.
    volume : Prepared
    frame : tuple of int
        Rows and columns of the scan's frames.

    Returns
    -------
    space : Space or None
        None if nothing is told.
    step : str
        What was done, or what it would take.

    Raises
    ------
    ValueError
        If something is missing, told twice, or cannot be.
    """
    by_hand = [name for name in ("q_steps", "scattering") if getattr(told, name) is not None]
    by_angles = [name for name in (*ANGLES, "aim") if getattr(told, name) is not None]
    if by_hand and by_angles:
        raise ValueError(
            f"expected the steps of the volume by angles or as they are, got {by_hand[0]} and {by_angles[0]}; leave "
            "one out"
        )
    if not by_hand and not by_angles:
        return None, NEEDED
    missing = sorted({*(("q_steps", "scattering") if by_hand else ANGLES)} - {*by_hand, *by_angles})
    if missing:
        raise ValueError(
            f"expected {', '.join(missing)} beside {', '.join(by_hand or by_angles)}, got none; give all of them"
        )
    found = _by_hand(told, volume) if by_hand else _by_angles(told, geometry, volume, frame)
    sides = [f"{length:.3g}" for length in np.linalg.norm(found.voxels(volume.intensity.shape), axis=1)]
    apart = 2e3 * np.pi / np.linalg.norm(found.scattering)
    return found, f"voxels of {size(sides)} nm, from lattice planes {apart:.1f} pm apart"


def _by_hand(told: Instrument, volume: Prepared) -> Space:
    """Take steps as they are, and sum them as voxels were."""
    steps = [list(map(float, step)) for step in told.q_steps]
    if [len(step) for step in steps] != [3, 3, 3]:
        raise ValueError(f"expected three steps of three numbers each, got {steps}; give 9 numbers")
    return space(np.array(steps) * np.array(volume.bin)[:, None], [float(x) for x in told.scattering])


def _by_angles(told: Instrument, geometry: Geometry, volume: Prepared, frame: tuple[int, int]) -> Space:
    """Find the steps from the angles, for DC where the volume has it."""
    if len(told.rocked) != 1:
        raise ValueError(f"expected one motor that was rocked, got {', '.join(told.rocked) or 'none'}; name one")
    ((motor, step),) = told.rocked.items()
    aim = told.aim or (frame[0] // 2, frame[1] // 2)
    centre = [(first + end + n - 1) / 2 for (first, end), n in zip(volume.region[1:], volume.bin[1:], strict=True)]
    offset = tuple(place - aimed for place, aimed in zip(centre, aim, strict=True))
    return rocking(told.diffractometer, told.angles, motor, step, geometry, offset=offset, bin=volume.bin)
