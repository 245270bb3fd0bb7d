"""Iterations, some at a time: a loop on a CPU, one launch on a GPU."""

from functools import partial

import torch

from farfield.iterative.algorithms import ALGORITHMS
from farfield.iterative.projections import Carried, Project, Relaxation, project_modulus
from farfield.machine.graphs import Captured
from farfield.machine.passes import project_and_relax

AT_ONCE = 10
"""Most iterations of a launch: a capture takes as long as making them once, launch by launch."""

WARM_UP = 2
"""Calls before a capture: the first may compile."""

Found = tuple[torch.Tensor, torch.Tensor]
"""The next iterate, and the last modulus projection."""


class Iterations:
    """Iterations of patterns that stay the same, and as many.

    Parameters
    ----------
    beta : float
    values : {"complex", "real", "positive"}
        What an object's pixels may be.
    """

    def __init__(self, beta: float | int, values: str):
        self.beta, self.values = float(beta), values
        self.captured: dict[tuple[str, int], Captured] = {}

    def __call__(self, algorithm: str, count: int, carried: Carried, *tensors: torch.Tensor) -> Found:
        """Make some.

        Parameters
        ----------
        algorithm : str
            A key of `ALGORITHMS`.
        count : int
        carried : dict
            What the step's iterations before these left.
        *tensors
            Iterate, support, amplitude and, if some pixels were not measured, where; (batch, *frame), DC first.

        Returns
        -------
        tuple of torch.Tensor, complex64, shape (batch, *frame)
            Overwritten, on a GPU, by the next call.
        """
        key, name = (algorithm, count), f"{count} iterations of {algorithm}"
        go = partial(_go, *key, self.beta, self.values, carried)  # not a method: a GPU's memory would wait for cycles
        captured = self.captured.get(key) or Captured(go, WARM_UP, name)
        found = captured(*tensors)
        if not carried:  # what is carried begins anew in each step, somewhere else in memory
            self.captured[key] = captured
        return found


def _go(
    algorithm: str,
    count: int,
    beta: float,
    values: str,
    carried: Carried,
    iterate: torch.Tensor,
    *constraints: torch.Tensor,
) -> Found:
    step, dims = ALGORITHMS[algorithm], iterate.ndim - 1
    if isinstance(step, Relaxation) and values == "complex" and iterate.is_cpu:
        return project_and_relax(count, *step.mix(beta), iterate, *constraints, dims=dims)
    project, allowed = _constrain(values, dims, *constraints)
    for _ in range(count):
        iterate, image = step(iterate, project, allowed, beta, carried)
    return iterate, image


def _constrain(
    values: str, dims: int, support: torch.Tensor, amplitude: torch.Tensor, free: torch.Tensor | None = None
) -> tuple[Project, torch.Tensor]:
    """Make the modulus projection, and the pixels where objects may be.

    Positive objects may be where their last projection is above zero: it changes with each.
    """
    project = partial(project_modulus, amplitude=amplitude, free=free, dims=dims)
    if values == "complex":
        return project, support
    allowed = support.clone()

    def project_real(iterate: torch.Tensor) -> torch.Tensor:
        real = project(iterate).real
        if values == "positive":
            torch.logical_and(support, real > 0, out=allowed)
        return torch.complex(real, torch.zeros_like(real))

    return project_real, allowed
