"""``tables/measured``: what became of the frames that a config names, a row each."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from farfield.measured import cxi
from farfield.study import rendering
from farfield.study.rendering import Block, format_number

COLUMNS = ["scan", "dimensions", "photons", "deviance", "free_deviance", "residual", "chi2", "pixels", "agreement"]
COLUMNS += ["resolution", "resolution_nm", "solved", "verdict"]


def summarise(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read results into one tidy table.

    Parameters
    ----------
    paths : iterable of str or Path
        CXI files, each named after its scan, in the order of the rows.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`: ``dimensions`` are 3 of a rocking scan, ``chi2`` is the square of ``residual``,
        ``pixels`` are the support's, the others are as `cxi.Result` has them. NaN is what is not known.
    """
    return pd.DataFrame([_row(Path(path)) for path in paths], columns=COLUMNS)


def _row(path: Path) -> dict[str, Any]:
    _, support, results = cxi.read(path)
    known = {name: value for name, value in results.items() if name in COLUMNS}
    found = {"dimensions": support.ndim, "chi2": results["residual"] ** 2, "pixels": int(support.sum())}
    return {"scan": path.stem, **known, **found}


def _cells(line: Any) -> list[str]:
    photons, ring, period = (
        "–" if np.isnan(value) else f"{value:{form}}"
        for value, form in ((line.photons, ".1e"), (line.resolution, ".0f"), (line.resolution_nm, ".3g"))
    )
    misfits = [format_number(value) for value in (line.deviance, line.free_deviance, line.residual, line.chi2)]
    solved = "yes" if line.solved else "no"
    agreement = format_number(line.agreement)
    return [line.scan, str(line.dimensions), photons, *misfits, str(line.pixels), agreement, ring, period, solved]


def table(frame: pd.DataFrame) -> rendering.Table:
    """Give what `summarise` found its shape."""
    columns = [
        "Scan",
        "Axes",
        "Photons",
        "Deviance",
        "Free deviance",
        "Residual",
        "Chi²",
        "Support",
        "Agreement",
        "Resolution",
        "In nm",
    ]
    header = [("", column) for column in [*columns, "Solved"]]
    caption = (
        "Axes: 3 of a rocking scan. Deviance per degree of freedom is about 1 if noise is all that an object leaves; "
        "free, it is that of pixels that had no part in finding the object. Residual: distance of the object's "
        "amplitudes from the measured ones, relative to these; chi², as the field has it, is its square. Support: "
        "its pixels. Agreement: median squared difference of the other kept starts from the best, relative to it. "
        "Resolution: the first ring about the pattern's centre, in pixels, or shell about that of a volume, in which "
        "the phase retrieval transfer function is below 1/e; and the period there, 2π/q, where lengths are known. A "
        "dash is what is not known, or not reached. Why a scan is solved or not is told above its figure, and in the "
        "CSV."
    )
    rows = [_cells(line) for line in frame.itertuples()]
    return rendering.Table("measured", "Measured scans", caption, frame, [Block("The best start.", header, rows)])
