"""On a GPU itself: what is captured and compiled is what it was, launch by launch."""

import logging
import math

import pandas as pd
import pytest
import torch

from farfield import iterative
from farfield.iterative import iterations, starts
from farfield.learning import step, training
from farfield.learning.objectives import Objective
from farfield.machine import passes
from farfield.physics import crystals
from farfield.physics.diffraction import measure
from farfield.symmetry.actions import break_symmetries

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

NEVER = 10**9
SETTINGS = training.Settings(epochs=5, updates=0, batch_size=32, learning_rate=1e-3)


@pytest.fixture(scope="module")
def sets():
    return break_symmetries(crystals.simulate(150, 32, 7)), crystals.simulate(20, 32, 8)  # the last batch is short


@pytest.fixture
def uncaptured(monkeypatch):
    for module in (step, iterations, starts):
        monkeypatch.setattr(module, "WARM_UP", NEVER)


def fit(sets, folder, network="unet", objective=None, **options):
    training.fit(network, *sets, SETTINGS, objective, folder=folder, device="cuda", options={"width": 8}, **options)
    return pd.read_csv(folder / "history.csv")[["loss", "validation_sa_mse"]]


@pytest.mark.parametrize("network", ["unet", "sisprnet"])
@pytest.mark.parametrize("objective", [Objective(), Objective(data=0.5, jacobian=1e-3, low_pass=(1.5, 0.5))])
def test_a_captured_training_is_the_eager_one_to_the_bit(sets, tmp_path, request, network, objective, caplog):
    captured = fit(sets, tmp_path / "captured", network, objective)
    assert "cannot be captured" not in caplog.text
    request.getfixturevalue("uncaptured")
    assert captured.equals(fit(sets, tmp_path / "eager", network, objective))


@pytest.mark.usefixtures("no_shape_checks")  # torch compiles no checks
def test_a_compiled_training_learns_and_resumes_to_the_bit(sets, tmp_path, monkeypatch):
    eager = fit(sets, tmp_path / "eager")
    monkeypatch.setattr(step, "PAYS", 0)
    whole = fit(sets, tmp_path / "whole")
    assert ((whole.loss - eager.loss).abs() < 0.02 * eager.loss).all()

    def stop(row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(sets, tmp_path / "cut", on_epoch=stop)
    assert fit(sets, tmp_path / "cut").equals(whole)


def test_an_objective_that_asks_the_gpu_is_trained_all_the_same(sets, tmp_path, request, caplog):
    with caplog.at_level(logging.WARNING):
        tried = fit(sets, tmp_path / "tried", objective=Objective(labels="invariant"))
    assert caplog.text.count("cannot be captured") == 1
    request.getfixturevalue("uncaptured")
    assert tried.equals(fit(sets, tmp_path / "eager", objective=Objective(labels="invariant")))


def test_captured_iterations_are_those_launch_by_launch(request):
    patterns = measure(crystals.simulate(16, 32, seed=3)).cuda()
    options = {"recipe": "100*HIO+20*RAAR+30*ER+7*DM+20*ER", "starts": 2, "keep": "best", "dimensions": 2}
    mask = torch.ones(64, 64, dtype=torch.bool)
    mask[3:5] = False
    for more in ({}, {"values": "positive", "recipe": "100*HIO+20*ER"}, {"mask": mask}):
        captured = iterative.reconstruct(patterns, **{**options, **more})
        with pytest.MonkeyPatch.context() as patch:
            for module in (iterations, starts):
                patch.setattr(module, "WARM_UP", NEVER)
            plain = iterative.reconstruct(patterns, **{**options, **more})
        assert torch.equal(captured.objects, plain.objects)
        assert torch.equal(captured.support, plain.support)


def test_a_gpu_solves_what_a_cpu_solves():
    patterns = measure(crystals.simulate(64, 32, seed=3))
    found = iterative.reconstruct(patterns.cuda(), starts=3, keep="best", dimensions=2).residual
    assert (found < 2e-5).double().mean() >= 0.9


@pytest.mark.parametrize("pixels", [0, math.inf])
def test_passes_are_those_of_a_cpu(pixels):
    generator = torch.Generator().manual_seed(0)
    field, other = (torch.randn(64, 128, 128, dtype=torch.complex64, generator=generator) for _ in range(2))
    amplitude, support = torch.rand(64, 128, 128, generator=generator), other.abs() > 1
    field[0, 0, 0] = 0
    with passes.compiling(pixels):
        for free in (None, support):
            ways = [
                passes.give_modulus(
                    *(x if x is None else x.to(device) for x in (field.clone(), amplitude, free)), 0.5
                )
                for device in ("cpu", "cuda")
            ]
            assert torch.allclose(ways[0], ways[1].cpu(), atol=1e-6)
        ways = [
            passes.relax(*(x.to(device) for x in (field, other, support)), 0.7, -0.4) for device in ("cpu", "cuda")
        ]
        assert torch.allclose(ways[0], ways[1].cpu(), atol=1e-6)
