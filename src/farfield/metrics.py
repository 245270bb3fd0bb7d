"""How far an estimate is from the truth, or from its pattern: one value per sample, the caller reduces."""

import torch

from farfield import matching, symmetry
from farfield.diffraction import far_field
from farfield.shapes import TINY, Estimates, Intensity, Objects, PerSample


def _energy(objects: torch.Tensor) -> torch.Tensor:
    return (objects.real.double().square() + objects.imag.double().square()).sum((-2, -1))


def mse(reference: Objects, estimate: Estimates) -> PerSample:
    """Mean squared error over pixels and over real and imaginary parts: what the networks are trained on.

    Parameters
    ----------
    reference, estimate : torch.Tensor, complex, shape (…, height, width)

    Returns
    -------
    torch.Tensor, float64, shape (…)
        Half the mean of |reference - estimate|².

    Raises
    ------
    ValueError
        If the frames differ.
    """
    matching.paired(reference, estimate)
    if reference.shape[-2:] != estimate.shape[-2:]:
        raise ValueError(
            f"expected an estimate with trailing shape {tuple(reference.shape[-2:])}, got {tuple(estimate.shape)}; "
            "crop or pad it with diffraction.to_frame"
        )
    return _energy(reference - estimate) / (2 * reference.shape[-2] * reference.shape[-1])


def symmetry_adjusted_mse(reference: Objects, estimate: Estimates) -> PerSample:
    """Squared error per complex pixel of the reference, up to translation, flip, global phase and scale.

    The smallest ``‖A - η e^{iθ} B‖² / N²`` over every integer translation of the estimate B in a plane of
    zeros, both conjugate flips, all θ and η ≥ 0: ``(‖A‖² - max |⟨A, B⟩|² / ‖B‖²) / N²``.

    Parameters
    ----------
    reference : torch.Tensor, complex, shape (…, height, width)
    estimate : torch.Tensor, complex, shape (…, rows, columns)
        Its frame may have another size; what it puts outside the reference's frame counts as error.

    Returns
    -------
    torch.Tensor, float64, shape (…)
        Never above ``‖A‖² / N²``, the error of predicting zero.

    References
    ----------
    Manekar et al., "Deep Learning Initialized Phase Retrieval", App. A.1 (whose A.4 lost a square).
    """
    flat, candidate = matching.paired(reference, estimate)
    _, _, overlap, (total, norm) = matching.match(flat, candidate)
    explained = (overlap.real.square() + overlap.imag.square()) / norm.clamp_min(TINY)
    error = (total - explained).clamp_min(0) / (reference.shape[-2] * reference.shape[-1])
    return error.reshape(torch.broadcast_shapes(reference.shape[:-2], estimate.shape[:-2]))


def magnitude_error(reference: Objects, estimate: Estimates) -> PerSample:
    """Relative error of the magnitudes after alignment, scale included.

    Parameters
    ----------
    reference : torch.Tensor, complex, shape (…, height, width)
    estimate : torch.Tensor, complex, shape (…, rows, columns)

    Returns
    -------
    torch.Tensor, float64, shape (…)
        ``‖|A| - |B|‖ / ‖A‖`` in the reference's frame: 1 for an estimate of zero, 0 for a perfect one.
    """
    aligned = symmetry.align(reference, estimate)
    difference = (reference.abs() - aligned.abs()).double().square().sum((-2, -1))
    return (difference / _energy(reference).clamp_min(TINY)).sqrt()


def fourier_residual(intensity: Intensity, estimate: Objects) -> PerSample:
    """Relative misfit of the estimate's far-field amplitudes: all that a measurement can tell of its error.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, rows, columns)
        Measured intensity, DC in the centre.
    estimate : torch.Tensor, complex, shape (…, height, width)
        Its frame divides the pattern's.

    Returns
    -------
    torch.Tensor, float64, shape (…)
        ``‖√I - |F(B)|‖ / ‖√I‖``, as the estimate is, without a scale fitted.

    Raises
    ------
    ValueError
        If the pattern's frame is no multiple of the estimate's.
    """
    oversampling, rest = divmod(intensity.shape[-1], estimate.shape[-1])
    if rest or intensity.shape[-2] != oversampling * estimate.shape[-2]:
        raise ValueError(
            f"expected a pattern that is a multiple of the estimate's frame {tuple(estimate.shape[-2:])}, "
            f"got {tuple(intensity.shape)}; crop or pad the estimate with diffraction.to_frame"
        )
    misfit = (intensity.sqrt() - far_field(estimate, oversampling).abs()).double().square().sum((-2, -1))
    return (misfit / intensity.double().sum((-2, -1)).clamp_min(TINY)).sqrt()
