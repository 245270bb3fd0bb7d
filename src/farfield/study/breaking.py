"""The symmetries of whole sets: broken, and a report on how firmly that decides."""

import torch
import xarray as xr

from farfield.machine.shapes import Objects
from farfield.symmetry import actions

SMALL_DC = 0.1
"""|F(1,1)| / max |F| under which a canonical global phase is called ill-conditioned."""

NEAR_REAL = 0.05
"""|Im Ω(1,2)| under which the choice of the flip is called ill-conditioned."""


def break_set(dataset: xr.Dataset, oversampling: int, level: str = "after") -> xr.Dataset:
    """Break the symmetries of every object in a dataset; the patterns are the same and are kept.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of `from_objects`.
    oversampling : int
    level : str
        How much to break: one of `actions.LEVELS`.

    Returns
    -------
    xarray.Dataset
    """
    broken = actions.break_symmetries(torch.from_numpy(dataset.object.values), oversampling, level)
    return dataset.load().assign(object=dataset.object.copy(data=broken.numpy()))


def conditioning_row(name: str, objects: Objects, oversampling: int) -> dict[str, str | int]:
    """Count how many objects of a set were flipped, and how many of its decisions are ill-conditioned.

    Parameters
    ----------
    name : str
    objects : torch.Tensor, complex, shape (samples, N, N)
        Unbroken.
    oversampling : int

    Returns
    -------
    dict
        ``set``, ``samples``, ``flipped``, ``small_dc`` and ``near_real``.
    """
    found = actions.conditioning(objects, oversampling)
    return {
        "set": name,
        "samples": len(objects),
        "flipped": int(found.flipped.sum()),
        "small_dc": int((found.dc < SMALL_DC).sum()),
        "near_real": int((found.first < NEAR_REAL).sum()),
    }
