"""One iteration of each algorithm, as a pure function of the iterate and its modulus projection.

Objects are complex, so the object's constraint is its support alone: no positivity.
"""

from collections.abc import Callable

import torch

TINY = 1e-30


def project_modulus(iterate: torch.Tensor, amplitude: torch.Tensor) -> torch.Tensor:
    """Give the iterate's far field the measured amplitudes, keeping its phases.

    Parameters
    ----------
    iterate : torch.Tensor, complex, shape (…, M, M)
    amplitude : torch.Tensor, float, shape (…, M, M)
        Square root of the intensity, in unshifted FFT order.

    Returns
    -------
    torch.Tensor, complex, shape (…, M, M)
    """
    field = torch.fft.fft2(iterate)
    power = field.real.square().addcmul_(field.imag, field.imag)
    return torch.fft.ifft2(field * power.add_(TINY).rsqrt_().mul_(amplitude))


def error_reduction(
    iterate: torch.Tensor, projected: torch.Tensor, support: torch.Tensor, beta: float
) -> torch.Tensor:
    """ER (Gerchberg & Saxton 1972; Fienup 1982): set everything outside of the support to zero."""
    return projected * support


def hybrid_input_output(
    iterate: torch.Tensor, projected: torch.Tensor, support: torch.Tensor, beta: float
) -> torch.Tensor:
    """HIO (Fienup 1982): outside of the support, feed back the iterate less β times the projection."""
    return torch.where(support, projected, torch.sub(iterate, projected, alpha=beta))


def relaxed_averaged_alternating_reflections(
    iterate: torch.Tensor, projected: torch.Tensor, support: torch.Tensor, beta: float
) -> torch.Tensor:
    """RAAR (Luke 2005): β/2 (R_S R_M + 1) + (1 - β) P_M, written out for a support constraint."""
    return torch.where(support, projected, beta * iterate + (1 - 2 * beta) * projected)


ALGORITHMS: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], torch.Tensor]] = {
    "ER": error_reduction,
    "HIO": hybrid_input_output,
    "RAAR": relaxed_averaged_alternating_reflections,
}
"""Every algorithm by the name that recipes use: (iterate, projected, support, beta) → next iterate."""
