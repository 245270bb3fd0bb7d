"""The whole chain: a detector's file in; an object, its starts and a verdict out."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from farfield.iterative import judging
from farfield.iterative.asking import RECIPE, read_asked
from farfield.iterative.patterns import Patterns
from farfield.iterative.reconstruction import Reconstruction, reconstruct
from farfield.iterative.starts import Starts
from farfield.machine.devices import claim_device
from farfield.measured import cxi, inspection, preparation, reading, report, trust
from farfield.measured.frames import Frames, Geometry
from farfield.measured.preparation import Prepared
from farfield.measured.trust import MOST_FILLED
from farfield.physics import noise
from farfield.study import figures
from farfield.symmetry import metrics
from farfield.symmetry.actions import align

FREE = 0.05
"""Share of the measured pixels that judge, as in PyNX."""

STARTS = 10


class Frame(NamedTuple):
    """A frame as it was read, and the pattern that was made of it."""

    raw: np.ndarray
    prepared: Prepared
    geometry: Geometry
    steps: list[str]


def prepare(
    data: str | Path,
    *,
    mask: str | Path | None = None,
    flat: str | Path | None = None,
    dark: str | Path | None = None,
    frame: int | None = None,
    **how: Any,
) -> Frame:
    """Read a frame and what belongs to it, and make a pattern of it.

    Parameters
    ----------
    data : str or Path
        As `reading.read` takes it.
    mask, flat, dark : str or Path, optional
        As `reading.read_mask` and `reading.read_image` take them.
    frame : int, optional
        Number of the frame, from 0, where the data are several.
    **how
        Region, centre, crop, bin, background and monitor of `preparation.prepare`.

    Returns
    -------
    Frame

    Raises
    ------
    ValueError
        If a file cannot be read, or no pattern be made of it.
    """
    found = reading.read(data)
    raw, bad = _choose(Path(data), found, frame)
    good = None if mask is None else reading.read_mask(mask)
    if bad is not None:
        good = bad if good is None else bad & _of_one_shape(Path(str(mask)), good, bad)
    flat, dark = (None if path is None else reading.read_image(path) for path in (flat, dark))
    prepared = preparation.prepare(raw, mask=good, flat=flat, dark=dark, amplitude=found.amplitude, **how)
    notes = [*found.notes, *([] if frame is None else [f"took frame {frame} of {len(found.data)}"])]
    return Frame(raw, prepared, found.geometry.binned(how.get("bin", 1)), [*notes, *prepared.steps])


def _choose(path: Path, found: Frames, frame: int | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Take one frame, and its mask."""
    data, mask = found.data, found.mask
    if data.ndim == 2:
        if frame not in (None, 0):
            raise ValueError(f"{path}: expected several frames to take number {frame} of, got one; leave --frame out")
        return data, mask
    if frame is None:
        raise ValueError(
            f"{path}: expected one frame, got {len(data)} of {data.shape[1]} × {data.shape[2]}; choose one by "
            "--frame N (a rocking scan is a volume, which is not reconstructed yet)"
        )
    if not 0 <= frame < len(data):
        raise ValueError(f"{path}: expected a frame from 0 to {len(data) - 1}, got {frame}; change --frame")
    return data[frame], mask if mask is None or mask.ndim == 2 else mask[frame]


def _of_one_shape(path: Path, mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    if mine.shape != theirs.shape:
        raise ValueError(
            f"{path}: expected a mask of the data's {theirs.shape[0]} × {theirs.shape[1]} pixels, which have one "
            f"of their own, got {' × '.join(map(str, mine.shape))}; cut it"
        )
    return mine


def inspect(data: str | Path, picture: str | Path, **how: Any) -> list[str]:
    """Show what would be reconstructed.

    Parameters
    ----------
    data : str or Path
    picture : str or Path
        A PNG to write.
    **how
        As for `prepare`.

    Returns
    -------
    list of str
        What was done to the frame, a line each.
    """
    frame = prepare(data, **how)
    if Path(picture).suffix != ".png":
        raise ValueError(f"{picture}: expected a picture that ends in .png; name it so")
    inspection.draw(frame.prepared, frame.raw, picture)
    return frame.steps


def reconstruct_file(
    data: str | Path,
    output: str | Path,
    *,
    starts: int = STARTS,
    seed: int = 0,
    recipe: str | None = None,
    values: Literal["complex", "positive"] = "complex",
    support: str | Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
    progress: bool = False,
    **how: Any,
) -> str:
    """Reconstruct a measured frame, and write the result and its figure.

    Parameters
    ----------
    data : str or Path
    output : str or Path
        A ``.cxi`` file; beside it comes a ``.png`` of the same name.
    starts, seed, recipe, values
        As for `reconstruct`.
    support : str or Path, optional
        An image of the data's shape, not zero where the object is; it is kept as it is.
    device : str
        ``cpu``, ``cuda`` or ``cuda-if-available``.
    overwrite : bool
        Whether a result that exists is replaced.
    say : callable
        Told each step as it is done.
    progress : bool
        Whether a bar is shown.
    **how
        As for `prepare`.

    Returns
    -------
    str
        The verdict.

    Raises
    ------
    ValueError
        If a file is not what it should be, or no object can be made of it.
    """
    output = Path(output)
    cxi.check_new(output, overwrite, [data, support, *(how.get(name) for name in ("mask", "flat", "dark"))])
    frame = prepare(data, **how)
    for step in frame.steps:
        say(step)
    known = None if support is None else _read_support(support, frame, how.get("bin", 1))
    options = {"recipe": recipe, "seed": seed, "values": values, "free": FREE}
    asked = {
        "mask": frame.prepared.mask,
        "quantum": frame.prepared.quantum,
        "background": frame.prepared.background,
        "support": known,
        "fixed": known is not None,
        "mask_outliers": True,  # which the flat field brought to light
        **options,
    }
    intensity = frame.prepared.intensity
    found = reconstruct(intensity.to(claim_device(device)), starts=starts, keep="group", progress=progress, **asked)
    told = {"data": data, "support": support, "device": device, **how, "starts": starts, **options}
    told = {name: _plain(value) for name, value in {**told, "recipe": recipe or RECIPE}.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they have been said
        patterns, _, suspect = read_asked(intensity, **asked)
    result = _result(found, frame, patterns, bool(suspect.any()), told)
    cxi.write(output, result, overwrite)
    figures.save(report.draw(result, Path(data).name), output.with_suffix(".png"))
    return result.verdict


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _read_support(path: str | Path, frame: Frame, bin: int) -> torch.Tensor:
    """Read the object's support, and bring it to the frame of the pattern, whose centre it keeps."""
    image = reading.read_image(path) != 0
    side = len(frame.prepared.mask)
    if image.shape not in ((side, side), frame.raw.shape):
        raise ValueError(
            f"{path}: expected a support of {side} × {side} pixels, got {' × '.join(map(str, image.shape))}; crop or "
            "pad it round the object"
        )
    if bin > 1 or not 0 < image.mean() < MOST_FILLED:
        raise ValueError(
            f"{path}: expected a support that fills some of the frame and less than half, and no --bin beside it, "
            f"got one that fills {100 * image.mean():.0f} %; change either"
        )
    rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
    box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if max(box.shape) > side:
        raise ValueError(f"{path}: expected a support of at most {side} pixels a side, got {box.shape}; crop less")
    framed = np.zeros((side, side), dtype=bool)
    top, left = (side // 2 - n // 2 for n in box.shape)
    framed[top : top + box.shape[0], left : left + box.shape[1]] = box
    return torch.from_numpy(framed)


def _result(
    found: Reconstruction, frame: Frame, patterns: Patterns, suspect: bool, told: dict[str, Any]
) -> cxi.Result:
    """Put together what is written."""
    starts = Starts(*(table.cpu() for table in found.starts))
    found = Reconstruction(*(starts if x is found.starts else x.cpu() for x in found))
    prepared = frame.prepared
    made = int(found.residual.isfinite().sum())
    starts = align(found.objects[:1].expand(made, -1, -1), found.objects[:made])
    above = torch.fft.fftshift(patterns.counts.intensity - patterns.counts.background, dim=(-2, -1))[0].clamp_min(0)
    prtf = metrics.phase_retrieval_transfer_function(above, starts, mask=prepared.mask)
    mode, weights = trust.modes(starts.numpy())
    ring = trust.resolution(prtf.numpy())
    pixels, measured = int(found.support[0].sum()), int(patterns.measured()[0])
    likelihoods = _log_likelihoods(starts[0], pixels, patterns)
    results = {
        "residual": float(found.residual[0]),
        "deviance": float(found.deviance),
        "free_deviance": float(found.free_deviance),
        "agreement": float(found.agreement),
        "solved": bool(found.solved),
        **dict(zip(("llk_poisson", "free_llk_poisson"), likelihoods, strict=True)),
        "photons": _photons(prepared),
        "resolution": float("nan") if ring is None else float(ring),
    }
    judged = (results[name] for name in ("residual", "deviance"))
    evidence = trust.Evidence(*judged, pixels / measured, results["agreement"], made, suspect)
    said = trust.verdict(results["solved"], evidence)
    table = {name: values.numpy() for name, values in found.starts._asdict().items()}
    ranks = judging.rank(found.starts.residual, found.starts.pixels, torch.tensor(measured))
    table["kept"] = np.isin(np.arange(len(ranks)), ranks.argsort()[:made].numpy())
    return cxi.Result(
        starts[0].numpy(),
        found.support[0].numpy(),
        starts.numpy(),
        mode,
        float(weights[0]),
        prepared.intensity.numpy(),
        prepared.mask.numpy(),
        table,
        results,
        told,
        frame.steps,
        said,
        prtf.numpy(),
        frame.geometry,
    )


def _photons(prepared: Prepared) -> float:
    """Count the photons of the measured pixels; NaN where the noise is not known."""
    if prepared.quantum is None:
        return float("nan")
    return float((prepared.intensity.double() / prepared.quantum)[prepared.mask].sum())


def _log_likelihoods(best: torch.Tensor, pixels: int, patterns: Patterns) -> tuple[float, float]:
    """PyNX's LLK, half the Poisson deviance per degree of freedom, of the pixels in use and of the free ones.

    NaN where the noise is not known.
    """
    found = torch.fft.fft2(torch.fft.ifftshift(best, dim=(-2, -1))).abs().double().square()
    photon = patterns.counts.photon[0]
    expected = (found + patterns.counts.background[0]) / photon
    half = noise.deviance(patterns.counts.intensity[0] / photon, expected) / 2
    used, held = ~patterns.free[0], patterns.held[0]
    return float(half[used].sum() / (used.sum() - pixels)), float(half[held].mean())
