"""A picture of what preparation makes of a frame: both of them, and the mean over rings."""

from pathlib import Path

import numpy as np
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from farfield.measured.detector import sized
from farfield.measured.preparation import Prepared
from farfield.measured.volumes import AXES
from farfield.study.figures import GREY, TEXT_WIDTH, save, theme

MASKED = sns.color_palette("colorblind")[9]
"""Colour of pixels that count for nothing; magma has no blue that is as light."""

DECADES = 6
"""Of intensity that are shown below the maximum."""


def _numpy(values: torch.Tensor | float | None, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(np.asarray(0.0 if values is None else values, dtype=np.float64), shape)


def _scale(shown: np.ndarray) -> LogNorm:
    """Choose a log scale from the weakest intensity, or six decades, to the strongest; not of one value alone."""
    positive = shown[shown > 0]
    lowest, highest = float(positive.min()), float(positive.max())
    return LogNorm(max(min(lowest, highest / 10), highest / 10**DECADES), highest)


def _picture(axes: Axes, values: np.ndarray, good: np.ndarray, unit: str) -> None:
    """Draw intensities on a log scale, zeros as dark as can be, and what is masked in a colour of its own."""
    axes.grid(visible=False)
    scale = _scale(values[good])
    drawn = np.maximum(np.where(good, values, scale.vmin), scale.vmin)
    image = axes.imshow(drawn, norm=scale, cmap="magma", interpolation="nearest")
    hidden = np.ma.masked_where(good, good)
    axes.imshow(hidden, cmap=ListedColormap([to_rgb(MASKED)]), interpolation="nearest")
    bar = axes.figure.colorbar(image, ax=axes, orientation="horizontal", aspect=30, pad=0.02)
    bar.set_label(unit)
    bar.ax.minorticks_off()


def _raw(axes: Axes, prepared: Prepared, raw: np.ndarray) -> None:
    """Draw the frame as it came, with what was kept of it and what of that is masked."""
    ((top, bottom), (left, right)), (down, across) = prepared.region[-2:], prepared.bin[-2:]
    mask = prepared.mask.numpy()
    good = np.isfinite(raw)
    middle = mask if mask.ndim == 2 else mask[len(mask) // 2]
    good[top:bottom, left:right] &= middle.repeat(down, 0).repeat(across, 1)
    _picture(axes, raw.astype(np.float64), good, "as it came")
    frame = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor="white", linewidth=1)
    axes.add_patch(frame)
    axes.set_title(f"frame, {sized(raw.shape)}; kept: in white")


def _prepared(axes: Axes, prepared: Prepared) -> None:
    """Draw the pattern, DC in the middle of its axes."""
    good, side = prepared.mask.numpy(), len(prepared.mask)
    _picture(axes, prepared.intensity.numpy().astype(np.float64), good, "intensity")
    middle, step = side // 2, side // 4
    axes.set(xticks=[middle - step, middle, middle + step], yticks=[middle - step, middle, middle + step])
    names = [f"−{step}", "0", f"{step}"]
    axes.set(xticklabels=names, yticklabels=names)
    axes.set_title(f"pattern, {sized(good.shape)}; DC at 0")


def _ring_means(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Mean over the good pixels of each ring of one pixel that fits the frame; NaN for a ring without any."""
    side = len(good)
    rows, columns = np.indices(good.shape) - side // 2
    ring = np.rint(np.hypot(rows, columns)).astype(int)
    inside = good & (ring < side // 2)
    count = np.bincount(ring[inside], minlength=side // 2)
    total = np.bincount(ring[inside], values[inside], minlength=side // 2)
    return np.divide(total, count, out=np.full(side // 2, np.nan), where=count > 0)


def _rings(axes: Axes, prepared: Prepared) -> None:
    """Draw the mean over rings, with the background and one photon where these are known."""
    good = prepared.mask.numpy()
    colours = sns.color_palette("colorblind")
    mean = _ring_means(prepared.intensity.numpy().astype(np.float64), good)
    radius = np.arange(len(mean))
    axes.plot(radius, np.where(mean > 0, mean, np.nan), color=colours[0], label="pattern")
    background = _ring_means(_numpy(prepared.background, good.shape), good)
    if (background > 0).any():
        drawn = np.where(background > 0, background, np.nan)
        axes.plot(radius, drawn, color=colours[1], linestyle="--", label="background")
    if prepared.quantum is not None:
        photon = np.median(_numpy(prepared.quantum, good.shape)[good])
        axes.axhline(photon, color=GREY, linewidth=0.9, linestyle=":", label="one photon")
    axes.set(yscale="log", xlabel="pixels from the centre", ylabel="intensity a pixel", xlim=(0, len(mean) - 1))
    axes.minorticks_off()
    axes.set_title("mean over rings")
    sns.despine(ax=axes)


def _plane(axes: Axes, prepared: Prepared, axis: int) -> None:
    """Draw the plane of a volume through DC that lies across an axis."""
    values, good = (x.numpy().take(x.shape[axis] // 2, axis) for x in (prepared.intensity, prepared.mask))
    _picture(axes, values.astype(np.float64), good, "intensity")
    axes.set(xticks=[], yticks=[])
    down, across = (name for number, name in enumerate(AXES) if number != axis)
    axes.set_title(f"volume through DC: {down} down, {across} across")


def _rocking(axes: Axes, prepared: Prepared) -> None:
    """Draw the intensity of each frame that was kept."""
    first, _ = prepared.region[0]
    numbers = first + prepared.bin[0] * np.arange(len(prepared.mask))
    sums = prepared.intensity.sum((1, 2), dtype=torch.float64).numpy()
    axes.plot(numbers, np.where(sums > 0, sums, np.nan), marker=".", markersize=3)
    axes.set(yscale="log", xlabel="frame", ylabel="intensity a frame", title="rocking curve")
    axes.minorticks_off()
    sns.despine(ax=axes)


@theme()
def draw(prepared: Prepared, raw: np.ndarray, path: str | Path) -> None:
    """Draw a frame, the pattern that was made of it, and the pattern's mean over rings.

    Of a scan, draw the frame of its DC, two planes of the volume, and the rocking curve.

    Parameters
    ----------
    prepared : Prepared
        Of `preparation.prepare`, or of `volumes.prepare_scan`.
    raw : numpy.ndarray, shape (rows, columns)
        The frame that it was made of, or, of a scan, that of its DC.
    path : str or Path
        File to make, ``.png`` or ``.pdf``, whole or not at all.
    """
    scanned = prepared.mask.ndim == 3
    figure = Figure(figsize=(TEXT_WIDTH, 5.9 if scanned else 2.95), layout="constrained")
    axes = figure.subplots(2, 2).flat if scanned else figure.subplots(1, 3)
    _raw(axes[0], prepared, raw)
    if scanned:
        _plane(axes[1], prepared, 0)
        _plane(axes[2], prepared, 1)
        _rocking(axes[3], prepared)
    else:
        _prepared(axes[1], prepared)
        _rings(axes[2], prepared)
    share = 100 * float((~prepared.mask).double().mean())
    masked = Patch(color=MASKED, label=f"masked: {share:.2g} %")
    lines, _ = axes[-1].get_legend_handles_labels()
    figure.legend(handles=[*lines, masked], loc="lower right", ncols=2)  # where the pictures have their bars
    save(figure, path)
