"""Speed of training beside a plain float32 loop, and its cost and memory against the size of the set.

    python benchmarks/training.py results/benchmarks      (make bench)

Each measurement is a process of its own. A round is the plain loop, with all cores, and then as many trainings as
there are cores side by side, with one core each; rounds are interleaved. About 8 minutes on two cores.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
import torch
import xarray as xr
from torch.utils.data import DataLoader, TensorDataset

from farfield.learning import batches, networks, training
from farfield.machine import store
from farfield.physics import crystals
from farfield.physics.diffraction import measure
from farfield.study import datasets, figures
from farfield.symmetry import actions, metrics

matplotlib.use("agg")
CORES = len(os.sched_getaffinity(0))
ROUNDS = 3
SAMPLES, EPOCHS, BATCH, RATE = 1000, 5, 32, 2e-3
NETWORKS = {
    "unet": {"width": 16},
    "sisprnet": {"hidden": 512, "width": 16},
    "unet, published width": {"width": 32},
    "sisprnet, published width": {"hidden": 1024, "width": 32},
}
SIZES = (2048, 4096, 8192, 16384)
SETTINGS = training.Settings(
    epochs=EPOCHS,
    updates=0,
    batch_size=BATCH,
    learning_rate=RATE,
    learning_rate_floor=1e-9,
    factor=0.5,
    patience=EPOCHS,
)


def sets(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Crystals with broken symmetries to train on, and others to validate on."""
    return actions.break_symmetries(crystals.simulate(count, 32, 7)), crystals.simulate(100, 32, 8)


def plain(case: str, seed: int) -> dict[str, float]:
    """What one writes first: patterns made once, a DataLoader, torch's Adam, float32, every core."""
    training_set, validation = sets(SAMPLES)
    torch.manual_seed(seed)
    model = networks.create(case.split(",")[0], 32, **NETWORKS[case])
    inputs = torch.log1p(measure(training_set).sqrt())
    mean, deviation = inputs.mean(0), inputs.std(0) + 1e-6
    pairs = TensorDataset((inputs - mean) / deviation, torch.stack([training_set.real, training_set.imag], dim=1))
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    seconds = []
    for _ in range(EPOCHS):
        begin = time.perf_counter()
        for patterns, objects in DataLoader(pairs, batch_size=BATCH, shuffle=True):
            loss = torch.nn.functional.mse_loss(model(patterns), objects)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        seconds.append(time.perf_counter() - begin)
    model.eval()
    with torch.no_grad():
        parts = model((torch.log1p(measure(validation).sqrt()) - mean) / deviation)
    error = metrics.symmetry_adjusted_mse(validation, torch.complex(parts[:, 0], parts[:, 1]))
    return {"samples_per_second": SAMPLES / np.median(seconds[1:]), "validation": float(error.mean())}


def ours(case: str, seed: int) -> dict[str, float]:
    """`training.fit` with one core, as a job of the workflow."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        name = case.split(",")[0]
        training.fit(name, *sets(SAMPLES), SETTINGS, folder=folder, seed=seed, options=NETWORKS[case])
        history = pd.read_csv(Path(folder) / "history.csv")
    return {
        "samples_per_second": history.samples_per_second[1:].median(),
        "validation": history.validation_sa_mse.iloc[-1],
    }


def cost(path: str, count: int, memory: float) -> dict[str, float]:
    """Seconds of an epoch on the first samples of a store, the faster of two after the first, and peak memory."""
    torch.set_num_threads(1)
    objects = batches.first(store.open_dataset(path), count)
    settings = training.Settings(**{**vars(SETTINGS), "epochs": 3})
    with tempfile.TemporaryDirectory() as folder:
        validation = crystals.simulate(16, 32, 8)
        training.fit("unet", objects, validation, settings, folder=folder, options={"width": 8}, memory=memory)
        history = pd.read_csv(Path(folder) / "history.csv")
    # Not getrusage's, which a process takes over from the one that started it.
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]
    return {"seconds": history.seconds[1:].min(), "gib": int(peak) / 2**20}


def start(*call: object) -> subprocess.Popen:
    """Begin a measurement in a process of its own."""
    return subprocess.Popen([sys.executable, __file__, "worker", json.dumps(call)], stdout=subprocess.PIPE, text=True)


def result(process: subprocess.Popen) -> dict[str, float]:
    """Wait for a measurement."""
    answer, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("expected a measurement, got a process that failed; see above")
    return json.loads(answer.splitlines()[-1])


def speed() -> pd.DataFrame:
    """One line for each network: samples a second of this machine, and the validation SA-MSE reached."""
    rows = []
    for case in NETWORKS:
        theirs, mine, rates = [], [], []
        for turn in range(ROUNDS):
            theirs.append(result(start("plain", case, turn)))
            side_by_side = [start("ours", case, turn * CORES + core) for core in range(CORES)]
            mine += (found := [result(process) for process in side_by_side])
            rates.append(sum(one["samples_per_second"] for one in found))
        plain_rate, rate = np.median([one["samples_per_second"] for one in theirs]), np.median(rates)
        errors = {"plain": [one["validation"] for one in theirs], "ours": [one["validation"] for one in mine]}
        rows.append(
            {
                "network": case,
                "plain loop, all cores (samples/s)": plain_rate,
                "ours, a training a core (samples/s)": rate,
                "ours / plain": rate / plain_rate,
                **{f"validation SA-MSE, {name}": np.mean(found) for name, found in errors.items()},
                **{f"its deviation over seeds, {name}": np.std(found, ddof=1) for name, found in errors.items()},
            }
        )
        print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def costs(folder: Path) -> pd.DataFrame:
    """One line for each size, with the set in memory and streamed: seconds an epoch, peak GiB of the process."""
    some = datasets.from_objects(crystals.simulate(1024, 32, 7), 2)
    repeated = xr.concat([some] * (max(SIZES) // 1024), "sample")  # only its size matters here
    store.write_dataset(repeated, folder / "train.zarr")
    rows = []
    for count in SIZES:
        for how, memory in (("in memory", 64.0), ("streamed", 1e-9)):
            found = result(start("cost", str(folder / "train.zarr"), count, memory))
            rows.append({"samples": count, "set": how, **found})
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


@figures.theme()
def draw(table: pd.DataFrame, path: Path) -> None:
    """Cost and memory against the size of the set, side by side."""
    figure = matplotlib.figure.Figure(figsize=(figures.TEXT_WIDTH, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, column, label in (
        (left, "seconds", "seconds an epoch"),
        (right, "gib", "peak memory (GiB)"),
    ):
        sns.lineplot(
            table, x="samples", y=column, hue="set", style="set", markers=True, ax=axes, legend=axes is right
        )
        axes.set(xlabel="training samples", ylabel=label, ylim=(0, None), xlim=(0, None), xticks=SIZES)
    right.get_legend().set_title(None)
    figures.save(figure, path)


def main(target: Path) -> None:
    """Measure, print, and write CSV and a figure."""
    target.mkdir(parents=True, exist_ok=True)
    speed().to_csv(target / "training-speed.csv", index=False, float_format="%.4g")
    with tempfile.TemporaryDirectory() as folder:
        table = costs(Path(folder))
    table.to_csv(target / "training-cost.csv", index=False, float_format="%.4g")
    draw(table, target / "training-cost.png")


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        name, *arguments = json.loads(sys.argv[2])
        print(json.dumps({"plain": plain, "ours": ours, "cost": cost}[name](*arguments)))
    else:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/benchmarks"))
