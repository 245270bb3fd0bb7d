"""Every method on the same patterns, noise-free and with photon noise: scores in, one table out."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from farfield import rendering, store
from farfield.rendering import Block

SOLVED = 1e-3
"""Relative SA-MSE under which an object counts as solved."""

COLUMNS = ["method", "samples", "symmetry", "photons", "mean", "median", "solved", "patterns", "seconds"]

KEYS = ["method", "samples", "symmetry"]


def _errors(scores: xr.Dataset, path: str | Path, count: int | None) -> np.ndarray:
    """Relative SA-MSE of the first patterns, (seed, sample), by the best validated model where there is one."""
    checkpoint = "best" if "best" in scores.checkpoint.values else scores.checkpoint.values[0]
    chosen = scores.sel(checkpoint=checkpoint).isel(sample=slice(count))
    relative = (chosen.sa_mse / chosen.energy).transpose("seed", "sample").values
    if not np.isfinite(relative).all():
        raise ValueError(f"{path}: expected finite scores, found NaN or infinity in sa_mse or energy; redo it")
    return relative


def _row(path: str | Path, photons: float, count: int | None = None) -> dict[str, object]:
    scores = store.open_dataset(path)
    errors = _errors(scores, path, count)
    return {
        "method": scores.attrs["method"],
        "samples": scores.attrs.get("samples", pd.NA),
        "symmetry": scores.attrs.get("symmetry"),
        "photons": photons,
        "mean": errors.mean(),
        "median": np.median(errors),
        "solved": (errors < SOLVED).mean(),
        "patterns": errors.shape[1],
        "seconds": float(scores.seconds.mean()),
    }


def compare(clean: Iterable[str | Path], noisy: Iterable[str | Path], photons: float) -> pd.DataFrame:
    """Reduce score stores to one tidy table, two lines for each method: noise-free, and with noise.

    Parameters
    ----------
    clean, noisy : iterable of str or Path
        Score stores of the same methods, in the same order. The noisy patterns are the first of the clean ones.
    photons : float
        In each noisy pattern.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`: ``photons`` is infinite without noise; ``mean`` and ``median`` of the SA-MSE
        relative to zero, over samples and seeds; ``solved``, the share below 1e-3; ``seconds`` for a pattern.

    Raises
    ------
    ValueError
        If scores are not finite.
    """
    rows = []
    for first, second in zip(clean, noisy, strict=True):
        after = _row(second, photons)
        rows += [_row(first, np.inf, after["patterns"]), after]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"samples": "Int64"})


def _block(frame: pd.DataFrame, photons: float) -> Block:
    groups = ["noise-free", f"{photons:.0e} photons".replace("e+0", "e")]
    columns = ["Mean", "Median", "Solved", "ms"]
    header = [("", "Method"), *((group, column) for group in groups for column in columns)]
    rows = []
    for clean, noisy in zip(frame[0::2].itertuples(), frame[1::2].itertuples(), strict=True):
        training = [] if pd.isna(clean.samples) else [str(clean.symmetry), f"n = {clean.samples:.0f}"]
        cells = [
            text
            for line in (clean, noisy)
            for text in (
                rendering.format_number(line.mean),
                rendering.format_number(line.median),
                f"{line.solved:.2f}",
                f"{1e3 * line.seconds:.2g}",
            )
        ]
        rows.append([", ".join([clean.method, *training]), *cells])
    title = "SA-MSE relative to predicting zero, the share of objects below 1e-3, and the time for a pattern."
    return Block(title, header, rows)


def write(frame: pd.DataFrame, csv: str | Path, markdown: str | Path, latex: str | Path) -> None:
    """Write the table in all its forms, each file whole or not at all.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `compare`.
    csv, markdown, latex : str or Path
        Files to make.
    """
    photons, count = frame["photons"].iloc[1], frame["patterns"].iloc[0]
    block = _block(frame, photons)
    sentence = f"Every method on the same {count} test patterns, without noise and with that of {photons:.0e} photons"
    caption = f"{sentence} in each. Networks were trained without noise; the best validated model is shown."
    text = rendering.markdown(f"**With photon noise.** {caption}", [block])
    rendering.write(frame, text, rendering.latex(caption, "tab:noise", [block]), (csv, markdown, latex))
