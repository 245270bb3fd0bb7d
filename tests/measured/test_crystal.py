"""From angles to steps of reciprocal space, from a volume to a crystal in the laboratory, and its files."""

import base64
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from conftest import refused
from matplotlib import image
from scipy.constants import c, eV, h
from scipy.spatial.transform import Rotation

from farfield.measured import Diffractometer, Geometry, cuts, in_laboratory, rocking, space, vti
from farfield.study import figures

GEOMETRY = Geometry(9e3 * eV, 0.5, (55e-6, 55e-6))
ANGLES = {"delta": 32.174, "gamma": 12.635, "theta": 0.1, "chi": 90.0, "phi": 3.0}
WAVE = 2e-9 * np.pi * GEOMETRY.energy / (h * c)


# Reciprocal space


def test_scan_54_has_the_scattering_vector_of_its_angles():
    found = rocking("34-ID-C", ANGLES, "theta", 0.005, GEOMETRY)
    delta, gamma = np.deg2rad([ANGLES["delta"], ANGLES["gamma"]])
    sight = np.array([np.sin(delta) * np.cos(gamma), np.sin(gamma), np.cos(delta) * np.cos(gamma)])
    np.testing.assert_allclose(found.scattering, WAVE * (sight - [0, 0, 1]), rtol=1e-12)
    spacing = 2 * np.pi / np.linalg.norm(found.scattering)
    assert spacing * np.sqrt(3) == pytest.approx(0.408, rel=0.01)  # gold 111


TILTED = {**ANGLES, "theta": 40.0}


@pytest.mark.parametrize(("rocked", "outer"), [("theta", []), ("chi", ["theta"]), ("phi", ["theta", "chi"])])
def test_steps_are_those_of_turning_the_crystal_and_of_walking_over_the_detector(rocked, outer):
    """Against finite differences of Q = k (s - z), brought to the crystal and back."""

    def carry(theta: float, chi: float, phi: float) -> Rotation:
        return Rotation.from_euler("YZY", [theta, -chi, phi], degrees=True)

    def scattered(row: float, column: float) -> np.ndarray:
        turned = Rotation.from_euler("YX", [TILTED["delta"], -TILTED["gamma"]], degrees=True)
        place = turned.apply([55e-6 * column, -55e-6 * row, 0.5])
        return WAVE * (place / np.linalg.norm(place) - [0, 0, 1])

    needed = {motor: TILTED[motor] for motor in ("delta", "gamma", *outer)}
    found = rocking("34-ID-C", needed, rocked, 0.005, GEOMETRY, offset=(12, -30), bin=(2, 1, 3))
    middle = scattered(12, -30)
    np.testing.assert_allclose(found.scattering, middle, rtol=1e-12)
    motors = {motor: TILTED[motor] for motor in ("theta", "chi", "phi")}
    turned = carry(**{**motors, rocked: motors[rocked] + 1e-4})
    frame = carry(**motors).apply(turned.inv().apply(middle)) - middle
    np.testing.assert_allclose(found.steps[0], frame * 2 * 0.005 / 1e-4, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(found.steps[1], scattered(12.5, -30) - scattered(11.5, -30), rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(
        found.steps[2], 3 * (scattered(12, -29.5) - scattered(12, -30.5)), rtol=1e-4, atol=1e-8
    )


def test_another_diffractometer_is_its_axes():
    upward = Diffractometer({"mu": (-1, 0, 0)}, {"nu": (-1, 0, 0)}, (0, -1, 0), (1, 0, 0))
    found = rocking(upward, {"nu": 30}, "mu", 0.01, GEOMETRY)
    np.testing.assert_allclose(found.scattering, WAVE * np.array([0, 0.5, np.sqrt(0.75) - 1]), atol=1e-12)
    np.testing.assert_allclose(found.steps[0], np.deg2rad(0.01) * np.cross((1, 0, 0), found.scattering))


def test_direct_steps_are_dual():
    found = space([[1, 2, 0.5], [0, 3, 1], [0.2, 0, 2]], (20, 0, 0))
    shape = (16, 24, 20)
    products = found.voxels(shape) @ (found.steps * np.array(shape)[:, None]).T
    np.testing.assert_allclose(products, 2 * np.pi * np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: space([[1, 0, 0], [0, 1, 0], [1, 1, 0]], (1, 0, 0)), ("lie in a plane", "which motor")),
        (lambda: space(np.eye(2), (1, 0, 0)), ("3 × 3",)),
        (lambda: space(np.eye(3) * np.nan, (1, 0, 0)), ("finite",)),
        (lambda: space(np.eye(3), (0, 0, 0)), ("not zero",)),
        (lambda: rocking("34-ID-C", {"delta": 0, "gamma": 10}, "theta", 0, GEOMETRY), ("lie in a plane",)),
        (lambda: rocking("ID01", ANGLES, "theta", 0.1, GEOMETRY), ("34-ID-C", "'ID01'")),
        (lambda: rocking("34-ID-C", {"delta": 30}, "theta", 0.1, GEOMETRY), ("delta, gamma", "none of gamma")),
        (lambda: rocking("34-ID-C", {"delta": 30, "gamma": 1}, "phi", 0.1, GEOMETRY), ("theta, chi",)),
        (lambda: rocking("34-ID-C", ANGLES, "mu", 0.1, GEOMETRY), ("theta, chi, phi", "'mu'")),
        (lambda: rocking("34-ID-C", ANGLES, "theta", 0.1, GEOMETRY._replace(distance=None)), ("no distance",)),
        (
            lambda: rocking("34-ID-C", ANGLES, "theta", 0.1, GEOMETRY._replace(energy=9.0)),
            ("1000 keV", "multiply keV"),
        ),
        (lambda: rocking("34-ID-C", ANGLES, "theta", 0.1, GEOMETRY._replace(distance=0.0)), ("above 0",)),
    ],
)
def test_a_geometry_that_cannot_be_is_refused(call, words):
    refused(call, *words)


# The crystal

STEPS = rocking("34-ID-C", ANGLES, "theta", 0.02, GEOMETRY, bin=(1, 4, 4))
SHAPE = (48, 40, 44)
RAMP = (0.31, -0.2, 0.4)


def displacement(places: np.ndarray) -> np.ndarray:
    """Along Q, in nm: a smooth bump off the middle."""
    return 0.05 * np.exp(-((places - (40, 20, 0)) ** 2).sum(-1) / (2 * 90**2))


def polyhedron(places: np.ndarray) -> np.ndarray:
    """A truncated octahedron, turned."""
    turned = np.abs(Rotation.from_euler("xyz", [20, 35, 10], degrees=True).apply(places.reshape(-1, 3)))
    return ((turned.sum(1) < 190) & (turned.max(1) < 125)).reshape(places.shape[:-1])


@pytest.fixture(scope="module")
def density() -> np.ndarray:
    """The polyhedron in the skewed voxels of a scan, with a ramp: the peak lies off the middle of the volume.

    Beside it is what a reconstruction leaves there, of any phase.
    """
    numbers = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in SHAPE), indexing="ij"), -1)
    places = numbers @ STEPS.voxels(SHAPE)
    phase = np.linalg.norm(STEPS.scattering) * displacement(places) + numbers @ RAMP
    rest = np.random.default_rng(0).normal(0, 0.02, (*SHAPE, 2)).view(np.complex128)[..., 0]
    return np.where(polyhedron(places), 3 * np.exp(-1j * phase), rest)


@pytest.fixture(scope="module")
def crystal(density):
    return in_laboratory(density, STEPS)


def in_place(crystal) -> np.ndarray:
    """The places (x, y, z) of its voxels."""
    lines = [
        start + crystal.voxel * np.arange(n)
        for start, n in zip(crystal.origin, crystal.support.shape[::-1], strict=True)
    ]
    z, y, x = np.meshgrid(*lines[::-1], indexing="ij")
    return np.stack([x, y, z], -1)


def test_the_crystal_has_its_shape_in_the_laboratory(crystal):
    expected = polyhedron(in_place(crystal))
    assert crystal.support.sum() == pytest.approx(expected.sum(), rel=0.02)
    overlap = (crystal.support & expected).sum() / (crystal.support | expected).sum()
    assert overlap > 0.85  # voxels of 11 nm on a surface of 300 nm
    assert not crystal.support[:1].any()
    assert not crystal.support[:, :, -1:].any()


def test_displacement_and_strain_are_those_of_the_crystal(crystal):
    places, inside, step = in_place(crystal), crystal.support, 0.01
    length = np.linalg.norm(crystal.scattering)
    along = crystal.scattering / length
    mean = STEPS.scattering - crystal.scattering - np.linalg.solve(STEPS.voxels(SHAPE), RAMP)  # in rad / nm
    given = displacement(places) - places @ mean / length
    slope = (displacement(places + step * along) - displacement(places - step * along)) / (2 * step)
    for expected, found, least in (
        (given - given[inside].mean(), crystal.displacement, 0.01),
        (slope - along @ mean / length, crystal.strain, 0.04),
    ):
        apart = (expected - found)[inside]
        assert np.sqrt(np.mean(apart**2)) < least * np.ptp(expected[inside])
        assert not found[~inside].any()
    np.testing.assert_allclose(crystal.displacement, crystal.phase / length, rtol=1e-5)


def test_a_lattice_of_atoms_tells_its_spacing_and_where_it_is_wide():
    """Atoms scatter, an inverse transform makes a density of that, and nothing else is known of signs."""
    steps, shape = rocking("34-ID-C", ANGLES, "theta", 0.04, GEOMETRY, bin=(1, 4, 4)), (28, 32, 32)
    length = np.linalg.norm(steps.scattering)
    along = steps.scattering / length
    spacing = 2 * np.pi / length * (1 + 2e-4)
    height = np.arange(-450, 451, 3) * spacing  # every third plane: Q is a third order as well
    height = height + 1e-6 * height**2  # wider above than below: a strain of 2e-6 more for each nm
    rows = np.multiply.outer(np.arange(-60, 61, 5), np.linalg.svd(along[None])[2][1:])
    numbers = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij"), -1)
    q = (numbers @ steps.steps + steps.scattering).reshape(-1, 3)
    field = np.exp(-1j * np.outer(q @ along, height)).sum(1) * np.exp(-1j * (rows @ q.T)).sum(0).prod(0)
    density = np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(field.reshape(shape))))
    found = in_laboratory(density, steps, isosurface=0.4)
    assert found.spacing() == pytest.approx(spacing, rel=2e-5)
    slope = np.polyfit(in_place(found)[found.support] @ along, found.strain[found.support], 1)[0]
    assert slope == pytest.approx(2e-6, rel=0.2)


def test_voxels_and_support_may_be_told(density):
    half = np.ones(SHAPE, bool)
    half[: SHAPE[0] // 2] = False
    found = in_laboratory(density, STEPS, support=half, voxel=20)
    assert found.voxel == 20
    whole = in_laboratory(density, STEPS, voxel=20)
    assert 0.3 < found.support.sum() / whole.support.sum() < 0.7


@pytest.mark.parametrize(
    ("change", "how", "words"),
    [
        (lambda density: density.real, {}, ("complex volume", "float64")),
        (lambda density: density[None], {}, ("complex volume", "objects[0]")),
        (lambda density: 0 * density, {}, ("above the isosurface",)),
        (lambda density: density, {"isosurface": 1.5}, ("between 0 and 1", "got 1.5")),
        (lambda density: density, {"support": np.ones((2, 2, 2), bool)}, ("support", "(48, 40, 44)")),
        (lambda density: density, {"voxel": 0.0}, ("above 0 nm",)),
    ],
)
def test_what_is_no_crystal_is_refused(density, change, how, words):
    refused(lambda: in_laboratory(change(density), STEPS, **how), *words)


# Its files


def plain_read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Read a .vti by what VTK's file formats say, and nothing of ours."""
    root = ET.parse(path).getroot()
    assert root.attrib["type"] == "ImageData"
    assert (root.attrib["byte_order"], root.attrib["header_type"]) == ("LittleEndian", "UInt64")
    grid = root.find("ImageData")
    piece = grid.find("Piece")
    assert piece.attrib["Extent"] == grid.attrib["WholeExtent"]
    ends = [int(end) for end in piece.attrib["Extent"].split()]
    x, y, z = (last - first + 1 for first, last in zip(ends[::2], ends[1::2], strict=True))
    found = {}
    for array in piece.find("PointData"):
        raw = base64.b64decode(array.text.strip())
        assert int.from_bytes(raw[:8], "little") == len(raw) - 8
        kind = {"Float32": "<f4", "UInt8": "<u1"}[array.attrib["type"]]
        found[array.attrib["Name"]] = np.frombuffer(raw[8:], kind).reshape(z, y, x)
    return grid.attrib, found


def test_a_vti_is_read_back_by_a_plain_reader(crystal, tmp_path):
    vti.write(tmp_path / "crystal.vti", crystal)
    about, fields = plain_read(tmp_path / "crystal.vti")
    assert list(fields) == ["magnitude", "phase_rad", "displacement_nm", "strain", "support"]
    for (name, values), told in zip(
        fields.items(), ("magnitude", "phase", "displacement", "strain", "support"), strict=True
    ):
        assert np.array_equal(values, getattr(crystal, told)), name
    np.testing.assert_allclose([float(x) for x in about["Spacing"].split()], crystal.voxel, rtol=1e-8)
    np.testing.assert_allclose([float(x) for x in about["Origin"].split()], crystal.origin, rtol=1e-8)
    refused(lambda: vti.write(tmp_path / "crystal.vtk", crystal), "crystal.vtk", "ends in .vti")


def test_the_figure_shows_cuts_and_a_surface(crystal, tmp_path):
    figure = cuts.draw(crystal, "scan")
    assert "lattice planes" in figure.get_suptitle()
    figures.save(figure, tmp_path / "crystal.png")
    drawn = image.imread(tmp_path / "crystal.png")[..., :3]
    surface = drawn[200:800, 900:]
    assert (np.ptp(surface, axis=-1) > 0.1).mean() > 0.05  # colours, where the surface is
