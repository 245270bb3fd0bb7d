"""A trained model applied to patterns in a file."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr

from farfield.learning import batches
from farfield.learning.networks.retriever import load, predict
from farfield.machine import store
from farfield.machine.devices import claim_device
from farfield.machine.shapes import Intensity, Objects, check_intensity
from farfield.study import errors, methods
from farfield.symmetry import metrics


class _Patterns(NamedTuple):
    intensity: Intensity
    objects: Objects | None  # the truth, where the file holds it


def _read(path: Path) -> _Patterns:
    if path.suffix == ".npy":
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)  # a header may promise more than there is
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f"{path}: expected an array of numbers that numpy.save wrote, got {error}") from None
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif":
            got = array.dtype if isinstance(array, np.ndarray) else "several arrays"
            raise ValueError(f"{path}: expected one array of real intensities, got {got}; save |F|² as numbers")
        return _Patterns(torch.from_numpy(array.astype(np.float32)), None)
    if path.suffix == ".zarr":
        try:
            dataset = store.open_dataset(path)
        except store.StoreError:
            raise ValueError(
                f"{path}: expected a whole store that farfield wrote; save other patterns with numpy.save"
            ) from None
        if "intensity" not in dataset:
            raise ValueError(f"{path}: expected a store with intensity, got {', '.join(dataset)}; name a data set")
        truth = batches.read_samples(dataset.object) if "object" in dataset else None
        return _Patterns(batches.read_samples(dataset.intensity), truth)
    raise ValueError(f"{path}: expected patterns as a .npy file or a .zarr store; convert them with numpy.save")


def _write(objects: Objects, path: Path, description: dict) -> None:
    if path.suffix == ".npy":
        with store.atomic(path) as temporary, temporary.open("wb") as file:
            np.save(file, objects.numpy())
        return
    found = methods.dataset(objects[None, None], [description["seed"]], [description["checkpoint"]])
    attributes = {key: description[key] for key in ("symmetry", "samples") if key in description}
    store.write_dataset(found.assign_attrs(method=description["network"], kind="network", **attributes), path)


def apply(model: str | Path, patterns: str | Path, output: str | Path, device: str = "cpu") -> xr.DataArray | None:
    """Reconstruct the patterns of a file with a trained model.

    Parameters
    ----------
    model : str or Path
        A ``.safetensors`` file of a training.
    patterns : str or Path
        A ``.npy`` file of intensities (samples, M, M) or (M, M), DC at ``[M // 2, M // 2]``, or a ``.zarr`` store
        with ``intensity``. On the scale that the model was trained on: |F|² of objects of magnitude about 1.
    output : str or Path
        A ``.npy`` file or a ``.zarr`` store of objects (samples, N, N), written whole.
    device : str
        ``cpu``, ``cuda`` or ``cuda-if-available``.

    Returns
    -------
    xarray.DataArray or None
        SA-MSE of each sample relative to predicting zero (`errors.relative`), where the store holds the truth.

    Raises
    ------
    ValueError
        If a file is not what it should be, the output exists, or the patterns are of another size than the model's.
    """
    output = Path(output)
    if output.suffix not in (".npy", ".zarr"):
        raise ValueError(f"{output}: expected an output that ends in .npy or .zarr; name it so")
    if output.exists():
        raise ValueError(f"{output}: expected a new file to write, got one that exists; remove it, or name another")
    retriever = load(model, str(claim_device(device)))
    intensity, truth = _read(Path(patterns))
    side = len(retriever.mean)
    if intensity.ndim not in (2, 3) or tuple(intensity.shape[-2:]) != (side, side) or not len(intensity):
        raise ValueError(
            f"{patterns}: expected patterns of shape (samples, {side}, {side}), got {tuple(intensity.shape)}; "
            "crop or pad them with diffraction.to_frame"
        )
    check_intensity(intensity)
    objects = predict(retriever, intensity.reshape(-1, side, side)).cpu()
    _write(objects, output, retriever.description)
    if truth is None:
        return None
    error = metrics.symmetry_adjusted_mse(truth, objects)
    return xr.DataArray(errors.relative(error, truth.abs().double().square()).numpy(), dims="sample")
