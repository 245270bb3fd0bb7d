"""Low frequencies that a beamstop hides: estimated, found, and nothing else changed."""

import torch

from farfield import iterative
from farfield.iterative import beamstop
from farfield.iterative.patterns import read_patterns
from farfield.physics import crystals
from farfield.physics.diffraction import measure, photon_noise
from farfield.symmetry.sa_mse import symmetry_adjusted_mse


def seen_beyond(radius: float, side: int = 64) -> torch.Tensor:
    """Mask a disc round the centre."""
    line = torch.arange(side) - side // 2
    return line[:, None] ** 2 + line**2 > radius**2


def test_objects_behind_a_beamstop_are_found():
    truth = crystals.simulate(8, 32, 95)
    pattern, mask = photon_noise(measure(truth), 1e6, 0), seen_beyond(3.1)
    found = iterative.reconstruct(pattern, starts=5, mask=mask)
    relative = symmetry_adjusted_mse(truth, found.objects) / truth.abs().double().square().mean((-2, -1))
    assert (relative < 0.01).double().mean() >= 0.75
    assert (relative[found.solved] < 0.05).all()


def test_what_is_hidden_follows_from_where_the_autocorrelation_ends():
    pattern, mask = measure(crystals.simulate(8, 32, 95)), seen_beyond(3.1)
    patterns = beamstop.fill(read_patterns(pattern, mask))
    found = torch.fft.fftshift(patterns.filled, dim=(-2, -1)).square()
    share = (found * ~mask).sum((-2, -1)) / (pattern * ~mask).sum((-2, -1))
    assert (share - 1).abs().median() < 0.1
    assert torch.equal(found * mask, torch.fft.fftshift(patterns.amplitude, dim=(-2, -1)).square() * mask)


def test_each_mask_of_a_batch_is_solved_as_if_alone():
    pattern = measure(crystals.simulate(3, 32, 95))
    mask = torch.stack([seen_beyond(2.1), seen_beyond(3.1), seen_beyond(0.0) | True])
    together = beamstop.fill(read_patterns(pattern, mask)).filled
    alone = [beamstop.fill(read_patterns(x[None], m[None])).filled[0] for x, m in zip(pattern, mask, strict=True)]
    torch.testing.assert_close(together, torch.stack(alone))


def test_the_least_outside_of_a_support_is_found_exactly():
    generator = torch.Generator().manual_seed(0)
    support = torch.zeros(1, 16, 16, dtype=torch.bool)
    support[:, :6, :5] = True
    truth = torch.randn(1, 16, 16, dtype=torch.complex64, generator=generator) * support
    under = torch.fft.ifftshift(~seen_beyond(2.0, 16))[None]
    without = torch.fft.ifft2(torch.fft.fft2(truth) * ~under)
    settled = beamstop.settle(without, without, support, under)
    assert (settled - truth).abs().square().sum() < 0.01 * (without - truth).abs().square().sum()


def test_gaps_away_from_the_centre_are_left_alone():
    mask = torch.ones(64, 64, dtype=torch.bool)
    mask[20:22], mask[:, 40:42] = False, False
    patterns = read_patterns(measure(crystals.simulate(1, 32, 95)), mask)
    assert beamstop.hidden(patterns) is None
    assert beamstop.fill(patterns) is patterns
