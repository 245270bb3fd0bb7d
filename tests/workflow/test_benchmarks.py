"""The benchmark of GPUs, dry: that all of it runs, in tiny sizes and without a GPU."""

import subprocess
import sys

import pandas as pd
import pytest
import torch
from conftest import ROOT


def gpu(*arguments: str) -> subprocess.CompletedProcess:
    call = [sys.executable, str(ROOT / "benchmarks/gpu.py"), *arguments]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_the_benchmark_of_gpus_runs_dry(tmp_path):
    told = gpu(str(tmp_path), "--device", "cpu", "--quick")
    assert told.returncode == 0, told.stderr[-4000:]
    names = ["iterations", "training", "processes", "peak", "metrics"]
    tables = {name: pd.read_csv(tmp_path / f"gpu-{name}.csv") for name in names}
    for name, table in tables.items():
        assert len((tmp_path / f"gpu-{name}.md").read_text().splitlines()) == 4 + len(table)
        assert (table.select_dtypes("number") > 0).all(axis=None), name
    assert list(tables["iterations"]["cohere_core, CuPy"].fillna("")) == ["needs CUDA", "", ""]
    assert list(tables["training"]["batch"]) == [16, 32] * 2
    alone = tables["training"]["farfield"][tables["training"]["batch"] == 16]
    together = tables["processes"].groupby("network", sort=False)["samples/s"]
    assert list(together.first()) == list(alone)
    assert list(tables["processes"]["processes"]) == [1, 2] * 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_without_a_gpu_it_says_so_in_a_sentence(tmp_path):
    told = gpu(str(tmp_path))
    assert told.returncode == 1
    assert told.stderr.startswith("device: expected a ")
    assert told.stderr.endswith("(here: --device cpu --quick, which is a dry run)\n")
    assert told.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
