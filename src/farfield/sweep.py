"""A small sweep over settings of a training: which does best on the validation set."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from farfield import rendering
from farfield.rendering import Block

COLUMNS = ["method", "variant", "samples", "seeds", "epochs", "best", "best_sd", "final", "samples_per_second"]


def summarise(histories: Iterable[str | Path], validation: xr.Dataset) -> pd.DataFrame:
    """Reduce histories to one line for each network and variant, the best first.

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
    energy = float((np.abs(validation.object) ** 2).mean())
    rows = []
    for path in map(Path, histories):
        variant, network, _, size, _ = path.parts[-6:-1]
        history = pd.read_csv(path)
        score = history["validation_sa_mse"] / energy
        run = {"epochs": len(history), "best": score.min(), "final": score.iloc[-1]}
        speed = history["samples_per_second"].median()
        rows.append({"method": network, "variant": variant, "samples": int(size[1:]), **run, "speed": speed})
    groups = pd.DataFrame(rows).groupby(["method", "variant", "samples"], sort=False)
    found = groups.agg(
        seeds=("best", "size"),
        epochs=("epochs", "mean"),
        best_sd=("best", "std"),
        best=("best", "mean"),
        final=("final", "mean"),
        samples_per_second=("speed", "mean"),
    ).reset_index()
    order = {name: place for place, name in enumerate(found["method"].unique())}
    return found.sort_values(["method", "best"], key=lambda x: x.map(order) if x.name == "method" else x)[COLUMNS]


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


def write(
    frame: pd.DataFrame,
    variants: Mapping[str, Mapping[str, Any]],
    csv: str | Path,
    markdown: str | Path,
    latex: str | Path,
) -> None:
    """Write the table in all its forms, each file whole or not at all.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `summarise`.
    variants : mapping
        What each variant changes.
    csv, markdown, latex : str or Path
        Files to make.
    """
    samples, seeds = frame["samples"].iloc[0], frame["seeds"].iloc[0]
    caption = (
        f"Validation SA-MSE relative to predicting zero, after breaking, n = {samples}, {seeds} seed"
        f"{'s' if seeds > 1 else ''}. Each variant changes what it names and nothing else."
    )
    blocks = [_block(str(name), part, variants) for name, part in frame.groupby("method", sort=False)]
    text = rendering.markdown(f"**Sweep.** {caption}", blocks)
    rendering.write(frame, text, rendering.latex(caption, "tab:sweep", blocks), (csv, markdown, latex))
