"""After against before, crystal by crystal: a paired test on the same test set."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from farfield import rendering, store
from farfield.rendering import Block

COLUMNS = ["method", "samples", "seeds", "tests", "before", "after", "difference", "standard_error", "better", "p"]


def _errors(path: str | Path) -> tuple[xr.Dataset, np.ndarray]:
    """Relative SA-MSE of each test sample by the best validated model, averaged over seeds."""
    scores = store.open_dataset(path)
    relative = (scores.sel(checkpoint="best").sa_mse / scores.energy.mean()).mean("seed").values
    if not np.isfinite(relative).all():
        raise ValueError(f"{path}: expected finite scores, found NaN or infinity; redo it")
    return scores, relative


def _row(before_path: str | Path, after_path: str | Path) -> dict[str, object]:
    scores, before = _errors(before_path)
    other, after = _errors(after_path)
    cells = [(x.attrs["method"], x.attrs["samples"]) for x in (scores, other)]
    symmetries = [x.attrs["symmetry"] for x in (scores, other)]
    if cells[0] != cells[1] or symmetries != ["before", "after"]:
        raise ValueError(f"expected one cell before and after, got {before_path} and {after_path}; pair them")
    difference = before - after
    return {
        "method": scores.attrs["method"],
        "samples": scores.attrs["samples"],
        "seeds": scores.sizes["seed"],
        "tests": len(before),
        "before": before.mean(),
        "after": after.mean(),
        "difference": difference.mean(),
        "standard_error": stats.sem(difference),
        "better": (difference > 0).mean(),
        "p": stats.wilcoxon(before, after, alternative="greater").pvalue,
    }


def compare(before: Iterable[str | Path], after: Iterable[str | Path]) -> pd.DataFrame:
    """Test for every network and training size whether breaking the symmetries lowers the error.

    Parameters
    ----------
    before, after : iterable of str or Path
        Score stores on the test set, of the same cells in the same order.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`: ``before``, ``after`` and their ``difference`` are mean SA-MSE over the mean energy
        of the test set, best validated models; each crystal's error is averaged over seeds first, so
        ``standard_error`` is over crystals. ``better`` is the share of crystals with a lower error after; ``p`` of a
        one-sided Wilcoxon signed-rank test over crystals.
    """
    return pd.DataFrame([_row(*pair) for pair in zip(before, after, strict=True)], columns=COLUMNS)


def _block(frame: pd.DataFrame) -> Block:
    header = ["Network", "n", "Before", "After", "Difference", "Crystals better", "p"]
    rows = [
        [
            str(line.method),
            str(line.samples),
            f"{line.before:.3f}",
            f"{line.after:.3f}",
            f"{line.difference:.3f} ± {line.standard_error:.3f}",
            f"{100 * line.better:.0f} %",
            "< 1e-16" if line.p < 1e-16 else rendering.format_number(line.p),
        ]
        for line in frame.itertuples()
    ]
    return Block("SA-MSE relative to predicting zero.", [("", column) for column in header], rows)


def write(frame: pd.DataFrame, csv: str | Path, markdown: str | Path, latex: str | Path) -> None:
    """Write the table in all its forms, each file whole or not at all.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `compare`.
    csv, markdown, latex : str or Path
        Files to make.
    """
    tests, seeds = frame["tests"].iloc[0], frame["seeds"].iloc[0]
    caption = (
        f"Before against after on the same {tests} test crystals, each crystal's error averaged over {seeds} seed"
        f"{'s' if seeds > 1 else ''} of the best validated models; ± is the standard error over crystals, p that of "
        "a one-sided Wilcoxon signed-rank test."
    )
    blocks = [_block(frame)]
    text = rendering.markdown(f"**Paired.** {caption}", blocks)
    rendering.write(frame, text, rendering.latex(caption, "tab:paired", blocks), (csv, markdown, latex))
