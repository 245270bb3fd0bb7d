from pathlib import Path

import pytest
import skimage.io
import torch

from farfield import iterative
from farfield.iterative import ALGORITHMS, RecipeError, Shrinkwrap, judging, parse, rounds, shrinkwrap, workers
from farfield.iterative.projections import project_modulus
from farfield.physics import crystals
from farfield.physics.diffraction import measure, photon_noise
from farfield.symmetry import metrics
from farfield.symmetry.actions import align

GAUSSIAN = torch.exp(-(torch.linspace(-2, 2, 16) ** 2) - torch.linspace(-2, 2, 16)[:, None] ** 2)
BAD_CORNER = GAUSSIAN.clone()
BAD_CORNER[14, 1] = 2.0**32


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
        ("20*HIP", "an algorithm out of ER, HIO, RAAR, DM, ALM, AD", 4),
        ("20 HIO", "'*'", 4),
        ("2*(3*ER", r"'\)' or '\+'", 8),
        ("3*ER)", "'\\+' or the end", 5),
        ("0*ER", "a count of at least 1", 1),
        ("3*ER+", "a count", 6),
        ("3*ER-2*HIO", "'\\+' or the end", 5),
        ("HIO**20*ER", r"'\+' or the end \(a count stands before its algorithm, as in 50\*HIO\)", 4),
        (101 * "(" + "ER" + 101 * ")", "at most 100 brackets", 101),
    ],
)
def test_a_parse_error_points_at_the_character(recipe, expected, character):
    with pytest.raises(RecipeError, match=f"expected {expected}.* at character {character}:") as error:
        parse(recipe)
    assert str(error.value).splitlines()[-1] == "  " + " " * (character - 1) + "^"


@pytest.mark.parametrize("name", ["MY_ER", "HIO2", "Mine"])
def test_an_algorithm_is_named_as_it_is_written(monkeypatch, name):
    monkeypatch.setitem(ALGORITHMS, name, ALGORITHMS["ER"])
    assert parse(f"3*{name}+hio") == [(name, 3), ("HIO", 1)]


def test_the_modulus_projection_is_one():
    x = torch.randn(3, 16, 16, dtype=torch.complex64)
    amplitude = torch.rand(3, 16, 16) + 0.1
    projected = project_modulus(x, amplitude)
    assert torch.allclose(torch.fft.fft2(projected).abs(), amplitude, atol=1e-4)
    assert torch.allclose(project_modulus(projected, amplitude), projected, atol=1e-5)


def test_what_was_not_measured_keeps_its_field():
    x = torch.randn(3, 16, 16, dtype=torch.complex64)
    amplitude, free = torch.rand(3, 16, 16) + 0.1, torch.rand(3, 16, 16) < 0.3
    before, after = torch.fft.fft2(x), torch.fft.fft2(project_modulus(x, amplitude, free))
    assert torch.allclose(after[free], before[free], atol=1e-4)
    assert torch.allclose(after[~free].abs(), amplitude[~free], atol=1e-4)


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - {"AD"}))  # Adam makes a whole step of rounding errors
def test_a_solution_is_a_fixed_point_of_every_algorithm(name):
    support = torch.zeros(16, 16, dtype=torch.bool)
    support[3:9, 4:12] = True
    solution = torch.randn(2, 16, 16, dtype=torch.complex64) * support
    amplitude = torch.fft.fft2(solution).abs()
    following, image = ALGORITHMS[name](solution, lambda x: project_modulus(x, amplitude), support, 0.7, {})
    assert torch.allclose(following, solution, atol=1e-5)
    assert torch.allclose(image, solution, atol=1e-5)


def test_algorithms_are_their_published_formulas():
    x = torch.randn(8, 8, dtype=torch.complex64)
    support, beta = torch.rand(8, 8) < 0.5, 0.8
    inside = support.to(x.dtype)

    def project(iterate):
        return project_modulus(iterate, torch.ones(8, 8))

    def following(name):
        return ALGORITHMS[name](x, project, support, beta, {})[0]

    p = project(x)
    assert torch.allclose(following("ER"), inside * p)
    assert torch.allclose(following("HIO"), inside * p + (1 - inside) * (x - beta * p))
    reflected = 2 * p - x  # R_M x
    raar = beta / 2 * (2 * inside * reflected - reflected + x) + (1 - beta) * p
    assert torch.allclose(following("RAAR"), raar, atol=1e-5)
    ahead, behind = p + (p - x) / beta, inside * x - (inside * x - x) / beta
    assert torch.allclose(following("DM"), x + beta * (inside * ahead - project(behind)), atol=1e-5)


def test_shrinkwrap_finds_the_shape_of_an_object():
    image = torch.zeros(1, 64, 64, dtype=torch.complex64)
    image[0, 10:30, 20:44] = 1
    support = shrinkwrap.update(image, torch.tensor([1.0]), torch.tensor([0.5]))
    assert torch.equal(support[0], image[0].abs() > 0.5) or (support[0] != (image[0].abs() > 0.5)).sum() <= 8


def test_sigma_scales_with_the_frame_and_shrinks_to_a_floor_that_does_not():
    following = Shrinkwrap(sigma=3.0, sigma_floor=1.0, decay=0.1)
    sides = torch.tensor([32.0, 64.0])
    assert following.width(0, sides).tolist() == [3.0, 6.0]
    assert following.width(1, sides).tolist() == pytest.approx([2.7, 5.4])
    assert following.width(99, sides).tolist() == [1.0, 1.0]


def test_the_first_support_holds_the_object_wherever_the_autocorrelation_puts_it(objects):
    amplitude = torch.fft.ifftshift(measure(objects[:8]), dim=(-2, -1)).sqrt()
    support = Shrinkwrap().first_support(amplitude)
    content = (objects[:8].abs() > 0).sum((-2, -1))
    assert bool((support.sum((-2, -1)) > content).all())


def relative_error(truth, estimate):
    return metrics.symmetry_adjusted_mse(truth, estimate) / truth.abs().double().square().mean((-2, -1))


@pytest.fixture(scope="module")
def solved():
    truth = crystals.simulate(24, 32, 99)
    return truth, iterative.reconstruct(measure(truth), starts=2, seed=1)


def test_the_default_recipe_solves_noise_free_crystals(solved):
    truth, found = solved
    relative = relative_error(truth, found.objects)
    assert (relative < 1e-3).double().mean() >= 0.9
    assert relative.median() < 1e-6


def test_the_default_recipe_stands_photon_noise():
    truth = crystals.simulate(16, 32, 97)
    found = iterative.reconstruct(photon_noise(measure(truth), 1e6, seed=3), starts=3)
    assert relative_error(truth, found.objects).median() < 2e-3


@pytest.mark.parametrize("recipe", ["600*DM+100*ER", "3*(20*ER+180*HIO)+20*ER"])
def test_recipes_of_the_field_come_near(recipe):
    truth = crystals.simulate(8, 32, 96)
    found = iterative.reconstruct(measure(truth), recipe, starts=2)
    assert relative_error(truth, found.objects).median() < 0.05


def test_a_beamstop_is_left_free():
    truth = crystals.simulate(8, 32, 95)
    pattern = measure(truth)
    mask = torch.ones(64, 64, dtype=torch.bool)
    mask[31:34, 31:34] = False  # the beamstop
    mask[:, 50] = False  # a gap of the detector
    pattern[:, ~mask] = torch.nan
    found = iterative.reconstruct(pattern, starts=3, mask=mask)
    assert (relative_error(truth, found.objects) < 1e-3).double().mean() >= 0.75
    assert found.residual.median() < 1e-3


def test_a_given_support_is_where_it_begins(objects):
    support = torch.zeros(64, 64, dtype=torch.bool)
    support[10:50, 12:52] = True
    pattern = measure(objects[:3])
    first = next(iterative.watch(pattern, "5*HIO", support=support, shrinkwrap=Shrinkwrap(period=99)))
    assert (first.support.sum((-2, -1)) == 40 * 40).all()


def test_a_watched_reconstruction_ends_where_the_other_does(objects):
    pattern = measure(objects[:4])
    states = list(iterative.watch(pattern, "60*HIO+20*ER", seed=2))
    assert [state.iteration for state in states] == [20, 40, 60, 80, 80]
    assert [state.algorithm for state in states] == ["HIO"] * 3 + ["ER"] * 2
    found = iterative.reconstruct(pattern, "60*HIO+20*ER", seed=2)
    assert torch.allclose(states[-1].objects, found.objects, atol=1e-5)
    assert torch.allclose(states[-1].residual, found.residual, atol=1e-6)
    for state in states:
        assert torch.allclose(metrics.fourier_residual(pattern, state.objects), state.residual.double(), atol=1e-5)


@pytest.mark.parametrize(
    ("told", "as_measured"), [({"recipe": "20*HIO+5*ER", "starts": 2}, True), ({"budget": 800}, False)]
)
def test_starts_are_ranked_by_the_amplitudes_that_they_aim_at(objects, told, as_measured):
    counts = photon_noise(measure(objects[0]), 1e5, seed=1)
    starts = iterative.reconstruct(counts, **told).starts
    made = starts.residual.isfinite()
    of_roots = judging.rank(starts.residual, starts.pixels, torch.tensor(counts.numel()))[made]
    assert torch.allclose(starts.rank[made], of_roots) == as_measured
    assert (starts.rank[made] < of_roots).all() or as_measured  # for more of a count is chance


def test_all_starts_come_best_first_and_their_table_in_the_order_made(objects):
    pattern = measure(objects[:5])
    found = iterative.reconstruct(pattern, "60*HIO+20*ER", starts=4, keep="all")
    assert found.objects.shape == (5, 4, 64, 64)
    assert torch.equal(found.starts.residual.sort(-1).values, found.residual.sort(-1).values)
    assert (found.starts.iterations == 80).all()
    assert (found.iterations == 320).all()
    best = iterative.reconstruct(pattern, "60*HIO+20*ER", starts=4, keep="best")
    assert torch.allclose(found.objects[:, 0], best.objects)
    assert torch.allclose(found.residual[:, 0], best.residual)
    rank = found.residual / (1 - 2 * found.support.sum((-2, -1)) / 64**2)
    assert torch.equal(rank, rank.sort(-1).values)


def test_the_mean_of_starts_is_the_mean_of_the_better_half_aligned(objects):
    pattern = photon_noise(measure(objects[:6]), 1e5, seed=1)
    mean, every = (iterative.reconstruct(pattern, "90*HIO+10*ER", starts=4, keep=keep) for keep in ("mean", "all"))
    second = align(every.objects[:, 0], every.objects[:, 1])
    assert torch.allclose(mean.objects, (every.objects[:, 0] + second) / 2, atol=1e-5)
    assert torch.equal(mean.support, mean.objects != 0)
    assert torch.allclose(metrics.fourier_residual(pattern, mean.objects), mean.residual.double(), atol=1e-5)


def test_threads_change_nothing(objects):
    pattern = measure(objects[:9])
    options = {"recipe": "30*HIO+10*ER", "starts": 2}
    alone = iterative.reconstruct(pattern, **options)
    torch.set_num_threads(2)
    together = iterative.reconstruct(pattern, **options)
    one = iterative.reconstruct(pattern[0], "30*HIO+10*ER", starts=7)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert torch.equal(alone.objects, together.objects)
    assert torch.equal(one.objects, iterative.reconstruct(pattern[0], "30*HIO+10*ER", starts=7).objects)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_solves_what_a_cpu_solves():
    truth = crystals.simulate(16, 32, 99)
    found = iterative.reconstruct(measure(truth).cuda(), starts=2, seed=1)
    assert found.objects.is_cuda
    assert (relative_error(truth, found.objects.cpu()) < 1e-3).double().mean() >= 0.9


def test_a_gpu_without_memory_says_what_helps(monkeypatch, objects):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(rounds, "begin", full)
    with pytest.raises(ValueError, match="memory to hold the patterns and what is made of them, got none left"):
        iterative.reconstruct(measure(objects), dimensions=2)


FRAME = Path(__file__).parents[3] / "shared" / "data" / "Staff20-1a_S0054_00099.tif"


@pytest.mark.skipif(not FRAME.exists(), reason="the measured frame is not here")
@pytest.mark.parametrize(("options", "misfit", "apart"), [({"threshold": 0.25}, 0.025, 0.05), ({}, 0.015, 0.13)])
def test_a_measured_crystal_is_the_same_from_any_seed(options, misfit, apart):
    """Without its flat field: a looser support fits better what is no crystal's, and seeds agree less."""
    counts = torch.from_numpy(skimage.io.imread(FRAME).astype("float32"))
    pattern = torch.roll(counts, (128 - 126, 128 - 127), (0, 1))[64:192, 64:192]
    pattern = torch.where(pattern < 4, 0, pattern)
    how = {"shrinkwrap": Shrinkwrap(**options), "oversampling": 2, "keep": "best"} if options else {}
    found = [iterative.reconstruct(pattern, starts=10, seed=seed, **how) for seed in range(3)]
    assert max(float(one.residual.square()) for one in found) <= misfit
    assert not any(one.solved for one in found)
    first = found[0].objects
    for other in found[1:]:
        assert metrics.symmetry_adjusted_mse(first, other.objects) < apart * first.abs().double().square().mean()


def test_a_finer_pattern_of_the_same_objects_is_solved_as_well():
    truth = crystals.simulate(8, 32, 98)
    found = iterative.reconstruct(measure(truth, 3), starts=2, oversampling=3)
    relative = relative_error(truth, found.objects)
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
    pattern = measure(objects[:5])
    whole = iterative.reconstruct(pattern, "30*HIO+10*ER", starts=2, seed=4)
    monkeypatch.setattr(workers, "PIXELS_AT_ONCE", 2 * 64**2)
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


@pytest.mark.parametrize("option", [{"period": 0}, {"threshold": 1.0}, {"sigma": 0.0}, {"decay": 1.0}])
def test_a_shrinkwrap_that_cannot_be_is_refused(option):
    with pytest.raises(ValueError, match="expected thresholds between 0 and 1"):
        Shrinkwrap(**option)


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("pattern", "options", "message"),
    [
        (torch.ones(2, 8, 10), {}, "expected square patterns"),
        (torch.ones(9, 9), {}, "an even number of pixels a side"),
        (torch.ones(6, 6), {}, "8 or more, got 6 × 6"),
        (torch.zeros(8, 8), {}, "nothing but zeros in pattern 0; drop it"),
        (torch.ones(0, 8, 8), {}, "at least one pattern"),
        (torch.fft.ifftshift(GAUSSIAN), {}, "DC in the centre.*fftshift"),
        (BAD_CORNER, {}, r"a single pixel of pattern 0, at \(14, 1\), .* mask it \(mask=, True where measured\)"),
        (torch.ones(8, 8), {"mask": torch.zeros(8, 8, dtype=torch.bool)}, "leaves 0 %; .* invert it with ~mask"),
        (torch.eye(8), {"mask": torch.eye(8) == 0}, "nothing but zeros where measured in pattern 0; invert the mask"),
        (
            torch.ones(2, 8, 8),
            {"mask": torch.stack([torch.ones(8, 8) > 0, torch.eye(8) > 0])},
            "at least half of the pixels, got one that leaves 12 % of pattern 1; a mask is True where measured",
        ),
        (torch.ones(8, 8), {"mask": torch.ones(8, 8).int()}, "True where measured, got int32 .*; pass mask == 0 if"),
        (torch.ones(8, 8), {"mask": torch.ones(4, 4, dtype=torch.bool)}, r"a mask of booleans of shape \(8, 8\)"),
        (torch.ones(8, 8), {"support": torch.ones(8, 8)}, "a support of booleans of shape"),
        (torch.ones(8, 8), {"support": torch.ones(4, 4, dtype=torch.bool)}, "a support of booleans of shape"),
        (torch.ones(8, 8), {"support": torch.zeros(8, 8, dtype=torch.bool)}, "some pixels, got an empty one"),
        (torch.full((8, 8), 1e30), {}, "between 1e-20 and 1e.20, got 1.0e.30; rescale"),
        (torch.full((8, 8), 1e-30), {}, "between 1e-20 and 1e.20"),
        (torch.ones(8, 8), {"beta": 0}, "expected beta above 0"),
        (torch.ones(8, 8), {"keep": "worst"}, "one of consensus, group, best, mean, all, got 'worst'"),
        (-torch.ones(8, 8), {}, "NaN, infinite or negative"),
        (torch.full((8, 8), torch.nan), {}, r"NaN, infinite or negative pixels; mask them \(mask=, True where"),
        (torch.ones(8, 8, dtype=torch.int64), {}, "float torch tensor"),
        (torch.ones(8, 8, dtype=torch.complex64), {}, "float torch tensor"),
        (torch.ones(8, 8), {"starts": 0}, "expected starts as an integer of at least 1, got 0"),
        (torch.ones(8, 8), {"starts": 1.5}, "expected starts as an integer"),
        (torch.ones(8, 8), {"seed": -1}, "expected seed as an integer of at least 0, got -1"),
        (torch.ones(8, 8), {"oversampling": 0}, "expected oversampling as a number of at least 1"),
        (torch.ones(8, 8), {"shrinkwrap": {"sigma": 1}}, "expected shrinkwrap as a Shrinkwrap"),
        (torch.ones(8, 8), {"recipe": 5}, "expected a recipe as a text, got 5"),
        ([1], {"mask": torch.ones(8, 8, dtype=torch.bool)}, "a float torch tensor of shape .*got list"),
        (torch.ones(8, 8), {"recipe": "5*HOI"}, "an algorithm out of"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(pattern, options, message):
    with pytest.raises(ValueError, match=message):
        iterative.reconstruct(pattern, **options)
    if not {"starts", "keep"} & set(options):
        with pytest.raises(ValueError, match=message):
            iterative.watch(pattern, **options)
