"""How far an output is from what is known of its object, its label or its pattern: relative, one value per sample."""

from typing import NamedTuple

import torch
from jaxtyping import Complex, Float

from farfield.machine.shapes import TINY_FLOAT32
from farfield.symmetry.actions import align


class Seen(NamedTuple):
    """What a misfit may compare.

    Attributes
    ----------
    output, label : torch.Tensor, complex64, shape (batch, N, N)
        What the network made, and what the training set holds.
    field, amplitude : torch.Tensor, float32, shape (batch, M, M)
        |F(output)| and the pattern's √Y, DC in pixel (0, 0), by the unitary transform of the zero-padded objects.
        Of a low-passed objective, √Y is the target that a blurred object has. In the near field, what both amplitudes
        have above 1, that of no object.
    """

    output: Complex[torch.Tensor, "batch n n"]
    label: Complex[torch.Tensor, "batch n n"]
    field: Float[torch.Tensor, "batch m m"]
    amplitude: Float[torch.Tensor, "batch m m"]


def _energy(x: torch.Tensor) -> torch.Tensor:
    return x.abs().square().sum((-2, -1))


def amplitude(seen: Seen) -> torch.Tensor:
    """‖|F g| - √Y‖² / ‖√Y‖²: unlike one of intensities, it is not decided by the few brightest pixels."""
    misfit = (seen.field - seen.amplitude).square().sum((-2, -1))
    return misfit / seen.amplitude.square().sum((-2, -1)).clamp_min(TINY_FLOAT32)


def amplitude_l1(seen: Seen) -> torch.Tensor:
    """Σ ||F g| - √Y| / Σ √Y, as AutoPhaseNN's (Yao et al., npj Comput. Mater. 8, 124, 2022)."""
    misfit = (seen.field - seen.amplitude).abs().sum((-2, -1))
    return misfit / seen.amplitude.abs().sum((-2, -1)).clamp_min(TINY_FLOAT32)


def intensity(seen: Seen) -> torch.Tensor:
    """‖|F g|² - Y‖² / ‖Y‖², as Manekar et al. write it."""
    measured = seen.amplitude.square()
    misfit = (seen.field.square() - measured).square().sum((-2, -1))
    return misfit / measured.square().sum((-2, -1)).clamp_min(TINY_FLOAT32)


def invariant(output: Complex[torch.Tensor, "batch n n"], label: Complex[torch.Tensor, "batch n n"]) -> torch.Tensor:
    """Smallest ‖A - copy of B‖² / ‖A‖² over every translation, both flips and all phases, A being the label.

    Parameters
    ----------
    output, label : torch.Tensor, complex64, shape (batch, N, N)

    Returns
    -------
    torch.Tensor, float32, shape (batch,)
        Its gradient is that of the copy that was found: which one is the nearest is locally constant.
    """
    with torch.no_grad():
        copy = align(output, label)  # the label is brought to the output, so that gradients need no translation
        energy = _energy(label)
        lost = energy - _energy(copy)  # what the output's frame has no place for
    return (_energy(output - copy) + lost) / energy.clamp_min(TINY_FLOAT32)
