"""Where a job computes: what the config asks for, held against what the machine gives."""

import ctypes
import logging
import os
import tempfile
import time
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)

_locks: list[FileLock] = []
"""Of the GPU that is ours; the system opens them when the process ends, however it ends."""

WHEELS = "https://download.pytorch.org/whl/"
BUILDS = {(11, 0): "cu118", (12, 0): "cu126", (12, 8): "cu128", (13, 0): "cu130"}
"""Builds of torch that are to be had there, by the oldest driver that runs each, in versions of CUDA."""


def driver_cuda() -> tuple[int, int] | None:
    """Newest version of CUDA that this machine's NVIDIA driver runs; None without a driver."""
    number = ctypes.c_int()
    try:
        ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(number))
    except OSError:
        return None
    return (number.value // 1000, number.value % 1000 // 10) if number.value else None


def _why_no_gpu() -> str:
    """Say in which way torch finds no GPU, and what would help."""
    driver = driver_cuda()
    if driver is None:
        return "expected a CUDA GPU, found none (there is no NVIDIA driver)"
    known = ".".join(map(str, driver))
    fitting = [build for oldest, build in BUILDS.items() if oldest <= driver]
    repairs = [f"pip uninstall -y torch && pip install torch --index-url {WHEELS}{build}" for build in fitting[-1:]]
    if torch.version.cuda is None:
        repair = (repairs or ["update the driver first"])[0]
        return f"expected a torch for GPUs, as the driver is for CUDA {known}, got {torch.__version__}; {repair}"
    try:
        torch.cuda.init()  # is_available only warns, and once in a process's life; this tells why
        answer = "torch.cuda.is_available() is false"
    except (RuntimeError, AssertionError) as error:
        answer = str(error).partition("\n")[0]
    if "too old" in answer:
        repair = ", or ".join(["update the driver", *repairs])
        return f"expected a driver for CUDA {torch.version.cuda}, as torch {torch.__version__}, got {known}; {repair}"
    return f"expected a CUDA GPU, found none ({answer}); look at nvidia-smi and CUDA_VISIBLE_DEVICES"


def _do_without(name: str, reason: str) -> torch.device:
    """Refuse, or, where a GPU is only wished for, compute on the CPU and say why: loudly if there should be one."""
    if name == "cuda":
        other = "or set" if "; " in reason else "set"
        raise ValueError(f"device: {reason}; {other} device: cuda-if-available or cpu")
    expected = os.environ.get("CUDA_VISIBLE_DEVICES") or driver_cuda()
    logger.log(logging.WARNING if expected else logging.INFO, "%s; computing on the CPU", reason)
    return torch.device("cpu")


@cache
def choose_device(name: str) -> torch.device:
    """Turn the config's ``device`` into a kind of torch device.

    Parameters
    ----------
    name : str
        ``cpu``, ``cuda`` or ``cuda-if-available``.

    Raises
    ------
    ValueError
        If CUDA is asked for and there is none: why, and what helps.
    """
    if name == "cpu":
        return torch.device("cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if torch.cuda.is_available():
            return torch.device("cuda")
    return _do_without(name, _why_no_gpu())


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
    if device.type == "cpu":
        return device
    if torch.cuda.device_count() > 1:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(torch.cuda.device_count())))
        device = torch.device("cuda", _lock_a_gpu(visible.split(",")))
    try:
        _ask(device)
    except RuntimeError as error:  # of CUDA: busy, out of memory, broken, or of a kind that torch was not built for
        answer = str(error).partition("\n")[0]
        repair = "look at nvidia-smi, name another GPU in CUDA_VISIBLE_DEVICES"
        return _do_without(name, f"expected {device} to compute, got: {answer}; {repair}")
    return device


def _ask(device: torch.device) -> None:
    """Let a GPU compute something."""
    torch.ones(1, device=device).add_(1).item()


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
