"""Sets of crystals as datasets: objects with their patterns, with noise, and apart from each other."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy.spatial import KDTree

from farfield.machine.shapes import Objects
from farfield.physics.diffraction import measure, photon_noise
from farfield.physics.near_field import NearField

SAME = 1e-4
"""Largest difference of two patterns, relative to their maximum, under which they count as one."""


def near_field(section: Mapping[str, Any]) -> NearField | None:
    """How the holograms of a set are taken, by the section of the config that it came from; None in the far field."""
    return NearField(**section["near_field"]) if "near_field" in section else None


def from_objects(objects: Objects, oversampling: int) -> xr.Dataset:
    """Put objects and their noise-free patterns into a dataset.

    Parameters
    ----------
    objects : torch.Tensor, complex64, shape (samples, N, N)
    oversampling : int

    Returns
    -------
    xarray.Dataset
        ``object`` (sample, y, x) and ``intensity`` (sample, ky, kx).
    """
    return xr.Dataset(
        {
            "object": (
                ("sample", "y", "x"),
                objects.numpy(),
                {"units": "1", "long_name": "complex object", "origin": "pixel N // 2"},
            ),
            "intensity": (
                ("sample", "ky", "kx"),
                measure(objects, oversampling).numpy(),
                {"units": "1", "long_name": "far-field intensity |F|²", "origin": "DC at pixel M // 2"},
            ),
        }
    )


def add_noise(dataset: xr.Dataset, patterns: int, photons: float, seed: int) -> xr.Dataset:
    """Give the first patterns of a dataset the noise of a finite exposure.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of `from_objects`.
    patterns : int
        How many of its samples to take.
    photons : float
        Expected in each pattern.
    seed : int

    Returns
    -------
    xarray.Dataset
    """
    some = dataset.isel(sample=slice(patterns)).load()
    noisy = photon_noise(torch.from_numpy(some.intensity.values), photons, seed)
    return some.assign(intensity=some.intensity.copy(data=noisy.numpy()))


def _signatures(dataset: xr.Dataset) -> np.ndarray:
    """A few low frequencies of every pattern, relative to its DC's neighbourhood; copies share them."""
    middle = dataset.sizes["ky"] // 2
    around = dataset.intensity[:, middle - 2 : middle + 3, middle - 2 : middle + 3].values.reshape(-1, 25)
    return around.astype(np.float64) / np.maximum(around.max(1, keepdims=True), np.finfo(np.float32).tiny)


def check_apart(sets: Mapping[str, xr.Dataset]) -> None:
    """Refuse sets that share an object, or symmetric copies of one.

    Parameters
    ----------
    sets : mapping
        Of a name to a dataset of `from_objects`. Copies are found by what no symmetry changes, their patterns.

    Raises
    ------
    ValueError
        If a pattern of one set is in another: a test on it would measure memory.
    """
    signatures = {name: _signatures(dataset) for name, dataset in sets.items()}
    for one, other in combinations(sets, 2):
        near = KDTree(signatures[one]).query_ball_point(signatures[other], 5 * SAME)
        for j, candidates in enumerate(near):
            for i in candidates:
                first, second = sets[one].intensity[i].values, sets[other].intensity[j].values
                if np.abs(first - second).max() <= SAME * first.max():
                    raise ValueError(
                        f"expected sets without symmetric copies in common, got sample {i} of {one} again as sample "
                        f"{j} of {other}; take it out, or raise image_size or crystals: fill, so that none repeats"
                    )
