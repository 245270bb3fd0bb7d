"""The three symmetries of far-field phase retrieval: how to apply, break and undo them.

Translation inside the frame, conjugate flip X(n) → conj X(-n) and a global phase leave |F(X)|² unchanged.
Breaking is Algorithm 1 of arXiv:2403.15448; undoing them between an estimate and a reference is `align`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int

from farfield.machine.passes import window
from farfield.machine.shapes import TINY, Estimates, Objects, PerSample, PerSampleBool, check_objects
from farfield.symmetry import matching
from farfield.symmetry.matching import box

LEVELS = ("before", "centred", "phase", "after")
"""How much is broken: nothing, translation, also the global phase, also the conjugate flip."""

REAL = 1e-5
"""|Im Ω(1,2)| under which it is real but for rounding, and tells nothing of the flip."""

CONTENT = 1e-4
"""Magnitude, relative to the sample's maximum, above which a pixel counts as content: over rounding noise."""


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
    shifts = torch.as_tensor(shift, device=objects.device)
    if shifts.is_floating_point() or shifts.is_complex() or shifts.shape[-1:] != (2,):
        raise ValueError(f"expected shifts as whole pixels (down, right), got {shift!r}; round them")
    shifts = shifts.expand(*objects.shape[:-2], 2).reshape(-1, 2)
    moved = window(flat, -shifts, height, width)
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


def _first_frequency(flat: torch.Tensor, dim: int, centre: torch.Tensor, period: int) -> torch.Tensor:
    """Sum of (batch, height, width) objects times the first harmonic along an axis about each one's centre."""
    pixels = torch.arange(flat.shape[dim], device=flat.device, dtype=torch.float64)
    ramp = torch.exp(-2j * torch.pi * (pixels - centre[:, None]) / period)
    return (flat.sum(-3 - dim, dtype=torch.complex128) * ramp).sum(-1)


class _Decision(NamedTuple):
    """Content moved to the origin, and what Algorithm 1 decides by, (batch,) each."""

    centred: torch.Tensor
    dc: torch.Tensor
    first: torch.Tensor
    sine: torch.Tensor


def _decide(flat: torch.Tensor, oversampling: int) -> _Decision:
    """Centre the content and compute DC, Ω(1,2) and the sine that decides the flip."""
    first, extent = _content_box(flat)
    height, width = flat.shape[-2:]
    top_left = torch.tensor([height // 2, width // 2], device=flat.device) - extent // 2
    centred = window(flat, first - top_left, height, width)
    # The exact centre of the box, which for an even extent lies half a pixel off the origin.
    centre = top_left + (extent - 1) / 2
    dc = centred.sum((-2, -1), dtype=torch.complex128)
    along, down = (_first_frequency(centred, dim, centre[:, dim], oversampling * flat.shape[dim]) for dim in (-1, -2))
    sines = [(x * dc.conj()).imag / (x * dc).abs().clamp_min(TINY) for x in (along, down)]
    # A real object that mirrors in the columns has Ω(1,2) = ±1, up to rounding: then the rows' decides.
    sine = torch.where(sines[0].abs() > REAL, sines[0], sines[1])
    return _Decision(centred, dc, sines[0], sine)


def break_symmetries(objects: Objects, oversampling: int = 2, level: str = "after") -> Objects:
    """Choose one representative of each object's symmetric copies (Algorithm 1).

    The content is centred; if Ω(1,2), the Fourier phase of the first frequency along the rows relative to
    DC, is not in the upper half circle, the object is conjugate-flipped; its global phase makes Ω(1,1) = 1.

    Parameters
    ----------
    objects : torch.Tensor, complex, shape (…, height, width)
        Objects on a background of zeros.
    oversampling : int
        Of the far field whose Ω decides.
    level : str
        One of `LEVELS`; what a lower one leaves unbroken shows how much each symmetry hurts.

    Returns
    -------
    torch.Tensor, complex, shape (…, height, width)
        Same patterns; at the highest level equal, to rounding, for every symmetric copy of an object. Empty objects
        stay empty.

    Raises
    ------
    ValueError
        If the level is unknown.

    Notes
    -----
    All frequencies are plain sums, so no transform is made and nothing is rounded but the global phase.
    Where Ω(1,2) is exactly ±1, as for a real object that mirrors in its columns, Ω(2,1) decides instead.
    Both are referred to the *exact* centre of the content's bounding box: an even extent has it between two
    pixels, and a rounded centre would decide differently for a copy and its flip.

    Examples
    --------
    >>> import farfield
    >>> crystals = farfield.simulate(4, 32, seed=0)
    >>> copies = rotate_phase(conjugate_flip(crystals), 1.0)
    >>> broken = farfield.break_symmetries(crystals)
    >>> float((farfield.break_symmetries(copies) - broken).abs().max()) < 1e-5
    True
    """
    check_objects(objects)
    if level not in LEVELS:
        raise ValueError(f"expected a symmetry level out of {', '.join(LEVELS)}, got {level!r}; choose one")
    if level == "before":
        return objects
    centred, dc, _, sine = _decide(objects.reshape(-1, *objects.shape[-2:]), oversampling)
    if level == "centred":
        return centred.reshape(objects.shape)
    if level == "phase":
        return rotate_phase(centred, -dc.angle()).reshape(objects.shape)
    flips = sine < 0
    # The flip is about the content's own centre, which keeps its box where it is.
    height, width = objects.shape[-2:]
    origin_shift = torch.tensor([height, width], device=objects.device)
    top_left, extent = _content_box(centred)
    turned = window(conjugate_flip(centred), origin_shift - extent - 2 * top_left, height, width)
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
    centred, dc, first, sine = _decide(objects.reshape(-1, *objects.shape[-2:]), oversampling)
    size = tuple(oversampling * n for n in objects.shape[-2:])
    parts = centred.split(max(1, matching.PIXELS_AT_ONCE // (size[0] * size[1])))
    largest = torch.cat([torch.fft.fft2(part, s=size).abs().amax((-1, -2)) for part in parts]).double()
    dc_share = dc.abs() / largest.clamp_min(TINY)
    shape = objects.shape[:-2]
    return Conditioning((sine < 0).reshape(shape), dc_share.reshape(shape), first.abs().reshape(shape))


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
    flat, candidate, batch = matching.paired(reference, estimate)
    frame = reference.shape[-2:]
    return lay_over(matching.match(flat, candidate), candidate, *frame).reshape(*batch, *frame)


def lay_over(found: matching.Match, estimate: Estimates, height: int, width: int) -> Objects:
    """Make the copies that matches found of (batch, side, side) estimates, in the references' frame."""
    turned = torch.where(found.flipped[:, None, None], conjugate_flip(estimate), estimate)
    return rotate_phase(window(turned, found.shift, height, width), found.overlap.angle())
