"""``tables/starts``: what each start is worth, by iterations and by time, on the validation set."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from farfield.study import errors, rendering
from farfield.study.rendering import Block

COLUMNS = ["start", "iterations", "seeds", "patterns", "mean", "se", "near", "solved", "ms", "gain", "gain_se"]
COLUMNS += ["over_cold", "over_cold_se"]


def summarise(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Reduce what `following.follow` made to one tidy table.

    Parameters
    ----------
    paths : iterable of str or Path
        CSV files, one for each start, in the order of the lines.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`: ``mean`` of the relative SA-MSE with its standard error over samples; ``near`` and
        ``solved``, the shares below 1e-2 and 1e-3; ``gain``, by how much the mean is below that of the blob at as
        many iterations, sample by sample, with its standard error; ``over_cold``, the same against the cold start at
        the most iterations.
    """
    parts = [pd.read_csv(path, keep_default_na=False) for path in paths]  # a start may be called NA
    runs = pd.concat(parts, ignore_index=True)
    by_sample = runs.groupby(["start", "iterations", "sample"], sort=False)["error"].mean().unstack("sample")
    cold = by_sample.loc["cold"].sort_index().iloc[-1] if "cold" in by_sample.index else None
    rows = []
    for (start, iterations), part in runs.groupby(["start", "iterations"], sort=False):
        own = by_sample.loc[(start, iterations)].to_numpy()
        peer = ("blob", iterations)
        rows.append(
            {
                "start": start,
                "iterations": iterations,
                "seeds": part["seed"].nunique(),
                "patterns": len(own),
                "mean": own.mean(),
                "se": errors.standard_error(own),
                "near": (part["error"] < errors.NEAR).mean(),
                "solved": (part["error"] < errors.SOLVED).mean(),
                "ms": 1e3 * part["seconds"].mean(),
                **_gain("gain", by_sample.loc[peer].to_numpy() if peer in by_sample.index else None, own),
                **_gain("over_cold", None if cold is None else cold.to_numpy(), own),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _gain(name: str, peer: np.ndarray | None, own: np.ndarray) -> dict[str, float]:
    if peer is None:
        return {name: np.nan, f"{name}_se": np.nan}
    return {name: (peer - own).mean(), f"{name}_se": errors.standard_error(peer - own)}


def _cells(line: Any) -> list[str]:
    pairs = ((line.gain, line.gain_se), (line.over_cold, line.over_cold_se))
    gains = ["–" if np.isnan(gain) else f"{gain:+.4f} ± {se:.4f}" for gain, se in pairs]
    shares = [f"{line.near:.2f}", f"{line.solved:.2f}"]
    return [line.start, f"{line.mean:.4f} ± {line.se:.4f}", *shares, f"{line.ms:.2g}" if line.ms else "–", *gains]


def table(frame: pd.DataFrame) -> rendering.Table:
    """Give what `summarise` found its shape: a grid for each number of iterations."""
    columns = ["Start", "Mean", "Below 1e-2", "Below 1e-3", "ms", "Below blob by", "Below the longest cold by"]
    blocks = []
    for iterations in sorted(frame["iterations"].unique()):
        title = f"After {iterations} iterations." if iterations else "As they are."
        rows = [_cells(line) for line in frame[frame["iterations"] == iterations].itertuples()]
        blocks.append(Block(title, [("", column) for column in columns], rows))
    seeds = frame["seeds"].max()
    caption = (
        f"Iterations from every start, on {frame['patterns'].iloc[0]} validation patterns, {seeds} "
        f"seed{'s' if seeds > 1 else ''} of networks and random phases: SA-MSE relative to predicting zero for each "
        "sample, ± standard error over samples. By these patterns networks' best weights were chosen too. Recipes "
        "are the config's, for starts and for random phases (cold) apart. Differences are sample by sample. "
        "Milliseconds are for a pattern, the network's with them."
    )
    return rendering.Table("starts", "Starts", caption, frame, blocks)
