"""Scores of phases, and the table and figures of them, against what their formulas say in plain numpy."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from farfield.machine import store
from farfield.physics import phases
from farfield.physics.near_field import NearField
from farfield.study import bands, driven, driven_figures, hologram_scores, holograms, methods

SIDE = 16
NEAR = NearField(distance=1.2e-3)
SHARES = {"DD": 1.0, "tPD": 0.0}


@pytest.fixture(scope="module")
def truth():
    return holograms.dataset(phases.waves(5, SIDE, 3, 1.0), NEAR)


def made(truth, how, count=5, **about):
    objects = torch.from_numpy(truth.object.values)[:count]
    found = methods.dataset(how(objects)[None, None], [0], ["best"])
    return found.assign(seconds=(("seed", "checkpoint"), [[0.002]])).assign_attrs(about)


def noisy(scale):
    def of(objects):
        return objects + scale * torch.randn(objects.shape, generator=torch.Generator().manual_seed(1))

    return of


def scored(truth, how, **about):
    whole = {"method": "unet-skip", "kind": "network", "symmetry": "DD", "split": "test", **about}
    return hologram_scores.score(made(truth, how, **whole), truth, NEAR, 1.0)


def test_scores_are_what_their_names_say(truth):
    found = scored(truth, noisy(0.1)).isel(seed=0, checkpoint=0)
    phase = truth.object.values.real
    estimate = made(truth, noisy(0.1)).object.values[0, 0].real
    wrong = estimate - phase
    wrong = wrong - wrong.mean((1, 2), keepdims=True)
    error = (wrong**2).mean((1, 2))
    np.testing.assert_allclose(found.sa_mse, error, rtol=1e-5)
    np.testing.assert_allclose(found.psnr, -10 * np.log10(error), rtol=1e-4)
    assert float(found.ssim[2]) == pytest.approx(structural_similarity(phase[2], phase[2] + wrong[2], data_range=1.0))
    np.testing.assert_allclose(found.energy, phase.var((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found.spectrum.sum("ring"), SIDE**2 * error, rtol=1e-5)
    np.testing.assert_allclose(found.power.sum("ring"), SIDE**2 * phase.var((1, 2)), rtol=1e-5)


def test_an_offset_costs_nothing_and_a_flat_wave_everything(truth):
    moved = scored(truth, lambda x: x + 0.7)
    assert float(moved.sa_mse.max()) < 1e-10
    assert float(moved.ssim.min()) > 0.9999
    assert float(moved.residual.max()) < 1e-8
    flat = scored(truth, lambda x: 0 * x)
    np.testing.assert_allclose(flat.sa_mse[0, 0], flat.energy, rtol=1e-6)
    np.testing.assert_allclose(flat.residual, 1, rtol=1e-4)
    np.testing.assert_allclose(flat.spectrum[0, 0], flat.power, rtol=1e-6)


def test_bands_hold_what_was_put_into_them(truth):
    line = torch.arange(SIDE) / SIDE

    def wave(periods):
        return lambda x: x + 0.1 * torch.cos(2 * torch.pi * periods * line)

    for periods, low in ((1, True), (6, False)):
        found = bands.band_errors(scored(truth, wave(periods)).isel(checkpoint=0))
        assert (found[0] > 1e-4, found[1] > 1e-4) == (low, not low)


def test_the_scorer_is_that_of_the_field(truth):
    section = {"near_field": {"wavelength": 632.8e-9, "pixel": 8e-6, "distance": 1.2e-3}, "height": 1.0}
    found = made(truth, noisy(0.1), method="a", kind="network", split="test")
    assert "psnr" in hologram_scores.scorer(section)(found, truth)
    assert "magnitude_error" in hologram_scores.scorer({"crystals": {}})(found, truth)


@pytest.fixture(scope="module")
def stores(truth, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    scores = {
        "DD": scored(truth, noisy(0.2)),
        "tPD": scored(truth, noisy(0.1), symmetry="tPD"),
        "uPD": hologram_scores.score(
            made(truth, noisy(0.05), count=3, method="uPD", kind="fitted", split="test"), truth, NEAR, 1.0
        ),
        "unseen": scored(truth, noisy(0.3), split="unseen-crystals"),
    }
    for name, found in scores.items():
        store.write_dataset(found, folder / f"{name}.zarr")
    return folder


def paths(folder, *names):
    return [folder / f"{name}.zarr" for name in names]


def test_methods_are_held_against_each_other_on_the_samples_that_all_have(stores):
    """Before that, those that have more, on all of theirs."""
    frame = driven.compare(paths(stores, "DD", "tPD", "uPD", "unseen"), SHARES)
    assert list(frame.columns) == driven.COLUMNS
    assert frame.tests.tolist() == [5, 5, 3, 3, 3, 5]
    whole = store.open_dataset(stores / "DD.zarr")
    each = (whole.sa_mse / whole.energy).values.ravel()
    assert frame.error[0] == pytest.approx(each.mean())
    assert frame.error[2] == pytest.approx(each[:3].mean())
    assert frame.psnr[2] == pytest.approx(float(whole.psnr[..., :3].mean()))
    assert frame.low[0] == pytest.approx(bands.band_errors(whole.isel(checkpoint=0))[0])
    assert frame.data.tolist()[:4] == [1.0, 0.0, 1.0, 0.0]
    assert np.isnan(frame.data[4])
    assert frame.ms[0] == pytest.approx(2)
    assert frame.error[2] > frame.error[3] > frame.error[4]
    table = driven.table(frame)
    assert [block.title for block in table.blocks] == [
        "On the networks' own kind of objects: 5 holograms.",
        "On the networks' own kind of objects: 3 holograms.",
        "On crystals, which no network was trained on: 5 holograms.",
    ]
    assert [[row[0] for row in block.rows] for block in table.blocks] == [["DD", "tPD"], ["DD", "tPD", "uPD"], ["DD"]]


def test_scores_that_are_not_finite_are_refused(truth, tmp_path):
    found = scored(truth, noisy(0.1))
    found.sa_mse[0, 0, 1] = np.nan
    store.write_dataset(found, tmp_path / "a.zarr")
    with pytest.raises(ValueError, match="expected finite scores of DD, found NaN"):
        driven.compare([tmp_path / "a.zarr"], SHARES)


def test_rings_and_figures_show_every_method(stores, truth, tmp_path):
    rings = bands.rings(paths(stores, "DD", "tPD", "uPD"))
    assert rings.groupby(rings.symmetry.fillna(rings.method)).size().to_dict() == dict.fromkeys(
        ("DD", "tPD", "uPD"), SIDE // 2
    )
    assert rings.power[: SIDE // 2].sum() == pytest.approx(1)
    frame = driven.compare(paths(stores, "DD", "tPD", "uPD", "unseen"), SHARES)
    figure = driven_figures.co_driven(frame, rings)
    against, parts, spectrum = figure.axes
    assert [line.get_text() for line in spectrum.get_legend().get_texts()] == ["DD", "tPD", "uPD"]
    assert [line.get_text() for line in parts.get_legend().get_texts()] == ["low frequencies", "high frequencies"]
    assert len(against.get_legend().get_texts()) == 2
    (points,) = (line for line in against.lines if len(line.get_xdata()) == 2)
    assert sorted(points.get_ydata()) == sorted(frame.error[:2])  # over all samples
    names = {"test": truth, "DD": made(truth, noisy(0.2), method="u", kind="network", symmetry="DD")}
    for name, dataset in names.items():
        store.write_dataset(dataset, tmp_path / f"{name}.zarr")
    shown = driven_figures.phases(tmp_path / "test.zarr", [tmp_path / "DD.zarr"], 1.0, 2)
    assert [axes.get_title() for axes in shown.axes[:3]] == ["hologram", "phase", "DD"]


def test_sets_are_made_of_their_sections():
    one = {"training": 3, "validation": 2, "test": 2, "seed": 5}
    waves = holograms.simulate("waves", "test", 2, one, SIDE, 2.0)
    assert torch.equal(waves, phases.waves(2, SIDE, 52, 2.0))
    grown = {**one, "kind": "dislocated", "fill": 0.278, "defects": [0, 2]}
    crystals = holograms.simulate("crystals", "train", 2, grown, SIDE, 2.0)
    assert float(crystals.real.max()) <= 2
    found = holograms.dataset(waves, NEAR)
    np.testing.assert_allclose(found.intensity, NEAR.measure(waves))
