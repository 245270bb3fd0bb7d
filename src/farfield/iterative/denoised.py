"""Methods with a denoiser in the loop: what they are given and give, and batches of them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int

from farfield.iterative.workers import enough_memory, split, workers
from farfield.machine.shapes import Intensity, Objects, check_intensity, check_objects, check_whole, described

Denoise = Callable[[torch.Tensor, float | int], torch.Tensor]
"""Real images (batch, height, width) of magnitudes up to 1, and their noise, of 255 → the same without it."""


class Denoised(NamedTuple):
    """What was made of each pattern.

    Attributes
    ----------
    objects : torch.Tensor, complex64, shape (batch, N, N)
    iterations : torch.Tensor, int64, shape (batch,)
    """

    objects: Objects
    iterations: Int[torch.Tensor, " batch"]


def check_asked(
    intensity: torch.Tensor, start: torch.Tensor, values: str, levels: Sequence[float | int], **counts: int
) -> None:
    """Refuse patterns and starts that do not fit together, and numbers out of range, in one sentence."""
    check_intensity(intensity)
    check_objects(start, "start")
    if intensity.ndim != 3 or intensity.shape[1] != intensity.shape[2] or not len(intensity):
        raise ValueError(
            f"expected one or more square patterns, (batch, M, M), got {described(intensity)}; give one batch axis, "
            "and crop them with diffraction.to_frame"
        )
    batch, side, size = len(intensity), intensity.shape[-1], start.shape[-1]
    if start.shape != (batch, size, size) or 2 * size > side:
        raise ValueError(
            f"expected start of shape ({batch}, N, N) with N of at most {side // 2}, half a pattern's side, got "
            f"{described(start)}; crop it with diffraction.to_frame"
        )
    largest = start.abs().amax((-2, -1))
    if not bool((largest.isfinite() & (largest > 0)).all()):
        raise ValueError(
            "expected starts of finite pixels, some not zero, got NaN, infinity or an empty one; drop it"
        )
    if values not in ("complex", "real", "positive"):
        raise ValueError(f"expected values as complex, real or positive, got {values!r}; choose one")
    for name, count in counts.items():
        check_whole(name, count, 1)
    if not levels or not min(levels) >= 0:
        raise ValueError(f"expected levels of noise, of 255 and not below 0, got {tuple(levels)}; 50 to 10 are usual")


def in_batches(make: Callable[[Intensity, Objects], Denoised], intensity: Intensity, start: Objects) -> Denoised:
    """Go through patterns and their starts in batches as large as caches like, on all cores."""
    with enough_memory(), workers(intensity.device) as (go, threads):
        batches = split(torch.arange(len(intensity)), intensity.shape[1:].numel(), threads)
        made = [*go(lambda which: make(intensity[which], start[which]), batches)]
    return Denoised(*(torch.cat(parts) for parts in zip(*made, strict=True)))
