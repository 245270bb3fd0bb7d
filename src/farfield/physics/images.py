"""Photographs of garments as objects: FashionMNIST, flipped and laid anywhere in a dark frame.

The data of Manekar et al., "Deep Learning Initialized Phase Retrieval", sec. 3. The objects are real, so that their
conjugate flip is a turn by 180°. No two of all 70 000 images share a pattern: sets of different images are apart.
"""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8

from farfield.machine.shapes import Objects, check_whole

SETS = {
    "train": "train-images-idx3-ubyte",
    "validation": "train-images-idx3-ubyte",
    "test": "t10k-images-idx3-ubyte",
}
"""The file of each set; validation is the end of the training file."""

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts the files."""

BASE_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
"""Where their authors offer them (github.com/zalandoresearch/fashion-mnist); no https, hence checksums."""

CHECKSUMS = {
    "train-images-idx3-ubyte.gz": "sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "t10k-images-idx3-ubyte.gz": "sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
}

ADVICE = "install Debian's (apt-get install dataset-fashion-mnist), or set images: path to a folder that holds them"

MAGIC = b"\x00\x00\x08\x03"
"""First bytes of an idx file of unsigned bytes in three axes."""

GZIP = b"\x1f\x8b"
"""First bytes of what gzip has packed; its last four are the length of the content."""

HEADER = 16
"""Bytes before the first pixel: the magic number, and three sizes as big-endian integers."""

STREAM = 3
"""Key of the places' random numbers, beside noise's (1) and starts' (2)."""


def _content(path: Path) -> bytes:
    """Read a file, and unpack it if it begins like one of gzip."""
    if not path.is_file():
        raise ValueError(f"expected FashionMNIST's images in {path}, got no such file; {ADVICE}")
    content = path.read_bytes()
    try:
        return gzip.decompress(content) if content.startswith(GZIP) else content
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise ValueError(_damaged(path)) from None


def _shape(header: bytes, length: int, path: Path) -> tuple[int, int, int]:
    """Read a header, and hold the file's length against it."""
    if header[:4] != MAGIC[: len(header)]:
        raise ValueError(
            f"expected an idx file of images (magic number {MAGIC.hex()}), got {header[:4].hex()} in {path}; "
            "give train-images-idx3-ubyte or t10k-images-idx3-ubyte"
        )
    shape = struct.unpack(">3I", header[4:HEADER].ljust(12, b"\0"))
    needed = HEADER + math.prod(shape)
    if length != needed:
        fault = "is truncated" if length < needed else "has trailing bytes"
        raise ValueError(f"expected {needed} bytes of images in {path}, got {length}: it {fault}; copy again")
    return shape


def read_idx(path: str | Path) -> UInt8[np.ndarray, "count rows columns"]:
    """Read images from an idx file, packed by gzip or not.

    Parameters
    ----------
    path : str or Path
        Of unsigned bytes in three axes.

    Returns
    -------
    numpy.ndarray, uint8, shape (count, rows, columns)

    Raises
    ------
    ValueError
        If the file is missing, no idx file of images, or not as long as its own header says.

    References
    ----------
    LeCun et al., "The MNIST database": the format.
    """
    content = _content(Path(path))
    shape = _shape(content[:HEADER], len(content), Path(path))
    return np.frombuffer(content, np.uint8, offset=HEADER).reshape(shape).copy()  # a buffer's own is read-only


class Held(NamedTuple):
    """What a file of images holds: how many, and the larger side of each, in pixels."""

    count: int
    side: int


def check(which: str, path: str | Path | None = None) -> Held:
    """Tell what the file of a set holds by its first and last bytes, without reading what lies between.

    Parameters
    ----------
    which : str
        A key of `SETS`.
    path : str, Path or None
        Where the files lie, see `find`.

    Returns
    -------
    Held

    Raises
    ------
    ValueError
        As `read_idx`, but for what only reading all would tell.
    """
    file = _file(find(path), SETS[which])
    ends = file.read_bytes() if file.stat().st_size < HEADER else _ends(file)
    packed = ends.startswith(GZIP)
    length = int.from_bytes(ends[-4:], "little") if packed else file.stat().st_size
    try:
        with gzip.open(file) if packed else file.open("rb") as content:
            shape = _shape(content.read(HEADER), length, file)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise ValueError(_damaged(file)) from None
    return Held(shape[0], max(shape[1:]))


def _ends(file: Path) -> bytes:
    """Read the first and the last bytes of a file."""
    with file.open("rb") as raw:
        first = raw.read(len(GZIP))
        raw.seek(-4, os.SEEK_END)
        return first + raw.read()


def _damaged(file: Path) -> str:
    return f"expected a whole gzip file, got {file}, which is truncated or damaged; copy it again"


def _file(folder: Path, name: str) -> Path:
    """Path of a file as it lies there, unpacked or packed."""
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def _holds(folder: Path) -> bool:
    return all(_file(folder, name).is_file() for name in SETS.values())


def find(path: str | Path | None = None) -> Path:
    """Find FashionMNIST's images, or fetch them.

    Parameters
    ----------
    path : str, Path or None
        Folder of ``train-images-idx3-ubyte`` and ``t10k-images-idx3-ubyte``, each with or without ``.gz``; no other
        takes its place. None for Debian's, or else, checked, the authors', which are kept in the user's cache.

    Returns
    -------
    Path
        A folder that holds both.

    Raises
    ------
    ValueError
        If the folder does not hold them, or they cannot be fetched.
    """
    if path is None:
        return DEBIAN if _holds(DEBIAN) else _fetch()
    if not _holds(Path(path)):
        names = " and ".join(sorted(set(SETS.values())))
        raise ValueError(f"expected {names} (or .gz) in images: path, got {path} without them; {ADVICE}")
    return Path(path)


def _fetch() -> Path:
    """Fetch what the cache does not hold yet; pooch checks both what comes and what is there."""
    import pooch  # here, as it brings a client for the network, which only this needs

    cache = Path(pooch.os_cache("farfield"))
    for name, checksum in CHECKSUMS.items():
        try:
            pooch.retrieve(BASE_URL + name, checksum, fname=name, path=cache)
        except OSError as error:  # all of requests' are
            raise ValueError(
                f"expected to fetch {BASE_URL}{name} into {cache}, got {type(error).__name__}; {ADVICE}"
            ) from error
        except ValueError:
            raise ValueError(
                f"expected {BASE_URL}{name} with {checksum}, got another content; try again later, or {ADVICE}"
            ) from None
    return cache


def place(images: UInt8[np.ndarray, "count rows columns"], size: int, seed: int, *, natural: bool = False) -> Objects:
    """Lay images into dark frames, each turned by 180° or not and anywhere.

    Parameters
    ----------
    images : numpy.ndarray, uint8, shape (count, rows, columns)
        As of `read_idx`.
    size : int
        Side of the square frame, in pixels.
    seed : int
        Turn and place of image i depend on ``(seed, i)`` alone.
    natural : bool
        Leave all upright and in the middle instead: the biased set of the source, without symmetries to break.

    Returns
    -------
    torch.Tensor, complex64, shape (count, size, size)
        In [0, 1]; the imaginary part is 0.

    Raises
    ------
    ValueError
        If `images` are no bytes, or larger than the frame.

    References
    ----------
    Manekar et al., "Deep Learning Initialized Phase Retrieval", sec. 3.
    """
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(
            f"expected images as uint8 of shape (count, rows, columns), got {images.dtype} of shape {images.shape}; "
            "scale them to 0 to 255"
        )
    if size < max(images.shape[1:]):
        raise ValueError(
            f"expected frames of at least {max(images.shape[1:])} pixels, which the images have, got {size}; "
            "raise image_size"
        )
    objects = np.zeros((len(images), size, size), np.complex64)
    for index, image in enumerate(images):
        room = size - np.array(image.shape)
        turned, (top, left) = (False, room // 2) if natural else _draw(seed, index, room)
        frame = objects[index, top : top + image.shape[0], left : left + image.shape[1]]
        frame[:] = (image[::-1, ::-1] if turned else image) / np.float32(255)
    return torch.from_numpy(objects)


def _draw(seed: int, index: int, room: np.ndarray) -> tuple[bool, np.ndarray]:
    """Whether an image is turned, and its offset, all from 0 to `room` equally likely."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, index], spawn_key=(STREAM,)))
    return bool(rng.integers(2)), rng.integers(room + 1)


def load(
    which: str, count: int, size: int, seed: int, path: str | Path | None = None, *, natural: bool = False
) -> Objects:
    """Load one of the sets as objects.

    Parameters
    ----------
    which : str
        ``"train"``: the first images of the training file; ``"validation"``: its last, the very last first;
        ``"test"``: the first of the test file. A shorter set is a prefix of a longer one.
    count : int
        Number of images. Training and validation are apart while they are no more than the file together.
    size : int
        Side of the square frame, in pixels; at least 28.
    seed : int
        Of turns and places, see `place`; each set needs its own.
    path : str, Path or None
        Where the files lie, see `find`.
    natural : bool
        See `place`.

    Returns
    -------
    torch.Tensor, complex64, shape (count, size, size)
        In [0, 1]; the imaginary part is 0.

    Raises
    ------
    ValueError
        If an argument is out of range, or the files are missing or damaged.
    """
    if which not in SETS:
        raise ValueError(f"expected one of {', '.join(SETS)}, got {which!r}; name one of them")
    check_whole("count", count, 1)
    file = _file(find(path), SETS[which])
    images = read_idx(file)
    if count > len(images):
        raise ValueError(f"expected at most the {len(images)} images of {file}, got {count}; ask for fewer")
    chosen = images[::-1] if which == "validation" else images
    return place(chosen[:count], size, seed, natural=natural)
