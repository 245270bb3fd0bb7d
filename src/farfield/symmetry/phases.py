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


def is_real(objects: Objects) -> bool:
    """Tell whether all objects, (…, height, width), are real numbers."""
    return not bool(objects.imag.any())


def images_of(objects: Objects, real: bool) -> Float[torch.Tensor, "images height width"]:
    """Real images of objects of fixed phase: their real parts, then, of complex ones, their imaginary parts.

    Parameters
    ----------
    objects : torch.Tensor, complex, shape (samples, height, width)
    real : bool
        Whether real parts are all that counts.

    Returns
    -------
    torch.Tensor, float, shape (samples or 2 samples, height, width)
    """
    return objects.real if real else torch.cat([objects.real, objects.imag])
