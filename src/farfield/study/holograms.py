"""Sets of phase objects with their holograms, as datasets."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from farfield.machine.shapes import Objects
from farfield.physics import crystals, images, phases
from farfield.physics.near_field import NearField


def simulate(kind: str, which: str, count: int, settings: Mapping[str, Any], size: int, height: float) -> Objects:
    """Make phase objects of one kind.

    Parameters
    ----------
    kind : str
        ``crystals``, ``images`` or ``waves``: the section that `settings` are.
    which : str
        ``train``, ``validation`` or ``test``.
    count : int
    settings : mapping
    size : int
        Of the frame, in pixels.
    height : float
        In radians.

    Returns
    -------
    torch.Tensor, complex64, shape (count, size, size)
    """
    seed = 10 * settings["seed"] + ("train", "validation", "test").index(which)
    if kind == "waves":
        return phases.waves(count, size, seed, height)
    if kind == "images":
        return phases.of_images(images.load(which, count, size, seed, settings["path"] or None), height)
    how = {"kind": settings["kind"], "fill": settings["fill"], "defects": tuple(settings["defects"])}
    return phases.of_crystals(crystals.simulate(count, size, seed=seed, **how), height)


def dataset(objects: Objects, near: NearField) -> xr.Dataset:
    """Put phase objects and their noise-free holograms into a dataset.

    Parameters
    ----------
    objects : torch.Tensor, complex64, shape (samples, N, N)
    near : NearField

    Returns
    -------
    xarray.Dataset
        ``object`` (sample, y, x) and ``intensity`` (sample, ky, kx), named as those of the far field.
    """
    about = {"units": "rad", "long_name": "phase, the real part", "origin": "pixel N // 2"}
    seen = {"units": "1", "long_name": "in-line hologram, the undisturbed wave being 1", "origin": "pixel N // 2"}
    return xr.Dataset(
        {
            "object": (("sample", "y", "x"), objects.numpy(), about),
            "intensity": (("sample", "ky", "kx"), near.measure(objects).numpy(), seen),
        }
    )
