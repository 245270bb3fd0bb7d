"""Batches side by side, on as many cores as torch may use."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import torch

from farfield.machine.heap import keep_freed_memory

PIXELS_AT_ONCE = 2**16
"""Of a batch on a CPU: its arrays stay in a core's cache, and larger batches are slower."""

PIXELS_ON_GPU = 2**24

PIXELS_LOOKED_AT = 2**18
"""Of a batch on a CPU that is looked at once, by many short operations: each should take longer than to begin it."""

ALONE, TOGETHER, EACH, HELD = 110, 170, 60, 60
"""Bytes a voxel, as measured at 128³: at the peak of a start; of starts together, and for each of them; of a volume
that waits."""

STORED = 9
"""Bytes a voxel of an object that is kept, with its support."""

SWITCH_INTERVAL = 5e-5
"""Seconds until a thread that computes hands the interpreter to one that waits; Python's own are 5e-3."""


def split(items: torch.Tensor, frame: int, threads: int, pixels: int = PIXELS_AT_ONCE) -> tuple[torch.Tensor, ...]:
    """Cut items, of so many pixels each, into batches as large as caches like and as many as there are threads."""
    size = max(1, (pixels if threads else PIXELS_ON_GPU) // frame)
    parts = max(-(-len(items) // size), min(threads, len(items)), 1)
    return items.tensor_split(parts)


@contextmanager
def workers(device: torch.device) -> Iterator[tuple[Callable, int]]:
    """Give a map over batches, by threads of which each computes alone, and how many there are; none on a GPU."""
    keep_freed_memory()
    threads = torch.get_num_threads() if device.type == "cpu" else 0
    if threads < 2:
        yield map, threads
        return
    torch.set_num_threads(1)
    # What comes back from a compiled loop waits for the interpreter, up to this long: 5 ms are ten iterations.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool.map, threads
    finally:
        torch.set_num_threads(threads)
        sys.setswitchinterval(interval)


def check_memory(
    count: int, frame: torch.Size, starts: int, kept: int, device: torch.device, every: bool = False
) -> None:
    """Refuse volumes that memory does not hold, before hours are spent on them.

    Parameters
    ----------
    count : int
        Volumes.
    frame : torch.Size
    starts : int
        Of each that are made at once.
    kept : int
        Starts of each that go on together; 1 if none do.
    device : torch.device
    every : bool
        Whether the objects of all starts are kept to the end.

    Raises
    ------
    ValueError
        If more is needed than is free.
    """
    threads = max(1, torch.get_num_threads()) if device.type == "cpu" else 1

    def needed(starts: int, kept: int) -> float:
        together = (TOGETHER + EACH * kept) * min(threads, count) if kept > 1 else 0
        stored = STORED * (count * starts - 1) if every else 0
        voxel = max(ALONE * min(threads, count * starts), together) + HELD * (count - 1) + stored
        return voxel * frame.numel() / 2**30

    need, free = needed(starts, kept), free_memory(device) / 2**30
    if need > free:
        sides = " × ".join(map(str, frame))
        advice = f"bin by 2, which takes {need / 8:.2g} GiB, or crop"
        if count > 1:
            advice += ", or give fewer at a time"
        if max(starts, kept) > 1:
            advice += f", or make one start (starts=1), which takes {needed(1, 1):.2g} GiB"
        raise ValueError(
            f"expected {need:.3g} GiB of free memory for {count} of {sides} voxels, got {free:.3g} GiB; {advice}"
        )


def free_memory(device: torch.device) -> int:
    """Bytes that may still be taken."""
    if device.type != "cuda":
        return psutil.virtual_memory().available
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept


@contextmanager
def enough_memory() -> Iterator[None]:
    """Say what helps where a GPU's memory does not suffice."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise ValueError(
            "expected the GPU's memory to hold the patterns and what is made of them, got none left; reconstruct "
            "fewer patterns at a time, end what else uses the GPU, or compute on the CPU"
        ) from None


def look_at(stacks: Sequence[torch.Tensor], look: Callable) -> torch.Tensor:
    """Tell something of each pattern of stacks, (batch, …), the first of frames: what `look` finds of batches."""
    with workers(stacks[0].device) as (go, threads):
        if stacks[0].numel() <= PIXELS_LOOKED_AT:  # done before a thread has begun
            return look(*stacks)
        frame = stacks[0].shape[1:].numel()  # all are cut at the same patterns
        batches = (split(stack, frame, threads, PIXELS_LOOKED_AT) for stack in stacks)
        return torch.cat([*go(look, *batches)])
