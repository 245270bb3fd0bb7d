"""Objects from intensities alone: any number of starts, batched, ranked without the truth."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool
from tqdm import tqdm

from farfield.iterative.patterns import Patterns, read_patterns
from farfield.iterative.recipe import parse
from farfield.iterative.shrinkwrap import Shrinkwrap
from farfield.iterative.starts import SOLVED_RESIDUAL, Options, Run, Starts, read_start, residual_of
from farfield.machine.heap import keep_freed_memory
from farfield.machine.shapes import Intensity, Objects, PerSample, PerSampleInt, check_mask, check_whole
from farfield.symmetry.actions import align

RECIPE = "2*(300*HIO+150*RAAR+50*ER)"
"""Solves noise-free patterns about as often as HIO and ER alone, and noisy ones far more often (docs/choices.md)."""

WARM_RECIPE = "200*HIO+50*ER"
"""From a given start: a quarter of the iterations of `RECIPE`."""

WARM = Shrinkwrap(threshold=0.2, sigma=1.0, period=10)
"""From a given start: with the σ of 3 that suits random ones, nothing of it survives.

The threshold is crystals'. From a `blob`, 0.2 solves 0.92 of them and 0.15 0.20; but 0.15 solves more of objects with
dark parts, such as FashionMNIST's: 0.68 against 0.57.
"""

BETA = 0.85

PIXELS_AT_ONCE = 2**16
"""Of a batch on a CPU: its arrays stay in a core's cache, and larger batches are slower."""

PIXELS_ON_GPU = 2**24

SWITCH_INTERVAL = 5e-5
"""Seconds until a thread that computes hands the interpreter to one that waits; Python's own are 5e-3."""

Keep = Literal["best", "mean", "all"]


class Reconstruction(NamedTuple):
    """What was made of each pattern.

    With ``keep="all"`` the first three have one more axis before the frame's: every start, the best first.

    Attributes
    ----------
    objects : torch.Tensor, complex64, shape (…, M, M)
        In the pattern's frame, content in the centre.
    residual : torch.Tensor, float32, shape (…)
        ‖√I - |F(object)|‖ / ‖√I‖ over the measured pixels.
    support : torch.Tensor, bool, shape (…, M, M)
        The last support of shrinkwrap.
    iterations : torch.Tensor, int64, shape (…)
        Made for the pattern, all starts together.
    starts : Starts
        Every start in figures.
    """

    objects: Objects
    residual: PerSample
    support: Bool[torch.Tensor, "*batch height width"]
    iterations: PerSampleInt
    starts: Starts


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


class _Results:
    """The best start of each pattern, or all of them, as they come in."""

    def __init__(self, count: int, side: int, starts: int, keep: Keep, device: torch.device):
        slots = 1 if keep == "best" else starts
        self.keep = keep
        self.objects = torch.zeros(count, slots, side, side, dtype=torch.complex64, device=device)
        self.support = torch.zeros(count, slots, side, side, dtype=torch.bool, device=device)
        self.residual = torch.full((count, slots), torch.inf, device=device)
        self.rank = self.residual.clone()
        each = torch.zeros(count, starts, dtype=torch.int64, device=device)
        self.starts = Starts(torch.full((count, starts), torch.inf, device=device), each, each.clone())

    def unsolved(self) -> torch.Tensor:
        """Patterns that another start may better; all, if all starts are wanted."""
        return (self.residual[:, 0] > (SOLVED_RESIDUAL if self.keep == "best" else -1)).nonzero()[:, 0]

    def add(self, numbers: torch.Tensor, start: int, run: Run) -> None:
        """Enter one start of the patterns of these numbers."""
        figures = run.residual, run.supports.sum((-2, -1)), run.iterations
        for table, values in zip(self.starts, figures, strict=True):
            table[numbers, start] = values
        slot = 0 if self.keep == "best" else start
        better = run.rank < self.rank[numbers, slot]
        at = numbers[better]
        objects, support = _centre(run.objects[better], run.supports[better])
        self.objects[at, slot], self.support[at, slot] = objects, support
        self.residual[at, slot], self.rank[at, slot] = run.residual[better], run.rank[better]

    def sorted(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Objects, residuals and supports, the best first."""
        order = self.rank.argsort(-1)
        each = torch.arange(len(order), device=order.device)[:, None]
        return self.objects[each, order], self.residual[each, order], self.support[each, order]


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


@contextmanager
def _workers(device: torch.device) -> Iterator[Callable]:
    """Map over batches by as many threads as torch may use, each of them computing alone."""
    keep_freed_memory()
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1:
        yield map
        return
    torch.set_num_threads(1)
    # What comes back from a compiled loop waits for the interpreter, up to this long: 5 ms are ten iterations.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)
        sys.setswitchinterval(interval)


def _prepare(
    intensity: torch.Tensor,
    recipe: str | None,
    seed: int,
    mask: torch.Tensor | None,
    support: torch.Tensor | None,
    oversampling: int | float,
    beta: float,
    shrinkwrap: Shrinkwrap | None,
    start: torch.Tensor | None,
) -> tuple[Patterns, Options]:
    """Check what was asked for, and bring it to the form that iterations need."""
    patterns = read_patterns(intensity, mask)
    check_whole("seed", seed, 0)
    if isinstance(oversampling, bool) or not isinstance(oversampling, int | float) or not oversampling >= 1:
        raise ValueError(f"expected oversampling as a number of at least 1, got {oversampling!r}; 2 is usual")
    if not isinstance(shrinkwrap, Shrinkwrap | None):
        raise ValueError(f"expected shrinkwrap as a Shrinkwrap, got {shrinkwrap!r}; write Shrinkwrap(sigma=3, …)")
    if not 0 < beta <= 1:
        raise ValueError(f"expected beta above 0 and at most 1, got {beta}; the field uses 0.7 to 0.95")
    if support is not None:
        support = torch.as_tensor(support, device=intensity.device)
        check_mask("support", support, intensity)
        if not support.any((-2, -1)).all():
            raise ValueError("expected a support that holds some pixels, got an empty one; widen it")
        whole = torch.fft.ifftshift(support, dim=(-2, -1)).expand(intensity.shape)
        support = whole.reshape(patterns.amplitude.shape)
    usual, follow = (RECIPE, Shrinkwrap()) if start is None else (WARM_RECIPE, WARM)
    steps = parse(usual if recipe is None else recipe)
    start = None if start is None else read_start(start, intensity)
    side = intensity.shape[-1] / oversampling
    return patterns, Options(steps, shrinkwrap or follow, beta, seed, side, support, start)


def reconstruct(
    intensity: Intensity,
    recipe: str | None = None,
    *,
    starts: int = 1,
    seed: int = 0,
    mask: Bool[torch.Tensor, "..."] | None = None,
    support: Bool[torch.Tensor, "..."] | None = None,
    oversampling: int | float = 2,
    beta: float = BETA,
    shrinkwrap: Shrinkwrap | None = None,
    start: torch.Tensor | None = None,
    keep: Keep = "best",
    progress: bool = False,
) -> Reconstruction:
    """Reconstruct objects from their far-field intensities, support unknown.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, M, M)
        DC in the centre, oversampled at least twice. It is computed where the tensor lies, CPU or GPU.
    recipe : str, optional
        Such as ``2*(450*HIO+50*ER)``; algorithms are those of `ALGORITHMS`. By default `RECIPE`, or `WARM_RECIPE`
        if there is a `start`.
    starts : int
        Most starts of each pattern, random but for the first if there is a `start` (whose recipe and shrinkwrap they
        have: give them those of random ones to let these count). They are ranked by the Fourier
        residual per degree of freedom that the support leaves, never by the truth; a pattern that one start has
        solved (residual below 2e-5) gets no more.
    seed : int
        Each start depends on (seed, pattern, start) alone.
    mask : torch.Tensor, bool, shape (M, M) or (…, M, M), optional
        True where the intensity was measured. Elsewhere (beamstop, gaps, dead pixels) it may have any value,
        NaN too, and the far field is left free.
    support : torch.Tensor, bool, shape (M, M) or (…, M, M), optional
        The first support; by default the magnitude of the `start`, blurred and thresholded as by shrinkwrap's first
        update, or, of a random start, the autocorrelation above a share of its maximum. It stays if shrinkwrap's
        period is longer than the recipe.
    oversampling : float
        Pattern pixels per object pixel and axis, whole or not: tells how large objects are, and so how far to blur
        them.
    beta : float
        Feedback of HIO, relaxation of RAAR and DM.
    shrinkwrap : Shrinkwrap, optional
        How the support follows the iterate; by default ``Shrinkwrap()``, or `WARM` if there is a `start`.
    start : torch.Tensor, complex or float, shape (h, w) or (…, h, w), optional
        Objects from which the first start begins, such as a network's: the measured amplitudes get the phases of
        their far fields. Of any scale, in any frame up to the pattern's, the origin in ``[h // 2, w // 2]``.
    keep : {"best", "mean", "all"}
        The best start; the mean of the better half of the starts, aligned with the best; or every start. The
        latter two make every start.
    progress : bool
        Show a tqdm bar.

    Returns
    -------
    Reconstruction

    Raises
    ------
    ValueError
        If the patterns are not square, even and finite, have nothing measured or no DC in the centre, the start is
        not of their shape, not finite or empty, or an option is out of range.
    """
    check_whole("starts", starts, 1)
    if keep not in get_args(Keep):
        raise ValueError(f"expected keep as one of {', '.join(get_args(Keep))}, got {keep!r}; choose one")
    patterns, options = _prepare(intensity, recipe, seed, mask, support, oversampling, beta, shrinkwrap, start)
    side, device = intensity.shape[-1], intensity.device
    results = _Results(len(patterns.number), side, starts, keep, device)
    size = max(1, (PIXELS_AT_ONCE if device.type == "cpu" else PIXELS_ON_GPU) // side**2)

    def make(part: torch.Tensor, start: int) -> int:
        run = Run(patterns[part], options, start)
        for _ in run.iterate_all():
            pass
        results.add(part, start, run)
        return len(part)

    with tqdm(total=starts * len(patterns.number), disable=not progress, unit="start") as bar, _workers(device) as go:
        for start in range(starts):
            todo = results.unsolved()
            bar.update(len(patterns.number) - len(todo))
            for count in go(partial(make, start=start), todo.split(size) if len(todo) else ()):
                bar.update(count)
    return _finished(results, patterns, intensity.shape[:-2])


def _finished(results: _Results, patterns: Patterns, batch: torch.Size) -> Reconstruction:
    """Bring results to the shape that was asked for."""
    objects, residual, support = results.sorted()
    if results.keep == "mean":
        half = (objects.shape[1] + 1) // 2
        same = align(objects[:, :1].expand(-1, half, -1, -1), objects[:, :half])
        objects, support = same.mean(1), (same != 0).any(1)
        residual = residual_of(torch.fft.ifftshift(objects, dim=(-2, -1)), patterns)
    elif results.keep == "best":
        objects, residual, support = objects[:, 0], residual[:, 0], support[:, 0]
    starts = Starts(*(table.reshape((*batch, table.shape[-1])) for table in results.starts))
    each = objects, residual, support, results.starts.iterations.sum(-1)
    shaped = (x.reshape((*batch, *x.shape[1:])) for x in each)
    return Reconstruction(*shaped, starts)


def watch(
    intensity: Intensity,
    recipe: str | None = None,
    *,
    seed: int = 0,
    mask: Bool[torch.Tensor, "..."] | None = None,
    support: Bool[torch.Tensor, "..."] | None = None,
    oversampling: int | float = 2,
    beta: float = BETA,
    shrinkwrap: Shrinkwrap | None = None,
    start: torch.Tensor | None = None,
) -> Iterator[State]:
    """Reconstruct from one start, and show each stage: to follow it, plot it, or stop it by leaving the loop.

    Parameters
    ----------
    intensity, recipe, seed, mask, support, oversampling, beta, shrinkwrap, start
        As for `reconstruct`; all patterns run as one batch.

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
    patterns, options = _prepare(intensity, recipe, seed, mask, support, oversampling, beta, shrinkwrap, start)
    return _stages(Run(patterns, options, 0), patterns, intensity.shape[:-2])


def _stages(run: Run, patterns: Patterns, batch: torch.Size) -> Iterator[State]:
    for algorithm in run.iterate_all():
        objects, supports = run.objects.clone(), run.supports.clone()
        objects[run.alive], supports[run.alive] = run.image * run.support, run.support
        residual = residual_of(objects, patterns)
        objects, supports = _centre(objects, supports)
        shaped = (x.reshape((*batch, *x.shape[1:])) for x in (objects, residual, supports))
        yield State(run.done, algorithm, *shaped)
