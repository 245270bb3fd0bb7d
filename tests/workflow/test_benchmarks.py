"""The benchmarks in tiny sizes, and without a GPU: that all of each runs."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT


def benchmark(name: str, *arguments: str) -> subprocess.CompletedProcess:
    call = [sys.executable, str(ROOT / f"benchmarks/{name}.py"), *arguments]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_the_benchmark_of_gpus_runs_dry(tmp_path):
    told = benchmark("gpu", str(tmp_path), "--device", "cpu", "--quick")
    assert told.returncode == 0, told.stderr[-4000:]
    names = ["iterations", "training", "processes", "peak", "metrics"]
    tables = {name: pd.read_csv(tmp_path / f"gpu-{name}.csv") for name in names}
    for name, table in tables.items():
        assert len((tmp_path / f"gpu-{name}.md").read_text().splitlines()) == 4 + len(table)
        ours = table.filter(regex="^(?!cohere_core)")  # which is compared at some sides alone, where it is installed
        assert (ours.select_dtypes("number") > 0).all(axis=None), name
    assert list(tables["iterations"]["cohere_core, CuPy"].fillna("")) == ["needs CUDA", "", ""]
    assert list(tables["training"]["batch"]) == [16, 32] * 2
    alone = tables["training"]["farfield"][tables["training"]["batch"] == 16]
    together = tables["processes"].groupby("network", sort=False)["samples/s"]
    assert list(together.first()) == list(alone)
    assert list(tables["processes"]["processes"]) == [1, 2] * 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_without_a_gpu_it_says_so_in_a_sentence(tmp_path):
    told = benchmark("gpu", str(tmp_path))
    assert told.returncode == 1
    assert told.stderr.startswith("device: expected a ")
    assert told.stderr.endswith("(here: --device cpu --quick, which is a dry run)\n")
    assert told.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


OURS = ["farfield", "raar-tuned", "hio-tuned", "PyNX's order"]
COHERES = ["cohere_core, threshold 0.25", "cohere_core, as raar-tuned"] if find_spec("cohere_core") else []


def test_the_benchmark_of_solutions_runs_in_tiny_sizes(tmp_path):
    told = benchmark("solutions", str(tmp_path), "--quick")
    assert told.returncode == 0, told.stderr[-4000:]
    solutions, photons = (pd.read_csv(tmp_path / f"iterative-{name}.csv") for name in ("solutions", "photons"))
    methods = [*OURS, "a short start", "plain loop", *(["cohere_core"] if COHERES else []), *COHERES]
    assert list(solutions.method) == methods * 2
    assert set(solutions.crystals) == {"dislocated, 32 in 64", "strained, 16 in 32"}
    solved = solutions[solutions.solved > 0]
    # What `common.cohere` gives is the object, and not its complex conjugate, which would not be solved.
    assert {*OURS, "plain loop", *COHERES[1:]} <= set(solved.method)
    assert np.allclose(solved["iterations / solved"], solved.iterations / solved.solved, rtol=1e-3)
    assert np.isinf(solutions["ms / solved"][solutions.solved == 0]).all()
    assert list(photons.method) == ["error reduction from the truth", *OURS, "plain loop", *COHERES] * 2
    floor = photons[photons.method == "error reduction from the truth"]
    assert (floor["over the floor"] == 1).all()
    assert (np.diff(floor["median error"]) < 0).all()  # more photons
    assert (photons["over the floor"] > 0.5).all()
    assert (photons["s a pattern"] > 0).all()


def test_the_benchmark_of_volumes_runs_in_tiny_sizes(tmp_path):
    told = benchmark("volumes", str(tmp_path), "--quick", "--measured", str(tmp_path / "absent.tif"))
    assert told.returncode == 0, told.stderr[-4000:]
    assert f"no measured volume: {tmp_path / 'absent.tif'} is not there" in told.stdout
    speed, starts = (pd.read_csv(tmp_path / f"volumes-{name}.csv") for name in ("speed", "starts"))
    coheres = [f"cohere_core ({name})" for name in ("torch", "numpy")] if COHERES else []
    assert list(speed.method) == ["two transforms alone", "farfield", *coheres] * 2
    assert (speed["minimum (ms)"] <= speed["median (ms)"]).all()
    loops = speed[speed.method != "two transforms alone"]
    assert (loops.residual < 0.2).all()  # random numbers in a box of half of each axis leave 0.84 and 0.92
    assert loops.support.between(1, 40**3 / 2).all()
    assert list(starts.volume) == ["simulated, 32³", "simulated, 40³"]
    assert (starts.iterations == 30).all()
