"""The forward model: an object, its oversampled far field, and what a detector sees of it.

One centring convention holds everywhere: the origin of a frame of n pixels is pixel ``n // 2``, for
objects and for patterns, so DC is at ``[M // 2, M // 2]``. An object is zero-padded around that pixel.
Transforms are unnormalised sums, so the DC intensity is ``|sum(object)|**2``.
"""

import numpy as np
import torch
import torch.nn.functional as F

from farfield.machine.shapes import (
    AnyVolumeIntensity,
    AnyVolumes,
    Fields,
    Intensity,
    Objects,
    check_intensity,
    check_objects,
)

STREAM = 1
"""Key of the noise's random numbers; without one, a seed would give the noise those of crystals of that seed."""


def to_frame(array: torch.Tensor, *sides: int) -> torch.Tensor:
    """Zero-pad or crop around the origin.

    Parameters
    ----------
    array : torch.Tensor, shape (…, rows, columns), or (…, depth, rows, columns)
        Objects or patterns.
    *sides : int
        Size of the new frame, in pixels: height and width, or depth, height and width.

    Returns
    -------
    torch.Tensor, shape (…, height, width), or (…, depth, height, width)
        The old origin ``[rows // 2, columns // 2]`` lies at ``[height // 2, width // 2]``.
    """
    edges = []
    for new, old in zip(reversed(sides), reversed(array.shape), strict=False):  # the last axis first, as F.pad has it
        before = new // 2 - old // 2
        edges += [before, new - old - before]
    return F.pad(array, edges)


def far_field(objects: Objects, oversampling: int = 2, dimensions: int = 2) -> Fields | AnyVolumes:
    """Fourier transform of the objects, sampled `oversampling` times as finely as their own frame.

    Parameters
    ----------
    objects : torch.Tensor, complex, shape (…, height, width), or (…, depth, height, width)
        Objects, in any unit of amplitude.
    oversampling : int
        Pattern pixels per object pixel and axis. The intensity determines an object up to the three
        symmetries from 2 on.
    dimensions : int
        Axes of an object, the last ones: 3 for volumes.

    Returns
    -------
    torch.Tensor, complex, shape (…, oversampling * height, oversampling * width), or of three axes
        Complex far field, DC in the centre.
    """
    check_objects(objects)
    if oversampling < 1 or oversampling != int(oversampling):
        raise ValueError(f"expected oversampling as an integer of at least 1, got {oversampling!r}; use 2")
    if dimensions not in (2, 3) or objects.ndim < dimensions:
        raise ValueError(
            f"expected dimensions as 2 or 3, and objects of as many axes or more, got {dimensions!r} and "
            f"{objects.ndim} axes; change one"
        )
    axes, sides = tuple(range(-dimensions, 0)), (int(oversampling) * n for n in objects.shape[-dimensions:])
    framed = torch.fft.ifftshift(to_frame(objects, *sides), dim=axes)
    return torch.fft.fftshift(torch.fft.fftn(framed, dim=axes), dim=axes)


def measure(objects: Objects, oversampling: int = 2, dimensions: int = 2) -> Intensity | AnyVolumeIntensity:
    """Noise-free intensity |F(X)|² of the oversampled far field.

    Parameters
    ----------
    objects : torch.Tensor, complex, shape (…, height, width), or (…, depth, height, width)
        Objects, in any unit of amplitude.
    oversampling : int
        Pattern pixels per object pixel and axis.
    dimensions : int
        Axes of an object, the last ones: 3 for volumes.

    Returns
    -------
    torch.Tensor, float, shape (…, oversampling * height, oversampling * width), or of three axes
        Intensity in squared units of the object, DC at ``[M // 2, M // 2]``.

    Examples
    --------
    >>> import torch
    >>> pattern = measure(torch.ones(4, 4, dtype=torch.complex64))
    >>> tuple(pattern.shape), float(pattern[4, 4])
    ((8, 8), 256.0)
    """
    field = far_field(objects, oversampling, dimensions)
    return field.real.square() + field.imag.square()


def photon_noise(intensity: Intensity, photons: float, seed: int, dimensions: int = 2) -> Intensity:
    """Poisson noise of a finite exposure, in the intensity's own unit.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, rows, columns)
        Noise-free intensity.
    photons : float
        Expected number of photons in each whole pattern.
    seed : int
        Pattern i (in flattened batch order) draws from ``(seed, i)`` alone.
    dimensions : int
        Axes of a pattern, the last ones: 3 for volumes.

    Returns
    -------
    torch.Tensor, float, shape (…, rows, columns)
        Counts, scaled back so that they estimate `intensity`.

    Raises
    ------
    ValueError
        If `photons` is not positive or a pattern is empty.
    """
    check_intensity(intensity)
    if not photons > 0:
        raise ValueError(f"expected a positive number of photons, got {photons!r}; the study uses 1e5 to 1e7")
    flat = intensity.reshape(-1, *intensity.shape[-dimensions:]).double().cpu().numpy()
    noisy = np.empty_like(flat)
    for index, pattern in enumerate(flat):
        if not pattern.any():
            raise ValueError(f"expected patterns with some intensity, got an empty one at {index}; drop it")
        scale = photons / pattern.sum()
        rng = np.random.default_rng(np.random.SeedSequence([seed, index], spawn_key=(STREAM,)))
        noisy[index] = rng.poisson(pattern * scale) / scale
    return torch.from_numpy(noisy).reshape(intensity.shape).to(intensity)
