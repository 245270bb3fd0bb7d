"""Results in CXI 1.50 (HDF5), the paths and the attributes those at which PyNX, silx and cdiutils look.

Of each kept start there is an image of its own, of two axes, or three of a volume: a stack in one image would be read
as a volume, by PyNX and by the format's own words, and silx shows complex images one by one.
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
from farfield.measured.geometry import Space

IMAGE = "entry_1/image_1"

Scalar = bool | int | float | str | None


class Result(NamedTuple):
    """All that is kept of a reconstruction, as NumPy arrays, origins in the centre.

    Attributes
    ----------
    object : complex64, shape (M, M), or (F, M, N) of a volume
        The best start.
    support : bool, of that shape
        True inside.
    starts : complex64, shape (K, *frame)
        The kept ones, aligned to the best.
    mode : complex64, of the object's shape
        What they have in common (`trust.modes`).
    weight : float
        Of the mode.
    pattern : float32, of that shape
        The prepared intensity.
    mask : bool, of that shape
        True where it was measured.
    table : dict of arrays, shape (starts,)
        Every start in figures: residual, rank, deviance, free_deviance, threshold, pixels, iterations, kept (bool).
    results : dict of scalars
        The best in figures: residual, deviance, free_deviance, agreement, solved, llk_poisson as PyNX has it, photons
        of the pattern, resolution, as `trust.resolution` gives it, and resolution_nm, the period there; NaN is what
        is not known.
    configuration : dict of scalars
        Every parameter.
    steps : list of str
        What was done to the data, a line each.
    verdict : str
        As `trust.verdict` gives it.
    prtf : float64, shape (rings,)
        Over rings of a pixel's width about the centre of a pattern; of a volume over shells, of a pixel of its
        shortest axis, or, where its place is known, of `width`.
    width : float or None
        Of a ring or a shell in 1/nm, 2π included, where it is known.
    geometry : Geometry
    space : Space or None
        Where a volume lies, where that is known.
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
    width: float | None
    geometry: Geometry
    space: Space | None = None

    def voxels(self) -> np.ndarray | None:
        """Steps (x, y, z) from one voxel of a volume's object to the next, a row each, in m, where they are known."""
        return None if self.space is None else 1e-9 * self.space.voxels(self.object.shape)

    def sides(self) -> np.ndarray | None:
        """Sides of the object's frame in m, along its axes, where they are known."""
        steps = self.voxels()
        if steps is not None:
            return np.linalg.norm(steps, axis=1) * self.object.shape
        size = self.geometry.image_size() if self.object.ndim == 2 else None
        return None if size is None else np.array(size)


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


def check_new(
    path: Path, overwrite: bool, sources: Iterable[str | Path | None] = (), beside: Iterable[str] = (".png",)
) -> None:
    """Refuse a place where no result can be written, before one is made: what it comes from is never replaced."""
    if path.suffix != ".cxi":
        raise ValueError(f"{path}: expected a result that ends in .cxi; name it so")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: expected a folder that exists, got {path.parent}; make it")
    if any(source is not None and path.resolve() == Path(str(source)).resolve() for source in sources):
        raise ValueError(f"{path}: expected a new file to write, got one that is read; name another")
    for written in (path, *map(path.with_suffix, beside)):
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
    best = _image(entry, 1, "the best start", result.object, result)
    _array(best, "mask", result.support.astype(np.uint8))
    best["support"] = h5py.SoftLink(f"/{IMAGE}/mask")
    _process(best, result)
    for number, start in enumerate(result.starts, 2):
        _image(entry, number, f"start {number - 1} of {len(result.starts)}", start, result)
    last = len(result.starts) + 2
    common = _image(entry, last, f"first mode of {len(result.starts)} starts", result.mode, result)
    common["weight"] = result.weight
    entry["mode"] = h5py.SoftLink(f"/entry_1/image_{last}")
    _detector(_group(entry, "instrument_1", "NXinstrument"), result)
    _plot(entry, 1, "the best start")["data"] = h5py.SoftLink(f"/{IMAGE}/data")
    curve = _plot(entry, 2, "phase retrieval transfer function", "spectrum", axes="ring")
    _array(curve, "data", result.prtf)
    curve["ring"] = np.arange(len(result.prtf))
    if result.width is not None:
        _measure(curve, "q", result.width * np.arange(len(result.prtf)), "1/nm")


def _plot(entry: h5py.Group, number: int, title: str, kind: str = "image", **more: str) -> h5py.Group:
    data = _group(entry, f"data_{number}", "NXdata")
    data.attrs.update(signal="data", interpretation=kind, **more)
    data["title"] = title
    return data


def _measure(group: h5py.Group, name: str, value: Any, units: str) -> None:
    group[name] = value
    group[name].attrs["units"] = units


def _image(entry: h5py.Group, number: int, title: str, values: np.ndarray, result: Result) -> h5py.Group:
    image = _group(entry, f"image_{number}", "NXdata")
    image.attrs.update(signal="data", interpretation="image")
    _array(image, "data", values.astype(np.complex64), interpretation="image")
    about = {"title": title, "data_space": "real", "data_type": "electron density", "is_fft_shifted": 0}
    _scalars(image, about)
    if (sides := result.sides()) is not None:
        _measure(image, "image_size", sides, "m")
    if result.space is not None:
        # The format has no word for axes that lie askew: (x, y, z) of each, as it has them of a detector's.
        _measure(image, "voxel_size", sides / values.shape, "m")
        _measure(image, "basis_vectors", result.voxels(), "m")
        _measure(image, "scattering_vector", 1e9 * result.space.scattering, "1/m")
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
            _measure(detector, name, value, "m")
    if energy is not None:
        _measure(_group(instrument, "source_1", "NXsource"), "energy", energy, "J")
