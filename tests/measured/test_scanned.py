"""Rocking scans through the commands, as they are typed: from frames to a crystal in the laboratory, and refusals."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import torch
from scipy.constants import eV
from test_chain import refused, run
from test_crystal import plain_read

from farfield.measured import Geometry, rocking
from farfield.physics import polyhedra
from farfield.physics.diffraction import measure
from farfield.symmetry import volumes

SIDE, PHOTONS = 32, 3e7
LENGTHS = ("--energy", "9", "--distance", "0.5", "--pixel-size", "55")
ANGLES = ("--diffractometer", "34-ID-C", "--angles", "delta=32.174,gamma=12.635", "--rocked", "theta=0.02")
SHORT = ("--starts", "1", "--recipe", "4*ER", "--centre", "frame")
HEAD = "#F sample.spec\n#E 1\n\n#O0 Delta  Theta  Chi  Phi  Gamma  Slit top\n#O1 camdist  Energy\n"


def scan_line(number: int = 54, command: str = f"ascan  th 0.1 0.72  {SIDE - 1} 1") -> str:
    return f"\n#S {number}  {command}\n#D today\n#P0 32.174 0.1 90 5 12.635 0.3\n#P1 500 9\n#N 1\n#L Theta\n0.1\n"


@pytest.fixture(scope="module")
def truth() -> torch.Tensor:
    return polyhedra.simulate(1, SIDE // 2, 3)[0]


@pytest.fixture(scope="module")
def counts(truth) -> np.ndarray:
    pattern = measure(truth, 2, 3).double()
    drawn = torch.poisson(pattern * PHOTONS / pattern.sum(), generator=torch.Generator().manual_seed(2))
    return drawn.int().numpy()


@pytest.fixture
def folder(tmp_path, counts, monkeypatch) -> Path:
    """The frames in a folder and in one file, and a file of spec."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scan").mkdir()
    for number, frame in enumerate(counts):
        tifffile.imwrite(f"scan/s_{number:03d}.tif", frame)
    np.save("scan.npy", counts)
    Path("sample.spec").write_text(HEAD + scan_line(53, "timescan  1 0") + scan_line())
    return tmp_path


def test_a_scan_becomes_a_crystal(folder, truth, capsys):
    words = ("scan", "--dimensions", "3", "--centre", "frame", *LENGTHS, *ANGLES, "--starts", "3", "-o", "out.cxi")
    said = run(capsys, "reconstruct", *words)
    assert "summed 32 frames to look at their pixels" in said
    assert said[-2] == "wrote out.cxi and out.png and out.vti"
    assert said[-1].startswith("believed: ")
    geometry = Geometry(9e3 * eV, 0.5, (55e-6, 55e-6))
    space = rocking("34-ID-C", {"delta": 32.174, "gamma": 12.635}, "theta", 0.02, geometry)
    steps = 1e-9 * space.voxels((SIDE,) * 3)
    with h5py.File("out.cxi") as file:
        image = file["entry_1/image_1"]
        made, results = image["data"][()], image["process_1/results"]
        assert (made.dtype, made.shape) == (np.complex64, (SIDE,) * 3)
        assert image.get("support", getlink=True).path == "/entry_1/image_1/mask"
        assert image["support"].shape == made.shape
        np.testing.assert_allclose(image["basis_vectors"][()], steps, rtol=1e-3, atol=1e-12)
        np.testing.assert_allclose(image["voxel_size"][()], np.linalg.norm(steps, axis=1), rtol=1e-3)
        np.testing.assert_allclose(image["image_size"][()], SIDE * np.linalg.norm(steps, axis=1), rtol=1e-3)
        assert image["image_size"].attrs["units"] == "m"
        assert image["process_1/configuration/dimensions"][()] == 3
        assert file["entry_1/image_2/data"].shape == made.shape
        assert file["entry_1/instrument_1/detector_1/data"].shape == made.shape
        assert results["llk_poisson"][()] == pytest.approx(0.45, abs=0.1)
        q, prtf = (file[f"entry_1/data_2/{name}"][()] for name in ("q", "data"))
        assert len(q) == len(prtf)
        assert q[1] == pytest.approx(np.linalg.norm(space.steps, axis=1).max(), rel=1e-3)
    scale = (PHOTONS / measure(truth, 2, 3).sum()).sqrt()
    error = volumes.relative_error(truth, torch.from_numpy(made) / scale)
    assert float(error) < 0.02
    about, fields = plain_read(Path("out.vti"))
    assert {"magnitude", "phase_rad", "displacement_nm", "strain"} < set(fields)
    assert float(about["Spacing"].split()[0]) == pytest.approx(1e9 * np.cbrt(abs(np.linalg.det(steps))), rel=1e-3)
    assert Path("out.png").stat().st_size > 20_000


def test_without_a_geometry_it_is_made_in_voxels_and_what_it_takes_is_told(folder, capsys):
    said = run(capsys, "reconstruct", "scan.npy", "--dimensions", "3", *SHORT, "-o", "out.cxi")
    told = [line for line in said if line.startswith("made no crystal in the laboratory's frame: it takes energy")]
    assert len(told) == 1
    assert said[-2] == "wrote out.cxi and out.png"
    assert "believed: " in said[-1]
    with h5py.File("out.cxi") as file:
        assert "image_size" not in file["entry_1/image_1"]
        assert np.isnan(file["entry_1/image_1/process_1/results/resolution_nm"][()])
    Path("out.vti").touch()
    again = ("reconstruct", "scan.npy", "--dimensions", "3", *SHORT, "-o", "out.cxi")
    assert "out.cxi: expected a new file to write, got one that exists" in refused(*again)
    Path("out.cxi").unlink()
    Path("out.png").unlink()
    assert "out.vti: expected a new file to write, got one that exists" in refused(*again)
    run(capsys, *again, "--force")
    assert not Path("out.vti").exists()  # what another geometry made is not left beside it


def test_steps_as_they_are_and_a_file_of_spec_tell_the_same(folder, capsys):
    def last(*words):
        return run(capsys, "inspect", "scan", "--dimensions", "3", "--centre", "frame", *words)[-2]

    by_angles = last(*LENGTHS, *ANGLES)
    assert last("--spec", "sample.spec::54", "--pixel-size", "55") == by_angles
    assert last("--spec", "sample.spec::54", "--pixel-size", "55", "--energy", "10") != by_angles
    moved = [word.replace("gamma=12.635", "gamma=14") for word in ANGLES]
    assert last(*LENGTHS, *moved) != by_angles
    assert last("--spec", "sample.spec::54", "--pixel-size", "55", "--angles", "gamma=14") == last(*LENGTHS, *moved)
    geometry = Geometry(9e3 * eV, 0.5, (55e-6, 55e-6))
    space = rocking("34-ID-C", {"delta": 32.174, "gamma": 12.635}, "theta", 0.02, geometry)
    steps = ";".join(",".join(map(str, step)) for step in space.steps)
    assert last("--q-steps", steps, f"--scattering={','.join(map(str, space.scattering))}") == by_angles
    binned = last(*LENGTHS, *ANGLES, "--bin", "1,2,2")
    whole, summed = ([float(x) for x in told.split(" nm")[0][10:].split(" × ")] for told in (by_angles, binned))
    np.testing.assert_allclose(summed, whole, rtol=0.01)  # the same frame of the object: fewer voxels, as large
    aimed = last(*LENGTHS, *ANGLES, "--aim=-500,16")
    assert aimed != by_angles


def test_lengths_may_come_from_the_datas_own_file(folder, counts, capsys):
    with h5py.File("scan.cxi", "w") as file:
        detector = file.create_group("entry_1/instrument_1/detector_1")
        detector["data"], detector["distance"] = counts, 0.5
        detector["x_pixel_size"] = detector["y_pixel_size"] = 55e-6
        file["entry_1/instrument_1/source_1/energy"] = 9e3 * eV
    words = ("inspect", "scan.cxi", "--dimensions", "3", "--centre", "frame", *ANGLES)
    told = run(capsys, *words)[-2]
    assert told == run(capsys, "inspect", "scan.npy", *words[2:], *LENGTHS)[-2]
    assert told != run(capsys, *words, "--distance", "0.6")[-2]


def test_inspect_shows_the_volume(folder, capsys):
    said = run(capsys, "inspect", "scan", "--dimensions", "3", "--crop", "16,24,20", "--centre", "frame")
    assert said[-1] == "wrote scan-inspected.png"
    assert "cropped to frames 8:24, rows 4:28, columns 6:26" in said
    assert Path("scan-inspected.png").stat().st_size > 20_000


def test_a_monitor_has_a_number_of_each_frame(folder, capsys):
    beam = np.linspace(1e5, 2e5, SIDE)
    Path("beam.txt").write_text("# ion chamber\n" + "\n".join(f"{value:.1f}," for value in beam))
    said = run(capsys, "inspect", "scan", "--dimensions", "3", "--centre", "frame", "--monitor", "beam.txt")
    assert "divided each frame by its monitor over the mean of all" in said
    said = run(capsys, "inspect", "scan", "--frame", "16", "--centre", "frame", "--monitor", "beam.txt")
    assert f"divided by the monitor, {round(beam[16], 1):g}" in said
    Path("beam.txt").write_text("1 2 3")
    scan = ("inspect", "scan", "--dimensions", "3", "--monitor")
    assert "expected a monitor for each of 32 frames, got 3" in refused(*scan, "beam.txt")
    assert "expected a monitor for each of 32 frames, got one" in refused(*scan, "1000")
    assert "expected a monitor of one value for each of 32 frames, got 3" in refused(
        "inspect", "scan", "--frame", "3", "--monitor", "beam.txt"
    )
    Path("beam.txt").write_text("1 two 3")
    assert "beam.txt: expected a whole number file" in refused(*scan, "beam.txt")


def test_a_known_outline_is_kept(folder, truth, capsys):
    np.save("outline.npy", (truth != 0).numpy().astype(np.uint8))
    np.save("framed.npy", np.pad((truth != 0).numpy(), 8).astype(np.uint8))
    words = ("reconstruct", "scan.npy", "--dimensions", "3", *SHORT)
    run(capsys, *words, "--support", "framed.npy", "-o", "out.cxi")
    with h5py.File("out.cxi") as file:
        assert file["entry_1/image_1/support"][()].sum() == int((truth != 0).sum())
    said = refused(*words, "--support", "outline.npy", "-o", "other.cxi")
    assert "outline.npy: expected a support of 32 × 32 × 32 pixels, got 16 × 16 × 16" in said
    np.save("flat.npy", np.ones((SIDE, SIDE)))
    assert "got 32 × 32" in refused(*words, "--support", "flat.npy", "-o", "other.cxi")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--frame", "3"), "scan: expected a rocking scan with all of its frames, got --frame 3"),
        (("--crop", "16,16"), "expected crop as one number, or three"),
        (("--angles", "delta=32,gamma=12"), "expected diffractometer, rocked beside angles, got none"),
        (ANGLES, "expected energy, distance and pixel size, got no energy, distance, pixel size"),
        ((*LENGTHS[:3], "0.5", *ANGLES, "--pixel-size", "55000"), "expected a pixel size above 0 and at most 0.01 m"),
        (("--energy", "9000"), "expected a photon energy from 0.1 to 1000 keV, got 9000 keV"),
        ((*LENGTHS, *ANGLES[:-1], "theta=0"), "which lie in a plane"),
        ((*LENGTHS, *ANGLES[:-1], "eta=0.1"), "expected a motor of the sample that was rocked, theta, chi, phi"),
        (("--q-steps", "1,0,0;0,1,0;1,1,0", "--scattering", "1,0,0"), "which lie in a plane"),
        (("--q-steps", "1,0,0;0,1,0", "--scattering", "1,0,0"), "expected three steps of three numbers each"),
        (("--q-steps", "1,0,0;0,1,0;0,0,1", *ANGLES), "expected the steps of the volume by angles or as they are"),
        (("--spec", "sample.spec::55"), "sample.spec: expected scan 55 in it"),
        (
            ("--spec", "sample.spec::53"),
            "expected a scan of one motor, as ascan th 0.1 1.1 200 1, got 'timescan 1 0'",
        ),
        (("--spec", "sample.spec"), "expected a file of spec and a scan's number, as sample.spec::54"),
        (("--spec", "none.spec::54"), "none.spec: expected a file of spec, got none there"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_nothing_is_written(folder, words, sentence):
    said = refused("reconstruct", "scan", "--dimensions", "3", "--centre", "frame", "-o", "a.cxi", *words)
    assert sentence in said
    assert "\n" not in said
    assert not [path for path in folder.iterdir() if path.suffix in (".cxi", ".png", ".vti")]


def test_what_spec_lacks_is_named(folder):
    words = ("inspect", "scan", "--dimensions", "3", "--spec", "short.spec::54")
    Path("short.spec").write_text("#O0 Delta  Theta\n\n#S 54 ascan th 0 1 31 1\n#P0 32.1 0.1\n")
    assert "got none of gamma" in refused(*words)
    Path("short.spec").write_text(HEAD + scan_line(command="ascan  th 0 1  30 1"))
    assert "short.spec::54: expected a scan of the data's 32 frames, got one of 31" in refused(*words)


def test_frames_that_are_no_scan_are_named(folder, counts):
    whole = ("inspect", "scan", "--dimensions", "3")
    tifffile.imwrite("scan/s_020.tif", counts[0, 1:])
    assert "s_020.tif: expected a frame like the first" in refused(*whole)
    Path("scan/s_020.tif").unlink()
    assert "scan: expected frames 0 to 31, got none of number 20" in refused(*whole)
    for number in range(15, 32):
        Path(f"scan/s_{number:03d}.tif").unlink(missing_ok=True)
    assert "at least 16 frames, got 15" in refused(*whole)
    np.save("one.npy", counts[3])
    assert "one.npy: expected the frames of a scan, got one" in refused("inspect", "one.npy", "--dimensions", "3")
    np.save("half.npy", counts[:1] * np.arange(1, 33)[:, None, None])
    assert "cuts the peak off" in refused("inspect", "half.npy", "--dimensions", "3")
    assert "or say by --dimensions 3 that they are a rocking scan" in refused("inspect", "half.npy")
    said = refused("inspect", "one.npy", "--spec", "sample.spec::54")
    assert "expected spec of a rocking scan, got a frame; say that it is a scan by --dimensions 3" in said
