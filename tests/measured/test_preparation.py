import os
from pathlib import Path

import numpy as np
import pytest
import torch

from farfield.measured.preparation import prepare
from farfield.physics import crystals
from farfield.physics.diffraction import measure, photon_noise

DATA = Path(os.environ.get("FARFIELD_DATA", Path(__file__).parents[3] / "shared/data"))


def needs(*names: str):
    missing = [name for name in names if not (DATA / name).exists()]
    return pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)} in {DATA}: set FARFIELD_DATA")


@pytest.fixture(scope="module")
def frames():
    """Counts of five crystals, the peak of each in pixel (32, 32)."""
    intensity = measure(crystals.simulate(5, 32, 21)).double()
    quantum = intensity.sum((-2, -1), keepdim=True) / 1e6
    return np.rint((photon_noise(intensity, 1e6, 5) / quantum).numpy()).astype(np.int32)


@pytest.fixture(scope="module")
def apart():
    """Counts of a crystal, the peak in pixel (44, 49) of a frame of 100 × 90."""
    intensity = measure(crystals.simulate(1, 32, 21), 4).double()
    quantum = intensity.sum() / 1e6
    counts = np.rint((photon_noise(intensity, 1e6, 5) / quantum).numpy()).astype(np.int32)[0]
    return counts[20:120, 15:105]


@pytest.mark.parametrize("centre", ["peak", "mass"])
def test_the_centre_comes_to_the_middle_of_an_even_fast_square(apart, centre):
    found = prepare(apart, centre=centre)
    assert found.intensity.shape == found.mask.shape == (80, 80)
    assert found.intensity.dtype == torch.float32
    (top, bottom), (left, right) = found.region
    assert np.array_equal(found.intensity.numpy(), apart[top:bottom, left:right])
    assert abs(top + 40 - 44) <= 1
    assert abs(left + 40 - 49) <= 1
    assert (found.quantum, found.background) == (1.0, None)
    assert found.mask.all()
    assert f"cropped to rows {top}:{bottom}, columns {left}:{right}" in found.steps


def test_one_pixel_does_not_win(apart):
    frame = apart.copy()
    frame[60, 70] = frame.max() * 3
    found, clean = prepare(frame), prepare(apart)
    assert found.region == clean.region
    assert np.argwhere(~found.mask.numpy()).tolist() == [[60 - clean.region[0][0], 70 - clean.region[1][0]]]
    assert found.intensity[~found.mask] == 0
    assert any(step.startswith("masked 1 hot pixel, at (60, 70)") for step in found.steps)


@pytest.mark.parametrize("bin", [2, 3, 4, 5])
def test_sums_keep_dc_in_the_centre_pixel(bin):
    """A peak of one centre, as wide as a sum: the binned pattern is symmetric about it for odd sums."""
    rows, columns = np.mgrid[:240, :250]
    frame = np.rint(1e5 * np.exp(-((rows - 113) ** 2 + (columns - 131) ** 2) / 200)).astype(np.uint32)
    found = prepare(frame, bin=bin)
    side = len(found.intensity)
    assert divmod(int(found.intensity.argmax()), side) == (side // 2, side // 2)
    (top, bottom), (left, right) = found.region
    assert bottom - top == right - left == bin * side
    assert found.intensity.double().sum() == frame[top:bottom, left:right].sum()
    cut = found.intensity[1:, 1:]
    assert torch.equal(cut, cut.flip(0, 1)) == bool(bin % 2)
    first = top + bin * (side // 2)
    assert 113 - first == (bin - 1) // 2


def test_a_sum_with_a_bad_pixel_is_bad(frames):
    mask = np.ones((64, 64), bool)
    mask[20, 21] = False
    found = prepare(frames[0], mask=mask, bin=2, background=2.0)
    (top, _), (left, _) = found.region
    assert np.argwhere(~found.mask.numpy()).tolist() == [[(20 - top) // 2, (21 - left) // 2]]
    assert found.intensity[~found.mask] == 0
    assert found.background == 2.0


def test_flat_monitor_and_dark_give_unit_and_background(frames):
    generator = np.random.default_rng(0)
    flat = generator.uniform(0.5, 1.5, (64, 64))
    flat[5, 6], flat[7, 8], flat[9, 10] = 0, np.nan, 0.01
    dark = generator.poisson(4, (64, 64)).astype(float)
    dark[30, 12] = 500
    found = prepare(frames[0], flat=300 * flat, dark=dark, monitor=2.0)
    (top, bottom), (left, right) = found.region
    hidden = {(top + row, left + column) for row, column in np.argwhere(~found.mask.numpy()).tolist()}
    assert hidden == {(5, 6), (7, 8), (9, 10), (30, 12)}
    good = found.mask.numpy()
    kept = np.s_[top:bottom, left:right]
    usable = np.ones((64, 64), bool)
    usable[5, 6] = usable[7, 8] = usable[9, 10] = usable[30, 12] = False
    response = flat[kept][good] / flat[usable].mean()
    assert np.allclose(found.intensity.numpy()[good], frames[0][kept][good] / response / 2, rtol=1e-6)
    assert np.allclose(found.quantum.numpy()[good], 0.5 / response, rtol=1e-6)
    assert np.allclose(found.background.numpy()[good], dark[kept][good] / response / 2, rtol=1e-6)
    assert all(torch.isfinite(values).all() for values in (found.intensity, found.quantum, found.background))
    binned = prepare(frames[0], flat=flat, dark=dark, bin=2)
    assert binned.background[binned.mask].mean() == pytest.approx(
        16 * np.log(3), rel=0.05
    )  # the mean of 1 / response
    assert binned.quantum[binned.mask].mean() == pytest.approx(np.log(3), rel=0.05)


def test_whole_detectors_are_cut_to_the_region_and_it_is_said(frames):
    detector = np.random.default_rng(0).uniform(0.5, 1.5, (128, 160))
    first = prepare(frames[0], flat=detector)
    assert torch.equal(first.intensity, prepare(frames[0], flat=detector[:64, :64]).intensity)
    assert "cut the flat of 128 × 160 to rows 0:64, columns 0:64" in first.steps
    region = ((64, 128), (90, 154))
    other = prepare(frames[0], flat=detector, mask=detector > 0.52, region=region)
    inside = detector[64:128, 90:154]
    assert torch.equal(other.intensity, prepare(frames[0], flat=inside, mask=inside > 0.52).intensity)
    assert "cut the mask of 128 × 160 to rows 64:128, columns 90:154" in other.steps


def test_the_photon_is_found_where_there_is_one(frames):
    assert prepare(frames[0].astype(np.float64)).quantum == 1
    for quantum in (0.25, 3.7e-5, 12.5):
        assert prepare((frames[0] * quantum).astype(np.float32)).quantum == pytest.approx(quantum, rel=1e-4)
    smooth = measure(crystals.simulate(1, 32, 21))[0].numpy()
    assert prepare(smooth).quantum is None
    amplitudes = prepare(np.sqrt(frames[0]), amplitude=True)
    assert amplitudes.quantum is None
    assert torch.allclose(amplitudes.intensity, prepare(frames[0]).intensity)
    assert "squared the amplitudes" in amplitudes.steps


def test_backgrounds(frames):
    generator = np.random.default_rng(0)
    for frame in frames:
        assert not any("along the border" in step for step in prepare(frame).steps)
        above = frame + generator.poisson(10, frame.shape)
        hint = prepare(above).steps[-1]
        assert hint.startswith("no place along the border is darker than ")
        assert hint.endswith("give background='corners' if it does not scatter there")
        mask = np.ones(frame.shape, bool)
        mask[:20] = False
        found = prepare(np.where(mask, above, 900), mask=mask, background="corners")
        assert 10 <= found.background <= 20
        assert torch.equal(found.intensity, prepare(np.where(mask, above, 0), mask=mask).intensity)
        assert prepare(above, background=3.5).background == 3.5
        beside = prepare(above, dark=np.full(frame.shape, 10.0), background="corners").background
        assert beside == pytest.approx(prepare(above, background="corners").background)


def test_what_is_below_zero_is_set_to_zero(frames):
    generator = np.random.default_rng(0)
    found = prepare(frames[0] + generator.normal(0, 2, frames[0].shape))
    assert found.intensity.min() == 0
    assert any("negative pixels to 0" in step for step in found.steps)


WHOLE = np.random.default_rng(0).poisson(5, (64, 64)).astype(float)
EDGE = np.fft.fftshift(np.rint(1e4 * np.exp(-(np.hypot(*np.mgrid[-32:32, -32:32]) ** 2) / 20)))


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (np.zeros((64, 64)), {}, "expected a frame with some intensity"),
        (WHOLE, {"mask": np.zeros((64, 64), bool)}, "invert it"),
        (WHOLE, {"mask": np.ones((64, 64), np.uint8)}, "a mask with 0 = good is mask == 0"),
        (WHOLE, {"mask": np.ones((60, 64), bool)}, "expected a mask of the data's 64 × 64 pixels"),
        (WHOLE, {"flat": np.ones((32, 64))}, "expected a flat of the data's 64 × 64 pixels"),
        (WHOLE, {"dark": np.ones((128, 128)), "region": ((100, 164), (0, 64))}, "rows 100:164, columns 0:64; name"),
        (WHOLE, {"region": ((0, 60), (0, 64))}, "expected a region of the data's 64 × 64 pixels, got rows 0:60"),
        (WHOLE, {"dark": np.full((64, 64), np.nan)}, "expected a dark with some numbers"),
        (WHOLE, {"flat": np.where(WHOLE > 0, np.nan, 1.0)}, "expected a frame with some intensity, got none"),
        (WHOLE, {"flat": np.zeros((64, 64))}, "expected a flat field with some response"),
        (WHOLE, {"monitor": 0}, "expected the monitor as a positive number, got 0"),
        (WHOLE, {"centre": "middle"}, "expected centre as one of peak, mass, frame, got 'middle'"),
        (WHOLE, {"bin": 0}, "expected bin as an integer of at least 1"),
        (EDGE, {}, "shift the frame by half its size if DC is in the corner"),
        (np.fft.fftshift(EDGE), {"crop": 31}, "expected crop as a multiple of 2 of at most 64"),
        (np.fft.fftshift(EDGE), {"crop": 66}, "64 is a fast size"),
        (np.fft.fftshift(EDGE), {"crop": 36, "bin": 4}, "expected crop as a multiple of 8"),
        (np.fft.fftshift(EDGE), {"bin": 9}, "pixels of the binned frame"),
        (WHOLE, {"centre": "mass", "background": "rim"}, "or 'corners', got 'rim'"),
        (WHOLE, {"centre": "mass", "background": -1}, "as a number of at least 0"),
        (np.zeros((201, 64, 64)), {}, "expected one frame of rows and columns, got 201 frames of 64 × 64"),
        (np.zeros(64), {}, "got shape \\(64,\\)"),
        (WHOLE > 5, {}, "expected a frame of real numbers, got bool"),
    ],
)
def test_refusals_say_what_to_do(data, options, words, no_shape_checks):
    with pytest.raises(ValueError, match=words):
        prepare(data, **options)


@needs("Staff20-1a_S0054_00099.tif", "scan54/whitefield.tif", "scan54/dark.tif")
def test_a_measured_frame():
    tifffile = pytest.importorskip("tifffile")
    frame, flat, dark = (
        tifffile.imread(DATA / name)
        for name in ("Staff20-1a_S0054_00099.tif", "scan54/whitefield.tif", "scan54/dark.tif")
    )
    plain = prepare(frame)
    assert plain.mask.all()
    assert plain.quantum == 1
    found = prepare(frame, flat=flat, dark=dark)
    assert found.intensity.shape == (250, 250)
    assert "masked 13 pixels that are hot in the dark: above 10" in found.steps
    assert "divided by the flat field, whose response varies by 21 %" in found.steps
    assert 0.99 < found.mask.float().mean() < 1


@needs("esrf-logo/logo5mu_20sec.edf")
def test_the_beamstop_of_a_measured_frame_is_found():
    raw = (DATA / "esrf-logo/logo5mu_20sec.edf").read_bytes()
    frame = np.frombuffer(raw[-512 * 512 * 4 :], np.float32).reshape(512, 512)
    found = prepare(frame, centre="mass")
    assert (frame[250:262, 248:264] == 0).all()
    assert not found.mask[250:262, 248:264].any()
    assert found.quantum == pytest.approx(0.25)
