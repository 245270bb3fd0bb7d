import logging
import random
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from farfield.learning import networks, optimiser, training
from farfield.learning.networks.retriever import predict
from farfield.physics import crystals
from farfield.physics.diffraction import measure
from farfield.symmetry import metrics
from farfield.symmetry.actions import break_symmetries

SETTINGS = training.Settings(
    epochs=4,
    updates=0,
    batch_size=8,
    learning_rate=2e-3,
    learning_rate_floor=1e-5,
    factor=0.5,
    patience=3,
    precision="float32",
)


@pytest.fixture(scope="module")
def sets():
    items = crystals.simulate(56, 16, 3)
    return break_symmetries(items[:40]), items[40:]


def fit(sets, folder, network="sisprnet", settings=SETTINGS, **options):
    return training.fit(network, *sets, settings, folder=folder, seed=5, options={"width": 8}, **options)


def weights(folder: Path) -> bytes:
    return b"".join((folder / name).read_bytes() for name in ("final.safetensors", "best.safetensors"))


TIMES = ["seconds", "samples_per_second"]


class Killed(Exception):
    pass


def test_resumed_training_equals_an_undisturbed_one(sets, tmp_path, monkeypatch):
    """Killed after every epoch in turn; sisprnet has dropout, so its random numbers must come back too."""
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)
    fit(sets, tmp_path / "whole")
    save = training._Trainer.save

    def save_and_die(self, path):
        save(self, path)
        raise Killed

    monkeypatch.setattr(training._Trainer, "save", save_and_die)
    for _ in range(SETTINGS.epochs):
        with pytest.raises(Killed):
            fit(sets, tmp_path / "killed")
        assert not (tmp_path / "killed/final.safetensors").exists()
    monkeypatch.setattr(training._Trainer, "save", save)
    fit(sets, tmp_path / "killed")
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    histories = [pd.read_csv(tmp_path / name / "history.csv").drop(columns=TIMES) for name in ("killed", "whole")]
    pd.testing.assert_frame_equal(*histories)
    assert not (tmp_path / "killed/checkpoint.pt").exists()


def test_killed_at_random_moments(sets, tmp_path):
    """kill -9 again and again, wherever it hits, then the same call: the weights of an undisturbed run."""
    longer = training.Settings(**{**vars(SETTINGS), "epochs": 60})
    fit(sets, tmp_path / "whole", settings=longer)
    script = f"""
import torch
from farfield.learning import training
from farfield.physics import crystals
from farfield.symmetry import actions
torch.set_num_threads(1)
training.CHECKPOINT_SECONDS = 0.02
items = crystals.simulate(56, 16, 3)
settings = training.Settings(**{vars(longer)!r})
print("begins", flush=True)
training.fit("sisprnet", actions.break_symmetries(items[:40]), items[40:], settings,
             folder={str(tmp_path / "killed")!r}, seed=5, options={{"width": 8}})
"""
    moments = random.Random(8)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(moments.uniform(0.2, 1.5))
        process.kill()
        process.wait()
        process.stdout.close()
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == [
        "best.safetensors",
        "final.safetensors",
        "history.csv",
    ]


class Notebook(torch.nn.Module):
    """A network as a notebook registers it."""

    def __init__(self, image_size, oversampling=2, width: int = 8):
        super().__init__()
        self.size, self.layer = image_size, torch.nn.Linear((oversampling * image_size) ** 2, 2 * image_size**2)

    def forward(self, amplitude):
        return self.layer(amplitude.flatten(1)).reshape(-1, 2, self.size, self.size)


class Edited(Notebook):
    def forward(self, amplitude):
        return 100 * super().forward(amplitude)


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_network_that_was_edited_in_a_notebook_is_trained(sets, tmp_path, monkeypatch, caplog, interrupted):
    monkeypatch.setitem(networks.NETWORKS, "mine", Notebook)
    if interrupted:
        _cut_off(sets, tmp_path, monkeypatch, "mine")
    else:
        fit(sets, tmp_path, "mine")
    monkeypatch.setitem(networks.NETWORKS, "mine", Edited)
    rows = []
    with caplog.at_level(logging.WARNING):
        fit(sets, tmp_path, "mine", on_epoch=rows.append)
    assert len(rows) == SETTINGS.epochs
    assert ("of another config, data or code; training starts anew" in caplog.text) is interrupted


def _cut_off(sets, folder, monkeypatch, network):
    """Leave a checkpoint after two epochs."""

    def stop(row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(sets, folder, network, on_epoch=stop)
    assert (folder / "checkpoint.pt").exists()


def test_the_same_cell_run_again_trains_again_and_one_that_was_cut_off_goes_on(sets, tmp_path, monkeypatch):
    monkeypatch.setitem(networks.NETWORKS, "mine", Notebook)
    for _ in range(2):
        rows = []
        fit(sets, tmp_path, "mine", on_epoch=rows.append)
        assert len(rows) == SETTINGS.epochs
    _cut_off(sets, tmp_path / "cut", monkeypatch, "mine")
    rows = []
    fit(sets, tmp_path / "cut", "mine", on_epoch=rows.append)
    assert [row["epoch"] for row in rows] == [3, 4]


def test_a_notebook_needs_no_settings_and_gets_a_model_that_tells_its_origin(sets, tmp_path):
    arrays = [items[:8].numpy() for items in sets]
    model = training.fit(
        "unet", *arrays, training.Settings(epochs=1, updates=0), folder=tmp_path, options={"width": 8}
    )
    assert model.description["samples"] == 8
    assert model.description == networks.load(tmp_path / "final.safetensors").description
    assert model(measure(sets[1])[0]).shape == (16, 16)
    assert model(measure(sets[1])[:6].reshape(2, 3, 32, 32)).shape == (2, 3, 16, 16)
    with pytest.raises(ValueError, match=r"expected patterns of shape \(…, 32, 32\), got \(2, 16, 16\); crop or pad"):
        model(torch.ones(2, 16, 16))


def test_objects_of_double_precision_are_trained_on_and_real_ones_refused(sets, tmp_path):
    one = training.Settings(epochs=1, updates=0)
    double = [items[:8].numpy().astype("complex128") for items in sets]
    model = training.fit("unet", *double, one, folder=tmp_path, options={"width": 8})
    assert model(measure(sets[1]).double()).dtype == torch.complex64
    with pytest.raises(ValueError, match="expected at least one pattern, got float32 of shape"):
        model(torch.ones(0, 32, 32))
    with pytest.raises(ValueError, match=r"expected complex training objects, got .*float32; convert them"):
        training.fit("unet", sets[0].abs(), sets[1], one, folder=tmp_path)


def test_settings_have_the_configs_defaults_and_refuse_what_cannot_be():
    schema = yaml.safe_load((Path(__file__).parents[2] / "workflow/schemas/config.schema.yaml").read_text())
    defaults = {key: rule["default"] for key, rule in schema["properties"]["training"]["properties"].items()}
    assert vars(training.Settings()) == defaults
    for change, message in (
        ({"epochs": 0}, "expected epochs as an integer of at least 1, got 0"),
        ({"batch_size": 0}, "expected batch_size as an integer of at least 1, got 0"),
        ({"learning_rate": 1e-6}, "expected a learning_rate_floor between 0 and the learning_rate"),
        ({"factor": 1.0}, "expected a factor between 0 and 1"),
        ({"precision": "half"}, "expected precision out of auto, float32, bfloat16"),
        ({"inputs": "raw"}, "expected inputs out of log"),
    ):
        with pytest.raises(ValueError, match=message):
            training.Settings(**change)


@pytest.mark.parametrize("change", ["config", "data", "code", "truncated", "another file"])
def test_a_checkpoint_of_something_else_is_not_mixed_in(sets, tmp_path, monkeypatch, caplog, change):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(training._Trainer, "finished", property(lambda self: len(self.history) >= 2))
    folder = tmp_path / "changed"
    if change == "code":
        monkeypatch.setattr(training, "digest", lambda *sources: "another")
    other = training.Settings(**{**vars(SETTINGS), "learning_rate": 1e-3}) if change == "config" else SETTINGS
    training_set = sets[0].flip(0) if change == "data" else sets[0]
    monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: None)  # leaves the checkpoint behind
    fit((training_set, sets[1]), folder, settings=other)
    monkeypatch.undo()
    if change == "another file":
        torch.save(torch.zeros(3), folder / "checkpoint.pt")
    if change == "truncated":
        (folder / "checkpoint.pt").write_bytes((folder / "checkpoint.pt").read_bytes()[:1000])
    with caplog.at_level(logging.WARNING):
        fit(sets, folder)
    assert "training starts anew" in caplog.text
    fit(sets, tmp_path / "whole")
    assert weights(folder) == weights(tmp_path / "whole")


def test_checkpoints_execute_no_pickles(sets, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path(tmp_path / "executed").touch, ())

    folder = tmp_path / "m"
    folder.mkdir()
    torch.save({"fingerprint": Trap()}, folder / "checkpoint.pt")
    fit(sets, folder)
    assert not (tmp_path / "executed").exists()


def test_a_loss_that_is_not_finite_stops_the_training(sets, tmp_path):
    wild = training.Settings(**{**vars(SETTINGS), "learning_rate": 1e30})
    with pytest.raises(
        training.TrainingError, match=r"expected a finite loss, got .* in epoch \d+ at learning rate 1e\+30"
    ):
        fit(sets, tmp_path, network="unet", settings=wild)
    assert not list(tmp_path.glob("*"))


def test_best_model_is_the_best_validated(sets, tmp_path):
    fit(sets, tmp_path)
    history = pd.read_csv(tmp_path / "history.csv")
    scores = {}
    for name in ("final", "best"):
        model = networks.load(tmp_path / f"{name}.safetensors")
        estimate = predict(model, measure(sets[1]))
        scores[name] = float(metrics.symmetry_adjusted_mse(sets[1], estimate).mean())
    assert scores["best"] == pytest.approx(history.validation_sa_mse.min(), rel=1e-5)
    assert scores["final"] == pytest.approx(history.validation_sa_mse.iloc[-1], rel=1e-5)
    assert list(history.epoch) == [1, 2, 3, 4]
    assert (history.samples_per_second > 0).all()


def test_a_model_tells_where_it_comes_from(sets, tmp_path):
    training.fit("unet", *sets, SETTINGS, folder=tmp_path, seed=3, options={"width": 8}, origin={"git_commit": "abc"})
    history = pd.read_csv(tmp_path / "history.csv")
    for name, epoch in (("final", 4), ("best", int(history.validation_sa_mse.argmin()) + 1)):
        about = networks.load(tmp_path / f"{name}.safetensors").description
        assert (about["checkpoint"], about["epoch"]) == (name, epoch)
        assert about["validation_sa_mse"] == pytest.approx(history.validation_sa_mse[epoch - 1])
        assert about["training"] == vars(SETTINGS)
        assert (about["seed"], about["samples"], about["git_commit"]) == (3, 40, "abc")


def test_who_watches_sees_every_epoch_and_the_history_so_far(sets, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)
    seen, files = [], []

    def watch(row):
        seen.append(row["epoch"])
        files.append(len(pd.read_csv(tmp_path / "progress.csv")) if (tmp_path / "progress.csv").exists() else 0)

    fit(sets, tmp_path, on_epoch=watch)
    assert seen == [1, 2, 3, 4]
    assert files == [0, 1, 2, 3]
    assert not (tmp_path / "progress.csv").exists()


@pytest.mark.parametrize("inputs", ["log", "amplitude-standardised"])
def test_other_inputs_travel_with_the_model(sets, tmp_path, inputs):
    fit(sets, tmp_path, network="unet", settings=training.Settings(**{**vars(SETTINGS), "inputs": inputs}))
    model = networks.load(tmp_path / "final.safetensors")
    scaled = model.scale(measure(sets[0]))
    assert model.description["inputs"] == inputs
    assert bool(model.mean.any()) is inputs.endswith("standardised")
    assert float(scaled.mean().abs()) < 1e-3 if model.mean.any() else float(scaled.mean()) > 0.1


def test_a_gpu_without_memory_names_the_batch_size_to_try(sets, tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(training, "_one_epoch", full)
    with pytest.raises(
        training.TrainingError, match="batches of 8, got none left; set training: batch_size: 4, or lower memory"
    ):
        fit(sets, tmp_path)


def test_training_stops_at_the_floor_of_the_learning_rate(sets, tmp_path):
    falling = training.Settings(**{**vars(SETTINGS), "epochs": 50, "learning_rate_floor": 1.5e-3, "patience": 0})
    fit(sets, tmp_path, settings=falling)
    assert len(pd.read_csv(tmp_path / "history.csv")) < 50


def test_small_sets_get_more_passes():
    settings = training.Settings(**{**vars(SETTINGS), "updates": 100, "batch_size": 10})
    assert settings.epochs_of(1000) == 4
    assert settings.epochs_of(55) == 17


def test_training_learns(sets, tmp_path):
    longer = training.Settings(**{**vars(SETTINGS), "epochs": 40})
    training.fit("unet", *sets, longer, folder=tmp_path, options={"width": 8})
    history = pd.read_csv(tmp_path / "history.csv")
    assert history.loss.iloc[-1] < 0.7 * history.loss.iloc[0]


def test_bfloat16_trains_to_a_similar_loss(sets, tmp_path):
    short = training.Settings(**{**vars(SETTINGS), "precision": "bfloat16"})
    losses = []
    for settings, name in ((SETTINGS, "a"), (short, "b")):
        fit(sets, tmp_path / name, network="unet", settings=settings)
        losses.append(pd.read_csv(tmp_path / name / "history.csv").loss.iloc[-1])
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert losses[0] != losses[1]


def test_a_training_told_to_stop_in_the_middle_of_an_epoch_loses_no_whole_one(sets, tmp_path, monkeypatch):
    fit(sets, tmp_path / "whole")
    step, steps = optimiser.Adam.step, []

    def stop(*arguments, **options):
        steps.append(1)
        if len(steps) == 12:  # five updates an epoch
            raise SystemExit("error: ended by signal 15")
        return step(*arguments, **options)

    folder = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(optimiser.Adam, "step", stop)
        with pytest.raises(SystemExit):
            fit(sets, folder)
    assert len(pd.read_csv(folder / "progress.csv")) == 2
    fit(sets, folder)
    assert weights(folder) == weights(tmp_path / "whole")
