"""Figures of learning from data, physics or both: error against α, by frequency, and the phases themselves."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from farfield.machine import store
from farfield.study import bands, errors
from farfield.study.figures import GREY, TEXT_WIDTH, theme
from farfield.study.pictures import picture

SHOWN = 9
"""Most methods in the figure of phases: beside each other in the width of a page."""


def _logarithmic(axes: Axes, **labels: str) -> None:
    """Scale an axis by logarithms, with numbers at 1, 2 and 5; what lines are is told below."""
    axes.set(yscale="log", **labels)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    handles, _ = axes.get_legend_handles_labels()
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=-(-len(handles) // 3))


@theme()
def co_driven(frame: pd.DataFrame, rings: pd.DataFrame) -> Figure:
    """Draw the error against α, and every method's by spatial frequency.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `driven.compare`.
    rings : pandas.DataFrame
        From `bands.rings`, of the test set.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(TEXT_WIDTH, 3.6), layout="constrained")
    against, parts, spectrum = figure.subplots(1, 3)
    networks = frame[frame["kind"] == "network"].sort_values("data")
    networks = networks[networks["tests"] == networks.groupby("set")["tests"].transform("max")]
    for name, lines in networks.groupby("set", sort=False):
        against.errorbar(lines["data"], lines["error"], yerr=lines["sd"].fillna(lines["se"]), marker="o", label=name)
    own = networks[networks["set"] == "test"]
    for band, marker in (("low", "s"), ("high", "^")):
        parts.plot(own["data"], own[band], marker=marker, label=f"{band} frequencies")
    _logarithmic(against, xlabel="α, the share of the data", ylabel="error relative to a flat wave")
    _logarithmic(parts, xlabel="α, the share of the data", ylabel="error relative to what is there")
    names = rings["symmetry"].fillna(rings["method"])
    colours = sns.color_palette("colorblind", names.nunique())
    spectrum.axvline(bands.LOW, color=GREY, linewidth=0.9)
    for colour, (name, lines) in zip(colours, rings.groupby(names, sort=False), strict=True):
        spectrum.plot(lines["frequency"], lines["error"], color=colour, label=name)
    _logarithmic(spectrum, xlabel="frequency (Nyquist)", ylabel="error relative to what is there")
    return figure


@theme()
def phases(truth_path: str | Path, reconstruction_paths: Iterable[str | Path], height: float, count: int) -> Figure:
    """Show phases as they are and as each method has them, the offset removed, with the hologram.

    Parameters
    ----------
    truth_path : str or Path
        Of a set.
    reconstruction_paths : iterable of str or Path
        Of the same; the first seed of each is shown.
    height : float
        Of the objects, in radians.
    count : int
        Of samples, the first ones.

    Returns
    -------
    matplotlib.figure.Figure
    """
    truth = store.open_dataset(truth_path).isel(sample=slice(count)).load()
    made = [errors.checkpoint_of(store.open_dataset(path)).isel(seed=0) for path in reconstruction_paths][:SHOWN]
    side = TEXT_WIDTH / (2 + len(made))
    figure = Figure(figsize=(TEXT_WIDTH, 0.92 * side * count + 0.7), layout="constrained")
    axes = figure.subplots(count, 2 + len(made), squeeze=False, gridspec_kw={"wspace": 0.02, "hspace": 0.02})
    for row in range(count):
        phase = truth.object[row].values.real
        picture(axes[row, 0], truth.intensity[row].values, cmap="gray")
        shown = picture(axes[row, 1], phase, cmap="viridis", vmin=0, vmax=height)
        for column, found in enumerate(made):
            estimate = found.object[row].values.real
            picture(axes[row, 2 + column], estimate + (phase - estimate).mean(), cmap="viridis", vmin=0, vmax=height)
    names = [bands.name(x.attrs) for x in made]
    for column, title in zip(axes[0], ["hologram", "phase", *names], strict=True):
        column.set_title(title)
    figure.colorbar(shown, ax=axes, label="phase (rad)", location="bottom", shrink=0.3, aspect=30)
    return figure
