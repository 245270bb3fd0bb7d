"""Reconstruction from objects that are given, such as a network's."""

import gc
import weakref

import pytest
import torch

from farfield import iterative
from farfield.iterative import Shrinkwrap, asking, blob, starts, workers
from farfield.iterative.patterns import read_patterns
from farfield.iterative.shrinkwrap import update
from farfield.physics import crystals
from farfield.physics.diffraction import measure, to_frame
from farfield.symmetry.sa_mse import symmetry_adjusted_mse


def blurred(objects: torch.Tensor, sigma: float) -> torch.Tensor:
    """Blur objects by σ pixels."""
    frequency = torch.fft.fftfreq(objects.shape[-1])
    line = torch.exp(-2 * (torch.pi * sigma * frequency) ** 2)
    return torch.fft.ifft2(torch.fft.fft2(objects) * line[:, None] * line)


def test_a_blurred_truth_is_solved_where_random_phases_are_not():
    truth = crystals.simulate(12, 32, 94)
    pattern, start = measure(truth), blurred(to_frame(truth, 64, 64), 2.0)

    def solved(**options):
        sharp = Shrinkwrap(threshold=0.2, sigma=0.7, period=5)
        found = iterative.reconstruct(pattern, "30*HIO+10*ER", shrinkwrap=sharp, **options)
        relative = symmetry_adjusted_mse(truth, found.objects) / truth.abs().double().square().mean((-2, -1))
        return float((relative < 1e-3).double().mean())

    assert solved(start=start) >= 0.75
    assert solved() <= 0.25


def test_a_start_brings_its_own_defaults(objects):
    pattern, start = measure(objects[:3]), blurred(objects[:3], 1.0)
    usual = iterative.reconstruct(pattern, start=start)
    said = {"recipe": asking.WARM_RECIPE, "shrinkwrap": asking.WARM}
    assert torch.equal(usual.objects, iterative.reconstruct(pattern, start=start, **said).objects)
    cold = iterative.reconstruct(pattern, seed=1, starts=1)
    said = {"recipe": asking.RECIPE, "shrinkwrap": asking.FOLLOW}
    assert torch.equal(cold.objects, iterative.reconstruct(pattern, seed=1, **said).objects)
    assert usual.iterations.max() < cold.iterations.max()


def test_the_first_iterate_has_measured_amplitudes_and_the_phases_of_the_start(objects):
    pattern, start = measure(objects[:3]), blurred(objects[3:6], 1.0)
    iterate = starts.warm_start(read_patterns(pattern), starts.read_start(1e-3 * start, pattern))
    field = torch.fft.fft2(iterate)
    assert torch.allclose(field.abs().square(), torch.fft.ifftshift(pattern, dim=(-2, -1)), rtol=1e-3, atol=1e-2)
    expected = torch.fft.fft2(torch.fft.ifftshift(to_frame(start, 64, 64), dim=(-2, -1)))
    strong = expected.abs() > 1e-3 * expected.abs().amax()
    assert torch.allclose((field / field.abs())[strong], (expected / expected.abs())[strong], atol=1e-2)


def test_what_was_not_measured_is_the_starts_at_the_patterns_scale(objects):
    pattern, start = measure(objects[:3]), to_frame(objects[:3], 64, 64)
    mask = torch.ones(64, 64, dtype=torch.bool)
    mask[30:35, 30:35] = False
    iterate = starts.warm_start(read_patterns(pattern, mask), starts.read_start(1e-3 * start, pattern))
    assert torch.allclose(torch.fft.fftshift(iterate, dim=(-2, -1)), start, atol=1e-4)


def test_the_first_support_is_the_blurred_start_unless_one_is_given(objects):
    pattern, start = measure(objects[:3]), to_frame(blurred(objects[:3], 1.0), 64, 64)
    shrinkwrap = Shrinkwrap(period=99)
    (state,) = iterative.watch(pattern, "3*ER", start=start, shrinkwrap=shrinkwrap, oversampling=2)
    expected = update(start, torch.full((3,), shrinkwrap.sigma), torch.full((3,), shrinkwrap.threshold)).sum((-2, -1))
    assert torch.equal(state.support.sum((-2, -1)), expected)
    whole = torch.ones(64, 64, dtype=torch.bool)
    (state,) = iterative.watch(pattern, "3*ER", start=start, shrinkwrap=shrinkwrap, support=whole)
    assert state.support.all()


def test_only_the_first_start_is_given(objects):
    pattern = measure(objects[:4])
    options = {"recipe": "30*HIO+10*ER", "starts": 3, "seed": 5, "keep": "all", "shrinkwrap": asking.FOLLOW}
    cold, warm = (iterative.reconstruct(pattern, start=start, **options) for start in (None, objects[:4]))
    assert torch.equal(cold.starts.residual[:, 1:], warm.starts.residual[:, 1:])
    assert (warm.starts.residual[:, 0] < cold.starts.residual[:, 0]).all()


def test_a_watched_start_ends_where_the_other_does(objects):
    pattern, start = measure(objects[:4]), blurred(objects[:4], 1.5)
    *_, last = iterative.watch(pattern, "30*HIO+10*ER", start=start)
    found = iterative.reconstruct(pattern, "30*HIO+10*ER", start=start)
    assert torch.allclose(last.objects, found.objects, atol=1e-5)


def test_a_run_that_ends_leaves_nothing_to_the_collector(objects):
    patterns, options, _ = asking.read_asked(measure(objects[:2]), "20*HIO+5*ER")
    gc.disable()  # a GPU's memory, which its captures hold, does not wake it
    try:
        run = starts.begin(patterns, options, torch.zeros_like(patterns.number))
        made = weakref.ref(run.make)
        for _ in run.iterate_all():
            pass
        del run
        assert made() is None
    finally:
        gc.enable()


def test_a_start_has_any_scale_frame_and_batch(monkeypatch, objects):
    pattern, start = measure(objects[:4]).reshape(2, 2, 64, 64), blurred(objects[:4], 1.5).reshape(2, 2, 32, 32)

    def solve(start):
        return iterative.reconstruct(pattern, "3*HIO+2*ER", start=start).objects

    found = solve(start)
    assert found.shape == (2, 2, 64, 64)
    assert torch.equal(solve(to_frame(2.0**90 * start, 64, 48)), found)
    same = solve(start[0, 1])
    assert torch.allclose(same[0, 1], found[0, 1], atol=1e-5)
    assert not torch.allclose(same[1, 1], found[1, 1], atol=1e-2)
    monkeypatch.setattr(workers, "PIXELS_AT_ONCE", 3 * 64**2)
    assert torch.allclose(solve(start), found, atol=1e-5)
    real = objects[0].abs()
    assert torch.allclose(solve(real), solve(real.to(torch.complex64)), atol=1e-4)


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("start", "message"),
    [
        (torch.ones(20, 16), r"a frame of at most 16 × 16.*float32 of shape \(20, 16\); convert it, or crop it"),
        (
            torch.ones(3, 8, 8),
            r"its other dimensions \(2,\) as the patterns' or none, got float32 of shape \(3, 8, 8\)",
        ),
        (torch.ones(1, 2, 8, 8), "its other dimensions"),
        (torch.ones(8), "a complex or float torch tensor"),
        (torch.ones(8, 8, dtype=torch.int64), "a complex or float torch tensor .*int64"),
        ([[1.0]], "a complex or float torch tensor .*got list"),
        (torch.zeros(8, 8), "finite pixels, some of them not zero"),
        (torch.stack([torch.ones(8, 8), torch.zeros(8, 8)]), "some of them not zero"),
        (torch.full((8, 8), torch.nan), "finite pixels"),
        (torch.full((8, 8), torch.inf, dtype=torch.complex64), "finite pixels.*leave start= out"),
    ],
)
@pytest.mark.parametrize("solve", [iterative.reconstruct, iterative.watch])
def test_a_start_that_cannot_be_is_refused_in_a_sentence(solve, start, message):
    with pytest.raises(ValueError, match=message):
        solve(torch.ones(2, 16, 16), start=start)


def test_a_blob_is_a_gaussian_at_the_origin():
    start = blob(36)
    assert start.dtype == torch.complex64
    assert start[18, 18] == 1
    assert float(start[18, 26].real) == pytest.approx(torch.exp(torch.tensor(-0.5)))
    assert torch.equal(start, start.T)
    assert torch.allclose(start[1:, 1:], start[1:, 1:].flip(0, 1))
    with pytest.raises(ValueError, match="expected size as an integer of at least 1, got 0"):
        blob(0)


def test_a_networks_output_is_a_start_as_it_comes(objects):
    """It remembers how it was made, unless it is told not to; iterations must neither fail nor go on remembering."""
    pattern = measure(objects[:2])
    remembering = objects[:2].clone().requires_grad_()
    found = iterative.reconstruct(pattern, "5*ER", start=remembering)
    assert not found.objects.requires_grad
    assert torch.equal(found.objects, iterative.reconstruct(pattern, "5*ER", start=objects[:2]).objects)
