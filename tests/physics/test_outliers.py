import numpy as np
import pytest
import torch

from farfield.physics import crystals, outliers
from farfield.physics.diffraction import measure, photon_noise

PHOTONS = (1e4, 1e5, 1e6, 1e7, 1e8)


@pytest.fixture(scope="module")
def patterns():
    return measure(crystals.simulate(200, 32, 21)).double()


def counts(patterns: torch.Tensor, photons: float, seed: int = 5) -> np.ndarray:
    """Whole photons of noisy patterns."""
    quantum = patterns.sum((-2, -1), keepdim=True) / photons
    return np.rint((photon_noise(patterns, photons, seed) / quantum).numpy()).astype(np.int32)


@pytest.mark.parametrize("side", [64, 128])
def test_far_fields_hold_none(patterns, side):
    clean = patterns if side == 64 else measure(crystals.simulate(100, 32, 22), 4).double()
    stacks = [clean.numpy(), clean.float().numpy(), *(counts(clean, photons) for photons in PHOTONS)]
    alarms = np.concatenate([outliers.find(stack).bad().any((1, 2)) for stack in stacks])
    assert alarms.mean() < 0.01


@pytest.mark.parametrize("least", [4, 30])
def test_a_threshold_makes_none(patterns, least):
    for photons in PHOTONS[1:]:
        measured = counts(patterns, photons)
        found = outliers.find(np.where(measured < least, 0, measured))
        assert found.bad().any((1, 2)).mean() < 0.03


@pytest.mark.parametrize(("value", "share"), [(1e4, 0.9), (3e4, 0.95), (1e5, 0.98), (1e6, 0.99), (2**32 - 1, 1)])
def test_a_bright_pixel_is_found(patterns, value, share):
    measured = counts(patterns, 1e6).astype(np.float64)
    generator, index = np.random.default_rng(0), np.arange(len(measured))
    row, column = generator.integers(0, 64, (2, len(measured)))
    row = np.where(np.hypot(row - 32, column - 32) < 4, 0, row)  # the central speckle is brighter itself
    measured[index, row, column] = value
    found = outliers.find(measured).bad()
    assert found[index, row, column].mean() >= share
    assert found.sum() <= 1.01 * len(measured)


def test_nothing_is_hot_beside_a_beamstop(patterns):
    line = np.arange(64) - 32
    for radius in (2.1, 3.1, 5.0):
        mask = np.hypot(line[:, None], line) > radius
        assert not outliers.find(counts(patterns, 1e6) * mask, mask).bad().any()


def test_pairs_edges_and_what_lies_beside_a_gap(patterns):
    frame = counts(patterns[:1], 1e6)[0]
    frame[:, 40] = -1
    expected = np.zeros(frame.shape, bool)
    for place in ((0, 0), (1, 62), (63, 30), (10, 41), (50, 20), (50, 21)):
        frame[place], expected[place] = 40_000, True
    expected[10, 41] = False  # what the gap hides may be as bright: so it is beside a beamstop
    assert (outliers.find(frame).hot == expected).all()
    mask = np.ones(frame.shape, bool)
    mask[50], expected[50] = False, False
    assert (outliers.find(frame, mask).hot == expected).all()


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        *((np.dtype(name), np.iinfo(name).max) for name in ("uint8", "uint16", "uint32", "int8", "int16", "int32")),
        *((np.dtype("int32"), value) for value in (-1, -2, 65535)),
        *((np.dtype("float32"), value) for value in (-1, np.nan, np.inf, -np.inf, 65535, 2**31 - 1, 2**32 - 1)),
        (np.dtype("float64"), 2**32 - 1),
    ],
)
def test_flags_of_every_type(dtype, value):
    frame = np.random.default_rng(0).poisson(20, (32, 32)).astype(dtype)
    assert not outliers.find(frame).bad().any()
    frame[3, 4] = frame[20, 21] = value
    assert np.argwhere(outliers.find(frame).flagged).tolist() == [[3, 4], [20, 21]]


def test_what_only_resembles_a_flag():
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 3, (32, 32)).round()  # a level was subtracted
    assert (noise == -1).any()
    assert not outliers.find(noise).bad().any()
    peak = generator.poisson(20, (32, 32))
    peak[16, 15:18] = 200, 255, 200
    assert not outliers.find(peak).bad().any()
    peak[16, 15:18] = 255
    assert outliers.find(peak).flagged.sum() == 3
    peak[2, 2] = 300
    assert not outliers.find(peak).flagged.any()


@pytest.mark.parametrize("value", [0, -1, 2**32 - 1, np.nan, 7])
@pytest.mark.parametrize("lines", [slice(20, 22), slice(10, 11), slice(40, 46), slice(0, 2), slice(62, 64)])
def test_gaps_are_found_whole_and_nothing_else(patterns, value, lines):
    measured = counts(patterns[:20], 1e6).astype(np.float64)
    expected = np.zeros((64, 64), bool)
    expected[lines], expected[:, 44:46] = True, True
    measured[:, expected] = value
    found = outliers.find(measured)
    assert (found.lines == expected).all()
    assert not found.hot.any()


def test_a_gap_that_the_mask_holds_is_left_alone(patterns):
    measured, mask = counts(patterns[:20], 1e6), np.ones((64, 64), bool)
    measured[:, 20:26], mask[20:26] = 0, False
    assert not outliers.find(measured, mask).bad().any()


def test_modules_and_beamstops_are_found(patterns):
    frame = counts(patterns[:1], 1e8)[0]
    frame[:32, 32:] = 0
    assert (outliers.find(frame).lines == (frame == 0)).all()
    frame = counts(patterns[:1], 1e6)[0]
    frame[27:37, 27:37] = 0
    assert (outliers.find(frame).lines[27:37, 27:37]).all()


def test_straight_edges_make_dark_lines_that_were_measured():
    square = torch.zeros(32, 32, dtype=torch.complex64)
    square[8:24, 8:24] = 1
    for photons in PHOTONS:
        assert not outliers.find(counts(measure(square), photons)).bad().any()
    slit = np.broadcast_to(np.random.default_rng(0).poisson(50, 64)[:, None], (64, 64))
    assert not outliers.find(slit).bad().any()


def test_each_kind_is_said_in_a_line(patterns):
    frame = counts(patterns[:1], 1e6)[0]
    assert outliers.sentences(outliers.find(frame), frame) == []
    frame[30:32], frame[:, 5], frame[12, 40], frame[60, 60] = 0, -1, 1_000_000, -2
    hot, flagged, rows, columns = outliers.sentences(outliers.find(frame), frame)
    assert hot.startswith("1 hot pixel, at (12, 40): 1e+06 where its neighbours have ")
    assert flagged == "1 flagged pixel (-2), at (60, 60)"
    assert rows == "2 rows of one value (0): 30, 31"
    assert columns == "1 column of one value (-1): 5"


def test_places_of_a_stack_name_the_frame(patterns):
    stack = counts(patterns[:3], 1e6)
    stack[2, 1, 1:64:9] = 90_000
    (said,) = outliers.sentences(outliers.find(stack), stack)
    assert said.startswith("7 hot pixels, at (2, 1, 1), (2, 1, 10), (2, 1, 19), (2, 1, 28), (2, 1, 37), …: 90000 ")
    each = [outliers.find(frame).hot for frame in stack]
    assert (outliers.find(stack).hot == np.stack(each)).all()


@pytest.mark.parametrize("density", [0.01, 0.1, 3])
def test_sparse_frames_hold_none(density):
    rows, columns = np.mgrid[-128:128, -128:128]
    expected = density + 1e5 * np.exp(-np.hypot(rows, columns) / 10)
    assert not outliers.find(np.random.default_rng(0).poisson(expected)).bad().any()


@pytest.mark.parametrize("frame", [np.full((16, 16), np.nan), np.full((8, 8), -1), np.full((9, 9), 65535, np.uint16)])
def test_frames_of_nothing_but_flags(frame):
    found = outliers.find(frame)
    assert found.flagged.all()
    assert not found.hot.any()
    assert outliers.sentences(found, frame)[0].startswith(f"{len(frame)} rows of one value")


@pytest.mark.parametrize("shape", [(8, 8), (3, 4), (0, 8, 8)])
def test_nothing_is_found_where_nothing_was_measured(shape):
    nothing = outliers.find(np.full(shape, np.nan), np.zeros(shape, bool))
    assert nothing.bad().shape == shape
    assert not nothing.bad().any()
    assert not outliers.find(np.ones(shape)).bad().any()
