"""A small sweep over settings of a training: which does best on the validation set."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from farfield.study import errors, rendering
from farfield.study.rendering import Block

COLUMNS = ["method", "symmetry", "variant", "samples", "seeds", "epochs", "best", "best_sd", "final"]
COLUMNS += ["samples_per_second"]


def summarise(histories: Iterable[str | Path], validation: xr.Dataset) -> pd.DataFrame:
    """Reduce histories to one line for each network, side (before or after) and variant, the best first.

    Parameters
    ----------
    histories : iterable of str or Path
        ``…/{variant}/{network}/{symmetry}/n{samples}/seed{seed}/history.csv``.
    validation : xarray.Dataset
        ``object`` (sample, y, x), whose energy errors are relative to.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`: ``best`` and ``final``, validation SA-MSE relative to predicting zero of the best
        and the last epoch, averaged over seeds, with the deviation of ``best`` (NaN for one seed).
    """
    energy = np.abs(validation.object) ** 2
    rows = []
    for path in map(Path, histories):
        variant, network, symmetry, size, _ = path.parts[-6:-1]
        history = pd.read_csv(path)
        score = errors.relative(history["validation_sa_mse"], energy)
        run = {"epochs": len(history), "best": score.min(), "final": score.iloc[-1]}
        cell = {"method": network, "symmetry": symmetry, "variant": variant, "samples": int(size[1:])}
        rows.append({**cell, **run, "speed": history["samples_per_second"].median()})
    groups = pd.DataFrame(rows).groupby(["method", "symmetry", "variant", "samples"], sort=False)
    found = groups.agg(
        seeds=("best", "size"),
        epochs=("epochs", "mean"),
        best_sd=("best", "std"),
        best=("best", "mean"),
        final=("final", "mean"),
        samples_per_second=("speed", "mean"),
    ).reset_index()
    sides = [side for _, side in found.groupby(["method", "symmetry"], sort=False)]
    return pd.concat([side.sort_values("best", kind="stable") for side in sides], ignore_index=True)[COLUMNS]


def _changes(variant: Mapping[str, Any]) -> str:
    flat = {**variant.get("training", {}), **variant.get("network_options", {})}
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in flat.items()).replace('"', "") or "–"


def _block(name: str, frame: pd.DataFrame, variants: Mapping[str, Mapping[str, Any]]) -> Block:
    columns = ["Variant", "Changes", "Best epoch", "Last epoch", "Epochs", "Samples/s"]
    rows = [
        [
            line.variant,
            _changes(variants[line.variant]),
            f"{line.best:.3f}" + ("" if np.isnan(line.best_sd) else f" ± {line.best_sd:.3f}"),
            f"{line.final:.3f}",
            f"{line.epochs:.0f}",
            f"{line.samples_per_second:.0f}",
        ]
        for line in frame.itertuples()
    ]
    return Block(f"{name}.", [("", column) for column in columns], rows)


def table(frame: pd.DataFrame, variants: Mapping[str, Mapping[str, Any]]) -> rendering.Table:
    """Give what `summarise` found its shape, with what each variant changes."""
    samples, seeds = frame["samples"].iloc[0], frame["seeds"].iloc[0]
    best = frame.groupby(["method", "symmetry"], sort=False)["best"].min().unstack()
    if {"before", "after"} <= set(best):
        ratios = (best["after"] / best["before"]).map("{:.2f}".format)
        told = ", ".join(f"{name} {ratio}" for name, ratio in ratios.items())
        best_ratios = f" Best against best, after / before: {told}."
    else:
        best_ratios = ""
    caption = (
        f"Validation SA-MSE relative to predicting zero, n = {samples}, {seeds} seed{'s' if seeds > 1 else ''}. Each "
        f"variant changes what it names and nothing else.{best_ratios}"
    )
    sides = frame.groupby(["method", "symmetry"], sort=False)
    blocks = [_block(" ".join(map(str, name)), part, variants) for name, part in sides]
    return rendering.Table("sweep", "Sweep", caption, frame, blocks)
