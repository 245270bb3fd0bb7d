"""One iteration of each projection algorithm, a function of the iterate, the modulus projection and the support.

Objects are complex, so the object's constraint is its support alone: no positivity.
"""

from collections.abc import Callable

import torch

from farfield.machine.passes import give_modulus, relax

Project = Callable[[torch.Tensor], torch.Tensor]
"""A modulus projection: iterate → what has the measured amplitudes and is nearest."""

Carried = dict[str, torch.Tensor]
"""What an algorithm keeps from one iteration to the next, batch first: empty where a step of a recipe begins."""

Algorithm = Callable[[torch.Tensor, Project, torch.Tensor, float, Carried], tuple[torch.Tensor, torch.Tensor]]
"""(iterate, project, support, beta, carried) → (next iterate, the modulus projection that shows the object as it
stands); what is carried is changed in place."""


def project_modulus(iterate: torch.Tensor, amplitude: torch.Tensor, free: torch.Tensor | None = None) -> torch.Tensor:
    """Give the iterate's far field the measured amplitudes, keeping its phases.

    Parameters
    ----------
    iterate : torch.Tensor, complex64, shape (…, M, M)
    amplitude : torch.Tensor, float32, shape (…, M, M)
        Square root of the intensity, DC first.
    free : torch.Tensor, bool, shape (…, M, M), optional
        Pixels that were not measured: the field there stays as it is.

    Returns
    -------
    torch.Tensor, complex64, shape (…, M, M)
    """
    field = give_modulus(torch.fft.fft2(iterate), amplitude, free, 1 / (iterate.shape[-2] * iterate.shape[-1]))
    return torch.fft.ifft2(field, norm="forward")


def error_reduction(
    iterate: torch.Tensor, project: Project, support: torch.Tensor, beta: float, carried: Carried
) -> tuple[torch.Tensor, torch.Tensor]:
    """ER (Gerchberg & Saxton 1972; Fienup 1982): set everything outside of the support to zero."""
    projected = project(iterate)
    return relax(iterate, projected, support, 0.0, 0.0), projected


def hybrid_input_output(
    iterate: torch.Tensor, project: Project, support: torch.Tensor, beta: float, carried: Carried
) -> tuple[torch.Tensor, torch.Tensor]:
    """HIO (Fienup 1982): outside of the support, feed back the iterate less β times the projection."""
    projected = project(iterate)
    return relax(iterate, projected, support, 1.0, -beta), projected


def relaxed_averaged_alternating_reflections(
    iterate: torch.Tensor, project: Project, support: torch.Tensor, beta: float, carried: Carried
) -> tuple[torch.Tensor, torch.Tensor]:
    """RAAR (Luke 2005): β/2 (R_S R_M + 1) + (1 - β) P_M, written out for a support constraint."""
    projected = project(iterate)
    return relax(iterate, projected, support, beta, 1 - 2 * beta), projected


def difference_map(
    iterate: torch.Tensor, project: Project, support: torch.Tensor, beta: float, carried: Carried
) -> tuple[torch.Tensor, torch.Tensor]:
    """DM (Elser 2003): x + β [P_S f_M - P_M f_S], with f_M = (1 + 1/β) P_M - 1/β and f_S = (1 - 1/β) P_S + 1/β.

    At β = 1 it is HIO at β = 1, for a support constraint; elsewhere it projects twice an iteration.
    """
    shown = project(relax(iterate, iterate, support, 1 / beta, 0.0))
    inside = project(iterate).mul_(1 + beta)
    return relax(iterate, inside, support, 1.0, 0.0).sub_(shown, alpha=beta), shown
