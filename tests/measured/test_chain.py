"""The commands for a detector's file, as they are typed: from frames to results and refusals."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import torch

from farfield.__main__ import main
from farfield.measured import chain, cxi
from farfield.physics import crystals
from farfield.physics.diffraction import measure
from farfield.symmetry import metrics

DATA = Path(os.environ.get("FARFIELD_DATA", Path(__file__).parents[3] / "shared" / "data"))
SCAN = DATA / "Staff20-1a_S0054_00099.tif"


@pytest.fixture(scope="module")
def truth():
    return crystals.simulate(1, 32, 7)[0]


@pytest.fixture(scope="module")
def counts(truth):
    """Return two million photons behind a flat field, on a detector of 96² with a gap and a hot pixel."""
    pattern = measure(truth, 3)
    expected = pattern.double() / pattern.sum() * 2e6
    drawn = torch.poisson(expected * flat(), generator=torch.Generator().manual_seed(2)).int().numpy()
    drawn[:, 60:62] = -1
    drawn[30, 20] = 500_000
    return drawn


def flat():
    return torch.rand(96, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(9)) * 0.4 + 0.8


@pytest.fixture
def folder(tmp_path, counts, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("frame.tif", counts)
    np.save("flat.npy", flat().numpy())
    return tmp_path


def run(capsys, *words):
    main(list(words))
    return capsys.readouterr().out.splitlines()


def refused(*words):
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    return str(stopped.value)


def test_a_frame_becomes_a_believed_object(folder, truth, capsys):
    said = run(capsys, "reconstruct", "frame.tif", "--flat", "flat.npy", "-o", "out.cxi", "--centre", "frame")
    assert said[-2] == "wrote out.cxi and out.png"
    assert said[-1].startswith("believed: the pattern is explained to 1")
    assert any("1 hot pixel, at (30, 20)" in line for line in said)
    assert any("2 columns of one value (-1): 60, 61" in line for line in said)
    with h5py.File("out.cxi") as file:
        made = torch.from_numpy(file["entry_1/image_1/data"][()])
        results = file["entry_1/image_1/process_1/results"]
        told = file["entry_1/image_1/process_1/configuration"]
        assert results["solved"][()]
        assert results["llk_poisson"][()] == pytest.approx(0.5, abs=0.2)
        assert told["starts"][()] == 10
        assert told["recipe"][()].decode() == "2*(300*HIO+150*RAAR+50*ER)"
        assert "entry_1/image_6" in file
    error = metrics.symmetry_adjusted_mse(truth, made) / truth.abs().square().mean()
    assert float(error) < 0.005
    assert Path("out.png").stat().st_size > 20_000


def test_a_result_is_kept_unless_forced(folder, capsys):
    words = ("reconstruct", "frame.tif", "-o", "out.cxi", "--starts", "2", "--recipe", "20*HIO+10*ER")
    assert "not believed" in run(capsys, *words)[-1]
    before = Path("out.cxi").read_bytes()
    assert "out.cxi: expected a new file to write, got one that exists" in refused(*words)
    assert Path("out.cxi").read_bytes() == before
    run(capsys, *words, "--force", "--seed", "3")
    assert Path("out.cxi").read_bytes() != before


def test_inspect_shows_what_would_be_done(folder, capsys):
    said = run(capsys, "inspect", "frame.tif", "--bin", "1", "--crop", "60")
    assert said[-1] == "wrote frame-inspected.png"
    assert any(line.startswith("cropped to rows") for line in said)
    assert Path("frame-inspected.png").stat().st_size > 10_000
    assert not Path("out.cxi").exists()


def test_a_known_support_is_kept_and_masks_follow_their_convention(folder, truth, counts, capsys):
    outline = np.zeros((96, 96), np.uint8)
    outline[20:52, 5:37] = (truth != 0).numpy()
    tifffile.imwrite("outline.tif", outline)
    good = counts > -1
    tifffile.imwrite("bad.tif", (~good).astype(np.uint8))
    np.save("good.npy", good)
    found = []
    for number, mask in enumerate(("bad.tif", "good.npy")):
        out = f"{number}.cxi"
        words = ("--flat", "flat.npy", "--mask", mask, "--support", "outline.tif", "--starts", "2", "-o", out)
        run(capsys, "reconstruct", "frame.tif", *words)
        found.append(cxi.read(out))
    assert found[0].results["nb_point_support"] == outline.sum()
    assert np.array_equal(found[0].object, found[1].object)


def test_one_of_several_frames(folder, counts, capsys):
    tifffile.imwrite("stack.tif", np.stack([counts, counts]))
    assert "expected one frame, got 2 of 96 × 96; choose one by --frame N" in refused("inspect", "stack.tif")
    assert "expected a frame from 0 to 1, got 2" in refused("inspect", "stack.tif", "--frame", "2")
    assert "took frame 1 of 2" in run(capsys, "inspect", "stack.tif", "--frame", "1")
    assert "leave --frame out" in refused("inspect", "frame.tif", "--frame", "3")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("missing.tif", "-o", "a.cxi"), "missing.tif: expected"),
        (("frame.tif", "-o", "a.npy"), "a.npy: expected a result that ends in .cxi"),
        (("frame.tif", "-o", "none/a.cxi"), "none/a.cxi: expected a folder that exists, got none; make it"),
        (("frame.tif", "-o", "a.cxi", "--starts", "0"), "expected starts as an integer of at least 1, got 0"),
        (
            ("frame.tif", "-o", "a.cxi", "--recipe", "20*HOI"),
            "expected a count, '(' or an algorithm|an algorithm out of",
        ),
        (("frame.tif", "-o", "a.cxi", "--crop", "200"), "200"),
        (("frame.tif", "-o", "a.cxi", "--flat", "zeros.npy"), "flat"),
        (("frame.tif", "-o", "a.cxi", "--support", "zeros.npy"), "expected a support that fills some of the frame"),
        (("frame.tif", "-o", "a.cxi", "--positive", "--recipe", "9*DM"), "for positive objects, got DM"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_nothing_is_written(folder, words, sentence):
    np.save("zeros.npy", np.zeros((96, 96)))
    said = refused("reconstruct", *words)
    assert any(part in said for part in sentence.split("|"))
    assert "\n" not in said.replace("\n  ", "") or "recipe" in said
    assert not list(Path().glob("*.cxi"))
    assert not list(Path().glob(".*"))


def test_words_that_are_no_numbers(folder, capsys):
    for option, value in (("--region", "0:9"), ("--background", "edges")):
        with pytest.raises(SystemExit):
            main(["inspect", "frame.tif", option, value])
        assert "expected" in capsys.readouterr().err


@pytest.mark.skipif(not SCAN.exists(), reason=f"needs {SCAN}")
def test_a_measured_frame(tmp_path):
    """A gold crystal at 34-ID-C: with its flat field believed, and the same from another seed.

    Of six seeds, four are believed on one processor; which ones is in its digits.
    """
    beside = {"flat": SCAN.parent / "scan54/whitefield.tif", "dark": SCAN.parent / "scan54/dark.tif", "crop": 128}
    verdicts = [chain.reconstruct_file(SCAN, tmp_path / f"{seed}.cxi", seed=seed, **beside) for seed in (0, 1)]
    found = [cxi.read(tmp_path / f"{seed}.cxi") for seed in (0, 1)]
    for one, verdict in zip(found, verdicts, strict=True):
        assert one.results["residual"] ** 2 < 0.0030
        assert one.results["llk_poisson"] < 1.4
        assert verdict.startswith(("believed", "not believed: the starts disagree by"))
        assert one.results["agreement"] < 0.06
    assert any(verdict.startswith("believed") for verdict in verdicts)
    first, second = (torch.from_numpy(one.object) for one in found)
    apart = metrics.symmetry_adjusted_mse(first, second) / first.abs().square().mean()
    assert float(apart) < 0.06
