"""PnP-HIO: iterations of HIO with a denoiser after each few, of less and less noise.

As of Işıl & Oktem, Appl. Opt. (2025); details are ours, the paper's text not being at hand.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from farfield.iterative.denoised import Denoise, Denoised, check_asked, in_batches
from farfield.iterative.iterations import Iterations
from farfield.machine.shapes import Intensity, Objects
from farfield.symmetry.phases import fix_phase, images_of, objects_of

LEVELS = (40, 5)
"""Noise that the denoiser is told of in the first round and in the last, of 255: it falls by as much in each."""

ROUNDS, ITERATIONS, BETA = 200, 5, 0.9
"""Of the denoiser; of HIO before each; feedback."""


def pnp_hio(
    intensity: Intensity,
    start: Objects,
    denoise: Denoise,
    *,
    values: str,
    levels: Sequence[float | int] = LEVELS,
    rounds: int = ROUNDS,
    iterations: int = ITERATIONS,
    beta: float | int = BETA,
) -> Denoised:
    """Reconstruct objects of magnitudes up to 1, of which a denoiser tells what they look like.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (batch, M, M)
        DC in the centre, in the units of `measure`.
    start : torch.Tensor, complex, shape (batch, N, N)
        What another method made; the frame, N ≤ M / 2, is the support. Their global phase is fixed first.
    denoise : callable
    values : {"complex", "real", "positive"}
        What HIO lets an object's pixels be. Real and imaginary parts of complex ones are denoised as images of their
        own.
    levels : sequence of two float
        The first and the last.
    rounds, iterations : int
        Denoisings, and iterations of HIO before each.
    beta : float

    Returns
    -------
    Denoised

    Raises
    ------
    ValueError
        If patterns and start are of different number or too close in size, or a number is out of range.
    """
    check_asked(intensity, start, values, levels, rounds=rounds, iterations=iterations)
    if len(levels) != 2 or not min(levels) > 0 or not 0 < beta <= 1:
        raise ValueError(
            f"expected the first and the last of levels, both above 0, and beta above 0 and at most 1, got "
            f"{tuple(levels)} and {beta!r}; {LEVELS} and {BETA} are usual"
        )
    every = np.geomspace(*levels, rounds).tolist()  # its ends are those to the bit, which denoisers have limits of
    how = {"values": values, "levels": every, "iterations": iterations, "beta": beta}
    return in_batches(partial(_of_batch, denoise=denoise, **how), intensity, start)


def _of_batch(
    intensity: torch.Tensor,
    start: torch.Tensor,
    denoise: Denoise,
    values: str,
    levels: Sequence[float],
    iterations: int,
    beta: float | int,
) -> Denoised:
    """Where an object lies in the pattern's frame changes no modulus, so it lies in the first pixels."""
    size, make = start.shape[-1], Iterations(beta, values)
    amplitude = torch.fft.ifftshift(intensity, dim=(-2, -1)).sqrt().float()
    iterate = torch.zeros_like(amplitude, dtype=torch.complex64)
    objects = fix_phase(start)
    objects = objects if values == "complex" else objects.real.to(torch.complex64)
    support = torch.zeros_like(amplitude, dtype=torch.bool)
    support[:, :size, :size] = True
    for level in levels:
        iterate[:, :size, :size] = objects
        iterate, image = make("HIO", iterations, {}, iterate, support, amplitude)
        objects = _cleaned(image[:, :size, :size], denoise, level, values)
    made = torch.full((len(objects),), len(levels) * iterations, device=objects.device)
    return Denoised(objects, made)


def _cleaned(objects: torch.Tensor, denoise: Denoise, level: float | int, values: str) -> torch.Tensor:
    """Denoise objects, (batch, N, N), by their parts."""
    return objects_of(denoise(images_of(objects, values).contiguous().float(), level), len(objects))
