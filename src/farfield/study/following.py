"""What recipes of more and more iterations make of one start."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
import xarray as xr

from farfield.iterative.recipe import length
from farfield.machine.shapes import Objects
from farfield.study import methods, starting
from farfield.symmetry.sa_mse import symmetry_adjusted_mse


def follow(
    start: str,
    begins: Mapping[int, tuple[Objects | None, float]],
    runs: Sequence[Mapping[str, Any]],
    truth: xr.Dataset,
    oversampling: int,
    device: torch.device,
) -> pd.DataFrame:
    """Run recipes of more and more iterations from one start.

    Parameters
    ----------
    start : str
        Its name.
    begins : mapping
        Of a seed to objects (samples, N, N), one for all (N, N) or None for random phases, and the seconds a pattern
        that they cost.
    runs : sequence of mapping
        Sections of ``starts: warm`` or ``starts: cold``.
    truth : xarray.Dataset
        ``object`` and ``intensity``.
    oversampling : int
    device : torch.device

    Returns
    -------
    pandas.DataFrame
        A line for each seed, number of iterations (0: the start as it is) and sample: ``error``, its SA-MSE over
        that of predicting zero for it, and ``seconds``.
    """
    objects, intensity = (torch.from_numpy(truth[name].values) for name in ("object", "intensity"))
    energy = objects.abs().double().square().mean((-2, -1))
    parts = []
    for seed, (begin, spent) in begins.items():
        made = [] if begin is None else [(0, begin.expand(len(objects), -1, -1), 0.0)]
        for run in runs:
            how = starting.method(run, oversampling, seed, begin, device)
            found, seconds, _ = methods.timed(how, intensity)
            made.append((length(run["recipe"]), found, seconds))
        for iterations, found, seconds in made:
            error = (symmetry_adjusted_mse(objects, found) / energy).numpy()
            about = {"start": start, "seed": seed, "iterations": iterations, "seconds": seconds + spent}
            parts.append(pd.DataFrame({**about, "sample": range(len(error)), "error": error}))
    return pd.concat(parts, ignore_index=True)
