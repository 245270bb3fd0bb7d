import json

import pytest
import torch

from farfield.learning import exposure
from farfield.physics.diffraction import measure


def _known(patterns: torch.Tensor) -> dict:
    totals = patterns.sum((-2, -1))
    return json.loads(json.dumps(exposure.describe(patterns.mean(0), float(totals.min()), float(totals.max()))))


def test_the_first_ring_is_the_mean_dc(objects):
    patterns = measure(objects)
    known = _known(patterns)
    assert known["rings"][0] == pytest.approx(float(patterns[:, 32, 32].mean()))
    assert known["least"] < 1 < known["most"]


def test_training_patterns_are_taken_as_they_are_and_others_brought_to_their_mean(objects):
    patterns = measure(objects)
    known, mean = _known(patterns), patterns.sum((-2, -1)).double().mean()
    assert (exposure.factors(patterns, None, known) == 1).all()
    scaled = exposure.factors(1e5 * patterns, None, known) * 1e5 * patterns.sum((-2, -1))
    assert torch.allclose(scaled, mean.expand(64), rtol=1e-5)


def test_a_mask_is_taken_into_account(objects):
    patterns = measure(objects)
    mask = torch.ones(64, 64, dtype=torch.bool)
    mask[29:36, 29:36] = False
    found = exposure.factors(1e5 * patterns * mask, mask, _known(patterns))
    assert 0.7 < float(found.median()) * 1e5 < 1.4
