"""Errors by spatial frequency: what is known of them by hand."""

import numpy as np
import pytest
import torch
from conftest import random_copy

from farfield.machine import store
from farfield.study import datasets, methods, rendering, rings
from farfield.symmetry.metrics import symmetry_adjusted_mse


def test_copies_have_no_error_and_the_energy_is_shared_out(objects):
    energy, error, amplitude = rings.ring_errors(objects, random_copy(objects, 4), 2)
    assert len(energy) == len(rings.EDGES) - 1
    assert energy.sum() == pytest.approx(1)
    assert np.allclose(error, 0, atol=1e-4)
    assert np.allclose(amplitude, 0, atol=1e-4)


def test_predicting_zero_costs_one_in_every_ring(objects):
    _, error, amplitude = rings.ring_errors(objects, torch.zeros_like(objects), 2)
    assert np.allclose(error, 1)
    assert np.allclose(amplitude, 1)


def test_right_amplitudes_with_random_phases_cost_two(objects, monkeypatch):
    """Worse than nothing: which no blur shows, and no error of amplitudes does."""
    monkeypatch.setattr(rings, "align", lambda truth, estimate: estimate)  # which would find some phases right
    generator = torch.Generator().manual_seed(2)
    angles = 2 * torch.pi * torch.rand(objects.shape, generator=generator)
    scrambled = torch.fft.ifft2(torch.fft.fft2(objects) * torch.polar(torch.ones_like(angles), angles))
    _, error, amplitude = rings.ring_errors(objects, scrambled, 1)
    assert np.allclose(error[2:], 2, atol=0.15)
    assert np.allclose(amplitude, 0, atol=1e-6)


def test_errors_of_all_rings_are_the_error(objects):
    """Weighed by their energy, by Parseval's theorem; an estimate of the right scale and pose."""
    noise = torch.randn(objects.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))
    inside = objects + 0.01 * noise
    energy, error, amplitude = rings.ring_errors(objects, inside, 2)
    phase_alone = float((objects - inside).abs().square().sum() / objects.abs().square().sum())
    assert (energy * error).sum() == pytest.approx(phase_alone, rel=0.02)  # but for the phase that alignment takes
    assert (energy * error).sum() == pytest.approx(
        float(symmetry_adjusted_mse(objects, inside).sum() / objects.abs().double().square().mean((-2, -1)).sum()),
        rel=0.02,
    )
    assert (amplitude <= error + 1e-9).all()


@pytest.mark.parametrize(("frequency", "ring"), [(0, 0), (1, 1), (2, 2), (3, 3), (5, 4), (7, 5), (8, 6), (15, 6)])
def test_a_wave_lies_in_the_ring_of_its_frequency(frequency, ring):
    """In units of Nyquist, 16 waves in a frame of 32: 1/16, 1/8, 3/16, …; from 1/2 on all is one."""
    wave = torch.exp(2j * torch.pi * frequency * torch.arange(32) / 32).to(torch.complex64).expand(1, 32, 32)
    for object_ in (wave, wave.mT):
        energy, *_ = rings.ring_errors(object_, object_, 1)
        assert energy[ring] == pytest.approx(1, abs=1e-6)


@pytest.fixture(scope="module")
def paths(objects, tmp_path_factory):
    """The truth, and networks that find it, its double, and nothing; only the first seed's best counts."""
    folder = tmp_path_factory.mktemp("rings")
    store.write_dataset(datasets.from_objects(objects[:6], 2), folder / "truth.zarr")
    for name, share in (("naive", 1.0), ("passive", 2.0), ("after", 0.0)):
        made = torch.zeros(2, 2, 6, 32, 32, dtype=torch.complex64)
        made[0, 1] = share * objects[:6]
        found = methods.dataset(made, [0, 1], ["final", "best"]).assign_attrs(method="hybrid", symmetry=name)
        store.write_dataset(found, folder / f"{name}.zarr")
    return folder / "truth.zarr", [folder / f"{name}.zarr" for name in ("naive", "passive", "after")]


def test_a_line_for_each_method_and_ring(paths):
    frame = rings.compare(*paths, count=4)
    assert list(frame.columns) == rings.COLUMNS
    assert len(frame) == 3 * 7
    assert list(frame["low"][:7]) == list(rings.EDGES[:-1])
    assert list(frame["high"][:7]) == list(rings.EDGES[1:])
    for column in ("error", "amplitude_error"):
        found = frame.groupby("symmetry", sort=False)[column].mean()
        assert np.allclose(found, [0, 1, 1], atol=1e-5)
        assert list(found.index) == ["naive", "passive", "after"]
    energies = frame.groupby("symmetry")["energy"].sum()
    assert np.allclose(energies, 1)


def test_only_the_first_samples_count(paths, objects):
    energy, *_ = rings.ring_errors(objects[:2], objects[:2], 2)
    assert np.allclose(rings.compare(*paths, count=2)["energy"][:7], energy)


def test_the_table_has_a_grid_of_each_error(paths):
    text = rendering.markdown(rings.table(rings.compare(*paths, count=4), 4))
    assert text.count("| hybrid, passive | 1.00 | 1.00 |") == 2
    assert "0.00–0.06" in text
    assert "0.50+" in text
    assert "over the first 4 test samples" in text
