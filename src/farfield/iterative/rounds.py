"""Starts made, and brought together, on all cores: what any way to reconstruct is put together from."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from tqdm import tqdm

from farfield.iterative import judging
from farfield.iterative.consensus import Consensus, Effort, bring_together
from farfield.iterative.patterns import Patterns
from farfield.iterative.results import Results
from farfield.iterative.starts import Options, begin
from farfield.iterative.workers import split


class Rounds(NamedTuple):
    """What is reconstructed, and by whom.

    Attributes
    ----------
    results : Results
    patterns : Patterns
    go : callable
        A map over batches.
    threads : int
        That it uses; 0 on a GPU.
    bar : tqdm
    """

    results: Results
    patterns: Patterns
    go: Callable
    threads: int
    bar: tqdm

    def make(self, options: Options, numbers: range, among: torch.Tensor) -> None:
        """Make starts of these numbers until all are made or no more are wanted, as many at once as keep cores busy.

        Parameters
        ----------
        options : Options
        numbers : range
        among : torch.Tensor, bool, shape (patterns,)
            Which patterns to make them of.
        """

        def made(pairs: torch.Tensor) -> tuple:
            return _made(pairs, self.patterns, options)

        frame, noisy, first = self.patterns.frame.numel(), self.patterns.noisy(), numbers.start
        while first < numbers.stop and len(todo := (self.results.wanted() & among).nonzero()[:, 0]):
            # Noise leaves no residual that would end a pattern's starts early. Without noise the first start may do.
            busy = max(1, self.threads // len(split(todo, frame, 0)))
            at_once = len(numbers) if self.results.every or noisy[todo].all() else busy
            numbered = torch.arange(first, min(first + at_once, numbers.stop), device=todo.device)
            pairs = torch.cartesian_prod(numbered, todo).flip(-1)
            for batch in self.go(made, split(pairs, frame, self.threads)):
                self.results.add(*batch)
                self.bar.update(len(batch[0]))
                del batch  # volumes of it would be held beside the next
            first += at_once

    def bring_together(self, options: Options, among: torch.Tensor, effort: Effort) -> None:
        """Let the best starts of these patterns, (patterns,), go on together."""
        noisy, frame = self.patterns.noisy(), self.patterns.frame.numel()

        def together(part: torch.Tensor) -> tuple[torch.Tensor, Consensus]:
            which = slice(int(part[0]), int(part[0]) + 1) if len(part) == 1 else part  # one is looked at, not copied
            group = self.results.objects[which], self.results.support[which]
            return part, bring_together(*group, self.patterns[part], options, effort)

        if self.results.objects.shape[1] > 1:
            for alike in (among & noisy, among & ~noisy):  # only where the noise is known is there a likelihood
                if alike.any():
                    for found in self.go(together, split(alike.nonzero()[:, 0], frame, self.threads)):
                        self.results.replace(*found)

    def believe(self, among: torch.Tensor) -> None:
        """Want no more starts of patterns, (patterns,), of which more than one found what is beyond doubt."""
        which = among.nonzero()[:, 0]
        deviance, _, believed = self.results.judge(self.patterns, which, self.results.agreement(which))
        several = self.results.rank[which].isfinite().sum(-1) > 1
        self.results.believed[which] = believed & several & (deviance <= judging.CERTAIN[self.patterns.dims])


def _made(pairs: torch.Tensor, patterns: Patterns, options: Options) -> tuple:
    """Make starts, (batch, 2): (number of the pattern, of the start), as `Results.add` takes them."""
    numbers, numbered = pairs.T
    part = patterns[numbers]
    run = begin(part, options, numbered)
    threshold = run.threshold
    for _ in run.iterate_all():
        pass
    run.finish()
    pixels = run.supports.flatten(1).sum(1)
    found = judging.deviances(run.objects, pixels, part)
    return numbers, numbered, run, (run.residual, run.rank, pixels, run.iterations, threshold, *found)
