"""HDF5 in the ways of CXI, NeXus and detectors: where the frames, their mask and the geometry lie."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
from scipy import constants

from farfield.measured.frames import Found, Geometry, Unreadable, choose, first_gap, refusing, size, whole_numbers

_WELL_KNOWN = (  # CXI in the order of PyNX, then NeXus
    "/entry_1/instrument_1/detector_1/data",
    "/entry_1/image_1/data",
    "/entry_1/data_1/data",
    "/entry/data/data",
    "/entry/instrument/detector/data",
)
_CACHE = 2**26  # bytes of unpacked frames that are kept at hand: detectors pack several into one chunk
_HAS_SIGNAL = 0x1000  # the one bit of a CXI mask that does not say that a pixel is bad
_UNITS = {
    "j": 1,
    "ev": constants.eV,
    "kev": 1e3 * constants.eV,
    "m": 1,
    "mm": 1e-3,
    "um": 1e-6,
    "µm": 1e-6,
    "nm": 1e-9,
    "angstrom": 1e-10,
    "a": 1e-10,
    "å": 1e-10,
}


def _get(file: h5py.File, place: str) -> h5py.Dataset | None:
    try:
        item = file[place]
    except (KeyError, ValueError):  # a path through a data set is no path
        return None
    return item if isinstance(item, h5py.Dataset) else None


def _first(file: h5py.File, places: list[str]) -> h5py.Dataset | None:
    return next((item for item in (_get(file, place) for place in places) if item is not None), None)


def _candidates(file: h5py.File) -> list[str]:
    """Data sets of numbers with two axes or more; masks only where there is nothing else."""
    found = []

    def look(name: str, item: h5py.HLObject) -> None:
        lengths = (item.shape or ()) if isinstance(item, h5py.Dataset) else ()
        if sum(length > 1 for length in lengths) > 1 and item.dtype.kind in "biufc" and not name.startswith("#"):
            found.append(f"/{name}")

    file.visititems(look)
    return [name for name in found if "mask" not in name.rpartition("/")[2]] or found


def _blocks(path: Path, file: h5py.File) -> list[str]:
    """The data sets ``entry/data/data_000001`` and following of a detector's master file."""
    group = file.get("/entry/data")
    names = sorted(name for name in group or () if re.fullmatch(r"data_\d+", name))
    missing = first_gap([int(name[5:]) for name in names])
    if missing is not None:
        raise Unreadable(f"{path}: expected /entry/data/data_… without a gap, got none of number {missing}; add it")
    return [f"/entry/data/{name}" for name in names]


def _named(path: Path, file: h5py.File, name: str | None) -> list[str]:
    """Where the frames lie: what was asked for, well-known places, or the only candidate."""
    if name is not None:
        name = "/" + name.strip("/")
        return [name if _linked(path, file, name) else choose(path, name, _candidates(file))]
    known = next((place for place in _WELL_KNOWN if _linked(path, file, place)), None)
    if known is not None:
        return [known]
    blocks = [block for block in _blocks(path, file) if _linked(path, file, block)]
    return blocks or [choose(path, None, _candidates(file))]


def _linked(path: Path, file: h5py.File, name: str) -> bool:
    """Whether there is such a data set; a link to a file that is not there is refused."""
    if _get(file, name) is not None:
        return True
    parent, _, leaf = name.rpartition("/")
    group = file.get(parent or "/")
    link = group.get(leaf, getlink=True) if isinstance(group, h5py.Group) and leaf in set(group) else None
    if isinstance(link, h5py.ExternalLink):
        raise Unreadable(
            f"{path}: expected {name} in {link.filename} beside it, where it links to, got none; copy that file too"
        )
    return False


def _sources(dataset: h5py.Dataset) -> Iterator[h5py.Dataset]:
    """The data set, and those that it is composed of: HDF5 reads zeros for what is not there."""
    yield dataset
    folder = Path(dataset.file.filename).parent
    for source in dataset.virtual_sources() if dataset.is_virtual else ():
        if source.file_name == "." or "%" in source.file_name:  # in this file; a pattern of names
            continue
        if not (folder / source.file_name).exists():
            raise Unreadable(
                f"{dataset.file.filename}: expected {source.file_name} beside it, which holds frames of "
                f"{dataset.name}, got none; copy that file too"
            )
        with h5py.File(folder / source.file_name, "r") as file:
            yield file[source.dset_name]


def _load_filters() -> bool:
    """Bring the filters of detectors, which are an extra, if it is installed."""
    try:
        import hdf5plugin  # noqa: F401
    except ImportError:
        return False
    return True


def _check_filters(path: Path, dataset: h5py.Dataset) -> None:
    properties = dataset.id.get_create_plist()
    for number in range(properties.get_nfilters()):
        code, _, _, name = properties.get_filter(number)
        if h5py.h5z.filter_avail(code) or ((extra := _load_filters()) and h5py.h5z.filter_avail(code)):
            continue
        named = name.decode().split(";")[0] or f"number {code}"
        advice = (
            "unpack it where it can be read, with h5repack -f NONE" if extra else "pip install farfield[beamline]"
        )
        raise Unreadable(f"{path}: expected numbers packed by a filter that is installed, got {named}; {advice}")


def _check(path: Path, datasets: list[h5py.Dataset]) -> None:
    """Refuse data sets that cannot be unpacked, or do not follow one another."""
    for dataset in datasets:
        for source in _sources(dataset):
            _check_filters(path, source)
    first = datasets[0]
    other = next((each for each in datasets if each.shape[1:] != first.shape[1:]), None)
    if other is not None:
        raise Unreadable(
            f"{path}: expected frames of {size(first.shape[1:])} as in {first.name}, got {size(other.shape[1:])} in "
            f"{other.name}; name the one to read, as in {path}::{first.name}"
        )


def _values(path: Path, datasets: list[h5py.Dataset]) -> np.ndarray:
    """Read data sets, several one behind the other."""
    _check(path, datasets)
    first = datasets[0]
    if len(datasets) == 1:
        return whole_numbers(np.asarray(first[()]))
    ends = np.cumsum([len(dataset) for dataset in datasets])
    data = np.empty((ends[-1], *first.shape[1:]), first.dtype)
    for dataset, end in zip(datasets, ends, strict=True):
        dataset.read_direct(data, dest_sel=np.s_[end - len(dataset) : end])
    return data


class Stack(Sequence):
    """Frames of data sets one behind the other, which stay in the file until they are asked for."""

    def __init__(self, path: Path, datasets: list[h5py.Dataset]):
        _check(path, datasets)
        places = [(dataset.file.filename, dataset.name) for dataset in datasets]  # links may lead to other files
        self._path, self._datasets = path, [h5py.File(file, "r", rdcc_nbytes=_CACHE)[name] for file, name in places]
        self._ends = np.cumsum([len(dataset) for dataset in datasets])
        self.dtype = datasets[0].dtype
        self.shape = (int(self._ends[-1]), *datasets[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, number: int) -> np.ndarray:
        if not 0 <= number < len(self):
            raise IndexError(number)
        block = int(np.searchsorted(self._ends, number, side="right"))
        with refusing(self._path, "HDF5"):
            return self._datasets[block][number - self._ends[block]]  # from its end


def _quantity(dataset: h5py.Dataset | None, assumed: str = "") -> float | None:
    """Read one number in SI units; without units it says nothing, unless its place says them."""
    if dataset is None or dataset.size != 1 or dataset.dtype.kind not in "iuf":
        return None
    units = dataset.attrs.get("units", assumed)
    units = units.decode() if isinstance(units, bytes) else str(units)
    factor = _UNITS.get(units.strip().lower())
    return None if factor is None else float(np.ravel(dataset[()])[0]) * factor


def _energy(file: h5py.File, entry: str) -> float | None:
    found = _quantity(_get(file, f"{entry}/instrument_1/source_1/energy"), "J")
    places = [f"{entry}/instrument/{name}" for name in ("beam", "monochromator")] + [f"{entry}/sample/beam"]
    energy = _first(file, [f"{place}/{name}" for place in places for name in ("incident_energy", "energy")])
    wave = _first(file, [f"{place}/{name}" for place in places for name in ("incident_wavelength", "wavelength")])
    found = found or _quantity(energy)
    length = _quantity(wave)
    return found or (constants.h * constants.c / length if length else None)


def _detectors(name: str) -> list[str]:
    """Groups that may tell of the detector whose frames have this name, nearest first."""
    parent, _, leaf = name.rpartition("/")
    entry = "/" + name.split("/")[1]
    own = [] if parent.rpartition("/")[2].startswith("image_") else [parent]  # an image's mask marks its support
    places = ("instrument_1/detector_1", "instrument/detector", f"instrument/{leaf}")
    return [*own, *(f"{entry}/{place}" for place in places)]


def _geometry(file: h5py.File, name: str, cxi: bool) -> Geometry:
    detectors, metre = _detectors(name), "m" if cxi else ""
    distance, y, x = (
        _quantity(_first(file, [f"{place}/{key}" for place in detectors for key in keys]), metre)
        for keys in (("distance", "detector_distance"), ("y_pixel_size",), ("x_pixel_size",))
    )
    vectors = _first(file, [f"{place}/basis_vectors" for place in detectors])
    if (y is None or x is None) and vectors is not None and sorted(vectors.shape) == [2, 3]:
        lengths = np.linalg.norm(vectors[()], axis=vectors.shape.index(3))
        y, x = map(float, lengths)
    pixel_size = None if y is None or x is None else (y, x)
    return Geometry(_energy(file, "/" + name.split("/")[1]), distance, pixel_size)


def _mask(file: h5py.File, name: str) -> h5py.Dataset | None:
    leaves = ("mask", "pixel_mask", "detectorSpecific/pixel_mask")
    places = [f"{place}/{leaf}" for place in _detectors(name) for leaf in leaves]
    return _first(file, [place for place in places if place != name])


def _bad(values: np.ndarray, cxi: bool) -> np.ndarray:
    """What of a mask says that a pixel is bad."""
    if not cxi or values.dtype.kind not in "iu" or values.dtype.itemsize < 2:
        return values
    return values & ~values.dtype.type(_HAS_SIGNAL)


def _text(dataset: h5py.Dataset | None) -> str:
    return "" if dataset is None else str(np.ravel(dataset.asstr()[()])[0])


def _holds_amplitudes(path: Path, file: h5py.File, where: str) -> bool:
    """Whether a CXI image says so of itself; one that says it is no diffraction is refused."""
    parent, _, leaf = where.rpartition("/")
    kind = _text(_get(file, f"{parent}/data_type")) if leaf == "data" else ""  # not of a support beside it
    if kind in ("electron density", "autocorrelation"):
        raise Unreadable(f"{path}: expected diffraction, got {kind} in {where}; name a data set, as in {path}::/path")
    return "amplitude" in kind


def _is_shifted(file: h5py.File, where: str) -> bool:
    """Whether a CXI image has its origin in the corner."""
    flag = _get(file, where.rpartition("/")[0] + "/is_fft_shifted")
    return flag is not None and bool(flag[()] > 0)


def read(path: Path, name: str | None) -> Found:
    """Read the frames of an HDF5 file, with the mask and the geometry that lie beside them."""
    return _read(path, name, _values)


def read_scan(path: Path, name: str | None) -> Found:
    """Do the same, but leave frames of three axes where they are, as a `Stack`."""
    return _read(path, name, lambda *found: (Stack if found[1][0].ndim == 3 else _values)(*found))


def _read(path: Path, name: str | None, values: Callable) -> Found:
    with refusing(path, "HDF5"), h5py.File(path, "r", rdcc_nbytes=_CACHE) as file:
        places = _named(path, file, name)
        where, cxi, notes = places[0], path.suffix.lower() == ".cxi" or "cxi_version" in file, []
        amplitude, datasets = _holds_amplitudes(path, file, where), [file[place] for place in places]
        shifted = _is_shifted(file, where)
        data = (_values if shifted else values)(path, datasets)
        if where.endswith("/mask"):
            data = _bad(np.asarray(data), cxi)
        if shifted:
            data, notes = (
                np.fft.fftshift(data),
                ["is_fft_shifted: the origin was brought from the corner to the centre"],
            )
        found = _mask(file, where)
        mask = None if found is None else _bad(_values(path, [found]), cxi)
        source = f"{path.name}::{where}" + (f" to {places[-1].rpartition('/')[2]}" if len(places) > 1 else "")
        return Found(source, data, mask, amplitude, _geometry(file, where, cxi), notes)
