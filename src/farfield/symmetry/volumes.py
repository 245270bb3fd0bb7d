"""What estimates of objects in three dimensions are worth."""

import torch
from jaxtyping import Complex, Float

from farfield.machine.shapes import TINY, AnyVolumeIntensity, AnyVolumes, PerSample, Volumes
from farfield.physics.diffraction import to_frame
from farfield.symmetry.alignment import align
from farfield.symmetry.metrics import Mask, amplitudes, over_shells, ratio_in_shells


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


def transfer_in_space(
    intensity: AnyVolumeIntensity,
    estimates: Complex[torch.Tensor, "*_ starts depth height width"],
    steps: Float[torch.Tensor, "3 3"],
    *,
    mask: Mask | None = None,
) -> tuple[Float[torch.Tensor, "... shells"], float]:
    """PRTF of volumes whose steps of reciprocal space are known: over shells of its lengths, not of pixels.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, D, H, W)
        As of `phase_retrieval_transfer_function`, and so are estimates and mask.
    estimates : torch.Tensor, complex, shape (…, starts, depth, height, width)
    mask : torch.Tensor, bool, shape (D, H, W) or as the intensity, optional
    steps : torch.Tensor, float64, shape (3, 3)
        Rows are the steps (x, y, z) from one pixel to the next along each axis of the pattern, 2π included, in 1/nm
        (or another unit, which then is that of the width).

    Returns
    -------
    prtf : torch.Tensor, float64, shape (…, shells)
        Amplitudes summed over shells about DC: voxels of all directions count alike. The last one lies within the
        largest sphere that the whole volume holds, so the axis that was measured least far ends it.
    width : float
        Of a shell in 1/nm, the longest of the steps; shell n is at q = n · width, a period of 2π/q.
    """
    same = align(estimates[..., :1, :, :, :].expand_as(estimates), estimates)
    amplitude, found = amplitudes(intensity, same.mean(-4), mask, 3)
    frame, steps = amplitude.shape[-3:], steps.to(amplitude.device, torch.float64)
    width = float(steps.norm(dim=1).amax())
    # From the centre to a face, along the face's normal.
    reach = torch.tensor([n // 2 for n in frame]) / torch.linalg.inv(steps).norm(dim=0).cpu()
    lines = [torch.arange(n, device=steps.device).double() - n // 2 for n in frame]
    parts = torch.meshgrid(*lines, indexing="ij")
    squares = (sum(line * step for line, step in zip(parts, column, strict=True)).square() for column in steps.T)
    radius = sum(squares).sqrt() / width
    count = int(float(reach.amin()) / width + 1e-6)  # whole ratios are not to lose one by rounding
    return ratio_in_shells(amplitude, found, radius, max(1, count)), width
