import subprocess
import sys

import numpy as np
import pytest
import torch
import xarray as xr

import farfield
from farfield import __main__ as command
from farfield.learning import networks, tensorboard, training
from farfield.learning.networks.retriever import predict
from farfield.machine import store
from farfield.measured import application
from farfield.physics.diffraction import measure
from farfield.study import datasets, release, watching
from farfield.symmetry import metrics

SETTINGS = training.Settings(
    epochs=2, updates=0, batch_size=8, learning_rate=2e-3, learning_rate_floor=1e-5, factor=0.5, patience=3
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, objects):
    folder = tmp_path_factory.mktemp("study") / "models/unet/after/n40/seed0"
    training.fit(
        "unet",
        objects[:40],
        objects[40:],
        SETTINGS,
        folder=folder,
        options={"width": 8},
        origin={"symmetry": "after", "objects": "crystals", "git_commit": "abc"},
    )
    return folder


@pytest.fixture
def model(folder):
    return folder / "best.safetensors"


@pytest.fixture
def patterns(objects, tmp_path):
    np.save(tmp_path / "patterns.npy", measure(objects[:5]).numpy())
    store.write_dataset(datasets.from_objects(objects[:5], 2), tmp_path / "test.zarr")
    return {"npy": tmp_path / "patterns.npy", "zarr": tmp_path / "test.zarr"}


def test_a_file_of_patterns_becomes_a_file_of_objects(model, patterns, objects, tmp_path):
    expected = predict(networks.load(model), measure(objects[:5]))
    assert application.apply(model, patterns["npy"], tmp_path / "out.npy") is None
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected.numpy())
    with pytest.raises(ValueError, match="expected a new file to write, got one that exists"):
        application.apply(model, patterns["zarr"], patterns["zarr"])
    errors = application.apply(model, patterns["zarr"], tmp_path / "out.zarr")
    energy = objects[:5].abs().square().mean()
    wanted = metrics.symmetry_adjusted_mse(objects[:5], expected) / energy
    assert np.allclose(errors, wanted)
    found = store.open_dataset(tmp_path / "out.zarr")
    assert found.object.dims == ("seed", "checkpoint", "sample", "y", "x")
    assert np.array_equal(found.object.values[0, 0], expected.numpy())
    assert found.attrs["method"] == "unet"


def test_one_pattern_alone_is_enough(model, objects, tmp_path):
    np.save(tmp_path / "one.npy", measure(objects[0]).double().numpy())
    application.apply(model, tmp_path / "one.npy", tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy").shape == (1, 32, 32)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((2, 32, 32)), r"expected patterns of shape \(samples, 64, 64\), got \(2, 32, 32\); crop or pad"),
        (np.full((2, 64, 64), np.nan), "expected finite, non-negative intensities"),
        (np.ones((2, 64, 64), complex), "expected one array of real intensities, got complex128"),
        (np.array(["a"]), "expected one array of real intensities, got <U1"),
        (np.ones((0, 64, 64)), r"got \(0, 64, 64\)"),
        (np.array([{"a": 1}], dtype=object), "expected an array of numbers that numpy.save wrote"),
    ],
)
def test_what_are_no_patterns_is_refused(no_shape_checks, model, tmp_path, array, message):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(ValueError, match=message):
        application.apply(model, tmp_path / "bad.npy", tmp_path / "out.npy")
    assert not (tmp_path / "out.npy").exists()


def test_a_header_that_promises_more_than_there_is_asks_for_no_memory(model, tmp_path):
    with (tmp_path / "short.npy").open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 64, 64)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(ValueError, match=r"short\.npy: expected an array of numbers that numpy\.save wrote"):
        application.apply(model, tmp_path / "short.npy", tmp_path / "out.npy")


def test_files_of_another_kind_are_refused(model, patterns, tmp_path):
    with pytest.raises(ValueError, match=r"expected an output that ends in \.npy or \.zarr"):
        application.apply(model, patterns["npy"], tmp_path / "out.tif")
    with pytest.raises(ValueError, match=r"expected patterns as a \.npy file or a \.zarr store"):
        application.apply(model, tmp_path / "in.tif", tmp_path / "out.npy")
    with pytest.raises(ValueError, match="expected an array of numbers"):
        application.apply(model, tmp_path / "missing.npy", tmp_path / "out.npy")
    store.write_dataset(xr.Dataset({"x": ("sample", [1.0])}), tmp_path / "other.zarr")
    with pytest.raises(ValueError, match="expected a store with intensity, got x"):
        application.apply(model, tmp_path / "other.zarr", tmp_path / "out.npy")
    xr.Dataset({"intensity": ("sample", [1.0])}).to_zarr(tmp_path / "foreign.zarr", consolidated=False)
    with pytest.raises(ValueError, match="expected a whole store that farfield wrote"):
        application.apply(model, tmp_path / "foreign.zarr", tmp_path / "out.npy")
    (tmp_path / "cut.safetensors").write_bytes(model.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"expected a whole \.safetensors model"):
        application.apply(tmp_path / "cut.safetensors", patterns["npy"], tmp_path / "out.npy")


def test_the_command_line_ends_in_one_sentence(model, patterns, tmp_path, capsys):
    command.main(["apply", str(model), str(patterns["zarr"]), str(tmp_path / "out.npy")])
    said = capsys.readouterr().out
    assert f"wrote {tmp_path / 'out.npy'}" in said
    assert "SA-MSE of each of 5 samples relative to predicting zero: mean 0." in said
    with pytest.raises(SystemExit, match=r"error: .*expected patterns as a \.npy file"):
        command.main(["apply", str(model), "x.tif", "y.npy"])
    with pytest.raises(SystemExit, match=r"error: .*expected trainings that have begun, found none"):
        command.main(["watch", str(tmp_path)])


def test_progress_is_drawn_from_finished_and_running_trainings(folder):
    study = folder.parents[4]
    running = folder.with_name("seed1")
    running.mkdir(exist_ok=True)
    (running / "progress.csv").write_bytes((folder / "history.csv").read_bytes())
    picture = watching.draw_progress(study)
    assert picture == study / "figures/progress.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_tensorboard_gets_every_number_of_an_epoch(tmp_path):
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: F401
    except Exception:  # also of a package that is there in name only
        pytest.skip("an optional package")
    write = tensorboard.writer(tmp_path)
    write({"epoch": 1, "loss": 0.5, "seconds": 1.0})
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_without_tensorboard_there_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match="expected the package tensorboard for tensorboard: true, found none"):
        tensorboard.writer(tmp_path)


def test_the_best_validated_model_is_released_with_its_card(folder, objects, tmp_path):
    models = [folder / "final.safetensors", folder / "best.safetensors"]
    scores = xr.Dataset(
        {
            "sa_mse": (("seed", "checkpoint", "sample"), [[[0.5, 0.7], [0.1, 0.3]]]),
            "energy": (("sample",), [1.0, 1.0]),
            "seconds": (("seed", "checkpoint"), [[1.0, 1.0]]),
        },
        coords={"seed": [0], "checkpoint": np.array(["final", "best"], dtype=object)},
    )
    store.write_dataset(scores.assign_attrs(symmetry="after"), tmp_path / "test.zarr")
    chosen = release.choose(models)
    described = [networks.load(path).description["validation_sa_mse"] for path in models]
    assert networks.load(chosen).description["validation_sa_mse"] == min(described)
    release.release(models, [tmp_path / "test.zarr"], tmp_path / "unet.safetensors", tmp_path / "unet.md")
    assert (tmp_path / "unet.safetensors").read_bytes() == chosen.read_bytes()
    text = (tmp_path / "unet.md").read_text()
    mean = 0.2 if chosen.stem == "best" else 0.6
    assert f"{mean:.4f} of predicting zero on average" in text
    assert "trained on | 40 simulated Bragg CDI crystals" in text
    loaded = networks.load(tmp_path / "unet.safetensors")
    assert torch.equal(loaded(measure(objects[:2])), networks.load(chosen)(measure(objects[:2])))


def test_without_a_command_there_is_help_and_status_2(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main([])
    assert ended.value.code == 2
    assert "reconstruct patterns with a trained model" in capsys.readouterr().err


def test_help_and_the_door_import_nothing_slow():
    for program in ("import farfield", "from farfield.__main__ import main; main([])"):
        told = "import sys, atexit; atexit.register(lambda: print('torch' in sys.modules, 'numpy' in sys.modules));"
        found = subprocess.run([sys.executable, "-c", told + program], capture_output=True, text=True, check=False)
        assert found.stdout == "False False\n", found.stderr


def test_the_door_offers_what_users_type():
    names = {"simulate", "measure", "break_symmetries", "reconstruct", "symmetry_adjusted_mse", "load"}
    assert names <= set(dir(farfield))
    assert all(callable(getattr(farfield, name)) for name in names)
    assert farfield.learning.networks.create("unet", 16, width=8) is not None
