"""What a training makes of its objective: it learns, resumes, streams, and sees no more than it should."""

import math

import pandas as pd
import pytest
import torch
from conftest import random_copy

from farfield.learning import batches, networks, optimiser, training
from farfield.learning.networks.hybrid import Hybrid
from farfield.learning.objectives import Objective
from farfield.machine import store
from farfield.physics import crystals
from farfield.study import datasets

SETTINGS = training.Settings(
    epochs=4,
    updates=0,
    batch_size=8,
    learning_rate=2e-3,
    learning_rate_floor=1e-5,
    schedule="cosine",
    precision="float32",
)

OBJECTIVES = {
    "invariant": Objective(labels="invariant"),
    "passive": Objective(data=0.0, low_pass=(1.0, 0.75), jacobian=1e-3),
    "mixed": Objective(data=0.3, physics="amplitude-l1"),
}

TIMES = ["seconds", "samples_per_second"]


@pytest.fixture(scope="module")
def sets():
    items = crystals.simulate(140, 16, 3)
    return items[:128], items[128:]


def fit(sets, folder, objective, network="mlp-decoder", change=None, **options):
    settings = training.Settings(**{**vars(SETTINGS), **(change or {})})
    width = {"width": 8, "hidden": 64} if network in ("mlp-decoder", "hybrid", "sisprnet") else {"width": 8}
    training.fit(network, *sets, settings, objective, folder=folder, seed=5, options=width, **options)
    return pd.read_csv(folder / "history.csv").drop(columns=TIMES)


def weights(folder):
    return b"".join((folder / name).read_bytes() for name in ("final.safetensors", "best.safetensors"))


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_every_objective_is_learned(sets, tmp_path, objective):
    history = fit(sets, tmp_path, objective, change={"epochs": 12})
    assert history.loss.iloc[-1] < 0.9 * history.loss.iloc[0]


def test_a_network_that_is_trained_for_what_counts_gets_there(sets, tmp_path):
    """By invariant labels the validation SA-MSE falls below that of labels as they come, in the same time."""
    scores = {
        labels: fit(sets, tmp_path / labels, Objective(labels=labels), change={"epochs": 12}).validation_sa_mse.min()
        for labels in ("before", "invariant")
    }
    assert scores["invariant"] < 0.9 * scores["before"]


@pytest.mark.parametrize("network", ["mlp-decoder", "sisprnet"])
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_a_training_that_was_cut_off_ends_as_if_it_was_not(sets, tmp_path, objective, network):
    """Bit by bit: noise, dropout, the place in the schedule and the width of the low pass are those of the epoch."""

    def stop(row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    few = sets[0][:20], sets[1]
    whole = fit(few, tmp_path / "whole", objective, network)
    with pytest.raises(KeyboardInterrupt):
        fit(few, tmp_path / "cut", objective, network, on_epoch=stop)
    seen = []
    history = fit(few, tmp_path / "cut", objective, network, on_epoch=seen.append)
    assert [row["epoch"] for row in seen] == [3, 4]
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    pd.testing.assert_frame_equal(history, whole)


def test_a_checkpoint_of_another_objective_is_not_mixed_in(sets, tmp_path, caplog):
    few = sets[0][:20], sets[1]

    def stop(row):
        raise KeyboardInterrupt

    for objective in (OBJECTIVES["passive"], Objective(data=0.0, low_pass=(1.0, 0.5), jacobian=1e-3)):
        with pytest.raises(KeyboardInterrupt):
            fit(few, tmp_path, objective, on_epoch=stop)
    assert "of another config, data or code; training starts anew" in caplog.text


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_a_streamed_set_has_the_losses_of_one_in_memory(sets, tmp_path, monkeypatch, objective):
    monkeypatch.setattr(batches, "GROUP", 64 * 16**2)
    store.write_dataset(datasets.from_objects(sets[0], 2), tmp_path / "train.zarr")
    lazily = store.open_dataset(tmp_path / "train.zarr").object
    change = {"epochs": 2, "versions": 8, "inputs": "log-normalised"}
    resident = fit(sets, tmp_path / "resident", objective, "unet", change)
    streamed = fit((lazily, sets[1]), tmp_path / "streamed", objective, "unet", change, memory=1e-9)
    pd.testing.assert_frame_equal(resident, streamed)


def test_passive_training_sees_no_label(sets, tmp_path):
    """Translated, flipped and turned in phase, training objects give the same losses; by labels they do not."""
    copies = random_copy(sets[0], 11), sets[1]
    passive = Objective(data=0.0, low_pass=(1.5, 0.75))
    found = {}
    for name, objective in (("passive", passive), ("labels", Objective())):
        losses = [
            fit(of, tmp_path / f"{name}{number}", objective).loss.to_numpy()
            for number, of in enumerate((sets, copies))
        ]
        found[name] = abs(losses[0] / losses[1] - 1).max()
    assert found["passive"] < 1e-5  # their patterns agree to rounding, and 64 updates make no more of it
    assert found["labels"] > 1e-3


def test_the_rate_of_a_cosine_rises_and_falls_back(sets, tmp_path, monkeypatch):
    rates, step = [], optimiser.Adam.step

    def note(self, *arguments, **options):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *arguments, **options)

    monkeypatch.setattr(optimiser.Adam, "step", note)
    history = fit(sets, tmp_path, Objective(), change={"epochs": 10})
    floor, top = SETTINGS.learning_rate_floor, SETTINGS.learning_rate
    assert len(rates) == 160
    assert rates[0] == pytest.approx(floor)
    assert rates[4] == pytest.approx((floor + top) / 2)  # in the middle of the first 5 %
    assert rates[8] == pytest.approx(top)
    assert rates[:9] == sorted(rates[:9])
    assert rates[8:] == sorted(rates[8:], reverse=True)
    assert rates[84] == pytest.approx((floor + top) / 2)  # halfway down
    for number in (20, 50, 159):
        expected = floor + (top - floor) * (1 + math.cos(math.pi * (number - 8) / 152)) / 2
        assert rates[number] == pytest.approx(expected)
    assert rates[-1] < floor + 2e-4 * top
    assert history.learning_rate.tolist() == pytest.approx(rates[15::16])  # each epoch's last


def test_a_plateau_keeps_its_rate_until_the_validation_tells(sets, tmp_path):
    few = sets[0][:20], sets[1]
    still = fit(few, tmp_path / "still", Objective(), change={"schedule": "plateau", "patience": 9})
    assert still.learning_rate.tolist() == [2e-3] * 4
    wild = {"schedule": "plateau", "patience": 0, "learning_rate": 1.0, "epochs": 9, "learning_rate_floor": 0.1}
    falling = fit(few, tmp_path / "falling", Objective(), change=wild)
    rates, scores = falling.learning_rate.tolist(), falling.validation_sa_mse
    expected = [1.0]
    for number in range(1, len(rates)):
        better = scores[number - 1] < scores[: number - 1].min() * (1 - 1e-4) if number > 1 else True
        expected.append(max(0.1, expected[-1] * (1 if better else 0.5)))
    assert rates == pytest.approx(expected)
    assert len(set(rates)) > 1


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="expected schedule out of plateau, cosine, got 'cosin'; change it"):
        training.Settings(schedule="cosin")


class Watched(Hybrid):
    seen: tuple = ()

    def forward(self, amplitude):
        Watched.seen = (*Watched.seen, (amplitude.dtype, torch.is_autocast_enabled("cpu")))
        return super().forward(amplitude)


def test_amplitudes_that_a_network_squares_keep_their_digits_in_bfloat16(sets, tmp_path, monkeypatch):
    """Rounded to 8 bits, their autocorrelation would be noise; what follows is computed in bfloat16 all the same."""
    monkeypatch.setitem(networks.NETWORKS, "mine", Watched)
    few, short = (sets[0][:20], sets[1]), {"epochs": 1, "precision": "bfloat16"}
    monkeypatch.setattr(Watched, "seen", ())
    fit(few, tmp_path, Objective(), "mine", short)
    assert {dtype for dtype, _ in Watched.seen} == {torch.float32}
    assert (torch.float32, True) in Watched.seen
