import numpy as np
import pytest
import torch
from conftest import random_copy

from farfield.study import breaking, datasets, methods, scores
from farfield.symmetry.actions import break_symmetries


@pytest.fixture(scope="module")
def truth(objects):
    return datasets.from_objects(objects[:12], 2)


def reconstructed(objects, kind="network"):
    def method(intensity):
        return objects

    attributes = {"method": "m", "kind": kind, "split": "test"}
    grid = {(seed, checkpoint): method for seed in (3, 4) for checkpoint in ("final", "best")}
    return methods.reconstruct_all(grid, torch.zeros(len(objects), 4, 4), attributes)


def test_a_perfect_reconstruction_scores_zero(truth, objects):
    found = scores.score(reconstructed(objects[:12]), truth)
    for name in scores.UNITS:
        assert found[name].dims == ("seed", "checkpoint", "sample")
        np.testing.assert_allclose(found[name], 0, atol=1e-5)
    assert list(found.seed) == [3, 4]
    assert (found.seconds >= 0).all()
    np.testing.assert_allclose(found.energy, objects[:12].abs().square().mean((-2, -1)), rtol=1e-6)


def test_a_symmetric_copy_costs_mse_to_networks_alone(truth, objects):
    copies = random_copy(objects[:12], 8)
    network = scores.score(reconstructed(copies), truth)
    solver = scores.score(reconstructed(copies, "iterative"), truth)
    np.testing.assert_allclose(network.sa_mse, 0, atol=1e-6)
    assert float(network.mse.mean()) > 0.05
    np.testing.assert_allclose(solver.mse, 0, atol=1e-6)


def test_zero_scores_the_energy_and_half_of_it(truth):
    found = scores.score_constant("zero", truth, truth, {"split": "test"})
    np.testing.assert_allclose(found.sa_mse[0, 0], found.energy, rtol=1e-6)
    np.testing.assert_allclose(found.mse[0, 0], found.energy / 2, rtol=1e-6)
    np.testing.assert_allclose(found.magnitude_error, 1)


def test_the_mean_object_has_the_least_mse_of_all_constants(objects):
    broken = datasets.from_objects(break_symmetries(objects), 2)
    mean = scores.score_constant("mean-object", broken, broken, {"split": "train"}).mse.mean()
    zero = scores.score_constant("zero", broken, broken, {"split": "train"}).mse.mean()
    half = reconstructed(0.5 * torch.from_numpy(broken.object.values).mean(0).expand(64, -1, -1).contiguous())
    assert float(mean) < float(scores.score(half, broken).mse.mean()) < float(zero)


def test_breaking_a_set_keeps_its_patterns(truth, objects):
    broken = breaking.break_set(truth, 2)
    assert torch.equal(torch.from_numpy(broken.object.values), break_symmetries(objects[:12]))
    np.testing.assert_array_equal(broken.intensity, truth.intensity)
    again = datasets.from_objects(torch.from_numpy(broken.object.values), 2)
    np.testing.assert_allclose(again.intensity, truth.intensity, atol=1e-5 * float(truth.intensity.max()))


def test_a_set_reports_its_flips(objects):
    row = breaking.conditioning_row("test", objects, 2)
    assert row["samples"] == 64
    assert 10 < row["flipped"] < 54
    assert 0 <= row["small_dc"] < 10
