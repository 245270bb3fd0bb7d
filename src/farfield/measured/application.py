"""A trained model applied to patterns in a file."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from scipy import ndimage

from farfield.iterative import suspicion
from farfield.iterative.asking import WARM_RECIPE
from farfield.iterative.patterns import read_patterns
from farfield.iterative.reconstruction import reconstruct
from farfield.learning import batches, exposure
from farfield.learning.networks.retriever import Retriever, load, predict
from farfield.machine import store
from farfield.machine.devices import claim_device
from farfield.machine.shapes import Estimates, Intensity, Objects, PerSample, read_measured
from farfield.measured import reading
from farfield.physics import noise, outliers
from farfield.study import errors, methods
from farfield.symmetry import metrics

SMOOTH = 2.0
"""Standard deviation, in pixels, of the blur that fills what was not measured: about a speckle's width."""

Mask = Bool[torch.Tensor, "*batch rows columns"] | None
"""True where measured; None if all was."""


class Applied(NamedTuple):
    """What became of each pattern of a file.

    Attributes
    ----------
    scale : torch.Tensor, float64, shape (samples,)
        What the pattern was multiplied by first: 1 if it was on the scale of the model's training set.
    residual : torch.Tensor, float64, shape (samples,)
        Fourier residual of the network's object, over the measured pixels.
    refined : torch.Tensor, float64, shape (samples,), or None
        The same of the refined object, which was written instead.
    error : torch.Tensor, float64, shape (samples,), or None
        SA-MSE of what was written relative to predicting zero (`errors.relative`), where the file holds the truth.
    """

    scale: PerSample
    residual: PerSample
    refined: PerSample | None
    error: PerSample | None


class _Patterns(NamedTuple):
    intensity: Intensity
    mask: Mask
    objects: Objects | None  # the truth, where the file holds it


def _read_store(path: Path) -> _Patterns:
    try:
        dataset = store.open_dataset(path)
    except store.StoreError:
        raise ValueError(
            f"{path}: expected a whole store that farfield wrote; save other patterns with numpy.save"
        ) from None
    if "intensity" not in dataset:
        raise ValueError(f"{path}: expected a store with intensity, got {', '.join(dataset)}; name a data set")
    truth = batches.read_samples(dataset.object) if "object" in dataset else None
    return _Patterns(batches.read_samples(dataset.intensity), None, truth)


def _read(path: Path) -> _Patterns:
    if path.suffix == ".zarr":
        return _read_store(path)
    found = reading.read(path)
    intensity = torch.from_numpy(found.data.astype(np.float32))
    own = None if found.mask is None else torch.from_numpy(found.mask)
    return _Patterns(intensity.square() if found.amplitude else intensity, own, None)


def _check(patterns: _Patterns, mask: str | Path | None, side: int, path: str | Path) -> _Patterns:
    """Refuse patterns of which nothing can be made, and bring them to (samples, M, M), zero where not measured."""
    intensity, own, truth = patterns
    if intensity.ndim not in (2, 3) or tuple(intensity.shape[-2:]) != (side, side) or not len(intensity):
        raise ValueError(
            f"{path}: expected patterns of shape (samples, {side}, {side}), got {tuple(intensity.shape)}; "
            "crop or pad them with diffraction.to_frame"
        )
    good = None if mask is None else torch.from_numpy(reading.read_mask(mask))
    if good is not None and good.shape not in (intensity.shape, intensity.shape[-2:]):
        raise ValueError(
            f"{mask}: expected a mask of shape ({side}, {side}) or as the patterns', got {tuple(good.shape)}; cut it"
        )
    if own is not None:
        good = own if good is None else good & own
    read_patterns(intensity, good)
    measured, good = read_measured(intensity, good)
    shaped = None if good is None else good.expand(intensity.shape).reshape(-1, side, side)
    return _Patterns(measured.reshape(-1, side, side), shaped, truth)


def _warn_of(intensity: Intensity, mask: Mask) -> None:
    """Warn of what `reconstruct` warns of: outliers, and a dark level."""
    found = suspicion.find(intensity, mask)
    if found is not None:
        said = "; ".join(outliers.sentences(found, intensity.numpy()))
        warnings.warn(f"{said}: mask them (mask=, --mask)", stacklevel=3)
    level = noise.dark_level(intensity, torch.ones_like(intensity, dtype=torch.bool) if mask is None else mask)
    if level.any():
        first = int(level.nonzero()[0])
        warnings.warn(
            f"pattern {first} has no place along its border that is darker than {level[first]:.3g}, as an object "
            "leaves: subtract the background, unless it is the object that scatters there",
            stacklevel=3,
        )


def fill(intensity: Intensity, mask: Mask) -> Intensity:
    """Put a blur of the measured amplitudes where nothing was measured, for a network that never saw gaps.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (samples, M, M)
        Zero where nothing was measured.
    mask : torch.Tensor, bool, shape (samples, M, M), or None

    Returns
    -------
    torch.Tensor, float, shape (samples, M, M)

    Notes
    -----
    SA-MSE of a small U-Net on 200 test crystals of 32², relative to predicting zero, 0.359 with all pixels:

    ===================== ===== ========= ===================== =======================================
    not measured          zeros this blur mean training pattern far field of its own object, from blur
    ===================== ===== ========= ===================== =======================================
    beamstop of 29 pixels 0.384 0.359     0.359                 0.360
    cross, 2 pixels wide  0.379 0.361     0.364                 0.372
    2 % of all pixels     0.414 0.357     0.357                 0.373
    ===================== ===== ========= ===================== =======================================
    """
    if mask is None:
        return intensity
    blurred = ndimage.gaussian_filter(intensity.sqrt().double().numpy(), SMOOTH, axes=(-2, -1))
    weight = ndimage.gaussian_filter(mask.double().numpy(), SMOOTH, axes=(-2, -1))
    amplitude = blurred / np.maximum(weight, np.finfo(np.float32).tiny)
    return torch.where(mask, intensity, torch.from_numpy(amplitude).square().to(intensity.dtype))


def _scale(retriever: Retriever, patterns: _Patterns) -> PerSample:
    known = retriever.description.get("exposure")
    if known is not None:
        return exposure.factors(patterns.intensity, patterns.mask, known)
    warnings.warn(
        "expected a model that knows its training patterns' scale, got one of an older farfield: the patterns are "
        "taken as they are; train it again to have counts scaled",
        stacklevel=3,
    )
    return torch.ones(len(patterns.intensity), dtype=torch.float64)


def _refine(patterns: _Patterns, objects: Objects, recipe: str, place: torch.device) -> Estimates:
    """Let iterations go on from a network's objects."""
    mask = patterns.mask
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of these patterns all has been said
        found = reconstruct(
            patterns.intensity.to(place),
            recipe,
            mask=None if mask is None else mask.to(place),
            start=objects.to(place),
            dimensions=2,
        )
    return found.objects.cpu()


def _write(objects: Estimates, path: Path, description: dict, recipe: str | bool) -> None:
    if path.suffix == ".npy":
        with store.atomic(path) as temporary, temporary.open("wb") as file:
            np.save(file, objects.numpy())
        return
    found = methods.dataset(objects[None, None], [description["seed"]], [description["checkpoint"]])
    attributes = {key: description[key] for key in ("symmetry", "samples") if key in description}
    if recipe:
        attributes["refined"] = recipe
    store.write_dataset(found.assign_attrs(method=description["network"], kind="network", **attributes), path)


def _load(model: str | Path, device: str) -> Retriever:
    retriever = load(model, str(claim_device(device)))
    if "near_field" in retriever.description:
        raise ValueError(
            f"{model}: expected a model of far-field patterns, got one of in-line holograms, whose scale and "
            "residual are others; call what farfield.load gives on the holograms"
        )
    return retriever


def _check_output(output: Path) -> None:
    if output.suffix not in (".npy", ".zarr"):
        raise ValueError(f"{output}: expected an output that ends in .npy or .zarr; name it so")
    if output.exists():
        raise ValueError(f"{output}: expected a new file to write, got one that exists; remove it, or name another")


def apply(
    model: str | Path,
    patterns: str | Path,
    output: str | Path,
    device: str = "cpu",
    *,
    mask: str | Path | None = None,
    refine: str | bool = False,
) -> Applied:
    """Reconstruct the patterns of a file with a trained model.

    Parameters
    ----------
    model : str or Path
        A ``.safetensors`` file of a training.
    patterns : str or Path
        Intensities (samples, M, M) or (M, M), DC at ``[M // 2, M // 2]``, in a file that `reading.read` takes, or a
        ``.zarr`` store with ``intensity``; a mask in the file counts. Of any scale: a pattern whose total lies
        within what the training set's span is taken as it is, another one brought to their mean.
    output : str or Path
        A ``.npy`` file or a ``.zarr`` store of objects (samples, N, N), written whole, on the training set's scale.
    device : str
        ``cpu``, ``cuda`` or ``cuda-if-available``.
    mask : str or Path, optional
        Where the patterns were measured, as `reading.read_mask` takes it; what was not is filled by `fill`.
    refine : bool or str
        Let iterations go on from the network's objects, by `asking.WARM_RECIPE` or a recipe that is named; theirs,
        (samples, M, M), are written.

    Returns
    -------
    Applied

    Warns
    -----
    UserWarning
        Of outliers that are not masked, of a dark level, and of a model that does not know its patterns' scale.

    Raises
    ------
    ValueError
        If a file is not what it should be, the output exists, the model is one of holograms, or no objects could be
        made of the patterns: they are of another size than the model's, empty, or have their DC elsewhere.

    Notes
    -----
    The totals of one study's crystals differ by 29 %, which cannot be told from exposure. SA-MSE of a small U-Net on
    200 test crystals relative to predicting zero: 0.359 on the true scale; 0.364 for counts of any scale, each
    brought to the mean total (as they are, 0.632); 0.370 for twice the true intensity, of which 28 % lie within the
    span (0.457). With a mask the totals are held against the same pixels' of the training set's mean rings: behind a
    beamstop of 29 pixels 0.361 on the true scale, and 0.381 for counts.
    """
    output = Path(output)
    _check_output(output)
    retriever = _load(model, device)
    found = _check(_read(Path(patterns)), mask, len(retriever.mean), patterns)
    _warn_of(found.intensity, found.mask)
    scale = _scale(retriever, found)
    found = found._replace(intensity=found.intensity * scale[:, None, None].float())
    objects = predict(retriever, fill(found.intensity, found.mask)).cpu()
    residual, refined = metrics.fourier_residual(found.intensity, objects, mask=found.mask), None
    recipe = WARM_RECIPE if refine is True else refine
    if recipe:
        objects = _refine(found, objects, recipe, retriever.mean.device)
        refined = metrics.fourier_residual(found.intensity, objects, mask=found.mask)
    _write(objects, output, retriever.description, recipe)
    if found.objects is None:
        return Applied(scale, residual, refined, None)
    error = metrics.symmetry_adjusted_mse(found.objects, objects)
    return Applied(scale, residual, refined, errors.relative(error, found.objects.abs().double().square()))
