"""Speed of volumes on one core, beside a bound and cohere_core.

    python benchmarks/volumes.py results/benchmarks      (make bench)
    python benchmarks/volumes.py results/benchmarks --quick      that it runs, in tiny sizes

Loops of iterations, each on the same volume by the same recipe and shrinkwrap, in interleaved rounds; then whole
starts, of a measured volume too, if its file is there (--measured). About 6 minutes.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before anything reads it

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
import torch
from common import COHERE, cohere, machine, write

from farfield.iterative import Shrinkwrap, asking, reconstruct, starts
from farfield.iterative.recipe import length
from farfield.machine.heap import keep_freed_memory
from farfield.physics import polyhedra
from farfield.physics.diffraction import measure, photon_noise, to_frame

DATA = Path(os.environ.get("FARFIELD_DATA", Path(__file__).parents[2] / "shared/data"))

START = "200*HIO+100*RAAR+30*ER+120*HIO+100*RAAR+50*ER"
"""A whole start, as it is usual for measured volumes."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes
    ----------
    sides : tuple of int
        Of the volumes.
    recipe : str
        Of the loops that are compared.
    rounds : int
    start : str
        Recipe of a whole start.
    """

    sides: tuple[int, ...] = (64, 128)
    recipe: str = "90*HIO+10*ER"
    rounds: int = 5
    start: str = START


QUICK = Sizes(sides=(32, 40), recipe="20*HIO+10*ER", rounds=2, start="20*HIO+10*ER")

SAME = Shrinkwrap(
    threshold=COHERE["shrink_wrap_threshold"],
    sigma=1e-3,  # so that it is at its last from the first on, in frames of any size
    sigma_floor=COHERE["shrink_wrap_gauss_sigma"],
)
"""cohere_core's, for loops that are compared."""

Loop = Callable[[], tuple[torch.Tensor | None, float]]
"""Makes an object in the pattern's frame, if any, in so many seconds an iteration."""


def volume(side: int) -> torch.Tensor:
    """Counts of a simulated crystal, with noise, so that no start ends early."""
    return photon_noise(measure(polyhedra.simulate(1, side // 2, seed=11), 2, 3), 1e7, seed=1, dimensions=3)[0]


def bound(side: int) -> tuple[None, float]:
    """The two transforms of an iteration alone."""
    field = torch.randn(side, side, side, dtype=torch.complex64)
    begin = time.perf_counter()
    for _ in range(20):
        torch.fft.ifftn(torch.fft.fftn(field), norm="forward")
    return None, (time.perf_counter() - begin) / 20


def ours(counts: torch.Tensor, recipe: str) -> tuple[torch.Tensor, float]:
    """farfield's loop, from cohere_core's first support, updates of it included, as cohere_core's is timed."""
    box = to_frame(torch.ones([side // 2 for side in counts.shape], dtype=torch.bool), *counts.shape)
    how = {"support": box, "shrinkwrap": SAME, "beta": COHERE["hio_beta"]}
    patterns, options, _ = asking.read_asked(counts, recipe, dimensions=3, **how)
    run = starts.begin(patterns, options, torch.zeros(1, dtype=torch.int64))
    begin = time.perf_counter()
    for _ in run.iterate_all():
        pass
    seconds = time.perf_counter() - begin
    return torch.fft.fftshift(run.objects[0]), seconds / length(recipe)


def theirs(counts: np.ndarray, recipe: str, package: str, folder: Path) -> tuple[torch.Tensor, float]:
    """cohere_core's loop."""
    found, seconds = cohere(counts, recipe, folder, package)
    return torch.as_tensor(found).to(torch.complex64), seconds


def outcome(found: torch.Tensor, counts: torch.Tensor) -> dict[str, str | int]:
    """That a loop did its work: ‖√I - s |F|‖ / ‖√I‖ of its object on the best scale, and voxels of the support."""
    field, amplitude = torch.fft.fftn(torch.fft.ifftshift(found)).abs(), torch.fft.ifftshift(counts.sqrt())
    left = field * ((field * amplitude).sum() / field.square().sum()) - amplitude
    return {"residual": f"{float(left.norm() / amplitude.norm()):.3f}", "support": int((found != 0).sum())}


def contenders(counts: torch.Tensor, recipe: str, folder: Path) -> Iterator[tuple[str, Loop]]:
    """Who is timed on a volume."""
    yield "two transforms alone", partial(bound, len(counts))
    yield "farfield", partial(ours, counts, recipe)
    if find_spec("cohere_core"):
        for package, name in (("torch", "torch"), ("np", "numpy")):
            yield f"cohere_core ({name})", partial(theirs, counts.numpy(), recipe, package, folder)


def speed(sizes: Sizes, _: Path) -> pd.DataFrame:
    """Milliseconds an iteration; the first round, in which things compile, is not counted."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for side in sizes.sides:
            counts = volume(side)
            loops = dict(contenders(counts, sizes.recipe, Path(folder)))
            rounds = [{name: loop() for name, loop in loops.items()} for _ in range(sizes.rounds + 1)]
            times = {name: [1000 * one[name][1] for one in rounds[1:]] for name in loops}
            least = {name: min(values) for name, values in times.items()}
            for name, values in times.items():
                found = rounds[-1][name][0]
                row = {"volume": f"{side}³", "method": name, "minimum (ms)": least[name]}
                row |= {"median (ms)": float(np.median(values)), "over farfield": least[name] / least["farfield"]}
                rows.append(row | {"residual": "", "support": ""} | ({} if found is None else outcome(found, counts)))
                print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def whole(sizes: Sizes, measured: Path) -> pd.DataFrame:
    """Seconds of `reconstruct` with one start, all that it does included: the least of three."""
    volumes = {f"simulated, {side}³": volume(side) for side in sizes.sides}
    if measured.is_file():
        counts = torch.from_numpy(tifffile.imread(measured).astype(np.float32))
        volumes[f"{measured.parent.name}, {' × '.join(map(str, counts.shape))}"] = counts
    else:
        print(f"no measured volume: {measured} is not there", flush=True)
    rows = []
    for name, counts in volumes.items():
        seconds = []
        for _ in range(3):
            begin = time.perf_counter()
            found = reconstruct(counts, sizes.start, dimensions=3)
            seconds.append(time.perf_counter() - begin)
        rows.append({"volume": name, "iterations": int(found.iterations), "s a start": min(seconds)})
        rows[-1] |= {"residual": f"{float(found.residual):.3f}", "support": int(found.support.sum())}
        print(rows[-1], flush=True)
    return pd.DataFrame(rows)


TABLES = {"speed": speed, "starts": whole}


def main() -> None:
    """Measure, print, and write CSV and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", nargs="?", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--only", choices=TABLES)
    parser.add_argument("--measured", type=Path, default=DATA / "3d-cdi-nn/ft_crop_64.tif", help="a TIFF of counts")
    asked = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    for name in [asked.only] if asked.only else TABLES:
        begin = time.perf_counter()
        table = TABLES[name](QUICK if asked.quick else Sizes(), asked.measured)
        text = write(table, asked.target, f"volumes-{name}", machine(["torch", "scipy", "numpy", "cohere_core"]))
        print(f"{text}\n{time.perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
