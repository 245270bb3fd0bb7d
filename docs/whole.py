"""Draw the whole, from data to tables, into docs/images/whole.png: `python docs/whole.py` (half a minute).

All in it is made here by farfield, but for the table, which is that of docs/reproduction.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

import farfield
from farfield.learning import Settings, fit
from farfield.symmetry import align

DOCS = Path(__file__).parent
SIZE, INK = 32, "0.2"
PHASES = sns.husl_palette(256, s=0.9, l=0.7, as_cmap=True)


def learned(pattern: torch.Tensor) -> torch.Tensor:
    """Let a network that was trained for some seconds, its symmetries broken, say what the object is."""
    sets = (farfield.break_symmetries(farfield.simulate(count, SIZE, seed)) for seed, count in ((1, 800), (2, 40)))
    settings = Settings(epochs=12, updates=0, batch_size=32, learning_rate=6e-3, schedule="cosine")
    with TemporaryDirectory() as folder, torch.random.fork_rng():
        network = fit("hybrid", *sets, settings, folder=folder, options={"width": 8})
    with torch.inference_mode():
        return network(pattern)


def show(axes: Axes, field: torch.Tensor) -> None:
    """Draw phase as colour and magnitude as brightness."""
    brightness = field.abs().clamp(0, 1).numpy()
    axes.imshow(field.angle().numpy(), PHASES, vmin=-np.pi, vmax=np.pi, alpha=brightness)
    axes.set(facecolor="black", xticks=[], yticks=[])


def number(axes: Axes, value: float) -> None:
    """Write an error in large digits."""
    text = f"{value:.2f}" if value > 0.01 else f"$10^{{{round(np.log10(value))}}}$"
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=24, color=INK)
    axes.set(xticks=[], yticks=[], facecolor="none")
    axes.spines[:].set_visible(False)


def table(axes: Axes) -> None:
    """Draw Table 5 of the reproduction: networks before and after breaking, by size of their training set."""
    rows = pd.read_csv(DOCS / "reproduction/table5.csv")
    for network, colour in (("unet", "tab:blue"), ("sisprnet", "tab:orange")):
        for side, line, face in (("before", ":", "white"), ("after", "-", colour)):
            mine = rows[(rows.method == network) & (rows.symmetry == side)]
            axes.plot(mine.samples, mine.relative, f"o{line}", color=colour, markerfacecolor=face)
    axes.text(1600, 0.53, "before breaking", color=INK, ha="center")
    axes.text(1600, 0.36, "after breaking", color=INK, ha="center")
    axes.set(xscale="log", xlabel="training crystals", ylim=(0, 1), yticks=(0, 0.5, 1))
    axes.set_xticks((500, 1000, 5000), ("500", "1000", "5000"))
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)


def place(figure: Figure, name: str, column: int, row: int) -> Axes:
    """Make room for one of two pictures in a column, with its name below it."""
    axes = figure.add_axes(((0.035, 0.265, 0.465)[column], (0.51, 0.095)[row], 0.165, 0.33))
    axes.set_xlabel(name, color=INK, labelpad=4)
    return axes


def draw() -> Figure:
    """Draw all of it on a white card, for light and dark pages."""
    truth = farfield.simulate(1, SIZE, seed=5)
    pattern = farfield.measure(truth)
    made = (learned(pattern)[0], farfield.reconstruct(pattern, seed=0).objects[0])
    figure = Figure(figsize=(8, 4), facecolor="none")
    card = {"boxstyle": "round,pad=0.01", "facecolor": "white", "edgecolor": "0.85", "zorder": -1}
    figure.add_artist(FancyBboxPatch((0.02, 0.02), 0.96, 0.96, **card))
    show(place(figure, "a crystal", 0, 0), truth[0])
    axes = place(figure, "its far field", 0, 1)
    axes.imshow(pattern[0].clamp_min(0.1).log10().numpy(), "magma")
    axes.set(xticks=[], yticks=[])
    for row, (name, found) in enumerate(zip(("a network", "iterations"), made, strict=True)):
        show(place(figure, name, 1, row), align(truth[0], found))
        error = farfield.symmetry_adjusted_mse(truth[0], found) / truth.abs().square().mean()
        number(place(figure, "SA-MSE", 2, row), float(error))
    table(figure.add_axes((0.715, 0.2, 0.25, 0.64)))
    for x, title in ((0.1175, "data"), (0.3475, "methods"), (0.5475, "scores"), (0.84, "tables")):
        figure.text(x, 0.92, title, fontsize=16, weight="bold", color=INK, ha="center", va="center")
    for x in (0.215, 0.455, 0.69):
        figure.text(x, 0.918, "➜", fontsize=19, color="0.55", ha="center", va="center")
    return figure


if __name__ == "__main__":
    with mpl.rc_context({"font.size": 12, "savefig.dpi": 160}):
        draw().savefig(DOCS / "images/whole.png")
