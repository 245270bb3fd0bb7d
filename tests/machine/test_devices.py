"""Devices: what is not there is refused or replaced, and jobs side by side take a GPU each."""

import logging
import os
import re
import warnings

import pytest
import torch

from farfield.machine import devices


class Driver:
    """What libcuda.so.1 is of a driver, as far as it is asked."""

    def __init__(self, number):
        self.number = number

    def __call__(self, name):
        assert name == "libcuda.so.1"
        return self

    def cuDriverGetVersion(self, number):
        number._obj.value = self.number


def no_driver(name):
    raise OSError(f"{name}: cannot open shared object file")


@pytest.fixture
def no_gpu(monkeypatch):
    """A machine where torch finds no GPU: of which driver and build, and with which words."""

    def make(driver, torch_version, cuda, answer=""):
        def init():
            raise RuntimeError(answer)

        def is_available():
            warnings.warn(f"CUDA initialization: {answer}", stacklevel=2)  # as torch does, the first time
            return False

        monkeypatch.setattr(devices.ctypes, "CDLL", Driver(driver) if driver else no_driver)
        monkeypatch.setattr(torch, "__version__", torch_version)
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.cuda, "is_available", is_available)
        monkeypatch.setattr(torch.cuda, "init", init)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices.choose_device.cache_clear()
    yield make
    devices.choose_device.cache_clear()


def refused(reason):
    return f"device: {reason}; {'or set' if '; ' in reason else 'set'} device: cuda-if-available or cpu"


TOO_OLD = "The NVIDIA driver on your system is too old (found version 12040). Please update your GPU driver"
WHEELS = "https://download.pytorch.org/whl"


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ((None, "2.13.0", "13.0"), "expected a CUDA GPU, found none (there is no NVIDIA driver)"),
        (
            (12080, "2.13.0+cpu", None),
            "expected a torch for GPUs, as the driver is for CUDA 12.8, got 2.13.0+cpu; "
            f"pip uninstall -y torch && pip install torch --index-url {WHEELS}/cu128",
        ),
        (
            (14020, "2.13.0+cpu", None),
            "expected a torch for GPUs, as the driver is for CUDA 14.2, got 2.13.0+cpu; "
            f"pip uninstall -y torch && pip install torch --index-url {WHEELS}/cu130",
        ),
        (
            (12040, "2.13.0+cu130", "13.0", TOO_OLD),
            "expected a driver for CUDA 13.0, as torch 2.13.0+cu130, got 12.4; update the driver, or "
            f"pip uninstall -y torch && pip install torch --index-url {WHEELS}/cu126",
        ),
        (
            (10020, "2.13.0+cu130", "13.0", TOO_OLD),
            "expected a driver for CUDA 13.0, as torch 2.13.0+cu130, got 10.2; update the driver",
        ),
        (
            (13000, "2.13.0+cu130", "13.0", "Error 802: system not yet initialized\nC++ trace"),
            "expected a CUDA GPU, found none (Error 802: system not yet initialized); "
            "look at nvidia-smi and CUDA_VISIBLE_DEVICES",
        ),
    ],
)
def test_a_missing_gpu_is_refused_or_replaced_and_told_why(no_gpu, caplog, machine, reason):
    no_gpu(*machine)
    for _ in range(2):
        with pytest.raises(ValueError, match=f"^{re.escape(refused(reason))}$"):
            devices.choose_device("cuda")
    with caplog.at_level(logging.INFO):
        assert [devices.choose_device("cuda-if-available").type for _ in range(2)] == ["cpu", "cpu"]
    assert [record.getMessage() for record in caplog.records] == [f"{reason}; computing on the CPU"]
    assert (caplog.records[0].levelno == logging.WARNING) == (machine[0] is not None)


def test_a_gpu_that_a_scheduler_promised_is_missed_loudly(no_gpu, monkeypatch, caplog):
    no_gpu(None, "2.13.0", "13.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with caplog.at_level(logging.WARNING):
        assert devices.choose_device("cuda-if-available").type == "cpu"
    assert "found none (there is no NVIDIA driver); computing on the CPU" in caplog.text


@pytest.fixture
def locks(monkeypatch, tmp_path):
    """A machine of two GPUs, as far as claims go; torch is never asked to compute."""
    devices.choose_device.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices, "_ask", lambda device: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_locks", locks := [])
    yield locks
    devices.choose_device.cache_clear()
    for lock in locks:
        lock.release()


def claim(name):
    """What a process of its own would get."""
    return str(devices.claim_device.__wrapped__(name))


def test_jobs_side_by_side_take_a_gpu_each_and_the_next_waits_for_one(locks, monkeypatch):
    assert [claim("cuda"), claim("cuda-if-available")] == ["cuda:0", "cuda:1"]
    waits = []

    def end_the_first(seconds):
        waits.append(seconds)
        locks[0].release()

    monkeypatch.setattr(devices.time, "sleep", end_the_first)
    assert claim("cuda") == "cuda:0"
    assert len(waits) == 1


def test_one_gpu_or_none_is_not_locked(locks, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert claim("cuda") == "cuda"
    assert claim("cpu") == "cpu"
    assert not locks


def test_a_gpu_that_does_not_answer_is_refused_or_replaced(locks, monkeypatch, caplog):
    def busy(device):
        raise RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable\nFor debugging consider …")

    monkeypatch.setattr(devices, "_ask", busy)
    monkeypatch.setattr(devices.ctypes, "CDLL", Driver(13000))
    reason = (
        "expected cuda:0 to compute, got: CUDA error: CUDA-capable device(s) is/are busy or unavailable; "
        "look at nvidia-smi, name another GPU in CUDA_VISIBLE_DEVICES"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(refused(reason))}$"):
        claim("cuda")
    locks.pop().release()
    with caplog.at_level(logging.WARNING):
        assert claim("cuda-if-available") == "cpu"
    assert f"{reason}; computing on the CPU" in caplog.text


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_that_is_there_answers():
    assert claim("cuda").startswith("cuda")


def test_locks_are_of_the_devices_that_a_job_may_see(locks, monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert claim("cuda") == "cuda:0"
    assert [path.name.rpartition("-")[2] for path in tmp_path.iterdir()] == ["3.lock"]


def test_a_lock_follows_no_link(locks, tmp_path):
    """Another user may lay one in the temporary folder, where the kernel does not prevent it."""
    work = tmp_path / "years of work"
    work.write_text("precious")
    (tmp_path / f"farfield-{os.getuid()}-gpu-0.lock").symlink_to(work)
    with pytest.raises(OSError, match=r"farfield-\d+-gpu-0\.lock"):
        claim("cuda")
    assert work.read_text() == "precious"
