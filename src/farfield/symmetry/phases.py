"""One global phase for each object, by a rule of one line: for what knows real images alone."""

import torch
from jaxtyping import Float

from farfield.machine.shapes import Objects, check_objects
from farfield.symmetry.actions import rotate_phase


def fix_phase(objects: Objects) -> Objects:
    """Turn each object's global phase so that its sum is real and not negative.

    An object that is real and nowhere negative stays as it is, to the bit.

    Parameters
    ----------
    objects : torch.Tensor, complex, shape (…, height, width)

    Returns
    -------
    torch.Tensor, complex, shape (…, height, width)
    """
    check_objects(objects)
    return rotate_phase(objects, -objects.sum((-2, -1)).angle())


def values_of(objects: Objects) -> str:
    """Tell what pixels of objects, (…, height, width), are: "complex", "real" or, if none is below 0, "positive"."""
    if objects.imag.any():
        return "complex"
    return "real" if (objects.real < 0).any() else "positive"


def images_of(objects: Objects, values: str) -> Float[torch.Tensor, "images height width"]:
    """Real images of objects of fixed phase: their real parts, then, of complex ones, their imaginary parts.

    Parameters
    ----------
    objects : torch.Tensor, complex, shape (samples, height, width)
    values : {"complex", "real", "positive"}
        What objects are; of all but complex ones the real parts are all that counts.

    Returns
    -------
    torch.Tensor, float, shape (samples or 2 samples, height, width)
    """
    return torch.cat([objects.real, objects.imag]) if values == "complex" else objects.real


def objects_of(images: Float[torch.Tensor, "images height width"], count: int) -> Objects:
    """Put objects together again of what `images_of` made of them, or of what was made of these images.

    Parameters
    ----------
    images : torch.Tensor, float, shape (count or 2 count, height, width)
    count : int
        Of objects.

    Returns
    -------
    torch.Tensor, complex, shape (count, height, width)
    """
    real, *imaginary = images.split(count)
    return torch.complex(real, imaginary[0] if imaginary else torch.zeros_like(real))
