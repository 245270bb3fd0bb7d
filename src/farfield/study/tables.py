"""The five tables of the study: scores in, tidy CSV and the paper's shape in Markdown and LaTeX out.

Every error also stands relative to that of predicting zero on the same samples, since an absolute one says
nothing without the fill of the frame, and published ones are normalised in their own way.
"""

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
import pandas as pd

from farfield.study import errors, rendering
from farfield.study.errors import CONSTANTS
from farfield.study.rendering import Block


class Shown(NamedTuple):
    """What a table of the paper shows.

    Attributes
    ----------
    metric : str
        ``mse`` (mean over pixels and over real and imaginary parts) or ``sa_mse`` (per complex pixel).
    split : str
        Set that is scored, ``train`` or ``test``.
    checkpoint : str
        Model that is scored, ``final`` or ``best`` validated; methods without it show the one they have.
    title : str
    """

    metric: str
    split: str
    checkpoint: str
    title: str


TABLES = {
    1: Shown("mse", "train", "final", "MSE on the training set, final model"),
    2: Shown("sa_mse", "train", "final", "SA-MSE on the training set, final model"),
    3: Shown("mse", "train", "best", "MSE on the training set, best validated model"),
    4: Shown("sa_mse", "train", "best", "SA-MSE on the training set, best validated model"),
    5: Shown("sa_mse", "test", "best", "SA-MSE on the test set, best validated model"),
}

COLUMNS = ["method", "samples", "symmetry", "metric", "mean", "sd", "seeds", "scored", "relative", "published"]

KEYS = ["method", "samples", "symmetry"]

SYMMETRIES = ["before", "after"]

GROUPS = {"network": 0, "zero": 1, "mean-object": 2, "iterative": 3}

UNITS = {
    "mse": "MSE: mean over pixels and over real and imaginary parts, in squared units of the object.",
    "sa_mse": "SA-MSE: squared error per complex pixel, up to translation, flip, global phase and scale.",
}


def _shown(number: int) -> Shown:
    if number not in TABLES:
        raise ValueError(f"expected a table number from {min(TABLES)} to {max(TABLES)}, got {number!r}")
    return TABLES[number]


def _row(found: errors.Errors, metric: str) -> dict[str, object]:
    """One line of a tidy table."""
    by_seed, about = found.values.mean(axis=1), found.about
    return {
        "group": about["method"] if about["kind"] == "constant" else about["kind"],
        "method": about["method"],
        "samples": about.get("samples", pd.NA),
        "symmetry": about.get("symmetry"),
        "metric": metric,
        "mean": by_seed.mean(),
        "sd": by_seed.std(ddof=1) if len(by_seed) > 1 else np.nan,
        "seeds": len(by_seed),
        "scored": found.values.shape[1],
        "relative": found.relative.mean(),
    }


def _published(source: str | Path | TextIO, number: int) -> pd.DataFrame:
    """Published errors of one table, one line per network, size and symmetry."""
    wide = pd.read_csv(source).query("table == @number").rename(columns={"network": "method"})
    return wide.melt(["method", "samples"], SYMMETRIES, "symmetry", "published")


def _ordered(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Networks, zero, mean object, iterative methods; each in the order of the paths, then by size."""
    names = list(dict.fromkeys(row["method"] for row in rows))

    def place(row: dict[str, object]) -> tuple[int, ...]:
        samples = -1 if row["samples"] is pd.NA else row["samples"]
        symmetry = SYMMETRIES.index(row["symmetry"]) if row["symmetry"] else -1
        return GROUPS[row["group"]], names.index(row["method"]), samples, symmetry

    frame = pd.DataFrame(sorted(rows, key=place)).drop(columns="group")
    return frame.astype({"samples": "Int64"})


def summarise(paths: Iterable[str | Path], number: int, published: str | Path | TextIO) -> pd.DataFrame:
    """Reduce score stores to one tidy table.

    Parameters
    ----------
    paths : iterable of str or Path
        Score stores; those of the other split are left out. Their order is that of the methods.
    number : int
        Of the paper's table, 1 to 5.
    published : str, Path or file
        CSV with the columns table, network, samples, before and after.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`. ``mean`` is over samples, of which ``scored`` tells how many, then seeds; ``sd`` is
        over seeds, empty for one; ``relative`` is the mean over that of predicting zero on the same samples;
        ``published`` is empty where the paper has no such row. The whole published table is kept in
        ``attrs["published"]``.

    Raises
    ------
    ValueError
        If there is no table of that number, no store of its split, or a score that is not finite.
    """
    shown = _shown(number)
    found = [errors.read(path, metric=shown.metric, checkpoint=shown.checkpoint) for path in paths]
    rows = [_row(one, shown.metric) for one in found if one.about["split"] == shown.split]
    if not rows:
        raise ValueError(
            f"expected score stores of the {shown.split} split for table {number}, got none among {len(found)} "
            "paths; score a method first"
        )
    reference = _published(published, number)
    frame = _ordered(rows).merge(reference, how="left", on=KEYS)[COLUMNS]
    frame.attrs["published"] = reference.to_dict("records")
    return frame


def _error(line: pd.Series) -> str:
    """Write "mean ± sd", both in the notation of the mean."""
    if np.isnan(line["sd"]):
        return rendering.format_number(line["mean"], 4)
    notation = ".4f" if line["mean"] >= 1e-4 else ".1e"
    return f"{line['mean']:{notation}} ± {line['sd']:{notation}}"


def _ratio(pair: pd.Series) -> str:
    return rendering.format_number(pair["after"] / pair["before"]) if pair["before"] else "–"


def _grid(frame: pd.DataFrame, title: str, columns: list[str], cells: Callable[[pd.DataFrame], list[str]]) -> Block:
    """Lines are sizes; each network has what `cells` makes of its lines before and after."""
    names, sizes = list(frame["method"].unique()), sorted(map(int, frame["samples"].unique()))
    lines = frame.set_index(KEYS)

    def pair(name: str, size: int) -> pd.DataFrame:
        return lines.reindex(pd.MultiIndex.from_product([[name], [size], SYMMETRIES])).droplevel([0, 1])

    header = [("", "Samples"), *itertools.product(names, columns)]
    rows = [[str(size), *(cell for name in names for cell in cells(pair(name, size)))] for size in sizes]
    return Block(title, header, rows)


def _networks(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["symmetry"].notna() & ~frame["method"].isin(CONSTANTS)]


def _baselines(frame: pd.DataFrame) -> list[Block]:
    lines = frame.drop(_networks(frame).index)
    rows = [
        [
            line.method,
            "–" if pd.isna(line.samples) else f"{line.samples:.0f}",
            "–" if pd.isna(line.symmetry) else line.symmetry,
            str(line.scored),
            rendering.format_number(line.mean, 4),
            rendering.format_number(line.relative),
        ]
        for line in lines.itertuples()
    ]
    titles = ["Baseline", "Samples", "Symmetries", "Scored on", "Error", "Relative to zero"]
    return (
        [Block("Baselines, each on the samples that it was scored on.", [("", title) for title in titles], rows)]
        if rows
        else []
    )


def _stated(pair: pd.DataFrame) -> list[str]:
    numbers = ["–" if np.isnan(value) else f"{value:g}" for value in pair["published"]]
    return [*numbers, _ratio(pair["published"])]


def _comparison(frame: pd.DataFrame) -> list[Block]:
    """Published errors: beside our ratio where a size matches, and otherwise alone."""
    columns = ["Before", "After", "After/before"]
    matched = _networks(frame).dropna(subset="published")
    if len(matched):
        title = "Published, beside our ratio. Published errors have a scale of their own: compare the ratios."
        columns = [*columns, "Ours, after/before"]
        return [_grid(matched, title, columns, lambda pair: [*_stated(pair), _ratio(pair["mean"])])]
    title = (
        "Published. Sizes and normalisation differ from ours: compare only the ratios after/before and the "
        "errors relative to predicting zero."
    )
    reference = pd.DataFrame(frame.attrs.get("published", []))
    return [_grid(reference, title, columns, _stated)] if len(reference) else []


def _blocks(frame: pd.DataFrame) -> list[Block]:
    networks = _networks(frame)
    errors = _grid(
        networks,
        "Error by number of training samples, before and after the training set's symmetries are broken.",
        ["Before", "After", "After/before"],
        lambda pair: [_error(pair.loc["before"]), _error(pair.loc["after"]), _ratio(pair["mean"])],
    )
    relative = _grid(
        networks,
        "The same, relative to predicting zero.",
        ["Before", "After"],
        lambda pair: [rendering.format_number(value) for value in pair["relative"]],
    )
    grids = [errors, relative] if len(networks) else []
    return [*grids, *_baselines(frame), *_comparison(frame)]


def _unlearned(frame: pd.DataFrame) -> list[str]:
    """Name the cells whose error is not below that of the mean object of their training set."""
    means = frame[frame["method"] == "mean-object"].set_index(["samples", "symmetry"])["mean"]
    lines = _networks(frame).join(means.rename("constant"), on=["samples", "symmetry"])
    lines = lines[lines["mean"] >= lines["constant"]]
    cells = lines.groupby(["method", "symmetry"], sort=False)["samples"]
    return [f"{method} {symmetry} ({', '.join(f'{n:.0f}' for n in sizes)})" for (method, symmetry), sizes in cells]


def _notes(frame: pd.DataFrame, shown: Shown) -> str:
    several = frame["seeds"].max() > 1
    notes = [UNITS[shown.metric], "Mean ± standard deviation over seeds." if several else "Mean of one seed."]
    iterative = frame["symmetry"].isna() & ~frame["method"].isin(CONSTANTS)
    if shown.metric == "mse" and iterative.any():
        notes.append("Iterative methods know no convention: their MSE is measured after alignment to the truth.")
    if unlearned := _unlearned(frame):
        notes.append(f"Not below the mean object of their own training set: {'; '.join(unlearned)}.")
    reference = pd.DataFrame(frame.attrs.get("published", []))
    if len(reference) and shown.metric == "mse":
        largest = reference[reference["samples"] == reference["samples"].max()]
        stated = largest.loc[largest["symmetry"] == "before", "published"].max()
        notes.append(f"The published MSE before breaking saturates at {stated:g}, which is predicting zero.")
    elif len(reference):
        notes.append("The published SA-MSE of predicting zero is not known, so no published relative error is shown.")
    return " ".join(notes)


def table(frame: pd.DataFrame, number: int) -> rendering.Table:
    """Give a summary the paper's shape: errors, errors relative to zero, baselines, and the published numbers.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `summarise`.
    number : int
        Of the paper's table, 1 to 5.

    Returns
    -------
    rendering.Table
    """
    shown = _shown(number)
    return rendering.Table(str(number), shown.title, _notes(frame, shown), frame, _blocks(frame))
