"""Tables of the argument: Gaussian phase retrieval beside the published rows, and how much breaking is enough."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from farfield.study import errors, rendering
from farfield.study.rendering import Block

GAUSSIAN = ["method", "dimension", "samples", "symmetry", "metric", "mean", "sd", "seeds", "published"]

PARTIAL = ["problem", "method", "samples", "symmetry", "metric", "mean", "sd", "seeds"]

METRIC = "error, % of zero"

BROKEN = {
    "before": "nothing",
    "half-space": "the sign",
    "centred": "translation",
    "phase": "translation, global phase",
    "after": "all",
}
"""What each level of symmetry breaking has broken."""


def _reduced(cells: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Mean and standard deviation over seeds."""
    if not np.isfinite(cells["error"]).all():
        raise ValueError("expected finite errors, found NaN or infinity; delete the cell's file and run again")
    groups = cells.groupby(list(keys), sort=False)["error"]
    return groups.agg(mean="mean", sd="std", seeds="count").reset_index().assign(metric=METRIC)


def gaussian(cells: Iterable[str | Path], published: str | Path | TextIO) -> pd.DataFrame:
    """Reduce cells to one tidy table, with the published number beside each where there is one.

    Parameters
    ----------
    cells : iterable of str or Path
        CSV files: ``method``, ``dimension``, ``samples``, ``symmetry``, ``seed``, ``error``.
    published : str, Path or file
        CSV file: ``dimension``, ``samples`` and a column for each ``{symmetry}_{method}``.

    Returns
    -------
    pandas.DataFrame
        Columns as in `GAUSSIAN`.
    """
    reduced = _reduced(pd.concat(map(pd.read_csv, cells)), ["method", "dimension", "samples", "symmetry"])
    known = pd.read_csv(published).melt(["dimension", "samples"], value_name="published")
    known[["symmetry", "method"]] = known.pop("variable").str.split("_", expand=True).to_numpy()
    merged = reduced.merge(known, how="left", on=["method", "dimension", "samples", "symmetry"])
    return merged.sort_values(["method", "dimension", "samples"], kind="stable")[GAUSSIAN].reset_index(drop=True)


def _far_field_errors(path: str | Path) -> pd.DataFrame:
    """SA-MSE of each seed's best validated model over that of predicting zero, on the test set, as in table 5."""
    found = errors.read(path)
    about = {key: found.about[key] for key in ("method", "samples", "symmetry")}
    by_seed = 100 * found.relative.mean(axis=1)
    return pd.DataFrame({"problem": "far-field", **about, "seed": found.seeds, "error": by_seed})


def partial_breaking(scores: Iterable[str | Path], cells: Iterable[str | Path]) -> pd.DataFrame:
    """Tell how much each further symmetry that is broken helps.

    Parameters
    ----------
    scores : iterable of str or Path
        Score stores of networks on the test set.
    cells : iterable of str or Path
        Cells of complex Gaussian phase retrieval, CSV.

    Returns
    -------
    pandas.DataFrame
        Columns as in `PARTIAL`.
    """
    small = pd.concat(map(pd.read_csv, cells))
    name = "complex Gaussian, dimension " + small["dimension"].astype(str)
    everything = pd.concat([*map(_far_field_errors, scores), small.assign(problem=name)])
    return _reduced(everything, ["problem", "method", "samples", "symmetry"])[PARTIAL]


def _value(line: pd.Series) -> str:
    spread = "" if np.isnan(line.sd) else f" ± {line.sd:.2g}"
    return f"{line['mean']:.3g}{spread}"


def _gaussian_block(frame: pd.DataFrame) -> Block:
    header = [("", "Method"), ("", "Dimension"), ("", "n")]
    header += [(symmetry, column) for symmetry in ("before", "after") for column in ("ours", "published")]
    rows = []
    for key, lines in frame.groupby(["method", "dimension", "samples"], sort=False):
        by_symmetry = lines.set_index("symmetry")
        cells = [
            text
            for symmetry in ("before", "after")
            for text in (
                _value(by_symmetry.loc[symmetry]),
                rendering.format_number(by_symmetry.loc[symmetry, "published"], 2),
            )
        ]
        rows.append([*map(str, key), *cells])
    return Block("Test error, mean ± standard deviation over seeds, in per cent of predicting zero.", header, rows)


def _partial_block(frame: pd.DataFrame) -> Block:
    header = [("", title) for title in ("Problem", "Method", "n", "Broken", "Test error")]
    rows = [
        [line.problem, line.method, str(line.samples), BROKEN[line.symmetry], _value(line)]
        for _, line in frame.iterrows()
    ]
    return Block("Test error, mean ± standard deviation over seeds, in per cent of predicting zero.", header, rows)


def gaussian_table(frame: pd.DataFrame) -> rendering.Table:
    """Give what `gaussian` found its shape."""
    caption = (
        "Real, training sets before and after breaking the sign. The published numbers' metric, measurements and "
        "networks are in no source, so shapes and ratios compare, values do not."
    )
    return rendering.Table("gaussian", "Gaussian phase retrieval", caption, frame, [_gaussian_block(frame)])


def partial_breaking_table(frame: pd.DataFrame) -> rendering.Table:
    """Give what `partial_breaking` found its shape."""
    caption = "The same networks on training sets with some of the symmetries broken."
    return rendering.Table("partial-breaking", "How much breaking is enough", caption, frame, [_partial_block(frame)])
