"""``tables/noise``: every method on the same patterns, noise-free and with photon noise."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from farfield.study import errors, rendering
from farfield.study.rendering import Block

COLUMNS = ["method", "samples", "symmetry", "photons", "mean", "median", "solved", "patterns", "seconds"]


def _row(path: str | Path, photons: float, count: int | None = None) -> dict[str, object]:
    found = errors.read(path, count=count)
    return {
        "method": found.about["method"],
        "samples": found.about.get("samples", pd.NA),
        "symmetry": found.about.get("symmetry"),
        "photons": photons,
        "mean": found.relative.mean(),
        "median": np.median(found.relative),
        "solved": (found.relative < errors.SOLVED).mean(),
        "patterns": found.relative.shape[1],
        "seconds": found.seconds,
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


def table(frame: pd.DataFrame) -> rendering.Table:
    """Give what `compare` found its shape."""
    photons, count = frame["photons"].iloc[1], frame["patterns"].iloc[0]
    sentence = f"Every method on the same {count} test patterns, without noise and with that of {photons:.0e} photons"
    caption = (
        f"{sentence} in each. Networks were trained without noise; the best validated model is shown. Times of what "
        "takes less than a second are the least of three, others are single, all on a machine that had other jobs."
    )
    return rendering.Table("noise", "With photon noise", caption, frame, [_block(frame, photons)])
