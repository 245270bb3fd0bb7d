"""Turned and mirrored samples: still each other's pattern and object, and refused where they would not be."""

import pytest
import torch

from farfield.learning import networks, training
from farfield.learning.batches import Batches
from farfield.learning.objectives import Objective
from farfield.learning.optics import FarField
from farfield.learning.versions import VERSIONS, vary
from farfield.physics import crystals
from farfield.physics.diffraction import measure


def parts(objects):
    return torch.stack([objects.real, objects.imag], dim=1)


def objects_of(targets):
    return torch.complex(targets[:, 0], targets[:, 1])


def every_version(objects, oversampling):
    """Draw so often that each version comes: patterns and objects (8, …) of fifty times one object."""
    found, generator = {}, torch.Generator().manual_seed(0)
    for _ in range(4):
        drawn = vary(measure(objects, oversampling), parts(objects), 8, generator)
        for pattern, target in zip(*drawn, strict=True):
            found.setdefault(target.numpy().tobytes(), (pattern, target))
    assert len(found) == 8
    patterns, targets = zip(*found.values(), strict=True)
    return torch.stack(patterns), objects_of(torch.stack(targets))


@pytest.mark.parametrize(("size", "oversampling"), [(9, 2), (8, 3), (9, 3)])
def test_a_turned_object_has_the_turned_pattern(size, oversampling):
    """DC stays where it is: in the middle of odd patterns, and one line past it in even ones."""
    alone = torch.randn(1, size, size, dtype=torch.complex64, generator=torch.Generator().manual_seed(4))
    patterns, objects = every_version(alone.expand(50, -1, -1), oversampling)
    assert torch.allclose(measure(objects, oversampling), patterns, rtol=1e-4, atol=1e-3)
    middle = oversampling * size // 2
    assert (patterns[:, middle, middle] == patterns[0, middle, middle]).all()


def test_the_eight_versions_are_those_of_a_square():
    """As numpy turns and mirrors it, no two alike; and so are their patterns, for no two are conjugate flips."""
    alone = torch.arange(9.0).reshape(1, 3, 3).to(torch.complex64)
    patterns, objects = every_version(alone.expand(50, -1, -1), 3)
    turned = [torch.rot90(side, k) for side in (alone[0], alone[0].T) for k in range(4)]
    assert {x.numpy().tobytes() for x in objects} == {x.numpy().tobytes() for x in turned}
    assert len(VERSIONS) == 8
    # of real objects, a half turn is the conjugate flip; with a phase ramp they are eight
    ramp = torch.polar(torch.ones(3, 3), torch.arange(9.0).reshape(3, 3).square())
    patterns, _ = every_version((alone * ramp).expand(50, -1, -1), 3)
    distance = (patterns[:, None] - patterns).abs().amax((-1, -2))
    assert (distance + torch.eye(8) > 0.1).all()


@pytest.mark.parametrize("versions", [2, 4, 8])
def test_fewer_versions_are_a_group_too(versions):
    """A version of a version is one of them: no set of samples is nearer to some of its objects than to others."""
    generator = torch.Generator().manual_seed(0)
    square = torch.arange(9.0).reshape(1, 1, 3, 3).expand(100, 2, 3, 3)

    def drawn(squares):
        return vary(torch.zeros(100, 6, 6), squares, versions, generator)[1]

    once = {x.numpy().tobytes() for x in drawn(square)}
    assert len(once) == versions
    assert {x.numpy().tobytes() for x in drawn(drawn(square))} == once


def feed(objects, versions):
    how = {"device": torch.device("cpu"), "dtype": torch.float32, "memory": 1.0, "versions": versions}
    return Batches(objects, FarField(2), torch.sqrt, **how)


def test_an_epoch_has_each_sample_once_and_another_version_in_the_next():
    objects = crystals.simulate(150, 16, 3)
    fed = feed(objects, 8)
    energy = objects.abs().square().sum((1, 2))
    epochs = [list(fed.epoch(32, seed)) for seed in (0, 1, 0)]
    for epoch in epochs:
        assert [len(inputs) for inputs, _ in epoch] == [32, 32, 32, 32, 22]
        found = torch.cat([targets for _, targets in epoch]).square().sum((1, 2, 3))
        assert torch.allclose(found.sort().values, energy.sort().values, rtol=1e-5)  # which no version changes
        for inputs, targets in epoch:
            assert torch.allclose(inputs.square(), measure(objects_of(targets)), rtol=1e-3, atol=1e-2)
    first, second, again = ({x.numpy().tobytes() for _, targets in epoch for x in targets} for epoch in epochs)
    assert first == again
    assert 0 < len(first & second) < 75  # about one in eight
    as_they_come = {x.numpy().tobytes() for x in parts(objects)}
    assert 0 < len(first & as_they_come) < 75
    assert {x.numpy().tobytes() for _, targets in feed(objects, 1).epoch(32, 0) for x in targets} == as_they_come


SETTINGS = {"epochs": 1, "updates": 0, "batch_size": 8, "precision": "float32"}


def fit(folder, network="unet", labels="before", **changes):
    items = crystals.simulate(16, 16, 3)
    objective, settings = Objective(labels=labels), training.Settings(**SETTINGS, **changes)
    return training.fit(network, items[:12], items[12:], settings, objective, folder=folder, options={"width": 8})


@pytest.mark.parametrize("name", ["log", "amplitude"])
def test_inputs_that_are_scaled_pixel_by_pixel_are_no_turned_ones(tmp_path, name):
    message = f"alike for 8 versions, got {name}-standardised; use {name}-normalised$"
    with pytest.raises(ValueError, match=message):
        fit(tmp_path, versions=8, inputs=f"{name}-standardised")
    assert not list(tmp_path.iterdir())
    fit(tmp_path, versions=8, inputs=f"{name}-normalised")  # the advice, followed


def test_a_network_that_chooses_its_inputs_is_not_held_to_those_of_the_config(tmp_path):
    fit(tmp_path, "mlp-decoder", versions=8, inputs="log-standardised")
    assert networks.load(tmp_path / "final.safetensors").description["inputs"] == "amplitude"


@pytest.mark.parametrize("labels", ["centred", "phase", "after", "natural"])
def test_no_turned_sample_has_a_chosen_label(tmp_path, labels):
    with pytest.raises(ValueError, match=f"expected labels before or invariant .*, got {labels}, which no turned"):
        fit(tmp_path, labels=labels, versions=2, inputs="log")
    fit(tmp_path, labels=labels, versions=1, inputs="log")  # the advice, followed
    fit(tmp_path / "invariant", labels="invariant", versions=2, inputs="log")


def test_a_count_that_is_no_group_is_refused():
    with pytest.raises(ValueError, match="expected versions as 1, 2, 4 or 8, got 3; 8 are all"):
        training.Settings(versions=3)
