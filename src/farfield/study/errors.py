"""Errors read from score stores, and what they are relative to: one definition for tables, figures and cards."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from farfield.machine import store

SOLVED = 1e-3
"""Relative SA-MSE under which an object counts as solved."""

NEAR = 1e-2
"""The same, under which it counts as nearly solved."""

CONSTANTS = ("zero", "mean-object")
"""Methods that predict one object for every pattern, in every table."""

FLOORS = ("box", "blob")
"""The same, in tables of starts: a frame filled with ones, and a Gaussian."""

STARTS = ("mean-object", "blob")
"""Starts of iterative methods in which nothing of the pattern is known."""


class Errors(NamedTuple):
    """Errors of a method on a set.

    Attributes
    ----------
    values, relative : numpy.ndarray, float64, shape (seeds, samples)
        In units of the metric, and over the mean error of predicting zero on these samples.
    each : numpy.ndarray, float64, shape (seeds, samples)
        SA-MSE of each sample over the error of predicting zero for it, which weighs dark and bright objects alike.
    seeds : list of int
    seconds, iterations : float
        For a pattern, mean over seeds.
    about : mapping
        The store's attributes: ``method``, ``kind``, ``split`` and, for what is trained, ``samples``, ``symmetry``.
    """

    values: np.ndarray
    relative: np.ndarray
    each: np.ndarray
    seeds: list[int]
    seconds: float
    iterations: float
    about: Mapping[str, Any]


def relative(error: Any, energy: Any) -> Any:
    """Divide SA-MSE by the mean energy of the pixels of its set: what predicting zero has on average."""
    return error / float(energy.mean())


def standard_error(values: np.ndarray) -> float:
    """Standard error of a mean over samples; NaN for one."""
    return values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan


def checkpoint_of(dataset: xr.Dataset, checkpoint: str = "best") -> xr.Dataset:
    """Choose a checkpoint, the best validated one if nothing else is said, or the first that a method has."""
    available = list(dataset.checkpoint.values)
    return dataset.isel(checkpoint=available.index(checkpoint) if checkpoint in available else 0)


def read(path: str | Path, *, metric: str = "sa_mse", checkpoint: str = "best", count: int | None = None) -> Errors:
    """Read the errors of one checkpoint from a score store.

    Parameters
    ----------
    path : str or Path
        A store of `scores.score`.
    metric : str
        ``sa_mse`` or ``mse``.
    checkpoint : str
        As for `checkpoint_of`.
    count : int, optional
        Of samples, the first ones.

    Returns
    -------
    Errors

    Raises
    ------
    ValueError
        If an error or energy is not finite.
    """
    scores = checkpoint_of(store.open_dataset(path), checkpoint).isel(sample=slice(count))
    values, energy = scores[metric].transpose("seed", "sample").values, scores.energy.values
    if not (np.isfinite(values).all() and np.isfinite(energy).all()):
        raise ValueError(f"{path}: expected finite scores, found NaN or infinity in {metric} or energy; redo it")
    zero = energy / 2 if metric == "mse" else energy  # which is a mean over real and imaginary parts
    each = values / np.maximum(zero, np.finfo(np.float64).tiny)
    costs = (float(scores[name].mean()) if name in scores else 0.0 for name in ("seconds", "iterations"))
    return Errors(values, relative(values, zero), each, scores.seed.values.tolist(), *costs, scores.attrs)
