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

Volumes = Complex[torch.Tensor, "*batch depth height width"]
"""Complex objects in three dimensions, the origin in the middle of each axis, as ``depth // 2``."""

AnyVolumes = Complex[torch.Tensor, "*_ _ _ _"]
"""Complex volumes in a frame of their own, or far fields of volumes."""

AnyVolumeIntensity = Float[torch.Tensor, "*_ _ _ _"]
"""Far-field intensities of volumes, DC in the middle of each axis."""

TINY = torch.finfo(torch.float64).tiny
"""Keeps a division by nothing finite."""

TINY_FLOAT32 = torch.finfo(torch.float32).tiny
"""The same in single precision."""

PerSample = Float[torch.Tensor, "*batch"]
PerSampleBool = Bool[torch.Tensor, "*batch"]
PerSampleInt = Int[torch.Tensor, "*batch"]


def frame_axes(stack: torch.Tensor, leading: int = 1) -> tuple[int, ...]:
    """Axes of the frames of a stack, counted from the last: (-2, -1) for patterns, (-3, -2, -1) for volumes."""
    return tuple(range(leading - stack.ndim, 0))


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


def check_intensity(intensity: torch.Tensor, advice: str = "subtract the background, or drop such patterns") -> None:
    """Refuse what is no stack of real, finite, non-negative patterns, in one sentence."""
    check_stack(intensity)
    if not bool(torch.isfinite(intensity).all()) or bool((intensity < 0).any()):
        raise ValueError(f"expected finite, non-negative intensities, got NaN, infinite or negative pixels; {advice}")


def check_mask(name: str, mask: torch.Tensor, intensity: torch.Tensor, dims: int = 2) -> None:
    """Refuse a mask or support that does not choose pixels of these patterns of so many axes, in one sentence."""
    boolean = mask.dtype == torch.bool
    if boolean and mask.shape in (intensity.shape, intensity.shape[-dims:]):
        return
    kind, wrong = f"expected a {name} of booleans", f"got {described(mask)}"
    if boolean or name != "mask":
        shape = tuple(intensity.shape[-dims:])
        raise ValueError(f"{kind} of shape {shape} or as the patterns', {wrong}; convert, crop or pad it")
    raise ValueError(
        f"{kind}, True where measured, {wrong}; pass mask == 0 if 0 means good there, or mask != 0 if it means bad"
    )


def read_measured(
    intensity: torch.Tensor, mask: torch.Tensor | None, dims: int = 2
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Check patterns and their mask, bring both to one device, and set to zero what was not measured."""
    check_stack(intensity)
    if mask is not None:
        mask = torch.as_tensor(mask, device=intensity.device)
        check_mask("mask", mask, intensity, dims)
        _check_share(mask.flatten(-dims))
        intensity = torch.where(mask, intensity, torch.zeros((), dtype=intensity.dtype, device=intensity.device))
    check_intensity(intensity, "mask them (mask=, True where measured), or subtract the background")
    return intensity, mask


def _check_share(mask: torch.Tensor) -> None:
    """Refuse a mask, (…, pixels), that leaves less than half of these: most likely its True marks the bad ones."""
    share = mask.double().mean(-1).flatten()
    few = (share < 0.5).nonzero()
    if len(few):
        first = int(few[0])
        left = f"{100 * share[first]:.0f} %" + (f" of pattern {first}" if len(share) > 1 else "")
        raise ValueError(
            f"expected a mask that leaves at least half of the pixels, got one that leaves {left}; "
            "a mask is True where measured: invert it with ~mask"
        )
