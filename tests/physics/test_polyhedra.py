"""Crystals in three dimensions."""

import numpy as np
import pytest
import scipy.ndimage
import torch
from scipy.spatial import ConvexHull

from farfield.physics import polyhedra


@pytest.fixture(scope="module")
def crystals():
    return polyhedra.simulate(6, 24, 2)


def test_they_are_convex_and_inside_their_frame(crystals):
    assert crystals.shape == (6, 24, 24, 24)
    assert crystals.dtype == torch.complex64
    for crystal in crystals.abs().numpy():
        inside = crystal > 0.5
        assert abs(crystal[inside] - 1).max() < 1e-6
        assert not crystal[~inside].any()
        assert scipy.ndimage.label(inside, np.ones((3, 3, 3)))[1] == 1  # the pixel of a sharp corner lies askew
        assert not any(inside.take(edge, axis).any() for axis in range(3) for edge in (0, -1))
        points = torch.nonzero(torch.from_numpy(inside)).numpy()
        hull = ConvexHull(points)
        every = torch.cartesian_prod(*[torch.arange(24)] * 3).numpy()
        within = (every @ hull.equations[:, :3].T + hull.equations[:, 3] <= 1e-9).all(1)
        assert within.sum() == inside.sum()  # no other pixel lies between theirs


def test_a_dislocation_runs_through_each(crystals):
    """Around its line the phase winds once: nowhere else does a loop of four pixels."""
    for crystal in crystals:
        wound = 0
        for axis in range(3):
            planes = crystal.movedim(axis, 0)
            corners = planes[:, :-1, :-1], planes[:, 1:, :-1], planes[:, 1:, 1:], planes[:, :-1, 1:]
            turns = [(b * a.conj()).angle() for a, b in zip(corners, (*corners[1:], corners[0]), strict=True)]
            whole = torch.stack([x.abs() for x in corners]).amin(0) > 0.5
            wound += int(((sum(turns).abs() > 3) & whole).sum())
        assert 1 <= wound < 60


def test_a_shorter_set_is_a_prefix(crystals):
    assert torch.equal(polyhedra.simulate(2, 24, 2), crystals[:2])
    assert not torch.equal(polyhedra.simulate(1, 24, 3), crystals[:1])


@pytest.mark.parametrize(("arguments", "name"), [((0, 24, 1), "count"), ((1, 8, 1), "size"), ((1, 24, -1), "seed")])
def test_what_is_out_of_range_is_refused(arguments, name):
    with pytest.raises(ValueError, match=f"expected {name} as an integer of at least"):
        polyhedra.simulate(*arguments)
