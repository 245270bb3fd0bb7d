"""One figure of a result: how the pattern is explained, the object, and whether the starts agree."""

import math
from textwrap import fill

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from farfield.measured import cuts, trust
from farfield.measured.crystal import Crystal
from farfield.measured.cxi import Result
from farfield.physics.diffraction import far_field
from farfield.study.figures import GREY, TEXT_WIDTH, plain, theme
from farfield.study.pictures import picture

MASKED = "0.6"
"""Grey of what was not measured."""

MARGIN = 0.15
"""Around the support's box, as a share of its longer side."""

DECADES = 5
"""Shown below a pattern's maximum at most."""

LOOKS = {"deviance": ("o", "tab:blue", "measured"), "free_deviance": ("^", "tab:orange", "free pixels")}
"""Marker, colour and name of what is told of starts."""

LABELS = 6
"""Thresholds that are named below the starts at most."""


@theme()
def draw(result: Result, title: str) -> Figure:
    """Draw a result; `figures.save` writes it.

    Parameters
    ----------
    result : Result
    title : str
        First line above the figure, such as the file's name; the verdict is the second.

    Returns
    -------
    matplotlib.figure.Figure
        Pattern, fit and difference; magnitude with the support's outline, and phase; deviance of every start, and
        the PRTF.
    """
    figure = Figure(figsize=(TEXT_WIDTH, 6.6), layout="constrained")
    grid = figure.add_gridspec(2, 3)
    _patterns([figure.add_subplot(grid[0, column]) for column in range(3)], result)
    _object([figure.add_subplot(grid[1, column]) for column in range(2)], result)
    deviance, agreement = grid[1, 2].subgridspec(2, 1).subplots()
    _starts(deviance, result)
    _prtf(agreement, result)
    figure.suptitle(f"{title}\n{fill(result.verdict, 100, break_on_hyphens=False)}")
    return figure


@theme()
def draw_volume(result: Result, crystal: Crystal, title: str) -> Figure:
    """Draw the result of a rocking scan; `figures.save` writes it.

    Parameters
    ----------
    result : Result
    crystal : Crystal
        What `crystal.in_laboratory` made of it, or `crystal.in_voxels` where its place is not known.
    title : str
        First line above the figure, such as the scan's name; the verdict is the second.

    Returns
    -------
    matplotlib.figure.Figure
        The crystal in three planes, and its surface; deviance of every start, and the PRTF.
    """
    known = result.space is not None
    figure = Figure(figsize=(TEXT_WIDTH, 6.4), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[2, 1])
    cuts.panels(above, crystal, known)
    deviance, agreement = below.subplots(1, 2)
    _starts(deviance, result)
    _prtf(agreement, result)
    told = fill(result.verdict, 100, break_on_hyphens=False)
    figure.suptitle(f"{title}\n{told}\n{cuts.described(crystal, known)}")
    return figure


def _bar(axes: Axes, image: AxesImage, **how: object) -> None:
    """Put a colour bar below a picture, as wide as it is."""
    axes.figure.colorbar(image, cax=axes.inset_axes((0, -0.09, 1, 0.045)), orientation="horizontal", **how)


def _patterns(axes: list[Axes], result: Result) -> None:
    """Draw the pattern, the far field of the object on its scale, and what is between them."""
    field = far_field(torch.from_numpy(result.object), 1)
    fit = field.abs().square().double().numpy()
    measured = np.ma.masked_where(~result.mask, result.pattern.astype(np.float64))
    positive = measured[measured > 0]
    scale = LogNorm(max(positive.min(), positive.max() / 10**DECADES), positive.max())
    for one, name, values in zip(axes, ("pattern", "fit"), (measured, fit), strict=False):
        image = picture(
            one, np.ma.maximum(values, scale.vmin), cmap=colormaps["magma"].with_extremes(bad=MASKED), norm=scale
        )
        one.set_title(name)
        _bar(one, image)
    # The root brings Poisson noise to one width everywhere: 1 for counts.
    apart = 2 * (np.ma.sqrt(measured) - np.sqrt(fit))
    largest = float(np.percentile(np.abs(apart.compressed()), 99.5))
    image = picture(axes[2], apart, cmap=colormaps["RdBu_r"].with_extremes(bad=MASKED), vmin=-largest, vmax=largest)
    axes[2].set_title("difference: 2 (√pattern − √fit)")
    _bar(axes[2], image, extend="both")


def _window(support: np.ndarray) -> tuple[slice, slice]:
    """Square around the support's box, with a margin, inside the frame."""
    lines = [np.flatnonzero(support.any(axis)) for axis in (1, 0)]
    longest = max(line[-1] - line[0] + 1 for line in lines)
    side = min(len(support), math.ceil((1 + 2 * MARGIN) * longest))
    starts = [np.clip((line[0] + line[-1] + 1 - side) // 2, 0, len(support) - side) for line in lines]
    return tuple(slice(int(start), int(start) + side) for start in starts)


def _object(axes: list[Axes], result: Result) -> None:
    """Draw magnitude and phase, both cut out round the support; the mean phase, that nothing tells, is 0."""
    window = _window(result.support)
    support, values = result.support[window], result.object[window]
    values = values * np.exp(-1j * np.angle(values[support].sum()))
    image = picture(axes[0], np.abs(values), cmap="gray", vmin=0)
    axes[0].contour(support, [0.5], colors="tab:orange", linewidths=0.9)
    axes[0].set_title("magnitude, and the support")
    _bar(axes[0], image)
    _length(axes[0], len(values), result)
    inside = np.ma.masked_where(~support, np.angle(values))
    cyclic = colormaps["twilight_shifted"].with_extremes(bad="black")
    image = picture(axes[1], inside, cmap=cyclic, vmin=-np.pi, vmax=np.pi)
    axes[1].set_title("phase (rad)")
    _bar(axes[1], image, ticks=[-np.pi, 0, np.pi], format=lambda value, _: {-1: "−π", 0: "0", 1: "π"}[np.sign(value)])


def _length(axes: Axes, pixels: int, result: Result) -> None:
    """Draw a bar of a round length, a fifth to a half of the picture: in nm, or in pixels."""
    sides = result.sides()
    pixel, unit = (1.0, "pixels") if sides is None else (1e9 * float(sides.mean()) / len(result.object), "nm")
    longest = pixels * pixel / 2
    decade = 10.0 ** math.floor(math.log10(longest))
    length = max(decade * step for step in (1, 2, 5) if decade * step <= longest)
    look = {"frameon": False, "color": "white", "pad": 0.3, "sep": 3, "size_vertical": pixels / 100}
    axes.add_artist(AnchoredSizeBar(axes.transData, length / pixel, f"{length:g} {unit}", "lower left", **look))


def _places(thresholds: np.ndarray, figures: np.ndarray) -> np.ndarray:
    """Place starts side by side, by threshold, those of one by their figures; the n-th threshold's lie round n."""
    groups, places = np.unique(thresholds, return_inverse=True)[1], np.empty(len(thresholds))
    for number in range(groups.max() + 1):
        members = np.flatnonzero(groups == number)
        places[members[np.argsort(figures[members])]] = number + 0.7 * (np.arange(len(members)) + 0.5) / len(members)
    return places - 0.35


def _named(threshold: float) -> str:
    """Name a threshold; a support that stays has none."""
    return "support given" if math.isnan(threshold) else f"{threshold:.2g}"


def _starts(axes: Axes, result: Result) -> None:
    """Draw the deviance of every start, or its residual where the noise is unknown; kept ones are filled."""
    table = result.table
    looks = {name: look for name, look in LOOKS.items() if np.isfinite(table[name]).any()}
    looks = looks or {"residual": LOOKS["deviance"]}
    first = next(iter(looks))
    places = _places(table["threshold"], table[first])
    for name, (marker, colour, label) in looks.items():
        for chosen, face, told in ((table["kept"], colour, label), (~table["kept"], "white", None)):
            how = {"linestyle": "none", "color": colour, "markerfacecolor": face, "marker": marker, "label": told}
            axes.plot(places[chosen], table[name][chosen], **how)
    thresholds = np.unique(table["threshold"])
    named = range(0, len(thresholds), math.ceil(len(thresholds) / LABELS))
    axes.set_xticks(named, [_named(float(thresholds[number])) for number in named])
    noise = " (1: noise)" if first == "deviance" else ""
    axes.set(title=f"{first} of starts{noise}", xlabel="threshold (filled: kept)")
    if noise:
        axes.axhline(1, color=GREY, linewidth=0.9)
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(
            min(low, 0.4), max(high**1.5 if high > 10 else 2 * high, 5)
        )  # room for some ticks, and for the legend
        plain(axes.yaxis)
        axes.legend(loc="upper left", ncols=2, fontsize=7, handletextpad=0, columnspacing=1, borderaxespad=0.1)


def _scale(result: Result) -> tuple[float, str]:
    """Tell by what the number of a ring or shell is multiplied to be drawn, and what it is then."""
    if result.object.ndim == 2:
        return 1.0, "ring (pixels)"
    if result.width is not None:
        return result.width, "|q| (1/nm), all directions"
    return 1 / min(result.object.shape), "frequency (1/voxel)"


def _prtf(axes: Axes, result: Result) -> None:
    """Draw up to where the starts agree."""
    measured, (scale, unit) = np.flatnonzero(result.prtf > 0), _scale(result)
    axes.plot(scale * measured, result.prtf[measured])
    axes.axhline(1 / math.e, color=GREY, linewidth=0.9)
    axes.set(ylim=(0, 1.1), title="agreement of starts (PRTF)", xlabel=unit)
    ring = trust.resolution(result.prtf)
    if ring is None:
        return
    place = scale * ring
    axes.axvline(place, color=GREY, linewidth=0.9, linestyle=":")
    period = "" if result.width is None else f": {2 * math.pi / (max(ring, 1) * result.width):.3g} nm"
    # To the left the curve lies above 1/e, to the right mostly below.
    late = ring > len(result.prtf) / 2
    point, offset, aligned = ((place, 0.18), -3, "right") if late else ((place, 0.9), 3, "left")
    told = f"1/e at {place:.3g}{period}"
    axes.annotate(told, point, (offset, 0), textcoords="offset points", ha=aligned, va="center", fontsize=7)
