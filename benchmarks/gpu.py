"""Speed on a GPU of iterations, training and SA-MSE, beside bounds, plain loops on the same card, and cohere_core.

    python benchmarks/gpu.py results/benchmarks            (make bench-gpu)
    python benchmarks/gpu.py results/benchmarks --device cpu --quick      a dry run, in tiny sizes

Contenders take turns, and the first turn of each, in which things compile, is not counted. Of one card; the sizes are
meant for four minutes of an H100. cohere_core and CuPy are compared with where they are installed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import gpu_training
import numpy as np
import pandas as pd
import torch
from common import ABSENT, SPEED_RECIPE, clock, cohere, finish, in_turns, machine, write

from farfield import iterative
from farfield.machine import passes
from farfield.machine.devices import choose_device, driver_cuda
from farfield.machine.heap import keep_freed_memory
from farfield.physics import crystals
from farfield.physics.diffraction import measure, photon_noise
from farfield.symmetry import actions, metrics

RATIOS = "over the transforms", "plain / farfield"
COMPILED = "farfield, compiled"
COHERES = "cohere_core, CuPy", "cohere_core, torch"


@dataclass(frozen=True)
class Sizes:
    """How much is measured of iterations and of SA-MSE.

    Attributes
    ----------
    patterns : dict
        Numbers of patterns reconstructed at a time, by their side.
    compared : tuple of int
        Sides at which one pattern is given to cohere_core too.
    distinct : int
        Most crystals simulated for a batch; more patterns are others of their photons.
    recipe : str
    plain_iterations, rounds : int
    pairs : int
        Of objects of 64² whose SA-MSE is measured.
    """

    patterns: dict[int, tuple[int, ...]]
    compared: tuple[int, ...] = (128, 256)
    distinct: int = 32
    recipe: str = SPEED_RECIPE
    plain_iterations: int = 200
    rounds: int = 3
    pairs: int = 4096


FULL = Sizes({64: (1, 256, 4096), 128: (1, 1024), 256: (1, 256), 512: (1, 64)})
QUICK = Sizes(
    patterns={32: (1, 4), 64: (1,)},
    compared=(32,),
    distinct=4,
    recipe="20*HIO+20*ER",
    plain_iterations=20,
    rounds=1,
    pairs=8,
)


def transforms(device: torch.device, side: int, count: int) -> float:
    """Seconds a pattern of the two transforms of an iteration alone, in one batch."""
    batch = torch.randn(count, side, side, dtype=torch.complex64, device=device)
    return clock(device, lambda: torch.fft.ifft2(torch.fft.fft2(batch), norm="forward"), 20) / count


def ours(patterns: torch.Tensor, recipe: str) -> float:
    """Seconds an iteration and pattern of `reconstruct`, all that it does included."""
    finish(patterns.device)
    begin = time.perf_counter()
    found = iterative.reconstruct(patterns, recipe, keep="best", dimensions=2)
    finish(patterns.device)
    return (time.perf_counter() - begin) / int(found.iterations.sum())


def ours_compiled(patterns: torch.Tensor, recipe: str) -> float:
    """The same as in a job so large that compiling pays; not in the dry run, which has no time for it."""
    usual, passes.PAYS = passes.PAYS, 0 if patterns.is_cuda else passes.PAYS
    try:
        return ours(patterns, recipe)
    finally:
        passes.PAYS = usual


def plain_loop(patterns: torch.Tensor, iterations: int) -> float:
    """Seconds an iteration and pattern of what one writes first: HIO, ER and shrinkwrap in torch, all at once."""
    amplitude = torch.fft.ifftshift(patterns.sqrt(), dim=(-2, -1)).float()
    iterate = torch.fft.ifft2(amplitude * torch.exp(2j * torch.pi * torch.rand_like(amplitude)))
    correlation = torch.fft.ifft2(amplitude.square()).abs()
    support, sigma = correlation > 0.04 * correlation.amax((-2, -1), keepdim=True), 3.0
    frequency = torch.fft.fftfreq(amplitude.shape[-1], device=amplitude.device)
    squared = frequency[:, None].square() + frequency[: amplitude.shape[-1] // 2 + 1].square()
    finish(patterns.device)
    begin = time.perf_counter()
    for iteration in range(iterations):
        field = torch.fft.fft2(iterate)
        projected = torch.fft.ifft2(field * (amplitude / field.abs().clamp_min(1e-15)))
        if iteration % 500 < 450:
            iterate = torch.where(support, projected, iterate - 0.8 * projected)
        else:
            iterate = projected * support
        if iteration % 20 == 19:
            low_pass = torch.exp(-2 * (torch.pi * sigma) ** 2 * squared)
            blurred = torch.fft.irfft2(torch.fft.rfft2(projected.abs()) * low_pass)
            support = blurred > 0.25 * blurred.amax((-2, -1), keepdim=True)
            sigma = max(0.95 * sigma, 1.0)
    finish(patterns.device)
    return (time.perf_counter() - begin) / iterations / len(patterns)


def noisy_patterns(side: int, count: int, sizes: Sizes) -> torch.Tensor:
    """Patterns with noise, so that no start ends early."""
    some = measure(crystals.simulate(min(count, sizes.distinct), side // 2, seed=11))
    return photon_noise(some.repeat(-(-count // len(some)), 1, 1)[:count], 1e6, seed=1)


def rivals(device: torch.device, pattern: np.ndarray, recipe: str, folder: Path) -> dict[str, Callable | str]:
    """cohere_core on CuPy and on torch, each to be measured, or the word for why it cannot be."""
    found: dict[str, Callable | str] = {}
    for label, package, module in zip(COHERES, ("cp", "torch"), ("cupy", "torch"), strict=True):
        if package == "cp" and device.type == "cpu":
            found[label] = "needs CUDA"
        elif not (find_spec("cohere_core") and find_spec(module)):
            found[label] = ABSENT
        else:
            gpu = -1 if device.type == "cpu" else 0
            run = partial(cohere, pattern, recipe, folder, package, gpu, partial(finish, device))
            found[label] = lambda run=run: run()[1]
    return found


def iterations(device: torch.device, sizes: Sizes) -> dict[str, pd.DataFrame]:
    """Microseconds an iteration and pattern, a line for each side and number of patterns at a time."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for side, counts in sizes.patterns.items():
            every = noisy_patterns(side, max(counts), sizes)
            for count in counts:
                patterns = every[:count].to(device)
                contenders = {
                    "two transforms alone": partial(transforms, device, side, count),
                    "farfield": partial(ours, patterns, sizes.recipe),
                    COMPILED: partial(ours_compiled, patterns, sizes.recipe),
                    "plain loop": partial(plain_loop, patterns, sizes.plain_iterations),
                }
                words = dict.fromkeys(COHERES, "")
                if count == 1 and side in sizes.compared:
                    words = rivals(device, every[0].numpy(), sizes.recipe, Path(folder))
                contenders |= {name: run for name, run in words.items() if callable(run)}
                found = {name: 1e6 * seconds for name, seconds in in_turns(contenders, sizes.rounds).items()}
                best = min(found["farfield"], found[COMPILED])
                over = best / found["two transforms alone"], found["plain loop"] / best
                ratios = dict(zip(RATIOS, over, strict=True))
                rows.append({"side": side, "patterns": count, **words, **found, **ratios})
                print(rows[-1], flush=True)
    columns = ["side", "patterns", "two transforms alone", "farfield", COMPILED, "plain loop", *RATIOS, *COHERES]
    return {"gpu-iterations": pd.DataFrame(rows)[columns]}


def sa_mse(device: torch.device, sizes: Sizes) -> dict[str, pd.DataFrame]:
    """Microseconds a pair of the symmetry-adjusted MSE at 64²."""
    some = crystals.simulate(min(sizes.pairs, sizes.distinct), 64, seed=5).to(device)
    truth = some.repeat(sizes.pairs // len(some), 1, 1)
    generator = torch.Generator(device).manual_seed(0)
    noise = torch.randn(truth.shape, dtype=truth.dtype, device=device, generator=generator)
    copy = actions.rotate_phase(actions.conjugate_flip(truth), 1.0)
    estimates = {
        "a copy, flipped and turned": copy,
        "a copy with noise": copy + 0.1 * noise,
        "another crystal": truth.roll(1, 0),
        "pure noise": noise,
    }

    def seconds(estimate: torch.Tensor) -> float:
        return clock(device, lambda: metrics.symmetry_adjusted_mse(truth, estimate)) / len(truth)

    found = in_turns({name: partial(seconds, estimate) for name, estimate in estimates.items()}, sizes.rounds)
    return {"gpu-metrics": pd.DataFrame([{"estimate": name, "us a pair": 1e6 * x} for name, x in found.items()])}


PARTS = {
    "iterations": (iterations, FULL, QUICK),
    "training": (gpu_training.trainings, gpu_training.Sizes(), gpu_training.QUICK),
    "metrics": (sa_mse, FULL, QUICK),
}


def header(device: torch.device) -> str:
    """Name the card, its driver, the processor and the packages."""
    cupy = packages_distributions().get("cupy", ["cupy"])[0]
    rest = machine(["torch", "triton", "numpy", "cohere_core", cupy])
    if device.type == "cpu":
        return f"No GPU, a dry run; {rest}"
    driver = "of unknown version"
    if shutil.which("nvidia-smi"):
        ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    cuda = ".".join(map(str, driver_cuda()))
    return f"{torch.cuda.get_device_name(device)}, driver {driver} (CUDA {cuda}); {rest}"


def main() -> None:
    """Measure, print, and write CSV and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", nargs="?", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round")
    parser.add_argument("--only", choices=PARTS)
    asked = parser.parse_args()
    if asked.device == "cuda":  # of several cards the first, in the workers too
        os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0]
    try:
        device = choose_device(asked.device)
    except ValueError as error:
        sys.exit(f"{error} (here: --device cpu --quick, which is a dry run)")
    keep_freed_memory()
    named = header(device)
    for part in [asked.only] if asked.only else PARTS:
        begin, (measured, full, quick) = time.perf_counter(), PARTS[part]
        for name, table in measured(device, quick if asked.quick else full).items():
            print(write(table, asked.target, name, named))
        print(f"{part}: {time.perf_counter() - begin:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
