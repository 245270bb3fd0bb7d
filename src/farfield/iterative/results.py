"""The best starts of each pattern, as they come in."""

import torch

from farfield.iterative.beamstop import hidden
from farfield.iterative.consensus import KEPT, Consensus
from farfield.iterative.judging import agreement, align, believes, constrains, deviances, residual_of
from farfield.iterative.patterns import Patterns
from farfield.iterative.starts import Run, Starts
from farfield.machine.shapes import frame_axes


class Results:
    """What was made of patterns: figures of all starts, objects of the best.

    Attributes
    ----------
    objects : torch.Tensor, complex64, shape (patterns, slots, *frame)
        Origin in the centre; in no order until `sort`.
    support : torch.Tensor, bool, the same shape
    residual, rank : torch.Tensor, float32, shape (patterns, slots)
        Infinite for a slot that nothing is in.
    done : torch.Tensor, bool, shape (patterns,)
        Whether a start has solved the pattern to rounding, so that no more are wanted.
    believed : torch.Tensor, bool, shape (patterns,)
        Whether more are not wanted because of what starts came to together.
    most : int or float
        Iterations from which on a pattern gets no more starts.
    blind : torch.Tensor, bool, shape (patterns,)
        Whether a beamstop hides low frequencies: what fits to rounding may then still be another object.
    more : torch.Tensor, int64, shape (patterns,)
        Iterations that starts made together.
    starts : Starts
    """

    def __init__(self, patterns: Patterns, starts: int, slots: int, every: bool):
        count, frame = len(patterns.number), patterns.frame
        self.slots, self.every = slots, every
        device = patterns.amplitude.device
        self.measured = patterns.measured()
        self.objects = torch.zeros(count, slots, *frame, dtype=torch.complex64, device=device)
        self.support = torch.zeros(count, slots, *frame, dtype=torch.bool, device=device)
        self.residual = torch.full((count, slots), torch.inf, device=device)
        self.rank = self.residual.clone()
        self.done = torch.zeros(count, dtype=torch.bool, device=device)
        self.believed, self.most = self.done.clone(), float("inf")
        under = hidden(patterns)
        self.blind = torch.zeros_like(self.done) if under is None else under.flatten(1).any(1)
        self.more = torch.zeros(count, dtype=torch.int64, device=device)
        unknown = torch.full((count, starts), torch.nan, device=device)
        whole = torch.zeros(count, starts, dtype=torch.int64, device=device)
        endless = unknown.nan_to_num(torch.inf)
        self.starts = Starts(
            endless, endless.clone(), whole, whole.clone(), unknown, unknown.clone(), unknown.clone()
        )

    def add(self, numbers: torch.Tensor, starts: torch.Tensor, run: Run, figures: tuple[torch.Tensor, ...]) -> None:
        """Enter starts of these numbers of the patterns of these numbers, with their figures as `Starts` has them."""
        for start in starts.unique().tolist():  # a pattern is there once for each
            wanted = ((starts == start) & (self.every | ~self.done[numbers])).nonzero()[:, 0]
            at = numbers[wanted]
            for table, values in zip(self.starts, figures, strict=True):
                table[at, start] = values[wanted]
            self._place(at, run, wanted)
            solved = (run.residual[wanted] <= run.options.enough) & constrains(
                run.supports[wanted], self.measured[at]
            )
            self.done[at[solved & ~self.blind[at]]] = True

    def _place(self, at: torch.Tensor, run: Run, wanted: torch.Tensor) -> None:
        """Put starts where the worst of their patterns are, if they are better."""
        worst, slot = self.rank[at].max(-1)
        better = run.rank[wanted] < worst
        at, slot, chosen = at[better], slot[better], wanted[better]
        self.objects[at, slot], self.support[at, slot] = centre(run.objects[chosen], run.supports[chosen])
        self.residual[at, slot], self.rank[at, slot] = run.residual[chosen], run.rank[chosen]

    def wanted(self) -> torch.Tensor:
        """Tell of which patterns another start is wanted, (patterns,)."""
        return self.every | ~(self.done | self.believed | (self.spent() > self.most))

    def spent(self) -> torch.Tensor:
        """Count the iterations of each pattern, (patterns,)."""
        return self.starts.iterations.sum(-1) + self.more

    def take(self, which: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Take what there is of some patterns, bool (patterns,), to make room for others."""
        taken = which.nonzero()[:, 0], *(x[which] for x in (self.objects, self.support, self.residual, self.rank))
        self.residual[which], self.rank[which] = torch.inf, torch.inf
        return taken

    def put_back(self, taken: tuple[torch.Tensor, ...]) -> None:
        """Put back what was taken of patterns where nothing better came in its place."""
        numbers, *tables = taken
        better = tables[-1].amin(-1) <= self.rank[numbers].amin(-1)
        for name, table in zip(("objects", "support", "residual", "rank"), tables, strict=True):
            getattr(self, name)[numbers[better]] = table[better]

    def replace(self, numbers: torch.Tensor, found: Consensus) -> None:
        """Put what the best starts of patterns came to together in their place."""
        self.more[numbers] += found.iterations
        self.objects[numbers], self.support[numbers] = found.objects, found.support
        self.residual[numbers], self.rank[numbers] = found.residual, found.rank

    def judge(self, patterns: Patterns, which: torch.Tensor, agreement: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Tell of the best of patterns of these numbers, (some,), its two deviances, and whether to believe it."""
        part, pixels = patterns[which], self.support[which, 0].flatten(1).sum(1)
        found = deviances(torch.fft.ifftshift(self.objects[which, 0], dim=frame_axes(self.objects, 2)), pixels, part)
        return *found, believes(self.residual[which, 0], found[0], agreement, self.support[which, 0], part)

    def agreement(self, which: torch.Tensor) -> torch.Tensor:
        """Median difference of the best start's rivals from it, (some,); NaN without one, or where it is done."""
        apart = torch.full_like(self.rank[which, 0], torch.nan)
        todo = (~self.done[which] | self.every).nonzero()[:, 0]
        apart[todo] = agreement(self.objects[which[todo], :KEPT], self.rank[which[todo], :KEPT])
        return apart

    def average(self, patterns: Patterns) -> None:
        """Keep the mean of the better half of each pattern's starts, sorted, aligned with the best."""
        half = (self.objects.shape[1] + 1) // 2
        same = align(self.objects[:, :1].expand_as(self.objects[:, :half]), self.objects[:, :half])
        self.objects, self.support = same.mean(1, keepdim=True), (same != 0).any(1, keepdim=True)
        mean = torch.fft.ifftshift(self.objects[:, 0], dim=frame_axes(same, 2))
        self.residual = residual_of(mean, patterns)[:, None]

    def sort(self) -> None:
        """Bring the best of each pattern to its first slot, and so on."""
        order = self.rank.argsort(dim=-1, stable=True)
        each = torch.arange(len(order), device=order.device)[:, None]
        for name in ("objects", "support", "residual", "rank"):
            setattr(self, name, getattr(self, name)[each, order])


def centre(objects: torch.Tensor, support: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Roll each object so that its centre of mass, on the torus, is the origin in the frame's centre."""
    mass, axes, place = objects.abs().square(), frame_axes(objects), 0
    for axis in axes:
        side = objects.shape[axis]
        line = torch.arange(side, device=objects.device)
        angle = torch.exp(2j * torch.pi * line / side)
        centre = (mass.sum([other for other in axes if other != axis]) * angle).sum(-1).angle()
        shift = side // 2 - (centre * side / (2 * torch.pi)).round().long()
        lines = (line - shift[:, None]) % side
        place = place * side + lines.view(-1, *(side if other == axis else 1 for other in axes))
    objects, support = (x.flatten(1).gather(1, place.flatten(1)).view(x.shape) for x in (objects, support))
    return objects, support
