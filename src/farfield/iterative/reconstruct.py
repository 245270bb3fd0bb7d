"""Objects from intensities alone: any number of random starts, batched, ranked without the truth."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from tqdm import tqdm

from farfield.iterative.projections import ALGORITHMS, project_modulus
from farfield.iterative.recipe import Step, parse
from farfield.iterative.shrinkwrap import Shrinkwrap
from farfield.shapes import Intensity, Objects, PerSample, PerSampleInt, check_intensity

RECIPE = "2*(450*HIO+50*ER)"
"""The strongest recipe found for noise-free patterns."""

PIXELS_AT_ONCE = 2**16
"""Of a batch on a CPU: its arrays stay in a core's cache, and larger batches are slower."""

PIXELS_ON_GPU = 2**24

SOLVED = 2e-5
"""Fourier residual under which a start is done, and no other start of its pattern is made."""


class Reconstruction(NamedTuple):
    """What the best start of each pattern came to.

    Attributes
    ----------
    objects : torch.Tensor, complex64, shape (…, M, M)
        In the pattern's frame, content in the centre.
    residual : torch.Tensor, float32, shape (…)
        ‖√I - |F(object)|‖ / ‖√I‖.
    support : torch.Tensor, bool, shape (…, M, M)
        The last support of shrinkwrap.
    starts : torch.Tensor, int64, shape (…)
        Random starts that were made.
    """

    objects: Objects
    residual: PerSample
    support: Bool[torch.Tensor, "*batch height width"]
    starts: PerSampleInt


def _residual(objects: torch.Tensor, amplitude: torch.Tensor) -> torch.Tensor:
    misfit = (torch.fft.fft2(objects).abs() - amplitude).square().sum((-1, -2))
    return (misfit / amplitude.square().sum((-1, -2)).clamp_min(1e-30)).sqrt()


def _random_start(amplitude: torch.Tensor, seed: int, patterns: torch.Tensor, start: int) -> torch.Tensor:
    """Measured amplitudes with random phases that depend on (seed, pattern, start) alone."""
    phases = [
        np.random.default_rng([seed, int(pattern), start]).random(amplitude.shape[-2:], np.float32)
        for pattern in patterns
    ]
    angle = 2 * torch.pi * torch.from_numpy(np.stack(phases)).to(amplitude.device)
    return torch.fft.ifft2(torch.polar(amplitude, angle))


class _Run:
    """One start of a batch of patterns; those that are solved early leave it."""

    def __init__(
        self, amplitude: torch.Tensor, iterate: torch.Tensor, shrinkwrap: Shrinkwrap, beta: float, side: float
    ):
        self.shrinkwrap, self.beta, self.side = shrinkwrap, beta, side
        self.amplitude, self.iterate = amplitude, iterate
        self.support = shrinkwrap.first_support(amplitude)
        self.alive = torch.arange(len(amplitude), device=amplitude.device)
        self.objects = torch.zeros_like(iterate)
        self.residual = torch.full(amplitude.shape[:1], torch.inf, device=amplitude.device)
        self.supports = self.support.clone()

    def iterate_all(self, steps: list[Step]) -> None:
        """Run a recipe to its end, or until every pattern is solved."""
        done = 0
        for index, step in enumerate(steps):
            algorithm = ALGORITHMS[step.algorithm]
            for _ in range(step.iterations):
                projected = project_modulus(self.iterate, self.amplitude)
                self.iterate = algorithm(self.iterate, projected, self.support, self.beta)
                done += 1
                if done % self.shrinkwrap.period == 0:
                    sigma = self.shrinkwrap.width(done // self.shrinkwrap.period - 1, self.side)
                    self.support = self.shrinkwrap.update(projected, sigma)
            # Only error reduction ends on an object: the others' iterates are not meant to be one.
            if step.algorithm == "ER" or index == len(steps) - 1:
                self._keep()
            if not len(self.alive):
                return

    def _keep(self) -> None:
        """Store the batch as it stands, and go on with what is not solved."""
        objects = self.iterate * self.support
        residual = _residual(objects, self.amplitude)
        self.objects[self.alive], self.residual[self.alive] = objects, residual
        self.supports[self.alive] = self.support
        unsolved = residual > SOLVED
        self.alive, self.iterate = self.alive[unsolved], self.iterate[unsolved]
        self.support, self.amplitude = self.support[unsolved], self.amplitude[unsolved]


def _centre(objects: torch.Tensor, support: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Roll each object so that its centre of mass, on the torus, is the origin in the frame's centre."""
    side = objects.shape[-1]
    mass = objects.abs().square()
    angle = torch.exp(2j * torch.pi * torch.arange(side, device=objects.device) / side)
    centres = torch.stack([(mass.sum(-1) * angle).sum(-1), (mass.sum(-2) * angle).sum(-1)], -1).angle()
    shift = side // 2 - (centres * side / (2 * torch.pi)).round().long()
    rows, columns = ((torch.arange(side, device=objects.device) - shift[:, axis, None]) % side for axis in (0, 1))
    each = torch.arange(len(objects), device=objects.device)[:, None, None]
    return objects[each, rows[:, :, None], columns[:, None]], support[each, rows[:, :, None], columns[:, None]]


def reconstruct(
    intensity: Intensity,
    recipe: str = RECIPE,
    *,
    starts: int = 1,
    seed: int = 0,
    oversampling: int = 2,
    beta: float = 0.8,
    shrinkwrap: Shrinkwrap | None = None,
    progress: bool = False,
) -> Reconstruction:
    """Reconstruct objects from their far-field intensities, support unknown.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, M, M)
        DC in the centre, oversampled at least twice.
    recipe : str
        Such as ``2*(450*HIO+50*ER)``; algorithms are those of `ALGORITHMS`.
    starts : int
        Most random starts of each pattern. The best by Fourier residual is kept, never one chosen by the
        truth; a pattern that one start has solved (residual below 2e-5) gets no more.
    seed : int
        Each start depends on (seed, pattern, start) alone.
    oversampling : int
        Pattern pixels per object pixel and axis: tells how large objects are, and so how far to blur them.
    beta : float
        Feedback of HIO and RAAR.
    shrinkwrap : Shrinkwrap, optional
        How the support follows the iterate.
    progress : bool
        Show a tqdm bar.

    Returns
    -------
    Reconstruction

    Raises
    ------
    ValueError
        If the patterns are not square, finite and non-negative, or an option is out of range.
    """
    check_intensity(intensity)
    if intensity.shape[-1] != intensity.shape[-2]:
        raise ValueError(
            f"expected square patterns, got {tuple(intensity.shape)}; crop or pad them with diffraction.to_frame"
        )
    if starts < 1:
        raise ValueError(f"expected at least 1 start, got {starts}; ask for one or more")
    steps, shrinkwrap = parse(recipe), shrinkwrap or Shrinkwrap()
    side = intensity.shape[-1]
    patterns = intensity.reshape(-1, side, side)
    best = Reconstruction(
        torch.zeros(patterns.shape, dtype=torch.complex64, device=patterns.device),
        torch.full(patterns.shape[:1], torch.inf, device=patterns.device),
        torch.zeros(patterns.shape, dtype=torch.bool, device=patterns.device),
        torch.zeros(patterns.shape[:1], dtype=torch.int64, device=patterns.device),
    )
    size = max(1, (PIXELS_AT_ONCE if patterns.device.type == "cpu" else PIXELS_ON_GPU) // side**2)
    with tqdm(total=starts * len(patterns), disable=not progress, unit="start") as bar:
        for start in range(starts):
            todo = (best.residual > SOLVED).nonzero()[:, 0]
            bar.update(len(patterns) - len(todo))
            for part in todo.split(size) if len(todo) else ():
                amplitude = torch.fft.ifftshift(patterns[part], dim=(-2, -1)).sqrt().float()
                run = _Run(
                    amplitude, _random_start(amplitude, seed, part, start), shrinkwrap, beta, side / oversampling
                )
                run.iterate_all(steps)
                _keep_better(best, part, run)
                bar.update(len(part))
    objects, support = (x.reshape(intensity.shape) for x in (best.objects, best.support))
    return Reconstruction(
        objects,
        best.residual.reshape(intensity.shape[:-2]),
        support,
        best.starts.reshape(intensity.shape[:-2]),
    )


def _keep_better(best: Reconstruction, part: torch.Tensor, run: _Run) -> None:
    """Replace what a new start betters, by the residual."""
    best.starts[part] += 1
    better = run.residual < best.residual[part]
    objects, support = _centre(run.objects[better], run.supports[better])
    best.objects[part[better]], best.support[part[better]] = objects, support
    best.residual[part[better]] = run.residual[better]
