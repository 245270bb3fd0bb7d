import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from farfield.iterative import suspicion, workers
from farfield.physics import crystals, outliers
from farfield.physics.diffraction import measure, photon_noise
from farfield.physics.screening import suspects

COUNT = 60
PHOTONS = (None, 1e4, 1e5, 1e6, 1e7, 1e8)


def exposed(clean: torch.Tensor, photons: float | None, whole: bool = False) -> torch.Tensor:
    """Patterns without noise, or of so many photons, scaled back or as whole numbers."""
    if photons is None:
        return clean.clone()
    noisy = photon_noise(clean, photons, 5)
    return torch.round(noisy * photons / clean.sum((-2, -1), keepdim=True)) if whole else noisy


@pytest.fixture(scope="module")
def clean():
    return measure(crystals.simulate(COUNT, 32, 21))


def hot(frame, rng):
    """A pixel, at times a pair, about as bright as it must be to be found."""
    row, column = rng.integers(0, 64, 2)
    around = np.sort(frame[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3].flatten())
    frame[row, column] = 10 * around[-4] * rng.uniform(0.3, 3) + 5 * frame[frame > 0].min()
    if rng.random() < 0.3:
        frame[row, (column + 1) % 64] = frame[row, column]


def flag(frame, rng):
    frame[tuple(rng.integers(0, 64, 2))] = rng.choice([-1, -2, np.nan, np.inf, -np.inf, 2**31 - 1, 2**31, 2**32 - 1])


def saturated(frame, rng):
    at = rng.choice([2**16 - 1, 2**15 - 1, 2**8 - 1, 2**7 - 1])
    frame *= 3 * at / frame.max()
    np.clip(frame, 0, at, out=frame)


def line(frame, rng):
    first, turned = rng.integers(0, 62), frame if rng.random() < 0.5 else frame.T
    turned[first : first + rng.integers(1, 4)] = rng.choice([0, 0, 7])


def module(frame, rng):
    row, column = rng.integers(-4, 60, 2).clip(0)
    height, width = rng.integers(8, 30, 2)
    frame[row : row + height, column : column + width] = 0


def blurred(frame, rng):
    """A gap whose ends hold few photons, and a dark row beside one."""
    first = rng.integers(1, 60)
    frame[first - 1 : first + 3] *= rng.random((1, 64)) < rng.uniform(0, 0.5)
    frame[first : first + 2] = 0


PLANTED = [hot, flag, saturated, line, module, blurred]


def hidden(kind: str, rng) -> np.ndarray | None:
    """What was measured: all, all but a gap and single pixels, or all but a beamstop, one for each pattern."""
    if kind == "whole":
        return None
    mask = rng.random((64, 64)) < 0.99
    if kind == "gaps":
        mask[20:26] = mask[:, 50] = False
        return mask
    line = np.arange(64) - 32
    radius = rng.uniform(2, 6, (COUNT, 1, 1))
    return mask & (np.hypot(line[:, None], line) > radius)


@pytest.mark.parametrize("kind", ["whole", "gaps", "beamstop"])
@pytest.mark.parametrize("plant", PLANTED)
def test_whatever_is_found_was_suspected(clean, plant, kind):
    rng, seen = np.random.default_rng(1), 0
    for photons in PHOTONS:
        for whole in (False, True):
            stack = exposed(clean, photons, whole).numpy()
            for frame in stack:
                plant(frame, rng)
            mask = hidden(kind, rng)
            told = None if mask is None else torch.from_numpy(mask).expand(stack.shape)
            found = outliers.find(stack, mask).bad().any((1, 2))
            seen += found.sum()
            for stacked in (torch.from_numpy(stack), torch.from_numpy(stack).double()):
                suspected = suspects(stacked, told).numpy()
                assert not (found & ~suspected).any()
            alone = [suspects(stacked[[i]], None if told is None else told[[i]]) for i in range(5)]
            assert not (found[:5] & ~torch.cat(alone).numpy()).any()
    assert seen > 0.1 * 12 * COUNT


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.lists(st.sampled_from([0, 1, 2, 4, 5, 11, 51, 52, 127, 255, 300, 2**16 - 1, -1]), min_size=1, max_size=4),
    st.floats(0, 1),
    st.sampled_from([1.0, 1e-9, 0.3, 1e9]),
)
def test_nor_is_anything_missed_in_frames_of_few_values(seed, shape, values, share, scale):
    rng = np.random.default_rng(seed)
    stack = rng.choice(values, (20, *shape)) * (rng.random((20, *shape)) < share) * scale
    mask = rng.random((20, *shape)) < rng.choice([1, 0.9, 0.6])
    for given_mask in (None, mask):
        found = outliers.find(stack.astype(np.float32), given_mask).bad().any((1, 2))
        told = None if given_mask is None else torch.from_numpy(mask)
        assert not (found & ~suspects(torch.from_numpy(stack.astype(np.float32)), told).numpy()).any()


@pytest.mark.parametrize("photons", PHOTONS)
@pytest.mark.parametrize(("size", "count"), [(32, 500), (64, 100)])
def test_clean_patterns_are_hardly_ever_suspected(photons, size, count):
    patterns = exposed(measure(crystals.simulate(count, size, 22)), photons)
    assert suspects(patterns).float().mean() < 0.02
    line = torch.arange(-float(size), size)
    beamstop = torch.hypot(line[:, None], line) > 3
    gaps = torch.ones_like(beamstop)
    gaps[20:26] = False
    for mask in (beamstop, gaps):
        assert suspects(patterns, mask.expand(patterns.shape)).float().mean() < 0.02


@pytest.mark.parametrize("pixels", [workers.PIXELS_LOOKED_AT, 2**14])
def test_all_that_is_in_a_stack_is_found_and_nothing_in_clean_ones(clean, pixels, monkeypatch):
    monkeypatch.setattr(workers, "PIXELS_LOOKED_AT", pixels)  # in one batch or many
    patterns = exposed(clean, 1e6).reshape(2, -1, 64, 64)
    mask = torch.ones(64, 64, dtype=torch.bool)
    mask[:, 10] = False
    assert suspicion.find(patterns, mask) is None
    rng = np.random.default_rng(3)
    for number, plant in enumerate(PLANTED):
        plant(patterns[number % 2, 3 * number].numpy(), rng)
    for given_mask in (None, mask, mask.expand(patterns.shape)):
        found = suspicion.find(patterns, given_mask)
        whole = outliers.find(patterns.numpy(), None if given_mask is None else given_mask.numpy())
        for some, expected in zip(found, whole, strict=True):
            assert np.array_equal(some, expected)


@pytest.mark.parametrize("shape", [(0, 8, 8), (3, 0, 0)])
def test_nothing_is_found_in_nothing(shape):
    assert suspicion.find(torch.zeros(shape), None) is None
