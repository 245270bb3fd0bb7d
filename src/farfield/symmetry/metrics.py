"""How far an estimate is from the truth, or from its pattern: one value per sample, the caller reduces."""

from functools import reduce
from typing import NamedTuple

import torch
from jaxtyping import Bool, Complex, Float

from farfield.machine.shapes import TINY, Estimates, Intensity, Objects, PerSample, check_objects, read_measured
from farfield.physics.diffraction import far_field
from farfield.symmetry import actions, matching
from farfield.symmetry.sa_mse import symmetry_adjusted_mse as symmetry_adjusted_mse
from farfield.symmetry.sa_mse import unexplained

Mask = Bool[torch.Tensor, "..."]
"""True where the intensity was measured."""

PerEstimate = Float[torch.Tensor, "..."]
"""One value for each estimate, of which a pattern may have several."""


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


class Comparison(NamedTuple):
    """All that one search for the symmetric copy tells: `actions.align`, and the errors of these names, (…)."""

    aligned: Objects
    sa_mse: PerSample
    magnitude_error: PerSample


def compare(reference: Objects, estimate: Estimates) -> Comparison:
    """Align an estimate, in a frame of its own, with its reference, and tell its errors."""
    flat, candidate, batch = matching.paired(reference, estimate)
    found, (height, width) = matching.match(flat, candidate), reference.shape[-2:]
    aligned = actions.lay_over(found, candidate, height, width).reshape(*batch, height, width)
    misfit = (reference.abs() - aligned.abs()).double().square().sum((-2, -1))
    magnitude = (misfit / _energy(reference).clamp_min(TINY)).sqrt()
    return Comparison(aligned, unexplained(found).reshape(batch) / (height * width), magnitude)


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
    return compare(reference, estimate).magnitude_error


def fourier_residual(intensity: Intensity, estimate: Estimates, *, mask: Mask | None = None) -> PerEstimate:
    """Relative misfit of the estimate's far-field amplitudes: all that a measurement can tell of its error.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, rows, columns)
        Measured intensity, DC in the centre.
    estimate : torch.Tensor, complex, shape (…, height, width)
        Its frame divides the pattern's. Of several estimates of each pattern, such as starts, the dimension follows
        the pattern's: (…, starts, height, width).
    mask : torch.Tensor, bool, shape (rows, columns) or as the pattern, optional
        True where the intensity was measured. Elsewhere it may have any value, NaN too, and does not count.

    Returns
    -------
    torch.Tensor, float64, shape (…)
        ``‖√I - |F(B)|‖ / ‖√I‖``, as the estimate is, without a scale fitted; its square is called χ².

    Raises
    ------
    ValueError
        If the pattern's frame is no multiple of the estimate's, or either is not what it should be.
    """
    measured, found = amplitudes(intensity, estimate, mask)
    misfit = (measured - found).double().square().sum((-2, -1))
    return (misfit / measured.double().square().sum((-2, -1)).clamp_min(TINY)).sqrt()


def r_factor(intensity: Intensity, estimate: Estimates, *, mask: Mask | None = None) -> PerEstimate:
    """Crystallographic R-factor, another convention for the misfit of amplitudes.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, rows, columns)
        Measured intensity, DC in the centre.
    estimate : torch.Tensor, complex, shape (…, height, width)
        Its frame divides the pattern's. Of several estimates of each pattern, such as starts, the dimension follows
        the pattern's: (…, starts, height, width).
    mask : torch.Tensor, bool, shape (rows, columns) or as the pattern, optional
        True where the intensity was measured. Elsewhere it may have any value, NaN too, and does not count.

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
    measured, found = amplitudes(intensity, estimate, mask)
    misfit = (measured.double() - found).abs().sum((-2, -1))
    return misfit / measured.double().sum((-2, -1)).clamp_min(TINY)


def phase_retrieval_transfer_function(
    intensity: Intensity,
    estimates: Complex[torch.Tensor, "*batch starts height width"],
    *,
    mask: Mask | None = None,
) -> Float[torch.Tensor, "*batch radius"]:
    """PRTF: up to which spatial frequency several starts agree on the phases.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, M, M)
        Measured intensity, DC in the centre.
    estimates : torch.Tensor, complex, shape (…, starts, height, width)
        Of the same patterns, as ``reconstruct(…, keep="all")`` gives them; they are aligned with the first.
    mask : torch.Tensor, bool, shape (rows, columns) or as the pattern, optional
        True where the intensity was measured. Elsewhere it may have any value, NaN too, and does not count.

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
    same = actions.align(estimates[..., :1, :, :].expand_as(estimates), estimates)
    return over_shells(*amplitudes(intensity, same.mean(-3), mask))


def over_shells(amplitude: torch.Tensor, found: torch.Tensor, dims: int = 2) -> Float[torch.Tensor, "... radius"]:
    """Ratio of two amplitudes, each summed over shells of a pixel's width, where the first is above zero.

    Parameters
    ----------
    amplitude, found : torch.Tensor, float, shape (…, *frame)
        DC in the centre.
    dims : int
        Axes of a frame.

    Returns
    -------
    torch.Tensor, float64, shape (…, radius)
        By radius in pixels of the frame's shortest axis; 0 for empty shells.
    """
    frame, shortest = amplitude.shape[-dims:], min(amplitude.shape[-dims:])
    centred = [(torch.arange(n, device=amplitude.device).double() - n // 2) * (shortest / n) for n in frame]
    radius = reduce(torch.hypot, torch.meshgrid(*centred, indexing="ij"))
    return ratio_in_shells(amplitude, found, radius, shortest // 2)


def ratio_in_shells(
    amplitude: torch.Tensor, found: torch.Tensor, radius: torch.Tensor, count: int
) -> Float[torch.Tensor, "... radius"]:
    """Do the same over so many shells, for pixels of such radii, (*frame), in widths of a shell."""
    shell = radius.round().long().clamp_max(count).flatten()

    def summed(x: torch.Tensor) -> torch.Tensor:
        flat = x.double().flatten(-radius.ndim)
        return flat.new_zeros(*flat.shape[:-1], count + 1).index_add_(-1, shell, flat)[..., :count]

    agreed, measured = summed(found * (amplitude > 0)), summed(amplitude)
    return torch.where(measured > 0, agreed / measured.clamp_min(TINY), 0)


def amplitudes(
    intensity: torch.Tensor, estimate: torch.Tensor, mask: Mask | None, dims: int = 2
) -> tuple[torch.Tensor, torch.Tensor]:
    """√I of each estimate's pattern, and |F(B)| on its grid, both checked, and zero where nothing was measured."""
    check_objects(estimate, "estimate")
    intensity, mask = read_measured(intensity, mask, dims)
    frame, own = intensity.shape[-dims:], estimate.shape[-dims:]
    oversampling = frame[-1] // own[-1]
    if frame != tuple(oversampling * side for side in own):
        raise ValueError(
            f"expected a pattern that is a multiple of the estimate's frame {tuple(own)}, "
            f"got {tuple(intensity.shape)}; crop or pad the estimate with diffraction.to_frame"
        )
    several = (1,) * (estimate.ndim - intensity.ndim)  # starts, say, of one pattern
    spread = (*intensity.shape[:-dims], *several, *frame)
    try:
        amplitude = intensity.sqrt().reshape(spread).expand(*estimate.shape[:-dims], *frame)
    except RuntimeError:
        raise ValueError(
            f"expected one pattern for each estimate, got shapes {tuple(intensity.shape)} and "
            f"{tuple(estimate.shape)}; give both the same leading dimensions, or starts behind the pattern's"
        ) from None
    found = far_field(estimate, oversampling, dims).abs()
    return amplitude, found if mask is None else found * mask.expand(intensity.shape).reshape(spread)
