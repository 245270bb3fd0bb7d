"""Errors of phases by spatial frequency: low, high, and ring by ring."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from farfield.machine import store
from farfield.study import errors

LOW = 1 / 4
"""Of the Nyquist frequency: under it frequencies count as low."""

RING_COLUMNS = ["method", "symmetry", "frequency", "power", "error"]


def name(about: Mapping[str, Any] | pd.Series) -> str:
    """What a method is called, by its store's attributes or its line of a table: networks by what they learn from."""
    return about["symmetry"] if about["kind"] == "network" else about["method"]


def _summed(scores: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Power of the error, mean over seeds, and of the truth, by rings: over all samples."""
    return scores.spectrum.mean("seed").sum("sample").values, scores.power.sum("sample").values


def band_errors(scores: xr.Dataset) -> tuple[float, float]:
    """Σ|F(A - B)|² / Σ|F(A)|² under and above `LOW`, over samples and seeds, without the zero frequency.

    Parameters
    ----------
    scores : xarray.Dataset
        One checkpoint of `hologram_scores.score`.
    """
    rings = scores.sizes["ring"]
    low = 1 + np.arange(rings) < LOW * rings
    wrong, there = _summed(scores)
    return wrong[low].sum() / there[low].sum(), wrong[~low].sum() / there[~low].sum()


def rings(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Tell each method's error frequency by frequency, on the samples that all have.

    Parameters
    ----------
    paths : iterable of str or Path
        Stores of `hologram_scores.score`, of every method on one set.

    Returns
    -------
    pandas.DataFrame
        ``method``, ``symmetry``, ``frequency`` in units of Nyquist's, ``power``, the share of the objects', and
        ``error``, over what is there.
    """
    stores = [errors.checkpoint_of(store.open_dataset(path)).load() for path in paths]
    count, parts = min(x.sizes["sample"] for x in stores), []
    for scores in (x.isel(sample=slice(count)) for x in stores):
        wrong, there = _summed(scores)
        line = {"method": scores.attrs["method"], "symmetry": scores.attrs.get("symmetry")}
        frequency = (1 + np.arange(len(there))) / len(there)
        found = {"frequency": frequency, "power": there / there.sum(), "error": wrong / there}
        parts.append(pd.DataFrame({**line, **found}))
    return pd.concat(parts, ignore_index=True)[RING_COLUMNS]
