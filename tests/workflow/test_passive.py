"""The second paper's chain on the 600 images that lie in the repository: config/test-passive.yaml, once."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from conftest import ROOT, copy_workflow, snakemake

from farfield.machine import store
from farfield.physics import images
from farfield.symmetry import metrics

CONFIG = "config/test-passive.yaml"


@pytest.fixture(scope="module")
def passive(tmp_path_factory):
    folder = copy_workflow(tmp_path_factory.mktemp("passive"))
    snakemake(folder, config=CONFIG)
    return folder


def results(folder):
    return folder / "results/test-passive"


def opened(folder, name) -> xr.Dataset:
    return store.open_dataset(results(folder) / f"data/{name}.zarr")


def test_the_floors_are_those_of_the_images(passive):
    """Computed here once more, from the images themselves."""
    import torch

    frame = pd.read_csv(results(passive) / "tables/passive.csv").set_index("method")
    truth = images.load("test", 20, 36, 20172, ROOT / "workflow/resources/fashion-mnist")
    assert np.array_equal(opened(passive, "test").object, truth)
    mean = images.load("train", 300, 36, 20170, ROOT / "workflow/resources/fashion-mnist").mean(0)
    energy = truth.abs().double().square().mean((-2, -1))
    for name, constant in (("box", torch.ones(36, 36)), ("mean-object", mean)):
        estimate = constant.to(torch.complex64).expand_as(truth)
        error = (metrics.symmetry_adjusted_mse(truth, estimate) / energy).mean()
        assert float(frame["mean"][name]) == pytest.approx(float(error), rel=1e-4)
    assert frame["mean"]["zero"] == pytest.approx(1)


def test_published_numbers_stand_beside_ours(passive):
    frame = pd.read_csv(results(passive) / "tables/passive.csv")
    stated = pd.read_csv(ROOT / "workflow/resources/passive.csv").set_index("method")["published"]
    ours = frame[frame.published.notna()]
    names = ours.symmetry.where(ours.kind == "network", ours.method)
    assert dict(zip(names, ours.published, strict=True)) == stated.to_dict()
    assert frame.set_index("symmetry")["published"]["naive"] == stated["naive"]


def test_natural_images_are_the_same_in_another_place(passive):
    train, natural = opened(passive, "train"), opened(passive, "train-natural")
    assert np.allclose(train.intensity, natural.intensity, rtol=1e-3, atol=1e-3 * float(train.intensity.max()))
    assert not np.allclose(train.object, natural.object)


def test_figures_tables_and_a_released_model_are_there(passive):
    names = {path.name for path in (results(passive) / "figures").iterdir()}
    stems = ("reconstructions", "learning-curves", "starts", "rings")
    assert names == {f"{stem}.{suffix}" for stem in stems for suffix in ("pdf", "png")}
    tables = {path.stem for path in (results(passive) / "tables").iterdir()}
    assert tables == {"passive", "starts", "rings", "noise", "denoiser"}
    card = (results(passive) / "released/mlp-decoder.md").read_text()
    assert "300 images of FashionMNIST" in card


def test_methods_with_the_denoiser_are_lines_like_any_other(passive):
    """On as many of the patterns as the config says; iterations are those of their starts and their own."""
    frame = pd.read_csv(results(passive) / "tables/passive.csv").set_index("method")
    assert (frame["tests"]["prDeep"], frame["tests"]["pnp-hio"], frame["tests"]["hio-box"]) == (4, 4, 20)
    assert (frame["iterations"]["prDeep"], frame["iterations"]["pnp-hio"]) == (20 + 2 * 10, 10 * 2)
    noise = pd.read_csv(results(passive) / "tables/noise.csv").set_index("method")
    assert noise["patterns"].unique().tolist() == [4]
    assert {"prDeep", "pnp-hio", "hio-box"} < set(noise.index)
    denoiser = pd.read_csv(results(passive) / "tables/denoiser.csv")
    assert denoiser["images"].unique().tolist() == [20]
    history = pd.read_csv(results(passive) / "denoiser/history.csv")
    assert history["epoch"].tolist() == list(range(1, 9))


def test_a_second_run_has_nothing_to_do(passive):
    assert "Nothing to be done" in snakemake(passive, config=CONFIG)


def test_missing_images_are_told_before_the_first_job(passive):
    config = yaml.safe_load((passive / CONFIG).read_text())
    config["images"]["path"] = "nowhere"
    (passive / "changed.yaml").write_text(yaml.safe_dump(config))
    printed = snakemake(passive, "--dry-run", config="changed.yaml", fails=True)
    assert "images: " in printed
    assert "dataset-fashion-mnist" in printed
