"""Devices: what is not there is refused or replaced, and jobs side by side take a GPU each."""

import logging
import os

import pytest
import torch

from farfield.machine import devices


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_a_missing_gpu_is_refused_or_replaced(monkeypatch, caplog):
    with pytest.raises(ValueError, match="expected a CUDA GPU, found none; set device: cuda-if-available or cpu"):
        devices.choose_device("cuda")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with caplog.at_level(logging.WARNING):
        assert devices.choose_device("cuda-if-available").type == "cpu"
    assert not caplog.text
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with caplog.at_level(logging.WARNING):
        assert devices.choose_device("cuda-if-available").type == "cpu"
    assert "CUDA_VISIBLE_DEVICES is 0, but torch finds no GPU; computing on the CPU" in caplog.text


@pytest.fixture
def locks(monkeypatch, tmp_path):
    """A machine of two GPUs, as far as claims go; torch is never asked to compute."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_locks", locks := [])
    yield locks
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
