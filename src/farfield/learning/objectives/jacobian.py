"""How much a network's output changes with its input: the penalty that Manekar et al. put on passive training."""

from collections.abc import Callable

import torch

STEP = 0.03
"""Length of the difference, in deviations of an input: far above bfloat16's rounding, and near to linear."""


def sensitivity(
    network: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, output: torch.Tensor, spread: torch.Tensor
) -> torch.Tensor:
    """Estimate the mean square change of an output for unit noise in its input, by one finite difference a sample.

    Parameters
    ----------
    network : callable
        From inputs to outputs (batch, 2, N, N).
    inputs : torch.Tensor, float, shape (batch, M, M)
    output : torch.Tensor, float32, shape (batch, 2, N, N)
        Of these inputs.
    spread : torch.Tensor, float32, shape (M, M) or a scalar
        What counts as unit noise in each input: its deviation over the training set.

    Returns
    -------
    torch.Tensor, float32, shape (batch,)
        In the mean ‖J‖² / (2 N²), J being the Jacobian with respect to inputs in units of their spread.

    Notes
    -----
    The random projection of Hoffman, Roberts & Yaida (arXiv:1908.02729) has the same mean, but needs a second
    backward pass through the first; this takes one more pass forward, and its own backward.
    """
    noise = torch.randn(inputs.shape, device=inputs.device)
    moved = network(inputs + STEP * spread * noise)
    return ((moved - output) / STEP).square().mean((1, 2, 3))
