"""Measured patterns as the iterations need them: amplitudes, and where nothing was measured."""

from dataclasses import dataclass

import torch

from farfield.machine.shapes import read_measured

LARGEST = 1e20
"""Intensity up to which float32 holds what iterations compute."""

ALONE = 0.02
"""A maximum whose neighbours stay below this share of it is a bad pixel: a DC's have 0.4 at an oversampling of 2."""

SMALLEST = 8
"""Pixels a side of the smallest pattern that is taken."""


@dataclass(frozen=True)
class Patterns:
    """A batch of patterns, DC first.

    Attributes
    ----------
    amplitude : torch.Tensor, float32, shape (batch, M, M)
        Square root of the intensity, zero where nothing was measured.
    free : torch.Tensor, bool, shape (batch, M, M), or None
        Pixels that were not measured; None if all were.
    number : torch.Tensor, int64, shape (batch,)
        Of each pattern in the whole set.
    """

    amplitude: torch.Tensor
    free: torch.Tensor | None
    number: torch.Tensor

    def __getitem__(self, index: torch.Tensor) -> "Patterns":
        """Choose some patterns."""
        free = None if self.free is None else self.free[index]
        return Patterns(self.amplitude[index], free, self.number[index])

    def measured(self) -> torch.Tensor:
        """Count the measured pixels of each pattern."""
        whole = torch.full_like(self.number, self.amplitude.shape[-2] * self.amplitude.shape[-1])
        return whole if self.free is None else whole - self.free.sum((-2, -1))


def read_patterns(intensity: torch.Tensor, mask: torch.Tensor | None = None) -> Patterns:
    """Check patterns of shape (…, M, M), DC in the centre, and bring DC to pixel (0, 0).

    Parameters
    ----------
    intensity : torch.Tensor, float
    mask : torch.Tensor, bool, shape (M, M) or as the patterns', optional
        True where the intensity was measured.

    Returns
    -------
    Patterns
        With one batch dimension.

    Raises
    ------
    ValueError
        If no object could be made of them, with what to do.
    """
    intensity, mask = read_measured(intensity, mask)
    height, width = intensity.shape[-2:]
    if height != width or height % 2 or height < SMALLEST:
        raise ValueError(
            f"expected square patterns of an even number of pixels a side, {SMALLEST} or more, got "
            f"{height} × {width}; crop or pad them with diffraction.to_frame"
        )
    flat = intensity.reshape(-1, height, width)
    _check_content(flat, mask is not None)
    _check_centre(flat)
    amplitude = torch.fft.ifftshift(flat, dim=(-2, -1)).float().sqrt_()
    number = torch.arange(len(flat), device=flat.device)
    if mask is None:
        return Patterns(amplitude, None, number)
    free = torch.fft.ifftshift(~mask, dim=(-2, -1))
    return Patterns(amplitude, free.expand(intensity.shape).reshape(flat.shape), number)


def _check_content(flat: torch.Tensor, masked: bool) -> None:
    """Refuse patterns that hold nothing, or more than float32 can work with."""
    if not len(flat):
        raise ValueError("expected at least one pattern, got none; give a stack of patterns")
    strongest = flat.amax()
    if strongest > LARGEST or 0 < strongest < 1 / LARGEST:
        raise ValueError(
            f"expected intensities whose maximum lies between {1 / LARGEST:g} and {LARGEST:g}, "
            f"got {strongest:.1e}; rescale them"
        )
    empty = ~flat.any(-1).any(-1)
    if empty.any():
        where, advice = "", "drop it"
        if masked:
            where, advice = " where measured", "invert the mask with ~mask if True marks the bad pixels, or drop it"
        raise ValueError(
            f"expected patterns with some intensity, got nothing but zeros{where} in pattern "
            f"{int(empty.nonzero()[0])}; {advice}"
        )


def _check_centre(flat: torch.Tensor) -> None:
    """Refuse patterns that have their DC in the corner, or there a bad pixel that outshines the centre."""
    side = flat.shape[-1]
    edge = side // 8
    near = torch.arange(side, device=flat.device).sub(side // 2).abs()
    central, outer = (near <= edge).to(flat.dtype), (near >= side // 2 - edge).to(flat.dtype)
    energy = [torch.einsum("bij,i,j->b", flat, line, line) for line in (central, outer)]
    peak = flat.flatten(1).argmax(1)
    row, column = peak // side, peak % side
    wrong = (outer[row] * outer[column] > 0) & (energy[1] > energy[0])
    if wrong.any():
        first = int(wrong.nonzero()[0])
        if _is_single(flat[first], int(row[first]), int(column[first])):
            raise ValueError(
                f"expected the DC in the centre of the frame, got a single pixel of pattern {first}, at "
                f"({int(row[first])}, {int(column[first])}), that outshines it, a hot one; "
                "mask it (mask=, True where measured)"
            )
        raise ValueError(
            f"expected the DC in the centre of the frame, got pattern {first} with its maximum "
            "in the corner; shift it with torch.fft.fftshift(intensity, dim=(-2, -1))"
        )


def _is_single(pattern: torch.Tensor, row: int, column: int) -> bool:
    """Whether the neighbours of a maximum, around the edges too, hold next to nothing compared with it."""
    around = pattern.roll((1 - row, 1 - column), (0, 1))[:3, :3].flatten()
    return bool(around.sort().values[-2] < ALONE * around[4])
