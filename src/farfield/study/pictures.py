"""Figures that show objects and patterns themselves: the symmetries, and test samples as every method sees them."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage

from farfield.machine import store
from farfield.physics import diffraction
from farfield.study import errors
from farfield.study.figures import SHARE, TEXT_WIDTH, largest, theme
from farfield.symmetry import actions, metrics

VISIBLE = 0.2
"""Magnitude below which a pixel's phase is not shown: it means nothing there."""

ACROSS = 12
"""Methods of real objects beside each other; more make another band."""


def picture(axes: Axes, values: np.ndarray, **how: Any) -> AxesImage:
    """Show pixels as they are, without ticks."""
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    return axes.imshow(values, interpolation="nearest", **how)


def _column(column: np.ndarray, title: str, objects: np.ndarray) -> tuple[AxesImage, AxesImage]:
    """Fill a column of axes with magnitude and phase in turn; returns the last of both."""
    column[0].set_title(title)
    for top, bottom, values in zip(column[::2], column[1::2], objects, strict=True):
        magnitude = picture(top, np.abs(values), cmap="gray", vmin=0, vmax=1)
        visible = np.ma.masked_where(np.abs(values) < VISIBLE, np.angle(values))
        phase = picture(bottom, visible, cmap="twilight", vmin=-np.pi, vmax=np.pi)
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
    image = picture(axes, shown, cmap="magma", extent=extent)
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
    truth = store.open_dataset(truth_path)
    objects = truth.object[: store.SAMPLES_PER_CHUNK].values
    sample, shift = _roomiest(objects)
    original = torch.from_numpy(objects[sample]).to(torch.complex128)
    copies = {
        "object": original,
        "translation": actions.translate(original, shift),
        "conjugate flip": actions.conjugate_flip(original),
        "global phase": actions.rotate_phase(original, 2 * np.pi / 3),
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


def _aligned(reference: np.ndarray, estimate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimates laid over their references, and their SA-MSE."""
    found = metrics.compare(torch.from_numpy(reference), torch.from_numpy(estimate))
    return found.aligned.numpy(), found.sa_mse.numpy()


@theme()
def reconstructions(
    truth_path: str | Path, reconstruction_paths: Iterable[str | Path], count: int, seed: int
) -> Figure:
    """Draw random samples as every method reconstructs them, beside the truth.

    Parameters
    ----------
    truth_path : str or Path
        Store with ``object`` (sample, y, x).
    reconstruction_paths : iterable of str or Path
        Reconstruction stores; of each network the largest training size is shown, of its first seed.
    count : int
        Samples to show: of complex objects magnitude and phase, of real ones magnitude alone.
    seed : int
        Of the choice of samples.

    Returns
    -------
    matplotlib.figure.Figure
        Reconstructions aligned to the truth, with their SA-MSE each relative to predicting zero for it.
    """
    truth, opened = store.open_dataset(truth_path), dict(enumerate(map(store.open_dataset, reconstruction_paths)))
    methods = [opened[key] for key in largest(opened)]
    available = min(dataset.sizes["sample"] for dataset in (truth, *methods))
    picked = np.sort(np.random.default_rng(seed).choice(available, count, replace=False))
    reference = truth.object[picked].values
    shown = {}
    for dataset in methods:
        about, estimate = dataset.attrs, errors.checkpoint_of(dataset).object.isel(seed=0)[picked].values
        shown[about["method"], about.get("symmetry", "iterative")] = _aligned(reference, estimate)
    figure = (_objects if reference.imag.any() else _magnitudes)(reference, shown, picked)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    figure.supxlabel(f"numbers: {SHARE}; frames of {reference.shape[-1]} pixels")
    return figure


Shown = dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]
"""Of a method and what it was trained for: objects laid over the truth, and their SA-MSE."""


def _tell(axes: Iterable[Axes], error: np.ndarray, reference: np.ndarray) -> None:
    for one, value, own in zip(axes, error, np.abs(reference) ** 2, strict=True):
        one.set_xlabel(f"{errors.relative(value, own):.2g}", fontsize=7, labelpad=1.5)


def _objects(reference: np.ndarray, shown: Shown, picked: np.ndarray) -> Figure:
    """Draw magnitudes and phases, a column for each method."""
    count = len(picked)
    figure = Figure(figsize=(0.92 * len(shown) + 1.8, 2.05 * count + 0.6), layout="constrained")
    grid = figure.subplots(2 * count, len(shown) + 1, squeeze=False)
    for column, (names, (aligned, error)) in zip(grid.T, shown.items(), strict=False):
        _column(column, "\n".join(names), aligned)
        _tell(column[::2], error, reference)
    images = _column(grid[:, -1], "truth", reference)
    for axes, sample in zip(grid[::2, 0], picked, strict=True):
        axes.set_ylabel(f"sample {sample}")
    _bars(figure, images, grid, 30)
    return figure


def _name(method: str, objective: str, several: bool) -> str:
    """Name a column: one network of several by itself and its objective, the only one by that alone."""
    if objective == "iterative":
        return method
    return f"{method} {objective}" if several else objective


def _magnitudes(reference: np.ndarray, shown: Shown, picked: np.ndarray) -> Figure:
    """Draw real objects, whose phases would say nothing, the truth first in each band of methods."""
    several = len({method for method, objective in shown if objective != "iterative"}) > 1
    columns = [(_name(*key, several), *found) for key, found in shown.items()]
    bands = np.array_split(np.arange(len(columns)), math.ceil(len(columns) / ACROSS))
    across, heights = len(bands[0]) + 1, [0.9, *len(picked) * [0.72]]  # over each band, room for slanted names
    figure = Figure(figsize=(0.6 * across + 0.8, len(bands) * sum(heights) + 0.3), layout="constrained")
    grid = figure.subplots(len(bands) * len(heights), across, squeeze=False, height_ratios=heights * len(bands))
    for axes in grid.flat:
        axes.set_axis_off()
    for band, rows in zip(bands, np.split(grid, len(bands)), strict=True):
        some = [("truth", reference, None), *(columns[number] for number in band)]
        for column, (name, objects, error) in zip(rows[1:].T, some, strict=False):
            column[0].text(0.4, 1.06, name, transform=column[0].transAxes, rotation=40, fontsize=7, in_layout=False)
            for axes, values in zip(column, objects, strict=True):
                axes.set_axis_on()
                image = picture(axes, np.abs(values), cmap="gray", vmin=0, vmax=1)
            if error is not None:
                _tell(column, error, reference)
        for axes, sample in zip(rows[1:, 0], picked, strict=True):
            axes.set_ylabel(sample, fontsize=7)
    figure.colorbar(image, ax=grid, label="magnitude", ticks=[0, 0.5, 1], aspect=30 * len(bands))
    return figure
