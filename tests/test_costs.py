"""What jobs ask for: more for more data, and enough for what was measured."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from farfield import config, costs

ROOT = Path(__file__).parent.parent


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
    assert needs[3].mem_mb - needs[2].mem_mb < 1  # streamed from then on
    assert needs[0].runtime < needs[1].runtime < needs[2].runtime
    assert costs.training(paper, cell(samples="5000"), gpu=False).runtime > 10 * needs[1].runtime


@pytest.mark.parametrize(
    ("cost", "names", "seconds", "megabytes"),
    [  # the largest of each kind in the laptop study, on one core
        (costs.training, {"samples": "2000"}, 25, 650),
        (costs.evaluation, {"samples": "2000"}, 30, 650),
        (costs.baseline, {"recipe": "hio-classic"}, 95, 650),
        (costs.whole_set, {"set": "train"}, 10, 650),
    ],
)
def test_jobs_ask_for_enough(study, cost, names, seconds, megabytes):
    need = cost(study("config"), cell(**names), gpu=False)
    assert need.runtime * 60 >= 1.5 * seconds
    assert need.mem_mb >= 1.5 * megabytes
