"""The best starts of a pattern brought together: one support of their mean, in which each goes on.

Noise differs from start to start where the support followed it, and goes down in the mean; so the mean's support is
nearer to the object's than any of theirs (docs/choices.md). In one support starts that found the same object end on
the same one, to rounding nearly, and those that did not stay apart: how far they differ tells whether to believe it.
"""

from typing import NamedTuple

import torch

from farfield.iterative.judging import deviances, rank, residual_of
from farfield.iterative.likelihood import likeliest
from farfield.iterative.patterns import Patterns
from farfield.iterative.recipe import Step, parse, total
from farfield.iterative.shrinkwrap import update
from farfield.iterative.starts import Options, Run, warm_start
from farfield.symmetry.actions import align

KEPT = 5
"""Starts of a pattern that go on, the best."""

MEAN = 3
"""Of them, those whose mean gives the support."""

THRESHOLDS = (0.05, 0.065, 0.08, 0.1, 0.12, 0.16, 0.2, 0.25, 0.35, 0.45)
"""Of the mean's blurred magnitude, of which the one that ranks best is taken."""

ROUNDS = 2
"""The first brings the starts into one support, the second takes the support of what they are then."""

TRIED = parse("50*ER")
"""What each of these supports is tried by, from the mean."""

POLISHED = parse("50*ER+3*(50*HIO+50*RAAR+50*ER)")
"""What the kept starts go on by: error reduction stays where it is, the others reach what lies beside it."""


class Consensus(NamedTuple):
    """What starts came to together.

    Attributes
    ----------
    objects : torch.Tensor, complex64, shape (batch, kept, M, M)
        Origin in the centre, the best first.
    support : torch.Tensor, bool, shape (batch, M, M)
    residual, rank : torch.Tensor, float32, shape (batch, kept)
    iterations : int
        Made for each pattern.
    """

    objects: torch.Tensor
    support: torch.Tensor
    residual: torch.Tensor
    rank: torch.Tensor
    iterations: int


def bring_together(objects: torch.Tensor, support: torch.Tensor, patterns: Patterns, options: Options) -> Consensus:
    """Find the support of starts' mean and go on from each in it, `ROUNDS` times.

    Parameters
    ----------
    objects : torch.Tensor, complex64, shape (batch, kept, M, M)
        Origin in the centre, the best first.
    support : torch.Tensor, bool, shape (batch, M, M)
        Of the best, which stays if theirs did.
    patterns : Patterns
        All of known noise, or all of unknown.
    options : Options
        Of the starts.

    Returns
    -------
    Consensus
    """
    kept = objects.shape[1]
    which = torch.arange(len(objects), device=objects.device).repeat_interleave(kept)
    each = torch.arange(len(objects), device=objects.device)[:, None]
    stays = options.shrinkwrap is None or options.shrinkwrap.period > total(options.steps)
    support = torch.fft.ifftshift(support, dim=(-2, -1))
    for _ in range(ROUNDS):
        objects = align(objects[:, :1].expand_as(objects), objects)
        if not stays:
            support = _choose_support(objects[:, :MEAN].mean(1), patterns, options)
        gone = _go_on(POLISHED, objects.flatten(0, 1), support[which], patterns[which], options)
        residual, ranks = (x.reshape(-1, kept) for x in (gone.residual, gone.rank))
        order = ranks.argsort(dim=-1, stable=True)
        objects = torch.fft.fftshift(gone.objects, dim=(-2, -1)).reshape(objects.shape)[each, order]
    tried = 0 if stays else len(THRESHOLDS) * total(TRIED)
    return Consensus(
        objects,
        torch.fft.fftshift(support, dim=(-2, -1)),
        residual[each, order],
        ranks[each, order],
        ROUNDS * (tried + kept * total(POLISHED)),
    )


def _choose_support(mean: torch.Tensor, patterns: Patterns, options: Options) -> torch.Tensor:
    """Threshold the mean as ranks best, (batch, M, M) in FFT order."""
    image = torch.fft.ifftshift(mean, dim=(-2, -1))
    count, tries = len(mean), len(THRESHOLDS)
    threshold = torch.tensor(THRESHOLDS, device=mean.device).repeat(count)
    which = torch.arange(count, device=mean.device).repeat_interleave(tries)
    sigma = torch.full_like(threshold, options.shrinkwrap.sigma_floor)
    supports = update(image[which], sigma, threshold)
    tried = _go_on(TRIED, mean[which], supports, patterns[which], options)
    best = tried.rank.reshape(count, tries).argmin(-1)
    return supports.reshape(count, tries, *mean.shape[-2:])[torch.arange(count, device=mean.device), best]


class _Gone(NamedTuple):
    """Objects, origin in pixel (0, 0), with their residuals and ranks, (batch,)."""

    objects: torch.Tensor
    residual: torch.Tensor
    rank: torch.Tensor


def _go_on(
    steps: list[Step], objects: torch.Tensor, support: torch.Tensor, patterns: Patterns, options: Options
) -> _Gone:
    """Run a recipe from objects, origin in the centre, in a support that stays, then to what is likeliest."""
    options = options._replace(steps=steps, shrinkwrap=None)
    iterate = warm_start(patterns, torch.fft.ifftshift(objects, dim=(-2, -1)))
    run = Run(patterns, options, iterate, support, torch.zeros(len(iterate), device=iterate.device))
    for _ in run.iterate_all():
        pass
    if options.values != "complex" or not patterns.noisy().all():
        return _Gone(run.objects, run.residual, run.rank)
    found, pixels = run.objects, support.sum((-2, -1))
    if steps is POLISHED:
        found = likeliest(found, support, patterns)
    ranks = rank(deviances(found, pixels, patterns)[0], pixels, patterns.measured())
    return _Gone(found, residual_of(found, patterns), ranks)
