"""What is asked of a reconstruction, checked, in the form that iterations need."""

from dataclasses import replace
from typing import NamedTuple, get_args

import torch

from farfield.iterative import suspicion
from farfield.iterative.beamstop import fill
from farfield.iterative.patterns import Background, Patterns, read_patterns
from farfield.iterative.recipe import parse
from farfield.iterative.shrinkwrap import IN_VOLUMES, REFERENCE, Shrinkwrap, object_side
from farfield.iterative.starts import Options, Values, read_start
from farfield.iterative.workers import look_at
from farfield.machine.shapes import check_mask, check_whole, described

RECIPE = "2*(300*HIO+150*RAAR+50*ER)"
"""Solves noise-free patterns about as often as HIO and ER alone, and noisy ones far more often (docs/choices.md)."""

WARM_RECIPE = "200*HIO+50*ER"
"""From a given start: a quarter of the iterations of `RECIPE`."""

FOLLOW = Shrinkwrap(threshold=(0.25, 0.12, 0.2, 0.08, 0.3))
"""From random starts. Crystals want 0.2 to 0.3, projections, which fade towards their edge, 0.08 to 0.15."""

WARM = Shrinkwrap(threshold=0.2, sigma=1.0, period=10)
"""From a given start: with the σ of 3 that suits random ones, nothing of it survives.

The threshold is crystals'. From a `blob`, 0.2 solves 0.92 of them and 0.15 0.20; but 0.15 solves more of objects with
dark parts, such as FashionMNIST's: 0.68 against 0.57.
"""

BETA = 0.85

MOST_FREE = 0.5
"""Share of the measured pixels that may be held: more judge little better, and leave little to find an object by."""

_POSITIVE = {"ER", "HIO", "RAAR"}
"""Algorithms that know of real and positive objects: those that project once, then look."""


class Asked(NamedTuple):
    """Patterns, how starts of them are made, and which patterns are suspect, (batch,)."""

    patterns: Patterns
    options: Options
    suspect: torch.Tensor


def read_asked(
    intensity: torch.Tensor,
    recipe: str | None = None,
    *,
    seed: int = 0,
    mask: torch.Tensor | None = None,
    support: torch.Tensor | None = None,
    fixed: bool = False,
    values: str = "complex",
    free: float | int = 0.0,
    quantum: float | int | torch.Tensor | None = None,
    variance: float | int | torch.Tensor | None = None,
    background: Background = None,
    oversampling: int | float | None = None,
    beta: float | int | None = None,
    shrinkwrap: Shrinkwrap | None = None,
    start: torch.Tensor | None = None,
    dimensions: int | None = None,
    mask_outliers: bool = False,
) -> Asked:
    """Check what was asked for, as `reconstruct` has it, and bring it to the form that iterations need."""
    beta = BETA if beta is None else beta
    dims = _read_dimensions(intensity, dimensions)
    _check_numbers(seed, oversampling, beta, free)
    if not isinstance(shrinkwrap, Shrinkwrap | None):
        raise ValueError(f"expected shrinkwrap as a Shrinkwrap, got {shrinkwrap!r}; write Shrinkwrap(sigma=3, …)")
    if fixed and support is None:
        raise ValueError("expected a support to keep as it is, got none; give support=, or leave fixed= out")
    if mask_outliers:
        mask = suspicion.mask_outliers(intensity, mask, dims)
    patterns = fill(read_patterns(intensity, mask, quantum, background, variance, dims))
    usual, follow = (RECIPE, FOLLOW) if start is None else (WARM_RECIPE, WARM)
    steps = parse(usual if recipe is None else recipe)
    _check_values(values, {step.algorithm for step in steps})
    side = _sides(patterns, oversampling)
    if free:
        patterns = patterns.hold(free, _speckle(patterns, side), seed)
    start = None if start is None else read_start(start, intensity, dims)
    support = None if support is None else _read_support(support, intensity, dims)
    if dims == 3 and follow is FOLLOW:
        follow = replace(follow, threshold=tuple(IN_VOLUMES * x for x in follow.thresholds))
    following = None if fixed else shrinkwrap or follow
    suspect = suspicion.look(intensity, mask, background, dims)
    return Asked(patterns, Options(steps, following, beta, seed, side, support, start, values), suspect)


def _read_dimensions(intensity: torch.Tensor, dimensions: int | None) -> int:
    """Give the axes of a frame; untold, refuse as many frames as pixels a side, as few stacks have by chance."""
    if dimensions not in (None, 2, 3):
        raise ValueError(f"expected dimensions as 2 or 3, got {dimensions!r}; 3 is for volumes")
    shape = tuple(getattr(intensity, "shape", ()))
    if dimensions is None and len(shape) == 3 and len(set(shape)) == 1:
        raise ValueError(
            f"expected patterns, got {' × '.join(map(str, shape))}, as many as pixels a side, which looks like a "
            "volume; pass dimensions=3 if it is one, or dimensions=2 if it is a stack of patterns"
        )
    if dimensions == 3 and len(shape) < 3:
        raise ValueError(
            f"expected a volume, (…, D, H, W), got {described(intensity)}; leave dimensions=3 out for a pattern"
        )
    return dimensions or 2


def _check_numbers(seed: int, oversampling: object, beta: float, free: float) -> None:
    check_whole("seed", seed, 0)
    real = isinstance(oversampling, int | float) and not isinstance(oversampling, bool)
    if oversampling is not None and not (real and oversampling >= 1):
        raise ValueError(
            f"expected oversampling as a number of at least 1, got {oversampling!r}; without it, it is estimated"
        )
    if not 0 < beta <= 1:
        raise ValueError(f"expected beta above 0 and at most 1, got {beta}; the field uses 0.7 to 0.95")
    if not 0 <= free <= MOST_FREE:
        raise ValueError(
            f"expected free, a share of the pixels, from 0 to {MOST_FREE}, got {free!r}; 0.05 is usual in the field"
        )


def _check_values(values: str, algorithms: set[str]) -> None:
    """Refuse kinds of objects that are unknown, or that an algorithm of the recipe does not keep to."""
    if values not in get_args(Values):
        raise ValueError(f"expected values as one of {', '.join(get_args(Values))}, got {values!r}; choose one")
    others = ", ".join(sorted(algorithms - _POSITIVE))
    if values != "complex" and others:
        raise ValueError(
            f"expected a recipe of {', '.join(sorted(_POSITIVE))} for {values} objects, got {others} in it; "
            "change the recipe"
        )


def _sides(patterns: Patterns, oversampling: float | int | None) -> torch.Tensor:
    """Sides of the objects' frames in pixels, (batch,), or (batch, 3) for volumes, told or estimated."""
    frame = torch.tensor(patterns.frame if patterns.dims > 2 else patterns.frame[-1], device=patterns.number.device)
    if oversampling is not None:
        return (frame.double() / oversampling).float().expand(len(patterns.number), *frame.shape)
    found = look_at([patterns.filled], lambda filled: object_side(REFERENCE.first_support(filled)))
    return torch.minimum(found.clamp_min(1), frame)


def _speckle(patterns: Patterns, side: torch.Tensor) -> torch.Tensor:
    """Widths of speckles in pixels, (batch,): their mean over the axes, as powers have it."""
    if patterns.dims == 2:
        return patterns.frame[-1] / side
    return (torch.tensor(patterns.frame, device=side.device) / side).log().mean(1).exp()


def _read_support(support: torch.Tensor, intensity: torch.Tensor, dims: int) -> torch.Tensor:
    """Check a support, and bring it to one for each pattern, its origin to pixel (0, 0)."""
    support = torch.as_tensor(support, device=intensity.device)
    check_mask("support", support, intensity, dims)
    if not support.flatten(-dims).any(-1).all():
        raise ValueError("expected a support that holds some pixels, got an empty one; widen it")
    whole = torch.fft.ifftshift(support, dim=tuple(range(-dims, 0))).expand(intensity.shape)
    return whole.reshape(-1, *intensity.shape[-dims:])
