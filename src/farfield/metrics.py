"""How far an estimate is from the truth, or from its pattern: one value per sample, the caller reduces."""

import torch
from jaxtyping import Complex, Float

from farfield import matching, symmetry
from farfield.diffraction import far_field
from farfield.shapes import TINY, Estimates, Intensity, Objects, PerSample, check_intensity, check_objects


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
    flat, candidate, batch = matching.paired(reference, estimate)
    _, _, overlap, (total, norm) = matching.match(flat, candidate)
    explained = (overlap.real.square() + overlap.imag.square()) / norm.clamp_min(TINY)
    error = (total - explained).clamp_min(0) / (reference.shape[-2] * reference.shape[-1])
    return error.reshape(batch)


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
        ``‖√I - |F(B)|‖ / ‖√I‖``, as the estimate is, without a scale fitted; its square is called χ².

    Raises
    ------
    ValueError
        If the pattern's frame is no multiple of the estimate's, or either is not what it should be.
    """
    amplitude = _far_amplitude(intensity, estimate)
    misfit = (intensity.sqrt() - amplitude).double().square().sum((-2, -1))
    return (misfit / intensity.double().sum((-2, -1)).clamp_min(TINY)).sqrt()


def r_factor(intensity: Intensity, estimate: Objects) -> PerSample:
    """Crystallographic R-factor, another convention for the misfit of amplitudes.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, rows, columns)
        Measured intensity, DC in the centre.
    estimate : torch.Tensor, complex, shape (…, height, width)
        Its frame divides the pattern's.

    Returns
    -------
    torch.Tensor, float64, shape (…)
        ``Σ |√I - |F(B)|| / Σ √I``. The other convention, χ² = ``Σ (√I - |F(B)|)² / Σ I``, is the square of
        `fourier_residual`.

    Raises
    ------
    ValueError
        If the pattern's frame is no multiple of the estimate's, or either is not what it should be.
    """
    measured = intensity.sqrt().double()
    misfit = (measured - _far_amplitude(intensity, estimate)).abs().sum((-2, -1))
    return misfit / measured.sum((-2, -1)).clamp_min(TINY)


def phase_retrieval_transfer_function(
    intensity: Intensity, estimates: Complex[torch.Tensor, "*batch starts height width"]
) -> Float[torch.Tensor, "*batch radius"]:
    """PRTF: up to which spatial frequency several starts agree on the phases.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, M, M)
        Measured intensity, DC in the centre.
    estimates : torch.Tensor, complex, shape (…, starts, height, width)
        Of the same patterns, as ``reconstruct(…, keep="all")`` gives them; they are aligned with the first.

    Returns
    -------
    torch.Tensor, float64, shape (…, M // 2)
        ``|mean of F(B)| / √I``, both summed over rings of a pixel's width, pixels without intensity left out: 1
        where all starts agree, about ``starts ** -0.5`` where their phases are random. Empty rings give 0.

    Raises
    ------
    ValueError
        If the pattern's frame is no multiple of the estimates'.

    Notes
    -----
    The convention of Chapman et al., J. Opt. Soc. Am. A 23, 1179 (2006), that divides by the measured
    amplitudes. The other one, the mean of the phase factors ``|mean of F(B) / |F(B)||``, does not see misfits of
    amplitude. The usual threshold for the resolution is 1/e, or 0.5.
    """
    same = symmetry.align(estimates[..., :1, :, :].expand_as(estimates), estimates)
    mean = _far_amplitude(intensity, same.mean(-3)).double() * (intensity > 0)
    centre = [torch.arange(n, device=intensity.device).double() - n // 2 for n in intensity.shape[-2:]]
    radius = torch.hypot(centre[0][:, None], centre[1]).round().long()
    count = intensity.shape[-1] // 2
    rings = torch.nn.functional.one_hot(radius.clamp_max(count), count + 1)[..., :count].double()
    agreed, measured = (torch.einsum("...yx,yxr->...r", x, rings) for x in (mean, intensity.sqrt().double()))
    return torch.where(measured > 0, agreed / measured.clamp_min(TINY), 0)


def _far_amplitude(intensity: Intensity, estimate: Objects) -> Intensity:
    """|F(B)| on the grid of the pattern, both checked."""
    check_objects(estimate, "estimate")
    check_intensity(intensity)
    oversampling, rest = divmod(intensity.shape[-1], estimate.shape[-1])
    if rest or intensity.shape[-2] != oversampling * estimate.shape[-2]:
        raise ValueError(
            f"expected a pattern that is a multiple of the estimate's frame {tuple(estimate.shape[-2:])}, "
            f"got {tuple(intensity.shape)}; crop or pad the estimate with diffraction.to_frame"
        )
    if intensity.shape[:-2] != estimate.shape[:-2]:
        raise ValueError(
            f"expected one pattern for each estimate, got shapes {tuple(intensity.shape)} and "
            f"{tuple(estimate.shape)}; give both the same leading dimensions"
        )
    return far_field(estimate, oversampling).abs()
