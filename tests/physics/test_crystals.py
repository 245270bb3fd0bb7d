import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.restoration import unwrap_phase

from farfield.physics import crystals
from farfield.physics.crystals import Dislocation, dislocation_phase
from farfield.symmetry import metrics


def test_mean_fill_is_the_published_one():
    magnitude = crystals.simulate(600, 32, 0).abs()
    assert set(magnitude.unique().round(decimals=5).tolist()) == {0.0, 1.0}
    fill = (magnitude > 0).float().mean((-2, -1))
    assert float(fill.mean()) == pytest.approx(0.278, abs=3 * float(fill.std()) / 600**0.5)
    assert float(fill.min()) >= 0.13
    assert float(fill.max()) <= 0.42


def test_a_shorter_set_is_a_prefix_and_seeds_differ():
    assert torch.equal(crystals.simulate(9, 24, 5)[:4], crystals.simulate(4, 24, 5))
    assert not torch.equal(crystals.simulate(4, 24, 5), crystals.simulate(4, 24, 6))


def test_crystals_are_in_one_piece_and_lie_anywhere():
    masks = (crystals.simulate(300, 32, 1).abs() > 0).numpy()
    assert all(ndimage.label(mask)[1] == 1 for mask in masks)
    centres = np.array([ndimage.center_of_mass(mask) for mask in masks])
    assert np.all(centres.std(axis=0) > 1.5)
    assert np.allclose(centres.mean(axis=0), 15.5, atol=0.6)


def winding(phase: np.ndarray, row: float, column: float, radius: float) -> float:
    """Turns of the phase along a circle."""
    angle = np.linspace(0, 2 * np.pi, 400)
    places = [row + radius * np.sin(angle), column + radius * np.cos(angle)]
    circle = np.exp(1j * phase)
    values = ndimage.map_coordinates(circle.real, places) + 1j * ndimage.map_coordinates(circle.imag, places)
    return float(np.angle(values[1:] / values[:-1]).sum() / (2 * np.pi))


@pytest.mark.parametrize(("angle", "turns"), [(30, 1), (90, 0), (150, -1), (210, -1), (270, 0), (330, 1)])
@pytest.mark.parametrize("scattering", [0.0, 1.1, 4.0])
def test_phase_winds_by_q_dot_b_around_an_edge_dislocation(angle, turns, scattering):
    defect = Dislocation(31.3, 30.6, scattering - np.deg2rad(angle), 0)
    phase = dislocation_phase(defect, scattering, 64)
    assert winding(phase, 31.3, 30.6, 12) == pytest.approx(turns, abs=0.02)


@pytest.mark.parametrize("turns", [-1, 1])
def test_phase_winds_around_a_screw_dislocation(turns):
    phase = dislocation_phase(Dislocation(20.2, 30.6, 0.0, turns), 0.3, 64)
    assert winding(phase, 20.2, 30.6, 9) == pytest.approx(turns, abs=0.02)
    assert winding(phase, 45.0, 45.0, 9) == pytest.approx(0, abs=0.02)


def test_the_displacement_is_that_of_the_textbook():
    """u_x along b and u_y across it, at one place, from the formulas of Hirth & Lothe with Q along or across b."""
    x, y, nu = 7.0, 4.0, crystals.POISSON_RATIO
    r2 = x**2 + y**2 + crystals.CORE_RADIUS**2
    along = np.arctan2(y, x) + x * y / (2 * (1 - nu) * r2)
    across = -((1 - 2 * nu) / (4 * (1 - nu)) * np.log(r2) + (x**2 - y**2) / (4 * (1 - nu) * r2))
    defect = Dislocation(20, 20, 0.0, 0)
    scale = crystals.FIRST_ORDER
    assert dislocation_phase(defect, 0.0, 64)[24, 27] == pytest.approx(scale * along)
    assert dislocation_phase(defect, np.pi / 2, 64)[24, 27] == pytest.approx(scale * across)


def test_without_defects_the_phase_is_constant():
    items = crystals.simulate(20, 24, 3, defects=(0, 0))
    for item in items:
        inside = item[item != 0]
        assert torch.allclose(inside, inside[0].expand_as(inside), atol=1e-5)


def test_strained_crystals_have_the_shapes_of_the_study_and_other_phases():
    study, strained = crystals.simulate(12, 24, 5), crystals.simulate(12, 24, 5, kind="strained")
    assert torch.equal(study != 0, strained != 0)
    assert torch.allclose(strained.abs(), study.abs())
    assert metrics.symmetry_adjusted_mse(study, strained).min() > 0.01
    assert torch.equal(crystals.simulate(3, 24, 5, kind="strained"), strained[:3])
    assert not torch.equal(crystals.simulate(3, 24, 6, kind="strained"), strained[:3])


def test_a_strained_crystal_is_a_smooth_strain_and_two_partial_dislocations_inside(monkeypatch):
    drawn = []

    def recorded(dislocation, scattering, size):
        drawn.append(dislocation)
        return dislocation_phase(dislocation, scattering, size)

    monkeypatch.setattr(crystals, "dislocation_phase", recorded)
    items = crystals.simulate(60, 32, 4, kind="strained").numpy()
    assert len(drawn) == 2 * len(items)
    turns = np.array([defect.screw for defect in drawn])
    assert np.abs(turns - turns.round()).min() > 0
    assert np.abs(turns).max() <= 2
    assert turns.std() == pytest.approx(4 / 12**0.5, rel=0.1)
    for item, pair in zip(items, zip(drawn[::2], drawn[1::2], strict=True), strict=True):
        mask = item != 0
        assert all(mask[round(defect.row), round(defect.column)] for defect in pair)
        smooth = item * np.exp(-1j * sum(dislocation_phase(defect, 0.0, 32) for defect in pair))
        steps = np.angle(smooth[1:] / np.where(mask, smooth, 1)[:-1])[mask[1:] & mask[:-1]]
        assert np.abs(steps).max() < 1.5  # no jump is left
        strain = unwrap_phase(np.ma.array(np.angle(smooth), mask=~mask))
        assert strain.std() == pytest.approx(1, abs=1e-4)


def test_a_partial_dislocation_turns_the_phase_by_what_it_jumps_at_its_fault():
    phase = dislocation_phase(Dislocation(20.2, 30.6, 0.0, 1.3), 0.0, 64)
    jump = phase[21] - phase[20]
    assert jump[:15] == pytest.approx(1.3 * 2 * np.pi, abs=0.15)
    assert np.abs(jump[45:]).max() < 0.15


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count of at least 1, got 0"),
        ({"size": 4}, "size of at least 8 pixels, got 4"),
        ({"fill": 0.9}, "fill from 0.05 to 0.35, got 0.9"),
        ({"defects": (3, 1)}, r"defects as \(fewest, most\), got \(3, 1\)"),
        ({"kind": "hard"}, "kind as one of dislocated, strained, got 'hard'; choose one"),
        (
            {"kind": "strained", "defects": (1, 3)},
            r"no defects, as strained crystals have 2, got \(1, 3\)",
        ),
    ],
)
@pytest.mark.usefixtures("no_shape_checks")
def test_bad_input_is_refused_in_a_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        crystals.simulate(**{"count": 1, "size": 16, "seed": 0, **arguments})
