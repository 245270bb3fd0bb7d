"""Figures of the argument: the learned square root, and what more samples do before and after breaking."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from farfield.study.figures import GREY, SYMMETRIES, TEXT_WIDTH, theme

LEARNED = {
    "ultra-dense": "(i) ultra-dense",
    "dense": "(ii) dense",
    "after": "(iii) after breaking",
}

CHOSEN = {"representative": "(iv) representative", "smallest": "(v) and smallest", "connected": "(vi) and connected"}

SHOWN = 600
"""Samples of a set that a panel shows at most."""


def _count(number: float, _: int = 0) -> str:
    return f"{number:,.0f}".replace(",", " ")


def _learned(axes: Axes, part: pd.DataFrame, title: str) -> None:
    samples, learned = part[part.kind == "sample"], part[part.kind == "learned"]
    axes.scatter(samples.y[:SHOWN], samples.x[:SHOWN], s=5, color="0.6", linewidths=0, label="training set")
    axes.plot(learned.y, learned.x, color=sns.color_palette("colorblind")[3], label="learned")
    axes.set_title(f"{title}: {_count(float(len(samples)))} samples")


def _chosen(axes: Axes, part: pd.DataFrame, title: str) -> None:
    axes.scatter(part.y[:SHOWN], part.x[:SHOWN], s=5, color=sns.color_palette("colorblind")[0], linewidths=0)
    covered, twice, pieces = part[["covered", "twice", "pieces"]].iloc[0]
    plural = "s" if pieces > 1 else ""
    text = f"{100 * covered:.0f} % of the orbits,\n{100 * twice:.0f} % twice; {pieces:.0f} piece{plural}"
    axes.text(0.96, 0.5, text, transform=axes.transAxes, fontsize=7, va="center", ha="right")
    axes.set_title(title)


@theme()
def square_root(learned: pd.DataFrame, choices: pd.DataFrame) -> Figure:
    """Draw figure 2: what a perceptron makes of the square root, and three ways to choose its representatives.

    Parameters
    ----------
    learned : pandas.DataFrame
        Of `learning.learn_square_root`.
    choices : pandas.DataFrame
        Of `learning.choices`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(TEXT_WIDTH, 4.3), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True, sharey=True)
    for panel, (name, title) in zip(axes[0], LEARNED.items(), strict=True):
        _learned(panel, learned[learned.set == name], title)
    for panel, (name, title) in zip(axes[1], CHOSEN.items(), strict=True):
        _chosen(panel, choices[choices.set == name], title)
    axes[0, 2].legend(loc="lower right", markerscale=2)
    axes[0, 0].set(xlim=(-0.02, 1.02), ylim=(-1.15, 1.15))
    figure.supxlabel("measurement y = x²")
    figure.supylabel("object x")
    return figure


def _against_samples(axes: Axes, table: pd.DataFrame, value: str, spread: str, colour: object, label: str) -> None:
    for symmetry, part in table.groupby("symmetry", sort=False):
        part = part.sort_values("samples")
        style = SYMMETRIES[symmetry]
        axes.errorbar(
            part["samples"],
            part[value],
            part[spread],
            color=colour,
            capsize=2,
            label=f"{label}{symmetry}",
            **style,
        )


def _variation(axes: Axes, variation: pd.DataFrame) -> None:
    reduced = variation.groupby(["symmetry", "samples"], sort=False).variation.agg(["mean", "std"]).reset_index()
    _against_samples(axes, reduced, "mean", "std", GREY, "")
    axes.set(xscale="log", yscale="log", xlabel="training samples", ylabel="total variation of the target")
    axes.set_title("square root")
    axes.legend()


def _gaussian(axes: Axes, table: pd.DataFrame, dimension: int) -> None:
    palette = sns.color_palette("colorblind")
    for colour, (method, part) in zip(palette, table.groupby("method"), strict=False):
        _against_samples(axes, part, "mean", "sd", colour, f"{method}, ")
        published = part[part.published.notna()]
        axes.plot(published["samples"], published.published, "x", color=colour, label=f"{method}, published")
    axes.set(xscale="log", yscale="log", xlabel="training samples")
    axes.xaxis.set_major_locator(FixedLocator(np.sort(table["samples"].unique())))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_count))
    axes.set_title(f"Gaussian, dimension {dimension}")


@theme()
def more_samples(variation: pd.DataFrame, gaussian: pd.DataFrame) -> Figure:
    """Draw what more samples do: to the target's total variation, and to the test error of Gaussian phase retrieval.

    Parameters
    ----------
    variation : pandas.DataFrame
        Of `learning.variation_against_size`.
    gaussian : pandas.DataFrame
        Of `tables.gaussian`; crosses are the published values, whose metric no source states.

    Returns
    -------
    matplotlib.figure.Figure
    """
    dimensions = sorted(gaussian["dimension"].unique().tolist())
    figure = Figure(figsize=(TEXT_WIDTH, 2.9), layout="constrained")
    axes = figure.subplots(1, 1 + len(dimensions))
    _variation(axes[0], variation)
    for panel, dimension in zip(axes[1:], dimensions, strict=True):
        _gaussian(panel, gaussian[gaussian["dimension"] == dimension], dimension)
        panel.sharey(axes[1])
    axes[1].set_ylabel("test error (% of zero)")
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure
