"""The best starts of each pattern, as they come in."""

import torch

from farfield.iterative.beamstop import hidden
from farfield.iterative.consensus import KEPT, Consensus
from farfield.iterative.judging import RIVAL, SOLVED_RESIDUAL, constrains, differences
from farfield.iterative.patterns import Patterns
from farfield.iterative.starts import Run, Starts


class Results:
    """What was made of patterns: figures of all starts, objects of the best.

    Attributes
    ----------
    objects : torch.Tensor, complex64, shape (patterns, slots, M, M)
        Origin in the centre; in no order until `sort`.
    support : torch.Tensor, bool, the same shape
    residual, rank : torch.Tensor, float32, shape (patterns, slots)
        Infinite for a slot that nothing is in.
    done : torch.Tensor, bool, shape (patterns,)
        Whether a start has solved the pattern to rounding, so that no more are wanted.
    blind : torch.Tensor, bool, shape (patterns,)
        Whether a beamstop hides low frequencies: what fits to rounding may then still be another object.
    more : torch.Tensor, int64, shape (patterns,)
        Iterations that starts made together.
    starts : Starts
    """

    def __init__(self, patterns: Patterns, starts: int, every: bool):
        count, side, self.every = len(patterns.number), patterns.amplitude.shape[-1], every
        slots = starts if every else min(starts, KEPT)
        device = patterns.amplitude.device
        self.measured = patterns.measured()
        self.objects = torch.zeros(count, slots, side, side, dtype=torch.complex64, device=device)
        self.support = torch.zeros(count, slots, side, side, dtype=torch.bool, device=device)
        self.residual = torch.full((count, slots), torch.inf, device=device)
        self.rank = self.residual.clone()
        self.done = torch.zeros(count, dtype=torch.bool, device=device)
        under = hidden(patterns)
        self.blind = torch.zeros_like(self.done) if under is None else under.any(-1).any(-1)
        self.more = torch.zeros(count, dtype=torch.int64, device=device)
        unknown = torch.full((count, starts), torch.nan, device=device)
        whole = torch.zeros(count, starts, dtype=torch.int64, device=device)
        self.starts = Starts(
            unknown.nan_to_num(torch.inf), whole, whole.clone(), unknown, unknown.clone(), unknown.clone()
        )

    def add(self, numbers: torch.Tensor, starts: torch.Tensor, run: Run, figures: tuple[torch.Tensor, ...]) -> None:
        """Enter starts of these numbers of the patterns of these numbers, with their figures as `Starts` has them."""
        for start in starts.unique().tolist():  # a pattern is there once for each
            wanted = ((starts == start) & (self.every | ~self.done[numbers])).nonzero()[:, 0]
            at = numbers[wanted]
            for table, values in zip(self.starts, figures, strict=True):
                table[at, start] = values[wanted]
            self._place(at, run, wanted)
            pixels = run.supports[wanted].sum((-2, -1))
            solved = (run.residual[wanted] <= SOLVED_RESIDUAL) & constrains(pixels, self.measured[at])
            self.done[at[solved & ~self.blind[at]]] = True

    def _place(self, at: torch.Tensor, run: Run, wanted: torch.Tensor) -> None:
        """Put starts where the worst of their patterns are, if they are better."""
        worst, slot = self.rank[at].max(-1)
        better = run.rank[wanted] < worst
        at, slot, chosen = at[better], slot[better], wanted[better]
        self.objects[at, slot], self.support[at, slot] = centre(run.objects[chosen], run.supports[chosen])
        self.residual[at, slot], self.rank[at, slot] = run.residual[chosen], run.rank[chosen]

    def unsolved(self) -> torch.Tensor:
        """Numbers of the patterns that another start may better; all, if all starts are wanted."""
        return (self.every | ~self.done).nonzero()[:, 0]

    def replace(self, numbers: torch.Tensor, found: Consensus) -> None:
        """Put what the best starts of patterns came to together in their place."""
        self.more[numbers] += found.iterations
        self.objects[numbers], self.support[numbers] = found.objects, found.support
        self.residual[numbers], self.rank[numbers] = found.residual, found.rank

    def agreement(self) -> torch.Tensor:
        """Median difference of the best start's rivals from it, (patterns,); NaN without one, or where it is done."""
        agreement = torch.full_like(self.rank[:, 0], torch.nan)
        rivals = self.rank[:, 1:KEPT] <= RIVAL * self.rank[:, :1].clamp_min(SOLVED_RESIDUAL)
        rivals &= self.rank[:, 1:KEPT].isfinite() & (~self.done | self.every)[:, None]
        todo = rivals.any(-1).nonzero()[:, 0]
        if len(todo):
            apart = differences(self.objects[todo, :KEPT])
            agreement[todo] = apart.where(rivals[todo], torch.nan).nanmedian(-1).values
        return agreement

    def sort(self) -> None:
        """Bring the best of each pattern to its first slot, and so on."""
        order = self.rank.argsort(dim=-1, stable=True)
        each = torch.arange(len(order), device=order.device)[:, None]
        for name in ("objects", "support", "residual", "rank"):
            setattr(self, name, getattr(self, name)[each, order])


def centre(objects: torch.Tensor, support: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Roll each object so that its centre of mass, on the torus, is the origin in the frame's centre."""
    side = objects.shape[-1]
    mass = objects.abs().square()
    angle = torch.exp(2j * torch.pi * torch.arange(side, device=objects.device) / side)
    centres = torch.stack([(mass.sum(-1) * angle).sum(-1), (mass.sum(-2) * angle).sum(-1)], -1).angle()
    shift = side // 2 - (centres * side / (2 * torch.pi)).round().long()
    rows, columns = ((torch.arange(side, device=objects.device) - shift[:, axis, None]) % side for axis in (0, 1))
    place = (rows[:, :, None] * side + columns[:, None]).flatten(1)
    objects, support = (x.flatten(1).gather(1, place).view(x.shape) for x in (objects, support))
    return objects, support
