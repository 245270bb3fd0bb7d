"""Objects in three dimensions: their symmetries undone, and what estimates of them are worth."""

import numpy as np
import torch
from jaxtyping import Complex, Float

from farfield.machine.shapes import TINY, TINY_FLOAT32, AnyVolumeIntensity, AnyVolumes, PerSample, Volumes, described
from farfield.physics.diffraction import to_frame
from farfield.symmetry.metrics import Mask, amplitudes, over_shells


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


def relative_error(reference: Volumes, estimate: AnyVolumes) -> PerSample:
    """Tell how far estimates are from their references, after alignment.

    Parameters
    ----------
    reference : torch.Tensor, complex, shape (…, depth, height, width)
    estimate : torch.Tensor, complex, shape (…, depth, height, width)
        Of its own frame, larger or smaller; leading dimensions broadcast to the reference's.

    Returns
    -------
    torch.Tensor, float64, shape (…)
        ``‖A - B‖² / ‖A‖²`` of the aligned estimate, scale included: 1 for an estimate of zero.
    """
    frame = [max(sides) for sides in zip(reference.shape[-3:], estimate.shape[-3:], strict=True)]
    reference, estimate = (to_frame(x, *frame) for x in (reference, estimate))
    left = (align(reference, estimate) - reference).abs().double().square().sum((-3, -2, -1))
    return left / reference.abs().double().square().sum((-3, -2, -1)).clamp_min(TINY)


def phase_retrieval_transfer_function(
    intensity: AnyVolumeIntensity,
    estimates: Complex[torch.Tensor, "*_ starts depth height width"],
    *,
    mask: Mask | None = None,
) -> Float[torch.Tensor, "... radius"]:
    """PRTF of volumes: up to which spatial frequency several starts agree on the phases.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, D, H, W)
        Measured intensity, DC in the centre.
    estimates : torch.Tensor, complex, shape (…, starts, depth, height, width)
        Of the same patterns, as ``reconstruct(…, dimensions=3, keep="all")`` gives them; they are aligned with the
        first. Their frame divides the pattern's, by the same number on each axis.
    mask : torch.Tensor, bool, shape (D, H, W) or as the pattern, optional
        True where the intensity was measured.

    Returns
    -------
    torch.Tensor, float64, shape (…, min(D, H, W) // 2)
        As `metrics.phase_retrieval_transfer_function` has it, over shells: their radius is in pixels of the shortest
        axis, of which an equal share of the others counts as much.
    """
    same = align(estimates[..., :1, :, :, :].expand_as(estimates), estimates)
    return over_shells(*amplitudes(intensity, same.mean(-4), mask, 3), 3)
