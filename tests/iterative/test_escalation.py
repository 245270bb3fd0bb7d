"""Escalating starts: what they solve, for how many iterations, and that nothing but (seed, pattern) decides."""

import itertools

import pytest
import torch

from farfield import iterative
from farfield.iterative import escalation
from farfield.iterative.asking import read_asked
from farfield.physics import crystals
from farfield.physics.diffraction import measure, photon_noise
from farfield.symmetry import metrics

COUNT = 12


@pytest.fixture(scope="module")
def objects():
    return crystals.simulate(COUNT, 32, 45)


@pytest.fixture(scope="module")
def found(objects):
    return iterative.reconstruct(measure(objects))


def errors(objects, found):
    """SA-MSE relative to predicting zero."""
    return metrics.symmetry_adjusted_mse(objects, found.objects) / objects.abs().square().mean((-2, -1))


def test_short_starts_solve_for_fewer_iterations_than_a_long_one(objects, found):
    solved = errors(objects, found) < 1e-3
    assert solved.sum() >= COUNT - 1
    assert torch.equal(found.solved, solved)
    long = iterative.reconstruct(measure(objects), starts=1, keep="best")
    assert found.iterations.sum() < long.iterations.sum() / 2
    assert found.residual[solved].max() < 1e-4


def test_with_noise_starts_end_when_the_noise_is_all_that_is_left(objects):
    counts = photon_noise(measure(objects), 1e6, seed=2)
    made = iterative.reconstruct(counts)
    right = errors(objects, made) < 1e-2
    assert right.sum() >= COUNT - 3
    assert made.iterations[right].double().median() <= 1500
    assert (made.deviance[right] - 1).abs().max() < 0.2


@pytest.mark.parametrize("budget", [escalation.LEAST, 700, 1300])
def test_no_pattern_takes_more_than_its_budget(objects, budget):
    clean = measure(objects)
    for patterns in (clean, photon_noise(clean, 1e6, seed=2)):
        made = iterative.reconstruct(patterns, budget=budget)
        assert (made.iterations <= budget).all()
        assert (made.iterations > 0).all()
        assert torch.equal(made.iterations >= made.starts.iterations.sum(-1), torch.ones(COUNT, dtype=torch.bool))


def test_neither_cores_nor_neighbours_decide(objects, found):
    for count in (2, 1):
        torch.set_num_threads(count)
        part = iterative.reconstruct(measure(objects)[:3])
        assert torch.equal(part.iterations, found.iterations[:3])
        assert torch.allclose(part.objects, found.objects[:3], atol=1e-4)
    assert not torch.equal(iterative.reconstruct(measure(objects)[:3], seed=1).objects, found.objects[:3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 0}, f"budget as an integer of at least {escalation.LEAST}, got 0"),
        ({"budget": escalation.LEAST - 1}, f"at least {escalation.LEAST}"),
        ({"budget": True}, "budget as an integer"),
        ({"budget": 2000, "starts": 3}, r"got both budget= and starts; leave one out"),
        ({"budget": 2000, "keep": "all"}, r"got both budget= and keep='all'"),
        ({"starts": 0}, "starts as an integer of at least 1"),
    ],
)
def test_budgets_that_reach_no_start_or_fight_with_others_are_named(objects, options, message):
    with pytest.raises(ValueError, match=message):
        iterative.reconstruct(measure(objects[:1]), **options)


def test_starts_grow_longer_and_their_last_lengths_come_again(objects):
    options = read_asked(measure(objects[:1])).options
    made = list(itertools.islice(escalation.ladder(options, noisy=True), 18))
    assert [start.number for start in made] == list(range(18))
    assert [start.cost for start in made[-3:]] == [start.cost for start in made[-6:-3]]
    assert made[0].cost < made[4].cost < made[-1].cost
    widths = [made[-1].options.shrinkwrap.width(k, torch.tensor([32.0, 64.0])) for k in (0, 57, 115, 128)]
    assert widths[0].tolist() == [2.5, 5.0]
    assert widths[-2].tolist() == widths[-1].tolist() == pytest.approx([0.7, 0.7])
    assert (widths[1] < widths[0]).all()
    assert (widths[1] > 0.7).all()


def test_a_support_that_is_told_stays(objects):
    known = torch.zeros(COUNT, 64, 64, dtype=torch.bool)
    known[:, 16:48, 16:48] = objects != 0
    made = iterative.reconstruct(measure(objects), support=known, fixed=True)
    assert (errors(objects, made) < 1e-3).all()
    assert torch.equal(made.support.sum((-2, -1)), known.sum((-2, -1)))


def test_two_copies_half_a_frame_apart_are_no_solution(objects):
    """They have one pattern with a copy alone, to rounding, and fewer pixels than half of the frame."""
    truth = torch.zeros(1, 64, 64, dtype=torch.complex64)
    truth[0, 16:48, 16:48] = objects[5]
    twins = (truth + 1j * truth.roll(32, -1)) / 2**0.5
    assert torch.allclose(measure(twins, 1), measure(truth, 1), atol=1e-2)
    alone, both = (
        iterative.reconstruct(measure(truth, 1), "5*ER", start=x, support=x.abs() > 0.1, fixed=True)
        for x in (truth, twins)
    )
    assert both.residual[0] < 1e-4
    assert alone.solved.all()
    assert not both.solved.any()
