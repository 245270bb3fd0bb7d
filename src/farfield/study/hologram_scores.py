"""Scores of phases that were reconstructed from holograms: up to an offset, as pictures, and by spatial frequency."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from farfield.physics.near_field import NearField, offset_removed_mse
from farfield.study import scores
from farfield.study.datasets import near_field

UNITS = {
    "sa_mse": "rad² per pixel, the offset removed",
    "psnr": "dB",
    "ssim": "1",
    "residual": "relative to that of a flat wave",
}


def spectra(phase: torch.Tensor) -> torch.Tensor:
    """Power of phases (samples, N, N) without their means, by rings of whole frequencies.

    From 1 to N // 2, (samples, rings); the corners, beyond the Nyquist frequency of an axis, are in the last.
    """
    centred = phase.double() - phase.double().mean((-2, -1), keepdim=True)
    power = torch.fft.fft2(centred, norm="ortho").abs().square().flatten(-2)
    side = phase.shape[-1]
    line = torch.fft.fftfreq(side, 1 / side)
    ring = torch.hypot(line[:, None], line).round().long().clamp_max(side // 2).flatten()
    return power.new_zeros(len(power), side // 2 + 1).index_add_(-1, ring, power)[:, 1:]


def _pictures(truth: np.ndarray, made: np.ndarray, height: float) -> tuple[float, float]:
    """PSNR and SSIM of one phase, whose offset is removed, in a range of the objects' height."""
    same = made + (truth - made).mean()
    how = {"data_range": height}
    return peak_signal_noise_ratio(truth, same, **how), structural_similarity(truth, same, **how)


def score(reconstructions: xr.Dataset, truth: xr.Dataset, near: NearField, height: float) -> xr.Dataset:
    """Score a reconstruction store of phase objects.

    Parameters
    ----------
    reconstructions : xarray.Dataset
        ``object`` (seed, checkpoint, sample, y, x) of `methods.reconstruct_all`.
    truth : xarray.Dataset
        ``object`` and ``intensity`` of the same samples, or of more: the first ones count.
    near : NearField
    height : float
        Of the objects, in radians: the range of PSNR and SSIM.

    Returns
    -------
    xarray.Dataset
        ``sa_mse`` (up to the offset, which is what a hologram does not tell), ``psnr``, ``ssim``, ``residual``
        (seed, checkpoint, sample), ``spectrum`` of the error (…, sample, ring) with ``power``, that of the truth
        (sample, ring), as `spectra`; ``energy`` (sample), what a flat wave scores as SA-MSE; and the costs.
    """
    count = reconstructions.sizes["sample"]
    objects = torch.from_numpy(truth.object[:count].values)
    amplitude = torch.from_numpy(truth.intensity[:count].values).sqrt()
    grid = reconstructions.object.transpose("seed", "checkpoint", "sample", "y", "x").values
    rows: dict[str, list[np.ndarray]] = {name: [] for name in (*UNITS, "spectrum")}
    for estimate in map(torch.from_numpy, grid.reshape(-1, *grid.shape[2:])):
        pairs = zip(objects.real.numpy(), estimate.real.numpy(), strict=True)
        seen = near.measure(estimate).sqrt()
        misfit = (seen - amplitude).square().sum((-2, -1)) / (amplitude - 1).square().sum((-2, -1))
        psnr, ssim = np.array([_pictures(*pair, height) for pair in pairs]).T
        found = (offset_removed_mse(objects, estimate).numpy(), psnr, ssim, misfit.numpy())
        for name, values in zip(rows, (*found, spectra(objects.real - estimate.real).numpy()), strict=True):
            rows[name].append(values)
    flat = offset_removed_mse(objects, torch.zeros_like(objects)).numpy()
    found = scores.dataset(rows, UNITS, flat, reconstructions)
    spectrum = np.reshape(rows["spectrum"], (found.sizes["seed"], found.sizes["checkpoint"], count, -1))
    return found.assign(
        spectrum=((*found.sa_mse.dims, "ring"), spectrum, {"units": "rad²"}),
        power=(("sample", "ring"), spectra(objects.real).numpy(), {"units": "rad²"}),
    )


def scorer(section: Mapping[str, Any]) -> Callable[[xr.Dataset, xr.Dataset], xr.Dataset]:
    """Choose how reconstructions of a set are scored, by the section of the config that it came from."""
    near = near_field(section)
    return partial(score, near=near, height=section["height"]) if near else scores.score
