"""HIO with a denoiser in the loop: against a plain loop, pattern by pattern, and what it refuses."""

import numpy as np
import pytest
import torch
from conftest import ROOT, refused
from scipy.ndimage import gaussian_filter

from farfield.iterative.pnp_hio import pnp_hio
from farfield.physics import images
from farfield.physics.diffraction import measure


def smooth(pictures, level):
    return torch.from_numpy(np.stack([gaussian_filter(x, level / 60) for x in pictures.numpy()]))


@pytest.fixture(scope="module")
def garments():
    return images.load("test", 6, 36, 2, ROOT / "workflow/resources/fashion-mnist")


def started(objects):
    noise = torch.randn(objects.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    return objects + 0.1 * noise


def plain(intensity, start, values, levels, rounds, iterations, beta):
    """One pattern: outside of the frame, or where it is below 0, what was there less β times the projection."""
    side, size = intensity.shape[-1], start.shape[-1]
    amplitude, x = np.fft.ifftshift(np.sqrt(intensity)), np.zeros((side, side), complex)
    start = start * np.exp(-1j * np.angle(start.sum()))
    x[:size, :size] = start if values == "complex" else start.real
    inside = np.zeros((side, side), bool)
    inside[:size, :size] = True
    for level in np.geomspace(*levels, rounds):
        for _ in range(iterations):
            field = np.fft.fft2(x)
            shown = np.fft.ifft2(amplitude * field / (abs(field) + 1e-30))
            shown = shown if values == "complex" else shown.real + 0j
            allowed = inside & (shown.real > 0) if values == "positive" else inside
            x = np.where(allowed, shown, x - beta * shown)
        parts = [shown.real, shown.imag] if values == "complex" else [shown.real]
        parts = [smooth(torch.from_numpy(p[None, :size, :size].astype(np.float32)), level)[0].numpy() for p in parts]
        x[:size, :size] = parts[0] + 1j * (parts[1] if len(parts) > 1 else 0)
    return x[:size, :size]


@pytest.mark.parametrize("values", ["complex", "real", "positive"])
def test_it_goes_as_by_a_plain_loop(garments, values):
    truth = garments[:3] * (torch.polar(torch.ones(36, 36), torch.linspace(0, 1, 36)) if values == "complex" else 1)
    intensity, start = measure(truth), started(truth)
    how = {"levels": (30, 6), "rounds": 3, "iterations": 2, "beta": 0.8}
    found = pnp_hio(intensity, start, smooth, values=values, **how)
    assert found.iterations.tolist() == [6, 6, 6]
    for index, pattern in enumerate(intensity):
        objects = plain(pattern.double().numpy(), start[index].numpy(), values, **how)
        assert np.allclose(found.objects[index], objects, atol=1e-4)


def test_the_denoiser_is_told_no_more_noise_than_was_asked(garments):
    """Rounding must not bring the first level above what a denoiser was trained for."""
    told = []

    def listening(pictures, level):
        told.append(level)
        return pictures

    pnp_hio(measure(garments[:1]), garments[:1], listening, values="real", levels=(60, 5), rounds=3, iterations=1)
    assert told[0] == 60
    assert told[1] == pytest.approx(300**0.5)
    assert told[2] == 5


def test_a_pattern_does_not_see_its_neighbours(garments):
    intensity, start = measure(garments), started(garments)
    how = {"values": "positive", "rounds": 4}
    whole = pnp_hio(intensity, start, smooth, **how).objects
    assert torch.allclose(whole[4], pnp_hio(intensity[4:5], start[4:5], smooth, **how).objects[0], atol=1e-5)


def test_what_is_out_of_range_is_refused(garments, no_shape_checks):
    def call(**changed):
        pnp_hio(measure(garments), garments, smooth, **{"values": "real", **changed})

    refused(lambda: call(levels=(40,)), "the first and the last of levels", "got (40,)")
    refused(lambda: call(levels=(40, 0)), "both above 0")
    refused(lambda: call(beta=2), "beta", "got (40, 5) and 2")
    refused(lambda: call(rounds=0), "rounds", "got 0")
    refused(lambda: call(iterations=0.5), "iterations", "got 0.5")
    refused(lambda: call(values="imaginary"), "complex, real or positive")
