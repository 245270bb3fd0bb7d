"""Reconstruction stores: what any method, a trained network or a recipe, makes of the same patterns, and how fast.

A method is a callable from intensities (patterns, M, M) to objects (patterns, side, side); an iterative one gives
these and the iterations that each took, (patterns,). Scores, tables and figures start from the store that
`reconstruct_all` makes.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from farfield.machine.shapes import Intensity, Objects

Method = Callable[[Intensity], Objects | tuple[Objects, torch.Tensor]]

UNITS = {"seconds": "s", "iterations": "1"}
"""Of what a pattern costs."""

QUICK = 1.0
"""Seconds under which a method is timed three times, of which the least counts: a machine has other work too."""


def timed(method: Method, intensity: Intensity) -> tuple[Objects, float, float]:
    """Apply a method; return its objects, and its seconds and iterations a pattern, all starts together."""
    times: list[float] = []
    while len(times) < 3 and sum(times) < QUICK:
        begin = time.perf_counter()
        made = method(intensity)
        objects, iterations = made if isinstance(made, tuple) else (made, torch.zeros(1))
        objects = objects.cpu()
        times.append(time.perf_counter() - begin)
    return objects, min(times) / len(intensity), float(iterations.double().mean())


def reconstruct_all(
    methods: Mapping[tuple[int, str], Method],
    intensity: Intensity,
    attributes: Mapping[str, Any],
    before: tuple[float, float] = (0.0, 0.0),
) -> xr.Dataset:
    """Apply one method in all its variants to the same patterns.

    Parameters
    ----------
    methods : mapping
        Of (seed, checkpoint) to method, a full grid of both.
    intensity : torch.Tensor, float, shape (samples, M, M)
    attributes : mapping
        ``method``, ``kind``, ``split`` and, for what is trained, ``samples`` and ``symmetry``.
    before : tuple of float
        Seconds and iterations a pattern that were spent on what the method starts from.

    Returns
    -------
    xarray.Dataset
        ``object`` (seed, checkpoint, sample, y, x); per pattern ``seconds`` and, where it iterates, ``iterations``
        (seed, checkpoint).
    """
    seeds = list(dict.fromkeys(seed for seed, _ in methods))
    checkpoints = list(dict.fromkeys(checkpoint for _, checkpoint in methods))
    variants = [methods[seed, checkpoint] for seed in seeds for checkpoint in checkpoints]
    objects, seconds, iterations = zip(*(timed(method, intensity) for method in variants), strict=True)
    grid = (len(seeds), len(checkpoints))
    made = dataset(torch.stack(objects).reshape(*grid, *objects[0].shape), seeds, checkpoints)
    costs = {"seconds": np.reshape(seconds, grid) + before[0], "iterations": np.reshape(iterations, grid) + before[1]}
    if not any(iterations):  # nothing is iterated here
        del costs["iterations"]
    about = {name: {"units": UNITS[name], "long_name": f"{name} per pattern"} for name in costs}
    variables = {name: (("seed", "checkpoint"), values, about[name]) for name, values in costs.items()}
    return made.assign(variables).assign_attrs(attributes)


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
