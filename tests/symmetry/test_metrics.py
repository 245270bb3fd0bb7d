import pytest
import torch
from conftest import blobs, random_copy
from hypothesis import given
from hypothesis import strategies as st

from farfield.physics.diffraction import measure, to_frame
from farfield.symmetry import metrics
from farfield.symmetry.actions import conjugate_flip

seeds = st.integers(0, 10_000)


def plain_scan(reference: torch.Tensor, estimate: torch.Tensor) -> float:
    """SA-MSE by trying every translation that overlaps, one by one, in double precision."""
    a = reference.to(torch.complex128)
    height, width = a.shape
    largest = 0.0
    for b in (estimate, conjugate_flip(estimate)):
        b = b.to(torch.complex128)
        plane = torch.zeros(b.shape[0] + 2 * height, b.shape[1] + 2 * width, dtype=torch.complex128)
        plane[height:-height, width:-width] = b
        windows = plane.unfold(0, height, 1).unfold(1, width, 1)
        overlaps = (windows.conj() * a).sum((-2, -1)).abs().square()
        largest = max(largest, float(overlaps.max()))
    norm = float(estimate.to(torch.complex128).abs().square().sum())
    total = float(a.abs().square().sum())
    return (total - (largest / norm if norm else 0)) / (height * width)


def by_long_transforms(reference: torch.Tensor, estimate: torch.Tensor) -> torch.Tensor:
    """SA-MSE of stacks in one square frame by transforms of twice its length, in which nothing wraps."""
    size = 2 * (2 * reference.shape[-1],)
    field = torch.fft.fft2(reference.to(torch.complex128), s=size)
    copies = torch.stack([estimate, conjugate_flip(estimate)]).to(torch.complex128)
    overlaps = torch.fft.ifft2(field * torch.fft.fft2(copies, s=size).conj()).abs().square()
    norm, total = (x.abs().double().square().sum((-2, -1)) for x in (estimate, reference))
    explained = overlaps.amax((-1, -2)).amax(0) / norm.clamp_min(1e-300)
    return (total - explained).clamp_min(0) / reference.shape[-1] ** 2


@pytest.mark.parametrize("kind", ["sparse", "heavy-tailed", "stripes", "edges", "copies", "shifted out", "ones"])
@pytest.mark.parametrize("side", [2, 3, 8, 17, 32])
def test_sa_mse_agrees_with_long_transforms(kind, side):
    """What the proof in `matching` lets it leave out was not the largest overlap."""
    generator = torch.Generator().manual_seed(side)

    def noise():
        return torch.randn(100, side, side, dtype=torch.complex64, generator=generator)

    a, b = noise(), noise()
    if kind == "sparse":
        a, b = (x * (torch.rand(x.shape, generator=generator) < 0.1) for x in (a, b))
    elif kind == "heavy-tailed":
        a, b = (x * x.abs() ** 4 for x in (a, b))
    elif kind == "stripes":
        a[:, ::2], b[:, :, 1::2] = 0, 0
    elif kind == "edges":
        a[:, 1:-1, 1:-1], b[:, 1:-1, 1:-1] = 0, 0
    elif kind == "copies":
        b = conjugate_flip(a) * 1j + 0.1 * b
    elif kind == "shifted out":
        b = torch.roll(torch.nn.functional.pad(a, (0, side, 0, side)), (-side // 3, side // 3), (-2, -1))
        b = b[:, :side, :side].contiguous()
    else:
        a, b = torch.ones_like(a), torch.ones_like(b) * (torch.rand(b.shape, generator=generator) < 0.7)
    zero = a.abs().double().square().mean((-2, -1))
    error = metrics.symmetry_adjusted_mse(a, b) - by_long_transforms(a, b)
    assert float((error.abs() / zero.clamp_min(1e-300)).max()) < 1e-5


@given(blobs(largest=14), blobs(largest=14))
def test_sa_mse_agrees_with_a_plain_scan(reference, estimate):
    assert float(metrics.symmetry_adjusted_mse(reference, estimate)) == pytest.approx(
        plain_scan(reference, estimate), rel=1e-5
    )


@given(blobs(largest=14), seeds, st.floats(1e-4, 1))
def test_sa_mse_of_noisy_copies_agrees_with_a_plain_scan(blob, seed, noise):
    copy = random_copy(blob[None], seed)[0]
    generator = torch.Generator().manual_seed(seed)
    estimate = copy + noise * torch.randn(copy.shape, dtype=torch.complex64, generator=generator)
    assert float(metrics.symmetry_adjusted_mse(blob, estimate)) == pytest.approx(plain_scan(blob, estimate), rel=1e-5)


@given(blobs(), seeds, st.floats(0.01, 100))
def test_sa_mse_ignores_symmetries_and_scale(blob, seed, scale):
    estimate = scale * random_copy(blob[None], seed)[0]
    energy = float(blob.abs().square().mean())
    assert float(metrics.symmetry_adjusted_mse(blob, estimate)) == pytest.approx(0, abs=1e-6 * energy)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_sa_mse_survives_any_unit_of_amplitude(objects, scale):
    copies = random_copy(objects, 5) + 0.1 * torch.randn(objects.shape, dtype=torch.complex64)
    plain = metrics.symmetry_adjusted_mse(objects, copies)
    scaled = metrics.symmetry_adjusted_mse(scale * objects, copies / scale)
    assert torch.allclose(scaled / scale**2, plain, rtol=1e-4)


def test_sa_mse_takes_double_precision_and_leaves_its_input_alone(objects):
    truth, estimate = objects.to(torch.complex128), random_copy(objects, 3).to(torch.complex128)
    estimate += 0.1 * torch.randn(estimate.shape, dtype=estimate.dtype, generator=torch.Generator().manual_seed(0))
    before = truth.clone(), estimate.clone()
    double = metrics.symmetry_adjusted_mse(truth, estimate)
    assert torch.equal(truth, before[0])
    assert torch.equal(estimate, before[1])
    single = metrics.symmetry_adjusted_mse(truth.to(torch.complex64), estimate.to(torch.complex64))
    assert torch.allclose(double, single, rtol=1e-5)


def test_sa_mse_of_nothing_is_the_references_own_energy(objects):
    own = objects.abs().double().square().mean((-2, -1))
    assert torch.allclose(metrics.symmetry_adjusted_mse(objects, 0 * objects), own)
    assert not metrics.symmetry_adjusted_mse(0 * objects, objects).any()
    assert not metrics.symmetry_adjusted_mse(0 * objects, 0 * objects).any()


@given(blobs(), blobs())
def test_sa_mse_is_never_above_the_zero_predictor(reference, estimate):
    energy = float(reference.abs().square().mean())
    assert 0 <= float(metrics.symmetry_adjusted_mse(reference, estimate)) <= energy * (1 + 1e-6)
    assert float(metrics.symmetry_adjusted_mse(reference, torch.zeros_like(estimate))) == pytest.approx(energy)


def test_what_lies_outside_of_the_window_counts_as_error(objects):
    reference = objects[0]
    estimate = to_frame(reference, 64, 64).clone()
    estimate[0, 0] = 10
    assert float(metrics.symmetry_adjusted_mse(reference, estimate)) > 0.05 * float(reference.abs().square().mean())


def test_crystals_of_all_kinds_agree_with_a_plain_scan(objects):
    others = torch.stack([objects[1], objects[0] * 0.9 + 0.1 * objects[2], objects[3].mean() + 0 * objects[3]])
    found = metrics.symmetry_adjusted_mse(objects[:3], others)
    for value, reference, estimate in zip(found, objects[:3], others, strict=True):
        assert float(value) == pytest.approx(plain_scan(reference, estimate), rel=1e-5)


def test_mse_is_half_the_mean_square(objects):
    assert torch.allclose(metrics.mse(objects, 0 * objects), 0.5 * objects.abs().double().square().mean((-2, -1)))


def test_magnitude_error_sees_the_scale_that_sa_mse_forgives(objects):
    copies = 0.5 * random_copy(objects, 1)
    assert torch.allclose(metrics.magnitude_error(objects, copies), torch.tensor(0.5).double(), atol=1e-4)
    assert torch.allclose(metrics.symmetry_adjusted_mse(objects, copies), torch.tensor(0.0).double(), atol=1e-6)


def test_fourier_residual_is_zero_for_copies_and_one_for_nothing(objects):
    pattern = measure(objects)
    assert float(metrics.fourier_residual(pattern, random_copy(objects, 2)).max()) < 1e-5
    assert torch.allclose(metrics.fourier_residual(pattern, 0 * objects), torch.tensor(1.0).double())
    assert torch.allclose(metrics.fourier_residual(pattern, 0.9 * objects), torch.tensor(0.1).double(), atol=1e-4)


def test_the_r_factor_is_its_definition(objects):
    pattern, estimate = measure(objects), objects + 0.1 * torch.randn(objects.shape, dtype=objects.dtype)
    measured, found = pattern.sqrt().double(), measure(estimate).sqrt().double()
    expected = (measured - found).abs().sum((-2, -1)) / measured.sum((-2, -1))
    assert torch.allclose(metrics.r_factor(pattern, estimate), expected, rtol=1e-5)


def test_the_prtf_is_one_where_starts_agree_and_falls_where_they_do_not(objects):
    truth = objects[:4]
    pattern = measure(truth)
    copies = torch.stack([random_copy(truth, seed) for seed in range(3)], 1)
    agreed = metrics.phase_retrieval_transfer_function(pattern, copies)
    assert agreed.shape == (4, 32)
    assert torch.allclose(agreed, torch.ones_like(agreed), atol=1e-3)
    field = torch.fft.fft2(torch.fft.ifftshift(to_frame(truth, 64, 64), dim=(-2, -1)))[:, None].repeat(1, 8, 1, 1)
    frequency = torch.fft.fftfreq(64).abs()
    high = torch.maximum(frequency[:, None], frequency) > 0.25
    noise = torch.exp(2j * torch.pi * torch.rand(field.shape, generator=torch.Generator().manual_seed(0)))
    blurred = torch.fft.fftshift(torch.fft.ifft2(torch.where(high, field * noise, field)), dim=(-2, -1))
    curve = metrics.phase_retrieval_transfer_function(pattern, blurred)
    assert (curve[:, :12] > 0.9).all()
    assert (curve[:, 24:] < 0.6).all()


def test_what_a_mask_hides_does_not_count(objects):
    truth = objects[:4]
    pattern = measure(truth)
    frequency = torch.arange(64) - 32
    mask = torch.hypot(frequency[:, None].float(), frequency) > 2  # a beamstop of 13 pixels
    mask[:, 50] = False  # and a gap of the detector
    behind = torch.where(mask, pattern, torch.nan)
    copies = torch.stack([random_copy(truth, seed) for seed in range(3)], 1)
    assert float(metrics.fourier_residual(behind, copies, mask=mask).max()) < 1e-6
    assert float(metrics.r_factor(behind, copies, mask=mask.expand(4, -1, -1)).max()) < 1e-6
    found = 0.9 * truth
    expected = torch.full((4,), 0.1, dtype=torch.float64)
    assert torch.allclose(metrics.fourier_residual(behind, found, mask=mask), expected, atol=1e-5)
    assert torch.allclose(metrics.r_factor(behind, found, mask=mask), expected, atol=1e-5)
    curve = metrics.phase_retrieval_transfer_function(behind, copies, mask=mask)
    assert not curve[:, :2].any()
    assert torch.allclose(curve[:, 3:], torch.ones(()).double(), atol=1e-4)


def test_each_pattern_may_have_a_mask_of_its_own(objects):
    pattern, estimate = measure(objects[:2]), 0.9 * objects[:2]
    mask = torch.ones(2, 64, 64, dtype=torch.bool)
    mask[1, 30:35, 30:35] = False
    pattern[1, 32, 32] = 1e9
    for misfit in (metrics.fourier_residual, metrics.r_factor):
        assert torch.allclose(misfit(pattern, estimate, mask=mask), torch.tensor(0.1).double(), atol=1e-5)


@pytest.mark.usefixtures("no_shape_checks")
def test_masks_of_other_conventions_are_refused(objects):
    pattern = measure(objects[:1])
    bad = torch.zeros(64, 64, dtype=torch.bool)
    bad[30:35] = True
    right = metrics.fourier_residual(pattern, objects[:1], mask=(~bad).numpy())
    with pytest.raises(ValueError, match="leaves 8 %; a mask is True where measured: invert it with ~mask"):
        metrics.fourier_residual(pattern, objects[:1], mask=bad)
    with pytest.raises(ValueError, match=r"True where measured, got uint8 .*; pass mask == 0 if 0 means good there"):
        metrics.r_factor(pattern, objects[:1], mask=bad.byte())
    assert torch.equal(metrics.fourier_residual(pattern, objects[:1], mask=bad.byte() == 0), right)


@pytest.mark.usefixtures("no_shape_checks")
def test_bad_input_is_refused_in_a_sentence(objects):
    with pytest.raises(ValueError, match=r"trailing shape \(32, 32\), got \(64, 30, 32\)"):
        metrics.mse(objects, objects[:, 1:-1])
    with pytest.raises(ValueError, match="one estimate for each reference"):
        metrics.symmetry_adjusted_mse(objects, objects[:5])
    with pytest.raises(ValueError, match="at least one reference"):
        metrics.symmetry_adjusted_mse(objects[:0], objects[:0])
    pattern = measure(objects)
    for misfit in (metrics.fourier_residual, metrics.r_factor):
        with pytest.raises(ValueError, match="a multiple of the estimate's frame"):
            misfit(pattern, objects[:, 1:])
        with pytest.raises(ValueError, match="one pattern for each estimate"):
            misfit(pattern[:3], objects)
        with pytest.raises(ValueError, match=r"non-negative intensities, .* mask them \(mask=,"):
            misfit(-pattern, objects)
