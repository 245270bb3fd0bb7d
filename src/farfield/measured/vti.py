"""Volumes for ParaView: VTK's XML ImageData, as its file formats describe it, in blocks of base64."""

import base64
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from farfield.machine import store
from farfield.measured.crystal import Crystal

FIELDS = {"magnitude": "magnitude", "phase": "phase_rad", "displacement": "displacement_nm", "strain": "strain"}
"""Fields of a crystal, and what they are called in the file, with their units."""


def write(path: str | Path, crystal: Crystal) -> None:
    """Write a crystal, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Ends in ``.vti``; one that exists is replaced.
    crystal : Crystal
        Its magnitude, phase, displacement, strain and support become point data, lengths in nm.

    Raises
    ------
    ValueError
        If the path ends otherwise.
    """
    path = Path(path)
    if path.suffix != ".vti":
        raise ValueError(f"{path}: expected a file that ends in .vti; name it so")
    fields = {told: getattr(crystal, name) for name, told in FIELDS.items()}
    text = _document({**fields, "support": crystal.support.astype(np.uint8)}, crystal.origin, crystal.voxel)
    with store.atomic(path) as temporary:
        temporary.write_bytes(text)


def _document(fields: Mapping[str, np.ndarray], origin: tuple[float, float, float], voxel: float) -> bytes:
    """Put the file together: x goes fastest, as it does in arrays (z, y, x)."""
    shape = next(iter(fields.values())).shape
    extent = " ".join(f"0 {side - 1}" for side in shape[::-1])
    start = " ".join(f"{place:.9g}" for place in origin)
    head = (
        '<?xml version="1.0"?>\n'
        '<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt64">\n'
        f'<ImageData WholeExtent="{extent}" Origin="{start}" Spacing="{voxel:.9g} {voxel:.9g} {voxel:.9g}">\n'
        f'<Piece Extent="{extent}">\n<PointData Scalars="{next(iter(fields))}">\n'
    )
    foot = "</PointData>\n<CellData/>\n</Piece>\n</ImageData>\n</VTKFile>\n"
    arrays = (_array(name, values) for name, values in fields.items())
    return head.encode() + b"".join(arrays) + foot.encode()


def _array(name: str, values: np.ndarray) -> bytes:
    """Write one array: the number of its bytes, and these."""
    kind, order = {"f": ("Float32", "<f4"), "u": ("UInt8", "<u1")}[values.dtype.kind]
    raw = np.ascontiguousarray(values, order).tobytes()
    block = base64.b64encode(len(raw).to_bytes(8, "little") + raw)
    return f'<DataArray type="{kind}" Name="{name}" format="binary">\n'.encode() + block + b"\n</DataArray>\n"
