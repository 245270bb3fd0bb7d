"""Figures: what they show, what they say, and that the same data give the same bytes."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

from farfield.machine import store
from farfield.physics import crystals, diffraction
from farfield.study import figures, pictures
from farfield.symmetry import actions

NETWORKS = ("unet", "sisprnet")


def write(path, variables, coordinates=None, **attributes):
    store.write_dataset(xr.Dataset(variables, coordinates, attributes), path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def truth(folder):
    objects = crystals.simulate(6, 16, 3)
    intensity = diffraction.measure(objects)
    variables = {
        "object": (("sample", "y", "x"), objects.numpy()),
        "intensity": (("sample", "ky", "kx"), intensity.numpy()),
    }
    return write(folder / "test.zarr", variables)


def write_reconstruction(path, objects, kind, checkpoints, **attributes):
    """The first of the checkpoints is 0, the last holds the objects."""
    stack = np.stack([objects * (name == checkpoints[-1]) for name in checkpoints])[None]
    return write(
        path,
        {"object": (("seed", "checkpoint", "sample", "y", "x"), stack)},
        {"seed": [0], "checkpoint": np.array(checkpoints, object)},
        kind=kind,
        split="test",
        **attributes,
    )


@pytest.fixture(scope="module")
def reconstructions(folder, truth):
    objects = store.open_dataset(truth).object.values
    paths = [
        write_reconstruction(
            folder / f"{network}-{state}-{samples}.zarr",
            objects * (0.0 if state == "before" or samples == 10 else 1.0),
            "network",
            ["final", "best"],
            method=network,
            symmetry=state,
            samples=samples,
        )
        for network in NETWORKS
        for state, samples in (("after", 20), ("after", 10), ("before", 20))
    ]
    flipped = actions.conjugate_flip(crystals.simulate(6, 16, 3)).numpy()[:4]
    return [
        *paths,
        write_reconstruction(folder / "hio.zarr", flipped, "iterative", ["final"], method="hio-tuned"),
    ]


def write_scores(path, method, error, seconds, split="test", **attributes):
    scores = {"sa_mse": (("seed", "checkpoint", "sample"), np.full((2, 1, 3), error))}
    scores |= {"energy": ("sample", np.full(3, 0.5)), "seconds": (("seed", "checkpoint"), np.full((2, 1), seconds))}
    coordinates = {"seed": [0, 1], "checkpoint": np.array(["final"], object)}
    return write(path, scores, coordinates, method=method, split=split, **attributes)


@pytest.fixture
def frame():
    rows = [
        ("unet", 500, "before", 0.4, 0.02, 2, 0.8),
        ("unet", 500, "after", 0.2, 0.02, 2, 0.4),
        ("unet", 1000, "before", 0.4, np.nan, 1, 0.8),
        ("unet", 1000, "after", 0.1, np.nan, 1, 0.2),
        ("zero", np.nan, None, 0.5, np.nan, 1, 1.0),
        ("mean-object", 500, "after", 0.35, np.nan, 1, 0.7),
        ("mean-object", 1000, "after", 0.3, np.nan, 1, 0.6),
        ("hio-classic", np.nan, None, 0.05, np.nan, 1, 0.1),
        ("hio-tuned", np.nan, None, 1e-7, np.nan, 1, 2e-7),
    ]
    return pd.DataFrame(rows, columns=["method", "samples", "symmetry", "mean", "sd", "seeds", "relative"])


@pytest.fixture
def published(folder):
    path = folder / "published.csv"
    path.write_text("table,network,samples,before,after\n5,unet,500,0.2,0.05\n5,unet,5000,0.2,0.02\n1,unet,500,9,9\n")
    return path


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def test_symmetries_share_one_pattern(truth):
    figure = pictures.symmetries(truth)
    images = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(images) == 4 * 2 + 1
    told = next(text for text in texts(figure) if "differ by at most" in text)
    assert float(told.split("at most ")[1].split(" of")[0]) < 1e-14
    magnitudes = images[:4]
    assert not np.array_equal(magnitudes[0], magnitudes[1])  # visibly translated
    assert np.allclose(magnitudes[0], magnitudes[3])
    assert {"translation", "conjugate flip", "global phase", "phase (rad)"} <= set(texts(figure))


def test_the_object_with_most_room_moves_as_far_as_it_can():
    objects = np.zeros((2, 8, 8))
    objects[0, 2:6, 2:6] = 1
    objects[1, 5:7, 1:3] = 1
    assert pictures._roomiest(objects) == (1, (-5, 5))


def test_reconstructions_are_aligned_and_told_relative_to_zero(truth, reconstructions):
    figure = pictures.reconstructions(truth, reconstructions, 2, 0)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 4 * 6  # two networks before and after, a solver, the truth
    titles = [axes.get_title() for axes in panels[:6]]
    assert titles[:2] == ["unet\nbefore", "unet\nafter"]
    assert titles[-2:] == ["hio-tuned\niterative", "truth"]
    shown = [float(axes.get_xlabel()) for axes in panels[:5]]  # of the largest size, best checkpoint
    assert np.allclose(shown, [1, 0, 1, 0, 0], atol=1e-6)
    assert np.allclose(panels[4].images[0].get_array(), panels[5].images[0].get_array())
    assert panels[6].images[0].get_array().mask.all()  # no phase where nothing is
    assert all(axes.images[0].get_clim() == (0, 1) for axes in panels[:6])


def test_many_methods_of_real_objects_are_shown_in_bands_which_the_truth_heads(truth, folder, monkeypatch):
    monkeypatch.setattr(pictures, "ACROSS", 2)
    real = store.open_dataset(truth)
    real["object"] = real.object.real.astype("complex64")
    store.write_dataset(real, folder / "real.zarr")
    paths = [
        write_reconstruction(folder / f"{name}.zarr", real.object.values, "iterative", ["final"], method=name)
        for name in ("er", "hio", "raar")
    ]
    figure = pictures.reconstructions(folder / "real.zarr", paths, 2, 0)
    heads = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert heads == ["truth", "er", "hio", "truth", "raar"]
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 2 * len(heads)
    assert [axes.get_xlabel() for axes in panels].count("") == 4  # the truths
    assert not any(axes.axison for axes in figure.axes[:-1] if not axes.images)


def test_error_against_size_shows_ours_published_and_their_ratios(frame, published):
    figure = figures.error_against_size(frame, published)
    ours, theirs, ratios = figure.axes
    after = ours.containers[1].lines[0]
    assert list(after.get_ydata()) == [0.4, 0.2]
    assert np.allclose([line.get_ydata() for line in ratios.lines], [[0.5, 0.25], [0.25, 0.1]])
    assert (ratios.lines[0].get_linestyle(), ratios.lines[1].get_linestyle()) == ("-", "--")
    assert theirs.get_ylabel() == "SA-MSE (published scale)"
    labels = [text.get_text().strip() for text in ours.texts]
    assert sorted(labels) == ["hio-classic", "mean-object after", "zero", "↓ hio-tuned 2e-07"]
    heights = sorted(text.get_position()[1] for text in ours.texts)
    assert min(np.diff(heights)) > 0.069
    assert 0.6 in [line.get_ydata()[0] for line in ours.lines]  # the mean object of the largest set


def test_learning_curves_read_their_names_from_the_path(folder):
    paths = []
    for state in ("before", "after"):
        for samples, seed in ((500, 0), (500, 1), (1000, 0)):
            path = folder / "models" / "unet" / state / f"n{samples}" / f"seed{seed}" / "history.csv"
            path.parent.mkdir(parents=True)
            path.write_text("epoch,loss,validation_sa_mse,learning_rate,seconds\n1,0.2,0.4,1,1\n2,0.1,0.3,1,1\n")
            paths.append(path)
    figure = figures.learning_curves(paths)
    assert [axes.get_title() for axes in figure.axes] == ["unet before", "unet after", "", ""]
    assert [len(axes.lines) for axes in figure.axes] == [3] * 4
    assert list(figure.axes[2].lines[0].get_ydata()) == [0.4, 0.3]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["500 samples", "1000 samples"]


def test_error_against_time_names_every_method_once_without_overlaps(folder):
    paths = [
        write_scores(folder / "s1.zarr", "unet", 0.2, 1e-4, kind="network", symmetry="after", samples=20),
        write_scores(folder / "s2.zarr", "unet", 0.9, 1e-4, kind="network", symmetry="after", samples=10),
        write_scores(folder / "s3.zarr", "unet", 0.21, 1.1e-4, kind="network", symmetry="before", samples=20),
        write_scores(folder / "s4.zarr", "hio-tuned", 1e-7, 1e-1, kind="iterative"),
        write_scores(folder / "s5.zarr", "zero", 0.5, 0.0, kind="constant"),
        write_scores(folder / "s6.zarr", "hio-tuned", 1e-7, 1e-1, kind="iterative", split="train"),
    ]
    figure = figures.error_against_time(paths)
    axes = figure.axes[0]
    assert axes.get_xlabel() == "time per pattern (ms)"
    drawn = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines]
    assert np.allclose(drawn, [(0.11, 0.42), (0.1, 0.4), (100, 2e-7), (0, 1)])
    assert [text.get_text() for text in axes.texts] == ["unet before", "unet after", "hio-tuned"]
    figure.draw_without_rendering()
    boxes = [mpl.text.Text.get_window_extent(text) for text in axes.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max) for box in boxes)


def test_error_against_time_has_a_panel_with_noise(folder):
    paths = [
        write_scores(folder / "t1.zarr", "hio-tuned", 1e-7, 1e-1, kind="iterative"),
        write_scores(folder / "t2.zarr", "hio-tuned", 1e-2, 2e-1, kind="iterative", split="noisy"),
    ]
    figure = figures.error_against_time(paths)
    assert [axes.get_title() for axes in figure.axes] == ["noise-free, 3 patterns", "with photon noise, 3 patterns"]
    assert np.allclose(figure.axes[1].lines[0].get_xydata(), [[200, 2e-2]])


def test_saved_files_have_the_same_bytes_again(tmp_path, frame, published):
    written = []
    for _ in range(2):
        files = [tmp_path / "figures" / f"size.{ending}" for ending in ("pdf", "png")]
        figures.save(figures.error_against_size(frame, published), *files)
        written.append([file.read_bytes() for file in files])
        assert sorted(files[0].parent.iterdir()) == files
    assert written[0] == written[1]
    assert b"CreationDate" not in written[0][0]


def test_the_theme_stays_inside_its_figures(tmp_path):
    before = dict(mpl.rcParams)
    figures.save(Figure(), tmp_path / "empty.png")
    assert dict(mpl.rcParams) == before
