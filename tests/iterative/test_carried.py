"""Algorithms that carry state over a step of a recipe: ALM and AD."""

from functools import partial

import numpy as np
import pytest
import scipy.optimize
import torch

from farfield import iterative
from farfield.iterative import ALGORITHMS, Shrinkwrap, adam, descent, lagrangian, starts
from farfield.iterative.patterns import read_patterns
from farfield.iterative.projections import project_modulus
from farfield.iterative.recipe import parse
from farfield.machine.passes import relax
from farfield.physics import crystals
from farfield.physics.diffraction import measure, to_frame
from farfield.symmetry.sa_mse import symmetry_adjusted_mse

FIXED = Shrinkwrap(period=10_000)


def small(count: int, seed: int = 0, side: int = 16):
    """Make complex noise in a box of a quarter of the frame: objects, the support, and the modulus projection."""
    support = torch.zeros(count, side, side, dtype=torch.bool)
    support[:, 2 : 2 + side // 2, 3 : 2 + side // 2] = True
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randn(count, side, side, dtype=torch.complex64, generator=generator) * support
    noise = torch.randn(count, side, side, dtype=torch.complex64, generator=generator)
    return truth, support, partial(project_modulus, amplitude=torch.fft.fft2(truth).abs()), noise


def rounds(name, iterate, project, support, count, forget=False):
    """Iterate by hand; `forget` what is carried after each iteration or not."""
    carried = {}
    for _ in range(count):
        iterate, shown = ALGORITHMS[name](iterate, project, support, 0.8, {} if forget else carried)
    return iterate, shown


def test_algorithms_without_a_state_are_plain_loops(objects):
    patterns = read_patterns(measure(objects[:5]))
    options = starts.Options(parse("7*HIO+6*RAAR+5*DM+4*ER"), FIXED, 0.8, 3, torch.full((5,), 32.0), None, None)
    run = starts.begin(patterns, options, torch.ones(5, dtype=torch.int64))
    x, inside = run.iterate.clone(), run.support.clone()
    p = partial(project_modulus, amplitude=patterns.amplitude)
    for _ in range(7):
        x = relax(x, p(x), inside, 1.0, -0.8)
    for _ in range(6):
        x = relax(x, p(x), inside, 0.8, 1 - 2 * 0.8)
    for _ in range(5):
        shown = p(relax(x, x, inside, 1 / 0.8, 0.0))
        x = relax(x, p(x) * (1 + 0.8), inside, 1.0, 0.0).sub_(shown, alpha=0.8)
    for _ in range(4):
        image = p(x)
        x = relax(x, image, inside, 0.0, 0.0)
    assert list(run.iterate_all()) == ["ER"]
    assert torch.equal(run.iterate, x)
    assert torch.equal(run.objects, image * inside)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["HIO", "RAAR"])
def test_an_algorithm_written_as_a_function_makes_the_same_numbers(monkeypatch, objects, name, masked):
    """Those of the house are made many at a time on a CPU, one of a user one by one."""

    def mine(iterate, project, support, beta, carried):
        return ALGORITHMS[name](iterate, project, support, beta, carried)

    monkeypatch.setitem(ALGORITHMS, "MINE", mine)
    mask = torch.ones(64, 64, dtype=torch.bool)
    mask[40:42] = not masked
    options = {"mask": mask if masked else None, "starts": 2, "seed": 3}
    found, same = (iterative.reconstruct(measure(objects[:3]), f"33*{x}+7*ER", **options) for x in (name, "MINE"))
    assert torch.equal(found.objects, same.objects)
    assert torch.equal(found.support, same.support)


@pytest.mark.parametrize("name", ["ALM", "AD"])
def test_patterns_that_leave_take_nothing_from_the_others(objects, name):
    """The first is solved before the others, which then go on as if each were alone."""
    pattern, framed = measure(objects[:4]), to_frame(objects[:4], 64, 64)
    start = torch.cat([framed[:1], iterative.blob(64).expand(3, -1, -1)])
    support, options = framed.abs() > 0, {"recipe": f"2*ER+2*(6*{name}+2*ER)", "shrinkwrap": FIXED}
    together = iterative.reconstruct(pattern, start=start, support=support, **options)
    assert together.iterations.tolist() == [2, 18, 18, 18]
    for index in range(4):
        alone = iterative.reconstruct(pattern[index], start=start[index], support=support[index], **options)
        assert torch.allclose(alone.objects, together.objects[index], atol=1e-4)


def test_what_is_carried_begins_anew_with_each_step(monkeypatch, objects):
    seen = []

    def count(iterate, project, support, beta, carried):
        carried["count"] = carried.get("count", torch.zeros(len(iterate))) + 1
        seen.append(carried["count"].tolist())
        return iterate, project(iterate)

    monkeypatch.setitem(ALGORITHMS, "COUNT", count)
    iterative.reconstruct(measure(objects[:2]), "2*(3*COUNT+ER)")
    assert seen == [[1, 1], [2, 2], [3, 3]] * 2


def reference(z, amplitude, multiplier, outside):
    """Return the Lagrangian of one frame and its gradient, as formulas in double precision."""
    z = z[: z.size // 2].reshape(amplitude.shape) + 1j * z[z.size // 2 :].reshape(amplitude.shape)
    field = np.fft.fft2(z)
    misfit, beyond = z - np.fft.ifft2(amplitude * np.exp(1j * np.angle(field))), z * outside
    value = (np.abs(misfit) ** 2).sum() / 2 + (multiplier.conj() * beyond).real.sum()
    gradient = misfit + multiplier + lagrangian.PENALTY * beyond
    value += lagrangian.PENALTY / 2 * (np.abs(beyond) ** 2).sum()
    return value, np.concatenate([gradient.real.ravel(), gradient.imag.ravel()])


def test_one_round_finds_the_minimum_that_scipy_finds(monkeypatch):
    monkeypatch.setattr(lagrangian, "ROUND", 200)
    monkeypatch.setattr(lagrangian, "PENALTY", 0.5)  # a sharper minimum than the true one
    truth, support, project, noise = small(3)
    multiplier = (0.03 * noise.flip(0)).masked_fill(support, 0)
    begin, carried = truth + 0.1 * noise, {"multiplier": multiplier.clone()}
    found, shown = ALGORITHMS["ALM"](begin, project, support, 0.8, carried)
    assert torch.allclose(shown, project(found))
    after = multiplier + lagrangian.PENALTY * found * ~support
    assert torch.allclose(carried["multiplier"], after, atol=1e-6)
    for index in range(3):
        amplitude = np.abs(np.fft.fft2(truth[index].numpy().astype(complex)))
        fixed = amplitude, multiplier[index].numpy(), ~support[index].numpy()
        x, mine = (np.concatenate([z.real.ravel(), z.imag.ravel()]) for z in (begin[index], found[index]))
        best = scipy.optimize.minimize(
            reference, x, fixed, "L-BFGS-B", jac=True, options={"maxiter": 3000, "ftol": 1e-14, "gtol": 1e-8}
        )
        assert best.fun < reference(x, *fixed)[0] - 1
        assert reference(mine.astype(float), *fixed)[0] == pytest.approx(best.fun, rel=1e-5)


def test_lbfgs_descends_each_of_a_batch_as_if_alone():
    """Quadratic forms of condition 1 to 1e4, whose minimum is at one: L-BFGS with all pairs needs few iterations."""
    curvature = torch.stack([torch.ones(20), torch.logspace(0, 2, 20), torch.logspace(-2, 2, 20)])
    calls = []

    def form(weights):
        def objective(x):
            calls.append(len(x))
            return (weights * (x - 1) ** 2).sum(-1, keepdim=True) / 2, weights * (x - 1)

        return objective

    together = lagrangian.minimise(form(curvature), torch.zeros(3, 20), 200)
    assert torch.allclose(together, torch.ones(3, 20), atol=1e-3)
    assert len(calls) < 250
    for index in range(3):
        alone = lagrangian.minimise(form(curvature[index : index + 1]), torch.zeros(1, 20), 200)
        assert torch.allclose(alone[0], together[index], atol=1e-4)


def test_the_pixels_of_supports_are_unknowns_whatever_their_neighbours():
    support = torch.zeros(4, 16, 16, dtype=torch.bool)
    for index, side in enumerate((4, 7, 16, 5)):
        support[index, :side, 2 : 2 + side] = True
    images = torch.randn(4, 16, 16, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    seen = []
    for which, unknowns in descent.alike(support):
        points = unknowns.points(images[which])
        assert torch.equal(unknowns.images(points), images[which] * support[which])
        for row, index in enumerate(which.tolist()):
            ((_, alone),) = descent.alike(support[index : index + 1])
            assert torch.equal(alone.points(images[index : index + 1])[0], points[row])
        seen += which.tolist()
    assert sorted(seen) == [0, 1, 2, 3]
    ((everything, _),) = descent.alike(support[[0, 3]])
    assert everything == slice(None)


def test_multipliers_hold_what_a_penalty_alone_does_not():
    truth, support, project, noise = small(4, seed=1)
    begin = truth + noise

    def beyond(forget):
        return (rounds("ALM", begin, project, support, 60, forget)[0] * ~support).abs().square().sum((-2, -1))

    assert (beyond(False) < 0.1 * beyond(True)).all()


def test_multipliers_follow_the_support():
    truth, support, project, noise = small(2)
    carried = {}
    ALGORITHMS["ALM"](truth + noise, project, support, 0.8, carried)
    assert not carried["multiplier"][support].any()
    assert carried["multiplier"][~support].all()
    wider = support | support.roll(3, -1)
    ALGORITHMS["ALM"](truth + noise, project, wider, 0.8, carried)
    assert not carried["multiplier"][wider].any()


def test_alm_solves_crystals_from_random_starts_with_their_support():
    truth = crystals.simulate(8, 16, 5)
    support = to_frame(truth.abs() > 0, 32, 32)
    found = iterative.reconstruct(measure(truth), "60*ALM", starts=2, support=support, shrinkwrap=FIXED)
    relative = symmetry_adjusted_mse(truth, found.objects) / truth.abs().double().square().mean((-2, -1))
    assert (relative < 1e-3).double().mean() >= 0.75
    assert torch.equal(found.support.sum((-2, -1)), support.sum((-2, -1)))


def test_alm_leaves_free_what_was_not_measured():
    truth, support, _, noise = small(3)
    free = torch.zeros(3, 16, 16, dtype=torch.bool)
    free[:, 0, 0], free[:, :, 8] = True, True
    amplitude = torch.fft.fft2(truth).abs().masked_fill(free, 0)

    def error(free):
        project = partial(project_modulus, amplitude=amplitude, free=free)
        _, shown = rounds("ALM", truth + 0.1 * noise, project, support, 30)
        return (shown * support - truth).abs().square().mean()

    assert error(free) < 0.01 * error(None)


def test_ad_is_the_adam_of_torch():
    truth, support, project, noise = small(1)
    begin = (truth + 0.5 * noise) * support
    scale = float(torch.view_as_real(begin).square().sum() / support.sum()) ** 0.5
    x = torch.view_as_real(begin).clone().requires_grad_()
    optimiser = torch.optim.Adam([x], adam.RATE * scale, betas=adam.MOMENTS, eps=adam.LEAST * scale)
    amplitude = torch.fft.fft2(truth, norm="ortho").abs()
    for _ in range(25):
        optimiser.zero_grad()
        field = torch.fft.fft2(torch.view_as_complex(x) * support, norm="ortho")
        ((field.abs() - amplitude).square().sum() / 2).backward()
        optimiser.step()
    found, _ = rounds("AD", begin, project, support, 25)
    assert torch.allclose(found, torch.view_as_complex(x.detach()), atol=1e-3 * scale)
    assert (found - begin).abs().max() > 0.1 * scale


def test_ad_lessens_the_misfit_at_any_scale(objects):
    pattern, support = measure(objects[:4]), to_frame(objects[:4].abs() > 0, 64, 64)
    before, after, large = (
        iterative.reconstruct(factor * pattern, recipe, support=support, shrinkwrap=FIXED, seed=2)
        for factor, recipe in ((1, "ER"), (1, "100*AD"), (1e6, "100*AD"))
    )
    assert (after.residual < 0.5 * before.residual).all()
    assert torch.allclose(large.residual, after.residual, atol=1e-3)
