"""L-BFGS for batches: each point descends by itself (Nocedal 1980)."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

SUFFICIENT = 1e-4
"""Share of the slope's promise that a step must keep (Armijo; Nocedal & Wright, Numerical Optimization, 3.1)."""

HALVINGS = 10
"""Of a step, before its pattern rests until the next round: rounding is then all that is left."""

CONVERGED = 1e-6
"""Gradient, relative to the iterate, under which a pattern rests until the next round."""

Objective = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Points, real, (batch, unknowns) → their values (batch, 1), and gradients as the points."""


def minimise(objective: Objective, point: torch.Tensor, iterations: int) -> torch.Tensor:
    """Descend by L-BFGS, each point of a batch by itself (Nocedal 1980; two loops, all iterations remembered).

    Parameters
    ----------
    objective : callable
        Points (batch, unknowns) → values (batch, 1) and gradients (batch, unknowns).
    point : torch.Tensor, float, shape (batch, unknowns)
        Where to begin.
    iterations : int
        At most.

    Returns
    -------
    torch.Tensor, float, shape (batch, unknowns)
        Nowhere of a larger value than where it began.
    """
    value, gradient = objective(point)
    moving = dot(gradient, gradient) > CONVERGED**2 * dot(point, point)
    pairs, scale = [], torch.ones_like(value)
    for _ in range(iterations):
        if not moving.any():
            break
        direction = _direction(gradient, pairs, scale).mul_(moving)
        before = point, gradient
        point, value, gradient, moved = _backtrack(objective, point, value, gradient, direction)
        step, change = point - before[0], gradient - before[1]
        moving &= moved & (dot(gradient, gradient) > CONVERGED**2 * dot(point, point))
        curvature, size = dot(step, change), dot(change, change)
        # Armijo alone does not make the curvature positive: a pair without it, as that of a rest, weighs nothing.
        convex = curvature > 1e-6 * size
        pairs.append((step, change, torch.where(convex, 1 / curvature, 0)))
        scale = torch.where(convex, curvature / size, scale)
    return point


def dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Products of points, (batch, 1)."""
    return torch.linalg.vecdot(a, b)[:, None]


def _direction(gradient: torch.Tensor, pairs: list[tuple[torch.Tensor, ...]], scale: torch.Tensor) -> torch.Tensor:
    """Minus the gradient, times what the (step, change of the gradient, 1 / curvature) so far say of the Hessian."""
    direction, weights = -gradient, []
    for step, change, weight in reversed(pairs):
        weights.append(weight * dot(step, direction))
        direction.addcmul_(weights[-1], change, value=-1)
    direction.mul_(scale)
    for (step, change, weight), first in zip(pairs, reversed(weights), strict=True):
        direction.addcmul_(first - weight * dot(change, direction), step)
    return direction


def _backtrack(
    objective: Objective, point: torch.Tensor, value: torch.Tensor, gradient: torch.Tensor, direction: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Halve the step of each point until its value falls enough; who never falls stays. Also: who moved."""
    slope = dot(gradient, direction)
    length = torch.ones_like(value)
    for _ in range(HALVINGS):
        tried = torch.addcmul(point, length, direction)
        new_value, new_gradient = objective(tried)
        fell = (slope < 0) & (new_value <= value + SUFFICIENT * length * slope)
        if (fell | (slope >= 0)).all():
            break
        length = torch.where(fell | (slope >= 0), length, length / 2)
    old, new = (point, value, gradient), (tried, new_value, new_gradient)
    return *(torch.where(fell, after, before) for before, after in zip(old, new, strict=True)), fell


def flat(images: torch.Tensor) -> torch.Tensor:
    """Real and imaginary parts of (batch, *frame) images as the unknowns of (batch, 2 pixels) points."""
    return torch.view_as_real(images).flatten(1)


SHARES = 8, 4, 2, 1
"""Of frames, of which supports take the smallest that holds them: what is computed must not depend on neighbours."""


class Unknowns(NamedTuple):
    """The pixels of supports, as points to descend from.

    Attributes
    ----------
    order : torch.Tensor, int64, shape (batch, pixels)
        Places of a support's pixels in its frame, then of some others, whose values are zero.
    inside : torch.Tensor, bool, shape (batch, pixels)
        Which are a support's.
    frame : torch.Size
    """

    order: torch.Tensor
    inside: torch.Tensor
    frame: torch.Size

    def points(self, images: torch.Tensor) -> torch.Tensor:
        """Take the support's pixels out of (batch, *frame) images: (batch, 2 pixels)."""
        return flat(images.flatten(1).gather(1, self.order) * self.inside)

    def images(self, points: torch.Tensor) -> torch.Tensor:
        """Put points into frames of zeros."""
        pixels = torch.view_as_complex(points.view(*self.order.shape, 2))
        frames = pixels.new_zeros(len(pixels), self.frame.numel()).scatter_(1, self.order, pixels)
        return frames.view(-1, *self.frame)


def alike(support: torch.Tensor) -> Iterator[tuple[torch.Tensor | slice, Unknowns]]:
    """Put supports, (batch, *frame), of as many unknowns together: which they are, and these."""
    frame, flags = support.shape[1:], support.flatten(1)
    count, every = flags.sum(1), torch.arange(frame.numel(), device=support.device, dtype=torch.int32)
    place = flags.cumsum(1, dtype=torch.int32)  # inside, the number of a pixel, from 1; outside, of those before it
    place = torch.where(flags, place - 1, count[:, None].int() + every - place)
    order = torch.empty_like(place).scatter_(1, place.long(), every.expand_as(place))
    del place  # of volumes, as large as an iterate
    sizes = frame.numel() // torch.tensor(SHARES, device=support.device)
    needed = torch.searchsorted(sizes, count)
    for each in needed.unique().tolist():
        which = (needed == each).nonzero()[:, 0] if (needed != each).any() else slice(None)
        size = int(sizes[each])
        inside = torch.arange(size, device=support.device) < count[which, None]
        yield which, Unknowns(order[which, :size].long(), inside, frame)
