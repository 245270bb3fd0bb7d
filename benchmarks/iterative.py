"""Speed and quality of iterative phase retrieval, beside a bound, a plain loop and cohere_core.

    python benchmarks/iterative.py results/benchmarks      (make bench)

Speed: one core, rounds interleaved, so that all see the same machine. Quality: one fresh set of crystals.
About 6 minutes on two cores.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before anything reads it

import numpy as np
import pandas as pd
import torch
from common import SPEED_RECIPE, cohere, machine, plain_loop, relative_error, write

from farfield import iterative
from farfield.iterative.workers import PIXELS_AT_ONCE
from farfield.machine.heap import keep_freed_memory
from farfield.physics import crystals
from farfield.physics.diffraction import measure, photon_noise

SIDES = {64: 64, 128: 16, 256: 4, 512: 1}
"""Pattern sides, and how many patterns farfield reconstructs at a time."""

ROUNDS = 5


def bound(side: int, count: int) -> float:
    """Seconds for the two transforms of an iteration alone, per pattern, in batches as farfield's."""
    batch = torch.randn(min(count, max(1, PIXELS_AT_ONCE // side**2)), side, side, dtype=torch.complex64)
    begin = time.perf_counter()
    for _ in range(20):
        torch.fft.ifft2(torch.fft.fft2(batch), norm="forward")
    return (time.perf_counter() - begin) / 20 / len(batch)


def ours(patterns: torch.Tensor) -> float:
    """Seconds an iteration and pattern of `reconstruct`, all that it does included."""
    begin = time.perf_counter()
    found = iterative.reconstruct(patterns, SPEED_RECIPE, dimensions=2)
    return (time.perf_counter() - begin) / int(found.iterations.sum())


def speed(folder: Path) -> pd.DataFrame:
    """Time every contender at every side on one core, in interleaved rounds."""
    torch.set_num_threads(1)
    rows = []
    for side, count in SIDES.items():
        truth = crystals.simulate(count, side // 2, seed=11)
        patterns = photon_noise(measure(truth), 1e6, seed=1)  # noise, so that no start ends early
        single = patterns[0].numpy()
        contenders: dict[str, Callable[[], float]] = {
            "two transforms alone": lambda side=side, count=count: bound(side, count),
            "farfield": lambda patterns=patterns: ours(patterns),
            "plain scipy.fft loop": lambda single=single: plain_loop(single)[1],
            "cohere_core (numpy)": lambda single=single: cohere(single, SPEED_RECIPE, folder)[1],
        }
        times = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, measure_once in contenders.items():
                times[name].append(1e6 * measure_once())
        for name, values in times.items():
            ratio = np.median(values) / np.median(times["farfield"])
            rows.append([side, name, min(values), np.median(values), ratio])
    return pd.DataFrame(rows, columns=["side", "method", "minimum_us", "median_us", "over_farfield"])


def _quality(
    name: str, set_name: str, starts: int, truth: torch.Tensor, objects: torch.Tensor, iterations: float
) -> list:
    error = relative_error(truth, objects)
    return [set_name, name, starts, iterations, float((error < 1e-3).double().mean()), float(error.median())]


def quality(folder: Path) -> pd.DataFrame:
    """Reconstruct one fresh set by each method, cohere_core with `COHERE`; solved is a relative SA-MSE below 1e-3."""
    torch.set_num_threads(os.cpu_count() or 1)
    classic = iterative.Shrinkwrap(threshold=0.2, sigma_floor=1.5, decay=0.01)
    recipes = {
        "farfield": {},
        "farfield, the best start alone": {"keep": "best"},
        "HIO and ER, tuned": {"recipe": "2*(450*HIO+50*ER)", "beta": 0.8, "keep": "best"},
        "PyNX's order": {"recipe": "500*RAAR+300*HIO+200*ER", "beta": 0.9, "keep": "best"},
        "Marchesini's settings": {"recipe": "980*HIO+20*ER", "beta": 0.9, "shrinkwrap": classic, "keep": "best"},
    }
    rows = []
    for side, counts in ((32, (1, 5)), (64, (1, 3))):
        truth = crystals.simulate(100 if side == 32 else 50, side, seed=2026)
        clean = measure(truth)
        sets = {"noise-free": clean}
        if side == 32:
            sets |= {f"{photons:.0e} photons": photon_noise(clean, photons, seed=3) for photons in (1e7, 1e6, 1e5)}
        for noise, patterns in sets.items():
            for name, options in recipes.items() if side == 32 else [("farfield", {})]:
                for starts in counts if noise == "noise-free" else counts[1:]:
                    found = iterative.reconstruct(patterns, starts=starts, seed=5, **options)
                    made = float(found.iterations.double().mean())
                    rows.append(_quality(name, f"{side} in {2 * side}, {noise}", starts, truth, found.objects, made))
        if side == 32:
            part, recipe = 40, "3*(20*ER+180*HIO)+20*ER"
            objects = np.stack([cohere(pattern.numpy(), recipe, folder)[0] for pattern in clean[:part]])
            found = torch.from_numpy(objects).to(torch.complex64)
            rows.append(_quality("cohere_core, these settings", "32 in 64, noise-free", 1, truth[:part], found, 620))
    return pd.DataFrame(rows, columns=["set", "method", "starts", "iterations", "solved", "median"])


def main(target: Path) -> None:
    """Measure, print, and write CSV and Markdown."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        for name, make in {"iterative-speed": speed, "iterative-quality": quality}.items():
            begin = time.perf_counter()
            table = make(Path(folder))
            text = write(table, target, name, machine(["torch", "scipy", "numpy", "cohere_core"]))
            print(f"{text}\n{time.perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/benchmarks"))
