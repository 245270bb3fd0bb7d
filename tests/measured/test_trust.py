import math

import numpy as np
import pytest

from farfield.measured import trust


def noise(*shape: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.normal(size=shape) + 1j * generator.normal(size=shape)


def test_starts_that_agree_have_one_mode_which_is_the_best_object():
    best = noise(16, 16)
    mode, weights = trust.modes(np.stack([best, best, best]))
    assert mode.dtype == np.complex64
    np.testing.assert_allclose(mode, best, rtol=1e-5)
    np.testing.assert_allclose(weights, [1, 0, 0], atol=1e-12)


def test_modes_are_the_components_of_a_singular_value_decomposition():
    objects = noise(16, 16) + 0.5 * noise(4, 16, 16)
    objects = objects * np.exp(1j * np.arange(4.0))[:, None, None]
    mode, weights = trust.modes(objects)
    _, values, components = np.linalg.svd(objects.reshape(4, -1), full_matrices=False)
    np.testing.assert_allclose(weights, values**2 / (values**2).sum(), rtol=1e-9)
    expected = components[0] * values[0] / 2
    np.testing.assert_allclose(np.abs(np.vdot(mode, expected)), np.linalg.norm(expected) ** 2, rtol=1e-5)
    overlap = np.vdot(objects[0], mode)
    assert overlap.real > 0
    assert abs(overlap.imag) < 1e-5 * overlap.real


def test_the_first_mode_of_unlike_starts_has_about_its_share():
    weights = trust.modes(noise(5, 64, 64))[1]
    assert weights[0] == pytest.approx(1 / 5, abs=0.02)
    assert (np.diff(weights) <= 0).all()


def test_the_resolution_is_the_first_ring_below_one_over_e():
    curve = np.array([1.0, 0.9, 0.6, 0.36, 0.5, 0.2])
    assert trust.resolution(curve) == 3
    assert trust.resolution(curve[:3]) is None
    behind_a_beamstop = np.concatenate([[0.0, 0.0], curve])
    assert trust.resolution(behind_a_beamstop) == 5
    assert trust.resolution(np.array([1.0, 0.8, 0.0])) is None


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        (
            (True, 0.04, 1.3, 0.04, 0.008, 5),
            "believed: the pattern is explained to 1.3 times its noise by a support of 4 % of the measured pixels, "
            "and 5 starts agree to 0.8 %",
        ),
        (
            (True, 1e-6, math.nan, 0.04, math.nan, 1),
            "believed: the pattern, whose noise is unknown, is explained to 0.0001 % by a support of 4 % of the "
            "measured pixels, to rounding",
        ),
        (
            (True, 0.01, 1.0, 0.04, math.nan, 5),
            "believed: the pattern is explained to 1 times its noise by a support of 4 % of the measured pixels, and "
            "of 5 starts the others explain it far worse",
        ),
        (
            (False, 0.04, 1.2, 0.04, 0.744, 5),
            "not believed: the starts disagree by 74 % (make more, or give --support or --positive)",
        ),
        (
            (False, 0.3, 7.0, 0.04, 1.0, 3),
            "not believed: 30 % of the amplitudes, 7 times the noise, are not explained (a flat field, a background "
            "or a beamstop that is not masked?); the starts disagree by 100 % (make more, or give --support or "
            "--positive)",
        ),
        (
            (False, 1e-3, 0.1, 0.61, 0.02, 5),
            "not believed: the support fills 61 % of the measured pixels and constrains nothing (give --support)",
        ),
        ((False, 0.04, 1.1, 0.04, math.nan, 1), "not believed: a single start agrees with nothing (make more)"),
        (
            (False, 0.24, math.nan, 0.04, 0.01, 5),
            "not believed: 24 % of the amplitudes are not explained (a flat field, a background or a beamstop that "
            "is not masked?)",
        ),
        (
            (False, 0.04, 1.1, 0.04, 0.01, 5, True),
            "not believed: no place along the border is dark, as over a background (give --background corners)",
        ),
    ],
)
def test_the_verdict_says_why(figures, sentence):
    solved, *evidence = figures
    assert trust.verdict(solved, trust.Evidence(*evidence)) == sentence
