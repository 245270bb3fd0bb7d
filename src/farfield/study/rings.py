"""``tables/rings``: which spatial frequencies each objective gets right, amplitude and all."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from farfield.machine import store
from farfield.machine.shapes import TINY, Estimates, Objects
from farfield.physics.diffraction import far_field
from farfield.study import errors, rendering
from farfield.study.rendering import Block
from farfield.symmetry.actions import align

EDGES = (0, 1 / 18, 1 / 9, 1 / 6, 1 / 4, 13 / 36, 1 / 2, 1)
"""Of the rings, in units of the Nyquist frequency of the object's pixels; beyond the last lie the corners."""

COLUMNS = ["method", "symmetry", "ring", "low", "high", "energy", "error", "amplitude_error"]


def _ring_sums(power: torch.Tensor) -> torch.Tensor:
    """Sum (samples, M, M) over rings, samples and all, (rings,)."""
    side = power.shape[-1]
    line = (torch.arange(side) - side // 2) / (side / 2)
    radius = torch.hypot(line[:, None], line)
    ring = torch.bucketize(radius, torch.tensor(EDGES[1:-1]), right=True)
    return torch.zeros(len(EDGES) - 1, dtype=torch.float64).index_add_(
        0, ring.flatten(), power.double().sum(0).flatten()
    )


def ring_errors(truth: Objects, estimate: Estimates, oversampling: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tell errors by spatial frequency, after alignment.

    Parameters
    ----------
    truth : torch.Tensor, complex, shape (samples, N, N)
    estimate : torch.Tensor, complex, shape (samples, rows, columns)
    oversampling : int

    Returns
    -------
    tuple of numpy.ndarray, float64, shape (rings,)
        Each ring's share of the energy; Σ|F(A - B)|² / Σ|F(A)|² in it, which random phases of the right amplitudes
        make 2; and Σ(|F(A)| - |F(B)|)² / Σ|F(A)|².
    """
    same = align(truth, estimate)
    wanted, made = (far_field(x, oversampling) for x in (truth, same))
    energy = _ring_sums(wanted.abs().square())
    error = _ring_sums((wanted - made).abs().square())
    amplitude = _ring_sums((wanted.abs() - made.abs()).square())
    total = energy.clamp_min(TINY)
    return (energy / energy.sum()).numpy(), (error / total).numpy(), (amplitude / total).numpy()


def compare(truth_path: str | Path, reconstruction_paths: Iterable[str | Path], count: int) -> pd.DataFrame:
    """Reduce reconstructions to a line for each method and ring.

    Parameters
    ----------
    truth_path : str or Path
        Store with ``object`` and ``intensity``.
    reconstruction_paths : iterable of str or Path
        Stores of the same samples; the first seed counts.
    count : int
        Of samples, the first ones.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`; ``low`` and ``high`` bound a ring in units of the object's Nyquist frequency.
    """
    truth = store.open_dataset(truth_path).isel(sample=slice(count))
    objects, oversampling = torch.from_numpy(truth.object.values), truth.sizes["ky"] // truth.sizes["y"]
    rows = []
    for made in map(store.open_dataset, reconstruction_paths):
        estimate = errors.checkpoint_of(made).isel(seed=0, sample=slice(count))
        about = {"method": made.attrs["method"], "symmetry": made.attrs.get("symmetry")}
        found = ring_errors(objects, torch.from_numpy(estimate.object.values), oversampling)
        for ring, values in enumerate(zip(*found, strict=True)):
            bounds = {"ring": ring, "low": EDGES[ring], "high": EDGES[ring + 1]}
            rows.append({**about, **bounds, **dict(zip(COLUMNS[-3:], values, strict=True))})
    return pd.DataFrame(rows, columns=COLUMNS)


def _label(low: float, high: float) -> str:
    return f"{low:.2f}+" if high == EDGES[-1] else f"{low:.2f}–{high:.2f}"


def _block(title: str, frame: pd.DataFrame, column: str) -> Block:
    rings = frame.drop_duplicates("ring")
    header = ["Method", *(_label(line.low, line.high) for line in rings.itertuples())]
    lines: list[Sequence[str]] = []
    for (method, symmetry), part in frame.groupby(["method", "symmetry"], sort=False, dropna=False):
        name = method if pd.isna(symmetry) else f"{method}, {symmetry}"
        lines.append([name, *(f"{value:.2f}" for value in part[column])])
    return Block(title, [("", column) for column in header], [list(line) for line in lines])


def table(frame: pd.DataFrame, count: int) -> rendering.Table:
    """Give what `compare` found its shape."""
    shares = frame.drop_duplicates("ring")
    told = ", ".join(f"{_label(line.low, line.high)}: {line.energy:.2f}" for line in shares.itertuples())
    caption = (
        "By spatial frequency, in units of the Nyquist frequency of the object's pixels, after alignment, over the "
        f"first {count} test samples. Share of the energy: {told}. 1 is what predicting zero costs; right amplitudes "
        "with random phases cost 2."
    )
    blocks = [
        _block("Error Σ|F(A - B)|² / Σ|F(A)|².", frame, "error"),
        _block("Error of the amplitudes alone, Σ(|F(A)| - |F(B)|)² / Σ|F(A)|².", frame, "amplitude_error"),
    ]
    return rendering.Table("rings", "Ring by ring", caption, frame, blocks)
