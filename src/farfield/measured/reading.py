"""Files of measured patterns, and of what belongs to them: masks, flats, darks, supports."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy import constants

from farfield.measured import arrays, edf, hdf5, tiff
from farfield.measured.frames import Found, Frames, Geometry, Scan, Unreadable, refusing, size

_PLAIN: dict[str, Callable[[Path, None], Found]] = {
    ".npy": arrays.read_npy,
    ".edf": edf.read,
    ".edf.gz": edf.read,
    **dict.fromkeys(tiff.ENDINGS, tiff.read),
}
_NAMED: dict[str, Callable[[Path, str | None], Found]] = {
    ".npz": arrays.read_npz,
    ".mat": arrays.read_mat,
    **dict.fromkeys((".cxi", ".h5", ".hdf5", ".hdf", ".nxs"), hdf5.read),
}
_ENDINGS = {**_PLAIN, **_NAMED}


def _reader(path: Path) -> str:
    """Find the ending of a file that can be read."""
    if not path.exists():
        raise Unreadable(f"{path}: expected a file, got none there; check the path")
    ending = next((ending for ending in _ENDINGS if path.name.lower().endswith(ending)), None)
    if ending is None:
        raise Unreadable(f"{path}: expected a file that ends in {', '.join(_ENDINGS)}, got another; convert it")
    if path.stat().st_size == 0:
        raise Unreadable(f"{path}: expected a file with data, got an empty one; copy it again from its source")
    return ending


def _check_numbers(path: str | Path, kind: np.dtype) -> None:
    if kind.kind == "c":
        raise Unreadable(f"{path}: expected real numbers, got {kind}; diffraction data are real: save abs(array)**2")
    if kind.kind not in "buif":
        raise Unreadable(f"{path}: expected numbers, got {kind}; save an array of counts")


def _settled(path: str | Path, array: np.ndarray) -> np.ndarray:
    """Bring an array to two or three axes of real numbers in native byte order."""
    _check_numbers(path, array.dtype)
    if not array.size:
        raise Unreadable(f"{path}: expected data, got an empty array of {size(array.shape)}; name another")
    while array.ndim > 2 and 1 in (array.shape[0], array.shape[-1]):
        array = array[0] if array.shape[0] == 1 else array[..., 0]
    if array.ndim not in (2, 3):
        raise Unreadable(
            f"{path}: expected (rows, columns) or (frames, rows, columns), got an array of {size(array.shape)}; "
            "save one of these"
        )
    if array.dtype.isnative and array.flags.aligned:
        return array
    return np.asarray(array).astype(array.dtype.newbyteorder("="))


def _load(path: str | Path) -> tuple[Found, str | None]:
    """Read what a path names, its array settled, and the name behind ``::``."""
    before, _, name = str(path).partition("::")
    file, name = Path(before), name or None
    reader = tiff.read_folder if file.is_dir() else _ENDINGS[_reader(file)]
    if name and reader not in _NAMED.values():
        raise Unreadable(
            f"{path}: expected a path alone, got ::{name} behind it; leave that out, as {file.name} holds one array"
        )
    found = reader(file, name)
    data = _settled(path, found.data)
    notes = [f"read {size(found.data.shape)} {data.dtype} from {found.source}", *found.notes]
    if data.ndim < found.data.ndim:
        notes.append(f"axes of length 1 dropped: {size(data.shape)}")
    return found._replace(data=data, notes=notes), name


def _measured(values: np.ndarray) -> np.ndarray:
    """True where measured: truth values say so themselves, of numbers only 0 does."""
    return np.array(values) if values.dtype == bool else np.asarray(values == 0)


def _own_mask(path: str | Path, found: Found) -> np.ndarray | None:
    if found.mask is None:
        return None
    mask = _measured(_settled(path, found.mask))
    if mask.shape not in (found.data.shape, found.data.shape[-2:]):
        raise Unreadable(
            f"{path}: expected its own mask to fit the data, {size(found.data.shape)}, got {size(mask.shape)}; "
            "save the data without it, and name a mask that fits"
        )
    if not mask.any():
        raise Unreadable(f"{path}: expected good pixels in its own mask, got none; save the data without it")
    return mask


def _geometry_note(geometry: Geometry) -> list[str]:
    energy, distance, pixel = geometry
    parts = [] if energy is None else [f"{energy / constants.eV / 1e3:.4g} keV"]
    parts += [] if distance is None else [f"distance {distance:.4g} m"]
    parts += [] if pixel is None else [f"pixels of {size([f'{length * 1e6:.4g}' for length in pixel])} µm"]
    return ["geometry of the file: " + ", ".join(parts)] if parts else []


def read(path: str | Path) -> Frames:
    """Read a measured pattern, a stack of them or a volume.

    Parameters
    ----------
    path : str or Path
        A file .npy, .npz, .tif, .tiff (pages are frames), .cxi, .h5, .hdf5, .hdf, .nxs, .edf, .edf.gz or .mat, or a
        folder of .tif files, a frame each, in the order of the last number in their names. Of several arrays in a
        file, ``file.h5::/entry/data/data`` names one (``file.npz::key``, ``file.mat::variable``); without a name, the
        places of CXI, of NeXus and of Eiger's master files are looked at, then the only array is taken.

    Returns
    -------
    Frames
        Data, mask, geometry, and what was found in notes.

    Raises
    ------
    ValueError
        In one sentence, if there is no such file, it is damaged, or holds no real numbers of two or three axes.
    """
    found, _ = _load(path)
    if found.data.dtype == bool:
        raise Unreadable(f"{path}: expected counts, got truth values; read a mask by read_mask")
    return _frames(path, found)


def _frames(path: str | Path, found: Found) -> Frames:
    """Put together what was found, the mask settled."""
    mask = _own_mask(path, found)
    bad = [] if mask is None else [f"mask of the file: {mask.size - np.count_nonzero(mask)} pixels are bad"]
    notes = [*found.notes, *bad, *_geometry_note(found.geometry)]
    return Frames(found.data, mask, found.amplitude, found.geometry, notes)


class Files(Sequence):
    """Frames of files, one a file, each read when it is asked for."""

    def __init__(self, files: list[Path]):
        self._files = files
        self.first = read(files[0])
        if self.first.data.ndim != 2:
            got = size(self.first.data.shape)
            raise Unreadable(f"{files[0]}: expected one frame a file, got {got}; name the file itself")

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, number: int) -> np.ndarray:
        file = self._files[number]
        return tiff.same(file, read(file).data, self.first.data)


def _of_files(files: list[Path]) -> Scan:
    """Take the order of the files for that of the frames; what the first says of mask and geometry goes for all."""
    frames = Files(files)
    _, mask, amplitude, geometry, notes = frames.first
    told = f"read frames from {files[0].parent.resolve().name}/, {files[0].name} to {files[-1].name}, one by one"
    return Scan(frames, mask, amplitude, geometry, [told, *notes[1:]])


def read_scan(source: str | Path | Sequence[str | Path]) -> Scan:
    """Read a rocking scan, one frame after another.

    Parameters
    ----------
    source : str, Path or sequence of these
        A file with frames, as for `read`; a folder of .tif files, a frame each; or such files, of any format. Files
        are taken in the order of the last number in their names, which must have no gap.

    Returns
    -------
    Scan
        Of files with a frame each, of HDF5, and of what is mapped (.npy, .tif) the frames stay on the disk.

    Raises
    ------
    ValueError
        As by `read`, if a number is missing, or there is one frame only.
    """
    if not isinstance(source, str | Path):
        if not source:
            raise ValueError("expected the files of a scan, got an empty list; name them, or their folder")
        files = [Path(file) for file in source]
        return _of_files(tiff.numbered(files[0].parent, files))
    if Path(source).is_dir():
        return _of_files(tiff.listed(Path(source)))
    before, _, name = str(source).partition("::")
    found = read(source) if _NAMED.get(_reader(Path(before))) is not hdf5.read else _stack(source, before, name)
    if len(found.data.shape) != 3:
        raise Unreadable(
            f"{source}: expected the frames of a scan, got one; name a folder, or a file with all of them"
        )
    return Scan(*found)


def _stack(source: str | Path, before: str, name: str) -> Frames:
    """Leave frames in their HDF5 file."""
    found = hdf5.read_scan(Path(before), name or None)
    if not isinstance(found.data, hdf5.Stack):
        return read(source)
    _check_numbers(source, found.data.dtype)
    told = f"read {size(found.data.shape)} {found.data.dtype} from {found.source}, one by one"
    return _frames(source, found._replace(notes=[told, *found.notes]))


def read_mask(path: str | Path) -> np.ndarray:
    """Read a mask.

    Parameters
    ----------
    path : str or Path
        As for `read`; of a file with frames and a mask, its mask. Truth values in numpy's files are True where
        measured; numbers, and whatever lies in other formats, are 0 where measured and something else where a pixel
        is bad, as in NeXus, CXI, silx, pyFAI and PyNX. A leading ``~`` inverts that: ``~mask.npy``. NaN is bad
        anyway.

    Returns
    -------
    numpy.ndarray, bool, shape (rows, columns) or (frames, rows, columns)
        True where measured.

    Raises
    ------
    ValueError
        As by `read`, or if the mask hides all pixels.
    """
    plain = str(path).removeprefix("~")
    inverted = plain != str(path)
    found, name = _load(plain)
    values = found.data if name or found.mask is None else _settled(plain, found.mask)
    measured = (_measured(values) ^ inverted) & ~np.isnan(values)
    if not measured.any():
        advice = (
            f"write {plain} if it marks the bad ones" if inverted else f"write ~{plain} if it marks the good ones"
        )
        raise Unreadable(f"{path}: expected a mask that leaves pixels, got one that hides all pixels; {advice}")
    return measured


def read_image(path: str | Path) -> np.ndarray:
    """Read a flat, a dark or a support.

    Parameters
    ----------
    path : str or Path
        As for `read`.

    Returns
    -------
    numpy.ndarray, shape (rows, columns) or (frames, rows, columns)
        As the file holds it.

    Raises
    ------
    ValueError
        As by `read`.
    """
    return _load(path)[0].data


def read_numbers(path: str | Path) -> np.ndarray:
    """Read one number for each frame, such as a monitor's.

    Parameters
    ----------
    path : str or Path
        A .npy file of one axis, or text: numbers between spaces, commas or ends of lines, comments behind #.

    Returns
    -------
    numpy.ndarray, float64, shape (frames,)

    Raises
    ------
    ValueError
        In one sentence, if there is no such file, or it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise Unreadable(f"{path}: expected a file of numbers, got none there; check the path")
    with refusing(path, "number"):
        if path.suffix == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            lines = (line.partition("#")[0] for line in path.read_text().splitlines())
            values = np.array([float(word) for line in lines for word in line.replace(",", " ").split()])
    if values.ndim != 1 or not values.size or values.dtype.kind not in "iuf":
        raise Unreadable(
            f"{path}: expected one number for each frame, got {size(values.shape)} {values.dtype}; save one axis of "
            "numbers"
        )
    return values.astype(np.float64)
