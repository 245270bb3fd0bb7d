"""prDeep: amplitudes and a denoiser balanced by the noise, "regularisation by denoising" (RED).

Metzler, Schniter, Veeraraghavan & Baraniuk, "prDeep: Robust phase retrieval with a flexible deep network", ICML 2018:
minimise ‖y - |A x|‖² / 2σ_w² + λ/2 · xᵀ(x - D_σ(x)), with x on 0 to 255 and A a unitary transform over the
oversampling. A denoiser's Jacobian is hardly symmetric, so that this is a fixed point rather than a minimum.
"""

from collections.abc import Sequence
from functools import partial

import torch

from farfield.iterative.denoised import Denoise, Denoised, check_asked, in_batches
from farfield.iterative.fasta import Problem, minimise
from farfield.machine.passes import LEAST_POWER
from farfield.machine.shapes import Intensity, Objects
from farfield.physics.noise import photons
from farfield.symmetry.phases import fix_phase, images_of

GREYS = 255
"""What a magnitude of 1 is in the units of the source."""

LEVELS = (50, 40, 20, 10)
"""Noise that the denoiser is told of, of 255, one call of FASTA after another: the source's."""

ITERATIONS = 200
"""Of each call, at most: the source's."""

FLOOR = 0.5
"""Least σ_w: without noise the source's divides by zero. Half a grey value is the deviation of photons at α = 1."""


def prdeep(
    intensity: Intensity,
    start: Objects,
    denoise: Denoise,
    *,
    values: str,
    levels: Sequence[float | int] = LEVELS,
    iterations: int = ITERATIONS,
    weight: float | int = 1.0,
    floor: float | int = FLOOR,
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
        What objects are. Real and imaginary parts of complex ones are denoised as images of their own; that an object
        is not negative is left to the denoiser.
    levels : sequence of float
        Each begins where the one before ended.
    iterations : int
        Of each level, at most.
    weight : float
        λ.
    floor : float
        Of σ_w, which is else the deviation of photons' amplitudes, ½ √(intensity of one photon), on the scale of y.

    Returns
    -------
    Denoised

    Raises
    ------
    ValueError
        If patterns and start are of different number or too close in size, or a number is out of range.
    """
    check_asked(intensity, start, values, levels, iterations=iterations)
    if not weight > 0 or not floor > 0:
        raise ValueError(f"expected weight and floor above 0, got {weight!r} and {floor!r}; the source's weight is 1")
    how = {"values": values, "levels": levels, "iterations": iterations, "weight": weight, "floor": floor}
    return in_batches(partial(_of_batch, denoise=denoise, **how), intensity, start)


def _of_batch(
    intensity: torch.Tensor,
    start: torch.Tensor,
    denoise: Denoise,
    values: str,
    levels: Sequence[float | int],
    iterations: int,
    weight: float | int,
    floor: float | int,
) -> Denoised:
    side, size = intensity.shape[-1], start.shape[-1]
    scale = GREYS * size / side**2  # of amplitudes: a unitary transform's, over the oversampling
    amplitude = scale * torch.fft.ifftshift(intensity.double(), dim=(-2, -1)).sqrt()
    quantum = photons(intensity).double().nan_to_num(0)
    sigma = (scale / 2 * quantum.sqrt()).clamp_min(floor)[:, None]
    points = GREYS * _points(fix_phase(start), values)
    made = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    smooth = partial(_misfit, amplitude=amplitude, sigma=sigma, values=values, size=size, scale=scale / GREYS)
    for level in levels:
        proximal = partial(_regularise, denoise=denoise, level=level, weight=weight, size=size)
        points, count = minimise(Problem(smooth, proximal), points, iterations)
        made += count
    return Denoised((_objects(points, size) / GREYS).to(torch.complex64), made)


def _points(objects: torch.Tensor, values: str) -> torch.Tensor:
    """Unknowns of objects, (batch, parts · N²) double precision: real parts and, of complex ones, imaginary ones."""
    parts = images_of(objects, values).double()
    return torch.cat(parts.flatten(1).split(len(objects)), 1)


def _objects(points: torch.Tensor, size: int) -> torch.Tensor:
    """Objects (batch, N, N), complex, of unknowns."""
    parts = points.unflatten(1, (-1, size, size))
    return torch.complex(parts[:, 0], parts[:, 1] if parts.shape[1] > 1 else torch.zeros_like(parts[:, 0]))


def _misfit(
    points: torch.Tensor,
    numbers: torch.Tensor,
    amplitude: torch.Tensor,
    sigma: torch.Tensor,
    values: str,
    size: int,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """‖y - |A x|‖² / 2σ_w², (some, 1), and its gradient.

    Where an object lies in the pattern's frame changes no modulus, so it lies in the first pixels.
    """
    side, measured, least = amplitude.shape[-1], amplitude[numbers], sigma[numbers] ** -2
    field = scale * torch.fft.fft2(_objects(points, size), s=(side, side))
    modulus = field.abs()
    short = measured - modulus
    value = least / 2 * short.square().flatten(1).sum(1, keepdim=True)
    pulled = torch.fft.ifft2(field * (-short / (modulus + LEAST_POWER)), norm="forward")[:, :size, :size]
    gradient = least * scale * _points(pulled, values)
    return value, gradient


def _regularise(
    points: torch.Tensor,
    step: torch.Tensor,
    numbers: torch.Tensor,
    denoise: Denoise,
    level: float | int,
    weight: float | int,
    size: int,
) -> torch.Tensor:
    """One step towards the proximal point of RED, the source's: (x + tλ D(x)) / (1 + tλ)."""
    images = points.reshape(-1, size, size)
    cleaned = GREYS * denoise((images / GREYS).float(), level).double().view_as(points)
    return (points + weight * step * cleaned) / (1 + weight * step)
