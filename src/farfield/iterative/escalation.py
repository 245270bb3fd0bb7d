"""Escalating starts: short ones first, longer ones for what they leave, within a budget of iterations.

Most patterns are solved by starts of a hundred iterations, and a few of these cost less than a long one; the others
want long ones. Where the noise is known, no start tells by itself whether it found the object, for its support has
followed the noise: the best of a few are brought together, and the verdict on what they come to ends the pattern.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch

from farfield.iterative.consensus import Effort, cost
from farfield.iterative.recipe import Step, parse, total
from farfield.iterative.rounds import Rounds
from farfield.iterative.shrinkwrap import IN_VOLUMES, REFERENCE_SIDE, Shrinkwrap
from farfield.iterative.starts import Options

BUDGET = 5000
"""Iterations of a pattern: by then all study and 0.96 of strained crystals are solved, noise-free."""

LADDER = (
    *((80, 0.25), (80, 0.25), (160, 0.25)),
    *((240, 0.25), (320, 0.25), (160, 0.12)),
    *((480, 0.25), (640, 0.25), (320, 0.08)),
    *((640, 0.25), (640, 0.3), (640, 0.2)),
)
"""Iterations of HIO of each start, and shrinkwrap's threshold; the last `TOGETHER` come again and again.

Crystals want thresholds of 0.2 to 0.3, projections, which fade towards their edge, 0.08 to 0.15.
"""

TOGETHER = 3
"""Starts that are made before the best are brought together, where the noise is known."""

GROUP = 2
"""Starts of a pattern that go on together, the best."""

SHORT = Effort(3, 5, 0.84)
"""For which they do."""

BETA = 0.95

REACH = 0.9
"""Share of a start's HIO in which σ comes to its last width."""

ENDING = Step("ER", 15)

GOING_ON = parse("4*(40*HIO+10*ER)")
"""What follows for a start that came near."""

NEAR = 0.05
"""Residual of a start that came near: it has the object, but for some of its pixels."""

FINISH = 20
"""Iterations of L-BFGS, from there to rounding."""

GAIN = 0.7
"""Share of a residual that may be left after each of these: who gains less has found another object."""

FOUND = 1e-3
"""Residual of one that has found it, where nothing is known of noise: a millionth of the energy is not explained."""


@dataclass(frozen=True)
class Annealing(Shrinkwrap):
    """A support that follows ever more closely: σ is at its last width after so many updates, in frames of any size.

    Attributes
    ----------
    sigma, sigma_floor, period
        As in `Shrinkwrap`, but narrower, and more often.
    updates : int
        From the first width to the last.
    """

    sigma: float = 2.5
    period: int = 5
    updates: int = 15

    def width(self, update: int, side: torch.Tensor) -> torch.Tensor:
        """Blur at the update of this number (from 0), in pixels, for objects' frames of these sides, (batch, …)."""
        first = (self.sigma * side / REFERENCE_SIDE).clamp_min(self.sigma_floor)
        return first * (self.sigma_floor / first) ** min(update / self.updates, 1)


LEAST = LADDER[0][0] + ENDING.iterations + total(GOING_ON) + FINISH
"""Iterations of the shortest start, and what may follow."""

SHARE = 1 / 5
"""Of the budget that may be left to bring together starts that found nothing: else more starts are worth more."""


class Start(NamedTuple):
    """One of each pattern.

    Attributes
    ----------
    number : int
    options : Options
        How it is made.
    cost : int
        Iterations, at most.
    """

    number: int
    options: Options
    cost: int


def ladder(options: Options, noisy: bool, dims: int = 2) -> Iterator[Start]:
    """List starts of ever more iterations, without end; those of known noise do not go on alone.

    Parameters
    ----------
    options : Options
        What is asked for; a support that stays does so here.
    noisy : bool
        Whether the noise is known.
    dims : int
        Axes of a pattern: 3 for volumes.

    Returns
    -------
    iterator of Start
    """
    for number, (length, threshold) in enumerate(itertools.chain(LADDER, itertools.cycle(LADDER[-TOGETHER:]))):
        steps = [Step("HIO", length), ENDING]
        threshold = threshold if dims == 2 else IN_VOLUMES * threshold
        follow = options.shrinkwrap and Annealing(threshold, updates=round(REACH * length / Annealing.period))
        made = options._replace(steps=steps, shrinkwrap=follow, beta=BETA)
        if not noisy:
            made = made._replace(steps=steps + GOING_ON, enough=FOUND, hopeless=NEAR, gain=GAIN, finish=FINISH)
        yield Start(number, made, total(made.steps) + made.finish)


def most_starts(budget: int) -> int:
    """Tell how many starts a budget can hold."""
    return budget // (LADDER[0][0] + ENDING.iterations)


def escalate(rounds: Rounds, options: Options, budget: int) -> None:
    """Make starts until the verdict on a pattern says that it is solved, or its budget does not reach any further.

    Parameters
    ----------
    rounds : Rounds
    options : Options
        What is asked for.
    budget : int
        Iterations of a pattern, at most.
    """
    noisy = rounds.patterns.noisy()
    for among, go in ((~noisy, _until_found), (noisy, _until_believed)):
        if among.any():
            go(rounds, options, budget, among)


def _until_found(rounds: Rounds, options: Options, budget: int, among: torch.Tensor) -> None:
    """Make starts one after another; those of patterns that none found are brought together in the end."""
    results = rounds.results
    together = cost(results.slots, options, noisy=False, effort=SHORT, dims=rounds.patterns.dims)
    left = together if together <= SHARE * budget else 0
    for start in ladder(options, False, rounds.patterns.dims):
        results.most = max(budget - start.cost - left, 0)  # the first is made in any case
        if not (results.wanted() & among).any():
            break
        rounds.make(start.options, range(start.number, start.number + 1), among)
    results.sort()
    results.most = budget - together
    rounds.bring_together(options, results.wanted() & among, SHORT)


def _until_believed(rounds: Rounds, options: Options, budget: int, among: torch.Tensor) -> None:
    """Make a few starts, bring the best together, and hear the verdict, again and again."""
    results = rounds.results
    together = cost(results.slots, options, noisy=True, effort=SHORT, dims=rounds.patterns.dims)
    starts, first = ladder(options, True, rounds.patterns.dims), True
    while True:
        few = list(itertools.islice(starts, TOGETHER))
        while first and len(few) > 1 and sum(start.cost for start in few) > budget:
            few.pop()
        results.most = 0 if first else budget - sum(start.cost for start in few) - together
        todo = results.wanted() & among
        if not todo.any():
            return
        taken, results.most, first = results.take(todo), float("inf"), False
        for start in few:
            rounds.make(start.options, range(start.number, start.number + 1), todo)
        results.sort()
        results.most = budget - together
        rounds.bring_together(options, results.wanted() & todo, SHORT)
        results.put_back(taken)
        results.sort()
        rounds.believe(todo)
