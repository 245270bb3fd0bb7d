import math

import numpy as np
import pytest
import torch

from farfield.physics import crystals, noise, polyhedra
from farfield.physics.diffraction import measure, photon_noise


def one_by_one(pattern: torch.Tensor) -> float:
    """The rule of `noise.photons`, as one would write it for a single pattern."""
    values = pattern[pattern > 0].double()
    if len(values) < noise.FEWEST:
        return math.nan
    if values.max() < noise.LARGEST_WHOLE and (values == values.round()).all():
        return float(np.gcd.reduce(values.long().numpy()))
    for share in range(1, 11):
        quantum = float(values.min()) / share
        few = values[values < noise.COUNTABLE * quantum] / quantum
        if len(few) < noise.FEWEST:
            break
        if ((few - few.round()).abs() - few * 1e-6).max() < 1e-3 and few.max() > share:
            return quantum
    return math.nan


def expected(patterns: torch.Tensor) -> list[float]:
    return [one_by_one(pattern) for pattern in patterns]


def same(found, wanted) -> bool:
    """Equal to the last bit, NaN with NaN."""
    return np.array_equal(torch.as_tensor(found, dtype=torch.float64), np.array(wanted), equal_nan=True)


@pytest.fixture(scope="module")
def clean():
    return measure(crystals.simulate(40, 32, 31))


@pytest.mark.parametrize("photons", [30.0, 1e3, 1e5, 1e6, 1e7, 1e8, 1e10])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_photons_are_those_of_one_pattern_after_the_other(clean, photons, dtype):
    scaled = photon_noise(clean.to(dtype), photons, 3)
    counts = torch.round(scaled * photons / clean.sum((-2, -1), keepdim=True))
    gains = torch.tensor([1.0, 2, 3, 7, 100, 4096, 1e6, 2.0**40], dtype=dtype).repeat(5)[:, None, None]
    odd = counts.clone()
    odd[::2, 3, 4] += 1  # one pixel that is no multiple
    for stack in (scaled, counts, counts * gains, (counts + 10) * gains, odd * gains, scaled / 3, clean.to(dtype)):
        assert same(noise.photons(stack), expected(stack))
        assert same([noise.photon(one) for one in stack[:3]], expected(stack[:3]))


def test_patterns_of_every_kind_stand_in_one_stack():
    rng = np.random.default_rng(0)
    few = np.zeros((16, 16))
    few[0, :15] = 1
    enough = few.copy()
    enough[1, 0] = 1
    kinds = [
        few,
        enough,
        0.3 * enough,  # all alike: no other multiple
        np.zeros((16, 16)),
        rng.poisson(3.0, (16, 16)) * 6.0,
        rng.poisson(3.0, (16, 16)) * 0.7,
        (rng.poisson(3.0, (16, 16)) + 4) * 0.7,
        (rng.poisson(3.0, (16, 16)) + 11) * 0.7,
        rng.choice([6.0, 10.0, 15.0], (16, 16)),  # pairs have divisors that all together have not
        rng.integers(2**51, 2**52, (16, 16)) * 2.0,
        rng.integers(2**52, 2**53, (16, 16)) * 2.0,  # too large to tell
        rng.exponential(1.0, (16, 16)),
        rng.exponential(1.0, (16, 16)) ** 9,
        np.where(rng.random((16, 16)) < 0.05, 0.7, 1e5 * rng.random((16, 16))),  # too bright but for a few
        np.where(rng.random((16, 16)) < 0.3, 0.7 * rng.poisson(4.0, (16, 16)), 1e5 * rng.random((16, 16))),
    ]
    stack = torch.from_numpy(np.stack(kinds))
    found = expected(stack)
    assert same(noise.photons(stack), found)
    assert same(found[:3], [math.nan, 1.0, math.nan])
    assert 3 < np.isfinite(found).sum() < len(kinds) - 3
    assert noise.photons(stack[:0]).shape == (0,)
    assert math.isnan(noise.photon(torch.zeros(0)))


def test_a_level_under_a_volume_is_found_though_most_of_its_voxels_hold_no_photon():
    pattern = measure(polyhedra.simulate(2, 32, 11), 2, 3).double()
    expected = pattern / pattern.sum((1, 2, 3), keepdim=True) * 1e6
    level, one, generator = 0.25, torch.ones(2, dtype=torch.float64), torch.Generator().manual_seed(0)
    clean, lit = (torch.poisson(expected + more, generator=generator).float() for more in (0, level))
    seen = torch.ones(lit.shape, dtype=torch.bool)
    seen[:, 40:44] = False
    hidden = torch.where(seen, lit, torch.nan)
    assert (lit == 0).double().mean() > 0.5
    assert not noise.dark_level(clean, torch.ones_like(seen)).any()
    assert not noise.dark_level(torch.where(seen, clean, torch.nan), seen).any()
    for found in (noise.dark_level(lit, torch.ones_like(seen)), noise.dark_level(hidden, seen)):
        assert ((found > 0.6 * level) & (found < 1.5 * level)).all()
    tails = noise.corners(clean, torch.ones_like(seen), one)
    for found in (noise.corners(lit, torch.ones_like(seen), one), noise.corners(hidden, seen, one)):
        assert (found - tails).tolist() == pytest.approx([level, level], rel=0.2)
    assert not noise.corners(hidden, torch.zeros_like(seen), one).any()


def test_the_expected_amplitude_is_the_posterior_mean():
    """By quadrature: counts of Poisson's law, intensities distributed exponentially."""
    intensity = torch.linspace(0, 14, 200001, dtype=torch.float64).square()  # even in amplitude
    for mean in (0.05, 1.0, 20.0):
        for count in (0.0, 1.0, 7.0, 40.0):
            weight = (torch.xlogy(torch.tensor(count), intensity) - intensity - intensity / mean).exp()
            weight *= intensity.sqrt()
            right = (weight * intensity.sqrt()).sum() / weight.sum()
            found = noise.expected_amplitude(*torch.tensor([count, mean, 0.0], dtype=torch.float64))
            assert found == pytest.approx(float(right), rel=1e-4)


def test_a_background_leaves_what_is_usual_where_it_drowns_the_signal():
    usual = torch.tensor(0.1, dtype=torch.float64)
    found = noise.expected_amplitude(torch.tensor(1e4, dtype=torch.float64), usual, torch.tensor(1e4).double())
    assert found == pytest.approx(float(torch.pi * usual / 4) ** 0.5, rel=0.01)  # of an exponential distribution
    assert noise.expected_amplitude(usual * 0, usual, usual).isfinite()


def test_of_very_many_photons_the_root_of_their_count_is_expected():
    counts = 10.0 ** torch.arange(7, 16, dtype=torch.float64)
    found = noise.expected_amplitude(counts, counts, torch.zeros_like(counts))
    torch.testing.assert_close(found, counts.sqrt(), rtol=1e-7, atol=0)
