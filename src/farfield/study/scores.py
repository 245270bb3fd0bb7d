"""Per-sample scores of reconstructions against the truth, of every method by the same rule."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from farfield.machine.shapes import Estimates, Objects
from farfield.study import methods
from farfield.study.floors import PREDICTED
from farfield.symmetry import metrics

UNITS = {
    "mse": "squared amplitude, per real or imaginary part of a pixel",
    "sa_mse": "squared amplitude per complex pixel",
    "magnitude_error": "relative",
    "fourier_residual": "relative",
}


CHUNK = 64
"""Samples scored at a time: temporaries that stay in cache, where whole sets would be paged in anew."""


def _score(truth: Objects, intensity: torch.Tensor, estimate: Estimates, aligned: bool) -> dict[str, torch.Tensor]:
    compared = metrics.compare(truth, estimate)
    return {
        "mse": metrics.mse(truth, compared.aligned if aligned else estimate),
        "sa_mse": compared.sa_mse,
        "magnitude_error": compared.magnitude_error,
        "fourier_residual": metrics.fourier_residual(intensity, estimate),
    }


def score(reconstructions: xr.Dataset, truth: xr.Dataset) -> xr.Dataset:
    """Score a reconstruction store.

    Parameters
    ----------
    reconstructions : xarray.Dataset
        ``object`` (seed, checkpoint, sample, y, x) of `methods.reconstruct_all`.
    truth : xarray.Dataset
        ``object`` and ``intensity`` of the same samples, or of more: the first ones count.

    Returns
    -------
    xarray.Dataset
        ``mse``, ``sa_mse``, ``magnitude_error``, ``fourier_residual`` (seed, checkpoint, sample); ``energy``
        (sample), what predicting zero scores as SA-MSE; ``seconds`` and, if there are any, ``iterations`` as they
        were.

    Notes
    -----
    An iterative method knows no convention for position, flip and phase, so its MSE is taken after alignment.
    """
    count = reconstructions.sizes["sample"]
    objects = torch.from_numpy(truth.object[:count].values)
    intensity = torch.from_numpy(truth.intensity[:count].values)
    aligned = reconstructions.attrs["kind"] == "iterative"
    rows: dict[str, list[np.ndarray]] = {name: [] for name in UNITS}
    grid = reconstructions.object.stack(variant=("seed", "checkpoint")).transpose("variant", "sample", "y", "x")
    for variant in grid.values:
        chunks = zip(*(x.split(CHUNK) for x in (objects, intensity, torch.from_numpy(variant))), strict=True)
        parts = [_score(*chunk, aligned) for chunk in chunks]
        for name, values in rows.items():
            values.append(torch.cat([part[name] for part in parts]).numpy())
    energy = objects.abs().double().square().mean((-2, -1)).numpy()
    return dataset(rows, UNITS, energy, reconstructions)


def dataset(
    rows: Mapping[str, Sequence[np.ndarray]], units: Mapping[str, str], energy: np.ndarray, like: xr.Dataset
) -> xr.Dataset:
    """Label scores of each reconstruction of a store.

    Parameters
    ----------
    rows : mapping
        Of a score to its values (samples, …) for every seed and checkpoint, the latter being the inner loop.
    units : mapping
        Of the scores that are one number a sample.
    energy : numpy.ndarray, float64, shape (samples,)
        What predicting nothing scores as SA-MSE.
    like : xarray.Dataset
        The store: its seeds, checkpoints, attributes and costs.

    Returns
    -------
    xarray.Dataset
        Scores (seed, checkpoint, sample), ``energy`` (sample), and ``seconds`` and ``iterations`` as they were.
    """
    grid = like.sizes["seed"], like.sizes["checkpoint"]
    found: dict[str, Any] = {
        name: (("seed", "checkpoint", "sample"), np.reshape(rows[name], (*grid, -1)), {"units": unit})
        for name, unit in units.items()
    }
    found["energy"] = (("sample",), energy, {"units": units["sa_mse"]})
    costs = {name: like[name] for name in methods.UNITS if name in like}
    return xr.Dataset(found, coords=like.coords, attrs=like.attrs).assign(costs)


def score_constant(name: str, training: xr.Dataset, truth: xr.Dataset, attributes: dict) -> xr.Dataset:
    """Score the method that predicts one and the same object for every pattern.

    Parameters
    ----------
    name : str
        A key of `floors.PREDICTED`.
    training : xarray.Dataset
        Training set, ``object`` (sample, y, x), that decides which object.
    truth : xarray.Dataset
        ``object`` and ``intensity`` to score on.
    attributes : dict
        ``split``, ``samples`` and ``symmetry``.

    Returns
    -------
    xarray.Dataset
        As `score`.
    """
    constant = PREDICTED[name](torch.from_numpy(training.object.values))
    count = truth.sizes["sample"]
    estimate = methods.dataset(constant.expand(1, 1, count, -1, -1), [0], ["final"])
    still = estimate.assign(seconds=(("seed", "checkpoint"), np.zeros((1, 1)), {"units": "s"}))
    return score(still.assign_attrs({**attributes, "method": name, "kind": "constant"}), truth)
