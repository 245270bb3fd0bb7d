"""A batch of starts, random or given: a recipe run to its end, or until all is solved."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from farfield.iterative import beamstop
from farfield.iterative.iterations import AT_ONCE, WARM_UP, Iterations
from farfield.iterative.judging import SOLVED_RESIDUAL, constrains, rank, residual_of, residuals
from farfield.iterative.likelihood import nearest
from farfield.iterative.patterns import Patterns
from farfield.iterative.projections import Carried, project_modulus
from farfield.iterative.recipe import Step
from farfield.iterative.shrinkwrap import Shrinkwrap, update
from farfield.machine.graphs import Captured
from farfield.machine.passes import LEAST_POWER, magnitude
from farfield.machine.shapes import described, frame_axes
from farfield.physics.diffraction import to_frame

STREAM = 2
"""Key of the starts' random numbers, apart from those of crystals and noise of the same seed."""


class Starts(NamedTuple):
    """What each start of each pattern came to, in the order in which they were made.

    Attributes
    ----------
    residual : torch.Tensor, float32, shape (…, starts)
        Infinite for a start that was not needed.
    rank : torch.Tensor, float32, shape (…, starts)
        By which the best are chosen, the lower the better (`judging.rank`): the residual per degree of freedom, of
        the amplitudes that projections gave. Infinite too.
    pixels : torch.Tensor, int64, shape (…, starts)
        In the support.
    iterations : torch.Tensor, int64, shape (…, starts)
    threshold : torch.Tensor, float32, shape (…, starts)
        Of its shrinkwrap; NaN where the support stays.
    deviance : torch.Tensor, float32, shape (…, starts)
        Per degree of freedom, 1 for a right object (`judging.deviances`); NaN where the noise is not known.
    free_deviance : torch.Tensor, float32, shape (…, starts)
        The same of the pixels that were held; NaN if none were.
    """

    residual: Float[torch.Tensor, "*batch starts"]
    rank: Float[torch.Tensor, "*batch starts"]
    pixels: Int[torch.Tensor, "*batch starts"]
    iterations: Int[torch.Tensor, "*batch starts"]
    threshold: Float[torch.Tensor, "*batch starts"]
    deviance: Float[torch.Tensor, "*batch starts"]
    free_deviance: Float[torch.Tensor, "*batch starts"]


Values = Literal["complex", "real", "positive"]
"""What an object's pixels may be."""


class Options(NamedTuple):
    """How starts are made."""

    steps: list[Step]
    shrinkwrap: Shrinkwrap | None  # None for a support that stays
    beta: float
    seed: int
    side: torch.Tensor  # (batch,), or (batch, 3) for volumes: of the objects' frames, in pixels
    support: torch.Tensor | None  # (batch, *frame) in FFT order, or None for the start's or the autocorrelation's
    start: torch.Tensor | None  # (batch, *frame) in FFT order: the first start of all; None for a random one
    values: str = "complex"
    enough: float = SOLVED_RESIDUAL  # residual that ends a start: it has found the object
    hopeless: float = float("inf")  # residual that ends a start where it comes to error reduction: it will not
    gain: float = float("inf")  # share of the residual before that may be left where it comes there again
    finish: int = 0  # iterations of L-BFGS for a complex object that is found


def read_start(start: torch.Tensor, intensity: torch.Tensor, dims: int = 2) -> torch.Tensor:
    """Check objects to start from, and bring them to the patterns' frame, origin to pixel (0, 0).

    Parameters
    ----------
    start : torch.Tensor, complex or float, shape (h, w) or (…, h, w)
        Of any scale; the origin in ``[h // 2, w // 2]``.
    intensity : torch.Tensor, float, shape (…, M, M)
    dims : int
        Axes of a frame: 3 for volumes.

    Returns
    -------
    torch.Tensor, complex64, shape (batch, *frame)
        With a maximum magnitude of 1.

    Raises
    ------
    ValueError
        If they are no objects of these patterns, or hold nothing.
    """
    frame, axes = intensity.shape[-dims:], tuple(range(-dims, 0))
    _check_start(start, intensity, dims)
    start = start.detach()  # a network's output remembers how it was made
    largest = start.abs().amax(axes, keepdim=True)
    if not bool(torch.isfinite(largest).all()) or not bool((largest > 0).all()):
        raise ValueError(
            "expected a start of finite pixels, some of them not zero, got NaN, infinity or an empty one; "
            "leave start= out for a random one"
        )
    framed = to_frame((start / largest).to(intensity.device, torch.complex64), *frame)
    return torch.fft.ifftshift(framed, dim=axes).expand(intensity.shape).reshape(-1, *frame)


def _check_start(start: torch.Tensor, intensity: torch.Tensor, dims: int) -> None:
    """Refuse what has not the type or the shape of objects of these patterns, in one sentence."""
    batch, frame = intensity.shape[:-dims], intensity.shape[-dims:]
    fits = (
        isinstance(start, torch.Tensor) and (start.is_complex() or start.is_floating_point()) and start.ndim >= dims
    )
    if fits:
        fits = start.shape[:-dims] in ((), batch)
        fits &= all(own <= side for own, side in zip(start.shape[-dims:], frame, strict=True))
    if not fits:
        sides, batch = " × ".join(map(str, frame)), tuple(batch)
        raise ValueError(
            f"expected a start as a complex or float torch tensor in a frame of at most {sides}, its other "
            f"dimensions {batch} as the patterns' or none, got {described(start)}; convert it, or crop it with "
            "diffraction.to_frame"
        )


def warm_start(patterns: Patterns, start: torch.Tensor) -> torch.Tensor:
    """Measured amplitudes with the phases of objects' far fields, and their own field where nothing was measured."""
    axes = frame_axes(start)
    power = magnitude(torch.fft.fftn(start, dim=axes)).square_()
    if patterns.free is not None:  # what is left free must be of the pattern's scale
        power.masked_fill_(patterns.free, 0)
    measured = patterns.amplitude.square().sum(axes, keepdim=True)
    scale = (measured / power.sum(axes, keepdim=True).clamp_min(LEAST_POWER)).sqrt()
    return project_modulus(scale * start, patterns.expected, patterns.free, patterns.dims)


def _random_start(patterns: Patterns, seed: int, starts: torch.Tensor) -> torch.Tensor:
    """Measured amplitudes with random phases that depend on (seed, pattern, start) alone."""
    amplitude = patterns.filled
    phases = [
        np.random.default_rng(np.random.SeedSequence([seed, number, start], spawn_key=(STREAM,))).random(
            patterns.frame, np.float32
        )
        for number, start in zip(patterns.number.tolist(), starts.tolist(), strict=True)
    ]
    angle = 2 * torch.pi * torch.from_numpy(np.stack(phases)).to(amplitude.device)
    return torch.fft.ifftn(torch.polar(amplitude, angle), dim=frame_axes(amplitude))


def begin(patterns: Patterns, options: Options, starts: torch.Tensor) -> "Run":
    """Make starts ready to run.

    Parameters
    ----------
    patterns : Patterns
        One for each start.
    options : Options
    starts : torch.Tensor, int64, shape (batch,)
        Number of each start of its pattern.

    Returns
    -------
    Run
    """
    device, number = patterns.amplitude.device, patterns.number
    iterate = _random_start(patterns, options.seed, starts)
    follow = options.shrinkwrap or Shrinkwrap()
    turns = torch.tensor(follow.thresholds, device=device)
    threshold = turns[starts.to(device) % len(turns)]
    if options.shrinkwrap is None:
        threshold = torch.full_like(threshold, torch.nan)
    support = follow.first_support(patterns.filled) if options.support is None else options.support[number]
    given = (starts == 0).nonzero()[:, 0].to(device)
    if options.start is not None and len(given):
        known = options.start[number[given]]
        iterate[given] = warm_start(patterns[given], known)
        if options.support is None:
            support[given] = update(known, follow.width(0, options.side[number[given]]), threshold[given])
    return Run(patterns, options, iterate, support, threshold)


class Run:
    """A batch of starts; those that are solved early leave it."""

    def __init__(
        self,
        patterns: Patterns,
        options: Options,
        iterate: torch.Tensor,
        support: torch.Tensor,
        threshold: torch.Tensor,
    ):
        self.whole = self.patterns = patterns
        self.options = options
        self.iterate, self.support, self.threshold = iterate, support, threshold
        self.alive = torch.arange(len(iterate), device=iterate.device)
        self.objects, self.supports = torch.zeros_like(iterate), support.clone()
        self.residual = torch.full(self.alive.shape, torch.inf, device=iterate.device)
        self.rank, self.iterations = self.residual.clone(), torch.zeros_like(self.alive)
        self.image, self.done = self.iterate, 0
        self._begin_again()

    def _begin_again(self) -> None:
        """Make ready for patterns that stay as many as they are."""
        self.make = Iterations(self.options.beta, self.options.values)
        self.follow = Captured(update, WARM_UP, "shrinkwrap")

    def iterate_all(self) -> Iterator[str]:
        """Run the recipe to its end or until all is solved; yield after each update of the support and each step."""
        shrinkwrap = self.options.shrinkwrap
        for index, (algorithm, iterations) in enumerate(self.options.steps):
            carried: Carried = {}  # patterns leave between steps only, so it never has to follow them
            end = self.done + iterations
            while self.done < end:
                left = shrinkwrap.period - self.done % shrinkwrap.period if shrinkwrap else AT_ONCE
                self._iterate(algorithm, min(end - self.done, left, AT_ONCE), carried)
                if shrinkwrap and self.done % shrinkwrap.period == 0:
                    self._update(self.done // shrinkwrap.period - 1)
                    yield algorithm
            # Only error reduction ends on an object: the others' iterates are not meant to be one.
            if algorithm == "ER" or index == len(self.options.steps) - 1:
                self._keep()
                yield algorithm
            if not len(self.alive):
                return

    def advance(self, algorithm: str, count: int) -> torch.Tensor:
        """Make some iterations beside the recipe, and show the last modulus projection."""
        self._iterate(algorithm, count, {})
        return self.image

    def _iterate(self, algorithm: str, count: int, carried: Carried) -> None:
        free, self.image = self.patterns.free, self.iterate  # the old image makes room
        tensors = (self.iterate, self.support, self.patterns.expected, *(() if free is None else (free,)))
        self.iterate, self.image = self.make(algorithm, count, carried, *tensors)
        self.done += count

    def _update(self, number: int) -> None:
        """Make the update of the support of this number."""
        sigma = self.options.shrinkwrap.width(number, self.options.side[self.patterns.number])
        self.support = self.follow(self.image, sigma, self.threshold)
        under = beamstop.solvable(self.patterns)
        if under is not None:
            self.iterate = beamstop.settle(self.iterate, self.image, self.support, under)

    def finish(self) -> None:
        """Bring what is found nearer to the amplitudes, by the iterations that are asked for."""
        found = ((self.residual <= self.options.enough) & (self.residual > SOLVED_RESIDUAL)).nonzero()[:, 0]
        if not self.options.finish or self.options.values != "complex" or not len(found):
            return
        patterns = self.whole[found]
        self.objects[found] = nearest(self.objects[found], self.supports[found], patterns, self.options.finish)
        self.residual[found] = residual_of(self.objects[found], patterns)
        self.rank[found] = rank(self.residual[found], self.supports[found].flatten(1).sum(1), patterns.measured())
        self.iterations[found] += self.options.finish

    def object(self) -> torch.Tensor:
        """What the last projection shows inside the support, of those that are not solved."""
        image = self.image * self.support
        return image * (image.real > 0) if self.options.values == "positive" else image

    def _keep(self) -> None:
        """Store what is better than before, and go on with what is not solved."""
        objects, pixels, measured = self.object(), self.support.flatten(1).sum(1), self.patterns.measured()
        misfits = residuals(objects, self.patterns)
        residual, ranks = misfits[0], rank(misfits[-1], pixels, measured)
        self.iterations[self.alive] = self.done
        hopeless = (self.options.gain * self.residual[self.alive]).clamp_max(self.options.hopeless)
        better = (ranks <= self.rank[self.alive]).nonzero()[:, 0]
        at = self.alive[better]
        self.objects[at], self.supports[at] = objects[better], self.support[better]
        self.residual[at], self.rank[at] = residual[better], ranks[better]
        found = (residual <= self.options.enough) & constrains(self.support, measured)
        unsolved = ~found & (residual <= hopeless)
        if unsolved.all():
            return
        self._begin_again()
        self.alive, self.iterate, self.image = self.alive[unsolved], self.iterate[unsolved], self.image[unsolved]
        self.support, self.patterns = self.support[unsolved], self.patterns[unsolved]
        self.threshold = self.threshold[unsolved]
