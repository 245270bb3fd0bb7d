"""What counts let expect of amplitudes."""

import pytest
import torch

from farfield.iterative import workers
from farfield.iterative.asking import read_asked
from farfield.iterative.expectation import expect
from farfield.iterative.patterns import read_patterns
from farfield.physics import crystals, polyhedra
from farfield.physics.diffraction import measure, photon_noise, to_frame


def expected(counts, **options):
    asked = read_asked(counts, **options)
    return expect(asked.patterns, asked.options.side)


@pytest.mark.parametrize(("dims", "photons"), [(2, 1e4), (2, 1e6), (3, 1e5)])
def test_amplitudes_are_nearer_than_roots_of_counts(dims, photons):
    objects = crystals.simulate(4, 32, 3) if dims == 2 else polyhedra.simulate(1, 16, 3)
    pattern = measure(objects, dimensions=dims)
    found = expected(photon_noise(pattern, photons, seed=1, dimensions=dims), dimensions=dims)
    truth = torch.fft.ifftshift(pattern, dim=tuple(range(-dims, 0))).sqrt()
    misfits = [(x - truth).square().sum() for x in (found.expected, found.amplitude)]
    assert misfits[0] < (0.75 if photons < 1e6 else 0.95) * misfits[1]


def test_photons_may_differ_from_pixel_to_pixel():
    pattern = measure(crystals.simulate(4, 32, 3))
    pattern *= 1e4 / pattern.sum((-2, -1), keepdim=True)
    quantum = torch.ones(64, 64)
    quantum[:, ::2] = 0.01
    counts = quantum * torch.poisson(pattern / quantum, generator=torch.Generator().manual_seed(1))
    found = expect(read_patterns(counts, quantum=quantum), torch.full((4,), 32.0))
    truth = torch.fft.ifftshift(pattern, dim=(-2, -1)).sqrt()
    misfits = [(x - truth)[..., 1::2].square().sum() for x in (found.expected, found.amplitude)]
    assert misfits[0] < 0.4 * misfits[1]  # of dark pixels between bright ones


def test_a_pattern_of_unknown_noise_stays_as_it_is_beside_others():
    both = measure(crystals.simulate(2, 16, 3))
    both[0] = photon_noise(both[:1], 1e5, seed=1)[0]
    found = expected(both)
    assert torch.equal(found.expected[1], found.amplitude[1])
    assert not torch.equal(found.expected[0], found.amplitude[0])


def test_a_pattern_among_others_is_expected_as_alone():
    counts = photon_noise(measure(crystals.simulate(2, 16, 3)), 1e5, seed=1)
    counts[1] *= 0.37 * torch.pi  # whatever the unit of a photon
    both = expected(counts).expected
    for pattern, alone in zip(counts, both, strict=True):
        assert torch.allclose(expected(pattern).expected[0], alone, rtol=1e-5, atol=1e-6 * float(alone.max()))
    assert torch.allclose(expected(3 * counts).expected, 3**0.5 * both, rtol=1e-5, atol=1e-6 * float(both.max()))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [(7, 32, 32), (3, 16, 16, 20)])
def test_patterns_that_are_looked_at_in_batches_are_expected_as_at_once(shape, threads, monkeypatch):
    dims = len(shape) - 1
    amplitude = to_frame(torch.rand(shape[0], *[8] * dims, generator=torch.Generator().manual_seed(1)), *shape[1:])
    counts = photon_noise(measure(amplitude.to(torch.complex64), 1, dims), 1e5, seed=1, dimensions=dims)
    at_once = expected(counts, dimensions=dims).expected
    monkeypatch.setattr(workers, "PIXELS_LOOKED_AT", 2 * counts[0].numel())
    torch.set_num_threads(threads)
    assert torch.allclose(expected(counts, dimensions=dims).expected, at_once, rtol=1e-5)


def test_nothing_is_expected_where_nothing_was_measured():
    counts = photon_noise(measure(crystals.simulate(1, 16, 3)), 1e5, seed=1)
    mask = torch.ones(32, 32, dtype=torch.bool)
    mask[4:9, 20:30] = False
    counts[:, ~mask] = torch.nan
    found = expected(counts, mask=mask, free=0.05)
    assert (found.expected[found.free] == 0).all()
    assert (found.expected[~found.free] > 0).all()
    assert found.expected.isfinite().all()


def test_without_noise_amplitudes_are_what_they_are():
    patterns = read_asked(measure(crystals.simulate(1, 16, 3))).patterns
    assert expect(patterns, torch.ones(1)) is patterns
