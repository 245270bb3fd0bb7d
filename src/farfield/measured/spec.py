"""Files of spec: of a scan, where the motors stood, and which of them it moved."""

import re
from pathlib import Path
from typing import NamedTuple

from farfield.measured.frames import Unreadable

DIFFRACTOMETER = "34-ID-C"
"""Whose motors are read, named as scans of that beamline name them, and cohere-ui's ``spec_parser.py`` reads them."""

MNEMONICS = {"th": "theta", "del": "delta", "gam": "gamma"}
"""What a command may call a motor that the file's head calls otherwise."""

SCANS = ("ascan", "dscan", "lup")
"""Commands that move one motor: its name, first and last place, the steps between, and a time."""


class SpecScan(NamedTuple):
    """What a file of spec tells of a scan.

    Attributes
    ----------
    energy : float
        Of the photons, in keV.
    distance : float
        From sample to detector, in m.
    angles : dict of float
        Degrees of the motors as the scan began, by their names in small letters.
    rocked : dict of float
        The motor that it moved, and the degrees from one frame to the next.
    frames : int
    """

    energy: float
    distance: float
    angles: dict[str, float]
    rocked: dict[str, float]
    frames: int


def read(source: str | Path) -> SpecScan:
    """Read where the motors of APS 34-ID-C stood, and what a scan moved.

    Parameters
    ----------
    source : str or Path
        The file and the scan's number, as ``sample.spec::54``; of several scans of one number the last.

    Returns
    -------
    SpecScan

    Raises
    ------
    ValueError
        If there is no such file or scan, it moved no single motor, or a motor is not told of.

    Notes
    -----
    A scan begins by ``#S 54  ascan  th 0.1 1.1  200 1``; its lines ``#P0 32.174 0.6`` say where the motors stood
    that the lines ``#O0 Delta  Theta`` of the file's head name, two spaces between names, which may hold one (spec's
    manual, *standard data file format*). ``camdist`` is in mm, ``Energy`` in keV.
    """
    before, _, number = str(source).partition("::")
    if not number.isdecimal():
        raise Unreadable(f"{source}: expected a file of spec and a scan's number, as {before}::54; name both")
    command, places = _find(Path(before), int(number))
    told = {name: _place(source, places, name) for name in ("delta", "gamma", "energy", "camdist")}
    rocked, frames = _moved(source, command)
    angles = {name: value for name, value in places.items() if name in ("theta", "chi", "phi", "delta", "gamma")}
    return SpecScan(told["energy"], told["camdist"] / 1e3, angles, rocked, frames)


def _find(path: Path, number: int) -> tuple[list[str], dict[str, float]]:
    """Find a scan's command, and the places of all motors."""
    if not path.is_file():
        raise Unreadable(f"{path}: expected a file of spec, got none there; check the path")
    names: list[str] = []
    command, places, here = None, {}, False
    with path.open(errors="replace") as lines:
        for line in lines:
            mark, _, rest = line.partition(" ")
            if re.fullmatch(r"#O\d+", mark):  # a head may be repeated, with other motors
                names = (names if mark != "#O0" else []) + re.split(r"\s{2,}", rest.strip())
            elif mark == "#S":
                words = rest.split()
                here = words[:1] == [str(number)]
                command, places = (words[1:], {}) if here else (command, places)
            elif here and re.fullmatch(r"#P\d+", mark):
                found = zip(names[len(places) :], map(_number, rest.split()), strict=False)
                places.update((name.lower(), value) for name, value in found)
    if command is None:
        raise Unreadable(f"{path}: expected scan {number} in it, as a line #S {number}, got none; name another")
    return command, places


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _place(source: str | Path, places: dict[str, float], name: str) -> float:
    value = places.get(name, float("nan"))
    if value != value:
        raise Unreadable(
            f"{source}: expected the places of delta, gamma, energy and camdist in its lines #O and #P, got none of "
            f"{name}; give energy, distance and angles yourself"
        )
    return value


def _moved(source: str | Path, command: list[str]) -> tuple[dict[str, float], int]:
    """Tell which motor a command moves from frame to frame, by how much, and the frames."""
    try:
        kind, motor, first, last, steps = command[0], command[1], *map(float, command[2:5])
        if kind not in SCANS or not steps >= 1:
            raise ValueError
    except (ValueError, IndexError):
        raise Unreadable(
            f"{source}: expected a scan of one motor, as ascan th 0.1 1.1 200 1, got {' '.join(command)!r}; give the "
            "motor and its step yourself"
        ) from None
    name = motor.lower()
    return {MNEMONICS.get(name, name): (last - first) / steps}, int(steps) + 1
