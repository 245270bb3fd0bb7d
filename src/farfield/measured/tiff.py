"""TIFF files, and folders of them, one frame a file."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile

from farfield.measured.frames import Found, Unreadable, first_gap, refusing, size, whole_numbers

ENDINGS = (".tif", ".tiff")
_NAME = re.compile(r"(.*?)(\d+)(\D*)")


class _Complaints(logging.Handler):
    """What tifffile only logs: that the pages from here on are lost."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _strictly() -> Iterator[None]:
    logger, complaints = logging.getLogger("tifffile"), _Complaints()
    logger.addHandler(complaints)
    try:
        yield
    finally:
        logger.removeHandler(complaints)
    if complaints.messages:
        raise ValueError(complaints.messages[0])


def _check_pages(path: Path, file: tifffile.TiffFile) -> None:
    series = file.series
    if not series:
        raise Unreadable(f"{path}: expected a TIFF file with pages, got none; copy it again from its source")
    first = series[0]
    other = next((each for each in series if each.shape != first.shape), None)
    if other is not None:
        raise Unreadable(
            f"{path}: expected pages of one shape, got {size(first.shape)} and {size(other.shape)}; save them apart"
        )
    if first.axes.endswith("S") and first.shape[-1] in (3, 4):
        raise Unreadable(
            f"{path}: expected counts, got colours ({size(first.shape)}); save the detector's own numbers"
        )


def _pages(path: Path) -> np.ndarray:
    """Map the pages of a file where they lie in one piece, or read them."""
    with refusing(path, "TIFF"), _strictly(), tifffile.TiffFile(path) as file:
        _check_pages(path, file)
        series = file.series
        if len(series) > 1:  # pages that were written one by one, each with a description of its own
            return whole_numbers(np.concatenate([each.asarray().reshape(-1, *each.shape[-2:]) for each in series]))
        if series[0].dataoffset is not None:
            return tifffile.memmap(path, mode="r")
        return whole_numbers(series[0].asarray())


def read(path: Path, name: None) -> Found:
    """Read a TIFF file, its pages as frames; cohere's ``phasing_data/data.tif`` holds amplitudes, transposed."""
    array, place = _pages(path), path.resolve()
    if place.parent.name == "phasing_data" and place.stem == "data":
        note = "cohere's phasing_data: amplitudes, its axes reversed, as cohere stores them"
        return Found(path.name, array.T, amplitude=True, notes=[note])
    return Found(path.name, array)


def listed(folder: Path) -> list[Path]:
    """Frames of a folder by their number, the last in their names, without a gap."""
    files = [file for file in folder.iterdir() if file.suffix.lower() in ENDINGS and not file.name.startswith(".")]
    if not files:
        raise Unreadable(
            f"{folder}: expected a folder of frames as .tif files, got none; name the file, or the folder"
        )
    return numbered(folder, files)


def numbered(folder: Path, files: list[Path]) -> list[Path]:
    """Bring frames of one scan into the order of the last number in their names, and refuse gaps."""
    parts = {file: _NAME.fullmatch(file.stem) for file in sorted(files)}
    plain = next((file.name for file, match in parts.items() if match is None), None)
    if plain:
        raise Unreadable(f"{folder}: expected frames with a number in their names, got {plain}; move it elsewhere")
    series = sorted({(match[1], match[3]) for match in parts.values()})
    if len(series) > 1:
        got = " and ".join("#".join(names) for names in series[:2])
        raise Unreadable(f"{folder}: expected the frames of one scan, got {got}; move the others elsewhere")
    ordered = sorted(parts, key=lambda file: int(parts[file][2]))
    _check_numbers(folder, [int(parts[file][2]) for file in ordered], ordered)
    return ordered


def _check_numbers(folder: Path, numbers: list[int], files: list[Path]) -> None:
    missing = first_gap(numbers)
    if missing is not None:
        raise Unreadable(
            f"{folder}: expected frames {numbers[0]} to {numbers[-1]}, got none of number {missing}; "
            "add it, or move the frames behind the gap elsewhere"
        )
    for number, following, file in zip(numbers, numbers[1:], files, strict=False):
        if number == following:
            raise Unreadable(f"{folder}: expected one frame of each number, got two of {number}; remove {file.name}")


def same(file: Path, frame: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Refuse a frame that is not like the first of its scan."""
    if frame.shape != first.shape or frame.dtype != first.dtype:
        raise Unreadable(
            f"{file}: expected a frame like the first, {size(first.shape)} {first.dtype}, got {size(frame.shape)} "
            f"{frame.dtype}; move it elsewhere"
        )
    return frame


def read_folder(folder: Path, name: None) -> Found:
    """Read a folder of frames, one a file, in the order of the last number in their names."""
    files = listed(folder)
    first = _pages(files[0])
    if first.ndim != 2:
        raise Unreadable(f"{files[0]}: expected one frame a file, got {size(first.shape)}; name the file itself")
    data = np.empty((len(files), *first.shape), first.dtype)
    for number, file in enumerate(files):
        data[number] = same(file, _pages(file), first)
    return Found(f"{folder.resolve().name}/, {files[0].name} to {files[-1].name}", data)
