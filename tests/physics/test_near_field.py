import numpy as np
import pytest
import torch

from farfield.physics import crystals, phases
from farfield.physics.near_field import NearField, offset_removed_mse

NEAR = NearField(wavelength=632.8e-9, pixel=8e-6, distance=5e-3)
SIDE = 64


def plain(phase: np.ndarray, margin: int) -> np.ndarray:
    """|P_z e^{iφ}|² by numpy in double precision, in a frame that the edge continues by so many pixels."""
    side = len(phase) + 2 * margin
    line = np.fft.fftfreq(side, NEAR.pixel)
    root = np.sqrt((1 / NEAR.wavelength) ** 2 - line[:, None] ** 2 - line**2 + 0j)
    field = np.fft.fft2(np.exp(1j * np.pad(phase, margin, mode="edge")))
    there = np.fft.ifft2(field * np.exp(2j * np.pi * NEAR.distance * root))
    return np.abs(there[margin : margin + len(phase), margin : margin + len(phase)]) ** 2


def objects() -> torch.Tensor:
    grown = crystals.simulate(4, SIDE, seed=3)
    return torch.cat([phases.of_crystals(grown, 1.0), phases.waves(4, SIDE, 5, 1.0)])


def test_nothing_wraps_around():
    """Against transforms of two and of four times the frame that it takes itself, which is twice the object's.

    Edges as sharp as a pixel ring a little beyond the fringes' reach.
    """
    for number, item in enumerate(objects()):
        made, phase = NEAR.measure(item).numpy(), item.real.numpy()
        assert made.std() > 0.02
        for margin in (96, 224):
            np.testing.assert_allclose(made, plain(phase, margin), atol=0.01 if number < 4 else 2e-4)
        assert np.abs(plain(phase, 0) - plain(phase, 96)).max() > 0.02


def test_a_plane_wave_stays_one_whatever_its_phase():
    flat = torch.full((3, SIDE, SIDE), 0.7, dtype=torch.complex64)
    np.testing.assert_allclose(NEAR.measure(flat), 1, atol=1e-5)


def test_a_point_makes_a_zone_plate():
    """Within its fringes' reach a weak phase ε at a point adds 2 Re(iε h), h = Δ² exp(iπr²/λz) / (iλz)."""
    size, weak = 128, 1e-3  # so small a phase that its square does not count, so large that single precision sees it
    near = NearField(distance=10e-3)
    line = (torch.arange(size) - size // 2).double() * near.pixel
    squares = line[:, None] ** 2 + line**2
    spot = torch.exp(-squares / (2 * (2 * near.pixel) ** 2))  # a point as wide as a few pixels: no fringe is aliased
    made = (near.measure((weak * spot).to(torch.complex128)) - 1) / weak
    # A Gaussian beam of waist w: the textbook's complex radius, q = z - iπw²/λ with w² = 2 (2Δ)².
    rayleigh = 2 * torch.pi * (2 * near.pixel) ** 2 / near.wavelength
    q = near.distance - 1j * rayleigh
    beam = -1j * rayleigh / q * torch.exp(1j * torch.pi * squares / (near.wavelength * q))
    np.testing.assert_allclose(made, 2 * (1j * beam).real, atol=2e-3)
    assert float((made - made.mean()).abs().max()) > 0.1


def test_a_weak_phase_is_seen_by_its_transfer_function():
    """A cosine of frequency f enters I - 1 with 2 sin(πλz f²): low frequencies are hardly seen."""
    for periods in (4, 6, 12):
        wave = torch.cos(2 * torch.pi * periods * torch.arange(SIDE) / SIDE).double().expand(SIDE, SIDE)
        frequency = periods / (SIDE * NEAR.pixel)
        seen = 2 * np.sin(np.pi * NEAR.wavelength * NEAR.distance * frequency**2)
        made = NEAR.measure((1e-3 * wave).to(torch.complex128))
        inside = slice(SIDE // 2 - 4, SIDE // 2 + 4)  # where no edge is near
        assert float((made - 1)[inside, inside].abs().max()) == pytest.approx(1e-3 * abs(seen), rel=0.05)


def test_only_an_offset_is_lost():
    item = objects()
    moved = item + torch.randn(len(item), 1, 1, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(NEAR.measure(moved), NEAR.measure(item), atol=1e-4)
    assert float(offset_removed_mse(item, moved).max()) < 1e-10
    assert float((NEAR.measure(item.flip(-1)) - NEAR.measure(item)).abs().amax((-2, -1)).min()) > 0.05
    zero = offset_removed_mse(item, torch.zeros_like(item))
    assert torch.allclose(zero, item.real.double().flatten(-2).var(-1, correction=0))


def test_gradients_reach_the_phase():
    """By a finite difference."""
    item = objects()[-1].to(torch.complex128)
    phase = item.real.clone().requires_grad_()
    NEAR.measure(torch.complex(phase, 0 * phase)).square().mean().backward()
    step = torch.randn(SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ends = [float(NEAR.measure(item + sign * 1e-5 * step).square().mean()) for sign in (1, -1)]
    assert float((phase.grad * step).sum()) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)


def test_objects_are_phases_from_0_at_the_edge_to_their_height():
    for item in (phases.of_crystals(crystals.simulate(5, SIDE, seed=1), 2.0), phases.waves(5, SIDE, 1, 2.0)):
        assert float(item.imag.abs().max()) == 0
        assert float(item.real.min()) >= 0
        assert float(item.real.max()) <= 2 * (1 + 1e-6)
        assert float(item.real[:, 0].max()) < 0.05
        assert float(item.real.amax((-2, -1)).min()) > 1
    assert torch.equal(phases.waves(5, SIDE, 1, 2.0)[:3], phases.waves(3, SIDE, 1, 2.0))
    images = torch.rand(2, 8, 8).to(torch.complex64)
    assert torch.equal(phases.of_images(images, 3), 3 * images)


@pytest.mark.parametrize("name", ["wavelength", "pixel", "distance"])
@pytest.mark.parametrize("value", [0, -1e-3, float("nan"), float("inf")])
def test_lengths_are_above_0(name, value):
    with pytest.raises(ValueError, match=f"expected {name} as metres above 0, got"):
        NearField(**{name: value})


def test_frames_that_cannot_hold_the_fringes_are_told_which_would():
    far = NearField(distance=20e-3)
    with pytest.raises(ValueError, match=r"32 pixels, got 98\.9 .* at most 6\.47 mm, or a frame of 198 pixels"):
        far.check(64)
    far.check(198)
    NearField(distance=6.47e-3).check(64)
    with pytest.raises(ValueError, match=r"at most 6\.47 mm"):
        far.measure(torch.zeros(64, 64, dtype=torch.complex64))


def test_what_is_no_frame_of_phases_is_refused():
    with pytest.raises(ValueError, match="square frames, got 64 × 32"):
        NEAR.measure(torch.zeros(64, 32, dtype=torch.complex64))
    with pytest.raises(ValueError, match="height as radians above 0, got 0"):
        phases.waves(1, 16, 0, 0)
