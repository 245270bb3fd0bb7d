import numpy as np
import pytest
import torch
from conftest import blobs
from hypothesis import given

from farfield.physics import diffraction


def plain_far_field(item: np.ndarray, oversampling: int) -> np.ndarray:
    """The defining sum, frequency by frequency, about the frame's origin."""
    height, width = item.shape
    rows, columns = oversampling * height, oversampling * width
    y, x = np.arange(height) - height // 2, np.arange(width) - width // 2
    ky, kx = np.arange(rows) - rows // 2, np.arange(columns) - columns // 2
    return np.exp(-2j * np.pi * np.outer(ky, y) / rows) @ item @ np.exp(-2j * np.pi * np.outer(x, kx) / columns)


@given(blobs(largest=12))
@pytest.mark.parametrize("oversampling", [2, 3])
def test_far_field_is_the_defining_sum(oversampling, blob):
    expected = plain_far_field(blob.numpy(), oversampling)
    field = diffraction.far_field(blob, oversampling).numpy()
    np.testing.assert_allclose(field, expected, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(diffraction.measure(blob, oversampling), np.abs(expected) ** 2, rtol=2e-3, atol=1e-2)


@given(blobs())
def test_energy_is_kept(blob):
    assert diffraction.measure(blob).mean() == pytest.approx(float(blob.abs().square().sum()), rel=1e-4)


@given(blobs())
def test_dc_is_in_the_centre(blob):
    pattern = diffraction.measure(blob)
    centre = pattern[pattern.shape[0] // 2, pattern.shape[1] // 2]
    assert float(centre) == pytest.approx(float(blob.sum().abs() ** 2), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(("old", "new"), [(4, 9), (5, 8), (8, 5), (7, 7)])
def test_to_frame_keeps_the_origin(old, new):
    frame = torch.zeros(old, old)
    frame[old // 2, old // 2] = 1
    moved = diffraction.to_frame(frame, new, new)
    assert moved.shape == (new, new)
    assert moved[new // 2, new // 2] == 1


def test_photon_noise_is_poisson_in_the_units_of_the_pattern(objects):
    pattern = diffraction.measure(objects[:4])
    noisy = diffraction.photon_noise(pattern, 1e6, seed=3)
    counts = noisy * (1e6 / pattern.sum((-2, -1), keepdim=True))
    expected = pattern * (1e6 / pattern.sum((-2, -1), keepdim=True))
    assert torch.allclose(counts, counts.round(), atol=1e-2)
    bright = expected > 50
    deviation = ((counts - expected) / expected.sqrt())[bright]
    assert float(deviation.mean()) == pytest.approx(0, abs=0.1)
    assert float(deviation.std()) == pytest.approx(1, abs=0.1)


def test_photon_noise_depends_on_seed_and_index_alone(objects):
    pattern = diffraction.measure(objects[:4])
    assert torch.equal(diffraction.photon_noise(pattern, 1e5, 1)[:2], diffraction.photon_noise(pattern[:2], 1e5, 1))
    assert not torch.equal(diffraction.photon_noise(pattern, 1e5, 1), diffraction.photon_noise(pattern, 1e5, 2))


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diffraction.measure(torch.zeros(4, 4)), "expected objects as a complex torch tensor"),
        (lambda: diffraction.measure(torch.zeros(4, dtype=torch.complex64)), r"got complex64 of shape \(4,\)"),
        (lambda: diffraction.measure(torch.zeros(4, 4, dtype=torch.complex64), 0), "oversampling as an integer"),
        (
            lambda: diffraction.photon_noise(torch.full((4, 4), torch.nan), 10, 0),
            "NaN, infinite or negative pixels; subtract",
        ),
        (lambda: diffraction.photon_noise(torch.zeros(4, 4), 10, 0), "got an empty one at 0"),
        (lambda: diffraction.photon_noise(torch.ones(4, 4), 0, 0), "positive number of photons"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
