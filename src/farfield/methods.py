"""One face for everything that turns patterns into objects: a trained network or an iterative recipe.

A method is a callable from intensities (patterns, M, M) to objects (patterns, side, side). `reconstruct_all`
applies methods to patterns and makes the reconstruction store that scores, tables and figures start from.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from farfield import iterative, training
from farfield.devices import claim_device
from farfield.networks import retriever
from farfield.shapes import Intensity, Objects

Method = Callable[[Intensity], Objects]


def network(path: str | Path, device: str = "cpu") -> Method:
    """Make a method of a trained network.

    Parameters
    ----------
    path : str or Path
        Its ``.safetensors`` file.
    device : str
        ``cpu``, ``cuda`` or ``cuda-if-available``.
    """
    model = retriever.load(path, str(claim_device(device)))
    return lambda intensity: training.predict(model, intensity).cpu()


def recipe(settings: Mapping[str, Any], seed: int, oversampling: int, device: str = "cpu") -> Method:
    """Make a method of an iterative recipe.

    Parameters
    ----------
    settings : mapping
        ``recipe``, ``starts``, ``beta`` and ``shrinkwrap``, as in the config's section ``baselines``.
    seed : int
        Of the random starts.
    oversampling : int
        Of the patterns.
    device : str
        ``cpu``, ``cuda`` or ``cuda-if-available``.
    """
    place = claim_device(device)
    options = {**settings, "shrinkwrap": iterative.Shrinkwrap(**settings["shrinkwrap"])}

    def method(intensity: Intensity) -> Objects:
        return iterative.reconstruct(
            intensity.to(place), seed=seed, oversampling=oversampling, **options
        ).objects.cpu()

    return method


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
    objects, seconds = [], []
    for seed in seeds:
        for checkpoint in checkpoints:
            begin = time.perf_counter()
            objects.append(methods[seed, checkpoint](intensity))
            seconds.append((time.perf_counter() - begin) / len(intensity))
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
