"""Measured patterns as the iterations need them: amplitudes, and where nothing was measured."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import NamedTuple

import torch

from farfield.iterative.islands import islands
from farfield.iterative.workers import look_at
from farfield.machine.shapes import described, frame_axes, read_measured
from farfield.physics.noise import corners, counts_of, photons

LARGEST = 1e20
"""Intensity up to which float32 holds what iterations compute."""

ALONE = 0.02
"""A maximum whose neighbours stay below this share of it is a bad pixel: a DC's have 0.4 at an oversampling of 2."""

SMALLEST = 8
"""Pixels a side of the smallest pattern that is taken."""

FEWEST_FRAMES = 16
"""Of the smallest volume: a stack of fewer is one of patterns, or a scan too coarse to tell anything."""

SAMPLED = 512
"""Pixels that are looked at first: where their squares are no counts, all are none."""

Background = float | int | torch.Tensor | str | None
"""Intensity that is expected without an object, or "corners", where to read it."""


class Counts(NamedTuple):
    """What was measured, to hold objects against.

    Attributes
    ----------
    intensity : torch.Tensor, float32, shape (batch, *frame)
        DC first.
    photon : torch.Tensor, float64, shape (batch, *frame), or of one pixel for all
        Intensity of one photon; NaN where nothing is known of the noise.
    background : torch.Tensor, float64, shape (batch, *frame), or of one pixel for all
        Intensity that is expected without an object.
    """

    intensity: torch.Tensor
    photon: torch.Tensor
    background: torch.Tensor


@dataclass(frozen=True)
class Patterns:
    """A batch of patterns, DC first, whose frames have two axes, or three for volumes.

    Attributes
    ----------
    amplitude : torch.Tensor, float32, shape (batch, *frame)
        Square root of the intensity above the background, zero where nothing is known.
    expected : torch.Tensor, float32, shape (batch, *frame)
        What projections give: the amplitude that counts let expect (`expectation.expect`); the same as the amplitude
        where the noise is not known.
    filled : torch.Tensor, float32, shape (batch, *frame)
        The same with an estimate under a beamstop (`beamstop.fill`), for starts to begin from.
    free : torch.Tensor, bool, shape (batch, *frame), or None
        Pixels that iterations leave free, not measured or held; None if there are none.
    held : torch.Tensor, bool, shape (batch, *frame), or None
        Of the free ones, those that were measured, and judge what is found; None if there are none.
    number : torch.Tensor, int64, shape (batch,)
        Of each pattern in the whole set.
    counts : Counts
    """

    amplitude: torch.Tensor
    expected: torch.Tensor
    filled: torch.Tensor
    free: torch.Tensor | None
    held: torch.Tensor | None
    number: torch.Tensor
    counts: Counts

    def __getitem__(self, index: torch.Tensor | slice) -> "Patterns":
        """Choose some patterns; one volume is looked at, not copied."""
        if self.dims > 2 and isinstance(index, torch.Tensor) and index.shape == (1,) and index.dtype == torch.int64:
            index = slice(int(index), int(index) + 1)
        free, held = (None if x is None else x[index] for x in (self.free, self.held))
        counts = Counts(*(x[index] for x in self.counts))
        amplitude = self.amplitude[index]
        expected, filled = (amplitude if x is self.amplitude else x[index] for x in (self.expected, self.filled))
        return Patterns(amplitude, expected, filled, free, held, self.number[index], counts)

    @property
    def dims(self) -> int:
        """Axes of a frame."""
        return self.amplitude.ndim - 1

    @property
    def frame(self) -> torch.Size:
        """Pixels of each axis of a frame."""
        return self.amplitude.shape[1:]

    def measured(self) -> torch.Tensor:
        """Count the pixels of each pattern that iterations see."""
        whole = torch.full_like(self.number, self.frame.numel())
        return whole if self.free is None else whole - self.free.flatten(1).sum(1)

    def noisy(self) -> torch.Tensor:
        """Tell of which patterns the noise is known, (batch,)."""
        return self.counts.photon.flatten(1).isfinite().all(1)

    def hold(self, share: float, width: torch.Tensor, seed: int) -> "Patterns":
        """Set a share of the measured pixels aside, in islands of speckles' width, (batch,) in pixels."""
        hidden = torch.zeros_like(self.amplitude, dtype=torch.bool) if self.free is None else self.free
        held = islands(~hidden, share, width, seed, self.number)
        amplitude = self.amplitude.masked_fill(held, 0)
        filled = amplitude if self.filled is self.amplitude else self.filled.masked_fill(held, 0)
        return replace(self, amplitude=amplitude, expected=amplitude, filled=filled, free=hidden | held, held=held)


def read_patterns(
    intensity: torch.Tensor,
    mask: torch.Tensor | None = None,
    quantum: float | int | torch.Tensor | None = None,
    background: Background = None,
    variance: float | int | torch.Tensor | None = None,
    dims: int = 2,
) -> Patterns:
    """Check patterns of shape (…, M, M), DC in the centre, and bring DC to pixel (0, 0).

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, M, M)
    mask : torch.Tensor, bool, shape (M, M) or as the patterns', optional
        True where the intensity was measured.
    quantum : float or torch.Tensor, shape (M, M) or as the patterns', optional
        Intensity of one photon; by default found by `noise.photons`.
    background : float, torch.Tensor of shape (M, M) or as the patterns', or "corners", optional
        Intensity that is expected without an object.
    variance : float or torch.Tensor, shape (M, M) or as the patterns', optional
        Of the intensity in each pixel, instead of a quantum.
    dims : int
        Axes of a frame: 3 for volumes, of shape (…, D, H, W) in the place of (…, M, M).

    Returns
    -------
    Patterns
        With one batch dimension.

    Raises
    ------
    ValueError
        If no object could be made of them, with what to do.
    """
    intensity, mask = read_measured(intensity, mask, dims)
    _check_frame(intensity.shape[-dims:])
    flat = intensity.reshape(-1, *intensity.shape[-dims:])
    seen = (
        torch.ones_like(flat, dtype=torch.bool) if mask is None else mask.expand(intensity.shape).reshape(flat.shape)
    )
    _check_content(flat, mask is not None)
    _check_centre(flat)
    noise = _read_noise(flat, seen, intensity, quantum, variance)
    level = _read_level(flat, seen, intensity, noise.photon, background)
    amplitude = (flat - level).clamp_min_(0).sqrt_().float()
    _check_signal(amplitude)
    if noise.beside is not None:
        flat, level = flat + noise.beside, level + noise.beside
    counts = Counts(_dc_first(flat).float(), _dc_first(noise.photon), _dc_first(level))
    amplitude, free = _dc_first(amplitude), None if mask is None else _dc_first(~seen)
    if free is not None:
        amplitude.masked_fill_(free, 0)
    return Patterns(amplitude, amplitude, amplitude, free, None, torch.arange(len(flat), device=flat.device), counts)


def _check_frame(frame: Sequence[int]) -> None:
    """Refuse frames that are no square of an even number of pixels, or volumes that are not even and large enough."""
    *frames, height, width = frame
    if not frames and (height != width or height % 2 or height < SMALLEST):
        raise ValueError(
            f"expected square patterns of an even number of pixels a side, {SMALLEST} or more, got "
            f"{height} × {width}; crop or pad them with diffraction.to_frame"
        )
    if frames and frames[0] < FEWEST_FRAMES:
        raise ValueError(
            f"expected volumes of at least {FEWEST_FRAMES} frames along their first axis, got {frames[0]} of "
            f"{height} × {width}; leave dimensions=3 out if they are patterns, or measure more of the scan"
        )
    if frames and (any(side % 2 for side in frame) or min(frame) < SMALLEST):
        raise ValueError(
            f"expected volumes of an even number of pixels along each axis, {SMALLEST} or more, got "
            f"{' × '.join(map(str, frame))}; crop or pad them with diffraction.to_frame"
        )


def _dc_first(images: torch.Tensor) -> torch.Tensor:
    """Bring the centre of images, (batch, *frame), to the first pixel, and leave those of one pixel as they are."""
    return torch.fft.ifftshift(images, dim=frame_axes(images)) if images.shape[-1] > 1 else images


class Noise(NamedTuple):
    """Intensity of a photon, (batch, *frame) or of one pixel for all, and of what else counts hold, if any."""

    photon: torch.Tensor
    beside: torch.Tensor | None = None


def _read_noise(
    flat: torch.Tensor,
    seen: torch.Tensor,
    intensity: torch.Tensor,
    quantum: float | int | torch.Tensor | None,
    variance: float | int | torch.Tensor | None,
) -> Noise:
    """Bring what is known of the noise to each pattern."""
    if variance is not None:
        return _read_variance(flat, seen, intensity, quantum, variance)
    found = look_at([flat], photons)
    _check_counts(flat, found)
    if quantum is None:
        photon = found.view(-1, *[1] * (flat.ndim - 1))
    else:
        photon = _each("quantum", quantum, intensity, flat.ndim - 1, least=torch.finfo(torch.float32).tiny)
    return Noise(photon)


def _read_variance(
    flat: torch.Tensor,
    seen: torch.Tensor,
    intensity: torch.Tensor,
    quantum: float | int | torch.Tensor | None,
    variance: float | int | torch.Tensor,
) -> Noise:
    """Check a variance, which may be anything where nothing was measured, and find counts that have it."""
    if quantum is not None:
        raise ValueError("expected a quantum or a variance, got both; leave out the quantum")
    given = torch.as_tensor(float(variance)) if isinstance(variance, float | int) else variance
    if not (isinstance(given, torch.Tensor) and given.shape in ((), intensity.shape, flat.shape[1:])):
        got = described(given) if isinstance(given, torch.Tensor) else repr(given)
        raise ValueError(
            f"expected variance as a number, or a tensor of such of shape {tuple(flat.shape[1:])}, got {got}; "
            "change it"
        )
    each = given.to(intensity.device).expand(intensity.shape).reshape(flat.shape).double()
    wrong = seen & ~((each > 0) | ((each == 0) & (flat == 0))) | (seen & each.isinf())
    if wrong.any():
        pattern, *place = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"expected a finite variance above 0 wherever there is intensity, got {each[(pattern, *place)]:.3g} "
            f"in pixel {tuple(place)} of pattern {pattern}; mask such pixels (mask=, True where measured)"
        )
    return Noise(*counts_of(flat, each, seen))


def _read_level(
    flat: torch.Tensor, seen: torch.Tensor, intensity: torch.Tensor, photon: torch.Tensor, background: Background
) -> torch.Tensor:
    """Bring the background to each pattern, (batch, *frame) or of one pixel for all."""
    dims = flat.ndim - 1
    if isinstance(background, str) and background == "corners":
        return corners(flat, seen, photon.mean(frame_axes(photon))).view(-1, *[1] * dims)
    return _each("background", 0.0 if background is None else background, intensity, dims, least=0.0)


def _check_counts(flat: torch.Tensor, photon: torch.Tensor) -> None:
    """Refuse amplitudes: the squares of patterns that are no multiples of a photon, (batch,), are."""
    others = photon.isnan().nonzero()[:, 0]
    for every in (flat[0].numel() // SAMPLED | 1, 1):  # a sample rules out what are none
        squares = flat[others].flatten(1)[:, ::every].double().square()
        others = others[photons(squares).isfinite()] if len(others) else others
    if len(others):
        raise ValueError(
            f"expected intensities, got pattern {int(others[0])} whose squares are whole numbers "
            "of photons, as if it were amplitudes of counts; pass their squares, intensity ** 2"
        )


def _each(
    name: str, value: float | int | str | torch.Tensor, intensity: torch.Tensor, dims: int, least: float | int
) -> torch.Tensor:
    """Bring a number, or one for each pixel, to (batch, *frame) or one pixel for all."""
    batch, frame = intensity.shape[:-dims], intensity.shape[-dims:]
    try:
        found = torch.as_tensor(value, dtype=torch.float64, device=intensity.device)
        fits = found.shape in ((), intensity.shape, frame) and bool((found >= least).all())
    except (TypeError, ValueError, RuntimeError):
        fits = False
    if not fits:
        or_corners = ', or "corners"' if name == "background" else ""
        got = described(value) if isinstance(value, torch.Tensor) else repr(value)
        raise ValueError(
            f"expected {name} as a number{' above' if least else ', not below'} 0, or a tensor of such of shape "
            f"{tuple(frame)}{or_corners}, got {got}; change it"
        )
    whole = found.expand(intensity.shape if found.ndim else (*batch, *[1] * dims))
    return whole.reshape(batch.numel(), *whole.shape[-dims:])


def _check_signal(amplitude: torch.Tensor) -> None:
    """Refuse patterns of which a background leaves nothing."""
    nothing = amplitude.flatten(1).amax(1) == 0
    if nothing.any():
        raise ValueError(
            f"expected a background below some of the intensities, got one that leaves nothing of pattern "
            f"{int(nothing.nonzero()[0])}; lower it"
        )


def _check_content(flat: torch.Tensor, masked: bool) -> None:
    """Refuse patterns that hold nothing, or more than float32 can work with."""
    if not len(flat):
        raise ValueError("expected at least one pattern, got none; give a stack of patterns")
    peaks = flat.flatten(1).amax(1)
    strongest = peaks.amax()
    if strongest > LARGEST or 0 < strongest < 1 / LARGEST:
        raise ValueError(
            f"expected intensities whose maximum lies between {1 / LARGEST:g} and {LARGEST:g}, "
            f"got {strongest:.1e}; rescale them"
        )
    empty = peaks == 0
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
    frame, axes = flat.shape[1:], frame_axes(flat)
    lines = [torch.arange(side, device=flat.device).sub(side // 2).abs() for side in frame]
    peak = torch.stack(torch.unravel_index(flat.flatten(1).argmax(1), frame))
    far = [line >= side // 2 - side // 8 for line, side in zip(lines, frame, strict=True)]
    wrong = torch.stack([line[place] for line, place in zip(far, peak, strict=True)]).all(0).nonzero()[:, 0]
    if not len(wrong):
        return
    near = [line <= side // 8 for line, side in zip(lines, frame, strict=True)]
    energy = [
        (flat[wrong] * reduce(torch.logical_and, torch.meshgrid(*kind, indexing="ij"))).sum(axes)
        for kind in (near, far)
    ]
    wrong = wrong[energy[1] > energy[0]]
    if len(wrong):
        first = int(wrong[0])
        place = tuple(peak[:, first].tolist())
        if _is_single(flat[first], place):
            raise ValueError(
                f"expected the DC in the centre of the frame, got a single pixel of pattern {first}, at "
                f"{place}, that outshines it, a hot one; mask it (mask=, True where measured)"
            )
        raise ValueError(
            f"expected the DC in the centre of the frame, got pattern {first} with its maximum "
            f"in the corner; shift it with torch.fft.fftshift(intensity, dim={axes})"
        )


def _is_single(pattern: torch.Tensor, place: tuple[int, ...]) -> bool:
    """Whether the neighbours of a maximum, around the edges too, hold next to nothing compared with it."""
    around = pattern.roll([1 - at for at in place], tuple(range(pattern.ndim)))
    for axis in range(pattern.ndim):
        around = around.narrow(axis, 0, 3)
    around = around.flatten().sort().values
    return bool(around[-2] < ALONE * around[-1])
