"""Reconstruction stores: what any method, a trained network or a recipe, makes of the same patterns, and how fast.

A method is a callable from intensities (patterns, M, M) to objects (patterns, side, side). Scores, tables and figures
start from the store that `reconstruct_all` makes.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from farfield.machine.shapes import Intensity, Objects

Method = Callable[[Intensity], Objects]

QUICK = 1.0
"""Seconds under which a method is timed three times, of which the least counts: a machine has other work too."""


def _timed(method: Method, intensity: Intensity) -> tuple[Objects, float]:
    """Apply a method, and tell its seconds a pattern."""
    times: list[float] = []
    while len(times) < 3 and sum(times) < QUICK:
        begin = time.perf_counter()
        objects = method(intensity).cpu()
        times.append(time.perf_counter() - begin)
    return objects, min(times) / len(intensity)


def reconstruct_all(
    methods: Mapping[tuple[int, str], Method], intensity: Intensity, attributes: Mapping[str, Any]
) -> xr.Dataset:
    """Apply one method in all its variants to the same patterns.

    Parameters
    ----------
    methods : mapping
        Of (seed, checkpoint) to method, a full grid of both.
    intensity : torch.Tensor, float, shape (samples, M, M)
    attributes : mapping
        ``method``, ``kind``, ``split`` and, for what is trained, ``samples`` and ``symmetry``.

    Returns
    -------
    xarray.Dataset
        ``object`` (seed, checkpoint, sample, y, x) and ``seconds`` per pattern (seed, checkpoint).
    """
    seeds = list(dict.fromkeys(seed for seed, _ in methods))
    checkpoints = list(dict.fromkeys(checkpoint for _, checkpoint in methods))
    variants = [methods[seed, checkpoint] for seed in seeds for checkpoint in checkpoints]
    objects, seconds = zip(*(_timed(method, intensity) for method in variants), strict=True)
    grid = (len(seeds), len(checkpoints))
    return (
        dataset(torch.stack(objects).reshape(*grid, *objects[0].shape), seeds, checkpoints)
        .assign(
            seconds=(
                ("seed", "checkpoint"),
                torch.tensor(seconds, dtype=torch.float64).reshape(grid).numpy(),
                {"units": "s", "long_name": "time per pattern"},
            )
        )
        .assign_attrs(attributes)
    )


def dataset(objects: Objects, seeds: Sequence[int], checkpoints: Sequence[str]) -> xr.Dataset:
    """Label reconstructions of shape (seeds, checkpoints, samples, side, side)."""
    return xr.Dataset(
        {
            "object": (
                ("seed", "checkpoint", "sample", "y", "x"),
                objects.numpy(),
                {"units": "1", "long_name": "complex object"},
            )
        },
        coords={"seed": list(seeds), "checkpoint": np.array(checkpoints, dtype=object)},
    )
