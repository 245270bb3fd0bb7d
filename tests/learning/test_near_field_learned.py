"""The same networks, objectives and training in the near field: another forward model, another alignment."""

import numpy as np
import pandas as pd
import pytest
import torch

from farfield.learning import training
from farfield.learning.networks import retriever
from farfield.learning.objectives import Loss, Objective
from farfield.learning.optics import FarField, Holograms, optics
from farfield.learning.settings import Settings
from farfield.physics import phases
from farfield.physics.near_field import NearField, offset_removed_mse

SIDE = 16
NEAR = NearField(distance=1.2e-3)
SETTINGS = Settings(
    epochs=10, updates=0, batch_size=8, precision="float32", inputs="amplitude-normalised", schedule="cosine"
)


@pytest.fixture(scope="module")
def sets():
    waves = phases.waves(96, SIDE, 3, 1.0)
    return waves[:80], waves[80:]


def fit(sets, folder, objective, settings=SETTINGS, **options):
    how = {"folder": folder, "near": NEAR, "options": {"width": 8}}
    return training.fit("unet-skip", *sets, settings, objective, **{**how, **options})


def test_physics_costs_the_truth_nothing_and_a_flat_wave_one(sets):
    truth = sets[0][:4]
    targets = torch.stack([truth.real, truth.imag], 1)

    def cost(parts, physics, data=0.0):
        loss = Loss(Objective(data=data, physics=physics), 1.0, Holograms(NEAR), torch.ones(()))
        return float(loss(lambda inputs: parts, torch.zeros(4, SIDE, SIDE), targets, 0.0))

    for physics in ("amplitude", "amplitude-l1"):
        assert cost(targets, physics) < 1e-6
        assert cost(targets + 0.8, physics) < 1e-5, "an offset is lost"
        assert cost(0 * targets, physics) == pytest.approx(1, rel=1e-4)
        assert cost(targets.flip(-1), physics) > 0.05
    both = cost(0.5 * targets, "amplitude", data=0.3)
    plain = float((0.5 * targets).square().mean())
    assert both == pytest.approx(0.3 * plain + 0.7 * cost(0.5 * targets, "amplitude"), rel=1e-5)


def test_the_misfit_is_of_what_the_hologram_has_above_one(sets):
    truth, made = sets[0][:3], sets[1][:3]
    loss = Loss(Objective(data=0.0), 2.0, Holograms(NEAR), torch.ones(()))
    found = loss._physics(*(torch.stack([x.real, x.imag], 1) for x in (made, truth)), 0.0)
    one, other = (NEAR.measure(x).sqrt().numpy() for x in (made, truth))
    expected = ((one - other) ** 2).sum((1, 2)) / ((other - 1) ** 2).sum((1, 2))
    assert float(found) == pytest.approx(2 * expected.mean(), rel=1e-4)


@pytest.mark.parametrize("data", [0.0, 0.3, 1.0])
def test_each_strategy_learns(sets, tmp_path, data):
    model = fit(sets, tmp_path, Objective(data=data))
    zero = float(offset_removed_mse(sets[1], torch.zeros_like(sets[1])).mean())
    made = retriever.predict(model, NEAR.measure(sets[1]))
    error = float(offset_removed_mse(sets[1], made).mean())
    assert error < 0.6 * zero
    history = pd.read_csv(tmp_path / "history.csv")
    assert history.validation_sa_mse.iloc[-1] == pytest.approx(error, rel=1e-3)
    assert model.description["near_field"] == {"wavelength": 632.8e-9, "pixel": 8e-6, "distance": 1.2e-3}
    assert model.description["oversampling"] == 1
    again = retriever.load(tmp_path / "final.safetensors")
    assert np.array_equal(retriever.predict(again, NEAR.measure(sets[1])), made)


def test_a_streamed_set_is_learned_the_same(sets, tmp_path):
    for name, memory in (("resident", 2.0), ("streamed", 1e-9)):
        fit(sets, tmp_path / name, Objective(data=0.3), Settings(**{**vars(SETTINGS), "epochs": 2}), memory=memory)
    one, other = (pd.read_csv(tmp_path / name / "history.csv").loss for name in ("resident", "streamed"))
    assert one.equals(other)


@pytest.mark.parametrize(
    ("objective", "change", "message"),
    [
        (Objective(labels="after"), {}, "labels before, as they come, in the near field, got after"),
        (Objective(data=0.3, labels="invariant"), {}, "in the near field, got invariant"),
        (Objective(data=0.0, low_pass=(1.5, 0.75)), {}, "no low_pass in the near field"),
        (Objective(data=0.3, physics="intensity"), {}, "amplitude-l1 in the near field, got intensity"),
        (Objective(), {"versions": 8}, "versions of 1 in the near field, got 8"),
    ],
)
def test_what_has_no_meaning_there_is_refused(sets, tmp_path, objective, change, message):
    with pytest.raises(ValueError, match=message):
        fit(sets, tmp_path, objective, Settings(**{**vars(SETTINGS), **change}))


def test_a_frame_that_cannot_hold_the_fringes_is_refused(sets, tmp_path):
    with pytest.raises(ValueError, match=r"take at most 1\.62 mm, or a frame of 20 pixels"):
        fit(sets, tmp_path, Objective(), near=NearField(distance=2e-3))


def test_optics_are_those_that_are_asked_for():
    assert optics(3, None) == FarField(3)
    assert optics(2, NEAR).near == NEAR
