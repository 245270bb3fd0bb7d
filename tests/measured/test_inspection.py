import matplotlib.image
import numpy as np
import pytest

from farfield.measured import inspection
from farfield.measured.preparation import prepare

BLUE = (np.array(inspection.MASKED) * 255).round()


@pytest.fixture
def frame():
    rows, columns = np.mgrid[:60, :70]
    expected = 1e4 * np.exp(-np.hypot(rows - 29, columns - 31) / 4)
    return np.random.default_rng(0).poisson(expected)


def blue(path) -> np.ndarray:
    """Pixels of a picture that are coloured as masked ones."""
    return (np.abs(matplotlib.image.imread(path)[..., :3] * 255 - BLUE) < 1.5).all(-1)


def test_a_picture_shows_masked_pixels_in_both_frames(frame, tmp_path):
    mask = np.ones(frame.shape, bool)
    inspection.draw(prepare(frame, mask=mask, bin=2, background=1.0), frame, tmp_path / "clean.png")
    mask[20:30, 20:30] = False
    inspection.draw(prepare(frame, mask=mask, bin=2), frame, tmp_path / "masked.png")
    third = blue(tmp_path / "clean.png").shape[1] // 3
    before, after = (blue(tmp_path / f"{name}.png") for name in ("clean", "masked"))
    for panel in (np.s_[:, :third], np.s_[:, third : 2 * third]):
        assert not before[panel].any()
        assert after[panel].sum() > 500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean.png", "masked.png"]


def test_frames_of_any_numbers_are_drawn(frame, tmp_path):
    holey = np.where(frame > 9000, np.nan, frame.astype(np.float32)) * 1e-12
    dark, flat = np.full(frame.shape, 0.5), np.random.default_rng(0).uniform(0.5, 1.5, frame.shape)
    for number, (raw, options) in enumerate(
        [(holey, {}), (frame, {"dark": dark, "flat": flat}), (np.sqrt(frame), {"amplitude": True})]
    ):
        inspection.draw(prepare(raw, **options), raw, tmp_path / f"{number}.png")
        assert matplotlib.image.imread(tmp_path / f"{number}.png").std() > 0.05


def test_ring_means_leave_out_what_is_masked():
    rows, columns = np.indices((16, 16)) - 8
    values = np.rint(np.hypot(rows, columns))
    good = np.ones(values.shape, bool)
    good[3, 8], values[3, 8] = False, 900
    assert np.allclose(inspection._ring_means(values, good), np.arange(8))
    good[values == 2] = False
    assert np.flatnonzero(np.isnan(inspection._ring_means(values, good))).tolist() == [2]
