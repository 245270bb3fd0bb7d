"""Every problem holds to what a symmetry is: one contract for all."""

import pytest
import torch

from farfield import problems

SMALL = {
    "square-root": {},
    "real-gaussian": {"dimension": 5},
    "complex-gaussian": {"dimension": 4},
    "near-field": {"side": 16},
}


@pytest.fixture(params=problems.PROBLEMS)
def problem(request):
    return problems.PROBLEMS[request.param](**SMALL[request.param])


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-4 * float(other.abs().max()))


def test_the_measurement_does_not_see_the_action(problem):
    objects = problem.draw(40, 1)
    copies = problem.act(objects, 2)
    assert not close(copies, objects)
    assert close(problem.forward(copies), problem.forward(objects))


def test_breaking_keeps_the_measurement_and_is_idempotent(problem):
    objects = problem.draw(40, 3)
    for level in problem.levels:
        broken = problem.canonical(objects, level)
        assert close(problem.forward(broken), problem.forward(objects))
        assert close(problem.canonical(broken, level), broken)


def test_copies_break_to_one_form_at_the_highest_level_alone(problem):
    objects = problem.draw(40, 4)
    copies = problem.act(objects, 5)
    for level in problem.levels:
        same = close(problem.canonical(copies, level), problem.canonical(objects, level))
        assert same == (level == problem.levels[-1])


def test_the_error_does_not_see_the_action(problem):
    objects, estimates = problem.draw(40, 6), problem.draw(40, 7)
    assert float(problem.error(objects, problem.act(objects, 8)).abs().max()) < 1e-4
    errors = problem.error(objects, estimates)
    assert close(problem.error(objects, problem.act(estimates, 9)), errors)
    assert torch.allclose(problem.error(objects, 0 * estimates).double(), torch.tensor(1.0).double())


def test_what_cannot_be_is_refused_by_name(problem):
    with pytest.raises(ValueError, match=r"a symmetry level out of before, .*after, got 'half'"):
        problem.canonical(problem.draw(2, 0), "half")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("real-gaussian", {"dimension": 0}, "expected dimension as an integer of at least 1"),
        (
            "complex-gaussian",
            {"dimension": 5, "measurements": 4},
            "measurements as an integer of at least 5",
        ),
        ("near-field", {"side": 4}, "expected side as an integer of at least 8"),
    ],
)
def test_problems_that_cannot_be_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        problems.PROBLEMS[name](**options)
