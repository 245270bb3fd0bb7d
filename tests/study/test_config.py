import re
from pathlib import Path

import pytest
import torch
import yaml

from farfield.learning.networks import NETWORKS
from farfield.study.config import ConfigError, check, complete, varied

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
LAPTOP = yaml.safe_load((ROOT / "config/config.yaml").read_text())


def test_schema_and_defaults_agree():
    assert complete({"study": "laptop"}, SCHEMA) == LAPTOP


def test_every_key_is_explained():
    text = (ROOT / "config/README.md").read_text()

    def keys(rule):
        for name, inner in rule.get("properties", {}).items():
            yield name
            yield from keys(inner)
        for key in ("additionalProperties", "then", "else"):
            if isinstance(rule.get(key), dict):
                yield from keys(rule[key])

    missing = [key for key in keys(SCHEMA) if f"`{key}`" not in text]
    assert not missing


@pytest.mark.parametrize("name", ["config", "paper", "test"])
def test_the_studies_of_this_repository_are_whole_and_valid(name):
    config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    assert check(config, SCHEMA, check_device=False) == config


def test_the_order_of_keys_does_not_matter():
    """Snakemake would take it for changed params."""
    turned = {key: LAPTOP[key] for key in reversed(LAPTOP)}
    turned["crystals"] = {key: LAPTOP["crystals"][key] for key in sorted(LAPTOP["crystals"])}
    assert repr(complete(turned, SCHEMA)) == repr(complete(LAPTOP, SCHEMA))


def test_a_small_config_takes_the_defaults():
    checked = check({"study": "mine", "samples": [10]}, SCHEMA)
    assert checked["training"] == LAPTOP["training"]
    assert checked["samples"] == [10]
    assert check({"study": "a", "baselines": {}}, SCHEMA)["baselines"] == {}
    assert check({"study": "a", "baselines": {"er": {"recipe": "50*ER"}}}, SCHEMA)["baselines"]["er"]["starts"] == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epohcs": 3}, "unknown key 'epohcs'"),
        ({"sample": [3]}, "unknown key 'sample'; did you mean 'samples'?"),
        ({"training": {"epohcs": 3}}, "training: unknown key 'epohcs'; did you mean 'epochs'?"),
        ({"image_size": 32.5}, "image_size: expected an integer at least 8, got 32.5"),
        ({"image_size": 32.0}, "image_size: expected an integer"),
        ({"image_size": True}, "image_size: expected an integer"),
        ({"image_size": "wide"}, "image_size: expected an integer at least 8, got 'wide'"),
        ({"image_size": "32.5"}, "image_size: expected an integer at least 8, got 32.5"),
        (
            {"image_size": 33},
            "networks: unet cannot be made with these options and image size: expected an image size of 8, 16",
        ),
        ({"oversampling": 1}, "oversampling: expected an integer at least 2, got 1"),
        ({"samples": [0, 5]}, "samples[0]: expected an integer at least 1, got 0"),
        ({"samples": []}, "samples: expected a list that is not empty and without repetitions, got []"),
        ({"samples": [5, 5]}, "without repetitions, got [5, 5]"),
        ({"samples": [4000]}, "samples: 4000 is beyond the 2000 simulated; lower it or raise crystals: training"),
        ({"networks": []}, "networks: expected a list that is not empty"),
        ({"networks": ["unett"]}, "networks: unknown network 'unett'; did you mean 'unet'?"),
        ({"networks": "unet"}, "networks: expected a list"),
        ({"seeds": []}, "seeds: expected a list that is not empty"),
        ({"seeds": [-1]}, "seeds[0]: expected an integer at least 0 and at most 999999, got -1"),
        ({"seeds": [1000000]}, "seeds[0]: expected an integer at least 0 and at most 999999, got 1000000"),
        ({"device": "gpu"}, "device: expected one of cpu, cuda, cuda-if-available, got 'gpu'"),
        ({"study": "../x"}, "study: expected a text of letters, digits"),
        ({"study": 2024}, "(it names a folder; quote a number), got 2024"),
        ({"crystals": {"fill": 0.9}}, "crystals: fill: expected a number at least 0.05 and at most 0.35, got 0.9"),
        ({"crystals": {"defects": [3, 1]}}, "crystals: defects: expected (fewest, most), got [3, 1]; swap them"),
        ({"crystals": {"kind": "hard"}}, "crystals: kind: expected one of dislocated, strained, got 'hard'"),
        (
            {"crystals": {"kind": "strained", "defects": [1, 3]}},
            "crystals: defects: expected none beside kind: strained, whose crystals have 2, got [1, 3]; leave it out",
        ),
        ({"crystals": None}, "crystals: expected keys, got None"),
        ({"training": {"learning_rate": "fast"}}, "learning_rate: expected a number above 0, got 'fast'"),
        ({"training": {"learning_rate": 1.0e-6}}, "learning_rate_floor: expected less than learning_rate"),
        ({"training": {"epochs": 0}}, "training: epochs: expected an integer at least 1, got 0"),
        ({"network_options": {"unet": {"hidden": 3}}}, "expected options of unet out of width, got hidden"),
        ({"network_options": {"nuet": {}}}, "network_options: unknown network 'nuet'; did you mean 'unet'?"),
        (
            {"baselines": {"a": {"recipe": "5*HIP"}}},
            "baselines: a: recipe: expected an algorithm out of ER, HIO, RAAR",
        ),
        ({"baselines": {"a": {"budget": 100}}}, "budget: expected an integer at least 315, got 100"),
        (
            {"baselines": {"a": {"budget": 400, "starts": 3, "beta": 0.9}}},
            "baselines: a: expected nothing beside budget, got 'starts'; leave one of them out",
        ),
        ({"baselines": {"unet": {}}}, "'unet' is the name of another method"),
        ({"baselines": {"a b": {}}}, "baselines: expected a text of letters, digits"),
        ({"baselines": {1: {}}}, "baselines: expected a text of letters, digits"),
        ({"baselines": {"mean-object": {}}}, "'mean-object' is the name of another method"),
        ({"baselines": {"a": {"recipe": "(" * 3000}}}, "recipe: expected a text of at most 200 characters"),
        ({"baselines": {"a": {"beta": float("nan")}}}, "beta: expected a number above 0 and at most 1, got nan"),
        ({"training": {"learning_rate": float("inf")}}, "learning_rate: expected a number above 0, got inf"),
        ({"figure_samples": {"count": 9}, "crystals": {"test": 5}}, "figure_samples: count: expected no more than"),
        ({"network_options": {"sisprnet": {"width": 3}}}, "networks: sisprnet cannot be made with these options"),
        ({"network_options": {"unet": {"width": 0}}}, "expected width of unet as an integer of at least 1, got 0"),
        ({"network_options": {"unet": {"width": 16.5}}}, "width of unet as an integer of at least 1, got 16.5"),
        (
            {"networks": ["unet-skip"], "network_options": {"unet-skip": {"wdith": 3}}},
            "expected options of unet-skip out of width",
        ),
        ({"study": "abc\n"}, "study: expected a text of letters, digits"),
        ({"baselines": {"a\n": {}}}, "baselines: expected a text of letters, digits"),
        ({"gaussian": {"dimensions": [5, 0]}}, "gaussian: dimensions[1]: expected an integer at least 1, got 0"),
        ({"gaussian": {"measurements": 0}}, "gaussian: measurements: expected an integer at least 1, got 0"),
        ({"gaussian": {"neighbours": 30000}}, "gaussian: neighbours: expected at most the smallest samples, 20000"),
        ({"gaussian": {"problem": "blind"}}, "gaussian: unknown key 'problem'"),
        ({"partial_breaking": {"samples": 3000}}, "partial_breaking: samples: expected at most the 2000 simulated"),
        ({"crystals": {"defects": [1, 2, 3]}}, "crystals: defects: expected a list of 2, got [1, 2, 3]"),
        ({"tensorboard": 1}, "tensorboard: expected true or false, got 1"),
        ({"memory": 0}, "memory: expected a number above 0, got 0"),
        ({"training": {"inputs": "raw"}}, "training: inputs: expected one of log-standardised, log-normalised, log"),
        ({"sweep": {"samples": 3000}}, "sweep: samples: expected at most the 2000 simulated"),
        ({"sweep": {"variants": {}}}, "sweep: variants: "),
        (
            {"sweep": {"variants": {"a": {"training": {"epochs": 0}}}}},
            "sweep: variants: a: training: epochs: expected",
        ),
        (
            {"sweep": {"variants": {"a": {"network_options": {"unet": {"width": 0}}}}}},
            "sweep: variants: a: networks: unet cannot be made with these options",
        ),
        ({"sweep": {"variants": {"a": {"crystals": {}}}}}, "unknown key 'crystals'"),
    ],
)
def test_mistakes_are_named_with_value_and_repair(change, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        check({"study": "a", **change}, SCHEMA)
    assert len(str(error.value).splitlines()) <= 4


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_a_missing_gpu_is_a_mistake_only_where_the_jobs_run():
    with pytest.raises(ConfigError, match="device: expected a CUDA GPU, found none"):
        check({"study": "a", "device": "cuda"}, SCHEMA)
    assert check({"study": "a", "device": "cuda"}, SCHEMA, check_device=False)["device"] == "cuda"


def test_a_study_without_a_name_is_refused():
    with pytest.raises(ConfigError, match="'study' is a required property; add it"):
        check({"samples": [10]}, SCHEMA)


def test_several_mistakes_are_told_at_once():
    with pytest.raises(ConfigError, match=r"(?s)image_size.*\n.*seeds|seeds.*\n.*image_size"):
        check({"study": "a", "image_size": 0, "seeds": []}, SCHEMA)


def test_a_network_takes_its_own_defaults_whatever_is_said_of_others():
    options = {"unet": {"width": 16}, "sisprnet": {"hidden": 512, "width": 16}}
    for given, changed in (
        ({}, {}),
        ({"unet": {}}, {}),
        ({"unet": {"width": 8}}, {"unet": {"width": 8}}),
        ({"sisprnet": {"width": 8}}, {"sisprnet": {"hidden": 512, "width": 8}}),
        ({"unet-skip": {"width": 8}}, {"unet-skip": {"width": 8}}),
    ):
        assert check({"study": "a", "network_options": given}, SCHEMA)["network_options"] == {**options, **changed}


def test_only_networks_of_the_study_are_tried():
    """sisprnet, of which the defaults speak, can do neither."""
    for change in ({"oversampling": 3}, {"image_size": 8}):
        assert check({"study": "a", "networks": ["unet"], **change}, SCHEMA)["networks"] == ["unet"]
        with pytest.raises(ConfigError, match="sisprnet cannot be made"):
            check({"study": "a", **change}, SCHEMA)


class Options(torch.nn.Module):
    def __init__(self, image_size, oversampling=2, activation: str = "relu", rate: float = 0.5, skip: bool = True):
        super().__init__()
        self.size, self.activation = image_size, {"relu": torch.nn.ReLU(), "gelu": torch.nn.GELU()}[activation]

    def forward(self, amplitude):
        return self.activation(amplitude[:, None, : self.size, : self.size].expand(-1, 2, -1, -1))


def test_options_of_any_type_are_passed_on(monkeypatch):
    monkeypatch.setitem(NETWORKS, "mine", Options)
    options = {"activation": "gelu", "rate": 0.1, "skip": False}
    checked = check({"study": "a", "networks": ["mine"], "network_options": {"mine": options}}, SCHEMA)
    assert checked["network_options"]["mine"] == options
    with pytest.raises(ConfigError, match="mine cannot be made with these options and image size"):
        check({"study": "a", "networks": ["mine"], "network_options": {"mine": {"activation": "none"}}}, SCHEMA)


def test_numbers_that_arrive_as_texts_are_read():
    """As from Snakemake's --config 'seeds=[0]'."""
    texts = {
        "study": "2024",
        "seeds": ["0", "7"],
        "samples": ["250"],
        "image_size": "16",
        "training": {"learning_rate": "1e-3", "epochs": "3"},
        "noise": {"photons": "1e5"},
        "network_options": {"unet": {"width": "8"}},
        "sweep": {
            "variants": {"a": {"training": {"learning_rate": "1e-3"}, "network_options": {"unet": {"width": "4"}}}}
        },
    }
    checked = check(texts, SCHEMA)
    assert (checked["study"], checked["seeds"], checked["samples"]) == ("2024", [0, 7], [250])
    assert checked["training"]["learning_rate"] == 1e-3
    assert checked["training"]["epochs"] == 3
    assert checked["noise"]["photons"] == 1e5
    assert checked["network_options"]["unet"] == {"width": 8}
    changes = {"training": {"learning_rate": 1e-3}, "network_options": {"unet": {"width": 4}}}
    assert checked["sweep"]["variants"]["a"] == changes


def test_the_order_of_options_does_not_matter():
    turned = check({"study": "a", "network_options": {"sisprnet": {"width": 8, "hidden": 64}}}, SCHEMA)
    assert list(turned["network_options"]["sisprnet"]) == ["hidden", "width"]


def test_tensorboard_is_wanted_only_where_it_is(monkeypatch):
    monkeypatch.setattr("farfield.study.config.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="tensorboard: expected the package tensorboard, found none"):
        check({"study": "a", "tensorboard": True}, SCHEMA)
    monkeypatch.setattr("farfield.study.config.find_spec", lambda name: object())
    assert check({"study": "a", "tensorboard": True}, SCHEMA)["tensorboard"]


def test_a_variant_changes_what_it_names():
    variants = {
        "fast": {"training": {"learning_rate": 0.1}},
        "wide": {"network_options": {"unet": {"width": 64}}},
    }
    config = check({"study": "a", "sweep": {"variants": variants}}, SCHEMA)
    assert varied(config, "fast") == {**config, "training": {**config["training"], "learning_rate": 0.1}}
    options = {**config["network_options"], "unet": {"width": 64}}
    assert varied(config, "wide") == {**config, "network_options": options}
