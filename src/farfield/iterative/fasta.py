"""FASTA for batches: forward-backward splitting with adaptive steps, each point by itself.

Goldstein, Studer & Baraniuk, "A field guide to forward-backward splitting with a FASTA implementation",
arXiv:1411.3406; the constants are those of their solver.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

from farfield.iterative.descent import dot

TOLERANCE = 1e-7
"""Of a residual, relative to the largest so far or to the terms that it is the sum of, under which a point rests."""

WINDOW = 10
"""Values before an iterate that its own is held against: it may rise, but not above the largest of these."""

SHRINK = 0.2
"""What a step that went too far is multiplied by."""

BACKTRACKS = 20
"""Of an iteration, at most."""

GROW = 1.5
"""What a step is multiplied by where the curvature tells of none."""

SLACK, LEAST = 1e-12, 1e-8
"""Rounding that a value is allowed, and what keeps ratios finite."""


class Problem(NamedTuple):
    """What is minimised: f + g, of which the points of a batch have f and g of their own.

    Attributes
    ----------
    smooth : callable
        Points (some, unknowns) and their numbers (some,) → values of f, (some, 1), and gradients as the points.
    proximal : callable
        Points, steps (some, 1) and numbers → argmin ½ ‖x - point‖² + step · g(x), or what takes its place.
    """

    smooth: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    proximal: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class _Tried(NamedTuple):
    """A forward-backward step: what it came from by the gradient alone, where it ends, and f there."""

    forward: torch.Tensor
    point: torch.Tensor
    value: torch.Tensor
    gradient: torch.Tensor


def minimise(problem: Problem, points: torch.Tensor, iterations: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Minimise f + g from each point of a batch.

    Parameters
    ----------
    problem : Problem
    points : torch.Tensor, float, shape (batch, unknowns)
        Where to begin.
    iterations : int
        At most; a point whose residual falls below `TOLERANCE` rests.

    Returns
    -------
    points : torch.Tensor, float, shape (batch, unknowns)
        Of each point's iterates that of the smallest residual, ‖x - x'‖ / step, which is not always the last.
    iterations : torch.Tensor, int64, shape (batch,)
    """
    best, least = points.clone(), torch.full_like(points[:, :1], torch.inf)
    made = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    alive = torch.arange(len(points), device=points.device)
    value, gradient = problem.smooth(points, alive)
    step, recent, largest = _first_step(problem, points), value, torch.zeros_like(value)
    for number in range(iterations):
        tried, step = _backtrack(problem, alive, points, gradient, step, recent.amax(1, keepdim=True))
        change = tried.point - points
        residual = _norm(change) / step
        largest = torch.maximum(largest, residual)
        terms = torch.maximum(_norm(gradient), _norm(tried.point - tried.forward) / step)
        better = (residual < least[alive])[:, 0]
        best[alive[better]], least[alive[better]] = tried.point[better], residual[better]
        made[alive] += 1
        going = ((residual / (largest + LEAST) >= TOLERANCE) & (residual / (terms + LEAST) >= TOLERANCE))[:, 0]
        step = _next_step(change, tried.gradient + (tried.forward - points) / step, step)
        recent = torch.cat([recent, tried.value], 1)[:, -WINDOW:] if number else tried.value
        points, gradient = tried.point, tried.gradient
        if not going.all():
            state = (alive, points, gradient, step, recent, largest)
            alive, points, gradient, step, recent, largest = (x[going] for x in state)
        if not len(alive):
            break
    return best, made


def _norm(points: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(points, dim=1, keepdim=True)


def _first_step(problem: Problem, points: torch.Tensor) -> torch.Tensor:
    """A tenth of 2 / L, with L of each f told by its gradient at two random points, the same for all of a batch."""
    generator, numbers = torch.Generator().manual_seed(0), torch.arange(len(points), device=points.device)
    drawn = torch.randn(2, 1, points.shape[1], generator=generator, dtype=points.dtype).to(points.device)
    first, second = (x.expand_as(points) for x in drawn)
    bend = problem.smooth(first, numbers)[1] - problem.smooth(second, numbers)[1]
    return 0.2 / (_norm(bend) / _norm(first - second)).clamp_min(1e-6)


def _backtrack(
    problem: Problem,
    numbers: torch.Tensor,
    points: torch.Tensor,
    gradient: torch.Tensor,
    step: torch.Tensor,
    bound: torch.Tensor,
) -> tuple[_Tried, torch.Tensor]:
    """Make a step of each point, the shorter the further f lies above what it is allowed; also: these steps."""
    tried = _try(problem, numbers, points, gradient, step)
    for _ in range(BACKTRACKS):
        change = tried.point - points
        allowed = bound + dot(change, gradient) + dot(change, change) / (2 * step)
        far = (tried.value - SLACK > allowed).nonzero()[:, 0]
        if not len(far):
            break
        step = step.index_copy(0, far, SHRINK * step[far])
        again = _try(problem, numbers[far], points[far], gradient[far], step[far])
        tried = _Tried(*(whole.index_copy(0, far, part) for whole, part in zip(tried, again, strict=True)))
    return tried, step


def _try(
    problem: Problem, numbers: torch.Tensor, points: torch.Tensor, gradient: torch.Tensor, step: torch.Tensor
) -> _Tried:
    forward = points - step * gradient
    point = problem.proximal(forward, step, numbers)
    return _Tried(forward, point, *problem.smooth(point, numbers))


def _next_step(change: torch.Tensor, bend: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """Barzilai and Borwein's two steps, from changes of points and gradients: the steeper one unless far shorter."""
    curvature = dot(change, bend)
    longer, shorter = dot(change, change) / curvature, (curvature / dot(bend, bend)).clamp_min(0)
    found = torch.where(2 * shorter > longer, shorter, longer - shorter / 2)
    return torch.where((found > 0) & found.isfinite(), found, GROW * step)
