"""Mistakes in what a config says of the near field, and of networks fitted to one pattern."""

import copy
import re

import pytest
import yaml
from conftest import ROOT

from farfield.physics import images
from farfield.study import config, fields, sections

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
STUDY = yaml.safe_load((ROOT / "config/test-co-driven.yaml").read_text())
STUDY["images"]["path"] = str(ROOT / "workflow/resources/fashion-mnist")


def merged(change):
    study = copy.deepcopy(STUDY)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(study.get(key), dict) and value and key != "fitted"
        study[key] = {**study[key], **value} if both else value
    return study


def checked(**change):
    return config.check(merged(change), SCHEMA, check_device=False)


@pytest.mark.parametrize("name", ["co-driven", "co-driven-crystals", "co-driven-images", "test-co-driven"])
def test_the_studies_of_the_third_paper_are_valid(name, monkeypatch):
    """The images of some are looked for among the 450 that lie here, as if they were all."""
    monkeypatch.chdir(ROOT)
    held = images.Held(60000, 28), images.Held(10000, 28)
    monkeypatch.setattr(sections.images, "check", lambda which, path: held[which == "test"])
    study = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    found = config.check(study, SCHEMA, check_device=False)
    shares = [settings["data"] for settings in found["objectives"].values()]
    assert {0.0, 0.3, 1.0} <= {*shares}


def test_objects_are_those_that_the_near_field_names():
    found = checked()
    assert sections.source(found) == "images"
    assert sections.source(checked(near_field={"objects": "waves", "unseen": ["crystals"]})) == "waves"
    assert fields.unseen(found) == ["unseen-waves"]
    assert fields.unseen(config.check({"study": "a"}, SCHEMA, check_device=False)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"near_field": {"distance": 0}}, "near_field: expected distance as metres above 0, got 0; change it"),
        ({"near_field": {"wavelength": -6e-7}}, "near_field: expected wavelength as metres above 0, got -6e-07"),
        (
            {"near_field": {"distance": 5e-3}},
            "near_field: expected fringes within half the frame, 16 pixels, got 24.7 at a distance of 5 mm; take at "
            "most 3.24 mm, or a frame of 50 pixels",
        ),
        ({"near_field": {"height": 0}}, "near_field: height: expected radians above 0, got 0; 1 is usual"),
        ({"near_field": {"unseen": ["images"]}}, "near_field: unseen: expected other objects than images, got them"),
        ({"oversampling": 2}, "oversampling: expected 1 in the near field, where holograms have the objects' frame"),
        ({"objectives": {"p": {"data": 1.5}}}, "objectives: p: expected data from 0, physics alone, to 1"),
        ({"objectives": {"p": {"labels": "after"}}}, "objectives: p: expected labels before, as they come"),
        ({"objectives": {"p": {"data": 0.0, "physics": "intensity"}}}, "objectives: p: expected physics out of"),
        (
            {"networks": ["unet", "unet-skip"]},
            "networks: expected one in the near field, as objectives tell methods",
        ),
        ({"training": {"versions": 8}}, "training: versions: expected 1 in the near field, got 8; change it"),
        ({"baselines": {"a": {}}}, "baselines: expected none in the near field, as they are of the far field"),
        ({"denoised": {"a": {"start": "blob"}}}, "denoised: expected none in the near field, as they are of the far"),
        (
            {"tables": ["strategies"]},
            "tables: strategies is of the far field; take it out (known of the near one: co",
        ),
        ({"figures": ["rings"]}, "figures: rings is of the far field; take it out"),
        (
            {"fitted": {"a": {"cycles": 0, "patterns": 3}}},
            "fitted: a: expected cycles as an integer of at least 1, got 0",
        ),
        (
            {"fitted": {"a": {"start": "DDD", "patterns": 3}}},
            "fitted: a: start: expected an objective, or '' for a fresh",
        ),
        ({"fitted": {"CD": {"patterns": 3}}}, "fitted: 'CD' is the name of another method; choose another"),
        ({"fitted": {"a": {"network": "unet", "patterns": 3}}}, "fitted: a: network: expected one of networks, got"),
        (
            {"fitted": {"a": {"frozen": True, "patterns": 3}}},
            "fitted: a: frozen: expected a start, whose encoder was",
        ),
        (
            {"fitted": {"a": {"start": "CD", "frozen": True, "patterns": 3}}, "networks": ["unet"]},
            "fitted: a: frozen: expected a network that names its encoder, got unet; set it to false",
        ),
        ({"fitted": {"a": {"physics": "intensity", "patterns": 3}}}, "fitted: a: expected physics out of amplitude,"),
        ({"fitted": {"a": {"patterns": 13}}}, "fitted: a: patterns: expected no more than images: test; lower it"),
    ],
)
def test_a_mistake_is_named(change, message):
    with pytest.raises(config.ConfigError, match=re.escape(message)):
        checked(**change)


def test_a_name_is_of_a_denoised_or_of_a_fitted_method():
    """Both would make the same stores."""
    with pytest.raises(config.ConfigError, match="fitted: 'a' is the name of another method; choose another"):
        config.check(
            {"study": "a", "denoised": {"a": {"start": "blob"}}, "fitted": {"a": {}}}, SCHEMA, check_device=False
        )


def test_objects_without_their_section_are_a_mistake():
    study = merged({})
    del study["images"]
    with pytest.raises(
        config.ConfigError, match="near_field: expected the section images, as objects are of it, got"
    ):
        config.check(study, SCHEMA, check_device=False)


def test_the_far_field_has_no_such_tables_and_needs_oversampling():
    with pytest.raises(config.ConfigError) as found:
        config.check({"study": "a", "oversampling": 1, "tables": ["co-driven"]}, SCHEMA, check_device=False)
    assert "oversampling: expected an integer at least 2, got 1" in str(found.value)
    assert "tables: co-driven is of the near field; take it out, or add the section near_field" in str(found.value)


def test_images_are_looked_for_where_objects_are_of_them():
    """A study of crystals that names images, as one of a series may, runs without the files."""
    study = merged({"near_field": {"objects": "crystals", "unseen": ["waves"]}, "images": {"path": "/nowhere"}})
    assert config.check(study, SCHEMA, check_device=False)["near_field"]["objects"] == "crystals"
    study["near_field"]["unseen"] = ["images"]
    with pytest.raises(config.ConfigError, match="images: expected"):
        config.check(study, SCHEMA, check_device=False)
