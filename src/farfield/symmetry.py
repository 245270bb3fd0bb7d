"""The three symmetries of far-field phase retrieval: how to apply, break and undo them.

Translation inside the frame, conjugate flip X(n) → conj X(-n) and a global phase leave |F(X)|² unchanged.
Breaking is Algorithm 1 of arXiv:2403.15448; undoing them between an estimate and a reference is `align`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int

from farfield import matching
from farfield.matching import box
from farfield.shapes import TINY, Estimates, Objects, PerSample, PerSampleBool, check_objects

CONTENT = 1e-4
"""Magnitude, relative to the sample's maximum, above which a pixel counts as content: over rounding noise."""


def _window(objects: torch.Tensor, start: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Cut a window from each of (batch, rows, columns) at its own (batch, 2) start; zero outside."""
    rows = start[:, :1] + torch.arange(height, device=objects.device)
    columns = start[:, 1:] + torch.arange(width, device=objects.device)
    inside_rows = (rows >= 0) & (rows < objects.shape[-2])
    inside_columns = (columns >= 0) & (columns < objects.shape[-1])
    sample = torch.arange(len(objects), device=objects.device)[:, None, None]
    cut = objects[
        sample,
        rows.clamp(0, objects.shape[-2] - 1)[:, :, None],
        columns.clamp(0, objects.shape[-1] - 1)[:, None],
    ]
    return cut * (inside_rows[:, :, None] & inside_columns[:, None])


def _content_box(flat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """First (row, column) and extent, both (batch, 2), of the content of (batch, height, width) objects."""
    magnitude = flat.abs()
    content = magnitude > CONTENT * magnitude.amax((-1, -2), keepdim=True)
    (top, height), (left, width) = box(content.any(-1)), box(content.any(-2))
    return torch.stack([top, left], -1), torch.stack([height, width], -1)


def translate(objects: Objects, shift: Sequence[int] | Int[torch.Tensor, "..."]) -> Objects:
    """Move the content inside its frame.

    Parameters
    ----------
    objects : torch.Tensor, complex, shape (…, height, width)
        Objects on a background of zeros.
    shift : sequence of two int, or torch.Tensor of shape (…, 2)
        Pixels (down, right), for all or for each.

    Returns
    -------
    torch.Tensor, complex, shape (…, height, width)

    Raises
    ------
    ValueError
        If content would leave the frame: that is no symmetry.
    """
    check_objects(objects)
    height, width = objects.shape[-2:]
    flat = objects.reshape(-1, height, width)
    shifts = torch.as_tensor(shift, device=objects.device).expand(*objects.shape[:-2], 2).reshape(-1, 2)
    moved = _window(flat, -shifts, height, width)
    lost = (moved != 0).sum((-1, -2)) < (flat != 0).sum((-1, -2))
    if bool(lost.any()):
        raise ValueError(
            f"expected shifts that keep the content inside its {height} × {width} frame, but sample "
            f"{int(lost.nonzero()[0, 0])} would leave it; shift less or enlarge the frame with diffraction.to_frame"
        )
    return moved.reshape(objects.shape)


def conjugate_flip(objects: Objects) -> Objects:
    """Conjugate and turn by 180° about the frame's centre: X(n) → conj X(-n), then one pixel on for even frames.

    Parameters
    ----------
    objects : torch.Tensor, complex, shape (…, height, width)

    Returns
    -------
    torch.Tensor, complex, shape (…, height, width)
        Content anywhere in the frame stays inside it, and two flips are none.
    """
    check_objects(objects)
    return objects.flip((-2, -1)).conj().resolve_conj()


def rotate_phase(objects: Objects, angle: float | PerSample) -> Objects:
    """Multiply by e^{i angle}.

    Parameters
    ----------
    objects : torch.Tensor, complex, shape (…, height, width)
    angle : float or torch.Tensor of shape (…)
        Radians, for all or for each.

    Returns
    -------
    torch.Tensor, complex, shape (…, height, width)
    """
    check_objects(objects)
    angles = torch.as_tensor(angle, dtype=objects.real.dtype, device=objects.device)
    return objects * torch.polar(torch.ones_like(angles), angles)[..., None, None]


class _Spectrum(NamedTuple):
    """DC and the first frequency along the rows, referred to the content's exact centre, (batch,) each."""

    dc: torch.Tensor
    first: torch.Tensor


def _lowest_frequencies(flat: torch.Tensor, centre: torch.Tensor, period: int) -> _Spectrum:
    pixels = torch.arange(flat.shape[-1], device=flat.device, dtype=torch.float64)
    ramp = torch.exp(-2j * torch.pi * (pixels - centre[:, None]) / period)
    lines = flat.sum(-2, dtype=torch.complex128)
    return _Spectrum(lines.sum(-1), (lines * ramp).sum(-1))


def _centre(flat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Content moved to the origin, and the column of its exact centre (half a pixel off for even extents)."""
    first, extent = _content_box(flat)
    origin = torch.tensor([flat.shape[-2] // 2, flat.shape[-1] // 2], device=flat.device)
    top_left = origin - extent // 2
    centred = _window(flat, first - top_left, *flat.shape[-2:])
    return centred, top_left[:, 1] + (extent[:, 1] - 1) / 2


def break_symmetries(objects: Objects, oversampling: int = 2) -> Objects:
    """Choose one representative of each object's symmetric copies (Algorithm 1).

    The content is centred; if Ω(1,2), the Fourier phase of the first frequency along the rows relative to
    DC, is not in the upper half circle, the object is conjugate-flipped; its global phase makes Ω(1,1) = 1.

    Parameters
    ----------
    objects : torch.Tensor, complex, shape (…, height, width)
        Objects on a background of zeros.
    oversampling : int
        Of the far field whose Ω decides.

    Returns
    -------
    torch.Tensor, complex, shape (…, height, width)
        Same patterns; equal, to rounding, for every symmetric copy of an object. Empty objects stay empty.

    Notes
    -----
    Both frequencies are plain sums, so no transform is made and nothing is rounded but the global phase.
    Ω(1,2) is referred to the *exact* centre of the content's bounding box: an even extent has it between two
    pixels, and a rounded centre would decide differently for a copy and its flip.
    """
    check_objects(objects)
    centred, column = _centre(objects.reshape(-1, *objects.shape[-2:]))
    dc, first = _lowest_frequencies(centred, column, oversampling * objects.shape[-1])
    flips = (first * dc.conj()).imag < 0
    # The flip is about the content's own centre, which keeps its box where it is.
    height, width = objects.shape[-2:]
    origin_shift = torch.tensor([height, width], device=objects.device)
    top_left, extent = _content_box(centred)
    turned = _window(conjugate_flip(centred), origin_shift - extent - 2 * top_left, height, width)
    chosen = torch.where(flips[:, None, None], turned, centred)
    phase = torch.where(flips, dc.conj(), dc).angle()
    return rotate_phase(chosen, -phase).reshape(objects.shape)


class Conditioning(NamedTuple):
    """How firmly Algorithm 1 decides, for each sample.

    Attributes
    ----------
    flipped : torch.Tensor, bool, shape (…)
        Whether the object is conjugate-flipped.
    dc : torch.Tensor, float64, shape (…)
        |F(1,1)| relative to max |F|; where it is small, the canonical global phase is ill-conditioned.
    first : torch.Tensor, float64, shape (…)
        |Im Ω(1,2) conj Ω(1,1)|; where it is small, Ω(1,2) is near ±1 and so is the choice of the flip.
    """

    flipped: PerSampleBool
    dc: PerSample
    first: PerSample


def conditioning(objects: Objects, oversampling: int = 2) -> Conditioning:
    """Tell how firmly the symmetries of each object can be broken.

    Parameters
    ----------
    objects : torch.Tensor, complex, shape (…, height, width)
    oversampling : int
        Of the far field whose Ω decides.

    Returns
    -------
    Conditioning
    """
    check_objects(objects)
    flat = objects.reshape(-1, *objects.shape[-2:])
    centred, column = _centre(flat)
    dc, first = _lowest_frequencies(centred, column, oversampling * flat.shape[-1])
    size = tuple(oversampling * n for n in flat.shape[-2:])
    parts = [torch.fft.fft2(part, s=size).abs().amax((-1, -2)) for part in centred.split(matching.CHUNK)]
    largest = torch.cat(parts).double()
    sine = (first * dc.conj()).imag
    shape = objects.shape[:-2]
    return Conditioning(
        (sine < 0).reshape(shape),
        (dc.abs() / largest.clamp_min(TINY)).reshape(shape),
        (sine.abs() / (first * dc).abs().clamp_min(TINY)).reshape(shape),
    )


def align(reference: Objects, estimate: Estimates) -> Objects:
    """Undo translation, conjugate flip and global phase between an estimate and its reference.

    Parameters
    ----------
    reference : torch.Tensor, complex, shape (…, height, width)
    estimate : torch.Tensor, complex, shape (…, rows, columns)
        Its frame may have another size.

    Returns
    -------
    torch.Tensor, complex, shape (…, height, width)
        The symmetric copy that resembles the reference most; its scale is left alone. What the estimate puts
        outside the reference's frame is cut off.
    """
    flat, candidate = matching.paired(reference, estimate)
    found = matching.match(flat, candidate)
    turned = torch.where(found.flipped[:, None, None], conjugate_flip(candidate), candidate)
    moved = _window(turned, found.shift, *reference.shape[-2:])
    batch = torch.broadcast_shapes(reference.shape[:-2], estimate.shape[:-2])
    return rotate_phase(moved, found.overlap.angle()).reshape(*batch, *reference.shape[-2:])
