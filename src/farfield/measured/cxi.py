"""Results in CXI 1.50 (HDF5), the paths and the attributes those at which PyNX, silx and cdiutils look.

Of each kept start there is an image of its own, two-dimensional as all are: a stack in one image would be read as a
volume, by PyNX and by the format's own words, and silx shows complex images one by one.
"""

import io
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

import farfield
from farfield.machine import store
from farfield.measured.frames import Geometry

IMAGE = "entry_1/image_1"

Scalar = bool | int | float | str | None


class Result(NamedTuple):
    """All that is kept of a reconstruction, as NumPy arrays, origins in the centre.

    Attributes
    ----------
    object : complex64, shape (M, M)
        The best start.
    support : bool, shape (M, M)
        True inside.
    starts : complex64, shape (K, M, M)
        The kept ones, aligned to the best.
    mode : complex64, shape (M, M)
        What they have in common (`trust.modes`).
    weight : float
        Of the mode.
    pattern : float32, shape (M, M)
        The prepared intensity.
    mask : bool, shape (M, M)
        True where it was measured.
    table : dict of arrays, shape (starts,)
        Every start in figures: residual, deviance, free_deviance, threshold, pixels, iterations, kept (bool).
    results : dict of scalars
        The best in figures: residual, deviance, free_deviance, agreement, solved, llk_poisson as PyNX has it, photons
        of the pattern, and resolution, as `trust.resolution` gives it; NaN is what is not known.
    configuration : dict of scalars
        Every parameter.
    steps : list of str
        What was done to the data, a line each.
    verdict : str
        As `trust.verdict` gives it.
    prtf : float64, shape (M // 2,)
    geometry : Geometry
    """

    object: np.ndarray
    support: np.ndarray
    starts: np.ndarray
    mode: np.ndarray
    weight: float
    pattern: np.ndarray
    mask: np.ndarray
    table: Mapping[str, np.ndarray]
    results: Mapping[str, Scalar]
    configuration: Mapping[str, Scalar]
    steps: list[str]
    verdict: str
    prtf: np.ndarray
    geometry: Geometry


class Summary(NamedTuple):
    """What tables need of a result: its object, support and figures, the verdict among them."""

    object: np.ndarray
    support: np.ndarray
    results: dict[str, Scalar]


def write(path: str | Path, result: Result, overwrite: bool = False) -> None:
    """Write a result, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Ends in ``.cxi``.
    result : Result
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ValueError
        If the file exists and is to be kept.
    OSError
        If there is no room for it.
    """
    path = Path(path)
    check_new(path, overwrite)
    # Made in memory: HDF5 itself neither stands a full disk nor the missing locks of some network's.
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        _fill(file, result)
    with store.atomic(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def check_new(path: Path, overwrite: bool, sources: Iterable[str | Path | None] = ()) -> None:
    """Refuse a place where no result can be written, before one is made: what it comes from is never replaced."""
    if path.suffix != ".cxi":
        raise ValueError(f"{path}: expected a result that ends in .cxi; name it so")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: expected a folder that exists, got {path.parent}; make it")
    if any(source is not None and path.resolve() == Path(str(source)).resolve() for source in sources):
        raise ValueError(f"{path}: expected a new file to write, got one that is read; name another")
    for written in (path, path.with_suffix(".png")):
        if written.exists() and not overwrite:
            raise ValueError(
                f"{written}: expected a new file to write, got one that exists; remove it, name another, or replace "
                "it (--force)"
            )


def read(path: str | Path) -> Summary:
    """Read what tables need of a result.

    Parameters
    ----------
    path : str or Path
        That `write` wrote.

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        If the file is no result of farfield's.
    """
    try:
        with h5py.File(path) as file:
            image = file[IMAGE]
            figures = image["process_1/results"]
            results = {name: _scalar(value[()]) for name, value in figures.items()}
            return Summary(image["data"][()], image["support"][()] > 0, results)
    except FileNotFoundError:
        raise ValueError(f"{path}: expected a result, got no such file; reconstruct it first") from None
    except (OSError, KeyError) as error:
        raise ValueError(f"{path}: expected a result that farfield wrote, got {error}; make it again") from None


def _scalar(value: Any) -> Scalar:
    return value.decode() if isinstance(value, bytes) else value.item()


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    made = parent.create_group(name)
    made.attrs["NX_class"] = kind
    return made


def _array(group: h5py.Group, name: str, values: np.ndarray, **attributes: str) -> None:
    group.create_dataset(name, data=values, compression="gzip", shuffle=True).attrs.update(attributes)


def _scalars(group: h5py.Group, values: Mapping[str, Any]) -> None:
    """Enter numbers and texts as they are, and the rest as Python writes it."""
    for name, value in values.items():
        group[name] = value if isinstance(value, bool | int | float | str | np.generic | list) else str(value)


def _fill(file: h5py.File, result: Result) -> None:
    file.attrs.update(NX_class="NXroot", default="entry_1", creator=f"farfield {farfield.__version__}")
    file["cxi_version"] = 150
    entry = _group(file, "entry_1", "NXentry")
    entry.attrs["default"] = "data_1"
    file["entry_last"] = h5py.SoftLink("/entry_1")
    best = _image(entry, 1, "the best start", result.object, result.geometry)
    _array(best, "mask", result.support.astype(np.uint8))
    best["support"] = h5py.SoftLink(f"/{IMAGE}/mask")
    _process(best, result)
    for number, start in enumerate(result.starts, 2):
        _image(entry, number, f"start {number - 1} of {len(result.starts)}", start, result.geometry)
    last = len(result.starts) + 2
    common = _image(entry, last, f"first mode of {len(result.starts)} starts", result.mode, result.geometry)
    common["weight"] = result.weight
    entry["mode"] = h5py.SoftLink(f"/entry_1/image_{last}")
    _detector(_group(entry, "instrument_1", "NXinstrument"), result)
    _plot(entry, 1, "the best start")["data"] = h5py.SoftLink(f"/{IMAGE}/data")
    curve = _plot(entry, 2, "phase retrieval transfer function", "spectrum", axes="ring")
    _array(curve, "data", result.prtf)
    curve["ring"] = np.arange(len(result.prtf))


def _plot(entry: h5py.Group, number: int, title: str, kind: str = "image", **more: str) -> h5py.Group:
    data = _group(entry, f"data_{number}", "NXdata")
    data.attrs.update(signal="data", interpretation=kind, **more)
    data["title"] = title
    return data


def _image(entry: h5py.Group, number: int, title: str, values: np.ndarray, geometry: Geometry) -> h5py.Group:
    image = _group(entry, f"image_{number}", "NXdata")
    image.attrs.update(signal="data", interpretation="image")
    _array(image, "data", values.astype(np.complex64), interpretation="image")
    about = {"title": title, "data_space": "real", "data_type": "electron density", "is_fft_shifted": 0}
    _scalars(image, about)
    if (side := geometry.image_size()) is not None:
        image["image_size"] = np.array(side)
        image["image_size"].attrs["units"] = "m"
    return image


def _process(image: h5py.Group, result: Result) -> None:
    process = _group(image, "process_1", "NXprocess")
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    _scalars(
        process, {"program": "farfield", "version": farfield.__version__, "command": " ".join(sys.argv), "date": now}
    )
    _scalars(_group(process, "configuration", "NXcollection"), {**result.configuration, "steps": result.steps})
    found = {**result.results, "nb_point_support": int(result.support.sum()), "verdict": result.verdict}
    _scalars(_group(process, "results", "NXcollection"), found)
    table = _group(process, "starts", "NXcollection")
    for name, column in result.table.items():
        table[name] = column


def _detector(instrument: h5py.Group, result: Result) -> None:
    detector, (energy, distance, pixel) = _group(instrument, "detector_1", "NXdetector"), result.geometry
    _array(detector, "data", result.pattern, interpretation="image")
    if not result.mask.all():
        # The format's bits beyond the seventh are lost where PyNX reads the mask: 1 is bad, whatever the reason.
        _array(detector, "mask", (~result.mask).astype(np.int8), interpretation="image")
    height, width = pixel or (None, None)
    for name, value in (("distance", distance), ("x_pixel_size", width), ("y_pixel_size", height)):
        if value is not None:
            detector[name] = value
            detector[name].attrs["units"] = "m"
    if energy is not None:
        source = _group(instrument, "source_1", "NXsource")
        source["energy"] = energy
        source["energy"].attrs["units"] = "J"
