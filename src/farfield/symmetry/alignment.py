"""Volumes aligned on the torus: translation, conjugate flip and phase undone."""

import numpy as np
import torch

from farfield.machine.shapes import TINY_FLOAT32, AnyVolumes, Volumes, described


def align(reference: Volumes, estimate: AnyVolumes) -> Volumes:
    """Undo translation, conjugate flip and global phase between an estimate and its reference.

    Parameters
    ----------
    reference, estimate : torch.Tensor, complex, shape (…, depth, height, width)
        Of one frame; the estimate's leading dimensions broadcast to the reference's.

    Returns
    -------
    torch.Tensor, complex, shape (…, depth, height, width)
        The symmetric copy that resembles the reference most; its scale is left alone.

    Raises
    ------
    ValueError
        If they are not complex, or not of one frame.

    Notes
    -----
    Translations go around the edges, where `actions.align` cuts off: for objects that fill less than half of each
    axis, as those of an oversampled pattern do, that is the same. Four transforms tell all of them.
    """
    batch = _check(reference, estimate)
    frame = reference.shape[-3:]
    pairs = (x.expand(*batch, *frame).reshape(-1, *frame) for x in (reference, estimate))
    return torch.stack([_aligned(*pair) for pair in zip(*pairs, strict=True)]).reshape(*batch, *frame)


def _check(reference: torch.Tensor, estimate: torch.Tensor) -> tuple[int, ...]:
    """Refuse what cannot be compared, and give the leading dimensions that both have in common."""
    for volume, name in ((reference, "reference"), (estimate, "estimate")):
        if not isinstance(volume, torch.Tensor) or not volume.is_complex() or volume.ndim < 3:
            raise ValueError(
                f"expected {name} as a complex torch tensor of shape (…, depth, height, width), got "
                f"{described(volume)}; convert with torch.as_tensor(array).to(torch.complex64)"
            )
    try:
        fits = reference.shape[-3:] == estimate.shape[-3:]
        batch = np.broadcast_shapes(reference.shape[:-3], estimate.shape[:-3])
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"expected volumes of one frame, one estimate for each reference, got shapes {tuple(estimate.shape)} and "
            f"{tuple(reference.shape)}; bring them to one with diffraction.to_frame(volume, depth, height, width)"
        )
    return batch


def _aligned(reference: torch.Tensor, estimate: torch.Tensor) -> torch.Tensor:
    """Align one volume."""
    axes, field, other = (-3, -2, -1), torch.fft.fftn(reference), torch.fft.fftn(estimate)
    best = None
    for flipped, factor in ((False, other.conj()), (True, other)):
        overlap = torch.fft.ifftn(field * factor)
        place = int(torch.view_as_real(overlap).square().sum(-1).argmax())
        found = overlap.flatten()[place]
        if best is None or bool(found.abs() > best[0].abs()):
            best = found, place, flipped
    found, place, flipped = best
    shift = [int(x) for x in np.unravel_index(place, reference.shape)]
    if flipped:  # around the edges, n → -n is a flip and a pixel on
        estimate, shift = estimate.flip(axes).conj(), [x + 1 for x in shift]
    return estimate.roll(shift, axes) * (found / found.abs().clamp_min(TINY_FLOAT32))
