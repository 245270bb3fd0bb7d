import pytest
import torch
from conftest import blobs, random_copy
from hypothesis import given
from hypothesis import strategies as st

from farfield.physics import crystals
from farfield.physics.diffraction import far_field, measure
from farfield.symmetry import actions

seeds = st.integers(0, 10_000)


@given(blobs(), seeds)
def test_symmetries_leave_the_pattern_unchanged(blob, seed):
    pattern = measure(blob)
    copy = measure(random_copy(blob[None], seed)[0])
    assert torch.allclose(pattern, copy, atol=1e-4 * float(pattern.max()))


@given(blobs())
def test_two_flips_are_none(blob):
    assert torch.equal(actions.conjugate_flip(actions.conjugate_flip(blob)), blob)


def test_translation_moves_down_and_right():
    frame = torch.zeros(5, 6, dtype=torch.complex64)
    frame[1, 2] = 1j
    assert actions.translate(frame, (2, -1))[3, 1] == 1j


def test_translation_out_of_the_frame_is_refused(objects):
    with pytest.raises(ValueError, match=r"keep the content inside its 32 × 32 frame, but sample \d+ would leave it"):
        actions.translate(objects, (31, 0))


@given(blobs(), seeds)
def test_breaking_chooses_one_form_for_all_copies(blob, seed):
    """Holds wherever the decision is not ill-conditioned: a random DC or Ω(1,2) may lie on the boundary."""
    conditioning = actions.conditioning(blob)
    if conditioning.dc < 1e-3 or conditioning.first < 1e-4:
        return
    broken = actions.break_symmetries(torch.stack([blob, random_copy(blob[None], seed)[0]]))
    assert torch.allclose(broken[0], broken[1], atol=2e-4 * float(blob.abs().max()))


@pytest.mark.parametrize("size", [31, 32])
def test_all_copies_of_crystals_break_to_one_form(size):
    items = crystals.simulate(200, size, 11)
    reference = actions.break_symmetries(items)
    for seed in range(3):
        copies = actions.break_symmetries(random_copy(items, seed))
        different = (copies - reference).abs().amax((-2, -1)) > 1e-4
        assert different.float().mean() <= 0.01


def test_breaking_is_idempotent_and_keeps_the_pattern(objects):
    broken = actions.break_symmetries(objects)
    assert torch.allclose(actions.break_symmetries(broken), broken, atol=1e-5)
    assert torch.allclose(measure(broken), measure(objects), atol=1e-5 * float(measure(objects).max()))


def test_broken_objects_are_in_the_representative_set(objects):
    """Ω(1,1) = 1 and Ω(1,2) in the upper half circle, referred to the exact centre, by a transform this time."""
    for item in actions.break_symmetries(objects):
        field = far_field(item).to(torch.complex128)
        assert float(field[32, 32].imag / field[32, 32].abs()) == pytest.approx(0, abs=1e-4)
        assert field[32, 32].real > 0
        columns = (item != 0).any(0).nonzero()[:, 0]
        centre = (int(columns[0]) + int(columns[-1])) / 2 - 16
        phase = torch.exp(torch.tensor(2j * torch.pi * centre / 64))
        assert float((field[32, 33] * phase).imag / field[32, 33].abs()) > -1e-4


def test_content_is_centred_and_empty_objects_stay_empty(objects):
    broken = actions.break_symmetries(torch.cat([objects[:3], torch.zeros(1, 32, 32, dtype=torch.complex64)]))
    assert not broken[3].any()
    for item in broken[:3]:
        rows = (item != 0).any(1).nonzero()[:, 0]
        assert abs(int(rows[0]) + int(rows[-1]) - 32) <= 1


def test_conditioning_tells_flips_and_small_dc(objects):
    found = actions.conditioning(objects)
    again = actions.conditioning(actions.conjugate_flip(objects))
    firm = found.first > 1e-4
    assert torch.equal(found.flipped[firm], ~again.flipped[firm])
    ring = torch.zeros(32, 32, dtype=torch.complex64)
    ring[15, 15], ring[15, 17] = 1, -1
    assert float(actions.conditioning(ring).dc) == pytest.approx(0, abs=1e-6)


def test_real_objects_that_mirror_in_one_axis_break_to_one_form():
    """Ω(1,2) is exactly real there, and Ω(2,1) decides."""
    triangle = torch.zeros(24, 24, dtype=torch.complex64)
    for row in range(9):
        triangle[6 + row, 12 - row : 12 + row + 1] = 1
    turned = triangle.T.contiguous()
    for item in (triangle, turned):
        reference = actions.break_symmetries(item)
        assert torch.allclose(actions.break_symmetries(reference), reference, atol=1e-6)
        for seed in range(10):
            copy = actions.break_symmetries(random_copy(item[None], seed)[0])
            assert torch.allclose(copy, reference, atol=1e-5)


def test_breaking_takes_any_batch_shape(objects):
    whole = actions.break_symmetries(objects)
    assert torch.equal(actions.break_symmetries(objects.reshape(8, 8, 32, 32)).reshape(64, 32, 32), whole)
    assert torch.equal(actions.break_symmetries(objects[5]), whole[5])


@given(blobs(), seeds, st.integers(0, 9))
def test_align_undoes_every_symmetry(blob, seed, margin):
    copy = torch.nn.functional.pad(random_copy(blob[None], seed)[0], (margin, 0, 0, margin))
    aligned = actions.align(blob, 0.5 * copy)
    assert torch.allclose(aligned, 0.5 * blob, atol=1e-4 * float(blob.abs().max()))


@pytest.mark.usefixtures("no_shape_checks")
def test_bad_input_is_refused_in_a_sentence(objects):
    with pytest.raises(ValueError, match="expected objects as a complex torch tensor"):
        actions.break_symmetries(objects.abs())
    with pytest.raises(ValueError, match="expected one estimate for each reference"):
        actions.align(objects, objects[:3])
