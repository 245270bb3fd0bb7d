"""Batches of a training set: from memory where it fits, else streamed from its store, in the same order.

An epoch goes through groups of blocks. Blocks are what a store reads at once; which of them make a group is drawn
anew for every epoch, and so is the order of samples within a group. A set in memory is gone through in the very same
order, so where it lies changes no loss.
"""

import hashlib
import logging
import math
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr

from farfield.learning import exposure
from farfield.learning.optics import Optics
from farfield.learning.versions import vary
from farfield.machine.shapes import Intensity

logger = logging.getLogger(__name__)

BLOCK = 64
"""Samples read at once: a store's chunk."""

GROUP = 2**22
"""Pixels of the objects that are shuffled together, 4096 samples of 32²; what is streamed holds so many at a time."""

TURNS = 2**40
"""Added to an epoch's seed for the versions of its samples, so that these do not follow from their order."""

LEAST_DEVIATION = 1e-6
"""Deviation of an input under which it counts as constant."""

Source = torch.Tensor | np.ndarray | xr.DataArray
"""Objects (samples, N, N) in memory, or the lazy array of an open store."""


class _Scratch:
    """Objects as bare numbers in a file of the temporary folder; it has no name, and ends with its process."""

    def __init__(self, objects: Source):
        self.shape = tuple(objects.shape)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as this)
        weakref.finalize(self, self._file.close)
        for block in _blocks(objects):
            block.to(torch.complex64).numpy().tofile(self._file)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, samples: slice) -> torch.Tensor:
        begin, end, _ = samples.indices(len(self))
        pixels = self.shape[1] * self.shape[2]
        self._file.seek(begin * pixels * np.complex64().nbytes)
        numbers = np.fromfile(self._file, np.complex64, (end - begin) * pixels)
        return torch.from_numpy(numbers.reshape(-1, *self.shape[1:]))


class Survey(NamedTuple):
    """What one pass over a set tells.

    Attributes
    ----------
    digest : str
        Of every number in it.
    mean, deviation : torch.Tensor, float32, shape (M, M)
        Of the compressed patterns; infinite where they never vary, so that such an input enters as zero.
    energy : float
        Mean square of the objects' real and imaginary parts: the mean squared error of predicting zero.
    exposure : dict
        Of the patterns as they are: see `exposure.describe`.
    """

    digest: str
    mean: torch.Tensor
    deviation: torch.Tensor
    energy: float
    exposure: dict[str, Any]

    def spread(self) -> torch.Tensor:
        """Deviation (M, M) of the compressed patterns, zero where they never vary."""
        return torch.where(self.deviation.isinf(), 0, self.deviation)

    def of_all_pixels(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation over every pixel of every pattern, as scalars."""
        squares = self.spread().square() + self.mean.square()
        return self.mean.mean(), (squares.mean() - self.mean.mean().square()).sqrt()


def read_samples(objects: Source | _Scratch, begin: int = 0, end: int | None = None) -> torch.Tensor:
    """Read some samples into memory."""
    part = objects[begin:end]
    read = part.cpu() if isinstance(part, torch.Tensor) else torch.from_numpy(np.asarray(part))
    return read.to(torch.complex64) if read.is_complex() else read


def first(dataset: xr.Dataset, samples: int) -> xr.Dataset:
    """Choose the first samples of a set, without reading them; refuse a set that holds fewer."""
    if dataset.sizes["sample"] < samples:
        raise ValueError(
            f"expected a set of at least {samples} samples, got {dataset.sizes['sample']}; "
            "raise crystals: training and make it again"
        )
    return dataset.isel(sample=slice(samples))


def _blocks(objects: Source) -> Iterator[torch.Tensor]:
    for begin in range(0, len(objects), BLOCK):
        yield read_samples(objects, begin, begin + BLOCK)


def _check_objects(objects: Source, name: str) -> None:
    if not isinstance(objects, Source):
        raise ValueError(
            f"expected {name} as a torch.Tensor, a numpy.ndarray or a store's array, got {type(objects).__name__}; "
            "convert them with numpy.asarray"
        )
    is_tensor = isinstance(objects, torch.Tensor)
    if not (objects.is_complex() if is_tensor else np.issubdtype(objects.dtype, np.complexfloating)):
        raise ValueError(f"expected complex {name}, got {objects.dtype}; convert them to complex64")
    if objects.ndim != 3 or objects.shape[1] != objects.shape[2] or not len(objects):
        raise ValueError(f"expected {name} of shape (samples, N, N), got {tuple(objects.shape)}; make the set again")


def survey(objects: Source, name: str, optics: Optics, compress: Callable[[Intensity], Intensity]) -> Survey:
    """Go through a set once, block by block: refuse what is not finite, and learn what its patterns are like.

    Parameters
    ----------
    objects : torch.Tensor, numpy.ndarray or xarray.DataArray, complex, shape (samples, N, N)
    name : str
        What to call it in an error.
    optics : FarField or Holograms
    compress : callable
        Of intensities.

    Returns
    -------
    Survey

    Raises
    ------
    ValueError
        If these are no complex arrays, a number is not finite, or the shape is another.
    """
    _check_objects(objects, name)
    digest = hashlib.sha256(str(tuple(objects.shape)).encode())
    total = squares = energy = bright = torch.zeros((), dtype=torch.float64)
    brightness: list[torch.Tensor] = []
    for index, block in enumerate(_blocks(objects)):
        if not bool(torch.isfinite(block.sum())):
            begin = index * BLOCK
            raise ValueError(
                f"expected finite {name}, got NaN or infinity in samples {begin} to {begin + len(block) - 1}; "
                "make the set again"
            )
        digest.update(block.contiguous().numpy().tobytes())
        intensity = optics.measure(block)
        bright = bright + intensity.sum(0, dtype=torch.float64)
        brightness.append(intensity.sum((-2, -1), dtype=torch.float64))
        inputs = compress(intensity).double()
        total, squares = total + inputs.sum(0), squares + inputs.square().sum(0)
        energy = energy + torch.view_as_real(block).square().sum(dtype=torch.float64)
    mean = total / len(objects)
    deviation = (squares / len(objects) - mean.square()).clamp_min(0).sqrt()
    deviation[deviation < LEAST_DEVIATION] = torch.inf
    parts = 2 * math.prod(objects.shape)
    least, most = map(float, torch.cat(brightness).aminmax())
    found = exposure.describe(bright / len(objects), least, most)
    return Survey(digest.hexdigest()[:16], mean.float(), deviation.float(), float(energy) / parts, found)


def shuffled_groups(count: int, side: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Indices of all samples in a random order, in groups of whole blocks.

    Parameters
    ----------
    count : int
        Samples in the set.
    side : int
        Side N of its objects, in pixels.
    generator : torch.Generator

    Yields
    ------
    torch.Tensor, int64
        Of `GROUP` pixels at most, but of a block at least.
    """
    blocks = torch.randperm(-(-count // BLOCK), generator=generator)
    for some in blocks.split(max(1, GROUP // side**2 // BLOCK)):
        samples = (some[:, None] * BLOCK + torch.arange(BLOCK)).flatten()
        samples = samples[samples < count]
        yield samples[torch.randperm(len(samples), generator=generator)]


MOUNTS = Path("/proc/self/mounts")
"""What Linux says of its file systems."""


def _is_memory(folder: Path, mounts: Path = MOUNTS) -> bool:
    """Tell whether a folder's file system lies in memory; not known where nothing lists them."""
    lines = mounts.read_text().splitlines() if mounts.exists() else []
    kinds = {Path(point): kind for _, point, kind, *_ in map(str.split, lines)}
    above = [point for point in kinds if folder.resolve().is_relative_to(point)]
    return bool(above) and kinds[max(above, key=lambda point: len(point.parts))] in ("tmpfs", "ramfs")


def bring_near(objects: Source) -> Source | _Scratch:
    """Copy a store's objects to the temporary folder, which on a cluster's node is its own disk.

    What is streamed is read in every epoch, and a shared file system may be slow, or busy.

    Parameters
    ----------
    objects : torch.Tensor, numpy.ndarray or xarray.DataArray, complex, shape (samples, N, N)

    Returns
    -------
    torch.Tensor, numpy.ndarray, xarray.DataArray or a reader of the copy, shape (samples, N, N)
        The copy, to be sliced like the others and gone with this process; `objects` themselves where they are in
        memory, and where the temporary folder is, or has no room to spare.
    """
    if not isinstance(objects, xr.DataArray):
        return objects
    folder, size = Path(tempfile.gettempdir()), objects.size * np.complex64().nbytes
    try:
        if not _is_memory(folder) and shutil.disk_usage(folder).free > 2 * size:
            return _Scratch(objects)
    except OSError as error:  # jobs beside this one, or a quota, may leave less room than there seemed to be
        logger.warning("%s: %s", folder, error)
    logger.info("streaming from the store: %s has no room on a disk for %.1f GiB", folder, size / 2**30)
    return objects


def _joined(parts: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    return parts[0] if len(parts) == 1 else tuple(map(torch.cat, zip(*parts, strict=True)))


class Batches:
    """A training set as a network sees it, pair by pair.

    Parameters
    ----------
    objects : torch.Tensor, numpy.ndarray or xarray.DataArray, complex, shape (samples, N, N)
        In memory, or a store's array, which is read whole if it fits, and else, by `bring_near`, group by group.
    optics : FarField or Holograms
        How patterns are made of them.
    scale : callable
        From intensities to inputs.
    device : torch.device
        Where batches are wanted.
    dtype : torch.dtype
        Of the inputs.
    memory : float
        Most GiB that the set may take; a larger one is streamed.
    versions : int
        Turned and mirrored ones in which each sample comes, one in each epoch: see `versions.VERSIONS`.
    """

    def __init__(
        self,
        objects: Source,
        optics: Optics,
        scale: Callable[[Intensity], Intensity],
        *,
        device: torch.device,
        dtype: torch.dtype,
        memory: float,
        versions: int = 1,
    ):
        self.objects, self.optics, self.scale = objects, optics, scale
        self.device, self.dtype, self.versions = device, dtype, versions
        size = objects.shape[-1]
        self.bytes = len(objects) * (8 * size**2 + dtype.itemsize * optics.side(size) ** 2)
        everything = range(0, len(objects), BLOCK)
        fits = self.bytes <= memory * 2**30
        self.resident = self._load(everything) if fits else None
        if not fits:
            self.objects = bring_near(objects)

    def __len__(self) -> int:
        return len(self.objects)

    def _load(self, begins: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs (samples, M, M) and targets (samples, 2, N, N) of the blocks that begin there."""
        count, side = sum(min(BLOCK, len(self) - begin) for begin in begins), self.objects.shape[-1]
        inputs = torch.empty(count, *2 * [self.optics.side(side)], dtype=self.dtype, device=self.device)
        targets = torch.empty(count, 2, side, side, device=self.device)
        for begin, part, objects in zip(begins, inputs.split(BLOCK), targets.split(BLOCK), strict=True):
            there = read_samples(self.objects, begin, begin + BLOCK).to(self.device)
            part.copy_(self.scale(self.optics.measure(there)))
            torch.stack([there.real, there.imag], dim=1, out=objects)
        return inputs, targets

    def epoch(self, batch_size: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Every pair once, in an order that depends on the seed alone.

        Parameters
        ----------
        batch_size : int
        seed : int

        Yields
        ------
        tuple of torch.Tensor
            Inputs (batch, M, M) and targets (batch, 2, N, N); only the last may be smaller than the others.
        """
        turns = torch.Generator().manual_seed(seed + TURNS)
        for inputs, targets in self._ordered(batch_size, seed):
            yield vary(inputs, targets, self.versions, turns) if self.versions > 1 else (inputs, targets)

    def _ordered(self, batch_size: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        rest: list[tuple[torch.Tensor, torch.Tensor]] = []  # what groups have left for a batch
        for samples in shuffled_groups(len(self), self.objects.shape[-1], torch.Generator().manual_seed(seed)):
            inputs = targets = None  # lets go of the last group before the next is read
            if self.resident:
                inputs, targets, order = *self.resident, samples
            else:
                begins, where = (samples - samples % BLOCK).unique(return_inverse=True)
                inputs, targets = self._load(begins.tolist())
                order = where * BLOCK + samples % BLOCK
            lacking = min(batch_size - sum(len(part) for part, _ in rest), len(order))
            for batch in order.to(self.device).tensor_split(tuple(range(lacking, len(order), batch_size))):
                rest.append((inputs[batch], targets[batch]))
                if sum(len(part) for part, _ in rest) == batch_size:
                    yield _joined(rest)
                    rest = []
        if rest:
            yield _joined(rest)
