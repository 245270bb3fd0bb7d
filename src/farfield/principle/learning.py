"""What is learned of the square root and of Gaussian phase retrieval, before and after breaking their symmetry."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from farfield.principle import perceptron
from farfield.problems import Problem, SquareRoot

TEST_SEED, VALIDATION_SEED = 10**6, 10**6 + 1
"""Of what is not trained on; training sets take their own seeds, from 0."""

SIZES = (10, 30, 100, 300, 1000, 3000, 10_000)
"""Training sets whose target's variation is measured."""

CHOICES = 1000
"""Numbers of which representatives are chosen."""

CURVE = 400
"""Points at which a learned square root is evaluated."""


def total_variation(measurements: np.ndarray, objects: np.ndarray) -> float:
    """Sum of the jumps of the function that a training set defines, from one measurement to the next larger one.

    Parameters
    ----------
    measurements, objects : numpy.ndarray, shape (samples,)
    """
    return float(np.abs(np.diff(objects[np.argsort(measurements, kind="stable")])).sum())


def variation_against_size(seeds: Sequence[int]) -> pd.DataFrame:
    """Measure how much the target of the square root varies, before and after breaking.

    Parameters
    ----------
    seeds : sequence of int
        Of the training sets, each of every size in `SIZES`.

    Returns
    -------
    pandas.DataFrame
        ``symmetry``, ``samples``, ``seed``, ``variation``.
    """
    problem, rows = SquareRoot(), []
    for seed in seeds:
        for samples in SIZES:
            drawn = problem.draw(samples, seed)
            for level in problem.levels:
                objects = problem.canonical(drawn, level)
                variation = total_variation(problem.forward(objects)[:, 0].numpy(), objects[:, 0].numpy())
                rows.append([level, samples, seed, variation])
    return pd.DataFrame(rows, columns=["symmetry", "samples", "seed", "variation"])


def learn_square_root(sets: Mapping[str, tuple[int, str]], settings: perceptron.Settings, seed: int) -> pd.DataFrame:
    """Train a perceptron on each of some sets of pairs (x², x), and tell what it learned.

    Parameters
    ----------
    sets : mapping
        Name to (samples, symmetry level).
    settings : perceptron.Settings
    seed : int
        Of the samples, the weights and the order.

    Returns
    -------
    pandas.DataFrame
        ``set``, ``kind`` (``sample`` or ``learned``), ``y``, ``x``.
    """
    problem, parts = SquareRoot(), []
    grid = torch.linspace(0, 1, CURVE)[:, None]
    for name, (samples, level) in sets.items():
        objects = problem.canonical(problem.draw(samples, seed), level)
        measurements = problem.forward(objects)
        learned = perceptron.fit(measurements, objects, settings, seed)(grid)
        for kind, y, x in (("sample", measurements, objects), ("learned", grid, learned)):
            parts.append(pd.DataFrame({"set": name, "kind": kind, "y": y[:, 0].numpy(), "x": x[:, 0].numpy()}))
    return pd.concat(parts, ignore_index=True)


def _as_real(objects: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(objects).flatten(1) if objects.is_complex() else objects


def _as_objects(outputs: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if not like.is_complex():
        return outputs
    return torch.view_as_complex(outputs.unflatten(1, (-1, 2)).contiguous())


def _percent(problem: Problem, predict: perceptron.Predict, objects: torch.Tensor) -> float:
    estimates = _as_objects(predict(problem.forward(objects)).float(), objects)
    return 100 * float(problem.error(objects, estimates).mean())


def learn_inverse(
    problem: Problem,
    level: str,
    samples: int,
    *,
    settings: Sequence[perceptron.Settings],
    neighbours: int,
    tests: int,
    seeds: Sequence[int],
    device: str = "cpu",
) -> pd.DataFrame:
    """Learn the inverse of a problem by perceptrons and by nearest neighbours.

    Parameters
    ----------
    problem : Problem
        Of vectors.
    level : str
        How much of the training set's symmetry is broken; tests are as they are drawn.
    samples : int
        In a training set.
    settings : sequence of perceptron.Settings
        Of several perceptrons, of which the best on a validation set counts.
    neighbours : int
        K.
    tests : int
        Objects of the test set; the validation set has as many.
    seeds : sequence of int
        Of training sets and trainings.
    device : str
        Of torch, where perceptrons are trained.

    Returns
    -------
    pandas.DataFrame
        ``method`` (``dnn``, ``knn``), ``dimension``, ``samples``, ``symmetry``, ``seed``, and ``error``: squared, up
        to the symmetry, in per cent of predicting zero, mean over the tests.
    """
    unseen, validation = (problem.draw(tests, seed) for seed in (TEST_SEED, VALIDATION_SEED))
    rows = []
    for seed in seeds:
        objects = problem.canonical(problem.draw(samples, seed), level)
        pairs = problem.forward(objects), _as_real(objects)
        networks = [perceptron.fit(*pairs, one, seed, device) for one in settings]
        best = min(networks, key=lambda network: _percent(problem, network, validation))
        for method, predict in (("dnn", best), ("knn", perceptron.nearest(*pairs, neighbours))):
            rows.append([method, objects.shape[1], samples, level, seed, _percent(problem, predict, unseen)])
    return pd.DataFrame(rows, columns=["method", "dimension", "samples", "symmetry", "seed", "error"])


def cover(objects: np.ndarray, bins: int = 20) -> dict[str, float]:
    """Tell how representative, small and connected a set of numbers is, up to their sign.

    Parameters
    ----------
    objects : numpy.ndarray, shape (samples,)
        In [-1, 1].
    bins : int
        Of [0, 1], in which a sign is present or not.

    Returns
    -------
    dict
        ``covered``: share of orbits with a representative; ``twice``: share with both; ``pieces``: intervals.
    """
    counts, _ = np.histogram(objects, bins=2 * bins, range=(-1, 1))
    filled = counts > 0
    negative, positive = filled[:bins][::-1], filled[bins:]
    pieces = int(filled[0]) + int((~filled[:-1] & filled[1:]).sum())
    return {"covered": (negative | positive).mean(), "twice": (negative & positive).mean(), "pieces": pieces}


def choices(seed: int) -> pd.DataFrame:
    """Choose representatives of the square root's orbits in three ways, each with what the one before lacks.

    Parameters
    ----------
    seed : int
        Of the numbers.

    Returns
    -------
    pandas.DataFrame
        ``set`` (``representative``, ``smallest``, ``connected``), ``y``, ``x``, and what `cover` says of the set.
    """
    problem = SquareRoot()
    drawn = problem.draw(CHOICES, seed)[:, 0]
    size = drawn.abs()
    chosen = {
        # All but the middle half of the negative numbers: every orbit is there, some twice.
        "representative": drawn[(drawn > 0) | (size < 0.25) | (size > 0.75)],
        # One of each orbit, its sign changing from one fifth of the sizes to the next.
        "smallest": torch.where((5 * size).long() % 2 == 0, size, -size),
        "connected": problem.canonical(drawn[:, None])[:, 0],
    }
    parts = [
        pd.DataFrame({"set": name, "y": x.square().numpy(), "x": x.numpy(), **cover(x.numpy())})
        for name, x in chosen.items()
    ]
    return pd.concat(parts, ignore_index=True)
