"""What jobs ask a scheduler for: megabytes and minutes, from a study's config.

The rates were measured (docs/cluster.md), on one core of an AMD EPYC, and on an NVIDIA H100 by each of six or eight
jobs that shared it. Whole jobs that were not timed there count as on a core, factors as they are there; what is
assumed says so. Margins are wide: what a job does not use costs nothing but its place in the queue.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from farfield.iterative.recipe import parse
from farfield.study.fields import unseen
from farfield.study.sections import objective, source

MARGIN = 3
"""Times what was measured."""

START = 5
"""Minutes that a job may take to begin, and that SLURM may be early with its warning."""

BASE, CUDA = 1500, 3000
"""Megabytes of Python and torch (600 measured), and of CUDA's libraries (assumed)."""

TRAINED, TRAINED_ON_GPU = 5e5, 9e6
"""Object pixels a second that a training of the published widths takes: a core; the slowest of 16 on a shared GPU."""

COSTLY = {"hybrid": 4}
"""Times as long as `TRAINED` says that a training takes: at width 24, 1.3e5 pixels a second (an Intel Xeon)."""

JACOBIAN = 2.5
"""Times as long as without a penalty on the Jacobian."""

APPLIED = 7e5
"""Object pixels a second through a trained network, its scores included."""

SIMULATED = 1e6
"""Object pixels a second."""

LEARNED, LEARNED_ON_GPU = 7e9, 1.4e11
"""Multiplications and additions a second in the training of a perceptron: a core; a GPU (assumed)."""

CONVOLVED, CONVOLVED_ON_GPU = 6e10, 1e12
"""Multiplications and additions a second of a denoiser: a core (an Intel Xeon); a GPU (assumed)."""

RETRIED = 1.5
"""Denoisings of an iteration of prDeep, as some steps are too long, and what else it takes (assumed)."""

ITERATED, ITERATED_ON_GPU = 1.4e8, 1.5e9
"""Pattern pixels a second that an iteration of a solver takes: a core; the slowest of six sets on a shared GPU."""

FRAME, VOLUME = 1024, 128
"""Pixels a side that a measured frame, or a rocking scan, is taken for whose crop is not told."""

HELD = 1500
"""Numbers of four bytes that are held for a pixel of a measured frame (at 512², of 10 starts or 30, 1400)."""

HELD_OF_VOLUME, TOGETHER = 180, 16000
"""Numbers of four bytes for a voxel of a rocking scan, and iterations that its best starts cost once more, brought
together (128³, 3 starts: 1400 MB beside what reading it takes, and 180 of 230 s; 64³, 5 starts: 37 of 47 s)."""

HEAVY = {"ALM": 100, "AD": 4}
"""Iterations of other solvers, on a core, that one of these costs, wherever it runs."""


class Need(NamedTuple):
    """What Snakemake calls these resources."""

    mem_mb: int
    runtime: int  # minutes


def _need(objects: int, patterns: int, seconds: float, config: Mapping[str, Any], gpu: bool) -> Need:
    """For so many complex objects and real patterns, of four bytes a number, and so many seconds."""
    numbers = (2 * objects + config["oversampling"] ** 2 * patterns) * config["image_size"] ** 2
    megabytes = BASE + CUDA * gpu + MARGIN * 4 * numbers / 2**20
    return Need(math.ceil(megabytes), START + math.ceil(MARGIN * seconds / 60))


def _tested(config: Mapping[str, Any]) -> int:
    others = sum(config[name.removeprefix("unseen-")]["test"] for name in unseen(config))
    return config[source(config)]["test"] + others + config["noise"]["patterns"]


def whole_set(config: Mapping[str, Any], wildcards: Any, gpu: bool) -> Need:
    """For a job that simulates, breaks, checks or scores a set, the largest if the job names none.

    Parameters
    ----------
    config : mapping
        Complete.
    wildcards : object
        Of the job.
    gpu : bool
        Whether it runs on one.
    """
    sizes = {"train": "training", "train-natural": "training", "validation": "validation", "test": "test"}
    named = getattr(wildcards, "set", None)
    if named in unseen(config):
        samples = config[named.removeprefix("unseen-")]["test"]
    else:
        samples = max(config[source(config)][size] for name, size in sizes.items() if named in (None, name))
    return _need(samples, samples, samples * config["image_size"] ** 2 / SIMULATED, config, gpu=False)


def training(config: Mapping[str, Any], wildcards: Any, gpu: bool) -> Need:
    """For a training to its last epoch; one that is cut off goes on from its checkpoint. As `whole_set`."""
    samples, settings, pixels = int(wildcards.samples), config["training"], config["image_size"] ** 2
    updates = math.ceil(samples / settings["batch_size"])
    epochs = max(settings["epochs"], math.ceil(settings["updates"] / updates))
    per_pixel = 8 + 2 * config["oversampling"] ** 2  # bytes of `batches.Batches`, in bfloat16
    resident = min(samples, int(config["memory"] * 2**30 / pixels / per_pixel))
    wanted = objective(config, getattr(wildcards, "symmetry", "after"))
    work = COSTLY.get(getattr(wildcards, "network", ""), 1) * (JACOBIAN if wanted.jacobian else 1)
    seconds = work * samples * epochs * pixels / (TRAINED_ON_GPU if gpu else TRAINED)
    held = resident + config[source(config)]["validation"]
    return _need(held, held, seconds, config, gpu)


def evaluation(config: Mapping[str, Any], wildcards: Any, gpu: bool) -> Need:
    """For all models of a cell, applied to its training set and the test sets, and scored. As `whole_set`."""
    samples = int(wildcards.samples) + _tested(config)
    objects = 2 * len(config["seeds"]) * samples
    return _need(objects, samples, objects * config["image_size"] ** 2 / APPLIED, config, gpu)


def _seeds(config: Mapping[str, Any], wildcards: Any) -> int:
    """How many an iterative method runs with: those of the network that it starts from, or one."""
    return len(config["seeds"]) if wildcards.recipe in (*config["refined"], *config["denoised"]) else 1


def _patterns(config: Mapping[str, Any]) -> int:
    return config["baseline_training_patterns"] + _tested(config)


def baseline(config: Mapping[str, Any], wildcards: Any, gpu: bool) -> Need:
    """For every start of every pattern of an iterative method. As `whole_set`."""
    settings, seeds = (config["baselines"] | config["refined"])[wildcards.recipe], _seeds(config, wildcards)
    if "budget" in settings:
        seconds = _seconds(f"{settings['budget']}*HIO", gpu)
    else:
        seconds = settings["starts"] * _seconds(settings["recipe"], gpu)
    return _iterated(_patterns(config), seeds * seconds, config, gpu, objects=2 * seeds)


def _denoising(config: Mapping[str, Any], gpu: bool) -> float:
    """Seconds of an object, of real and imaginary part if it has both."""
    settings, pixels = config["denoiser"], config["image_size"] ** 2
    weights = 9 * settings["width"] * (3 + (settings["layers"] - 2) * settings["width"])
    parts = 1 if source(config) == "images" else 2
    return parts * pixels * weights / (CONVOLVED_ON_GPU if gpu else CONVOLVED)


def denoiser(config: Mapping[str, Any], wildcards: Any, gpu: bool) -> Need:
    """For the training of the denoiser, whose backward pass costs twice its forward one. As `whole_set`."""
    samples, held = max(config["samples"]), config[source(config)]["training"] + config[source(config)]["validation"]
    return _need(held, held, 3 * config["denoiser"]["epochs"] * samples * _denoising(config, gpu), config, gpu)


def denoised(config: Mapping[str, Any], wildcards: Any, gpu: bool) -> Need:
    """For every pattern of a method with the denoiser in its loop. As `whole_set`."""
    settings, seeds = config["denoised"][wildcards.recipe], _seeds(config, wildcards)
    times = settings.get("rounds", RETRIED * len(settings["levels"]) * settings["iterations"])
    patterns = config["baseline_training_patterns"] + settings["patterns"] + config["noise"]["patterns"]
    iterations = settings["iterations"] * settings.get("rounds", len(settings["levels"]))
    pixels = (config["image_size"] * config["oversampling"]) ** 2
    each = times * _denoising(config, gpu) / pixels + _seconds(f"{iterations}*HIO", gpu)
    return _iterated(patterns, seeds * each, config, gpu, objects=2 * seeds)


def scoring(config: Mapping[str, Any], wildcards: Any, gpu: bool) -> Need:
    """For the scores of an iterative method. As `whole_set`."""
    patterns, in_patterns_frames = _patterns(config), _seeds(config, wildcards) * config["oversampling"] ** 2
    objects = patterns * (1 + in_patterns_frames)
    return _need(objects, patterns, objects * config["image_size"] ** 2 / APPLIED, config, gpu=False)


def fitting(config: Mapping[str, Any], wildcards: Any, gpu: bool) -> Need:
    """For a network fitted to each of some patterns of every set. As `whole_set`."""
    settings = config["fitted"][wildcards.fitted]
    patterns = settings["patterns"] * (2 + len(unseen(config)))
    seconds = patterns * settings["cycles"] * config["image_size"] ** 2 / (TRAINED_ON_GPU if gpu else TRAINED)
    return _need(patterns, patterns, seconds, config, gpu)


def start(config: Mapping[str, Any], wildcards: Any, gpu: bool) -> Need:
    """For every recipe of the table of starts, from one start. As `whole_set`."""
    settings = config["starts"]
    seconds = max(sum(_seconds(run["recipe"], gpu) for run in settings[side]) for side in ("warm", "cold"))
    return _iterated(settings["patterns"], len(config["seeds"]) * seconds, config, gpu)


def scan(config: Mapping[str, Any], wildcards: Any, gpu: bool) -> Need:
    """For every start of a measured frame or a rocking scan. As `whole_set`."""
    settings = config["measured"][wildcards.scan]
    axes = settings["dimensions"]
    crop, bin = (_each(x, axes) for x in (settings.get("crop", VOLUME if axes == 3 else FRAME), settings["bin"]))
    pixels = math.prod(side // summed for side, summed in zip(crop, bin, strict=True))
    held, more = (HELD_OF_VOLUME, TOGETHER / ITERATED) if axes == 3 else (HELD, 0)
    megabytes = BASE + CUDA * gpu + MARGIN * 4 * held * pixels / 2**20
    # No whole scan was timed on a GPU.
    seconds = pixels * (settings["starts"] * _seconds(settings["recipe"], gpu=False) + more)
    return Need(math.ceil(megabytes), START + math.ceil(MARGIN * seconds / 60))


def _each(value: int | list[int], axes: int) -> list[int]:
    """Give a number to each axis; a mistake in how many is told when the scan is read."""
    return [*value][:axes] if isinstance(value, list) else [value] * axes


def _seconds(recipe: str, gpu: bool) -> float:
    """For a pixel of a pattern."""
    rates = {name: ITERATED / iterations for name, iterations in HEAVY.items()}
    light = ITERATED_ON_GPU if gpu else ITERATED
    return sum(step.iterations / rates.get(step.algorithm, light) for step in parse(recipe))


def _iterated(patterns: int, seconds: float, config: Mapping[str, Any], gpu: bool, objects: int = 2) -> Need:
    """For so many seconds a pixel of each pattern, and objects kept of it in its own frame."""
    pixels = patterns * (config["image_size"] * config["oversampling"]) ** 2
    kept = objects * patterns * config["oversampling"] ** 2
    return _need(kept, patterns, pixels * seconds, config, gpu)


def gaussian(config: Mapping[str, Any], wildcards: Any, gpu: bool) -> Need:
    """For the perceptrons of a cell of Gaussian phase retrieval. As `whole_set`."""
    settings, samples = config["gaussian"], int(wildcards.samples)
    weights = settings["layers"] * sum(width**2 for width in settings["widths"])
    work = 3 * weights * samples * settings["epochs"] * len(config["seeds"])  # forward, and twice that backward
    numbers = samples * int(wildcards.dimension) * (1 + settings["measurements"])
    megabytes = BASE + CUDA * gpu + MARGIN * 4 * numbers / 2**20
    seconds = work / (LEARNED_ON_GPU if gpu else LEARNED)
    return Need(math.ceil(megabytes), START + math.ceil(MARGIN * seconds / 60))
