"""Escalating starts: short ones first, longer ones for what they leave, within a budget of iterations.

Most patterns are solved by starts of a hundred iterations, and more of these cost less than a long one; those that are
not want long ones. Where the noise is known, no start tells by itself whether it found the object, for its support has
followed the noise: those of one length are brought together, and the verdict on what they come to ends the pattern.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch

from farfield.iterative.consensus import cost
from farfield.iterative.recipe import Step, parse, total
from farfield.iterative.rounds import Rounds
from farfield.iterative.shrinkwrap import REFERENCE_SIDE, Shrinkwrap
from farfield.iterative.starts import Options

BUDGET = 5000
"""Iterations of a pattern: thrice the most that a solved one of a thousand crystals takes."""

LENGTHS = (80, 160, 320, 640)
"""Iterations of HIO of a start; of the last there may be any number."""

OF_EACH = 3
"""Starts of each length."""

GROUP = 2
"""Starts of a pattern that go on together, the best."""

THRESHOLDS = ((0.25, 0.25, 0.2), (0.25, 0.25, 0.12), (0.25, 0.25, 0.08), (0.25, 0.3, 0.2))
"""Of shrinkwrap, for the starts of each length: crystals want 0.2 to 0.3, projections 0.08 to 0.15."""

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
        """Blur at the update of this number (from 0), in pixels, for objects' frames of these sides, (batch,)."""
        first = (self.sigma * side / REFERENCE_SIDE).clamp_min(self.sigma_floor)
        return first * (self.sigma_floor / first) ** min(update / self.updates, 1)


LEAST = LENGTHS[0] + ENDING.iterations + total(GOING_ON) + FINISH
"""Iterations of the shortest start, and what may follow."""


SHARE = 1 / 5
"""Of the budget that may be left to bring together starts that found nothing: else more starts are worth more."""


class Rung(NamedTuple):
    """Starts of one length.

    Attributes
    ----------
    numbers : range
        Of the starts.
    options : Options
        How they are made.
    cost : int
        Iterations of one, at most.
    """

    numbers: range
    options: Options
    cost: int


def rungs(options: Options, noisy: bool) -> Iterator[Rung]:
    """List starts of ever longer lengths, without end; those of known noise do not go on alone.

    Parameters
    ----------
    options : Options
        What is asked for; a support that stays does so here.
    noisy : bool
        Whether the noise is known.

    Returns
    -------
    iterator of Rung
    """
    for index in itertools.count():
        length, thresholds = (x[min(index, len(LENGTHS) - 1)] for x in (LENGTHS, THRESHOLDS))
        steps = [Step("HIO", length), ENDING]
        follow = options.shrinkwrap and Annealing(thresholds, updates=round(REACH * length / Annealing.period))
        made = options._replace(steps=steps, shrinkwrap=follow, beta=BETA)
        if not noisy:
            made = made._replace(steps=steps + GOING_ON, enough=FOUND, hopeless=NEAR, gain=GAIN, finish=FINISH)
        yield Rung(range(OF_EACH * index, OF_EACH * (index + 1)), made, total(made.steps) + made.finish)


def most_starts(budget: int) -> int:
    """Tell how many starts a budget can hold."""
    return budget // (LENGTHS[0] + ENDING.iterations)


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
    results, together = rounds.results, cost(rounds.results.slots, options, noisy=False)
    left = together if together <= SHARE * budget else 0
    for rung in rungs(options, noisy=False):
        results.most = max(budget - rung.cost - left, 0)  # the first is made in any case
        if not (results.wanted() & among).any():
            break
        rounds.make(rung.options, rung.numbers, among)
    results.sort()
    results.most = budget - together
    rounds.bring_together(options, results.wanted() & among)


def _until_believed(rounds: Rounds, options: Options, budget: int, among: torch.Tensor) -> None:
    """Make starts of one length, bring them together, and hear the verdict, length by length."""
    results, together = rounds.results, cost(rounds.results.slots, options, noisy=True)
    for rung in rungs(options, noisy=True):
        numbers = rung.numbers if rung.numbers.start else rung.numbers[: budget // rung.cost]
        results.most = max(budget - len(numbers) * rung.cost - together, 0)
        todo = results.wanted() & among
        if not todo.any():
            return
        taken, results.most = results.take(todo), float("inf")
        rounds.make(rung.options, numbers, todo)
        results.sort()
        results.most = budget - together
        rounds.bring_together(options, results.wanted() & todo)
        results.put_back(taken)
        results.sort()
        rounds.believe(todo)
