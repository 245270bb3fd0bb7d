"""Methods with a denoiser in the loop as a config names them, and the table of the denoiser."""

import copy
import re

import pytest
import torch
import yaml
from conftest import ROOT

from farfield.iterative.pnp_hio import pnp_hio
from farfield.iterative.prdeep import prdeep
from farfield.learning import denoiser, denoising
from farfield.physics import images
from farfield.physics.diffraction import measure, to_frame
from farfield.study import config, costs, datasets, denoised, denoisers
from farfield.study.config import ConfigError

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def garments():
    return images.load("test", 5, 36, 2, ROOT / "workflow/resources/fashion-mnist")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, garments):
    folder = tmp_path_factory.mktemp("denoiser")
    settings = denoising.DenoiserSettings(width=4, layers=2, epochs=1)
    training = images.load("train", 64, 36, 1, ROOT / "workflow/resources/fashion-mnist")
    return denoising.fit(training, garments, settings, path=folder / "a", history=folder / "b")


def filled(**sections):
    """Complete a config that has these methods."""
    return config.check({"study": "a", **copy.deepcopy(sections)}, SCHEMA)


def test_rounds_make_it_pnp_hio_and_all_else_has_the_defaults_of_the_functions(trained, garments):
    made = filled(denoised={"a": {"start": "blob"}, "b": {"start": "blob", "rounds": 3}})["denoised"]
    intensity, start = measure(garments), garments.flip(0)
    shorter = {"iterations": 3}

    def clean(pictures, level):
        return denoiser.denoise(trained, pictures, level)

    how = {"values": "positive", **shorter}
    wanted = prdeep(intensity, start, clean, **how), pnp_hio(intensity, start, clean, rounds=3, **how)
    for name, expected in zip("ab", wanted, strict=True):
        found = denoised.method({**denoised.options(made[name]), **shorter}, 2, trained, start, CPU)(intensity)
        assert torch.equal(found.objects, expected.objects), name
        assert torch.equal(found.iterations, expected.iterations)
    assert made["a"]["iterations"] == 200
    assert made["b"]["iterations"] == 5


def test_a_start_may_be_of_another_frame_or_one_for_all(trained, garments):
    intensity, settings = measure(garments), {"levels": [20], "iterations": 2}
    own, framed = (denoised.method(settings, 2, trained, x, CPU) for x in (garments, to_frame(garments, 72, 72)))
    assert torch.equal(own(intensity).objects, framed(intensity).objects)
    one = denoised.method(settings, 2, trained, garments[0], CPU)
    assert torch.equal(one(intensity).objects[0], own(intensity).objects[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"levels": [80, 10]},
            "denoised: a: levels: expected at most 60, the denoiser's sigma, got 80; lower it, or",
        ),
        ({"start": "blub"}, "denoised: a: start: unknown method 'blub'; did you mean 'blob'?"),
        ({"network": "unet"}, "network: expected one of networks, and a start that is an objective, got 'unet'"),
        ({"patterns": 5}, "denoised: a: patterns: expected at least noise: patterns, 100, got 5; raise it"),
        ({"iterations": 0}, "denoised: a: iterations: expected an integer at least 1, got 0"),
        ({"floor": 0}, "denoised: a: floor: expected a number above 0, got 0"),
        ({"levels": []}, "denoised: a: levels: expected a list that is not empty, got []"),
        ({"beta": 0.5}, "denoised: a: unknown key 'beta'"),
        ({"rounds": 3, "weight": 1}, "denoised: a: expected nothing beside"),
        ({"rounds": 3, "levels": [9]}, "denoised: a: levels: expected a list of 2, got [9]"),
    ],
)
def test_mistakes_are_named(change, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        filled(denoised={"a": {"start": "blob", **change}})
    assert len(str(error.value).splitlines()) == 1


def test_what_a_mistake_advises_helps():
    filled(denoised={"a": {"start": "blob", "levels": [80, 10]}}, denoiser={"sigma": 80})
    filled(denoised={"a": {"start": "blob", "patterns": 5}}, noise={"patterns": 5})


def test_a_start_and_a_name_of_its_own_are_needed():
    with pytest.raises(ConfigError, match="denoised: a: 'start' is a required property; add it"):
        filled(denoised={"a": {}})
    for name in ("unet", "hio-tuned", "blob"):
        with pytest.raises(ConfigError, match=f"denoised: '{name}' is the name of another method"):
            filled(denoised={name: {"start": "mean-object"}})
    with pytest.raises(ConfigError, match="denoiser: epochs: expected an integer at least 1, got 0"):
        filled(denoiser={"epochs": 0})


def test_a_method_asks_for_more_the_more_it_denoises():
    made = filled(denoised={"a": {"start": "blob", "patterns": 400}, "b": {"start": "blob", "rounds": 200}})
    needs = [costs.denoised(made, type("W", (), {"recipe": name}), gpu=False).runtime for name in "ab"]
    assert needs[0] > 3 * needs[1] > 0


def test_the_table_compares_on_the_same_noise(trained, garments):
    frame = denoisers.compare(trained, datasets.from_objects(garments, 2))
    assert list(frame.columns) == denoisers.COLUMNS
    grid = frame.pivot(index="method", columns="sigma", values="psnr")
    for level, expected in {50: 14.15, 40: 16.09, 20: 22.11, 10: 28.13}.items():  # 20 log₁₀(255 / σ)
        assert grid[level]["noisy"] == pytest.approx(expected, abs=0.2)
        assert grid[level]["nlm"] > grid[level]["noisy"] + 2
    shown = denoisers.table(frame)
    assert [row[0] for row in shown.blocks[0].rows] == list(denoisers.NAMES.values())
    assert [column for _, column in shown.blocks[0].header[1:]] == ["σ = 50", "σ = 40", "σ = 20", "σ = 10"]
    assert "mean over 5 test images" in shown.caption
