"""What knows nothing of a pattern: floors of every table, and starts in which nothing is learned."""

from collections.abc import Callable

import torch

from farfield.iterative.guesses import blob
from farfield.machine.shapes import Estimates, Objects


def _zero(training: Objects) -> Estimates:
    return torch.zeros_like(training[0])


def _mean_object(training: Objects) -> Estimates:
    return training.mean(0)


def _box(training: Objects) -> Estimates:
    return torch.ones_like(training[0])


def _blob(training: Objects) -> Estimates:
    return blob(training.shape[-1])


PREDICTED: dict[str, Callable[[Objects], Estimates]] = {
    "zero": _zero,
    "mean-object": _mean_object,
    "box": _box,
    "blob": _blob,
}
"""What knows nothing of the pattern predicts, given a training set: floors of every table, and trivial starts."""
