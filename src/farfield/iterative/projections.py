"""One iteration of each projection algorithm, a function of the iterate, the modulus projection and the support.

Objects are complex, so the object's constraint is its support alone: no positivity.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from farfield.machine.passes import give_modulus, relax

Project = Callable[[torch.Tensor], torch.Tensor]
"""A modulus projection: iterate → what has the measured amplitudes and is nearest."""

Carried = dict[str, torch.Tensor]
"""What an algorithm keeps from one iteration to the next, batch first: empty where a step of a recipe begins."""

Algorithm = Callable[[torch.Tensor, Project, torch.Tensor, float, Carried], tuple[torch.Tensor, torch.Tensor]]
"""(iterate, project, support, beta, carried) → (next iterate, the modulus projection that shows the object as it
stands); what is carried is changed in place."""


def project_modulus(
    iterate: torch.Tensor, amplitude: torch.Tensor, free: torch.Tensor | None = None, dims: int = 2
) -> torch.Tensor:
    """Give the iterate's far field the measured amplitudes, keeping its phases.

    Parameters
    ----------
    iterate : torch.Tensor, complex64, shape (…, M, M)
    amplitude : torch.Tensor, float32, shape (…, M, M)
        Square root of the intensity, DC first.
    free : torch.Tensor, bool, shape (…, M, M), optional
        Pixels that were not measured: the field there stays as it is.
    dims : int
        Axes of a frame, the last ones.

    Returns
    -------
    torch.Tensor, complex64, shape (…, M, M)
    """
    axes, pixels = tuple(range(-dims, 0)), iterate.shape[-dims:].numel()
    field = give_modulus(torch.fft.fftn(iterate, dim=axes), amplitude, free, 1 / pixels)
    return torch.fft.ifftn(field, dim=axes, norm="forward")


@dataclass(frozen=True)
class Relaxation:
    """An algorithm that takes the projection inside the support, and a mix outside of it.

    Attributes
    ----------
    mix : callable
        From β to the shares of the iterate and of the projection.
    """

    mix: Callable[[float], tuple[float, float]]

    def __call__(
        self, iterate: torch.Tensor, project: Project, support: torch.Tensor, beta: float, carried: Carried
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Make one iteration."""
        projected = project(iterate)
        return relax(iterate, projected, support, *self.mix(beta)), projected


error_reduction = Relaxation(lambda beta: (0.0, 0.0))
"""ER (Gerchberg & Saxton 1972; Fienup 1982): set everything outside of the support to zero."""

hybrid_input_output = Relaxation(lambda beta: (1.0, -beta))
"""HIO (Fienup 1982): outside of the support, feed back the iterate less β times the projection."""

relaxed_averaged_alternating_reflections = Relaxation(lambda beta: (beta, 1 - 2 * beta))
"""RAAR (Luke 2005): β/2 (R_S R_M + 1) + (1 - β) P_M, written out for a support constraint."""


def difference_map(
    iterate: torch.Tensor, project: Project, support: torch.Tensor, beta: float, carried: Carried
) -> tuple[torch.Tensor, torch.Tensor]:
    """DM (Elser 2003): x + β [P_S f_M - P_M f_S], with f_M = (1 + 1/β) P_M - 1/β and f_S = (1 - 1/β) P_S + 1/β.

    At β = 1 it is HIO at β = 1, for a support constraint; elsewhere it projects twice an iteration.
    """
    shown = project(relax(iterate, iterate, support, 1 / beta, 0.0))
    inside = project(iterate).mul_(1 + beta)
    return relax(iterate, inside, support, 1.0, 0.0).sub_(shown, alpha=beta), shown
