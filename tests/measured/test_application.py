import subprocess
import sys

import numpy as np
import pytest
import torch
import xarray as xr

import farfield
from farfield import __main__ as command
from farfield.learning import networks, tensorboard, training
from farfield.learning.networks import retriever
from farfield.learning.networks.retriever import predict
from farfield.machine import store
from farfield.measured import application
from farfield.physics import crystals
from farfield.physics.diffraction import measure
from farfield.study import datasets, release, watching
from farfield.symmetry import metrics

SETTINGS = training.Settings(
    epochs=2, updates=0, batch_size=8, learning_rate=2e-3, learning_rate_floor=1e-5, factor=0.5, patience=3
)

PATTERN = measure(crystals.simulate(1, 32, 7))[0].numpy()


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
    made = application.apply(model, patterns["npy"], tmp_path / "out.npy")
    assert (made.error, made.refined) == (None, None)
    assert torch.equal(made.scale, torch.ones(5, dtype=torch.float64))
    assert torch.equal(made.residual, metrics.fourier_residual(measure(objects[:5]), expected))
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected.numpy())
    with pytest.raises(ValueError, match="expected a new file to write, got one that exists"):
        application.apply(model, patterns["zarr"], patterns["zarr"])
    errors = application.apply(model, patterns["zarr"], tmp_path / "out.zarr").error
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
        (np.ones((2, 64, 64), complex), "expected real numbers, got complex128"),
        (np.array(["a"]), "expected numbers, got <U1"),
        (np.ones((0, 64, 64)), "expected data, got an empty array"),
        (np.array([{"a": 1}], dtype=object), "bad.npy: expected"),
        (np.zeros((2, 64, 64)), "expected patterns with some intensity, got nothing but zeros in pattern 0"),
        (np.fft.ifftshift(PATTERN), "expected the DC in the centre of the frame, got pattern 0 with its maximum"),
    ],
)
def test_what_are_no_patterns_is_refused(no_shape_checks, model, tmp_path, array, message):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(ValueError, match=message):
        application.apply(model, tmp_path / "bad.npy", tmp_path / "out.npy")
    assert not (tmp_path / "out.npy").exists()


def test_counts_are_brought_to_the_scale_of_the_training_set(model, objects, tmp_path, capsys):
    intensity = measure(objects[:5])
    np.save(tmp_path / "counts.npy", (1e4 * intensity).round().numpy().astype(np.int64))
    command.main(["apply", str(model), str(tmp_path / "counts.npy"), str(tmp_path / "out.npy")])
    said = capsys.readouterr().out
    assert "scaled 5 of 5 patterns by " in said
    mean = measure(objects[:40]).sum((-2, -1)).mean()
    expected = predict(networks.load(model), intensity * (mean / intensity.sum((-2, -1)))[:, None, None])
    assert np.allclose(np.load(tmp_path / "out.npy"), expected.numpy(), atol=1e-4)


def test_each_pattern_is_scaled_whatever_lies_beside_it(model, objects, tmp_path):
    np.save(tmp_path / "mixed.npy", (torch.tensor([1.0, 1e-6])[:, None, None] * measure(objects[:2])).numpy())
    scale = application.apply(model, tmp_path / "mixed.npy", tmp_path / "out.npy").scale
    assert scale[0] == 1
    assert 3e5 < scale[1] < 3e6


def test_a_model_of_an_older_farfield_scales_nothing_and_says_so(model, patterns, tmp_path):
    loaded = networks.load(model)
    description = {name: value for name, value in loaded.description.items() if name != "exposure"}
    retriever.save(loaded.state_dict(), tmp_path / "old.safetensors", description)
    with pytest.warns(UserWarning, match="expected a model that knows its training patterns' scale"):
        made = application.apply(tmp_path / "old.safetensors", patterns["npy"], tmp_path / "out.npy")
    assert (made.scale == 1).all()


def test_a_model_of_holograms_is_refused(model, patterns, tmp_path):
    """It would take a pattern of its frame for a hologram."""
    loaded = networks.load(model)
    retriever.save(
        loaded.state_dict(), tmp_path / "near.safetensors", {**loaded.description, "near_field": {"distance": 5e-3}}
    )
    with pytest.raises(ValueError, match="expected a model of far-field patterns, got one of in-line holograms"):
        application.apply(tmp_path / "near.safetensors", patterns["npy"], tmp_path / "out.npy")
    assert not (tmp_path / "out.npy").exists()


def test_a_hot_pixel_and_a_dark_level_are_warned_of(model, tmp_path):
    hot = PATTERN.copy()
    hot[5, 9] = hot.max()
    np.save(tmp_path / "hot.npy", hot)
    with pytest.warns(UserWarning, match=r"1 hot pixel, at \(0, 5, 9\).*: mask them"):
        application.apply(model, tmp_path / "hot.npy", tmp_path / "hot-out.npy")
    np.save(tmp_path / "dark.npy", PATTERN + 0.01 * PATTERN.max())
    with pytest.warns(UserWarning, match="subtract the background"):
        application.apply(model, tmp_path / "dark.npy", tmp_path / "dark-out.npy")


@pytest.mark.parametrize("kind", ["booleans", "integers", "inverted"])
def test_a_mask_of_any_convention_hides_a_beamstop(model, tmp_path, kind):
    measured = np.ones((64, 64), dtype=bool)
    measured[30:35, 30:35] = measured[:, 20:22] = False
    hidden = np.where(measured, 1e4 * PATTERN, np.nan)
    np.save(tmp_path / "hidden.npy", hidden)
    np.save(tmp_path / "mask.npy", {"booleans": measured, "integers": 1 - measured, "inverted": ~measured}[kind])
    named = f"{'~' if kind == 'inverted' else ''}{tmp_path / 'mask.npy'}"
    with pytest.raises(ValueError, match="NaN, infinite or negative pixels; mask them"):
        application.apply(model, tmp_path / "hidden.npy", tmp_path / "out.npy")
    made = application.apply(model, tmp_path / "hidden.npy", tmp_path / "out.npy", mask=named)
    found = torch.from_numpy(np.load(tmp_path / "out.npy"))
    scaled = torch.from_numpy(np.nan_to_num(hidden)).float()[None] * made.scale[:, None, None].float()
    assert torch.allclose(made.residual, metrics.fourier_residual(scaled, found, mask=torch.from_numpy(measured)))
    assert 0.5 < float(made.scale) * 1e4 < 2  # though the beamstop hides most of the intensity


def test_a_mask_of_another_shape_is_refused(model, patterns, tmp_path):
    np.save(tmp_path / "mask.npy", np.ones((32, 32), dtype=bool))
    with pytest.raises(ValueError, match=r"mask\.npy: expected a mask of shape \(64, 64\) .* got \(32, 32\)"):
        application.apply(model, patterns["npy"], tmp_path / "out.npy", mask=tmp_path / "mask.npy")


def test_the_mask_of_a_file_counts_with_the_one_beside_it(model, tmp_path):
    bad = np.zeros((2, 64, 64), dtype=int)
    bad[0, 10, 10:14] = bad[1, 50, 10:14] = 1
    flagged = np.where(bad.any(0), np.nan, PATTERN)
    np.savez(tmp_path / "own.npz", data=flagged, mask=bad[0])
    np.save(tmp_path / "mask.npy", bad[1])
    made = application.apply(model, tmp_path / "own.npz", tmp_path / "out.npy", mask=tmp_path / "mask.npy")
    assert made.residual.isfinite().all()


def test_gaps_are_filled_with_what_lies_around_them():
    mask = torch.ones(1, 64, 64, dtype=torch.bool)
    mask[:, 20:23, 7] = False
    level = torch.full((1, 64, 64), 9.0)
    assert torch.allclose(application.fill(level * mask, mask), level)
    assert application.fill(level, None) is level


def test_refined_objects_explain_the_pattern_better(model, patterns, tmp_path, capsys):
    command.main(["apply", str(model), str(patterns["npy"]), str(tmp_path / "out.npy"), "--refine"])
    before, after = (
        float(line.split("mean ")[1].split(",")[0])
        for line in capsys.readouterr().out.splitlines()
        if line.startswith(("Fourier residual: ", "refined: "))
    )
    assert after < before / 2
    assert np.load(tmp_path / "out.npy").shape == (5, 64, 64)
    made = application.apply(model, patterns["npy"], tmp_path / "er.zarr", refine="20*ER")
    assert (made.refined < made.residual).all()
    assert store.open_dataset(tmp_path / "er.zarr").attrs["refined"] == "20*ER"
    with pytest.raises(ValueError, match="expected an algorithm out of"):
        application.apply(model, patterns["npy"], tmp_path / "bad.npy", refine="20*NONE")
    assert not (tmp_path / "bad.npy").exists()


def test_a_header_that_promises_more_than_there_is_asks_for_no_memory(model, tmp_path):
    with (tmp_path / "short.npy").open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 64, 64)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(ValueError, match=r"short\.npy: expected"):
        application.apply(model, tmp_path / "short.npy", tmp_path / "out.npy")


def test_files_of_another_kind_are_refused(model, patterns, tmp_path):
    with pytest.raises(ValueError, match=r"expected an output that ends in \.npy or \.zarr"):
        application.apply(model, patterns["npy"], tmp_path / "out.tif")
    with pytest.raises(ValueError, match=r"in\.tif: expected a file, got none there"):
        application.apply(model, tmp_path / "in.tif", tmp_path / "out.npy")
    with pytest.raises(ValueError, match=r"missing\.npy: expected a file, got none there"):
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
    assert "Fourier residual: mean 0." in said
    assert "scaled" not in said
    assert "SA-MSE of each of 5 samples relative to predicting zero: mean 0." in said
    with pytest.raises(SystemExit, match=r"error: .*expected a file, got none there"):
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
