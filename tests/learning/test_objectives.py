"""Objectives, held against what their formulas say in plain numpy, and against what they promise."""

import numpy as np
import pytest
import torch
from conftest import random_copy
from scipy.ndimage import gaussian_filter

from farfield.learning.objectives import OBJECTIVES, Loss, Objective
from farfield.learning.objectives.jacobian import sensitivity
from farfield.learning.objectives.misfits import invariant
from farfield.learning.optics import FarField
from farfield.physics import images
from farfield.symmetry.actions import conjugate_flip


def parts(objects):
    return torch.stack([objects.real, objects.imag], dim=1)


def cost(objective, output, label, progress=0.0, energy=1.0):
    """What an objective makes of this output for this label, as a number, at an oversampling of 2."""
    side = 2 * label.shape[-1]
    loss = Loss(objective, energy, FarField(), torch.ones(()))
    return float(
        loss(lambda inputs: parts(output), torch.zeros(len(label), side, side), parts(label), loss.width(progress))
    )


def physics(name, **options):
    return Objective(data=0.0, physics=name, **options)


def noise(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def test_the_default_is_the_mean_squared_error_to_the_bit():
    """So that studies of one paper are what they were before there was a second one."""
    torch.manual_seed(0)
    layer, inputs, targets = torch.nn.Linear(36, 18), torch.randn(5, 6, 6), torch.randn(5, 2, 3, 3)

    def network(x):
        return layer(x.flatten(1)).reshape(-1, 2, 3, 3)

    found = Loss(Objective(), 0.3, FarField(), torch.ones(()))(network, inputs, targets, 0.5)
    plain = torch.nn.functional.mse_loss(network(inputs), targets)
    assert torch.equal(found, plain)
    gradients = [torch.autograd.grad(value, layer.parameters()) for value in (found, plain)]
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_pattern_knows_no_copy_from_another(objects, name):
    """Physics cost the truth nothing, nor any translation, flip and phase of it, and predicting zero 1."""
    assert cost(physics(name), objects, objects) == 0
    assert cost(physics(name), random_copy(objects, 3), objects) < 1e-5
    assert cost(physics(name), torch.zeros_like(objects), objects) == pytest.approx(1, rel=1e-5)
    assert cost(physics(name), objects.flip(0), objects) > 0.05


def test_misfits_are_their_formulas(objects):
    label, output = objects[:6].numpy(), noise(6, 32, 32).numpy()
    made, wanted = (np.abs(np.fft.fft2(x, (64, 64), norm="ortho")).astype(float) for x in (output, label))

    def ratio(misfit, of):
        return np.mean(misfit.sum((1, 2)) / of.sum((1, 2)))

    expected = {
        "amplitude": ratio((made - wanted) ** 2, wanted**2),
        "amplitude-l1": ratio(np.abs(made - wanted), wanted),
        "intensity": ratio((made**2 - wanted**2) ** 2, wanted**4),
    }
    assert set(expected) == set(OBJECTIVES)
    for name, value in expected.items():
        assert cost(physics(name), torch.from_numpy(output), objects[:6]) == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("sigma", [1.0, 1.5])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_blurred_object_fits_the_low_passed_pattern(name, sigma):
    """Its σ is in pixels of the object: one of 5 % more is told apart."""
    sharp = np.zeros((2, 32, 32))
    sharp[:, 11:21, 10:20] = np.random.default_rng(1).random((2, 10, 10))
    blurred = gaussian_filter(sharp, (0, sigma, sigma), mode="constant", truncate=7)
    label, output = (torch.from_numpy(x).to(torch.complex64) for x in (sharp, blurred))
    found = cost(physics(name, low_pass=(sigma, sigma)), output, label)
    assert found < 2e-3
    assert found < 0.05 * cost(physics(name, low_pass=(1.05 * sigma, 1.05 * sigma)), output, label)


def test_the_low_pass_opens_for_four_fifths_of_a_training(objects):
    """Linearly: at every moment the cost is that of a fixed σ between the first and the last."""
    label, output = objects[:3], objects[3:6]
    falling = physics("amplitude", low_pass=(2.0, 0.5))
    for progress, sigma in ((0.0, 2.0), (0.2, 1.625), (0.4, 1.25), (0.8, 0.5), (0.9, 0.5), (1.0, 0.5)):
        fixed = physics("amplitude", low_pass=(sigma, sigma))
        assert cost(falling, output, label, progress) == pytest.approx(cost(fixed, output, label), rel=1e-6)


def nearest(output, label):
    """Try every whole shift of both flips in a plane of zeros, each with its best phase; numpy, one sample."""
    side = len(label)
    plane = np.zeros((3 * side, 3 * side), complex)
    plane[side : 2 * side, side : 2 * side] = output
    least, chosen = np.inf, None
    for turned in (label, label[::-1, ::-1].conj()):
        for down in range(2 * side + 1):
            for right in range(2 * side + 1):
                copy = np.zeros_like(plane)
                copy[down : down + side, right : right + side] = turned
                copy *= np.exp(1j * np.angle(np.vdot(copy, plane)))
                error = np.sum(np.abs(plane - copy) ** 2) / np.sum(np.abs(label) ** 2)
                if error < least - 1e-12:
                    least, chosen = error, copy[side : 2 * side, side : 2 * side]
    return least, chosen


def test_invariant_is_the_least_over_all_copies_and_its_gradient_that_of_the_nearest():
    """What leaves the frame on the way counts as error: no other part of a copy is given away."""
    label, output = noise(6, 6, 6), noise(6, 6, 6, seed=1)
    near = [  # to copies, one of which has lost a column, one two rows
        label[0],
        conjugate_flip(label[1]) * 1j,
        torch.nn.functional.pad(label[2, :, :5], (1, 0)),
        -torch.nn.functional.pad(conjugate_flip(label[3])[2:], (0, 0, 0, 2)),
    ]
    output[:4] += 2 * torch.stack(near)
    output.requires_grad_()
    found = invariant(output, label)
    tried = [nearest(*pair) for pair in zip(output.detach().numpy(), label.numpy(), strict=True)]
    least, copies = zip(*tried, strict=True)
    assert np.allclose(found.detach(), least, rtol=1e-5)
    (gradient,) = torch.autograd.grad(found.sum(), output)
    copy = torch.from_numpy(np.stack(copies)).to(torch.complex64)
    fixed = (output - copy).abs().square().sum((1, 2)) / label.abs().square().sum((1, 2))
    (expected,) = torch.autograd.grad(fixed.sum(), output)
    assert torch.allclose(gradient, expected, atol=1e-5 * float(expected.abs().max()))


def test_invariant_is_nothing_for_copies_and_one_for_zero(objects):
    assert torch.allclose(invariant(random_copy(objects, 5), objects), torch.zeros(64), atol=1e-5)
    assert torch.allclose(invariant(torch.zeros_like(objects), objects), torch.ones(64))
    assert (invariant(objects.flip(0), objects) > 0.01).all()


def test_invariant_takes_real_objects():
    """An image that lies elsewhere, turned, costs nothing; nor does its negative, which shares its pattern."""
    items = np.random.default_rng(0).integers(0, 256, (5, 5, 5), np.uint8)
    laid, upright = images.place(items, 9, 4), images.place(items, 9, 0, natural=True)
    assert float(invariant(laid, upright).max()) < 1e-5
    assert float(invariant(-laid, upright).max()) < 1e-5
    noisy = laid + 0.3 * noise(5, 9, 9).real
    least = [nearest(*pair)[0] for pair in zip(noisy.numpy(), upright.numpy(), strict=True)]
    assert np.allclose(invariant(noisy, upright), least, rtol=1e-5)


@pytest.mark.parametrize("labels", ["before", "invariant"])
@pytest.mark.parametrize("data", [0.0, 0.3, 1.0])
def test_terms_are_mixed_in_one_unit(objects, labels, data):
    """Predicting zero costs α of the error of predicting zero by the data, and the rest by the physics."""
    output, energy = 0.5 * objects.flip(0), float(parts(objects).square().mean())

    def mixed(share, output):
        return cost(Objective(data=share, labels=labels), output, objects, energy=energy)

    assert mixed(data, torch.zeros_like(objects)) == pytest.approx(energy, rel=1e-5)
    expected = data * mixed(1.0, output) + (1 - data) * mixed(0.0, output)
    assert mixed(data, output) == pytest.approx(expected, rel=1e-5)
    assert mixed(0.0, output) == pytest.approx(energy * cost(physics("amplitude"), output, objects), rel=1e-5)
    assert mixed(1.0, output) != pytest.approx(mixed(0.0, output), rel=0.05)


@pytest.fixture
def bent():
    """A network of some curvature from 4² inputs to 2² objects, and the spread of its inputs."""
    torch.manual_seed(2)
    layers = torch.nn.Sequential(torch.nn.Linear(16, 24), torch.nn.Tanh(), torch.nn.Linear(24, 8))
    return lambda x: layers(x.flatten(1)).reshape(-1, 2, 2, 2), 0.5 + torch.rand(4, 4)


def by_projection(network, inputs, spread):
    """‖J‖² / (2 N²) as Hoffman, Roberts & Yaida estimate it: one random direction a sample, backward."""
    inputs = (inputs / spread).requires_grad_()
    output = network(inputs * spread)
    direction = torch.randn_like(output)
    direction /= direction.square().sum((1, 2, 3), keepdim=True).sqrt()
    (gradient,) = torch.autograd.grad((output * direction).sum(), inputs)
    return gradient.square().sum((1, 2))  # C ‖vᵀJ‖² / C


def test_the_sensitivity_is_the_jacobian_in_the_mean(bent):
    """In units of the inputs' spread, and as the estimator says that the paper used."""
    network, spread = bent
    point = torch.randn(1, 4, 4)
    exact = torch.autograd.functional.jacobian(lambda x: network(x * spread), point / spread)
    norm = float(exact.square().sum()) / 8
    many = point.expand(4000, 4, 4)
    with torch.no_grad():
        output, change = sensitivity(network, many, spread)
    assert torch.equal(output, network(many))
    assert float(change.mean()) == pytest.approx(norm, rel=0.1)
    assert float(by_projection(network, many, spread).mean()) == pytest.approx(norm, rel=0.1)


def test_inputs_that_never_vary_are_not_moved(bent):
    network, spread = bent
    with torch.no_grad():
        assert not sensitivity(network, torch.randn(3, 4, 4), 0 * spread)[1].any()


def test_the_jacobian_is_added_by_its_weight(bent):
    network, spread = bent
    inputs, targets = torch.randn(7, 4, 4), torch.randn(7, 2, 2, 2)

    def of(weight):
        torch.manual_seed(3)
        return float(
            Loss(Objective(jacobian=weight), 1.0, FarField(), spread)(network, inputs, targets, 0.0).detach()
        )

    torch.manual_seed(3)
    change = float(sensitivity(network, inputs, spread)[1].mean().detach())
    assert change > 0.01
    assert of(0.5) - of(0.0) == pytest.approx(0.5 * change, rel=1e-4)


def test_what_dropout_changes_is_no_sensitivity():
    """Both passes drop the same units; else a difference of 0.03 would be drowned by that of two random networks."""
    dropout = torch.nn.Dropout(0.5)

    def network(x):
        return dropout(torch.ones(len(x), 2, 2, 2)) + 0 * x.sum()

    output, change = sensitivity(network, torch.randn(9, 4, 4), torch.ones(()))
    assert 0 < float((output == 0).float().mean()) < 1
    assert not change.any()
    assert not torch.equal(network(torch.zeros(9, 4, 4)), output)  # and the next pass drops others


@pytest.mark.parametrize(
    ("wrong", "message", "advised"),
    [
        ({"data": -0.1}, "expected data from 0, physics alone, to 1, labels alone, got -0.1", {"data": 0.0}),
        ({"data": 1.1}, "got 1.1; change it", {"data": 1.0}),
        ({"data": float("nan")}, "got nan", {"data": 0.5}),
        ({"jacobian": -1.0}, "expected jacobian of at least 0, got -1; 1e-3 is a beginning", {"jacobian": 1e-3}),
        (
            {"labels": "aftre"},
            "labels out of before, centred, phase, after, natural, invariant, got 'aftre'",
            {"labels": "after"},
        ),
        (
            {"physics": "phase"},
            "expected physics out of amplitude, amplitude-l1, intensity, got 'phase'",
            {"physics": "intensity"},
        ),
        (
            {"data": 0.0, "low_pass": (0.5, 1.5)},
            r"not larger, got \[0.5, 1.5\]; \[1.5, 0.75\]",
            {"data": 0.0, "low_pass": (1.5, 0.75)},
        ),
        ({"data": 0.0, "low_pass": (1.0, -0.1)}, r"got \[1.0, -0.1\]", {"data": 0.0, "low_pass": (1.0, 0.0)}),
        (
            {"data": 0.0, "low_pass": (1.0,)},
            r"a first width and a last one .*, got \[1.0\]",
            {"data": 0.0, "low_pass": None},
        ),
        ({"low_pass": (1.5, 0.75)}, "expected low_pass with data below 1", {}),
    ],
)
@pytest.mark.usefixtures("no_shape_checks")
def test_what_is_no_objective_is_refused(wrong, message, advised):
    with pytest.raises(ValueError, match=message):
        Objective(**wrong)
    Objective(**advised)


def test_an_objective_asks_for_the_labels_that_it_uses_and_no_others():
    for options, needed in (
        ({}, "before"),
        ({"labels": "phase"}, "phase"),
        ({"labels": "natural", "data": 0.3}, "natural"),
        ({"labels": "after", "data": 0.0}, "before"),  # the pattern is the same
        ({"labels": "invariant"}, "before"),
    ):
        assert Objective(**options).training_set == needed
