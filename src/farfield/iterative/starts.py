"""One start of a batch of patterns, random or given: a recipe run to its end, or until all is solved."""

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
from farfield.machine.shapes import described
from farfield.physics.diffraction import to_frame

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
    support: torch.Tensor | None  # (batch, M, M) in FFT order, or None for the start's or the autocorrelation's
    start: torch.Tensor | None  # (batch, M, M) in FFT order: the first start of all; None for a random one


def read_start(start: torch.Tensor, intensity: torch.Tensor) -> torch.Tensor:
    """Check objects to start from, and bring them to the patterns' frame, origin to pixel (0, 0).

    Parameters
    ----------
    start : torch.Tensor, complex or float, shape (h, w) or (…, h, w)
        Of any scale; the origin in ``[h // 2, w // 2]``.
    intensity : torch.Tensor, float, shape (…, M, M)

    Returns
    -------
    torch.Tensor, complex64, shape (batch, M, M)
        With a maximum magnitude of 1.

    Raises
    ------
    ValueError
        If they are no objects of these patterns, or hold nothing.
    """
    side = intensity.shape[-1]
    _check_start(start, intensity)
    start = start.detach()  # a network's output remembers how it was made
    largest = start.abs().amax((-2, -1), keepdim=True)
    if not bool(torch.isfinite(largest).all()) or not bool((largest > 0).all()):
        raise ValueError(
            "expected a start of finite pixels, some of them not zero, got NaN, infinity or an empty one; "
            "leave start= out for a random one"
        )
    framed = to_frame((start / largest).to(intensity.device, torch.complex64), side, side)
    return torch.fft.ifftshift(framed, dim=(-2, -1)).expand(intensity.shape).reshape(-1, side, side)


def _check_start(start: torch.Tensor, intensity: torch.Tensor) -> None:
    """Refuse what has not the type or the shape of objects of these patterns, in one sentence."""
    fits = isinstance(start, torch.Tensor) and (start.is_complex() or start.is_floating_point()) and start.ndim >= 2
    if fits:
        fits = start.shape[:-2] in ((), intensity.shape[:-2]) and max(start.shape[-2:]) <= intensity.shape[-1]
    if not fits:
        side, batch = intensity.shape[-1], tuple(intensity.shape[:-2])
        raise ValueError(
            f"expected a start as a complex or float torch tensor in a frame of at most {side} × {side}, its other "
            f"dimensions {batch} as the patterns' or none, got {described(start)}; convert it, or crop it with "
            "diffraction.to_frame"
        )


def _warm_start(patterns: Patterns, start: torch.Tensor) -> torch.Tensor:
    """Measured amplitudes with the phases of objects' far fields, and their own field where nothing was measured."""
    power = magnitude(torch.fft.fft2(start)).square()
    if patterns.free is not None:  # what is left free must be of the pattern's scale
        power.masked_fill_(patterns.free, 0)
    measured = patterns.amplitude.square().sum((-2, -1), keepdim=True)
    scale = (measured / power.sum((-2, -1), keepdim=True).clamp_min(LEAST_POWER)).sqrt()
    return project_modulus(scale * start, patterns.amplitude, patterns.free)


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
        given = options.start[patterns.number] if options.start is not None and start == 0 else None
        if given is None:
            self.iterate = _random_start(patterns, options.seed, start)
        else:
            self.iterate = _warm_start(patterns, given)
        if options.support is not None:
            self.support = options.support[patterns.number]
        elif given is not None:
            self.support = options.shrinkwrap.update(given, options.shrinkwrap.width(0, options.side))
        else:
            self.support = options.shrinkwrap.first_support(patterns.amplitude)
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
