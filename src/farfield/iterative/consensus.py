"""The best starts of a pattern brought together: one support of their mean, in which each goes on.

Noise differs from start to start where the support followed it, and goes down in the mean; so the mean's support is
nearer to the object's than any of theirs (docs/choices.md). In one support starts that found the same object end on
the same one, to rounding nearly, and those that did not stay apart: how far they differ tells whether to believe it.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import NamedTuple

import torch

from farfield.iterative.judging import AGREEMENT, NOISE, agreement, align, deviances, freedom, rank, residual_of
from farfield.iterative.likelihood import likeliest
from farfield.iterative.patterns import Patterns
from farfield.iterative.recipe import Step, parse, total
from farfield.iterative.shrinkwrap import update
from farfield.iterative.starts import Options, Run, warm_start
from farfield.machine.shapes import frame_axes

KEPT = 5
"""Starts of a pattern that go on, the best."""

MEAN = 3
"""Of them, those whose mean gives the support."""


class Effort(NamedTuple):
    """How long starts are moved about.

    Attributes
    ----------
    rounds : int
        Each takes the support of what the starts were in the one before; the best round is kept.
    moves : int
        Steps of `GOING_ON` in each, of whose projections the mean is taken, but for the first: noise goes down in it,
        outside of the support too, where pixels may be missing.
    beta : float
        Of RAAR: the larger it is the farther they move.
    polished : list of Step
        How each ends in the support; then `LIKELIHOOD` iterations.
    settles : bool
        Whether patterns in which more than noise is left, and whose starts do not agree, get `SETTLED` too; the
        better stays.
    """

    rounds: int
    moves: int
    beta: float
    polished: list[Step] = parse("10*ER")
    settles: bool = False


LONG = Effort(8, 10, 0.87, settles=True)
"""For starts whose number is told, which cost far more (docs/choices.md)."""

SETTLED = Effort(2, 2, 0.84, parse("50*ER+3*(50*HIO+50*RAAR+50*ER)"))
"""For those of detectors and beams that falsify amplitudes: RAAR finds no rest there, and error reduction stays where
it is, so starts that found the same object end 2 to 10 % apart; by turns with HIO, they come to it."""

GOING_ON = Step("RAAR", 10)
"""What each start moves by in its support: error reduction stays where it is."""

THRESHOLDS = (0.06, 0.1, 0.16, 0.25, 0.35, 0.45)
"""Of the mean's blurred magnitude, of which the one that ranks best is taken."""

PLACES = (-0.25, 0.25)
"""Pixels by which the mean is moved then along one of the axes, if that ranks better: where between pixels an object
lies is free, but where its edges lie along them, its support needs fewest."""

TRIED = parse("5*ER")
"""What each of these supports is tried by, from the mean; then `TRIED_LIKELIHOOD` iterations of likelihood."""

TRIED_LIKELIHOOD = 5

LIKELIHOOD = 10
"""More change nothing that the photons tell."""


class Consensus(NamedTuple):
    """What starts came to together.

    Attributes
    ----------
    objects : torch.Tensor, complex64, shape (batch, kept, *frame)
        Origin in the centre, the best first.
    support : torch.Tensor, bool, shape (batch, kept, *frame)
    residual, rank : torch.Tensor, float32, shape (batch, kept)
    iterations : torch.Tensor, int64, shape (batch,)
    """

    objects: torch.Tensor
    support: torch.Tensor
    residual: torch.Tensor
    rank: torch.Tensor
    iterations: torch.Tensor


def cost(kept: int, options: Options, noisy: bool, effort: Effort, dims: int) -> int:
    """Iterations of a pattern of so many axes whose starts are brought together, its noise known or not."""
    likely, whole = noisy and options.values == "complex", options.values == "complex"
    tries = 0 if _stays(options) else len(THRESHOLDS) + whole * dims * len(PLACES)
    each = effort.moves * GOING_ON.iterations + total(effort.polished) + likely * LIKELIHOOD
    return effort.rounds * (kept * each + tries * (total(TRIED) + likely * TRIED_LIKELIHOOD))


def bring_together(
    objects: torch.Tensor, support: torch.Tensor, patterns: Patterns, options: Options, effort: Effort
) -> Consensus:
    """Find the support of starts' mean and go on from each in it, round after round, and keep the best.

    Parameters
    ----------
    objects : torch.Tensor, complex64, shape (batch, kept, *frame)
        Origin in the centre, the best first.
    support : torch.Tensor, bool, shape (batch, kept, *frame)
        Theirs; that of the best stays if theirs did.
    patterns : Patterns
        All of known noise, or all of unknown.
    options : Options
        Of the starts.
    effort : Effort

    Returns
    -------
    Consensus
    """
    axes, dims = frame_axes(objects, 2), patterns.dims
    count, kept = objects.shape[:2]
    noisy = bool(patterns.noisy().all())
    best = _rounds(objects, support, patterns, options, effort)
    spent = torch.full((count,), cost(kept, options, noisy, effort, dims), device=objects.device)
    if effort.settles and noisy and options.values == "complex" and not _stays(options):
        left = _apart(best, patterns).nonzero()[:, 0]
        if len(left):
            settled = _rounds(objects[left], support[left], patterns[left], options, SETTLED)
            better = settled.rank[:, 0] < best.rank[left, 0]
            pairs = zip(best, settled, strict=True)
            best = _Gone(*(x.index_copy(0, left[better], y[better]) for x, y in pairs))
            spent[left] += cost(kept, options, noisy, SETTLED, dims)
    objects, support = (torch.fft.fftshift(x, dim=axes) for x in best[:2])
    return Consensus(objects, support, best.residual, best.rank, spent)


def _apart(best: "_Gone", patterns: Patterns) -> torch.Tensor:
    """Tell of which patterns, (batch,), more is left than noise, by starts that do not agree."""
    deviance = best.rank[:, 0] * freedom(best.support[:, 0].flatten(1).sum(1), patterns.measured())
    apart = agreement(torch.fft.fftshift(best.objects, dim=frame_axes(best.objects, 2)), best.rank)
    return (deviance > NOISE[patterns.dims]) & ~(apart <= AGREEMENT)


def _rounds(
    objects: torch.Tensor, support: torch.Tensor, patterns: Patterns, options: Options, effort: Effort
) -> "_Gone":
    """Go on from starts, (batch, kept, *frame), origin in the centre, round after round, to the best of these."""
    axes = frame_axes(objects, 2)
    best = found = _round([torch.fft.ifftshift(x, dim=axes) for x in (objects, support)], patterns, options, effort)
    for _ in range(effort.rounds - 1):
        found = _round([found.objects, found.support], patterns, options, effort)
        better = found.rank[:, 0] < best.rank[:, 0]
        pairs = zip(found, best, strict=True)
        best = _Gone(*(torch.where(better.view(-1, *[1] * (x.ndim - 1)), x, y) for x, y in pairs))
    return best


def _round(starts: list[torch.Tensor], patterns: Patterns, options: Options, effort: Effort) -> "_Gone":
    """Move on from starts, each in its support, to where they are in that of their mean.

    They are taken out of the list: objects and supports, (batch, kept, *frame), whose memory volumes need.
    """
    support, objects = starts.pop(), starts.pop()
    count, kept = shape = objects.shape[:2]
    which = torch.arange(count, device=objects.device).repeat_interleave(kept)
    going = partial(_mean_images, options=options, effort=effort)
    (images,) = _each(going, patterns, which, objects.flatten(0, 1), support.flatten(0, 1))
    del objects
    if not _stays(options):
        images = _aligned(images, kept)
        mean = images.unflatten(0, shape)[:, :MEAN].mean(1)
        chosen, move = _choose_support(mean, patterns, options)
        del mean
        (images,) = _each(lambda _, *some: (_moved(*some),), patterns, which, images, move[which])
        support = chosen[:, None].expand_as(support)
    ending = partial(_go_on, steps=effort.polished, likelihood=LIKELIHOOD, options=options)
    found = _Gone(*_each(ending, patterns, which, images, support.flatten(0, 1)))
    order = found.rank.reshape(count, kept).argsort(dim=-1, stable=True)
    rows = torch.arange(count, device=order.device)[:, None]
    return _Gone(*(x.reshape(count, kept, *x.shape[1:])[rows, order] for x in found))


def _stays(options: Options) -> bool:
    """Tell whether starts kept the support that they began with."""
    return options.shrinkwrap is None or options.shrinkwrap.period > total(options.steps)


def _each(
    go: Callable[..., tuple[torch.Tensor, ...]], patterns: Patterns, which: torch.Tensor, *starts: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Go on from starts of patterns of these numbers, (batch,): all at once, but volumes one by one, to hold them."""
    parts = [slice(None)] if patterns.dims == 2 else [slice(at, at + 1) for at in range(len(which))]
    made = [go(patterns[which[part]], *(x[part] for x in starts)) for part in parts]
    return made[0] if len(made) == 1 else tuple(map(torch.cat, zip(*made, strict=True)))


def _mean_images(
    patterns: Patterns, objects: torch.Tensor, support: torch.Tensor, options: Options, effort: Effort
) -> tuple[torch.Tensor]:
    """Move about in supports that stay, and take the mean of the modulus projections on the way."""
    relaxed = options._replace(steps=[], shrinkwrap=None, beta=effort.beta)
    run = Run(patterns, relaxed, warm_start(patterns, objects), support, torch.zeros(len(objects)))
    mean = torch.zeros_like(objects)
    run.advance(*GOING_ON)
    for _ in range(effort.moves - 1):
        mean += run.advance(*GOING_ON) / (effort.moves - 1)
    return (mean,)


def _aligned(images: torch.Tensor, kept: int) -> torch.Tensor:
    """Align the images of each pattern, (batch · kept, *frame), with its first: volumes around the edges."""
    axes = frame_axes(images)
    if len(axes) == 3:
        groups = images.unflatten(0, (-1, kept))
        return align(groups[:, :1].expand_as(groups), groups).flatten(0, 1)
    groups = torch.fft.fftshift(images, dim=axes).reshape(-1, kept, *images.shape[1:])
    same = align(groups[:, :1].expand_as(groups), groups)
    return torch.fft.ifftshift(same, dim=axes).flatten(0, 1)


def _choose_support(mean: torch.Tensor, patterns: Patterns, options: Options) -> tuple[torch.Tensor, torch.Tensor]:
    """Threshold the mean, then move it, as ranks best: supports (batch, *frame), and pixels moved, (batch, axes)."""
    threshold, dims = mean.new_tensor(THRESHOLDS, dtype=torch.float32), patterns.dims
    still = torch.zeros(len(THRESHOLDS), dims, device=mean.device)
    support, ranks, which = _try(mean, threshold.expand(len(mean), -1), still, patterns, options)
    if options.values != "complex":  # between pixels, real objects are complex
        return support, still[which]
    places = torch.cat([torch.tensor(PLACES)[:, None] * one for one in torch.eye(dims)]).to(mean.device)
    moved, others, place = _try(mean, threshold[which][:, None].expand(-1, len(places)), places, patterns, options)
    better = others < ranks
    return torch.where(better.view(-1, *[1] * dims), moved, support), places[place] * better[:, None]


def _try(
    mean: torch.Tensor, threshold: torch.Tensor, places: torch.Tensor, patterns: Patterns, options: Options
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Try thresholds, (batch, tries), of means moved to places, (tries, axes): the best support, its rank, which."""
    count, tries = threshold.shape
    every = torch.arange(count, device=mean.device)

    def tried(some: Patterns, each: torch.Tensor, by: torch.Tensor, level: torch.Tensor) -> tuple[torch.Tensor, ...]:
        images = _moved(mean[each], by)
        supports = update(images, torch.full_like(level, options.shrinkwrap.sigma_floor), level)
        return supports, _go_on(some, images, supports, TRIED, TRIED_LIKELIHOOD, options).rank

    which = every.repeat_interleave(tries)
    supports, ranks = _each(tried, patterns, which, which, places.repeat(count, 1), threshold.flatten())
    ranks, best = ranks.reshape(count, tries).min(-1)
    return supports.reshape(count, tries, *mean.shape[1:])[every, best], ranks, best


def _moved(images: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """Move images, (batch, *frame), around the edges, by parts of pixels, (batch, axes)."""
    which, moved = by.any(-1).nonzero()[:, 0], images.clone()
    if not len(which):
        return moved
    frame, axes = images.shape[1:], frame_axes(images)
    frequencies = torch.meshgrid(*(torch.fft.fftfreq(side, device=images.device) for side in frame), indexing="ij")
    steps = by[which].T.reshape(len(frame), -1, *[1] * len(frame))
    angle = reduce(torch.add, (step * frequency for step, frequency in zip(steps, frequencies, strict=True)))
    ramp = torch.polar(torch.ones_like(angle), -2 * torch.pi * angle)
    moved[which] = torch.fft.ifftn(torch.fft.fftn(images[which], dim=axes) * ramp, dim=axes)
    return moved


class _Gone(NamedTuple):
    """Objects, origin in pixel (0, 0), with their supports, residuals and ranks, batch first."""

    objects: torch.Tensor
    support: torch.Tensor
    residual: torch.Tensor
    rank: torch.Tensor


def _go_on(
    patterns: Patterns,
    objects: torch.Tensor,
    support: torch.Tensor,
    steps: list[Step],
    likelihood: int,
    options: Options,
) -> _Gone:
    """Run a recipe from objects in supports that stay, then so many iterations to what is likeliest."""
    options = options._replace(steps=steps, shrinkwrap=None)
    run = Run(patterns, options, warm_start(patterns, objects), support, torch.zeros(len(objects)))
    for _ in run.iterate_all():
        pass
    found, residual, ranks = run.objects, run.residual, run.rank
    del run  # and its iterates
    if options.values != "complex" or not patterns.noisy().all():
        return _Gone(found, support, residual, ranks)
    found, pixels = likeliest(found, support, patterns, likelihood), support.flatten(1).sum(1)
    ranks = rank(deviances(found, pixels, patterns)[0], pixels, patterns.measured())
    return _Gone(found, support, residual_of(found, patterns), ranks)
