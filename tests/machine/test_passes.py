"""CPU and GPU take different roads to the same numbers: here CPU tensors take them all."""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import random_copy

from farfield import iterative
from farfield.machine import devices, passes
from farfield.physics.diffraction import measure
from farfield.symmetry import matching, metrics


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def both_roads(monkeypatch):
    """Call something as on a CPU, then as on a GPU."""

    def call(function, *arguments):
        on_cpu = function(*arguments)
        with monkeypatch.context() as patch:
            patch.setattr(torch.Tensor, "is_cpu", False)
            return on_cpu, function(*arguments)

    return call


@pytest.fixture
def all_roads(both_roads):
    """The same, and as on a GPU where it pays: compiled by torch, for what is made in every iteration."""

    def call(function, *arguments):
        if not devices.compiles(torch.device("cpu")):
            pytest.skip("torch finds no C++ compiler")
        ways = both_roads(function, *arguments)
        with passes.compiling(math.inf):
            return *ways, both_roads(function, *arguments)[1]

    return call


@pytest.mark.parametrize("free", [None, noise(3, 16, 16, seed=2).abs() > 1])
def test_giving_a_modulus(free, all_roads):
    field, amplitude = noise(3, 16, 16), noise(3, 16, 16, seed=1).abs()
    field[0, 0, 0] = 0
    expected = torch.polar(amplitude, field.angle())
    expected[0, 0, 0] = 0
    if free is not None:
        expected = torch.where(free, field, expected)
    for given in all_roads(lambda: passes.give_modulus(field.clone(), amplitude, free, 0.5)):
        assert torch.allclose(given, 0.5 * expected, atol=1e-6)


def test_relaxing_outside_of_the_support(all_roads):
    iterate, projected, support = noise(3, 8, 8), noise(3, 8, 8, seed=1), noise(8, 8, seed=2).abs() > 1
    for following in all_roads(passes.relax, iterate, projected, support, 0.7, -0.4):
        assert torch.allclose(following, torch.where(support, projected, 0.7 * iterate - 0.4 * projected), atol=1e-6)


def test_a_support_of_another_shape_is_refused_before_compiled_loops_see_it():
    with pytest.raises(RuntimeError, match="expand"):
        passes.relax(noise(3, 8, 8), noise(3, 8, 8), torch.ones(9, 9, dtype=torch.bool), 1.0, 0.0)


@pytest.mark.parametrize("free", [None, noise(12, 12, seed=4).abs() > 1])
def test_projecting_and_relaxing_many_times_is_doing_so_one_by_one(free):
    """To the bit, of views in any order and of frames that many share; what is given stays as it was."""
    iterate, amplitude = noise(3, 12, 12).mT, noise(3, 12, 12, seed=3).abs().mT
    support = noise(12, 12, seed=2).abs() > 1
    x, before = iterate.contiguous(), iterate.clone()
    for count in range(1, 5):
        image = torch.fft.ifft2(passes.give_modulus(torch.fft.fft2(x), amplitude, free, 1 / 144), norm="forward")
        x = passes.relax(x, image, support, 0.7, -0.4)
        found = passes.project_and_relax(count, 0.7, -0.4, iterate, support, amplitude, free)
        assert torch.equal(found[0], x)
        assert torch.equal(found[1], image)
    assert torch.equal(iterate, before)


def test_magnitudes_correlations_and_energies(both_roads):
    a, b = noise(3, 12, 12), noise(3, 12, 12, seed=1)
    for magnitude in both_roads(passes.magnitude, a):
        assert torch.allclose(magnitude, a.abs())
    for products in both_roads(passes.correlations, a, b):
        assert torch.allclose(products, torch.stack([a * b.conj(), a * b], 1), atol=1e-6)
    power = a.abs().double().square()
    for energy in both_roads(passes.line_energy, a):
        assert torch.allclose(energy, torch.stack([power.sum(-1), power.sum(-2)]), rtol=1e-6)


def gradient(value, field):
    """Tell the gradient of a value of a field by torch, double precision, for each of a batch."""
    field = field.to(torch.complex128).requires_grad_()
    values = value(field)
    values.sum().backward()
    return values.detach().float(), field.grad.to(torch.complex64)


def test_misfits_and_their_gradients(both_roads):
    field, amplitude, free = noise(3, 12, 12), noise(3, 12, 12, seed=1).abs(), noise(3, 12, 12, seed=2).abs() > 1
    expected = gradient(lambda x: (x.abs() - amplitude).masked_fill(free, 0).square().sum((-2, -1)) / 2, field)
    for found in both_roads(lambda: passes.misfit(field.clone(), amplitude, free)):
        assert all(torch.allclose(x, y, rtol=1e-4, atol=1e-5) for x, y in zip(found, expected, strict=True))


@pytest.mark.parametrize("photons", [0.3, 30.0, 1e6])
def test_unlikelihoods_and_their_gradients(photons, both_roads):
    field = noise(3, 12, 12) * photons**0.5
    dark, weight = 0.1 + noise(3, 12, 12, seed=3).abs(), (noise(3, 12, 12, seed=4).abs() > 0.3).float()
    weight *= 0.5 + noise(3, 12, 12, seed=5).abs()
    counts = torch.poisson((field.abs() * weight).square() + dark, generator=torch.Generator().manual_seed(1))

    def value(x):
        expected = (x * weight).abs().square() + dark
        least = torch.xlogy(counts.double(), counts) - counts
        return (expected - counts * expected.log() + least).sum((-2, -1)) / 4

    expected = gradient(value, field)
    for found in both_roads(lambda: passes.unlikelihood(field.clone(), counts, dark, weight)):
        assert torch.allclose(found[0], expected[0], rtol=1e-3)
        assert torch.allclose(found[1], expected[1], rtol=1e-3, atol=1e-3 * float(expected[1].abs().max()))


def test_laws_of_another_shape_are_refused_before_compiled_loops_see_them():
    with pytest.raises(RuntimeError, match="expand"):
        passes.misfit(noise(3, 8, 8), torch.ones(9, 9), torch.ones(9, 9, dtype=torch.bool))
    with pytest.raises(RuntimeError, match="expand"):
        passes.unlikelihood(noise(3, 8, 8), *torch.ones(3, 9, 9))


@pytest.mark.parametrize("disturbance", [0, 1e-3, 0.3, 10])
def test_both_roads_find_the_same_copy(objects, disturbance, both_roads):
    estimate = random_copy(objects, 5) + disturbance * noise(*objects.shape, seed=3) * (objects != 0)
    estimate[1] = 0
    one, other = both_roads(matching.match, objects, estimate)
    assert torch.equal(one.flipped, other.flipped)
    content = estimate.abs().amax((-1, -2)) > 0
    assert torch.equal(one.shift[content], other.shift[content])
    assert torch.allclose(one.overlap, other.overlap, rtol=1e-5)
    assert torch.allclose(one.energy, other.energy, rtol=1e-12)


def test_nan_stays_with_its_sample(objects, both_roads):
    estimate = objects[:3].clone()
    estimate[1, 4, 5] = torch.nan
    for error in both_roads(metrics.symmetry_adjusted_mse, objects[:3], estimate):
        assert error.isnan().tolist() == [False, True, False]


def test_both_roads_reconstruct(objects, both_roads):
    pattern = measure(objects[:4])
    for found in both_roads(lambda: iterative.reconstruct(pattern, "200*HIO+50*ER", starts=2)):
        assert (found.residual < 0.05).all()


@pytest.mark.parametrize("name", ["ALM", "AD"])
def test_both_roads_carry(objects, both_roads, name):
    pattern, noise = measure(objects[:4]), torch.randn(4, 32, 32, generator=torch.Generator().manual_seed(1))
    near = objects[:4] * (1 + 0.3 * noise)
    first, second = both_roads(lambda: iterative.reconstruct(pattern, f"5*{name}", start=near))
    assert torch.allclose(first.residual, second.residual, rtol=0.2)
    assert (first.residual < iterative.reconstruct(pattern, "ER", start=near).residual).all()


def test_loops_are_compiled_where_nothing_can_be_written(tmp_path):
    """As in a container without a home: files take the places of numba's folders, which stops even root."""
    package = tmp_path / "farfield"
    shutil.copytree(Path(passes.__file__).parents[1], package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
        (folder / "__pycache__").touch()
    program = (
        "import torch\nfrom farfield.machine import passes\nprint(float(passes.magnitude(torch.ones(2) * 3j)[0]))"
    )
    home = {"HOME": "/proc/1", "PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=home)
    assert found.stdout == "3.0\n"
    assert found.stderr.count("compiled loops are not kept") == 1
    assert "set NUMBA_CACHE_DIR to a folder of yours" in found.stderr
    kept = {**home, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=kept)
    assert not found.stderr
    assert list((tmp_path / "cache").rglob("*.nbi"))
