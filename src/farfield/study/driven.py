"""``tables/co-driven``: learning from data, from physics or from both, on a network's own objects and on others."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from farfield.machine import store
from farfield.study import bands, errors, rendering
from farfield.study.rendering import Block

COLUMNS = ["set", "method", "symmetry", "data", "kind", "seeds", "tests", "error", "sd", "se", "psnr", "ssim"]
COLUMNS += ["low", "high", "residual", "ms"]

SETS = {"test": "the networks' own kind of objects", "noisy": "the same with photon noise"}


def _row(scores: xr.Dataset, count: int, shares: Mapping[str, float]) -> dict[str, object]:
    """One line, over the first samples of a store."""
    some = scores.isel(sample=slice(count))
    relative = (some.sa_mse / some.energy).transpose("seed", "sample").values
    if not np.isfinite(relative).all():
        raise ValueError(f"expected finite scores of {bands.name(scores.attrs)}, found NaN or infinity; redo them")
    by_seed, by_sample = relative.mean(1), relative.mean(0)
    low, high = bands.band_errors(some)
    return {
        "set": scores.attrs["split"],
        "method": scores.attrs["method"],
        "symmetry": scores.attrs.get("symmetry"),
        "data": shares.get(scores.attrs.get("symmetry"), np.nan),
        "kind": scores.attrs["kind"],
        "seeds": len(by_seed),
        "tests": len(by_sample),
        "error": by_seed.mean(),
        "sd": by_seed.std(ddof=1) if len(by_seed) > 1 else np.nan,
        "se": errors.standard_error(by_sample),
        **{name: float(some[name].mean()) for name in ("psnr", "ssim", "residual")},
        "low": low,
        "high": high,
        "ms": 1e3 * float(scores.seconds.mean()),
    }


def _rows(stores: Sequence[xr.Dataset], shares: Mapping[str, float]) -> list[dict[str, object]]:
    """Lines of one set: methods that have more samples than others on all of theirs, then all on the common ones."""
    counts = [scores.sizes["sample"] for scores in stores]
    longer = [(scores, count) for scores, count in zip(stores, counts, strict=True) if count > min(counts)]
    return [_row(*pair, shares) for pair in (*longer, *((scores, min(counts)) for scores in stores))]


def compare(paths: Iterable[str | Path], shares: Mapping[str, float]) -> pd.DataFrame:
    """Reduce score stores to one tidy table, a line for each method and set.

    Parameters
    ----------
    paths : iterable of str or Path
        Stores of `hologram_scores.score`, of every method on the same sets.
    shares : mapping
        Of an objective to α, its share of the data.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`: ``error``, the squared error up to an offset over that of a flat wave, mean over the
        first ``tests`` samples of each set, as many as every method has, and before that over all, of methods that
        have more; ``sd`` over seeds, ``se`` over samples; ``psnr`` in dB and ``ssim`` in the range of the objects'
        height; ``low`` and ``high``, the error relative to what is there below and above a quarter of the Nyquist
        frequency; ``residual``, of the hologram; ``ms`` a pattern.

    Raises
    ------
    ValueError
        If scores are not finite.
    """
    sets: dict[str, list[xr.Dataset]] = {}
    for scores in (errors.checkpoint_of(store.open_dataset(path)).load() for path in paths):
        sets.setdefault(scores.attrs["split"], []).append(scores)
    return pd.DataFrame([row for stores in sets.values() for row in _rows(stores, shares)], columns=COLUMNS)


def _cells(line: pd.Series) -> list[str]:
    spread = line["sd"] if np.isfinite(line["sd"]) else line["se"]
    return [
        bands.name(line),
        "–" if pd.isna(line["data"]) else f"{line['data']:g}",
        f"{line['error']:.4f} ± {spread:.4f}",
        f"{line['psnr']:.1f}",
        f"{line['ssim']:.3f}",
        f"{line['low']:.4f}",
        f"{line['high']:.4f}",
        f"{line['residual']:.4f}",
        f"{line['ms']:.3g}",
    ]


def _block(name: str, lines: pd.DataFrame) -> Block:
    columns = ["Method", "α", "Error", "PSNR", "SSIM", "Low", "High", "Hologram", "ms"]
    told = SETS.get(name, f"{name.removeprefix('unseen-')}, which no network was trained on")
    title = f"On {told}: {lines['tests'].iloc[0]} holograms."
    return Block(title, [("", column) for column in columns], [_cells(line) for _, line in lines.iterrows()])


def table(frame: pd.DataFrame) -> rendering.Table:
    """Give what `compare` found its shape."""
    caption = (
        "Squared error of phases, the offset removed, relative to a flat wave: mean ± its deviation over seeds where "
        "there are several, else its standard error over samples. PSNR in dB and SSIM in the range of the objects' "
        "height. Low and high: the error under and above a quarter of the Nyquist frequency, relative to what is "
        "there. Hologram: what is left unexplained of it. α is the share of the data in what a network was trained "
        "for; a method without one was fitted to each hologram alone, the first ones, where all are compared again."
    )
    blocks = [_block(name, lines) for (name, _), lines in frame.groupby(["set", "tests"], sort=False)]
    return rendering.Table("co-driven", "Data, physics or both", caption, frame, blocks)
