"""What estimates of objects in three dimensions are worth."""

import torch
from jaxtyping import Complex, Float

from farfield.machine.shapes import TINY, AnyVolumeIntensity, AnyVolumes, PerSample, Volumes
from farfield.physics.diffraction import to_frame
from farfield.symmetry.alignment import align
from farfield.symmetry.metrics import Mask, amplitudes, over_shells


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
