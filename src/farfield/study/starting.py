"""Iterative methods as studies name them: a recipe, and the objects that it starts from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import xarray as xr

from farfield.iterative.recipe import length
from farfield.iterative.reconstruction import reconstruct
from farfield.iterative.shrinkwrap import Shrinkwrap
from farfield.machine import store
from farfield.machine.shapes import Intensity, Objects
from farfield.study.errors import STARTS, checkpoint_of
from farfield.study.floors import PREDICTED
from farfield.study.methods import Method, reconstruct_all


class Start(NamedTuple):
    """What a recipe starts from.

    Attributes
    ----------
    objects : mapping
        Of a seed to objects (samples, N, N), one for all, (N, N), or None for random phases.
    spent : tuple of float
        Seconds and iterations a pattern that they cost.
    """

    objects: Mapping[int, Objects | None]
    spent: tuple[float, float] = (0.0, 0.0)


def find(name: str, training: xr.Dataset, seed: int) -> Start:
    """Make a start that needs no pattern: random phases (an empty name), or one of `errors.STARTS`."""
    known = PREDICTED[name](torch.from_numpy(training.object.values)) if name in STARTS else None
    return Start({seed: known})


def read(path: str, section: Mapping[str, Any], count: int) -> Start:
    """Read the first objects that a method made, of every seed, as a start."""
    made = checkpoint_of(store.open_dataset(path, section))
    objects = torch.from_numpy(made.object[:, :count].transpose("seed", "sample", "y", "x").values)
    spent = tuple(float(made[cost].mean()) if cost in made else 0.0 for cost in ("seconds", "iterations"))
    return Start(dict(zip(made.seed.values.tolist(), objects, strict=True)), spent)


def reconstruct_sets(
    name: str,
    make: Callable[[int, int, Objects | None], Method],
    sets: Mapping[str, xr.Dataset],
    sections: Mapping[str, Mapping[str, Any]],
    counts: Mapping[str, int],
    known: Start,
    made: Sequence[str] = (),
) -> Iterator[tuple[str, xr.Dataset]]:
    """Reconstruct sets by an iterative method, from what is known or from what another method made of each.

    Parameters
    ----------
    name : str
        Of the method.
    make : callable
        From an oversampling, a seed and the objects to start from to a `Method`.
    sets, sections : mapping
        Of a set's name to its dataset, and to the section of the config that it came from.
    counts : mapping
        How many patterns of a set are reconstructed, the first ones, where not all.
    known : Start
        For all sets.
    made : sequence of str
        Instead of it: the other method's stores, in the order of the sections.

    Yields
    ------
    name : str
        Of the set.
    reconstructions : xarray.Dataset
        As `methods.reconstruct_all` gives them.
    """
    for index, (split, section) in enumerate(sections.items()):
        count = min(counts.get(split, sets[split].sizes["sample"]), sets[split].sizes["sample"])
        begin = read(made[index], section, count) if made else known
        variants = {
            (seed, "final"): make(section["oversampling"], seed, objects) for seed, objects in begin.objects.items()
        }
        intensity = torch.from_numpy(sets[split].intensity[:count].values)
        about = {"method": name, "kind": "iterative", "split": split}
        yield split, reconstruct_all(variants, intensity, about, begin.spent)


def method(
    settings: Mapping[str, Any], oversampling: int, seed: int, start: Objects | None, device: torch.device
) -> Method:
    """Make a method of a recipe.

    Parameters
    ----------
    settings : mapping
        A section of ``baselines``, ``refined`` or ``starts``: ``recipe``, ``beta``, ``shrinkwrap`` and, where they
        are there, ``starts`` and ``support``: ``found`` by shrinkwrap, or kept as it is: the object's whole
        ``frame``, or what the ``start`` shows. Or a ``budget`` alone, of starts that escalate.
    oversampling : int
    seed : int
    start : torch.Tensor, complex, shape (samples, N, N) or (N, N), or None
    device : torch.device

    Returns
    -------
    callable
    """
    if "budget" in settings:
        return _escalating(settings["budget"], oversampling, seed, device)
    shrinkwrap = Shrinkwrap(**settings["shrinkwrap"])
    kept = settings.get("support", "found")
    if kept != "found":  # a first update that never comes
        shrinkwrap = replace(shrinkwrap, period=length(settings["recipe"]) + 1)

    def apply(intensity: Intensity) -> tuple[Objects, torch.Tensor]:
        made = reconstruct(
            intensity.to(device),
            settings["recipe"],
            starts=settings.get("starts", 1),
            seed=seed,
            support=frame(intensity.shape[-1], oversampling) if kept == "frame" else None,
            oversampling=oversampling,
            beta=settings["beta"],
            shrinkwrap=shrinkwrap,
            start=start,
            keep="best",  # as the methods that it is compared with are defined
            dimensions=2,
        )
        return made.objects, made.iterations

    return apply


def _escalating(budget: int, oversampling: int, seed: int, device: torch.device) -> Method:
    """Make the method that `reconstruct` is by itself."""

    def apply(intensity: Intensity) -> tuple[Objects, torch.Tensor]:
        pattern = intensity.to(device)
        made = reconstruct(pattern, budget=budget, seed=seed, oversampling=oversampling, dimensions=2)
        return made.objects, made.iterations

    return apply


def frame(side: int, oversampling: int) -> torch.Tensor:
    """Mark the object's frame in that of the pattern, (M, M): a support that knows nothing but its size."""
    size = side // oversampling
    place = torch.arange(side) - side // 2 + size // 2
    line = (place >= 0) & (place < size)
    return line[:, None] & line
