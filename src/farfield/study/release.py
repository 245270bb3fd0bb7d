"""Models that travel: the best of a study as single files, each with a card that says what it is."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from farfield.machine import store
from farfield.study import errors

_CARD = """# {network}, n = {samples}, trained for `{symmetry}`

Turns a far-field pattern |F|² of {side}² pixels (DC at `[{half}, {half}]`) into a complex object of {size}² pixels.

| | |
| --- | --- |
| network | `{network}` {options}, {parameters} parameters |
| trained on | {samples} {objects}; data {data} |
| trained for | {objective} |
| inputs | {inputs}; mean and deviation are in the file |
| weights | the {checkpoint} ones, epoch {epoch}, seed {seed} |
| training | {training}; on {device} in {computed_in} |
| validation SA-MSE | {validation:.4f} per complex pixel |
| test SA-MSE | {mean:.4f} of predicting zero on average, {median:.4f} for the median, {tests} objects |
| code | farfield {version}, commit {commit}, code {code} |

Use it:

    farfield apply {file} patterns.npy objects.npy

or `farfield.load("{file}")`, a `torch.nn.Module` from intensities (samples, {side}, {side}) to objects.

**Limits.** It knows objects like those that it was trained on, and patterns without noise on their scale: `farfield
apply` brings photon counts to it, the module does not. Position, flip and global phase are its own choice: hold its
objects against a truth by `farfield.symmetry_adjusted_mse`. Where there is time, an iterative method solves
noise-free patterns better (see the study's tables); its output is a start for one: `farfield apply --refine`, or
`farfield.reconstruct(intensity, start=objects)`.
"""


def _describe(model: str | Path) -> dict[str, Any]:
    """Read what a model's file says of itself; its weights stay where they are."""
    with safe_open(model, framework="numpy") as file:
        return json.loads(file.metadata()["farfield"])


def choose(models: Iterable[str | Path]) -> Path:
    """Choose, of some trained models, the one with the lowest validation SA-MSE."""
    return min(map(Path, models), key=lambda path: _describe(path)["validation_sa_mse"])


OBJECTS = {"crystals": "simulated Bragg CDI crystals", "images": "images of FashionMNIST"}


def _objective(about: dict[str, Any]) -> str:
    """Say in words what a model was trained for."""
    wanted = about["objective"]
    terms = [f"{wanted['data']:g} · data (labels {wanted['labels']})"] if wanted["data"] else []
    if wanted["data"] < 1:
        width = wanted["low_pass"]
        told = f", low-passed by σ from {width[0]:g} to {width[1]:g} pixels" if width else ""
        terms.append(f"{1 - wanted['data']:g} · physics ({wanted['physics']}{told})")
    if wanted["jacobian"]:
        terms.append(f"{wanted['jacobian']:g} · Jacobian")
    return f"`{about['symmetry']}`: {' + '.join(terms)}"


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
        objects=OBJECTS[about["objects"]],
        objective=_objective(about),
        options=", ".join(f"{name} {value}" for name, value in about["options"].items()),
        parameters=f"{about['parameters']:,}".replace(",", " "),
        training=", ".join(f"{name} {value}" for name, value in about["training"].items() if name != "inputs"),
        validation=about["validation_sa_mse"],
        mean=mine.mean(),
        median=np.median(mine),
        tests=len(mine),
        commit=about["git_commit"],
    )


def release(
    models: Iterable[str | Path], scores: Iterable[str | Path], model_file: str | Path, card_file: str | Path
) -> None:
    """Copy the best validated of some models to where it is found, with its card.

    Parameters
    ----------
    models : iterable of str or Path
        Weights of one network at one training size, all objectives and seeds.
    scores : iterable of str or Path
        Score stores of its objectives on the test set. They are only reported: the choice is by validation.
    model_file, card_file : str or Path
        Files to make.
    """
    chosen = choose(models)
    symmetry = _describe(chosen)["symmetry"]
    of_chosen = next(path for path in scores if store.open_dataset(path).attrs["symmetry"] == symmetry)
    with store.atomic(model_file) as temporary:
        temporary.write_bytes(chosen.read_bytes())
    with store.atomic(card_file) as temporary:
        temporary.write_text(card(chosen, of_chosen, Path(model_file).name), encoding="utf-8")
