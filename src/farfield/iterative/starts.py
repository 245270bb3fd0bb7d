"""One random start of a batch of patterns: a recipe run to its end, or until all is solved."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from farfield.iterative.algorithms import ALGORITHMS
from farfield.iterative.patterns import Patterns
from farfield.iterative.projections import Carried, project_modulus
from farfield.iterative.recipe import Step
from farfield.iterative.shrinkwrap import Shrinkwrap
from farfield.machine.passes import LEAST_POWER, magnitude

SOLVED_RESIDUAL = 2e-5
"""Fourier residual under which a start is done, and no other start of its pattern is made."""

STREAM = 2
"""Key of the starts' random numbers, apart from those of crystals and noise of the same seed."""


class Starts(NamedTuple):
    """What each start of each pattern came to, in the order in which they were made.

    Attributes
    ----------
    residual : torch.Tensor, float32, shape (…, starts)
        Infinite for a start that was not needed.
    pixels : torch.Tensor, int64, shape (…, starts)
        In the support.
    iterations : torch.Tensor, int64, shape (…, starts)
    """

    residual: Float[torch.Tensor, "*batch starts"]
    pixels: Int[torch.Tensor, "*batch starts"]
    iterations: Int[torch.Tensor, "*batch starts"]


class Options(NamedTuple):
    """How starts are made."""

    steps: list[Step]
    shrinkwrap: Shrinkwrap
    beta: float
    seed: int
    side: float  # of the object's frame, in pixels
    support: torch.Tensor | None  # (batch, M, M) in FFT order, or None for the autocorrelation's


def _random_start(patterns: Patterns, seed: int, start: int) -> torch.Tensor:
    """Measured amplitudes with random phases that depend on (seed, pattern, start) alone."""
    amplitude = patterns.amplitude
    phases = [
        np.random.default_rng(np.random.SeedSequence([seed, int(number), start], spawn_key=(STREAM,))).random(
            amplitude.shape[-2:], np.float32
        )
        for number in patterns.number
    ]
    angle = 2 * torch.pi * torch.from_numpy(np.stack(phases)).to(amplitude.device)
    return torch.fft.ifft2(torch.polar(amplitude, angle))


def residual_of(objects: torch.Tensor, patterns: Patterns) -> torch.Tensor:
    """Relative misfit of the amplitudes of objects with their origin in pixel (0, 0), over measured pixels."""
    misfit = (magnitude(torch.fft.fft2(objects)) - patterns.amplitude).square()
    if patterns.free is not None:
        misfit.masked_fill_(patterns.free, 0)
    return (misfit.sum((-1, -2)) / patterns.amplitude.square().sum((-1, -2)).clamp_min(LEAST_POWER)).sqrt()


def _rank(residual: torch.Tensor, pixels: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """Residual per degree of freedom left, the lower the better: a loose support fits also what is wrong.

    Generalised cross-validation (Golub, Heath & Wahba 1979); a complex pixel of the support fits two amplitudes.
    """
    return residual / (1 - 2 * pixels / measured).clamp_min(LEAST_POWER)


class Run:
    """One start of a batch of patterns; those that are solved early leave it."""

    def __init__(self, patterns: Patterns, options: Options, start: int):
        self.patterns, self.options = patterns, options
        self.iterate = _random_start(patterns, options.seed, start)
        if options.support is None:
            self.support = options.shrinkwrap.first_support(patterns.amplitude)
        else:
            self.support = options.support[patterns.number]
        self.alive = torch.arange(len(self.iterate), device=self.iterate.device)
        self.objects, self.supports = torch.zeros_like(self.iterate), self.support.clone()
        self.residual = torch.full(self.alive.shape, torch.inf, device=self.alive.device)
        self.rank, self.iterations = self.residual.clone(), torch.zeros_like(self.alive)
        self.image, self.done = self.iterate, 0

    def iterate_all(self) -> Iterator[str]:
        """Run the recipe to its end or until all is solved; yield after each update of the support and each step."""
        shrinkwrap = self.options.shrinkwrap
        for index, step in enumerate(self.options.steps):
            algorithm = ALGORITHMS[step.algorithm]
            project = partial(project_modulus, amplitude=self.patterns.amplitude, free=self.patterns.free)
            carried: Carried = {}  # patterns leave between steps only, so it never has to follow them
            for _ in range(step.iterations):
                self.iterate, self.image = algorithm(self.iterate, project, self.support, self.options.beta, carried)
                self.done += 1
                if self.done % shrinkwrap.period == 0:
                    sigma = shrinkwrap.width(self.done // shrinkwrap.period - 1, self.options.side)
                    self.support = shrinkwrap.update(self.image, sigma)
                    yield step.algorithm
            # Only error reduction ends on an object: the others' iterates are not meant to be one.
            if step.algorithm == "ER" or index == len(self.options.steps) - 1:
                self._keep()
                yield step.algorithm
            if not len(self.alive):
                return

    def _keep(self) -> None:
        """Store what is better than before, and go on with what is not solved."""
        objects = self.image * self.support
        residual = residual_of(objects, self.patterns)
        rank = _rank(residual, self.support.sum((-2, -1)), self.patterns.measured())
        self.iterations[self.alive] = self.done
        better = rank <= self.rank[self.alive]
        at = self.alive[better]
        self.objects[at], self.supports[at] = objects[better], self.support[better]
        self.residual[at], self.rank[at] = residual[better], rank[better]
        unsolved = residual > SOLVED_RESIDUAL
        self.alive, self.iterate, self.image = self.alive[unsolved], self.iterate[unsolved], self.image[unsolved]
        self.support, self.patterns = self.support[unsolved], self.patterns[unsolved]
