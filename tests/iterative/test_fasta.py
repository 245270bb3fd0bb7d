"""FASTA's rules: against a plain loop for one point, on problems whose answer is known, and point by point."""

import numpy as np
import pytest
import torch

from farfield.iterative.fasta import Problem, minimise


def plain(f, gradient, proximal, x, iterations):
    """One point, as the source states it; also its iterations, steps that were shortened, and the last iterate."""
    drawn = torch.randn(2, 1, len(x), generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()[:, 0]
    bend = np.linalg.norm(gradient(drawn[0]) - gradient(drawn[1])) / np.linalg.norm(drawn[0] - drawn[1])
    step, values, g = 2 / max(bend, 1e-6) / 10, [f(x)], gradient(x)
    best, least, largest, shortened = x, np.inf, -np.inf, 0
    for count in range(1, iterations + 1):
        bound = max(values[-10:])
        for tries in range(21):
            forward = x - step * g
            new = proximal(forward, step)
            change = new - x
            if tries == 20 or f(new) - 1e-12 <= bound + change @ g + change @ change / (2 * step):
                break
            step, shortened = 0.2 * step, shortened + 1
        residual = np.linalg.norm(change) / step
        largest = max(largest, residual)
        if residual < least:
            best, least = new, residual
        terms = max(np.linalg.norm(g), np.linalg.norm(new - forward) / step)
        values = [*(values if count > 1 else []), f(new)]
        if residual / (largest + 1e-8) < 1e-7 or residual / (terms + 1e-8) < 1e-7:
            break
        next_g = gradient(new)
        bend = next_g + (forward - x) / step
        with np.errstate(divide="ignore", invalid="ignore"):
            longer, shorter = change @ change / (change @ bend), max(change @ bend / (bend @ bend), 0)
        following = shorter if 2 * shorter > longer else longer - shorter / 2
        step = following if following > 0 and np.isfinite(following) else 1.5 * step
        x, g = new, next_g
    return best, count, shortened, new


def quadratics(count=6, size=8):
    rng = np.random.default_rng(5)
    roots = rng.normal(size=(count, size, size))
    matrices = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(size)
    return torch.from_numpy(matrices), torch.from_numpy(rng.normal(size=(count, size)))


def shrunk(points, step, numbers=None):
    """Proximal point of 0.3 |x|₁."""
    return points.sign() * (points.abs() - 0.3 * step).clamp_min(0)


def quadratic(matrices, sides):
    def smooth(points, numbers):
        pulled = torch.einsum("bij,bj->bi", matrices[numbers], points)
        return ((pulled / 2 - sides[numbers]) * points).sum(1, keepdim=True), pulled - sides[numbers]

    return smooth


def test_quadratics_end_where_their_gradient_is_zero():
    matrices, sides = quadratics()
    points, made = minimise(Problem(quadratic(matrices, sides), lambda x, step, numbers: x), 0 * sides, 500)
    assert torch.allclose(points, torch.linalg.solve(matrices, sides), atol=1e-6)
    assert made.min() < made.max() < 500  # each rests when it is there


def test_a_kink_is_respected():
    """Where a coordinate is zero the slope is at most 0.3; elsewhere it is 0.3 towards zero."""
    matrices, sides = quadratics()
    points, _ = minimise(Problem(quadratic(matrices, sides), shrunk), 0 * sides, 500)
    slope = torch.einsum("bij,bj->bi", matrices, points) - sides
    assert (slope.abs() <= 0.3 + 1e-5).all()
    assert torch.allclose(slope[points != 0], -0.3 * points.sign()[points != 0], atol=1e-5)
    assert 0 < (points == 0).float().mean() < 1


def wells(points, numbers=None):
    """A misfit that is not convex, as a modulus' is: ¼ Σ (x² - n)²."""
    n = torch.arange(1, points.shape[1] + 1, dtype=points.dtype)
    short = points.square() - n
    return short.square().sum(1, keepdim=True) / 4, short * points


@pytest.mark.parametrize("iterations", [1, 2, 3, 9, 14])
def test_each_point_goes_as_by_a_plain_loop(iterations):
    start = torch.from_numpy(np.random.default_rng(1).normal(scale=3, size=(12, 8)))
    points, made = minimise(Problem(wells, shrunk), start, iterations)
    shortened = returned_another = 0
    for index, x in enumerate(start.numpy()):
        found, count, times, last = plain(
            lambda x: float(wells(torch.from_numpy(x)[None])[0]),
            lambda x: wells(torch.from_numpy(x)[None])[1][0].numpy(),
            lambda x, step: shrunk(torch.from_numpy(x), step).numpy(),
            x,
            iterations,
        )
        shortened += times
        returned_another += not np.array_equal(found, last)
        assert count == made[index]
        assert np.allclose(points[index], found, rtol=1e-9, atol=1e-9)
    assert iterations < 9 or (shortened and returned_another)  # the rules are put to the test


def test_a_point_does_not_see_its_neighbours():
    start = torch.from_numpy(np.random.default_rng(3).normal(scale=3, size=(7, 4)))
    whole, made = minimise(Problem(wells, shrunk), start, 30)
    for index in range(len(start)):
        alone, count = minimise(Problem(wells, shrunk), start[index : index + 1], 30)
        assert torch.equal(alone[0], whole[index])
        assert count[0] == made[index]
