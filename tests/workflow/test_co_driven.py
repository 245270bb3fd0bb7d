"""The third paper's chain on the images that lie in the repository: config/test-co-driven.yaml, once."""

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import ROOT, copy_workflow, snakemake

from farfield.machine import store
from farfield.physics import images, phases
from farfield.physics.near_field import NearField

CONFIG = "config/test-co-driven.yaml"
METHODS = ["DD", "CD", "tPD", "uPD", "tPDr", "CDr"]
SETS = ["test", "noisy", "unseen-waves"]


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    folder = copy_workflow(tmp_path_factory.mktemp("driven"))
    snakemake(folder, config=CONFIG)
    return folder


def results(folder):
    return folder / "results/test-co-driven"


def test_sets_are_of_their_kinds_and_holograms_of_their_setup(driven):
    near = NearField(distance=2.5e-3)
    garments = phases.of_images(images.load("test", 12, 32, 20172, ROOT / "workflow/resources/fashion-mnist"), 1.0)
    for name, objects in (("test", garments), ("unseen-waves", phases.waves(12, 32, 24042, 1.0))):
        found = store.open_dataset(results(driven) / f"data/{name}.zarr")
        assert np.array_equal(found.object, objects)
        np.testing.assert_allclose(found.intensity, near.measure(objects), atol=1e-5)


def test_the_table_holds_every_method_on_every_set(driven):
    """Errors computed here once more, from the stores."""
    frame = pd.read_csv(results(driven) / "tables/co-driven.csv")
    names = frame.symmetry.fillna(frame.method)
    lines = [(s, m) for s in SETS for m in [*METHODS[:3], *METHODS]]
    assert [tuple(x) for x in zip(frame.set, names, strict=True)] == lines
    assert frame.tests.tolist() == [count for more in (12, 6, 12) for count in [more] * 3 + [3] * 6]
    for line, name in zip(frame.itertuples(), names, strict=True):
        cell = name if pd.isna(line.symmetry) else f"unet-skip/{name}/n64"
        made = store.open_dataset(results(driven) / f"reconstructions/{cell}/{line.set}.zarr")
        truth = store.open_dataset(results(driven) / f"data/{line.set}.zarr").object.values[: line.tests].real
        checkpoint = list(made.checkpoint.values).index("best") if "best" in made.checkpoint else 0
        wrong = (made.object.values[0, checkpoint][: line.tests].real - truth).astype(float)
        error = (wrong.var((1, 2)) / truth.astype(float).var((1, 2))).mean()
        assert line.error == pytest.approx(error, rel=1e-4)


def test_what_was_refined_explains_its_hologram_better(driven):
    frame = pd.read_csv(results(driven) / "tables/co-driven.csv")
    own = frame[(frame.set == "test") & (frame.tests == 3)]
    own = own.set_index(own.symmetry.fillna(own.method))
    assert own.residual["tPDr"] < own.residual["tPD"]
    assert own.residual["CDr"] < own.residual["CD"]
    assert own.data.dropna().to_dict() == {"DD": 1.0, "CD": 0.3, "tPD": 0.0}


def test_models_know_their_setup_and_nothing_of_the_far_field_is_made(driven):
    from farfield.learning.networks import load

    model = load(results(driven) / "models/unet-skip/CD/n64/seed0/best.safetensors")
    assert model.description["near_field"]["distance"] == 2.5e-3
    assert model(torch.ones(1, 32, 32)).shape == (1, 32, 32)
    assert not (results(driven) / "released").exists()
    assert not (results(driven) / "data/conditioning.csv").exists()
    names = {path.name for path in (results(driven) / "figures").iterdir()}
    stems = ("co-driven", "phases", "learning-curves")
    assert names == {f"{stem}.{suffix}" for stem in stems for suffix in ("pdf", "png")}


def test_a_second_run_has_nothing_to_do_and_a_new_fit_trains_nothing(driven):
    assert "Nothing to be done" in snakemake(driven, config=CONFIG)
    config = yaml.safe_load((driven / CONFIG).read_text())
    config["fitted"]["uPD"]["cycles"] = 12
    (driven / "changed.yaml").write_text(yaml.safe_dump(config))
    planned = snakemake(driven, "--dry-run", "--quiet", "rules", config="changed.yaml")
    printed = snakemake(driven, "--dry-run", config="changed.yaml")
    assert "train" not in planned.split()
    assert printed.count("rule fit_patterns:") == 1


def test_fringes_beyond_the_frame_are_told_before_the_first_job(driven):
    config = yaml.safe_load((driven / CONFIG).read_text())
    config["near_field"]["distance"] = 20.0e-3
    (driven / "changed.yaml").write_text(yaml.safe_dump(config))
    printed = snakemake(driven, "--dry-run", config="changed.yaml", fails=True)
    assert "near_field: expected fringes within half the frame, 16 pixels, got 98.9" in printed


def test_what_is_of_the_far_fields_symmetries_is_refused_and_what_is_advised_is_there(driven):
    printed = snakemake(driven, "--dry-run", "sweep", config=CONFIG, fails=True)
    message = "expected a target of the near field, got one that breaks the far field's symmetries, which holograms"
    assert message in printed
    advised = "results/test-co-driven/tables/co-driven.csv"
    assert f"make {advised} instead" in printed
    assert "Nothing to be done" in snakemake(driven, advised, config=CONFIG)
