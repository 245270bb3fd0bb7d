import pytest
import torch

from farfield import crystals, iterative, metrics
from farfield.diffraction import measure
from farfield.iterative import ALGORITHMS, RecipeError, Shrinkwrap, parse
from farfield.iterative.projections import project_modulus


@pytest.mark.parametrize(
    ("recipe", "steps"),
    [
        ("ER", [("ER", 1)]),
        ("20*HIO", [("HIO", 20)]),
        ("2*(450*HIO+50*ER)", [("HIO", 450), ("ER", 50)] * 2),
        ("3*(20*ER+180*HIO)+20*ER", [("ER", 20), ("HIO", 180)] * 3 + [("ER", 20)]),
        (" 2 * ( 2*( hio + 3*ER ) ) ", [("HIO", 1), ("ER", 3)] * 4),
    ],
)
def test_recipes_are_read_in_the_fields_algebra(recipe, steps):
    assert parse(recipe) == steps


@pytest.mark.parametrize(
    ("recipe", "expected", "character"),
    [
        ("", r"a count, '\(' or an algorithm", 1),
        ("20*HIP", "an algorithm out of ER, HIO, RAAR", 4),
        ("20 HIO", "'*'", 4),
        ("2*(3*ER", r"'\)' or '\+'", 8),
        ("3*ER)", "'\\+' or the end", 5),
        ("0*ER", "a count of at least 1", 1),
        ("3*ER+", "a count", 6),
        ("3*ER-2*HIO", "'\\+' or the end", 5),
    ],
)
def test_a_parse_error_points_at_the_character(recipe, expected, character):
    with pytest.raises(RecipeError, match=f"expected {expected}.* at character {character}:") as error:
        parse(recipe)
    assert str(error.value).splitlines()[-1] == "  " + " " * (character - 1) + "^"


def test_the_modulus_projection_is_one():
    x = torch.randn(3, 16, 16, dtype=torch.complex64)
    amplitude = torch.rand(3, 16, 16) + 0.1
    projected = project_modulus(x, amplitude)
    assert torch.allclose(torch.fft.fft2(projected).abs(), amplitude, atol=1e-4)
    assert torch.allclose(project_modulus(projected, amplitude), projected, atol=1e-5)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_solution_is_a_fixed_point_of_every_algorithm(name):
    support = torch.zeros(16, 16, dtype=torch.bool)
    support[3:9, 4:12] = True
    solution = torch.randn(16, 16, dtype=torch.complex64) * support
    assert torch.allclose(ALGORITHMS[name](solution, solution, support, 0.7), solution)


def test_algorithms_are_their_published_formulas():
    x, p = (torch.randn(8, 8, dtype=torch.complex64) for _ in range(2))
    support = torch.rand(8, 8) < 0.5
    inside, beta = support.to(x.dtype), 0.8
    assert torch.allclose(ALGORITHMS["ER"](x, p, support, beta), inside * p)
    assert torch.allclose(ALGORITHMS["HIO"](x, p, support, beta), inside * p + (1 - inside) * (x - beta * p))
    reflected = 2 * p - x  # R_M x
    raar = beta / 2 * (2 * inside * reflected - reflected + x) + (1 - beta) * p
    assert torch.allclose(ALGORITHMS["RAAR"](x, p, support, beta), raar, atol=1e-5)


def test_shrinkwrap_finds_the_shape_of_an_object():
    image = torch.zeros(1, 64, 64, dtype=torch.complex64)
    image[0, 10:30, 20:44] = 1
    support = Shrinkwrap(threshold=0.5).update(image, 1.0)
    assert torch.equal(support[0], image[0].abs() > 0.5) or (support[0] != (image[0].abs() > 0.5)).sum() <= 8


def test_sigma_shrinks_to_its_floor_and_scales_with_the_frame():
    shrinkwrap = Shrinkwrap(sigma=3.0, sigma_floor=1.0, decay=0.1)
    assert shrinkwrap.width(0, 32.0) == 3.0
    assert shrinkwrap.width(1, 32.0) == pytest.approx(2.7)
    assert shrinkwrap.width(99, 32.0) == 1.0
    assert shrinkwrap.width(99, 64.0) == 2.0


def test_the_first_support_holds_the_object_wherever_the_autocorrelation_puts_it(objects):
    amplitude = torch.fft.ifftshift(measure(objects[:8]), dim=(-2, -1)).sqrt()
    support = Shrinkwrap().first_support(amplitude)
    content = (objects[:8].abs() > 0).sum((-2, -1))
    assert bool((support.sum((-2, -1)) > content).all())


@pytest.fixture(scope="module")
def solved():
    truth = crystals.simulate(24, 32, 99)
    return truth, iterative.reconstruct(measure(truth), starts=2, seed=1)


def test_the_default_recipe_solves_noise_free_crystals(solved):
    truth, found = solved
    relative = (
        metrics.symmetry_adjusted_mse(truth, found.objects) / truth.abs().double().square().mean((-2, -1))
    ).sqrt()
    assert (relative < 1e-3).double().mean() >= 0.9
    assert relative.median() < 1e-4


def test_a_finer_pattern_of_the_same_objects_is_solved_as_well():
    truth = crystals.simulate(8, 32, 98)
    found = iterative.reconstruct(measure(truth, 3), starts=2, oversampling=3)
    relative = (
        metrics.symmetry_adjusted_mse(truth, found.objects) / truth.abs().double().square().mean((-2, -1))
    ).sqrt()
    assert (relative < 1e-3).double().mean() >= 0.75


def test_the_residual_is_that_of_the_objects(solved):
    truth, found = solved
    again = metrics.fourier_residual(measure(truth), found.objects)
    assert torch.allclose(again, found.residual.double(), atol=2e-6)


def test_results_lie_in_the_centre_and_inside_their_support(solved):
    _, found = solved
    outside = found.objects.abs() * ~found.support
    assert not outside.any()
    magnitude = found.objects.abs()
    border = torch.cat([magnitude[:, [0, -1]].flatten(1), magnitude[:, :, [0, -1]].flatten(1)], 1)
    assert not border[found.residual < 1e-3].any()


def test_a_start_depends_on_seed_pattern_and_number_alone(monkeypatch, objects):
    import sys

    pattern = measure(objects[:5])
    whole = iterative.reconstruct(pattern, "30*HIO+10*ER", starts=2, seed=4)
    monkeypatch.setattr(sys.modules["farfield.iterative.reconstruct"], "PIXELS_AT_ONCE", 2 * 64**2)
    chunked = iterative.reconstruct(pattern, "30*HIO+10*ER", starts=2, seed=4)
    assert torch.allclose(whole.objects, chunked.objects, atol=1e-4)
    assert not torch.allclose(whole.objects, iterative.reconstruct(pattern, "30*HIO+10*ER", starts=2, seed=5).objects)


def test_more_starts_never_have_a_larger_residual(objects):
    pattern = measure(objects[:6])
    one = iterative.reconstruct(pattern, "60*HIO+20*ER", starts=1, seed=0)
    three = iterative.reconstruct(pattern, "60*HIO+20*ER", starts=3, seed=0)
    assert bool((three.residual <= one.residual).all())
    assert bool((three.residual < one.residual).any())


def test_any_batch_shape(objects):
    pattern = measure(objects[:4])
    found = iterative.reconstruct(pattern.reshape(2, 2, 64, 64), "10*ER")
    assert found.objects.shape == (2, 2, 64, 64)
    assert found.residual.shape == (2, 2)
    single = iterative.reconstruct(pattern[0], "10*ER")
    assert torch.allclose(single.objects, found.objects[0, 0], atol=1e-5)


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("pattern", "options", "message"),
    [
        (torch.ones(2, 8, 10), {}, "expected square patterns"),
        (-torch.ones(8, 8), {}, "NaN, infinite or negative"),
        (torch.full((8, 8), torch.nan), {}, "NaN, infinite or negative"),
        (torch.ones(8, 8, dtype=torch.int64), {}, "float torch tensor"),
        (torch.ones(8, 8), {"starts": 0}, "expected at least 1 start, got 0"),
        (torch.ones(8, 8), {"recipe": "5*HOI"}, "an algorithm out of"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(pattern, options, message):
    with pytest.raises(ValueError, match=message):
        iterative.reconstruct(pattern, **options)
