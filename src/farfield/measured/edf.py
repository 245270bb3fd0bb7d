"""The ESRF data format: blocks of an ASCII header in braces and raw numbers, one a frame."""

import gzip
import re
from math import prod
from pathlib import Path

import numpy as np

from farfield.measured.frames import Found, Unreadable, refusing, size

_HEADER = re.compile(rb"[\s\0]*\{(.*?)\}\r?\n", re.DOTALL)
_TYPES = {
    "signedbyte": "i1",
    "unsignedbyte": "u1",
    "signedshort": "i2",
    "unsignedshort": "u2",
    "signedinteger": "i4",
    "unsignedinteger": "u4",
    "signedlong": "i4",  # of the machines of its time
    "unsignedlong": "u4",
    "signed64": "i8",
    "unsigned64": "u8",
    "float": "f4",
    "floatvalue": "f4",
    "real": "f4",
    "double": "f8",
    "doublevalue": "f8",
}


def _fields(text: bytes) -> dict[str, str]:
    pairs = (item.split("=", 1) for item in text.decode("latin-1").split(";") if "=" in item)
    return {key.strip().lower(): value.strip() for key, value in pairs}


def _type(path: Path, fields: dict[str, str]) -> np.dtype:
    kind = fields.get("datatype", "none")
    if kind.lower() not in _TYPES:
        raise Unreadable(f"{path}: expected integers or floats by its DataType, got {kind}; convert it to TIFF")
    packing = fields.get("compression", "none")
    if packing.lower() not in ("none", "nospecificvalue"):
        raise Unreadable(f"{path}: expected numbers as they are, got Compression = {packing}; unpack it, or gzip it")
    order = ">" if fields.get("byteorder", "").lower() == "highbytefirst" else "<"
    return np.dtype(order + _TYPES[kind.lower()])


def _shape(path: Path, fields: dict[str, str]) -> tuple[int, ...]:
    lengths = [fields[key] for key in ("dim_3", "dim_2", "dim_1") if key in fields]
    if len(lengths) < 2 or not all(length.isdecimal() for length in lengths):
        raise Unreadable(f"{path}: expected whole Dim_2 × Dim_1 in its header, got {size(lengths)}; name an image")
    return tuple(map(int, lengths))


def _block(path: Path, buffer: np.ndarray, start: int) -> tuple[np.ndarray, int] | None:
    """Find the frame whose header begins here, and where its numbers end."""
    header = _HEADER.match(buffer, start)
    if header is None:
        return None
    fields = _fields(header[1])
    dtype, shape = _type(path, fields), _shape(path, fields)
    needed, first = dtype.itemsize * prod(shape), header.end()
    if first + needed > len(buffer):
        raise Unreadable(
            f"{path}: expected {needed} bytes of numbers behind a header, got {len(buffer) - first}; "
            "it is cut short: copy it again from its source"
        )
    length = fields.get("size", "")
    last = first + max(needed, int(length) if length.isdecimal() else 0)
    return buffer[first : first + needed].view(dtype).reshape(shape), last


def _bytes(path: Path) -> np.ndarray:
    if path.suffix.lower() != ".gz":
        return np.memmap(path, np.uint8, "r")
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8)


def _blocks(path: Path, buffer: np.ndarray) -> list[np.ndarray]:
    frames, start = [], 0
    while start < len(buffer) and (found := _block(path, buffer, start)):
        frame, start = found
        frames.append(frame)
    return frames


def read(path: Path, name: None) -> Found:
    """Read an .edf file, gzipped or not; one frame that is not packed is mapped."""
    with refusing(path, "EDF"):
        frames = _blocks(path, _bytes(path))
    if not frames:
        raise Unreadable(f"{path}: expected a header in braces, got none; name an EDF file, or copy it again")
    if len(frames) == 1:
        return Found(path.name, frames[0])
    for number, frame in enumerate(frames):
        if frame.shape != frames[0].shape:
            raise Unreadable(
                f"{path}: expected frames of one shape, {size(frames[0].shape)}, got {size(frame.shape)} in frame "
                f"{number}; save them apart"
            )
    return Found(path.name, np.stack(frames))
