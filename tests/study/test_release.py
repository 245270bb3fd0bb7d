"""A model's card says what it was trained for, in the terms of its objective."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
import xarray as xr

from farfield.learning import training
from farfield.learning.networks import retriever
from farfield.learning.objectives import Objective
from farfield.machine import store
from farfield.study import release

ABOUT = {
    **{"network": "hybrid", "image_size": 36, "oversampling": 2, "options": {"width": 16}, "inputs": "amplitude"},
    **{"samples": 5000, "data": "d1d2", "code": "c0de", "version": "1.0", "device": "cpu", "computed_in": "float32"},
    **{"training": vars(training.Settings()), "checkpoint": "best", "epoch": 3, "seed": 1, "parameters": 1234567},
    **{"git_commit": "abc", "objects": "images", "validation_sa_mse": 0.05},
}


def model(path, symmetry, objective, **others):
    about = {**ABOUT, "symmetry": symmetry, "objective": asdict(objective), **others}
    retriever.save({"a": torch.zeros(1)}, path, about)
    return path


def scores(path, symmetry, share):
    """Of two seeds, the second having this error."""
    errors = np.stack([np.full((1, 3), 9.0), np.full((1, 3), share)])
    dataset = xr.Dataset(
        {"sa_mse": (("seed", "checkpoint", "sample"), 2 * errors), "energy": ("sample", np.full(3, 2.0))},
        {"seed": [0, 1], "checkpoint": np.array(["best"], object)},
        {"method": "hybrid", "kind": "network", "split": "test", "symmetry": symmetry},
    )
    store.write_dataset(dataset, path)
    return path


@pytest.mark.parametrize(
    ("objective", "told"),
    [
        (Objective(labels="after"), "`mine`: 1 · data (labels after)"),
        (
            Objective(data=0.0, low_pass=(1.5, 0.75)),
            "`mine`: 1 · physics (amplitude, low-passed by σ from 1.5 to 0.75 pixels)",
        ),
        (
            Objective(data=0.3, physics="intensity", labels="invariant"),
            "`mine`: 0.3 · data (labels invariant) + 0.7 · physics (intensity)",
        ),
        (Objective(data=0.0, jacobian=1e-3), "`mine`: 1 · physics (amplitude) + 0.001 · Jacobian"),
    ],
)
def test_a_card_names_the_objective_and_its_terms(tmp_path, objective, told):
    path = model(tmp_path / "m.safetensors", "mine", objective)
    text = release.card(path, scores(tmp_path / "s.zarr", "mine", 0.25), "hybrid.safetensors")
    assert f"| trained for | {told} |" in text
    assert "trained for `mine`" in text.splitlines()[0]
    assert "| trained on | 5000 images of FashionMNIST; data d1d2 |" in text
    assert "`hybrid` width 16, 1 234 567 parameters" in text
    assert "0.2500 of predicting zero on average" in text
    assert "|F|² of 72² pixels (DC at `[36, 36]`) into a complex object of 36² pixels" in text


def test_of_all_objectives_the_best_validated_is_released_with_its_own_scores(tmp_path):
    models = [
        model(tmp_path / f"{name}.safetensors", name, Objective(data=data), validation_sa_mse=score)
        for name, data, score in (("naive", 1.0, 0.3), ("passive", 0.0, 0.1), ("mixed", 0.3, 0.2))
    ]
    tested = [scores(tmp_path / f"{name}.zarr", name, share) for name, share in (("naive", 0.1), ("passive", 0.4))]
    release.release(models, tested, tmp_path / "out.safetensors", tmp_path / "out.md")
    assert (tmp_path / "out.safetensors").read_bytes() == models[1].read_bytes()
    text = (tmp_path / "out.md").read_text()
    assert "`passive`: 1 · physics (amplitude)" in text
    assert "0.4000 of predicting zero on average" in text  # the test set has no say in the choice
