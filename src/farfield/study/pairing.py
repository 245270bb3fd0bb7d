"""``tables/paired``: after against before, training by training and crystal by crystal, on the same test set."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from farfield.study import errors, rendering
from farfield.study.rendering import Block

COLUMNS = ["method", "samples", "seeds", "tests", "before", "after", "difference", "sd", "better"]


def _row(before_path: str | Path, after_path: str | Path) -> dict[str, object]:
    before, after = errors.read(before_path), errors.read(after_path)
    cells = [(x.about["method"], x.about["samples"], x.seeds) for x in (before, after)]
    if cells[0] != cells[1] or [x.about["symmetry"] for x in (before, after)] != ["before", "after"]:
        raise ValueError(f"expected one cell before and after, got {before_path} and {after_path}; pair them")
    difference = before.relative - after.relative
    by_training = difference.mean(axis=1)
    return {
        "method": before.about["method"],
        "samples": before.about["samples"],
        "seeds": len(before.seeds),
        "tests": difference.shape[1],
        "before": before.relative.mean(),
        "after": after.relative.mean(),
        "difference": by_training.mean(),
        "sd": by_training.std(ddof=1) if len(by_training) > 1 else np.nan,
        "better": (difference.mean(axis=0) > 0).mean(),
    }


def compare(before: Iterable[str | Path], after: Iterable[str | Path]) -> pd.DataFrame:
    """Tell for every network and training size by how much breaking the symmetries lowers the error.

    Parameters
    ----------
    before, after : iterable of str or Path
        Score stores on the test set, of the same cells in the same order.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`: ``before``, ``after`` and their ``difference`` are SA-MSE of the best validated
        models relative to predicting zero, mean over the test set and over trainings; ``sd`` is the difference's
        deviation over trainings, pairs of one seed, empty for one. ``better`` is the share of crystals whose error,
        mean over trainings, is lower after.

    Raises
    ------
    ValueError
        If two stores are no pair, or scores are not finite.

    Notes
    -----
    What is random here is the training. Crystals tell how a model does on others like them, so no test over
    crystals says what another training would give.
    """
    return pd.DataFrame([_row(*pair) for pair in zip(before, after, strict=True)], columns=COLUMNS)


def _block(frame: pd.DataFrame) -> Block:
    header = ["Network", "n", "Before", "After", "Difference", "Crystals better"]
    rows = [
        [
            str(line.method),
            str(line.samples),
            f"{line.before:.3f}",
            f"{line.after:.3f}",
            f"{line.difference:.3f}" + ("" if np.isnan(line.sd) else f" ± {line.sd:.3f}"),
            f"{100 * line.better:.0f} %",
        ]
        for line in frame.itertuples()
    ]
    return Block("SA-MSE relative to predicting zero.", [("", column) for column in header], rows)


def table(frame: pd.DataFrame) -> rendering.Table:
    """Give what `compare` found its shape."""
    tests, seeds = frame["tests"].iloc[0], frame["seeds"].iloc[0]
    spread = f"; ± is the deviation over these {seeds} trainings, pairs of one seed" if seeds > 1 else ""
    caption = (
        f"Before against after on the same {tests} test crystals, best validated models{spread}. A crystal is better "
        f"if its error{f', mean over the {seeds} trainings,' if seeds > 1 else ''} is lower after."
    )
    return rendering.Table("paired", "Paired", caption, frame, [_block(frame)])
