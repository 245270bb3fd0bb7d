"""Whether a result is to be believed, from starts that agree or not and from what constrains them."""

import math
from typing import NamedTuple

import numpy as np

from farfield.iterative import judging

MOST_FILLED = 0.5
"""Share of the measured pixels in the support, above which there are more unknowns than equations."""


def modes(objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find what several starts have in common: the principal components of their objects.

    Parameters
    ----------
    objects : numpy.ndarray, complex, shape (K, *frame)
        Aligned, the best first.

    Returns
    -------
    mode : numpy.ndarray, complex64, shape (*frame)
        The first one, with the phase of the best object and, where all agree, its scale.
    weights : numpy.ndarray, float64, shape (K,)
        Shares of the energy, falling; the first is 1 where all agree and about 1 / K where nothing does.
    """
    # Line by line, or frame by frame of a volume: in double precision all would take twice the memory again.
    lines = (line.reshape(len(objects), -1).astype(np.complex128) for line in np.moveaxis(objects, 1, 0))
    products = sum(line @ line.conj().T for line in lines)
    energies, vectors = np.linalg.eigh(products)
    share = vectors[:, -1].conj() / math.sqrt(len(objects))
    share *= np.exp(-1j * np.angle(share @ products[:, 0]))  # that of the best object with the mode
    weights = energies[::-1].clip(0) / energies.sum()
    return np.tensordot(share.astype(np.complex64), np.asarray(objects, np.complex64), 1), weights


def resolution(prtf: np.ndarray) -> int | None:
    """Tell the ring, or the shell of a volume, where starts stop to agree.

    Parameters
    ----------
    prtf : numpy.ndarray, float, shape (rings,)
        A phase retrieval transfer function; rings without measured pixels are 0 and say nothing.

    Returns
    -------
    int or None
        The first ring below 1/e; None if there is none.
    """
    below = np.flatnonzero((prtf > 0) & (prtf < 1 / math.e))
    return int(below[0]) if len(below) else None


class Evidence(NamedTuple):
    """What is known of a result without the truth.

    Attributes
    ----------
    residual, deviance : float
        Of the best; the latter NaN where the noise is not known.
    filled : float
        Share of the measured pixels that the support has.
    agreement : float
        Relative squared difference of the rivals from the best; NaN without one.
    starts : int
        How many were kept.
    suspect : bool
        Whether a level lies under the pattern of which nothing was said.
    dimensions : {2, 3}
        Axes of the pattern.
    """

    residual: float
    deviance: float
    filled: float
    agreement: float
    starts: int
    suspect: bool = False
    dimensions: int = 2


def verdict(solved: bool, evidence: Evidence) -> str:
    """Say in a sentence whether a result is to be believed, and why or what to do.

    Parameters
    ----------
    solved : bool
        What the reconstruction itself says.
    evidence : Evidence

    Returns
    -------
    str
        Beginning with "believed: " or "not believed: ".
    """
    if solved:
        return f"believed: {_reasons(evidence)}"
    residual, deviance, filled, agreement, starts, suspect, dimensions = evidence
    noise = 0.0 if math.isnan(deviance) else judging.NOISE[dimensions] / deviance * residual**2
    misfit = f"{_percent(residual)} of the amplitudes" + (
        "" if math.isnan(deviance) else f", {_short(deviance)} times the noise,"
    )
    doubts = {
        "no place along the border is dark, as over a background (give --background corners)": math.inf
        if suspect
        else math.nan,
        f"the support fills {_percent(filled)} of the measured pixels and constrains nothing (give --support)": filled
        / MOST_FILLED,
        f"{misfit} are not explained (a flat field, a background or a beamstop that is not masked?)": residual**2
        / (noise + judging.MODEL**2),
        f"the starts disagree by {_percent(agreement)} (make more, or give --support or --positive)": agreement
        / judging.AGREEMENT,
        "a single start agrees with nothing (make more)": math.inf if starts == 1 else math.nan,
        "no other start explains the pattern nearly as well, so that none confirms this one (make more)": math.inf
        if starts > 1 and math.isnan(agreement)
        else math.nan,
    }
    known = {doubt: excess for doubt, excess in doubts.items() if not math.isnan(excess)}
    least = min(1.0, max(known.values()))  # below every limit, the nearest to its own is the reason
    return f"not believed: {'; '.join(doubt for doubt, excess in known.items() if excess >= least)}"


def _reasons(evidence: Evidence) -> str:
    """Say what speaks for a result."""
    support = f"a support of {_percent(evidence.filled)} of the measured pixels"
    fit = f"the pattern is explained to {_short(evidence.deviance)} times its noise by {support}"
    if math.isnan(evidence.deviance):
        fit = f"the pattern, whose noise is unknown, is explained to {_percent(evidence.residual)} by {support}"
    if evidence.starts == 1:
        return f"{fit}, to rounding"
    if math.isnan(evidence.agreement):
        return f"{fit}, and of {evidence.starts} starts the others explain it far worse"
    return f"{fit}, and {evidence.starts} starts agree to {_percent(evidence.agreement)}"


def _short(number: float) -> str:
    """Two digits, without an exponent where it can be."""
    return f"{float(f'{number:.2g}'):g}"


def _percent(share: float) -> str:
    return f"{_short(100 * share)} %"
