"""Volumes aligned, and what estimates of them are worth."""

import pytest
import torch

from farfield.physics import polyhedra
from farfield.physics.diffraction import far_field, measure, to_frame
from farfield.symmetry import metrics, volumes

AXES = (-3, -2, -1)


@pytest.fixture(scope="module")
def objects():
    return to_frame(polyhedra.simulate(3, 16, 3), 24, 32, 28)


def copied(volume, shift, flip, angle):
    moved = volume.roll(shift, AXES)
    turned = moved.flip(AXES).conj().resolve_conj() if flip else moved
    return turned * torch.polar(torch.ones(()), torch.tensor(angle))


@pytest.mark.parametrize("flip", [False, True])
def test_symmetric_copies_are_undone(objects, flip):
    copies = torch.stack([copied(x, (k - 1, 3 * k, -2 * k), flip, 0.7 * k) for k, x in enumerate(objects)])
    assert torch.allclose(measure(copies, 1, 3), measure(objects, 1, 3), rtol=1e-3, atol=1)
    assert torch.allclose(volumes.align(objects, copies), objects, atol=1e-4)
    assert (volumes.relative_error(objects, copies) < 1e-8).all()
    assert torch.allclose(volumes.relative_error(objects, 0.9 * copies), torch.tensor(0.01).double(), atol=1e-6)


def test_the_best_copy_is_the_best_of_all(objects):
    """As a search through every translation and both flips finds it."""
    reference, estimate = objects[0, 4:20, 8:24, 6:22], objects[1, 4:20, 8:24, 6:22]
    best = 0.0
    for turned in (estimate, estimate.flip(AXES).conj().resolve_conj()):
        for shift in torch.cartesian_prod(*[torch.arange(16)] * 3).tolist():
            best = max(best, abs(complex(torch.vdot(turned.roll(shift, AXES).flatten(), reference.flatten()))))
    aligned = volumes.align(reference, estimate)
    overlap = complex(torch.vdot(aligned.flatten(), reference.flatten()))
    assert overlap.real == pytest.approx(best, rel=1e-4)
    assert abs(overlap.imag) < 1e-3 * best


def test_estimates_may_have_another_frame(objects):
    small = objects[:, 4:20, 8:24, 6:22]
    assert (volumes.relative_error(small, objects) < 1e-10).all()
    assert (volumes.relative_error(objects, small) < 1e-10).all()
    assert torch.allclose(volumes.relative_error(small, 0 * small), torch.ones(3).double())


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (torch.ones(2, 4, 4, 4), "complex torch tensor of shape"),
        (torch.ones(4, 4, dtype=torch.complex64), "complex torch tensor of shape"),
        (torch.ones(2, 4, 4, 6, dtype=torch.complex64), "volumes of one frame"),
        (torch.ones(3, 4, 4, 4, dtype=torch.complex64), "one estimate for each reference"),
    ],
)
def test_what_cannot_be_compared_is_refused(estimate, expected, no_shape_checks):
    with pytest.raises(ValueError, match=expected):
        volumes.align(torch.ones(2, 4, 4, 4, dtype=torch.complex64), estimate)


def test_the_prtf_is_one_where_starts_agree_and_falls_where_they_do_not(objects):
    truth = objects[:2]
    pattern = measure(truth, 2, 3)
    copies = torch.stack([copied(truth, (k, -k, 2 * k), k % 2 == 1, 0.3 * k) for k in range(3)], 1)
    agreed = volumes.phase_retrieval_transfer_function(pattern, copies)
    assert agreed.shape == (2, 24)
    assert torch.allclose(agreed, torch.ones(()).double(), atol=1e-3)
    mask = torch.ones(pattern.shape[1:], dtype=torch.bool)
    mask[:, 10] = False
    hidden = torch.where(mask, pattern, torch.nan)
    agreed = volumes.phase_retrieval_transfer_function(hidden, copies, mask=mask)
    assert torch.allclose(agreed, torch.ones(()).double(), atol=1e-3)
    field = far_field(truth, 1, 3)[:, None].repeat(1, 8, 1, 1, 1)
    radius = [(torch.arange(n) - n // 2).abs() / n for n in truth.shape[-3:]]
    high = torch.stack(torch.meshgrid(*radius, indexing="ij")).amax(0) > 0.25
    noise = torch.exp(2j * torch.pi * torch.rand(field.shape, generator=torch.Generator().manual_seed(0)))
    blurred = torch.fft.ifftn(torch.fft.ifftshift(torch.where(high, field * noise, field), dim=AXES), dim=AXES)
    curve = volumes.phase_retrieval_transfer_function(measure(truth, 1, 3), torch.fft.fftshift(blurred, dim=AXES))
    assert (curve[:, :4] > 0.9).all()
    assert (curve[:, 11:] < 0.6).all()


def test_a_place_in_space_gives_shells_of_one_length(objects):
    """Of equal and upright steps they are those of pixels; of a longer step as many fewer, and all of one |q|."""
    truth = objects[0, 4:20, 8:24, 6:22]
    starts = torch.stack([truth, truth * torch.polar(torch.ones(()), torch.rand(truth.shape))])
    pattern = measure(truth, 2, 3)
    usual = volumes.phase_retrieval_transfer_function(pattern, starts)
    turned, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    found, width = volumes.transfer_in_space(pattern, starts, 0.02 * turned)
    assert width == pytest.approx(0.02)
    assert found.shape == usual.shape == (16,)
    assert torch.allclose(found, usual)
    steps = 0.02 * torch.diag(torch.tensor([0.5, 1, 2], dtype=torch.float64))
    found, width = volumes.transfer_in_space(pattern, starts, steps @ turned)
    assert width == pytest.approx(0.04)
    assert len(found) == 4  # 16 pixels of 0.01 to the nearest face
    q = torch.stack(torch.meshgrid(*[torch.arange(32) - 16.0] * 3, indexing="ij"), -1) @ steps.float()
    shell = (q.norm(dim=-1) / 0.04).round() == 2
    mean = volumes.align(starts[:1].expand_as(starts), starts).mean(0)
    expected = far_field(mean, 2, 3).abs()[shell].sum() / pattern.sqrt()[shell].sum()
    assert float(found[2]) == pytest.approx(float(expected), rel=1e-3)


def test_shells_of_unequal_axes_are_shares_of_each(objects):
    """An amplitude that depends on the share of each axis' Nyquist frequency alone is the same in each shell."""
    shares = [(torch.arange(n) - n // 2) / n for n in (24, 32, 28)]
    radius = sum(x.square() for x in torch.meshgrid(*shares, indexing="ij")).sqrt()
    shell = (radius * 24).round()
    found = metrics.over_shells(torch.ones(24, 32, 28), 1 + shell, 3)
    assert torch.allclose(found, 1 + torch.arange(12).double())
