"""How much a network's output changes with its input: the penalty that Manekar et al. put on passive training."""

from collections.abc import Callable

import torch

STEP = 0.03
"""Length of the difference, in deviations of an input: far above bfloat16's rounding, and near to linear."""


def sensitivity(
    network: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, spread: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Estimate the mean square change of an output for unit noise in its input, by one finite difference a sample.

    Parameters
    ----------
    network : callable
        From inputs to outputs (batch, 2, N, N).
    inputs : torch.Tensor, float, shape (batch, M, M)
    spread : torch.Tensor, float32, shape (M, M) or a scalar
        What counts as unit noise in each input: its deviation over the training set.

    Returns
    -------
    tuple of torch.Tensor, float32, of shapes (batch, 2, N, N) and (batch,)
        The outputs; and in the mean ‖J‖² / (2 N²), J being the Jacobian with respect to inputs in units of their
        spread.

    Notes
    -----
    The random projection of Hoffman, Roberts & Yaida (arXiv:1908.02729) has the same mean, but needs a second
    backward pass through the first; this takes one more pass forward, and its own backward.
    """
    noise = torch.randn(inputs.shape, device=inputs.device)
    with torch.random.fork_rng([inputs.device] if inputs.is_cuda else []):  # so that both passes drop the same units
        moved = network(inputs + STEP * spread * noise)
    output = network(inputs)
    return output, ((moved - output) / STEP).square().mean((1, 2, 3))
