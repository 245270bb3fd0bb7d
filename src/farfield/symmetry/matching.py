"""Which symmetric copy of an estimate resembles its reference most: over every translation, fast and exactly.

On a CPU, correlations come from transforms of the frame's own length first, where translations that push content out
of the frame wrap onto others. Cauchy-Schwarz proves for most samples that none of those does better; the rest is
searched by longer transforms, in the end by such that nothing wraps, as everything is on a GPU.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len

from farfield.machine.heap import keep_freed_memory
from farfield.machine.passes import compiled, correlations, line_energy, window
from farfield.machine.shapes import Estimates, Objects, check_objects

CLOSE = 0.1
"""Relative squared error below which float32 correlations are too coarse (their square is good to 5e-7)."""

SAFE = 16
"""Powers of two of a norm up to which float32 holds a correlation's square."""

STRETCH = 1.25
"""Length of the second transforms, in frames: enough for most samples that the first leave open."""

PROMISING = 0.1
"""Squared overlap, relative to the most possible, from which the second transforms are tried at all."""

PIXELS_AT_ONCE = 2**16
"""Of what is matched at a time on a CPU: few enough for a core's cache, many enough to hide the calls."""


def box(filled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """First true entry along the last axis, and how far the last one is from it; 0 and 0 for none."""
    filled = filled.to(torch.uint8)
    first = filled.argmax(-1)
    return first, (filled.shape[-1] - filled.flip(-1).argmax(-1) - first) * filled.amax(-1)


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


class _Lines(NamedTuple):
    """Where objects lie, line by line; rows are axis 0, columns axis 1."""

    energy: torch.Tensor  # (batch, 2, 2, side): reference or estimate, axis, line
    first: torch.Tensor  # (batch, 2, 2): first line with content
    extent: torch.Tensor  # (batch, 2, 2): lines from there to the last

    def of(self, some: torch.Tensor | slice) -> "_Lines":
        """Choose some samples."""
        return _Lines(*(x[some] for x in (self.energy, self.first, self.extent)))


class _Found(NamedTuple):
    """What a search found, (batch, …) each."""

    flipped: torch.Tensor
    shift: torch.Tensor  # (batch, 2)
    overlap: torch.Tensor
    proven: torch.Tensor  # that no translation overlaps more


def _lines(reference: torch.Tensor, estimate: torch.Tensor) -> _Lines:
    energy = torch.stack([line_energy(reference), line_energy(estimate)]).permute(2, 0, 1, 3).contiguous()
    return _Lines(energy, *box(energy > 0))


@compiled
def _peak(field):
    """Flip, row, column and squared magnitude of the largest pixel of (2, length, length)."""
    best, flip, row, column = np.float32(-1), 0, 0, 0
    for f in range(2):
        for i in range(field.shape[1]):
            largest = np.float32(0)
            for j in range(field.shape[2]):
                z = field[f, i, j]
                largest = max(largest, z.real * z.real + z.imag * z.imag)
            if largest > best:
                best, flip, row = largest, f, i
    largest = np.float32(-1)
    for j in range(field.shape[2]):
        z = field[flip, row, j]
        power = z.real * z.real + z.imag * z.imag
        if power > largest:
            largest, column = power, j
    return flip, row, column, best


@compiled
def _translation(line, flip, length, side, first, extent):
    """Shift of one axis that line `line` of a cyclic correlation stands for, and whether surely no other.

    At most so many lines of the reference's content face lines outside of the estimate's: any other translation
    that wraps here has no overlap.
    """
    content = side - first[1] - extent[1] if flip else first[1]
    out = max(0, min(extent[0] - 1, length - extent[1]))
    start = first[0] + out - content
    shift = (start - line + (side - 1 if flip else 0)) % length - start
    return shift, shift <= out + content + extent[1] - extent[0] - first[0]


@compiled
def _bounds(energy, first, extent, flip, length, larger, smaller):
    """Squared Cauchy-Schwarz bounds on the overlaps that a cyclic correlation adds up at each line of one axis.

    Reference lines within the estimate's frame face estimate lines within the reference's content. Writes the
    larger and the smaller of the bounds on the two translations that meet at a line.
    """
    side = energy.shape[1]
    within, facing = np.zeros(side + 1), np.zeros(side + 1)
    for i in range(side):
        within[i + 1] = within[i] + energy[0, i]
        facing[i + 1] = facing[i] + energy[1, side - 1 - i if flip else i]
    for line in range(length):
        shift = (-line + (side - 1 if flip else 0)) % length
        both = (0.0, 0.0)
        for translation in (shift, shift - length):
            bound = 0.0
            if -side < translation < side:
                own = within[min(side, side - translation)] - within[max(0, -translation)]
                begin = min(max(first[0] + translation, 0), side)
                end = min(max(first[0] + extent[0] + translation, 0), side)
                bound = own * (facing[end] - facing[begin])
            both = (both[1], bound)
        larger[line], smaller[line] = max(both), min(both)


@compiled
def _none_better(field, energy, first, extent, peak):
    """Prove that translations with content outside the frame, which wrap onto others, overlap less than the peak.

    An overlap is at most its own bound √u, and at most the correlation there plus the bounds √v of what wraps
    onto it, one for each axis. With P the peak and C a correlation, C + √v + √w ≤ P follows from
    C² / (1 - 2√v/P) / (1 - 2√w/P) ≤ P²: one weight for each row and one for each column.
    """
    length = field.shape[1]
    limit = np.float64(peak) / np.float64(length) ** 4
    total, other = energy[0, 0].sum(), energy[1, 0].sum()
    least = total
    for axis in range(2):
        begin = first[0, axis]
        end = begin + max(extent[0, axis] - 1, 0)
        least = min(least, energy[0, axis, begin], energy[0, axis, end])
    if limit >= (total - least) * other:  # already losing one line of content costs too much
        return True
    larger, smaller = np.empty(length), np.empty(length)
    weights, open_lines, hopeless = np.zeros((2, length), np.float32), np.zeros(2, np.int64), np.zeros(2, np.int64)
    for flip in range(2):
        for axis in range(2):
            _bounds(energy[:, axis], first[:, axis], extent[:, axis], flip, length, larger, smaller)
            open_lines[axis] = hopeless[axis] = 0
            for line in range(length):
                weights[axis, line] = 0
                if larger[line] > limit:
                    open_lines[axis] += 1
                    left = 1 - 2 * np.sqrt(smaller[line] / limit)
                    if left <= 0:
                        hopeless[axis] += 1
                    else:
                        weights[axis, line] = 1 / left
        if not (open_lines[0] and open_lines[1]):
            continue
        if hopeless[0] or hopeless[1]:
            return False
        for i in range(length):
            if weights[0, i] == 0:
                continue
            largest = np.float32(0)
            for j in range(length):
                z = field[flip, i, j]
                largest = max(largest, (z.real * z.real + z.imag * z.imag) * weights[1, j])
            if largest * weights[0, i] > peak:
                return False
    return True


@compiled
def _overlap(reference, estimate, flip, shift):
    """⟨copy, reference⟩ in double precision, so that a nearly perfect match loses no digits."""
    side = len(reference)
    down, right = shift
    real = imag = 0.0
    for i in range(max(0, -down), min(side, side - down)):
        if flip:
            for j in range(max(0, -right), min(side, side - right)):
                a, b = reference[i, j], estimate[side - 1 - i - down, side - 1 - j - right]
                x, y, u, v = np.float64(a.real), np.float64(a.imag), np.float64(b.real), np.float64(b.imag)
                real += x * u - y * v
                imag += y * u + x * v
        else:
            for j in range(max(0, -right), min(side, side - right)):
                a, b = reference[i, j], estimate[i + down, j + right]
                x, y, u, v = np.float64(a.real), np.float64(a.imag), np.float64(b.real), np.float64(b.imag)
                real += x * u + y * v
                imag += y * u - x * v
    return complex(real, imag)


@compiled
def _settle(field, reference, estimate, energy, first, extent, flipped, shift, overlap, proven):
    """Read one sample after the other off its cyclic correlations."""
    side, length = reference.shape[1], field.shape[2]
    for k in range(len(field)):
        flip, row, column, peak = _peak(field[k])
        flipped[k] = flip == 1
        shift[k, 0], sure = _translation(row, flip, length, side, first[k, :, 0], extent[k, :, 0])
        shift[k, 1], sure_too = _translation(column, flip, length, side, first[k, :, 1], extent[k, :, 1])
        needed = max(extent[k, 0, 0] + extent[k, 1, 0], extent[k, 0, 1] + extent[k, 1, 1]) - 1
        proven[k] = length >= needed or (
            sure and sure_too and _none_better(field[k], energy[k], first[k], extent[k], peak)
        )
        product = energy[k, 0, 0].sum() * energy[k, 1, 0].sum()
        if np.float64(peak) / np.float64(length) ** 4 > (1 - CLOSE) * product:
            overlap[k] = _overlap(reference[k], estimate[k], flip, shift[k])
        else:
            overlap[k] = field[k, flip, row, column] / np.float64(length) ** 2


def _correlate(reference: torch.Tensor, estimate: torch.Tensor, length: int) -> torch.Tensor:
    """Cyclic correlations × length² with the estimate and its flip: (batch, 2, length, length)."""
    fields = (torch.fft.fft2(objects, s=(length, length)) for objects in (reference, estimate))
    return torch.fft.ifft2(correlations(*fields), norm="forward")


def _search_part(reference: torch.Tensor, estimate: torch.Tensor, lines: _Lines, length: int) -> _Found:
    """Find the largest overlaps by transforms of a length, on a CPU."""
    count = len(reference)
    found = _Found(
        torch.empty(count, dtype=torch.bool),
        torch.empty(count, 2, dtype=torch.int64),
        torch.empty(count, dtype=torch.complex128),
        torch.empty(count, dtype=torch.bool),
    )
    field = _correlate(reference, estimate, length)
    _settle(*(x.numpy() for x in (field, reference, estimate, *lines, *found)))
    return found


def _search_whole(reference: torch.Tensor, estimate: torch.Tensor, lines: _Lines) -> _Found:
    """Find the largest overlaps by transforms long enough for all, as `_settle` does but in torch, for a GPU."""
    side, first, extent = reference.shape[-1], lines.first.unbind(1), lines.extent.unbind(1)
    length = next_fast_len(max(int((extent[0] + extent[1]).amax()) - 1, side))
    field = _correlate(reference, estimate, length)
    best = field.abs().flatten(1).argmax(-1)
    overlap = field.flatten(1).gather(1, best[:, None])[:, 0].to(torch.complex128) / length**2
    flip, line = best // length**2, torch.stack([best // length % length, best % length], -1)
    content = torch.where(flip[:, None] == 1, side - first[1] - extent[1], first[1])
    start = first[0] + (extent[0] - 1).clamp_min(0) - content
    shift = (start - line + flip[:, None] * (side - 1)) % length - start
    close = overlap.abs().square() > (1 - CLOSE) * lines.energy[:, :, 0].sum(-1).prod(-1)
    turned = torch.where(flip[:, None, None] == 1, estimate.flip((-2, -1)), estimate.conj())[close]
    copies = window(turned, shift[close], side, side).to(torch.complex128)
    overlap[close] = (copies * reference[close]).sum((-2, -1))
    return _Found(flip == 1, shift, overlap, torch.ones_like(close))


def _search(reference: torch.Tensor, estimate: torch.Tensor, lines: _Lines) -> _Found:
    """Find the largest overlaps, by transforms as short as can be proven to be enough."""
    if not reference.is_cpu:
        return _search_whole(reference, estimate, lines)
    side = reference.shape[-1]
    length = next_fast_len(side)
    size = max(1, PIXELS_AT_ONCE // length**2)
    parts = (slice(start, start + size) for start in range(0, len(reference), size))
    found = [_search_part(reference[part], estimate[part], lines.of(part), length) for part in parts]
    found = _Found(*(torch.cat(x) for x in zip(*found, strict=True)))
    needed = (lines.extent.sum(1) - 1).amax(-1)
    promising = found.overlap.abs().square() > PROMISING * lines.energy[:, :, 0].sum(-1).prod(-1)
    for longest, candidates in ((int(STRETCH * side), promising), (2 * side, torch.ones_like(promising))):
        left = (candidates & ~found.proven).nonzero()[:, 0]
        left = left[needed[left].argsort()]
        for some in left.split(max(1, PIXELS_AT_ONCE // longest**2)) if len(left) else ():
            length = next_fast_len(max(min(int(needed[some].amax()), longest), side))
            part = _search_part(reference[some], estimate[some], lines.of(some), length)
            for whole, better in zip(found, part, strict=True):
                whole[some] = better
    return found


def _scale(energy: torch.Tensor) -> torch.Tensor | None:
    """Factors that bring samples of extreme energy, whose correlations float32 cannot hold, near 1; None if none are.

    Powers of two, which round nothing; at most what float32 holds.
    """
    exponent = energy.sqrt().frexp().exponent
    extreme = (exponent.abs() > SAFE) & energy.isfinite() & (energy > 0)
    if not extreme.any():
        return None
    return torch.ldexp(torch.ones_like(energy), -(exponent * extreme).clamp(-100, 100))


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
    reference, estimate = reference.resolve_conj().contiguous(), estimate.resolve_conj().contiguous()
    lines = _lines(reference, estimate)
    energy = lines.energy[:, :, 0].sum(-1).T.contiguous()
    if (scale := _scale(energy)) is not None:
        again = match(
            *(x * s.to(x.real.dtype)[:, None, None] for x, s in zip((reference, estimate), scale, strict=True))
        )
        return again._replace(overlap=again.overlap / scale.prod(0), energy=again.energy / scale.square())
    found = _search(reference, estimate, lines)
    return Match(found.flipped, found.shift, found.overlap, energy)


def paired(reference: Objects, estimate: Estimates) -> tuple[torch.Tensor, torch.Tensor, tuple[int, ...]]:
    """Check two stacks of objects and bring them to one batch dimension and one square frame.

    Parameters
    ----------
    reference, estimate : torch.Tensor, complex, shapes (…, height, width) and (…, rows, columns)
        Leading dimensions are broadcast.

    Returns
    -------
    tuple of torch.Tensor, torch.Tensor and tuple of int
        Both stacks, of shape (batch, side, side), with zeros added below and to the right; and the leading
        dimensions that they have in common.

    Raises
    ------
    ValueError
        If one is not complex or the leading dimensions do not broadcast.
    """
    check_objects(reference, "reference")
    check_objects(estimate, "estimate")
    try:
        # Not torch's own, whose first call imports sympy: half a second in every job.
        batch = np.broadcast_shapes(reference.shape[:-2], estimate.shape[:-2])
    except ValueError:
        raise ValueError(
            f"expected one estimate for each reference, got shapes {tuple(estimate.shape)} and "
            f"{tuple(reference.shape)}; give both the same leading dimensions"
        ) from None
    if 0 in batch:
        raise ValueError(
            f"expected at least one reference, got shape {tuple(reference.shape)}; give a stack of objects"
        )
    side = max(*reference.shape[-2:], *estimate.shape[-2:])

    def framed(objects: torch.Tensor) -> torch.Tensor:
        below, right = side - objects.shape[-2], side - objects.shape[-1]
        padded = F.pad(objects, (0, right, 0, below)) if below or right else objects
        return padded.expand(*batch, side, side).reshape(-1, side, side)

    return framed(reference), framed(estimate), batch
