"""Networks fitted to one pattern: they explain it, and each alone what all do together."""

import pytest
import torch

from farfield.learning import training, untrained
from farfield.learning.networks import NETWORKS, create
from farfield.learning.networks.retriever import Retriever, predict
from farfield.learning.objectives import Objective
from farfield.learning.optics import FarField, Holograms
from farfield.learning.settings import Settings
from farfield.learning.untrained import Fitting
from farfield.physics import crystals, phases
from farfield.physics.near_field import NearField, offset_removed_mse

SIDE = 16
NEAR = NearField(distance=1.2e-3)
OPTICS = Holograms(NEAR)
OPTIONS = {"width": 4}


@pytest.fixture(scope="module")
def waves():
    return phases.waves(60, SIDE, 3, 1.0)


@pytest.fixture(scope="module")
def trained(waves, tmp_path_factory):
    settings = Settings(epochs=4, updates=0, batch_size=8, precision="float32", inputs="amplitude-normalised")
    how = {"folder": tmp_path_factory.mktemp("trained"), "near": NEAR, "options": OPTIONS}
    return training.fit("unet-skip", waves[:48], waves[48:56], settings, Objective(data=0.0), **how)


def fresh(patterns, optics=OPTICS):
    def begin(number):
        how = {"optics": optics, "inputs": "amplitude-normalised", "options": OPTIONS}
        return untrained.fresh("unet-skip", patterns[number], number, **how)

    return begin


def misfit(patterns, made):
    wrong = (NEAR.measure(made).sqrt() - patterns.sqrt()).square().sum((-2, -1))
    return wrong / (patterns.sqrt() - 1).square().sum((-2, -1))


def test_a_fresh_network_comes_to_explain_its_pattern(waves):
    patterns = NEAR.measure(waves[56:59])
    short, long = (
        untrained.fit_to_patterns(fresh(patterns), patterns, OPTICS, Fitting(cycles=cycles)) for cycles in (2, 300)
    )
    assert float(misfit(patterns, short).min()) > 0.5
    assert float(misfit(patterns, long).max()) < 0.1
    zero = offset_removed_mse(waves[56:59], torch.zeros_like(waves[56:59]))
    assert float((offset_removed_mse(waves[56:59], long) / zero).mean()) < 0.5


def test_a_trained_network_is_refined_and_stays_as_it_was(waves, trained):
    patterns = NEAR.measure(waves[56:])
    raw = predict(trained, patterns)
    refined = untrained.fit_to_patterns(lambda number: trained, patterns, OPTICS, Fitting(cycles=60))
    assert float((misfit(patterns, refined) / misfit(patterns, raw)).max()) < 0.7
    assert float(offset_removed_mse(waves[56:], refined).mean()) < float(offset_removed_mse(waves[56:], raw).mean())
    assert torch.equal(predict(trained, patterns), raw)


def test_each_is_fitted_to_its_own_pattern_alone(waves):
    """Whatever is fitted beside it, and however many, its noise as well."""
    patterns = NEAR.measure(waves[:10])
    fitting = Fitting(cycles=5, noise=0.1)
    whole = untrained.fit_to_patterns(fresh(patterns), patterns, OPTICS, fitting)
    assert whole.shape == (10, SIDE, SIDE)
    for number in (1, 9):
        one = patterns[number : number + 1]
        alone = untrained.fit_to_patterns(lambda _, n=number: fresh(patterns)(n), one, OPTICS, fitting, number)
        assert torch.allclose(alone[0], whole[number], atol=1e-4)


def test_one_cycle_is_an_update_by_adam(waves):
    """Against torch's own, on one network that is not stacked."""
    pattern = NEAR.measure(waves[:1])
    model, fitting = fresh(pattern)(0), Fitting(cycles=1, noise=0.0, weight_decay=0.01, learning_rate=2e-3)
    made = untrained.fit_to_patterns(fresh(pattern), pattern, OPTICS, fitting)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3, weight_decay=0.01)
    misfit(pattern, model(pattern)).sum().backward()
    optimizer.step()
    assert torch.allclose(model(pattern), made, atol=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
def test_any_network_is_fitted_and_applied_without_dropout(network):
    patterns = FarField(2).measure(crystals.simulate(2, SIDE, seed=4))

    def begin(number):
        how = {"optics": FarField(2), "inputs": "log-normalised", "options": {"width": 4}}
        return untrained.fresh(network, patterns[number], number, **how)

    made = untrained.fit_to_patterns(begin, patterns, FarField(2), Fitting(cycles=1, learning_rate=1e-30))
    expected = [predict(begin(number), patterns[number : number + 1])[0] for number in range(2)]
    assert torch.allclose(made, torch.stack(expected), atol=1e-5)


def test_the_noise_is_drawn_from_the_seed(waves):
    patterns = NEAR.measure(waves[:2])

    def fitted(seed, noise):
        return untrained.fit_to_patterns(fresh(patterns), patterns, OPTICS, Fitting(cycles=3, noise=noise), seed)

    assert torch.equal(fitted(1, 0.1), fitted(1, 0.1))
    assert not torch.equal(fitted(1, 0.1), fitted(2, 0.1))
    assert torch.equal(fitted(1, 0), fitted(2, 0))


def test_a_frozen_encoder_stays(waves, trained, monkeypatch):
    patterns, kept = NEAR.measure(waves[:2]), {}

    def stack(models):
        weights, buffers = torch.func.stack_module_state(models)
        kept.update(weights)
        return weights, buffers

    monkeypatch.setattr(untrained, "stack_module_state", stack)
    untrained.fit_to_patterns(lambda number: trained, patterns, OPTICS, Fitting(cycles=3, frozen=True))
    state = trained.state_dict()
    moved = {name for name, tensor in kept.items() if not torch.equal(tensor[0], state[name])}
    assert moved
    assert not any(name.startswith("backbone.down") for name in moved)
    assert {name for name in kept if not name.startswith("backbone.down")} == moved


def test_the_far_field_is_fitted_alike():
    objects = crystals.simulate(2, SIDE, seed=4)
    optics = FarField(2)
    patterns = optics.measure(objects)
    fitting = Fitting(cycles=200, noise=0.0, weight_decay=0.0, learning_rate=3e-3)
    made = untrained.fit_to_patterns(fresh(patterns, optics), patterns, optics, fitting)
    wrong = (optics.measure(made).sqrt() - patterns.sqrt()).square().sum((-2, -1)) / patterns.sum((-2, -1))
    assert float(wrong.max()) < 0.1


@pytest.mark.parametrize("optics", [FarField(2), OPTICS])
def test_a_pattern_shows_what_its_object_is_seen_by(waves, optics):
    objects = waves[:3] if optics is OPTICS else crystals.simulate(3, SIDE, seed=2)
    seen, shown = optics.seen(objects), optics.shown(optics.measure(objects))
    assert torch.allclose(seen, shown, atol=1e-4 * float(seen.abs().max()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cycles": 0}, "expected cycles as an integer of at least 1, got 0"),
        ({"learning_rate": 0.0}, "expected a learning_rate above 0, got 0"),
        ({"noise": -0.1}, "expected noise of at least 0, got -0.1"),
        ({"weight_decay": float("nan")}, "expected weight_decay of at least 0, got nan"),
        ({"physics": "phase"}, "expected physics out of amplitude, amplitude-l1, intensity, got 'phase'"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Fitting(**change)


def test_a_pattern_of_another_frame_is_refused(waves, trained):
    patterns = NEAR.measure(phases.waves(2, 24, 1, 1.0))
    with pytest.raises(ValueError, match=r"patterns of \(16, 16\), as the network is of, got \(24, 24\)"):
        untrained.fit_to_patterns(lambda number: trained, patterns, OPTICS, Fitting(cycles=1))


def test_a_misfit_of_intensities_is_none_of_holograms(waves, trained):
    with pytest.raises(ValueError, match="physics out of amplitude, amplitude-l1 in the near field, got intensity"):
        untrained.fit_to_patterns(
            lambda number: trained, NEAR.measure(waves[:1]), OPTICS, Fitting(cycles=1, physics="intensity")
        )


def test_a_network_without_an_encoder_cannot_keep_it():
    model = Retriever(create("mlp-decoder", SIDE, 2, hidden=8, width=4), 2 * SIDE, "amplitude")
    patterns = FarField(2).measure(crystals.simulate(1, SIDE, seed=4))
    with pytest.raises(ValueError, match="a network that names its encoder, to freeze it, got PerceptronDecoder"):
        untrained.fit_to_patterns(lambda number: model, patterns, FarField(2), Fitting(cycles=1, frozen=True))
