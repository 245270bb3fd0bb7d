"""What a solved pattern costs, and how near noisy ones come to what their photons allow, beside others' methods.

    python benchmarks/solutions.py results/benchmarks      (make bench)
    python benchmarks/solutions.py results/benchmarks --quick      that it runs, in tiny sizes

One core, every call as it is made, its checks and starts included; what compiles has compiled before. The plain loop,
and cohere_core where it is installed, get the first crystals of each set. About 10 minutes.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before anything reads it

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from common import COHERE, ITERATIONS, cohere, machine, plain_loop, relative_error, write

from farfield.iterative import Shrinkwrap, reconstruct
from farfield.iterative.recipe import length
from farfield.machine.heap import keep_freed_memory
from farfield.physics import crystals
from farfield.physics.diffraction import measure, photon_noise, to_frame

SEED = 2026
"""Of crystals by which nothing was chosen."""

SOLVED = 1e-3


@dataclass(frozen=True)
class Sizes:
    """How many crystals are reconstructed.

    Attributes
    ----------
    clean : tuple
        Kind, side and number of the crystals without noise.
    noisy : tuple
        The same, with noise.
    photons : tuple of float
    share : int
        What is slow gets one of so many of each set.
    """

    clean: tuple[tuple[str, int, int], ...] = (
        ("dislocated", 32, 200),
        ("dislocated", 64, 60),
        ("strained", 32, 200),
    )
    noisy: tuple[tuple[str, int, int], ...] = (("dislocated", 32, 100), ("dislocated", 64, 30))
    photons: tuple[float, ...] = (1e5, 1e6, 1e7)
    share: int = 4


QUICK = Sizes(
    clean=(("dislocated", 32, 4), ("strained", 16, 2)), noisy=(("dislocated", 16, 2),), photons=(1e4, 1e6), share=2
)


class Made(NamedTuple):
    """Objects of some patterns, (patterns, M, M), and the iterations that all took together."""

    objects: torch.Tensor
    iterations: int


Contenders = dict[str, Callable[[torch.Tensor], Made]]

RECIPES = {
    "raar-tuned": {"recipe": "2*(300*HIO+150*RAAR+50*ER)", "beta": 0.85, "shrinkwrap": Shrinkwrap()},
    "hio-tuned": {"recipe": "2*(450*HIO+50*ER)", "beta": 0.8, "shrinkwrap": Shrinkwrap(sigma_floor=1.0)},
    "PyNX's order": {"recipe": "500*RAAR+300*HIO+200*ER", "beta": 0.9, "shrinkwrap": Shrinkwrap()},
    "a short start": {"recipe": "80*HIO+20*ER", "beta": 0.85, "shrinkwrap": Shrinkwrap(sigma=1.0, period=5)},
}
"""What `reconstruct` is asked for: two baselines of the study, an order of the field, and a tenth of all these."""

COHERES_OWN = "3*(20*ER+180*HIO)+20*ER"

STAGES = {
    2: "100*HIO",
    7: "100*HIO",
    12: "100*HIO",
    18: "150*RAAR",
    23: "50*ER",
    32: "300*HIO",
    43: "150*RAAR",
    48: "50*ER",
}
"""`raar-tuned` in pieces of one σ each, that of its middle update, as cohere_core's shrinks by pieces alone."""


def farfield(patterns: torch.Tensor, **options: object) -> Made:
    """`reconstruct` with these options: with none, its default."""
    found = reconstruct(patterns, dimensions=2, **options)
    return Made(found.objects, int(found.iterations.sum()))


def plain(patterns: torch.Tensor) -> Made:
    """The plain loop, a pattern at a time."""
    objects = np.stack([plain_loop(pattern)[0] for pattern in patterns.numpy()])
    return Made(torch.from_numpy(objects), ITERATIONS * len(patterns))


def coheres(patterns: torch.Tensor, recipe: str, settings: dict) -> Made:
    """cohere_core, a pattern at a time."""
    with tempfile.TemporaryDirectory() as folder:
        run = partial(cohere, recipe=recipe, folder=Path(folder), settings=settings)
        objects = np.stack([run(pattern)[0] for pattern in patterns.numpy()])
    iterations = length(re.sub(r"\.SW\d+", "", recipe))  # of which farfield's recipes know nothing
    return Made(torch.from_numpy(objects).to(torch.complex64), iterations * len(patterns))


def staged(side: int) -> tuple[str, dict]:
    """Write `raar-tuned` for cohere_core, for crystals of this side."""
    recipe = "+".join(f"{piece}.SW{number}" for number, piece in enumerate(STAGES.values()))
    sigmas = [float(Shrinkwrap().width(update, torch.tensor([float(side)]))) for update in STAGES]
    return recipe, {
        **COHERE,
        "shrink_wrap_trigger": [[19, 20]] * len(STAGES),
        "shrink_wrap_threshold": [0.25] * len(STAGES),
        "shrink_wrap_gauss_sigma": sigmas,
        "hio_beta": 0.85,
        "raar_beta": 0.85,
    }


def contenders(side: int, starts: int, recipes: tuple[str, ...]) -> tuple[Contenders, Contenders]:
    """Who reconstructs whole sets of crystals of this side, and who, being slow, a part."""
    ours = {name: partial(farfield, starts=starts, keep="best", **RECIPES[name]) for name in recipes}
    whole: Contenders = {"farfield": farfield, **ours}
    slow: Contenders = {"plain loop": plain}
    if not find_spec("cohere_core"):
        return whole, slow
    theirs = {
        "cohere_core": (COHERES_OWN, COHERE),
        "cohere_core, threshold 0.25": (COHERES_OWN, {**COHERE, "shrink_wrap_threshold": 0.25}),
        "cohere_core, as raar-tuned": staged(side),
    }
    slow |= {name: partial(coheres, recipe=recipe, settings=settings) for name, (recipe, settings) in theirs.items()}
    return whole, slow


def timed(
    whole: Contenders, slow: Contenders, patterns: torch.Tensor, share: int
) -> dict[str, tuple[int, Made, float]]:
    """How many patterns each got, what it made of them, and its seconds."""
    found = {}
    for name, make in {**whole, **slow}.items():
        some = patterns[: len(patterns) // share] if name in slow else patterns
        make(some[:1])  # compiles, loads
        begin = time.perf_counter()
        found[name] = len(some), make(some), time.perf_counter() - begin
    return found


def solutions(sizes: Sizes) -> pd.DataFrame:
    """Iterations and milliseconds for a solved pattern, of one start; the default makes as many as it likes."""
    rows = []
    for kind, side, count in sizes.clean:
        truth = crystals.simulate(count, side, SEED, kind=kind)
        several = contenders(side, 1, tuple(RECIPES))
        for name, (some, made, seconds) in timed(*several, measure(truth), sizes.share).items():
            solved = int((relative_error(truth[:some], made.objects) < SOLVED).sum())
            rows.append(
                {
                    "crystals": f"{kind}, {side} in {2 * side}",
                    "method": name,
                    "patterns": some,
                    "solved": solved / some,
                    "iterations": made.iterations / some,
                    "iterations / solved": made.iterations / solved if solved else np.inf,
                    "ms / solved": 1000 * seconds / solved if solved else np.inf,
                }
            )
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def floors(truth: torch.Tensor, noisy: torch.Tensor) -> Made:
    """What the photons allow: error reduction from the truth in the true support."""
    support = to_frame(truth != 0, *noisy.shape[-2:])
    how = {"start": truth[: len(noisy)], "support": support[: len(noisy)], "fixed": True}
    return farfield(noisy, recipe="300*ER", starts=1, keep="best", **how)


def photons(sizes: Sizes) -> pd.DataFrame:
    """Errors beside what the photons allow, the best of five starts but for the default and for others' programs."""
    rows = []
    for kind, side, count in sizes.noisy:
        truth = crystals.simulate(count, side, SEED, kind=kind)
        for number in sizes.photons:
            noisy = photon_noise(measure(truth), number, seed=3)
            floor = "error reduction from the truth"
            whole, slow = contenders(side, 5, ("raar-tuned", "hio-tuned", "PyNX's order"))
            slow.pop("cohere_core", None)  # whose own threshold solves nothing without noise
            found = timed({floor: partial(floors, truth), **whole}, slow, noisy, sizes.share)
            least = relative_error(truth, found[floor][1].objects)
            for name, (some, made, seconds) in found.items():
                error = relative_error(truth[:some], made.objects)
                rows.append(
                    {
                        "crystals": f"{kind}, {side} in {2 * side}",
                        "photons": f"{number:.0e}",
                        "method": name,
                        "patterns": some,
                        "median error": float(error.quantile(0.5)),
                        "over the floor": float((error / least[:some]).quantile(0.5)),
                        "iterations": made.iterations / some,
                        "s a pattern": seconds / some,
                    }
                )
                print(rows[-1], flush=True)
    return pd.DataFrame(rows)


TABLES = {"solutions": solutions, "photons": photons}


def main() -> None:
    """Measure, print, and write CSV and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", nargs="?", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--only", choices=TABLES)
    asked = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    for name in [asked.only] if asked.only else TABLES:
        begin = time.perf_counter()
        table = TABLES[name](QUICK if asked.quick else Sizes())
        text = write(table, asked.target, f"iterative-{name}", machine(["torch", "scipy", "numpy", "cohere_core"]))
        print(f"{text}\n{time.perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
