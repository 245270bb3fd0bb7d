"""Training on a GPU: samples a second beside a plain loop, alone and several side by side, and the card's peak.

What benchmarks/gpu.py measures under this name. Trainings are processes that stay: each trains when it is told to,
and waits otherwise, so that what compiles does so once.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from common import clock
from torch.utils.flop_counter import FlopCounterMode

from farfield.learning import networks, training
from farfield.physics import crystals
from farfield.physics.diffraction import measure

PAPER = Path(__file__).parents[1] / "config/paper.yaml"

NETWORKS = "unet", "sisprnet"

FOR_EVER = 100_000
"""Epochs of a training that is stopped when it has been measured; its learning rate never falls."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes
    ----------
    samples, image_size : int
        Of the training set.
    batches : tuple of int
        Batch sizes.
    processes : tuple of int
        How many trainings are measured side by side, at the first batch size.
    seconds : float
        For which a rate is measured.
    options : dict, optional
        Of the networks, in place of config/paper.yaml's.
    product : int
        Side of the matrices whose product tells the card's peak.
    """

    samples: int = 1500
    image_size: int = 64
    batches: tuple[int, ...] = (32, 128)
    processes: tuple[int, ...] = (1, 2, 3, 4, 6)
    seconds: float = 2.0
    options: dict[str, dict] | None = None
    product: int = 8192


QUICK = Sizes(
    samples=48,
    image_size=16,
    batches=(16, 32),
    processes=(1, 2),
    seconds=0.1,
    options={"unet": {"width": 8}, "sisprnet": {"hidden": 32, "width": 8}},
    product=128,
)


def settings(batch: int) -> training.Settings:
    """The paper's, in bfloat16, of a training so long that whatever is made ready for it pays."""
    paper = yaml.safe_load(PAPER.read_text())["training"]
    endless = {"epochs": FOR_EVER, "patience": FOR_EVER}
    return training.Settings(**{**paper, **endless, "batch_size": batch, "precision": "bfloat16"})


def options(network: str, sizes: Sizes) -> dict:
    """Of a network: the published widths."""
    return (sizes.options or yaml.safe_load(PAPER.read_text())["network_options"])[network]


class Measured(Exception):
    """A training has been measured, and need not go on."""


class Turns:
    """Called after each epoch of a training: has it measured while it is told to, and waits otherwise.

    After two epochs it prints the seconds that they took, and after each turn the median rate of its epochs. A line
    that comes in is the seconds of the next turn, or 0 for none.
    """

    def __init__(self):
        self.rows: list[dict] = []
        self.end = float("inf")

    def __call__(self, row: dict) -> None:
        """Take an epoch's row of the history."""
        self.rows.append(row)
        if self.end == float("inf"):
            if len(self.rows) == 2:
                self._answer(sum(row["seconds"] for row in self.rows))
        elif time.monotonic() > self.end:
            self._answer(float(np.median([row["samples_per_second"] for row in self.rows])))

    def _answer(self, number: float) -> None:
        print(number, flush=True)
        seconds = float(sys.stdin.readline() or 0)
        if not seconds:
            raise Measured
        self.rows, self.end = [], time.monotonic() + seconds


def worker(device: str, folder: str) -> None:
    """Train what comes in, one after the other: lines of a network, its options and the batch size."""
    torch.set_num_threads(1)
    sets = [torch.from_numpy(np.load(Path(folder) / f"{name}.npy")) for name in ("training", "validation")]
    while line := sys.stdin.readline():
        network, given, batch = json.loads(line)
        with tempfile.TemporaryDirectory() as place, contextlib.suppress(Measured):
            training.fit(
                network, *sets, settings(batch), folder=place, options=given, device=device, on_epoch=Turns()
            )


def tell(process: subprocess.Popen, line: object) -> None:
    """Send a line to a worker."""
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def answer(process: subprocess.Popen) -> float:
    """Wait for a worker's number."""
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("expected a measurement, got a process that failed; see above")
    return float(line)


def side_by_side(
    workers: list[subprocess.Popen], task: list, processes: tuple[int, ...], seconds: float
) -> tuple[float, dict[int, float]]:
    """Seconds until a training runs at its speed, and samples a second of so many together, all of one task."""
    first, *others = workers[: max(processes)]
    tell(first, json.dumps(task))
    ready = answer(first)
    for other in others:  # later, as what the first compiled is on disk then
        tell(other, json.dumps(task))
    for other in others:
        answer(other)
    rates = {}
    for count in processes:
        for process in workers[:count]:
            tell(process, seconds)
        rates[count] = sum(answer(process) for process in workers[:count])
    for process in (first, *others):
        tell(process, 0)
    return ready, rates


def eager(
    network: str, given: dict, objects: torch.Tensor, batch: int, device: torch.device, seconds: float
) -> float:
    """Samples a second of what one writes first: all data on the device, bfloat16, torch's fused Adam, no graph."""
    model = networks.create(network, objects.shape[-1], **given)
    model = model.to(device, memory_format=getattr(model, "memory_format", torch.contiguous_format))
    optimiser = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    inputs = measure(objects.to(device)).sqrt()
    inputs = (inputs - inputs.mean()) / inputs.std()
    labels = torch.stack([objects.real, objects.imag], dim=1).to(device)
    rates, end = [], time.monotonic() + seconds
    while len(rates) < 4 or time.monotonic() < end:
        begin, total = time.perf_counter(), torch.zeros((), device=device)
        for part in torch.randperm(len(inputs), device=device).split(batch):
            with torch.autocast(device.type, torch.bfloat16):
                output = model(inputs[part])
            loss = torch.nn.functional.mse_loss(output.float(), labels[part])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += loss.detach() * len(part)
        float(total)
        rates.append(len(inputs) / (time.perf_counter() - begin))
    return float(np.median(rates[2:]))


def flop_of_a_sample(network: str, given: dict, side: int) -> int:
    """Floating-point operations of a forward and a backward pass: a multiplication and an addition are two."""
    model, count = networks.create(network, side, **given), 2  # a batch, as instance norms want more than a pixel
    with FlopCounterMode(display=False) as counter:
        model(torch.randn(count, 2 * side, 2 * side)).square().mean().backward()
    return counter.get_total_flops() // count


def peak(device: torch.device, side: int) -> float:
    """Floating-point operations a second of a product of random bfloat16 matrices."""
    left, right = torch.randn(2, side, side, device=device).bfloat16()
    clock(device, lambda: left @ right, 3)
    return 2 * side**3 / clock(device, lambda: left @ right, 10)


def trainings(device: torch.device, sizes: Sizes) -> dict[str, pd.DataFrame]:
    """Samples a second: `training.fit` beside a plain loop, and several of it side by side."""
    most, alone, together = peak(device, sizes.product), [], []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        objects = crystals.simulate(sizes.samples, sizes.image_size, 7)
        np.save(Path(folder) / "training.npy", objects.numpy())
        np.save(Path(folder) / "validation.npy", crystals.simulate(32, sizes.image_size, 8).numpy())
        call = [sys.executable, __file__, device.type, folder]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        workers = [stack.enter_context(subprocess.Popen(call, **pipes)) for _ in range(max(sizes.processes))]
        for network in NETWORKS:
            given = options(network, sizes)
            flop = flop_of_a_sample(network, given, sizes.image_size)
            for batch in sizes.batches:
                counts = sizes.processes if batch == sizes.batches[0] else (1,)
                ready, rates = side_by_side(workers, [network, given, batch], counts, sizes.seconds)
                plain = eager(network, given, objects, batch, device, sizes.seconds)
                row = {"network": network, "batch": batch}
                speed = {"plain loop": plain, "farfield": rates[1], "farfield / plain": rates[1] / plain}
                shares = {count: rate * flop / most for count, rate in rates.items()}
                rest = {"GFLOP a sample": flop / 1e9, "share of the peak": shares[1], "seconds of two epochs": ready}
                alone.append({**row, **speed, **rest})
                print(alone[-1], flush=True)
                for count in counts if len(counts) > 1 else ():
                    gain = {"samples/s": rates[count], "over one": rates[count] / rates[1]}
                    together.append({**row, "processes": count, **gain, "share of the peak": shares[count]})
                    print(together[-1], flush=True)
    product = pd.DataFrame([{"side": sizes.product, "TFLOP/s": most / 1e12}])
    tables = {"gpu-training": alone, "gpu-processes": together}
    return {**{name: pd.DataFrame(rows) for name, rows in tables.items()}, "gpu-peak": product}


if __name__ == "__main__":
    worker(*sys.argv[1:])
