"""The array types of every signature, and the few checks that all rooms share."""

from numbers import Integral

import torch
from jaxtyping import Bool, Complex, Float, Int

Objects = Complex[torch.Tensor, "*batch height width"]
"""Complex objects, any leading batch dimensions; the FFT origin is at ``[height // 2, width // 2]``."""

Fields = Complex[torch.Tensor, "*batch rows columns"]
"""Complex far fields, or what lives in a pattern's frame; the origin is at ``[rows // 2, columns // 2]``."""

Estimates = Complex[torch.Tensor, "*_ _ _"]
"""Complex objects in a frame of their own, whose leading dimensions broadcast with the reference's."""

Intensity = Float[torch.Tensor, "*batch rows columns"]
"""Far-field intensities, DC at ``[rows // 2, columns // 2]``."""

TINY = torch.finfo(torch.float64).tiny
"""Keeps a division by nothing finite."""

TINY_FLOAT32 = torch.finfo(torch.float32).tiny
"""The same in single precision."""

PerSample = Float[torch.Tensor, "*batch"]
PerSampleBool = Bool[torch.Tensor, "*batch"]
PerSampleInt = Int[torch.Tensor, "*batch"]


def check_whole(name: str, value: object, least: int) -> None:
    """Refuse what is no integer, or too small, in one sentence."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"expected {name} as an integer of at least {least}, got {value!r}; change it")


def described(value: object) -> str:
    """Say what was given: a tensor's type and shape, or another's kind."""
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return f"{str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"


def check_objects(objects: torch.Tensor, name: str = "objects") -> None:
    """Refuse what is no stack of complex objects, in one sentence."""
    if not isinstance(objects, torch.Tensor) or not objects.is_complex() or objects.ndim < 2:
        raise ValueError(
            f"expected {name} as a complex torch tensor of shape (…, height, width), got {described(objects)}; "
            "convert with torch.as_tensor(array).to(torch.complex64)"
        )


def check_stack(intensity: torch.Tensor) -> None:
    """Refuse what is no stack of real patterns, in one sentence."""
    if not isinstance(intensity, torch.Tensor) or not intensity.is_floating_point() or intensity.ndim < 2:
        raise ValueError(
            f"expected intensity as a float torch tensor of shape (…, rows, columns), got {described(intensity)}; "
            "convert with torch.as_tensor(array).float()"
        )


def check_intensity(intensity: torch.Tensor) -> None:
    """Refuse what is no stack of real, finite, non-negative patterns, in one sentence."""
    check_stack(intensity)
    if not bool(torch.isfinite(intensity).all()) or bool((intensity < 0).any()):
        raise ValueError(
            "expected finite, non-negative intensities, got NaN, infinite or negative pixels; "
            "set them to 0, subtract the background, or mask them where the call takes a mask"
        )
