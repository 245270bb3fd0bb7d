"""prDeep: its iteration against a plain one, what it makes of noise and of complex objects, and what it refuses."""

import numpy as np
import pytest
import torch
from conftest import ROOT, refused
from scipy.ndimage import gaussian_filter

from farfield.iterative.prdeep import LEVELS, prdeep
from farfield.physics import images
from farfield.physics.diffraction import measure, photon_noise
from farfield.symmetry.sa_mse import symmetry_adjusted_mse


def smooth(pictures, level):
    """A denoiser of a line: a Gaussian, the wider the more noise there is."""
    width = level / 60
    return torch.from_numpy(np.stack([gaussian_filter(x, width) for x in pictures.numpy()]))


@pytest.fixture(scope="module")
def garments():
    return images.load("test", 6, 36, 2, ROOT / "workflow/resources/fashion-mnist")


def started(objects, seed=0):
    """Objects that are nearly theirs."""
    noise = torch.randn(objects.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))
    return objects + 0.1 * noise


def plain(intensity, start, denoise, *, sigma, real, levels, iterations):
    """One pattern, as the source states it: x on 0 to 255, A = FFT of the padded frame, AᴴA = 1/4."""
    side, size = intensity.shape[-1], start.shape[-1]
    y = 255 * size / side**2 * np.sqrt(np.fft.ifftshift(intensity.astype(np.float64)))
    start = start * np.exp(-1j * np.angle(start.sum()))
    x = 255 * (start.real if real else start).astype(complex)

    def forward(x):
        return np.fft.fft2(np.pad(x, ((0, side - size), (0, side - size)))) * size / side**2

    def value(x):
        return ((y - abs(forward(x))) ** 2).sum() / (2 * sigma**2)

    def gradient(x):
        z = forward(x)
        pulled = np.fft.ifft2(z - y * z / (abs(z) + 1e-30))[:size, :size] * size / sigma**2
        return pulled.real if real else pulled

    def clean(x, level):
        parts = [x.real] if real else [x.real, x.imag]
        found = [
            255 * denoise(torch.from_numpy(p / 255).float()[None], level)[0].numpy().astype(float) for p in parts
        ]
        return found[0] + 1j * (0 if real else found[1])

    def dot(a, b):
        return float((a.conj() * b).real.sum())

    count = 0
    for level in levels:
        unknowns = size**2 * (1 if real else 2)
        drawn = torch.randn(2, 1, unknowns, generator=torch.Generator().manual_seed(0), dtype=torch.float64)[:, 0]
        parts = drawn.numpy().reshape(2, -1, size, size)
        a, b = (p[0] + 1j * (0 if real else p[-1]) for p in parts)
        bend = gradient(a) - gradient(b)
        step, values, g, least = 0.2 / np.sqrt(dot(bend, bend) / dot(a - b, a - b)), [value(x)], gradient(x), np.inf
        for number in range(iterations):
            bound = max(values[-10:])
            for tries in range(21):
                forwarded = x - step * g
                new = (forwarded + step * clean(forwarded, level)) / (1 + step)
                change = new - x
                if tries == 20 or value(new) - 1e-12 <= bound + dot(change, g) + dot(change, change) / (2 * step):
                    break
                step *= 0.2
            if (residual := np.sqrt(dot(change, change)) / step) < least:
                best, least = new, residual
            values = [*(values if number else []), value(new)]
            following = gradient(new)
            bend = following + (forwarded - x) / step
            longer = dot(change, change) / dot(change, bend)
            shorter = max(dot(change, bend) / dot(bend, bend), 0)
            step = (shorter if 2 * shorter > longer else longer - shorter / 2) if longer > 0 else 1.5 * step
            x, g, count = new, following, count + 1
        x = best
    return x / 255, count


@pytest.mark.parametrize("real", [True, False])
def test_it_goes_as_by_a_plain_iteration(garments, real):
    """Of photons too: σ_w is then half the root of one, on the scale of y; without noise it is the floor."""
    truth = garments[:3] if real else garments[:3] * torch.polar(torch.ones(36, 36), torch.linspace(0, 1, 36))
    start, clean = started(truth), measure(truth)
    for intensity, floor in ((clean, 0.7), (photon_noise(clean, 2e5, 1), 0.1)):
        found = prdeep(
            intensity, start, smooth, values="real" if real else "complex", levels=(40, 10), iterations=6, floor=floor
        )
        for index, pattern in enumerate(intensity):
            photon = 0 if intensity is clean else float(clean[index].double().sum()) / 2e5
            sigma = max(floor, 255 * 36 / 72**2 * np.sqrt(photon) / 2)
            assert (sigma == floor) == (intensity is clean)
            how = {"sigma": sigma, "real": real, "levels": (40, 10), "iterations": 6}
            objects, count = plain(pattern.numpy(), start[index].numpy(), smooth, **how)
            assert np.allclose(found.objects[index], objects, atol=2e-4)
            assert found.iterations[index] == count == 12


def test_the_truth_stays_where_the_denoiser_changes_nothing(garments):
    found = prdeep(measure(garments), garments, lambda x, level: x, values="real", iterations=5)
    assert torch.allclose(found.objects, garments, atol=1e-4)


def test_it_lowers_the_error_of_a_start(garments):
    """With noise, and a denoiser that knows no more than that nothing is darker than dark."""
    start, intensity = started(garments), photon_noise(measure(garments), 1e6, 3)
    found = prdeep(intensity, start, lambda x, level: x.clamp_min(0), values="real", iterations=20)
    before, after = (symmetry_adjusted_mse(garments, x) for x in (start, found.objects))
    assert (after < 0.7 * before).all()
    assert (found.iterations <= 20 * len(LEVELS)).all()


def test_levels_come_one_after_another_and_parts_as_images(garments):
    seen = []

    def watched(pictures, level):
        assert pictures.dtype == torch.float32
        seen.append((level, len(pictures)))
        return smooth(pictures, level)

    prdeep(measure(garments[:1]), garments[:1], watched, values="complex", levels=(30, 7), iterations=2)
    assert list(dict(seen)) == [30, 7]
    assert seen[0] == (30, 2)  # real and imaginary part


def test_the_starts_global_phase_does_not_matter(garments):
    intensity, start = measure(garments), started(garments)
    how = {"values": "complex", "levels": (20,), "iterations": 4}
    turned = start * torch.polar(torch.ones(()), torch.tensor(2.0))
    first, second = (prdeep(intensity, x, smooth, **how).objects for x in (start, turned))
    assert torch.allclose(first, second, atol=1e-3)


def test_a_pattern_does_not_see_its_neighbours(garments):
    intensity, start = measure(garments), started(garments)
    whole = prdeep(intensity, start, smooth, values="real", levels=(20,), iterations=15).objects
    alone = prdeep(intensity[4:5], start[4:5], smooth, values="real", levels=(20,), iterations=15).objects
    assert torch.allclose(whole[4], alone[0], atol=1e-6)


def test_what_does_not_fit_is_refused(garments, no_shape_checks):
    intensity = measure(garments)

    def call(start=garments, **changed):
        prdeep(intensity, start, smooth, **{"values": "real", **changed})

    refused(lambda: call(garments[:2]), "start of shape (6, N, N)", "complex64 of shape (2, 36, 36)")
    refused(lambda: call(torch.zeros(6, 40, 40, dtype=torch.complex64)), "at most 36", "to_frame")
    refused(lambda: call(garments.real), "start as a complex torch tensor")
    refused(lambda: prdeep(intensity[0], garments, smooth, values="real"), "(batch, M, M)", "of shape (72, 72)")
    refused(lambda: prdeep(intensity[:0], garments[:0], smooth, values="real"), "one or more", "of shape (0, 72, 72)")
    refused(lambda: call(0 * garments), "some not zero")
    refused(lambda: call(garments * torch.nan), "NaN")
    refused(lambda: call(iterations=0), "iterations", "got 0")
    refused(lambda: call(levels=()), "levels of noise", "got ()")
    refused(lambda: call(values="imaginary"), "complex, real or positive")
    refused(lambda: call(floor=0), "floor above 0")
    refused(lambda: prdeep(-intensity, garments, smooth, values="real"), "non-negative intensities")
