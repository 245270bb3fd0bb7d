"""Scans of a config, from a detector's files to the table: the target `measured`, run for real."""

import re

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
from conftest import copy_workflow, snakemake

from farfield.measured import cxi
from farfield.physics import crystals, polyhedra
from farfield.physics.diffraction import measure

PHOTONS = 3e6
SCAN = {"data": "raw/frame.tif", "mask": "raw/mask.npy"}
STEPS = {"q_steps": [[0.002, 0, 0.001], [0, -0.004, 0], [0.004, 0, 0]], "scattering": [14, 10, -10]}
ROCKED = {"data": "raw/scan.npy", "dimensions": 3, "centre": "frame", "starts": 1, "recipe": "4*ER", **STEPS}
SCANS = {
    "flat-99": {**SCAN, "flat": "raw/flat.tif"},
    "rocked": ROCKED,
    "bare": {**SCAN, "starts": 1, "recipe": "4*ER", "background": 1, "region": [[0, 64], [0, 64]]},
}


def run(folder, *arguments, scans=SCANS, **how):
    (folder / "mine.yaml").write_text(yaml.safe_dump({"study": "mine", "measured": scans}, sort_keys=False))
    return snakemake(folder, *arguments, config="mine.yaml", **how)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A crystal behind a flat field and a dead patch, by a few million photons, and the scans made of it."""
    folder = copy_workflow(tmp_path_factory.mktemp("measured"))
    (folder / "raw").mkdir()
    generator = np.random.default_rng(1)
    pattern = measure(crystals.simulate(1, 32, 7))[0].double().numpy()
    flat = generator.uniform(0.8, 1.2, pattern.shape).astype(np.float32)
    counts = generator.poisson(PHOTONS * pattern / pattern.sum() * flat).astype(np.uint32)
    dead = np.zeros(pattern.shape, np.uint8)
    dead[30:34, 20:24] = 1
    tifffile.imwrite(folder / "raw/frame.tif", counts * (1 - dead))
    tifffile.imwrite(folder / "raw/flat.tif", flat)
    np.save(folder / "raw/mask.npy", dead)
    volume = measure(polyhedra.simulate(1, 16, 3), 2, 3)[0].double().numpy()
    np.save(folder / "raw/scan.npy", generator.poisson(PHOTONS * volume / volume.sum()).astype(np.uint32))
    run(folder, "measured")
    return folder


def results(folder):
    return folder / "results/mine"


def test_nothing_but_the_scans_is_made(folder):
    assert {path.name for path in results(folder).iterdir()} == {"measured", "tables", "logs", "benchmarks"}
    made = {f"{name}.{suffix}" for name in SCANS for suffix in ("cxi", "png")} | {"rocked.vti"}
    assert {path.name for path in (results(folder) / "measured").iterdir()} == made
    assert "believed" in (results(folder) / "logs/reconstruct_measured/flat-99.log").read_text()


def test_what_the_config_says_is_what_was_done(folder):
    with h5py.File(results(folder) / "measured/flat-99.cxi") as file:
        told = file["entry_1/image_1/process_1/configuration"]
        assert {name: told[name].asstr()[()] for name in ("data", "mask", "flat")} == SCANS["flat-99"]
        assert int(file["entry_1/instrument_1/detector_1/mask"][()].sum()) == 16
    with h5py.File(results(folder) / "measured/rocked.cxi") as file:
        image = file["entry_1/image_1"]
        np.testing.assert_allclose(image["scattering_vector"][()], 1e9 * np.array(STEPS["scattering"]))
        assert image["data"].shape == (32, 32, 32)
    with h5py.File(results(folder) / "measured/bare.cxi") as file:
        assert file["entry_1/image_1/process_1/configuration/background"][()] == 1
        assert len(file["entry_1/image_1/process_1/starts/residual"]) == 1


def test_the_table_has_a_row_for_each_scan(folder):
    table = pd.read_csv(results(folder) / "tables/measured.csv")
    assert table.scan.tolist() == list(SCANS)
    frame, volume = tifffile.imread(folder / "raw/frame.tif"), np.load(folder / "raw/scan.npy")
    for row in table.itertuples():
        counted = volume.sum() if row.scan == "rocked" else frame.sum()
        found = cxi.read(results(folder) / f"measured/{row.scan}.cxi")
        assert row.photons == pytest.approx(counted, rel=0.01)
        assert row.pixels == found.support.sum()
        assert row.chi2 == pytest.approx(found.results["residual"] ** 2, rel=1e-4)
        for name in ("deviance", "free_deviance", "agreement"):
            assert getattr(row, name) == pytest.approx(found.results[name], rel=1e-4, nan_ok=True)
        assert row.dimensions == found.object.ndim
        assert (row.solved, row.verdict) == (found.results["solved"], found.results["verdict"])
    good, rocked, bad = table.itertuples()
    assert not rocked.solved
    assert good.solved
    assert good.deviance == pytest.approx(1, abs=0.2)
    assert not bad.solved
    assert bad.verdict.startswith("not believed: ")
    rows = [line for line in (results(folder) / "tables/measured.md").read_text().splitlines() if line[0:1] == "|"]
    assert [[cell.strip() for cell in row.split("|")][1] for row in rows[2:]] == list(SCANS)
    assert [row.split("|")[-2].strip() for row in rows] == ["Solved", "---:", "yes", "no", "no"]


def test_all_makes_scans_too_and_a_second_run_makes_none_again(folder):
    printed = run(folder, "all", "--dry-run")
    assert "results/mine/tables/measured.md" in printed.partition("rule all:")[2]
    assert not {"rule reconstruct_measured:", "rule table_measured:"} & set(printed.splitlines())


def test_a_missing_file_is_one_sentence_before_any_job(folder):
    printed = run(folder, "measured", scans={"one": {**SCAN, "flat": "raw/none.tif"}}, fails=True)
    told = [line for line in printed.splitlines() if "none.tif" in line]
    assert told == [
        "measured: one: flat: expected a file or a folder, got none at raw/none.tif; correct the path, from where "
        "snakemake runs if it does not begin with /"
    ]
    assert "Traceback" not in printed


def test_a_changed_file_reruns_the_scans_that_it_belongs_to(folder):
    tifffile.imwrite(folder / "raw/flat.tif", tifffile.imread(folder / "raw/flat.tif")[::-1])
    printed = run(folder, "measured", "--dry-run")
    assert re.findall(r"Updated input files: (.*)", printed)[0] == "raw/flat.tif"
    assert re.findall(r"output: results/mine/measured/([\w-]+)", printed) == ["flat-99"]
    assert "rule table_measured:" in printed
