"""SA-MSE: the error up to every symmetry and scale. Trainings depend on this measure alone (validation)."""

from farfield.machine.shapes import TINY, Estimates, Objects, PerSample
from farfield.symmetry import matching


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

    Examples
    --------
    >>> import farfield
    >>> from farfield.symmetry import conjugate_flip, rotate_phase
    >>> crystals = farfield.simulate(4, 32, seed=0)
    >>> copies = rotate_phase(conjugate_flip(crystals), 1.0)
    >>> float(farfield.symmetry_adjusted_mse(crystals, copies).max()) < 1e-10
    True
    """
    flat, candidate, batch = matching.paired(reference, estimate)
    found = matching.match(flat, candidate)
    return unexplained(found).reshape(batch) / (reference.shape[-2] * reference.shape[-1])


def unexplained(found: matching.Match) -> PerSample:
    """Energy of each reference that no multiple of the copy that resembles it most explains, (batch,)."""
    total, norm = found.energy
    explained = (found.overlap.real.square() + found.overlap.imag.square()) / norm.clamp_min(TINY)
    return (total - explained).clamp_min(0)
