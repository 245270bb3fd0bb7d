"""One start of each pattern, stage by stage: to follow it, plot it, or stop it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool

from farfield.iterative.asking import read_asked
from farfield.iterative.judging import residual_of
from farfield.iterative.patterns import Patterns
from farfield.iterative.results import centre
from farfield.iterative.starts import Run, begin
from farfield.machine.shapes import Intensity, Objects, PerSample


class State(NamedTuple):
    """A reconstruction on its way.

    Attributes
    ----------
    iteration : int
        How many are done.
    algorithm : str
        Of the last one.
    objects : torch.Tensor, complex64, shape (…, M, M)
        The last modulus projection inside the support, in the centre.
    residual : torch.Tensor, float32, shape (…)
    support : torch.Tensor, bool, shape (…, M, M)
    """

    iteration: int
    algorithm: str
    objects: Objects
    residual: PerSample
    support: Bool[torch.Tensor, "*batch height width"]


def watch(intensity: Intensity, recipe: str | None = None, **options: Any) -> Iterator[State]:
    """Reconstruct from one start, and show each stage: to follow it, plot it, or stop it by leaving the loop.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, M, M)
        As for `reconstruct`; all patterns run as one batch.
    recipe : str, optional
        As for `reconstruct`.
    **options
        Its seed, mask, support, fixed, values, free, quantum, variance, background, oversampling, beta, shrinkwrap,
        start, dimensions and mask_outliers.

    Returns
    -------
    iterator of State
        After each update of the support, and at each end of ER and of the recipe: of these, `reconstruct` keeps
        the one that ranks best.

    Raises
    ------
    ValueError
        As `reconstruct`.
    """
    patterns, chosen, _ = read_asked(intensity, recipe, **options)
    run = begin(patterns, chosen, torch.zeros_like(patterns.number))
    return _stages(run, patterns, intensity.shape[: -patterns.dims])


def _stages(run: Run, patterns: Patterns, batch: torch.Size) -> Iterator[State]:
    for algorithm in run.iterate_all():
        objects, supports = run.objects.clone(), run.supports.clone()
        objects[run.alive], supports[run.alive] = run.object(), run.support
        residual = residual_of(objects, patterns)
        objects, supports = centre(objects, supports)
        shaped = (x.reshape((*batch, *x.shape[1:])) for x in (objects, residual, supports))
        yield State(run.done, algorithm, *shaped)
