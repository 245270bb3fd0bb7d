"""Which symmetric copy of an estimate resembles its reference most: over every translation, fast and exactly.

Correlations come from transforms of the frame's own length, where translations that push content out of the frame
wrap onto others. Cauchy-Schwarz proves for most samples that none of those does better; the rest is searched by
transforms that are long enough for all.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len

from farfield.fourier import transform, transform_back
from farfield.heap import keep_freed_memory
from farfield.shapes import Estimates, Objects, check_objects

CLOSE = 0.1
"""Relative squared error below which float32 correlations are too coarse (their square is good to 5e-7)."""

SAFE = 16
"""Powers of two of a norm up to which float32 holds a correlation's square."""

GROUP = 32
"""Samples searched again or sharpened at a time."""

CHUNK = 32
"""Samples matched at a time: few enough for a core's cache, many enough to hide the calls."""


def box(filled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """First true entry along the last axis, and how far the last one is from it; 0 and 0 for none."""
    filled = filled.to(torch.uint8)
    first = filled.argmax(-1)
    return first, (filled.shape[-1] - filled.flip(-1).argmax(-1) - first) * filled.amax(-1)


def _crop(objects: torch.Tensor, chosen: torch.Tensor, start: torch.Tensor, side: int) -> torch.Tensor:
    """Square windows of some of (batch, rows, columns), as `symmetry._window` but through one strided copy."""
    margin = int((-start).amax().clamp_min(0))
    over = int((start + side - torch.tensor(objects.shape[-2:], device=start.device)).amax().clamp_min(0))
    if margin or over:
        objects, chosen = (
            F.pad(objects[chosen], (margin, over, margin, over)),
            torch.arange(len(chosen), device=start.device),
        )
    windows = objects.unfold(-2, side, 1).unfold(-2, side, 1)
    return windows[chosen, start[:, 0] + margin, start[:, 1] + margin]


class Match(NamedTuple):
    """The symmetric copy of an estimate that resembles its reference most, for each sample.

    Attributes
    ----------
    flipped : torch.Tensor, bool, shape (batch,)
        Whether the estimate is conjugate-flipped first.
    shift : torch.Tensor, int64, shape (batch, 2)
        Pixel (row, column) of the (flipped) estimate that lands on the reference's pixel (0, 0).
    overlap : torch.Tensor, complex128, shape (batch,)
        ⟨copy, reference⟩, whose angle is the estimate's global phase error.
    energy : torch.Tensor, float64, shape (2, batch)
        ‖reference‖² and ‖estimate‖².
    """

    flipped: torch.Tensor
    shift: torch.Tensor
    overlap: torch.Tensor
    energy: torch.Tensor


class _Found(NamedTuple):
    """What one search found, (batch, …) each."""

    flipped: torch.Tensor
    shift: torch.Tensor  # (batch, 2)
    overlap: torch.Tensor
    energy: torch.Tensor  # (batch, 2): reference, estimate
    first: torch.Tensor  # (batch, 2), line of the reference's content
    extent: torch.Tensor  # (batch, 2), lines of it
    needed: torch.Tensor  # length of transforms that is surely enough
    proven: torch.Tensor  # whether this length was


class _Lines(NamedTuple):
    """Energy by line of (batch, side, side) objects, rows then columns, and where their content lies."""

    reference: torch.Tensor  # (2, batch, side)
    estimate: torch.Tensor  # (2, batch, side)
    first: torch.Tensor  # (2, 2, batch): reference or estimate, axis, sample; as is the extent
    extent: torch.Tensor  # (2, 2, batch)


def _line_energy(objects: torch.Tensor) -> torch.Tensor:
    """Energy by row and by column, in double precision: that of a nearly perfect match is subtracted from it."""
    power = torch.view_as_real(objects).flatten(-2).to(torch.float64, copy=True).square_()
    return torch.stack([power.sum(-1), power.sum(-2).unflatten(-1, (-1, 2)).sum(-1)])


def _correlate(reference: torch.Tensor, estimate: torch.Tensor, length: int) -> torch.Tensor:
    """Cyclic correlations × length² with the estimate and its flip: (batch, 2, length, length)."""
    a, b = transform(reference, length), transform(estimate, length)
    product = a.new_empty(len(a), 2, length, length)
    torch.mul(a, b, out=product[:, 1])
    torch.mul(a, b.conj_physical_(), out=product[:, 0])
    return transform_back(product)


def _bounds(lines: _Lines, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared Cauchy-Schwarz bounds on the two overlaps that a cyclic correlation adds up at each of its lines.

    On one axis, reference lines within the estimate's frame face estimate lines within the reference's content.
    Returns the larger and the smaller of two bounds, (axis, batch, flip, length) each.
    """
    side, device = lines.reference.shape[-1], lines.reference.device
    energy = torch.stack([lines.estimate.flip(-1), lines.estimate, lines.reference], 2)
    sums = F.pad(energy, (length + 1, 2 * length - side)).cumsum(-1)
    # The frame begins at -length for the first of 2 length lines, and for the flip, which moves it, a bit later.
    later = torch.tensor([0, length - side + 1], device=device)
    within = (sums[:, :, 2, side:] - sums[:, :, 2, :-side]).unfold(-1, 2 * length, length - side + 1)
    axis, sample, flip = (torch.arange(n, device=device) for n in (2, sums.shape[1], 2))
    windows, end = sums.unfold(-1, 2 * length, 1), side - lines.first[0, ..., None] + later
    each = axis[:, None, None], sample[:, None], flip
    facing = windows[(*each, end)] - windows[(*each, end - lines.extent[0, ..., None])]
    bound = within * facing
    one, other = bound[..., :length], bound[..., length:]
    return torch.maximum(one, other), torch.minimum(one, other)


def _none_better(power: torch.Tensor, peak: torch.Tensor, lines: _Lines) -> torch.Tensor:
    """Prove that translations with content outside the frame, which wrap onto others, overlap less than the peak.

    An overlap is at most its own bound √u, and at most the correlation there plus the bounds √v of what wraps
    onto it, one for each axis. With P the peak and C a correlation, C + √v + √w ≤ P follows from
    C² / (1 - 2√v/P) / (1 - 2√w/P) ≤ P²: one weight for each row and one for each column. Overwrites `power`.
    """
    length = power.shape[-2]
    limit = peak / length**4
    tip = torch.stack([lines.first[0], (lines.first[0] + lines.extent[0] - 1).clamp_min(0)], -1)
    energy, other = lines.reference[0].sum(-1), lines.estimate[0].sum(-1)
    proven = limit >= (energy - lines.reference.gather(-1, tip).amin((0, -1))) * other
    if bool(proven.all()):  # already losing one line of content costs too much
        return proven
    limit = limit[:, None, None]
    larger, smaller = (x.to(power.dtype) for x in _bounds(lines, length))
    weight = 1 / (1 - 2 * (smaller / limit).sqrt()).clamp_min(0)
    # Infinite weights and what they make of zeros, NaN, fail the comparison, as they should.
    rows, columns = torch.where(larger > limit, weight, 0)
    power *= columns.repeat_interleave(2, -1)[:, :, None]
    return proven | ((power.amax(-1) * rows).flatten(1).amax(-1) <= peak)


def _sharpen(reference: torch.Tensor, estimate: torch.Tensor, some: torch.Tensor, found: _Found) -> torch.Tensor:
    """⟨copy, reference⟩ of some samples in double precision, so that a nearly perfect match loses no digits.

    Over the content of the reference, which is all that counts.
    """
    flipped, shift, first = found.flipped[some], found.shift[some], found.first[some]
    side = int(found.extent[some].amax())
    first = first.clamp_max(reference.shape[-1] - side)
    start = first + shift
    start = torch.where(flipped[:, None], estimate.shape[-1] - side - start, start)
    covered = _crop(estimate, some, start, side)
    turned = flipped.nonzero()[:, 0]
    flips = covered.index_select(0, turned).flip((-2, -1))
    copy = covered.conj_physical_().index_copy_(0, turned, flips)
    return copy.to(torch.complex128).mul_(_crop(reference, some, first, side)).sum((-2, -1))


def _search(reference: torch.Tensor, estimate: torch.Tensor, length: int | None = None) -> _Found:
    """Find the largest overlap by transforms of a length; by default, the frame's."""
    side = estimate.shape[-1]
    length = length or next_fast_len(side, real=True)
    field = _correlate(reference, estimate, length)
    # Twice as fast as the sum of two squares; the zeros between, its imaginary parts, harm no maximum.
    power = torch.view_as_real(field * field.conj()).flatten(-2)
    peak, best = power.amax(-1).flatten(1).max(-1)
    flipped, row = best // length, best % length
    each = torch.arange(len(best), device=best.device)
    column = power[each, flipped, row].argmax(-1) // 2
    overlap = field[each, flipped, row, column].to(torch.complex128) / length**2

    energies = torch.stack([_line_energy(reference), _line_energy(estimate)])
    lines = _Lines(*energies, *box(energies > 0))
    (first, content), (extent, others) = lines.first, lines.extent
    content = torch.where(flipped == 1, side - content - others, content)
    # At most so many lines of content outside the estimate's: any other translation that wraps here has no overlap.
    out = torch.minimum(extent - 1, length - others).clamp_min(0)
    start = first + out - content
    shift = (start - torch.stack([row, column]) + flipped * (side - 1)) % length - start
    needed = (extent + others - 1).amax(0)
    proven = (shift <= out + content + others - extent - first).all(0)
    if length < int(needed.amax()):
        proven &= _none_better(power, peak, lines)
    energy = energies[:, 0].sum(-1).T
    return _Found(flipped == 1, shift.T, overlap, energy, first.T, extent.T, needed, proven)


def _scale(energy: torch.Tensor) -> torch.Tensor | None:
    """Factors that bring samples of extreme energy, whose correlations float32 cannot hold, near 1; None if none are.

    Powers of two, which round nothing; at most what float32 holds.
    """
    exponent = energy.T.sqrt().frexp().exponent
    extreme = (exponent.abs() > SAFE) & energy.T.isfinite() & (energy.T > 0)
    if not extreme.any():
        return None
    return torch.ldexp(torch.ones_like(energy.T), -(exponent * extreme).clamp(-100, 100))


def _alike(chosen: torch.Tensor, size: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Indices of the chosen samples, in small groups of similar size."""
    indices = chosen.nonzero()[:, 0]
    return indices[size[indices].argsort()].split(GROUP) if len(indices) else ()


@torch.no_grad()
def match(reference: Objects, estimate: Objects) -> Match:
    """Find each estimate's symmetric copy that resembles its reference most, over every integer translation.

    Parameters
    ----------
    reference, estimate : torch.Tensor, complex, shape (batch, side, side)
        Of one size (`paired` makes them so). Outside its frame the estimate is zero.

    Returns
    -------
    Match

    Notes
    -----
    Correlations are cyclic over the frame first, where translations that put content outside it wrap onto
    others. Most samples are proven done all the same; longer transforms search the rest again, those of
    similar content together.
    """
    keep_freed_memory()
    reference, estimate = reference.resolve_conj(), estimate.resolve_conj()
    pairs = zip(reference.split(CHUNK), estimate.split(CHUNK), strict=True)
    found = _Found(*(torch.cat(x) for x in zip(*[_search(a, b) for a, b in pairs], strict=True)))
    if (scale := _scale(found.energy)) is not None:
        again = match(
            *(x * s.to(x.real.dtype)[:, None, None] for x, s in zip((reference, estimate), scale, strict=True))
        )
        return again._replace(overlap=again.overlap / scale.prod(0), energy=again.energy / scale.square())
    for some in _alike(~found.proven, found.needed):
        length = next_fast_len(int(found.needed[some].amax().clamp_min(estimate.shape[-1])), real=True)
        for whole, part in zip(found, _search(reference[some], estimate[some], length), strict=True):
            whole[some] = part
    flipped, shift, overlap, energy, *_ = found
    for some in _alike(overlap.abs().square() > (1 - CLOSE) * energy.prod(-1), found.extent.amax(-1)):
        overlap[some] = _sharpen(reference, estimate, some, found)
    return Match(flipped, shift, overlap, energy.T)


def paired(reference: Objects, estimate: Estimates) -> tuple[torch.Tensor, torch.Tensor]:
    """Check two stacks of objects and bring them to one batch dimension and one square frame.

    Parameters
    ----------
    reference, estimate : torch.Tensor, complex, shapes (…, height, width) and (…, rows, columns)
        Leading dimensions are broadcast.

    Returns
    -------
    tuple of torch.Tensor, both of shape (batch, side, side)
        Zeros are added below and to the right.

    Raises
    ------
    ValueError
        If one is not complex or the leading dimensions do not broadcast.
    """
    check_objects(reference, "reference")
    check_objects(estimate, "estimate")
    try:
        batch = torch.broadcast_shapes(reference.shape[:-2], estimate.shape[:-2])
    except RuntimeError:
        raise ValueError(
            f"expected one estimate for each reference, got shapes {tuple(estimate.shape)} and "
            f"{tuple(reference.shape)}; give both the same leading dimensions"
        ) from None
    if not batch.numel():
        raise ValueError(
            f"expected at least one reference, got shape {tuple(reference.shape)}; give a stack of objects"
        )
    side = max(*reference.shape[-2:], *estimate.shape[-2:])

    def framed(objects: torch.Tensor) -> torch.Tensor:
        below, right = side - objects.shape[-2], side - objects.shape[-1]
        padded = F.pad(objects, (0, right, 0, below)) if below or right else objects
        return padded.expand(*batch, side, side).reshape(-1, side, side)

    return framed(reference), framed(estimate)
