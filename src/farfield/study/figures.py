"""The study's figures, drawn from stores and tables alone; one theme, readable in colour and in grey.

Every function returns a figure and `save` writes it. Colour tells methods apart; marker and line tell the
symmetries of the training set apart: open and dotted before breaking, filled and solid after.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

from farfield.machine import store
from farfield.study import errors
from farfield.study.errors import CONSTANTS

TEXT_WIDTH = 7.2
"""Inches: two columns of a journal page."""

SYMMETRIES: dict[str, dict[str, Any]] = {
    "before": {"marker": "o", "linestyle": ":", "markerfacecolor": "white"},
    "after": {"marker": "s", "linestyle": "-"},
}

RATIO = {"marker": "D", "linestyle": "-"}

PUBLISHED = {"marker": "D", "linestyle": "--", "markerfacecolor": "white"}

GREY = "0.35"

SHARE = "SA-MSE relative to predicting zero"


@contextmanager
def theme() -> Iterator[None]:
    """Set the look of every figure, for the block only."""
    settings = {
        **sns.axes_style("whitegrid", {"axes.edgecolor": "0.2", "grid.color": "0.9"}),
        **sns.plotting_context("paper"),
        **{f"{part}.labelsize": 8 for part in ("axes", "xtick", "ytick")},
        **{"font.size": 8, "axes.titlesize": 8, "legend.fontsize": 8, "figure.labelsize": 8, "figure.titlesize": 8},
        **{"lines.markersize": 4.5, "lines.linewidth": 1.2, "legend.frameon": False, "pdf.fonttype": 42},
    }
    with mpl.rc_context(settings):
        yield


@theme()
def save(figure: Figure, *paths: str | Path) -> None:
    """Write a figure, each file whole or not at all and with the same bytes every time.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    *paths : str or Path
        Files to make, ``.pdf`` or ``.png`` (200 dots per inch).
    """
    for path in map(Path, paths):
        dated = {"CreationDate": None} if path.suffix == ".pdf" else {}
        with store.atomic(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], dpi=200, metadata=dated)


def _colours(names: Iterable[str]) -> dict[str, Any]:
    names = list(dict.fromkeys(names))
    return dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))


def largest(datasets: Mapping[Any, xr.Dataset]) -> list[Any]:
    """Choose one store for each method and symmetry, of its largest training size; constants are left out."""
    chosen: dict[str, dict[str, Any]] = {}
    for key, dataset in datasets.items():
        if dataset.attrs["kind"] == "constant":
            continue
        trained = chosen.setdefault(dataset.attrs["method"], {})
        symmetry, size = dataset.attrs.get("symmetry", ""), dataset.attrs.get("samples", 0)
        if symmetry not in trained or size > datasets[trained[symmetry]].attrs.get("samples", 0):
            trained[symmetry] = key
    places = {side: place for place, side in enumerate(("", *SYMMETRIES))}  # others as they come, behind these
    return [
        trained[side]
        for trained in chosen.values()
        for side in sorted(trained, key=lambda side: places.get(side, len(places)))
    ]


def plain(axis: Axis, ticks: Sequence[int] = ()) -> None:
    """Label a log axis by plain numbers: at 1, 2 and 5 of each decade, or where told."""
    axis.set_major_locator(FixedLocator(ticks) if ticks else LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def _spread(positions: np.ndarray, gap: float) -> np.ndarray:
    """Bring positions to between 0 and 1, then up until no two are nearer than a gap."""
    placed = positions.clip(0, 1)
    for low, high in pairwise(np.argsort(positions, kind="stable")):
        placed[high] = max(placed[high], placed[low] + gap)
    return placed


def _reference_lines(axes: Axes, lines: dict[str, float]) -> None:
    """Horizontal lines with labels to the right; what lies below the axis is told at its foot."""
    low, high = np.log10(axes.get_ylim())
    heights = (np.log10(np.maximum(list(lines.values()), 1e-300)) - low) / (high - low)
    for (name, value), height, place in zip(lines.items(), heights, _spread(heights, 0.07), strict=True):
        if height >= 0:
            axes.axhline(value, color=GREY, linewidth=0.9, linestyle="-" if name == "zero" else "-.", zorder=1)
        text = f" {name}" if height >= 0 else f" ↓ {name} {value:.0e}"
        axes.text(1, place, text, transform=axes.transAxes, va="center", fontsize=7, color=GREY)


def _curves(axes: Axes, frame: pd.DataFrame, column: str, colours: dict[str, Any], **how: Any) -> None:
    """Draw one curve for each method and symmetry of a tidy frame."""
    for (name, symmetry), lines in frame.groupby(["method", "symmetry"], sort=False):
        look = {"color": colours[name], **SYMMETRIES[symmetry], **how}
        axes.errorbar(lines["samples"].astype(float), lines[column], yerr=lines.get("error"), capsize=2, **look)


def _ratios(axes: Axes, frame: pd.DataFrame, column: str, colours: dict[str, Any], **how: Any) -> None:
    for name, lines in frame.groupby("method", sort=False):
        wide = lines.pivot(index="samples", columns="symmetry", values=column).reindex(columns=list(SYMMETRIES))
        ratio = (wide["after"] / wide["before"]).dropna()
        axes.plot(ratio.index.astype(float), ratio, color=colours[name], **how)


def _without_curve(frame: pd.DataFrame) -> dict[str, float]:
    """Relative error of constants and solvers; the mean object's is that of the largest training set."""
    rest = frame[frame["symmetry"].isna() | frame["method"].isin(CONSTANTS)].sort_values("samples")
    names = [
        f"{method} {symmetry}" for method, symmetry in zip(rest["method"], rest["symmetry"].fillna(""), strict=True)
    ]
    return {name.strip(): float(value) for name, value in zip(names, rest["relative"], strict=True)}


def _keys(colours: dict[str, Any]) -> list[Line2D]:
    keys = [Line2D([], [], color=colour, linewidth=3, label=name) for name, colour in colours.items()]
    looks = SYMMETRIES | {"measured ratio": RATIO, "published ratio": PUBLISHED}
    return keys + [Line2D([], [], color=GREY, label=name, **look) for name, look in looks.items()]


@theme()
def error_against_size(frame: pd.DataFrame, published: str | Path | TextIO) -> Figure:
    """Draw the error against the training size, ours and published, and what breaking symmetries gains.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `tables.summarise` (or its CSV), of table 5.
    published : str, Path or file
        CSV with the columns table, network, samples, before and after.

    Returns
    -------
    matplotlib.figure.Figure
        Ours relative to predicting zero, bars being the deviation over seeds; published, on its own scale;
        the ratio after/before of both.
    """
    networks = frame[frame["symmetry"].notna() & ~frame["method"].isin(CONSTANTS)]
    networks = networks.assign(error=networks["sd"].fillna(0) * networks["relative"] / networks["mean"])
    stated = pd.read_csv(published).query("table == 5").rename(columns={"network": "method"})
    stated = stated.melt(["method", "samples"], list(SYMMETRIES), "symmetry", "published")
    colours = _colours([*networks["method"], *stated["method"]])

    figure = Figure(figsize=(TEXT_WIDTH, 2.9), layout="constrained")
    ours, theirs, ratios = figure.subplots(1, 3, width_ratios=[1.25, 1, 1])
    _curves(ours, networks, "relative", colours)
    _curves(theirs, stated, "published", colours, linestyle="--")
    _ratios(ratios, networks, "relative", colours, **RATIO)
    _ratios(ratios, stated, "published", colours, **PUBLISHED)
    ours.set(yscale="log", ylabel=SHARE, title="measured")
    theirs.set(yscale="log", ylabel="SA-MSE (published scale)", title="published")
    ratios.set(ylabel="ratio of SA-MSE", title="after / before", ylim=(0, None))
    for axes, sizes in ((ours, networks["samples"]), (theirs, stated["samples"]), (ratios, [])):
        axes.set(xscale="log", xlabel="training samples")
        axes.tick_params(axis="x", rotation=45)
        axes.margins(x=0.08)
        plain(axes.xaxis, sorted({int(size) for size in sizes}))
    lines, best = _without_curve(frame), networks["relative"].min()
    # A solver may be decades below every network: its line would leave no room for theirs.
    ours.set_ylim(min([best, *(value for value in lines.values() if value > best / 10)]) / 1.5, 1.3)
    _reference_lines(ours, lines)
    plain(ours.yaxis)
    plain(theirs.yaxis)
    figure.legend(handles=_keys(colours), loc="outside lower center", ncols=len(colours) + 4)
    return figure


@theme()
def learning_curves(history_paths: Iterable[str | Path]) -> Figure:
    """Draw training loss and validation error against the epoch, one line a training.

    Parameters
    ----------
    history_paths : iterable of str or Path
        ``…/{network}/{symmetry}/n{samples}/seed{seed}/history.csv``.

    Returns
    -------
    matplotlib.figure.Figure
        One column for each network and symmetry; seeds share colour and line of their training size.
    """
    runs = [(*Path(path).parts[-5:-2], pd.read_csv(path)) for path in history_paths]
    cells = list(dict.fromkeys((network, symmetry) for network, symmetry, _, _ in runs))
    sizes = sorted({size for _, _, size, _ in runs}, key=lambda size: int(size[1:]))
    palette = sns.color_palette("viridis_r", len(sizes) + 1)[1:]
    looks = {
        size: {"color": colour, "linestyle": ("-", "--", "-.", ":")[index % 4], "linewidth": 0.9}
        for index, (size, colour) in enumerate(zip(sizes, palette, strict=True))
    }
    figure = Figure(figsize=(max(4.0, 1.6 * len(cells) + 0.8), 3.8), layout="constrained")
    grid = figure.subplots(2, len(cells), sharex=True, sharey="row", squeeze=False)
    for network, symmetry, size, history in runs:
        loss, validation = grid[:, cells.index((network, symmetry))]
        loss.plot(history["epoch"], history["loss"], **looks[size])
        validation.plot(history["epoch"], history["validation_sa_mse"], **looks[size])
    for (loss, validation), cell in zip(grid.T, cells, strict=True):
        loss.set(title=" ".join(cell), yscale="log")
        validation.set(xlabel="epoch", yscale="log")
    grid[0, 0].set_ylabel("training loss")
    grid[1, 0].set_ylabel("validation SA-MSE\n(per complex pixel)")
    for axes in grid[:, 0]:
        plain(axes.yaxis)
    keys = [Line2D([], [], label=f"{size[1:]} samples", **look) for size, look in looks.items()]
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return figure


def _label_points(axes: Axes, points: dict[str, tuple[float, float]]) -> None:
    """Name points inside the axes, each where it covers no other name and no point."""
    axes.figure.draw_without_rendering()
    taken = [drawn.get_window_extent().padded(2) for drawn in axes.lines]
    sides = ((1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
    places = [(far * x, far * y) for far in (7, 13, 20, 28, 37) for x, y in sides]
    line = {"arrowstyle": "-", "linewidth": 0.5, "color": GREY, "shrinkA": 0, "shrinkB": 3}
    how = {"textcoords": "offset points", "va": "center", "fontsize": 7, "arrowprops": line}
    for name, point in points.items():
        for place in places:
            label = axes.annotate(name, point, place, ha="left" if place[0] > 0 else "right", **how)
            label.get_window_extent()  # moves the text to its place; its own box holds the line too
            box = Text.get_window_extent(label)
            inside = axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max)
            if place == places[-1] or (inside and not any(map(box.overlaps, taken))):
                break
            label.remove()
        taken.append(box)


SPLITS = {"test": "noise-free", "noisy": "with photon noise"}


@theme()
def error_against_time(score_paths: Iterable[str | Path]) -> Figure:
    """Draw the error on the test set against the time that a method takes for a pattern, with noise and without.

    Parameters
    ----------
    score_paths : iterable of str or Path
        Score stores; those of the training split are left out, and of networks all but the largest size.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each split, on the same patterns: time in milliseconds, mean over seeds; SA-MSE relative to
        predicting zero, which is the line at 1.
    """
    paths = list(score_paths)
    chosen = dict(zip(paths, map(store.open_dataset, paths), strict=True))
    panels = {
        split: largest({path: one for path, one in chosen.items() if one.attrs["split"] == split}) for split in SPLITS
    }
    panels = {split: methods for split, methods in panels.items() if methods}
    count = min(chosen[path].sizes["sample"] for methods in panels.values() for path in methods)
    colours = _colours(chosen[path].attrs["method"] for methods in panels.values() for path in methods)
    figure = Figure(figsize=(TEXT_WIDTH if len(panels) > 1 else 4.6, 3.4), layout="constrained")
    for axes, (split, methods) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        points = {}
        for path in methods:
            found = errors.read(path, count=count)
            name, symmetry = found.about["method"], found.about.get("symmetry", "")
            point = 1e3 * found.seconds, float(found.relative.mean())
            points[f"{name} {symmetry}".strip()] = point
            axes.plot(*point, **{"color": colours[name], "marker": "^", **SYMMETRIES.get(symmetry, {})})
        axes.set(
            xscale="log", yscale="log", xlabel="time per pattern (ms)", title=f"{SPLITS[split]}, {count} patterns"
        )
        axes.margins(0.15)
        axes.axhline(1, color=GREY, linewidth=0.9)
        _label_points(axes, points)
    figure.axes[0].set_ylabel(SHARE)
    return figure
