"""Figures of the learned starts: error against iterations, and ring by ring."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from farfield.study.figures import GREY, TEXT_WIDTH, plain, theme

UNLEARNED = {"cold": "-", "blob": "--", "mean-object": ":"}
"""Starts in which nothing is learned, drawn in grey by these lines."""

MARKERS = "osD^vP*X<>"


def _looks(names: list[str]) -> dict[str, dict[str, Any]]:
    """Grey lines for what is not learned, a colour and a marker for each of the others."""
    learned = [name for name in names if name not in UNLEARNED]
    colours = sns.color_palette("colorblind", len(learned))
    looks = {
        name: {"color": colour, "marker": MARKERS[number % len(MARKERS)]}
        for number, (name, colour) in enumerate(zip(learned, colours, strict=True))
    }
    return looks | {
        name: {"color": GREY, "linestyle": line, "marker": "."} for name, line in UNLEARNED.items() if name in names
    }


@theme()
def starts(frame: pd.DataFrame) -> Figure:
    """Draw what each start comes to, by iterations and by time.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `start_curves.summarise` (or its CSV).

    Returns
    -------
    matplotlib.figure.Figure
        SA-MSE relative to predicting zero, bars being standard errors over patterns, and the share solved.
    """
    figure = Figure(figsize=(TEXT_WIDTH, 3.2), layout="constrained")
    by_iterations, by_time, solved = figure.subplots(1, 3)
    looks = _looks(list(frame["start"].unique()))
    for name, look in looks.items():
        lines = frame[(frame["start"] == name) & (frame["iterations"] > 0)]
        by_iterations.errorbar(lines["iterations"], lines["mean"], yerr=lines["se"], label=name, **look)
        by_time.plot(lines["ms"], lines["mean"], **look)
        solved.plot(lines["iterations"], lines["solved"], **look)
    by_iterations.set(ylabel="SA-MSE relative to predicting zero", xlabel="iterations", xscale="log", yscale="log")
    by_time.set(xlabel="time per pattern (ms)", xscale="log", yscale="log")
    solved.set(xlabel="iterations", ylabel="share below 1e-3", xscale="log", ylim=(0, 1))
    counts = sorted({int(count) for count in frame["iterations"] if count})
    for axis, ticks in ((by_iterations.xaxis, counts), (solved.xaxis, counts), (by_time.xaxis, ())):
        plain(axis, ticks)
    for axes in (by_iterations, by_time):
        plain(axes.yaxis)
    figure.legend(loc="outside lower center", ncols=5)
    return figure


def _ring_curves(axes: Axes, frame: pd.DataFrame, column: str, looks: dict[str, dict[str, Any]]) -> None:
    for name, lines in frame.groupby("line", sort=False):
        axes.plot(
            (lines["low"] + np.minimum(lines["high"], lines["low"] + 0.25)) / 2,
            lines[column],
            label=name,
            **looks[name],
        )
    axes.axhline(1, color=GREY, linewidth=0.9)
    axes.set_xlabel("frequency (Nyquist of the object)")


@theme()
def rings(frame: pd.DataFrame) -> Figure:
    """Draw errors by spatial frequency.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `rings.compare` (or its CSV).

    Returns
    -------
    matplotlib.figure.Figure
        Error with phases, and of the amplitudes alone; the line at 1 is predicting zero.
    """
    several = frame["method"].nunique() > 1
    frame = frame.assign(line=frame["method"] + ", " + frame["symmetry"] if several else frame["symmetry"])
    figure = Figure(figsize=(TEXT_WIDTH, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    looks = _looks(list(frame["line"].unique()))
    _ring_curves(left, frame, "error", looks)
    _ring_curves(right, frame, "amplitude_error", looks)
    left.set(ylabel="error relative to the ring's energy", title="amplitudes and phases")
    right.set(title="amplitudes alone")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure
