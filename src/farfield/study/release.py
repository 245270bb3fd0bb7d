"""Models that travel: the best of a study as single files, each with a card that says what it is."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from farfield.machine import store
from farfield.study import errors

_CARD = """# {network}, n = {samples}, {symmetry} symmetry breaking

Turns a far-field pattern |F|² of {side}² pixels (DC at `[{half}, {half}]`) into a complex object of {size}² pixels.

| | |
| --- | --- |
| network | `{network}` {options}, {parameters} parameters |
| trained on | {samples} simulated Bragg CDI crystals, {symmetry} symmetry breaking; data {data} |
| inputs | {inputs}; mean and deviation are in the file |
| weights | the {checkpoint} ones, epoch {epoch}, seed {seed} |
| training | {training}; on {device} in {computed_in} |
| validation SA-MSE | {validation:.4f} per complex pixel |
| test SA-MSE | {mean:.4f} of predicting zero on average, {median:.4f} for the median crystal, {tests} crystals |
| code | farfield {version}, commit {commit}, code {code} |

Use it:

    farfield apply {file} patterns.npy objects.npy

or `farfield.load("{file}")`, a `torch.nn.Module` from intensities (samples, {side}, {side}) to objects.

**Limits.** It knows crystals like those that it was trained on: magnitude 1 inside, 0 outside, patterns without
noise and on that scale (scale photon counts first). Position, flip and global phase are its own choice: hold its
objects against a truth by `farfield.symmetry_adjusted_mse`. Where there is time, an iterative method solves
noise-free patterns better (see the study's tables); a network's output is a start for one.
"""


def _describe(model: str | Path) -> dict[str, Any]:
    """Read what a model's file says of itself; its weights stay where they are."""
    with safe_open(model, framework="numpy") as file:
        return json.loads(file.metadata()["farfield"])


def choose(models: Iterable[str | Path]) -> Path:
    """Choose, of some trained models, the one with the lowest validation SA-MSE."""
    return min(map(Path, models), key=lambda path: _describe(path)["validation_sa_mse"])


def card(model: str | Path, scores: str | Path, file: str) -> str:
    """Write down what a model is, for those who get nothing but the file.

    Parameters
    ----------
    model : str or Path
    scores : str or Path
        Score store of its cell on the test set.
    file : str
        The name it will have.

    Returns
    -------
    str
        Markdown.
    """
    about = _describe(model)
    found = errors.read(scores, checkpoint=about["checkpoint"])
    mine = found.relative[found.seeds.index(about["seed"])]
    side = about["image_size"] * about["oversampling"]
    return _CARD.format(
        **{key: about[key] for key in ("network", "samples", "symmetry", "data", "inputs", "checkpoint")},
        **{key: about[key] for key in ("epoch", "seed", "code", "version", "device", "computed_in")},
        **{"side": side, "half": side // 2, "size": about["image_size"], "file": file},
        options=", ".join(f"{name} {value}" for name, value in about["options"].items()),
        parameters=f"{about['parameters']:,}".replace(",", " "),
        training=", ".join(f"{name} {value}" for name, value in about["training"].items() if name != "inputs"),
        validation=about["validation_sa_mse"],
        mean=mine.mean(),
        median=np.median(mine),
        tests=len(mine),
        commit=about["git_commit"],
    )


def release(models: Iterable[str | Path], scores: str | Path, model_file: str | Path, card_file: str | Path) -> None:
    """Copy the best validated of some models to where it is found, with its card.

    Parameters
    ----------
    models : iterable of str or Path
        Weights of one cell, all seeds.
    scores : str or Path
        Score store of that cell on the test set. It is only reported: the choice is by validation.
    model_file, card_file : str or Path
        Files to make.
    """
    chosen = choose(models)
    with store.atomic(model_file) as temporary:
        temporary.write_bytes(chosen.read_bytes())
    with store.atomic(card_file) as temporary:
        temporary.write_text(card(chosen, scores, Path(model_file).name), encoding="utf-8")
