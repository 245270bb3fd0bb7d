"""The study's figures, drawn from stores and tables alone; one theme, readable in colour and in grey.

Every function returns a figure and `save` writes it. Colour tells methods apart; marker and line tell the
symmetries of the training set apart: open and dotted before breaking, filled and solid after.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

from farfield import store

TEXT_WIDTH = 7.2
"""Inches: two columns of a journal page."""

VISIBLE = 0.2
"""Magnitude below which a pixel's phase is not shown: it means nothing there."""

SYMMETRIES: dict[str, dict[str, Any]] = {
    "before": {"marker": "o", "linestyle": ":", "markerfacecolor": "white"},
    "after": {"marker": "s", "linestyle": "-"},
}

RATIO = {"marker": "D", "linestyle": "-"}

PUBLISHED = {"marker": "D", "linestyle": "--", "markerfacecolor": "white"}

CONSTANTS = ("zero", "mean-object")

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


def _picture(axes: Axes, values: np.ndarray, **how: Any) -> AxesImage:
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    return axes.imshow(values, interpolation="nearest", **how)


def _column(column: np.ndarray, title: str, objects: np.ndarray) -> tuple[AxesImage, AxesImage]:
    """Fill a column of axes with magnitude and phase in turn; returns the last of both."""
    column[0].set_title(title)
    for top, bottom, values in zip(column[::2], column[1::2], objects, strict=True):
        magnitude = _picture(top, np.abs(values), cmap="gray", vmin=0, vmax=1)
        visible = np.ma.masked_where(np.abs(values) < VISIBLE, np.angle(values))
        phase = _picture(bottom, visible, cmap="twilight", vmin=-np.pi, vmax=np.pi)
    return magnitude, phase


def _bars(figure: FigureBase, images: tuple[AxesImage, AxesImage], grid: np.ndarray, aspect: int) -> None:
    """Colour bars of magnitude and phase, beside the upper and the lower half of a grid."""
    above, below = np.array_split(grid, 2)
    figure.colorbar(images[0], ax=above, label="magnitude", ticks=[0, 0.5, 1], aspect=aspect)
    bar = figure.colorbar(images[1], ax=below, label="phase (rad)", ticks=[-np.pi, 0, np.pi], aspect=aspect)
    bar.ax.set_yticklabels(["−π", "0", "π"])


def _roomiest(objects: np.ndarray) -> tuple[int, tuple[int, int]]:
    """Object of a stack that can move furthest inside its frame, and that shift in pixels (down, right)."""
    shifts = []
    for filled in objects != 0:
        lines = [np.flatnonzero(filled.any(axis)) for axis in (1, 0)]
        rooms = [(-line[0], n - 1 - line[-1]) for line, n in zip(lines, filled.shape, strict=True)]
        shifts.append(tuple(int(max(room, key=abs)) for room in rooms))
    best = int(np.argmax([min(abs(down), abs(right)) for down, right in shifts]))
    return best, shifts[best]


def _pattern(axes: Axes, patterns: np.ndarray) -> None:
    """Draw the first of some patterns on a log scale, and say how far the others are from it."""
    largest = patterns[0].max()
    difference = np.abs(patterns - patterns[0]).max() / largest
    rows, columns = patterns[0].shape
    # Frequency 0 is the centre of pixel n // 2, so the edges lie half a pixel off ± 0.5.
    extent = (-0.5 - 0.5 / columns, 0.5 - 0.5 / columns, 0.5 - 0.5 / rows, -0.5 - 0.5 / rows)
    shown = np.log10(np.maximum(patterns[0] / largest, 1e-6))
    image = _picture(axes, shown, cmap="magma", extent=extent)
    axes.set(xticks=[-0.4, 0, 0.4], yticks=[-0.4, 0, 0.4])
    axes.set(xlabel="frequency (cycles per pixel)", ylabel="frequency (cycles per pixel)")
    told = f"one pattern for all {len(patterns)}:\nthey differ by at most {difference:.0e} of its maximum"
    axes.figure.suptitle(told)
    axes.figure.colorbar(image, ax=axes, label="log₁₀(intensity / maximum)")


@theme()
def symmetries(truth_path: str | Path) -> Figure:
    """Draw an object and its three symmetric copies, over their one shared pattern.

    Parameters
    ----------
    truth_path : str or Path
        Store with ``object`` (sample, y, x) and ``intensity`` (sample, ky, kx).

    Returns
    -------
    matplotlib.figure.Figure
        Magnitude and phase of the four, the pattern beside them, and the largest difference measured
        between the four patterns.
    """
    import torch

    from farfield import diffraction, symmetry

    truth = store.open_dataset(truth_path)
    objects = truth.object[: store.SAMPLES_PER_CHUNK].values
    sample, shift = _roomiest(objects)
    original = torch.from_numpy(objects[sample]).to(torch.complex128)
    copies = {
        "object": original,
        "translation": symmetry.translate(original, shift),
        "conjugate flip": symmetry.conjugate_flip(original),
        "global phase": symmetry.rotate_phase(original, 2 * np.pi / 3),
    }
    oversampling = truth.sizes["ky"] // truth.sizes["y"]
    patterns = diffraction.measure(torch.stack(list(copies.values())), oversampling).numpy()

    figure = Figure(figsize=(TEXT_WIDTH, 2.5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.55, 1])
    grid = left.subplots(2, len(copies))
    for column, (name, copy) in zip(grid.T, copies.items(), strict=True):
        images = _column(column, name, copy.numpy()[None])
    grid[1, 0].set_xlabel(f"{len(original)} pixels")
    _bars(left, images, grid, 12)
    _pattern(right.subplots(), patterns)
    return figure


def _largest(paths: Iterable[str | Path]) -> list[xr.Dataset]:
    """Open one store for each method and symmetry, of its largest training size; constants left out."""
    chosen: dict[str, dict[str, xr.Dataset]] = {}
    for dataset in map(store.open_dataset, paths):
        if dataset.attrs["kind"] == "constant":
            continue
        trained = chosen.setdefault(dataset.attrs["method"], {})
        symmetry, size = dataset.attrs.get("symmetry", ""), dataset.attrs.get("samples", 0)
        if symmetry not in trained or size > trained[symmetry].attrs.get("samples", 0):
            trained[symmetry] = dataset
    return [trained[key] for trained in chosen.values() for key in ("", *SYMMETRIES) if key in trained]


def _validated(dataset: xr.Dataset) -> xr.Dataset:
    checkpoints = list(dataset.checkpoint.values)
    return dataset.isel(checkpoint=checkpoints.index("best") if "best" in checkpoints else 0)


def _aligned(reference: np.ndarray, estimate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimates laid over their references, and their SA-MSE relative to predicting zero."""
    import torch

    from farfield import metrics, symmetry

    truth, guess = torch.from_numpy(reference), torch.from_numpy(estimate)
    zero = truth.abs().double().square().mean((-2, -1))
    relative = metrics.symmetry_adjusted_mse(truth, guess) / zero
    return symmetry.align(truth, guess).numpy(), relative.numpy()


@theme()
def reconstructions(
    truth_path: str | Path, reconstruction_paths: Iterable[str | Path], count: int, seed: int
) -> Figure:
    """Draw random samples as every method reconstructs them, truth last.

    Parameters
    ----------
    truth_path : str or Path
        Store with ``object`` (sample, y, x).
    reconstruction_paths : iterable of str or Path
        Reconstruction stores; of each network the largest training size is shown, of its first seed.
    count : int
        Samples to show, two rows each.
    seed : int
        Of the choice of samples.

    Returns
    -------
    matplotlib.figure.Figure
        Reconstructions aligned to the truth, with their SA-MSE relative to predicting zero.
    """
    truth, methods = store.open_dataset(truth_path), _largest(reconstruction_paths)
    available = min(dataset.sizes["sample"] for dataset in (truth, *methods))
    picked = np.sort(np.random.default_rng(seed).choice(available, count, replace=False))
    reference = truth.object[picked].values

    figure = Figure(figsize=(0.92 * len(methods) + 1.8, 2.05 * count + 0.6), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    grid = figure.subplots(2 * count, len(methods) + 1, squeeze=False)
    for column, dataset in zip(grid.T, methods, strict=False):
        estimate = _validated(dataset).object.isel(seed=0)[picked].values
        aligned, relative = _aligned(reference, estimate)
        _column(column, f"{dataset.attrs['method']}\n{dataset.attrs.get('symmetry', 'iterative')}", aligned)
        for axes, value in zip(column[::2], relative, strict=True):
            axes.set_xlabel(f"{value:.2g}", fontsize=7, labelpad=1.5)
    images = _column(grid[:, -1], "truth", reference)
    for axes, sample in zip(grid[::2, 0], picked, strict=True):
        axes.set_ylabel(f"sample {sample}")
    _bars(figure, images, grid, 30)
    figure.supxlabel(f"numbers: {SHARE}; frames of {reference.shape[-1]} pixels")
    return figure


def _plain(axis: Axis, ticks: Sequence[int] = ()) -> None:
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
def error_against_size(frame: pd.DataFrame, published: str | Path) -> Figure:
    """Draw the error against the training size, ours and published, and what breaking symmetries gains.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `tables.summarise` (or its CSV), of table 5.
    published : str or Path
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
        _plain(axes.xaxis, sorted({int(size) for size in sizes}))
    lines, best = _without_curve(frame), networks["relative"].min()
    # A solver may be decades below every network: its line would leave no room for theirs.
    ours.set_ylim(min([best, *(value for value in lines.values() if value > best / 10)]) / 1.5, 1.3)
    _reference_lines(ours, lines)
    _plain(ours.yaxis)
    _plain(theirs.yaxis)
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
    grid[0, 0].set_ylabel("training loss (MSE)")
    grid[1, 0].set_ylabel("validation SA-MSE\n(per complex pixel)")
    for axes in grid[:, 0]:
        _plain(axes.yaxis)
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
        A panel for each split: time in milliseconds, mean over seeds; SA-MSE relative to predicting zero, which
        is the line at 1.
    """
    paths = [(path, store.open_dataset(path).attrs["split"]) for path in score_paths]
    panels = {split: _largest(path for path, its in paths if its == split) for split in SPLITS}
    panels = {split: methods for split, methods in panels.items() if methods}
    colours = _colours(dataset.attrs["method"] for methods in panels.values() for dataset in methods)
    figure = Figure(figsize=(TEXT_WIDTH if len(panels) > 1 else 4.6, 3.4), layout="constrained")
    for axes, (split, methods) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        points = {}
        for dataset in methods:
            name, symmetry = dataset.attrs["method"], dataset.attrs.get("symmetry", "")
            scores = _validated(dataset)
            point = 1e3 * float(scores.seconds.mean()), float(scores.sa_mse.mean() / dataset.energy.mean())
            points[f"{name} {symmetry}".strip()] = point
            axes.plot(*point, **{"color": colours[name], "marker": "^", **SYMMETRIES.get(symmetry, {})})
        axes.set(xscale="log", yscale="log", xlabel="time per pattern (ms)", title=SPLITS[split])
        axes.margins(0.15)
        axes.axhline(1, color=GREY, linewidth=0.9)
        _label_points(axes, points)
    figure.axes[0].set_ylabel(SHARE)
    return figure
