"""What jobs ask for: more for more data, and enough for what was measured."""

from types import SimpleNamespace

import pytest
import yaml
from conftest import ROOT

from farfield.study import config, costs


@pytest.fixture
def study():
    """Complete configs by file name."""
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    return lambda name: config.complete(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()), schema)


def cell(**names):
    return SimpleNamespace(**names)


def test_a_training_asks_for_more_the_larger_it_is_and_for_no_more_than_it_may_hold(study):
    paper = study("paper")
    needs = [costs.training(paper, cell(samples=str(n)), gpu=True) for n in (500, 5000, 50_000, 500_000)]
    assert needs[0].mem_mb < needs[1].mem_mb < needs[2].mem_mb
    assert needs[3].mem_mb == needs[2].mem_mb  # streamed from then on
    assert needs[0].runtime < needs[1].runtime < needs[2].runtime
    assert costs.training(paper, cell(samples="5000"), gpu=False).runtime > 10 * needs[1].runtime


@pytest.mark.parametrize(
    ("name", "cost", "names", "seconds"),
    [  # measured on one core: docs/cluster.md, and the histories behind docs/reproduction
        ("reproduction", costs.training, {"samples": "5000"}, 275),
        ("config", costs.training, {"samples": "2000"}, 36),
        ("config", costs.evaluation, {"samples": "2000"}, 21),
        ("config", costs.baseline, {"recipe": "hio-classic"}, 86),
        ("config", costs.gaussian, {"samples": "50000", "dimension": "10"}, 15),
        ("passive", costs.denoiser, {}, 250),
    ],
)
def test_jobs_ask_for_what_was_measured_and_not_for_hours(study, name, cost, names, seconds):
    need = cost(study(name), cell(**names), gpu=False)
    assert 1.5 * seconds <= 60 * (need.runtime - costs.START) <= 10 * seconds
    assert costs.BASE < need.mem_mb < 2 * costs.BASE


@pytest.mark.parametrize(
    ("cost", "names", "seconds"),
    [  # measured on one H100 while six or eight jobs shared it: docs/reproduction/paper
        (costs.training, {"samples": "500"}, 64),  # all 200 epochs, as many samples validated as trained
        (costs.training, {"samples": "5000"}, 386),  # 369 for 191 epochs
        (costs.baseline, {"recipe": "hio-classic"}, 42),
    ],
)
def test_jobs_on_a_gpu_ask_for_what_was_measured_there_and_not_for_hours(study, cost, names, seconds):
    there = cost(study("paper"), cell(**names), gpu=True)
    assert 1.5 * seconds <= 60 * (there.runtime - costs.START) <= 10 * seconds


def test_what_was_not_timed_on_a_gpu_asks_for_as_long_as_on_a_core(study):
    asked = {
        **study("paper"),
        "baselines": {"heavy": {"recipe": "60*ALM", "starts": 5}},
        "measured": {"frame": {"recipe": "900*HIO+100*ER", "starts": 10, "bin": 1, "dimensions": 2}},
    }
    cases = (
        (costs.baseline, {"recipe": "heavy"}),
        (costs.scan, {"scan": "frame"}),
        (costs.evaluation, {"samples": "5000"}),
    )
    for cost, names in cases:
        there, here = (cost(asked, cell(**names), gpu=gpu) for gpu in (True, False))
        assert (there.runtime, there.mem_mb) == (here.runtime, here.mem_mb + costs.CUDA)


def test_a_round_of_alm_asks_for_more_time_than_an_iteration_of_hio(study):
    recipes = {name: {"recipe": f"600*{name}", "starts": 5} for name in ("HIO", "ALM")}
    light, heavy = (
        costs.baseline({**study("paper"), "baselines": recipes}, cell(recipe=name), False) for name in recipes
    )
    assert heavy.runtime > 20 * light.runtime
    assert heavy.mem_mb == light.mem_mb


def test_networks_of_the_near_field_are_applied_to_other_objects_too(study):
    asked = study("co-driven")
    alone = {**asked, "near_field": {**asked["near_field"], "unseen": []}}
    more, less = (costs.evaluation(x, cell(samples="1500"), gpu=False).mem_mb for x in (asked, alone))
    assert more > less


def test_a_scan_asks_by_its_crop_its_bins_and_its_starts(study):
    settings = {"data": "a.npy", "starts": 10, "bin": 1, "recipe": "900*HIO+100*ER", "dimensions": 2}
    others = {"whole": {}, "cropped": {"crop": 512}, "binned": {"bin": 4}, "few": {"starts": 5}}
    asked = {**study("config"), "measured": {name: {**settings, **other} for name, other in others.items()}}
    needs = {name: costs.scan(asked, cell(scan=name), gpu=False) for name in others}
    assert needs["binned"] < needs["cropped"] < needs["few"] < needs["whole"]
    assert costs.scan(asked, cell(scan="few"), gpu=True).mem_mb == needs["few"].mem_mb + costs.CUDA
    others = {"small": [64, 64, 64], "oblong": [64, 128, 64], "whole": 128}
    settings = {**settings, "dimensions": 3}
    asked["measured"] = {name: {**settings, "crop": crop, "bin": [1, 1, 1]} for name, crop in others.items()}
    needs = {name: costs.scan(asked, cell(scan=name), gpu=False) for name in others}
    assert needs["small"] < needs["oblong"] < needs["whole"]
    binned = {**settings, "crop": 128, "bin": [1, 2, 2]}
    assert costs.scan({**asked, "measured": {"one": binned}}, cell(scan="one"), False) < needs["whole"]


def test_a_gpu_costs_memory_and_saves_time(study):
    paper, names = study("paper"), {"samples": "1000000", "dimension": "15", "recipe": "hio-tuned"}
    for cost in (costs.gaussian, costs.training, costs.baseline):
        wildcards = cell(**names)
        there, here = (cost(paper, wildcards, gpu=gpu) for gpu in (True, False))
        assert there.mem_mb == here.mem_mb + costs.CUDA
        assert there.runtime - costs.START < (here.runtime - costs.START) / 5
