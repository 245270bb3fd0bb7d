"""From a reconstruction to all that is written of it."""

import math
from collections.abc import Mapping

import numpy as np
import torch

from farfield.iterative import judging
from farfield.iterative.patterns import Patterns
from farfield.iterative.reconstruction import Reconstruction
from farfield.measured import cxi, trust
from farfield.measured.loading import Loaded
from farfield.measured.preparation import Prepared
from farfield.physics import noise
from farfield.symmetry import metrics, volumes

FIGURES = ("residual", "deviance", "free_deviance", "agreement", "solved")


def gather(
    found: Reconstruction, loaded: Loaded, patterns: Patterns, suspect: bool, told: Mapping[str, cxi.Scalar]
) -> cxi.Result:
    """Put together what is written.

    Parameters
    ----------
    found : Reconstruction
        Of one pattern or volume, with ``keep="group"``.
    loaded : Loaded
    patterns : Patterns
        What the iterations made of it.
    suspect : bool
        Whether a level lies under it of which nothing was said.
    told : mapping of scalars
        Every parameter.

    Returns
    -------
    Result
    """
    made, support = int(found.residual.isfinite().sum()), found.support[0].cpu()
    objects = found.objects[None, :made].cpu()
    starts = judging.align(objects[:, :1].expand_as(objects), objects)[0]
    del objects
    prtf, width = _transfer(starts, patterns, loaded)
    mode, weights = trust.modes(starts.numpy())
    pixels, measured = int(support.sum()), int(patterns.measured()[0])
    results = {name: getattr(found, name).reshape(-1)[0].item() for name in FIGURES}
    likelihoods = _log_likelihoods(starts[0], pixels, patterns)
    results |= dict(zip(("llk_poisson", "free_llk_poisson"), likelihoods, strict=True))
    results |= {"photons": _photons(loaded.prepared), **_resolution(prtf, width)}
    judged = (results[name] for name in ("residual", "deviance"))
    evidence = trust.Evidence(*judged, pixels / measured, results["agreement"], made, suspect, support.ndim)
    table = {name: values.cpu() for name, values in found.starts._asdict().items()}
    table["kept"] = torch.isin(torch.arange(len(table["rank"])), table["rank"].argsort()[:made])
    return cxi.Result(
        starts[0].numpy(),
        support.numpy(),
        starts.numpy(),
        mode,
        float(weights[0]),
        loaded.prepared.intensity.numpy(),
        loaded.prepared.mask.numpy(),
        {name: values.numpy() for name, values in table.items()},
        results,
        told,
        loaded.steps,
        trust.verdict(results["solved"], evidence),
        prtf,
        width,
        loaded.geometry,
        loaded.space,
    )


def _transfer(starts: torch.Tensor, patterns: Patterns, loaded: Loaded) -> tuple[np.ndarray, float | None]:
    """Tell the PRTF, over rings of a frame or shells of a volume, and their width in 1/nm where it is known."""
    axes = tuple(range(-loaded.prepared.mask.ndim, 0))
    mask = torch.fft.fftshift(~patterns.free | patterns.held, dim=axes)[0].cpu()  # without outliers
    above = torch.fft.fftshift(patterns.counts.intensity - patterns.counts.background, dim=axes)[0].clamp_min(0).cpu()
    if len(axes) == 2:
        sides = loaded.geometry.image_size()
        width = None if sides is None else 4e-9 * math.pi / sum(sides)
        return metrics.phase_retrieval_transfer_function(above, starts, mask=mask).numpy(), width
    if loaded.space is None:
        return volumes.phase_retrieval_transfer_function(above, starts, mask=mask).numpy(), None
    steps = torch.from_numpy(loaded.space.steps)
    prtf, width = volumes.transfer_in_space(above, starts, steps, mask=mask)
    return prtf.numpy(), width


def _resolution(prtf: np.ndarray, width: float | None) -> dict[str, float]:
    """Name the ring or shell where starts stop to agree, and the period there in nm."""
    ring = trust.resolution(prtf)
    return {
        "resolution": math.nan if ring is None else float(ring),
        "resolution_nm": math.nan if ring is None or width is None else 2 * math.pi / (max(ring, 1) * width),
    }


def _photons(prepared: Prepared) -> float:
    """Count the photons of the measured pixels; NaN where the noise is not known."""
    if prepared.quantum is None:
        return math.nan
    return float((prepared.intensity / prepared.quantum)[prepared.mask].sum(dtype=torch.float64))


def _log_likelihoods(best: torch.Tensor, pixels: int, patterns: Patterns) -> tuple[float, float]:
    """PyNX's LLK, half the Poisson deviance per degree of freedom, of the pixels in use and of the free ones.

    NaN where the noise is not known.
    """
    field = torch.fft.fftn(torch.fft.ifftshift(best)).abs()
    shares = (part[0].cpu().expand_as(field) for part in patterns.counts)
    kinds = (part[0].cpu() for part in (~patterns.free, patterns.held))
    sums, numbers = np.zeros(2), np.zeros(2)
    # Line by line, or frame by frame of a volume: in double precision it would be as large as all else.
    for size, intensity, photon, background, *chosen in zip(field, *shares, *kinds, strict=True):
        half = noise.deviance(intensity / photon, (size.double().square() + background) / photon) / 2
        sums += [float(half[which].sum()) for which in chosen]
        numbers += [int(which.sum()) for which in chosen]
    used, held = sums / (numbers - (pixels, 0))
    return float(used), float(held)
