"""Networks for frames of many sizes: what their design promises, before any training."""

import numpy as np
import pytest
import torch

from farfield.learning import networks
from farfield.learning.networks import retriever
from farfield.learning.networks.hybrid import autocorrelation_roots
from farfield.learning.networks.making import inputs_of
from farfield.learning.networks.retriever import Retriever
from farfield.physics import crystals
from farfield.physics.diffraction import measure
from farfield.symmetry.actions import conjugate_flip, rotate_phase, translate

NAMES = ["mlp-decoder", "hybrid"]
SMALL = {"width": 8, "hidden": 32}


def made(name, size, oversampling=2, **options):
    torch.manual_seed(0)
    backbone = networks.create(name, size, oversampling, **{**SMALL, **options})
    return Retriever(backbone, oversampling * size, inputs_of(name)).eval()


def apart(one, other):
    """Difference of two outputs, relative to one."""
    return float((one - other).norm() / one.norm())


@pytest.fixture(scope="module")
def objects():
    return crystals.simulate(5, 36, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("size", "oversampling"), [(36, 2), (32, 2), (64, 2), (20, 2), (20, 3), (36, 4)])
def test_they_take_frames_of_many_sizes(name, size, oversampling):
    model = made(name, size, oversampling)
    found = model(torch.rand(3, *2 * [oversampling * size]))
    assert found.shape == (3, size, size)
    found.abs().square().sum().backward()
    assert all(bool(parameter.grad.any()) for parameter in model.parameters() if parameter.ndim > 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", [2.0**-10, 2.0, 2.0**10, 3.0])
def test_a_brighter_pattern_gives_the_brighter_object(name, factor, objects):
    """Exactly for powers of two, which float32 multiplies without rounding."""
    model, pattern = made(name, 36), measure(objects)
    with torch.no_grad():
        plain, brighter = model(pattern), model(factor**2 * pattern)
    assert float(plain.abs().max()) > 0.01
    assert torch.equal(brighter, factor * plain) is (factor != 3)
    assert apart(brighter, factor * plain) < 1e-2


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_pattern_gives_an_empty_object(name):
    with torch.no_grad():
        assert not made(name, 36)(torch.zeros(2, 72, 72)).any()


@pytest.mark.parametrize("name", NAMES)
def test_an_output_depends_on_the_pattern_alone(name, objects):
    """Wherever the object lies, flipped or not: an object that moves with its truth would be no retrieval."""
    small = torch.zeros(5, 36, 36, dtype=torch.complex64)
    small[:, 2:26, 2:26] = objects[:, 6:30, 6:30]
    model, copy = made(name, 36), rotate_phase(conjugate_flip(translate(small, (7, 3))), 1.0)
    with torch.no_grad():
        one, other = model(measure(small)), model(measure(copy))
        third = model(measure(small.flip(0)))
    assert apart(one, other) < 3e-2  # the root of an autocorrelation makes 1e-7 of rounding 3e-4
    assert apart(one, third) > 0.05


@pytest.mark.parametrize("oversampling", [2, 3])
def test_what_hybrid_sees_is_the_autocorrelation(objects, oversampling):
    """Of root magnitude and full phase, no shift further from the centre than the frame, and all of them."""
    item = objects[0, 12:24, 12:24].numpy()
    pattern = measure(torch.from_numpy(item)[None], oversampling)
    roots = autocorrelation_roots(pattern.sqrt())[0].numpy()
    found, middle = roots[0] + 1j * roots[1], oversampling * 6
    for down, right in ((0, 0), (1, -2), (-5, 3), (11, 11), (-11, 4)):
        rows, columns = (np.arange(max(0, -s), min(12, 12 - s)) for s in (down, right))
        value = np.sum(item[np.ix_(rows + down, columns + right)] * item[np.ix_(rows, columns)].conj())
        expected = value / np.sqrt(max(abs(value), 1e-30))
        assert np.isclose(found[middle + down, middle + right], expected, atol=2e-3 * np.sqrt(abs(found).max()))


def test_hybrid_joins_both_paths():
    """Neither the MLP nor the autocorrelation is idle: each changes the output while the other is held."""
    model = made("hybrid", 20).backbone
    amplitude = torch.rand(1, 40, 40)
    output = model(amplitude)
    for part in (model.mlp[1], model.down[0][0], model.down[-1][0]):
        with torch.no_grad():
            kept = part.weight.clone()
            part.weight.mul_(0.5)
            assert not torch.allclose(model(amplitude), output, rtol=1e-3)
            part.weight.copy_(kept)
    assert torch.equal(model(amplitude), output)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [8, 9, 26, 30, 33, 50])
def test_sizes_that_do_not_halve_are_refused(name, size):
    with pytest.raises(ValueError, match=f"that halves to 12 or less for {name}, got {size}; choose such as") as told:
        networks.create(name, size, **SMALL)
    advised = [
        int(word.strip(","))
        for word in str(told.value).split("such as ")[1].replace(" or", ",").split()
        if word.strip(",").isdigit()
    ]
    assert len(advised) == 8
    for other in advised:  # the advice, followed
        with torch.no_grad():
            found = networks.create(name, other, **SMALL)(torch.rand(1, 2 * other, 2 * other))
        assert found.shape == (1, 2, other, other)


def test_without_oversampling_there_is_no_autocorrelation():
    with pytest.raises(ValueError, match=r"expected an oversampling of at least 2 for hybrid, .*, got 1; raise it"):
        networks.create("hybrid", 20, 1)
    networks.create("hybrid", 20, 2)
    networks.create("mlp-decoder", 20, 1)


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_again_they_are_the_same(name, tmp_path, objects):
    model = made(name, 36)
    about = {"network": name, "image_size": 36, "oversampling": 2, "options": SMALL, "inputs": "amplitude"}
    retriever.save(model.state_dict(), tmp_path / "m.safetensors", about)
    loaded, pattern = networks.load(tmp_path / "m.safetensors"), measure(objects)
    assert loaded.description == about
    with torch.no_grad():
        assert torch.equal(loaded(pattern), model(pattern))
