"""Where a job computes: what the config asks for, held against what the machine gives."""

import logging
import os
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)

_locks: list[FileLock] = []
"""Of the GPU that is ours; the system opens them when the process ends, however it ends."""


def choose_device(name: str) -> torch.device:
    """Turn the config's ``device`` into a kind of torch device.

    Parameters
    ----------
    name : str
        ``cpu``, ``cuda`` or ``cuda-if-available``.

    Raises
    ------
    ValueError
        If CUDA is asked for and there is none.
    """
    if name == "cpu" or torch.cuda.is_available():
        return torch.device("cpu" if name == "cpu" else "cuda")
    if name == "cuda":
        raise ValueError("device: expected a CUDA GPU, found none; set device: cuda-if-available or cpu")
    if promised := os.environ.get("CUDA_VISIBLE_DEVICES"):
        logger.warning("CUDA_VISIBLE_DEVICES is %s, but torch finds no GPU; computing on the CPU", promised)
    return torch.device("cpu")


def _lock_a_gpu(names: list[str]) -> int:
    """Wait for a GPU that no other process of this user holds, and hold it."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    while True:
        for index, name in enumerate(names):
            # filelock follows no link that another user may have laid there.
            lock = FileLock(Path(tempfile.gettempdir()) / f"farfield-{user}-gpu-{name.replace('/', '-')}.lock")
            with suppress(Timeout):
                lock.acquire(blocking=False)
                _locks.append(lock)
                return index
        logger.info("every GPU is taken by another job; waiting")
        time.sleep(10)


@cache
def claim_device(name: str) -> torch.device:
    """Turn the config's ``device`` into a device of this process's own, as long as it lives.

    A scheduler shows a job its own GPU. Where a job sees several, as on a workstation, jobs side by side take one
    each. It takes and raises what `choose_device` does.
    """
    device = choose_device(name)
    if device.type == "cpu" or torch.cuda.device_count() == 1:
        return device
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(torch.cuda.device_count())))
    return torch.device("cuda", _lock_a_gpu(visible.split(",")))


@cache
def compiles(kind: str) -> bool:
    """Tell whether torch can compile for this kind of device: it needs a C compiler, and Triton for a GPU."""
    try:
        torch.compile(lambda x: 2 * x + 1)(torch.ones(2, device=kind))
    except Exception as error:  # whatever is missing, or does not fit: torch has no one error for it
        logger.warning("torch compiles nothing here, and runs operation by operation: %s", str(error).split("\n")[0])
        return False
    return True


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Tell whether a training of this precision computes in bfloat16 on this device."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Emulated bfloat16 is slower than float32, so only a processor that multiplies in it counts.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
