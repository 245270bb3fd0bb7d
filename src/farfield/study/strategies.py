"""``tables/passive``, ``tables/strategies``: what networks are trained for, raw and refined, beside other methods."""

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from farfield.study import errors, rendering
from farfield.study.rendering import Block

COLUMNS = ["method", "symmetry", "kind", "samples", "seeds", "tests", "mean", "sd", "se", "median", "relative"]
COLUMNS += ["near", "solved", "iterations", "per_solution", "ms", "published"]

KINDS = {
    "constant": "Knows nothing of the pattern",
    "iterative": "Iterative, from random phases or from the start that is named",
    "network": "Networks",
    "fitted": "Networks fitted to each pattern alone",
}


def _row(path: str | Path) -> dict[str, object]:
    found = errors.read(path)
    by_image, by_seed = found.each.mean(axis=0), found.each.mean(axis=1)
    solved = (found.each < errors.SOLVED).mean()
    return {
        "method": found.about["method"],
        "symmetry": found.about.get("symmetry"),
        "kind": found.about["kind"],
        "samples": found.about.get("samples", pd.NA),
        "seeds": len(by_seed),
        "tests": len(by_image),
        "mean": by_image.mean(),
        "sd": by_seed.std(ddof=1) if len(by_seed) > 1 else np.nan,
        "se": errors.standard_error(by_image),
        "median": np.median(found.each),
        "relative": found.relative.mean(),
        "near": (found.each < errors.NEAR).mean(),
        "solved": solved,
        "iterations": found.iterations,
        "per_solution": found.iterations / solved if solved else np.inf,
        "ms": 1e3 * found.seconds,
    }


def compare(paths: Iterable[str | Path], published: str | Path | TextIO | None = None) -> pd.DataFrame:
    """Reduce score stores on the test set to one tidy table, a line for each method.

    Parameters
    ----------
    paths : iterable of str or Path
        In the order of the lines.
    published : str, Path or file, optional
        CSV with the columns method and published: an objective's name, or another method's. What none of ours is
        gets a line of its own.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`: ``mean`` and ``median`` of each sample's SA-MSE over that of predicting zero for it,
        over samples and seeds; ``sd`` of the mean over seeds, empty for one; ``se``, the mean's standard error over
        samples; ``relative``, mean over mean, as in the other tables; ``near`` and ``solved``, the shares below 1e-2
        and 1e-3; ``iterations`` and ``ms`` for a pattern, its start's with them; ``per_solution``, iterations for
        each solved pattern, were unsolved ones started again.

    Raises
    ------
    ValueError
        If scores are not finite.
    """
    frame = pd.DataFrame(list(map(_row, paths)))
    if published is None:
        return frame.assign(published=np.nan)[COLUMNS].astype({"samples": "Int64"})
    stated = pd.read_csv(published).set_index("method")["published"]
    names = frame["symmetry"].where(frame["kind"] == "network", frame["method"])
    others = stated[~stated.index.isin(names)]
    lines = pd.DataFrame({"method": others.index, "kind": "published", "published": others.to_numpy()})
    frame = pd.concat([frame.assign(published=names.map(stated)), lines], ignore_index=True)
    return frame[COLUMNS].astype({"samples": "Int64"})


def _name(line: pd.Series, tests: float) -> str:
    """Name a line's method, and say so if it saw the first of the test samples alone."""
    name = f"{line['method']}, {line['symmetry']}" if line["kind"] == "network" else line["method"]
    return name if line["tests"] == tests else f"{name} (first {line['tests']:.0f})"


def _cells(line: pd.Series, tests: float) -> list[str]:
    spread = line["sd"] if np.isfinite(line["sd"]) else line["se"]
    iterations = line["iterations"]
    return [
        _name(line, tests),
        f"{line['mean']:.3f} ± {spread:.3f}",
        f"{line['median']:.3f}" if line["median"] >= 1e-3 else f"{line['median']:.0e}",
        f"{line['near']:.2f}",
        f"{line['solved']:.2f}",
        f"{iterations:.0f}" if iterations else "–",
        f"{line['per_solution']:.0f}" if iterations and np.isfinite(line["per_solution"]) else "–",
        f"{line['ms']:.2g}" if line["ms"] else "–",
        "–" if pd.isna(line["published"]) else f"{line['published']:g}",
    ]


def _block(title: str, lines: pd.DataFrame, tests: float, published: bool) -> Block:
    columns = ["Method", "Mean", "Median", "Below 1e-2", "Below 1e-3", "Iterations", "Per solution", "ms"]
    rows = [_cells(line, tests)[: len(columns) + published] for _, line in lines.iterrows()]
    return Block(title, [("", column) for column in [*columns, *["Published"] * published]], rows)


def table(frame: pd.DataFrame, label: str, title: str) -> rendering.Table:
    """Give what `compare` found its shape.

    Parameters
    ----------
    frame : pandas.DataFrame
    label, title : str
        The table's name, and its title.

    Returns
    -------
    rendering.Table
    """
    ours, published = frame[frame["kind"] != "published"], bool(frame["published"].notna().any())
    tests = float(ours["tests"].max())
    blocks = [_block(f"{text}.", ours[ours["kind"] == kind], tests, published) for kind, text in KINDS.items()]
    others = frame[frame["kind"] == "published"]
    if len(others):
        rows = [[line.method, f"{line.published:g}"] for line in others.itertuples()]
        blocks.append(Block("Published, of methods that are not here.", [("", "Method"), ("", "Published")], rows))
    seeds = int(ours["seeds"].max())
    spread = "its deviation over seeds where there are several, else its standard error over samples"
    caption = (
        f"SA-MSE of each of {tests:.0f} test samples relative to predicting zero for it: mean ± "
        f"{spread}; median; shares below 1e-2 and 1e-3. Networks: best validated, n = {ours['samples'].max()}, "
        f"{seeds} seed{'s' if seeds > 1 else ''}. Iterations and milliseconds are for a pattern, those of its start "
        "with them (a round of ALM counts as one); per solution: iterations over the share below 1e-3."
    )
    if published:
        caption += (
            " Published errors have no stated unit; this one is the likeliest, as theirs exceed what predicting zero "
            "costs per pixel."
        )
    return rendering.Table(label, title, caption, frame, [block for block in blocks if block.rows])
