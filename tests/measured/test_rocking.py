"""From the frames of a scan to a volume: small scans in every kind of file, and every refusal."""

import re
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import torch
from conftest import refused

from farfield.measured import prepare_scan, read, read_scan
from farfield.measured.frames import Unreadable

SHAPE, PEAK = (40, 56, 50), (19, 30, 24)


@pytest.fixture(scope="module")
def scan() -> np.ndarray:
    """Counts of a box of 5 × 9 × 7 voxels, its peak not in the middle, and nothing else."""
    box = np.zeros((64, 64, 64))
    box[:5, :9, :7] = 1
    expected = np.fft.fftshift(np.abs(np.fft.fftn(box)) ** 2)
    first = [32 - place for place in PEAK]
    window = tuple(slice(start, start + side) for start, side in zip(first, SHAPE, strict=True))
    expected = expected[window] * 2e5 / expected.sum()
    return np.random.default_rng(0).poisson(expected).astype(np.uint16)


def kept(scan: np.ndarray, region: tuple) -> np.ndarray:
    return scan[tuple(slice(*ends) for ends in region)]


# What is made of frames


def test_a_scan_becomes_a_volume_about_its_peak(scan):
    found = prepare_scan(scan)
    assert found.intensity.shape == found.mask.shape == (36, 50, 48)
    assert found.intensity.dtype == torch.float32
    assert found.region == ((1, 37), (5, 55), (0, 48))
    assert np.array_equal(found.intensity.numpy(), kept(scan, found.region))
    assert found.mask.all()
    assert (found.quantum, found.background, found.bin) == (1.0, None, (1, 1, 1))
    assert f"centred on the peak, at {PEAK}" in found.steps
    assert "cropped to frames 1:37, rows 5:55, columns 0:48" in found.steps


def test_crop_and_bin_are_of_each_axis(scan):
    found = prepare_scan(scan, crop=(32, 48, 40), bin=(1, 3, 2))
    assert found.intensity.shape == (32, 16, 20)
    assert found.region == ((3, 35), (5, 53), (4, 44))
    summed = kept(scan, found.region).reshape(32, 16, 3, 20, 2).sum((2, 4))
    assert np.array_equal(found.intensity.numpy(), summed)
    frames = prepare_scan(scan, crop=(36, 16, 16), bin=(2, 1, 1))
    assert frames.intensity.shape == (18, 16, 16)
    assert frames.intensity.double().sum() == kept(scan, frames.region).sum()


@pytest.mark.parametrize("centre", ["peak", "mass"])
def test_both_centres_are_the_peak_of_a_box(scan, centre):
    found = prepare_scan(scan, centre=centre, crop=16)
    middle = [first + 8 for first, _ in found.region]
    assert np.abs(np.subtract(middle, PEAK)).max() <= 1


def test_the_frames_middle_may_be_told(scan):
    assert prepare_scan(scan, centre="frame", crop=16).region == ((12, 28), (20, 36), (17, 33))


def test_flat_dark_and_monitor_are_divided_out_of_counts_and_of_their_quantum(scan):
    rng = np.random.default_rng(1)
    flat, monitor = rng.uniform(0.5, 1.5, SHAPE[1:]), rng.uniform(1e5, 2e5, SHAPE[0])
    dark = np.full(SHAPE[1:], 0.25)
    found = prepare_scan(scan, flat=flat, dark=dark, monitor=monitor, crop=32)
    whole = flat / flat.mean() * (monitor / monitor.mean())[:, None, None]
    response = torch.from_numpy(kept(whole, found.region))
    torch.testing.assert_close(found.quantum.double(), 1 / response, rtol=1e-6, atol=0)
    torch.testing.assert_close(found.background.double(), 0.25 / response, rtol=1e-6, atol=0)
    counts = (found.intensity / found.quantum).double()
    torch.testing.assert_close(counts, torch.from_numpy(kept(scan, found.region).astype(float)), rtol=1e-6, atol=1e-6)


def test_without_a_monitor_all_frames_share_one_quantum(scan):
    flat = np.random.default_rng(1).uniform(0.5, 1.5, SHAPE[1:])
    found = prepare_scan(scan, flat=flat, crop=32)
    assert found.quantum.shape == found.mask.shape
    assert found.quantum.stride()[0] == 0
    binned = prepare_scan(scan, flat=flat, dark=np.ones(SHAPE[1:]), crop=32, bin=(2, 1, 1))
    torch.testing.assert_close(binned.quantum[0], found.quantum[0])
    torch.testing.assert_close(binned.background[0], 2 * found.quantum[0])


def test_what_is_bad_in_one_frame_is_bad_there_alone(scan):
    marked = scan.astype(np.int32)
    marked[20, 33, 20] = 30000  # a cosmic ray
    marked[:, 40, 41] = -1
    marked[22, 26, 27] = 2**31 - 1
    found = prepare_scan(marked)
    bad = np.zeros(SHAPE, bool)
    bad[20, 33, 20] = bad[22, 26, 27] = bad[:, 40, 41] = True
    assert np.array_equal(~found.mask.numpy(), kept(bad, found.region))
    assert np.array_equal(found.intensity.numpy(), kept(np.where(bad, 0, scan), found.region))
    lost = int(kept(bad, found.region).sum())
    assert any(step.startswith(f"left {lost} of {found.mask.numel()} voxels out") for step in found.steps)


def test_a_sum_with_a_bad_voxel_is_bad(scan):
    mask = np.ones(SHAPE, bool)
    mask[20, 31, 25] = False
    found = prepare_scan(scan, mask=mask, crop=(36, 32, 32), bin=(2, 2, 2))
    assert int((~found.mask).sum()) == 1
    assert found.intensity[~found.mask].item() == 0


def test_a_region_of_the_detector(scan):
    flat = np.random.default_rng(2).uniform(0.5, 1.5, (100, 120))
    rows, columns = (40, 40 + SHAPE[1]), (60, 60 + SHAPE[2])
    found = prepare_scan(scan, flat=flat, region=(rows, columns), crop=32)
    same = prepare_scan(scan, flat=flat[slice(*rows), slice(*columns)], crop=32)
    assert torch.equal(found.intensity, same.intensity)


def test_amplitudes_are_squared(scan):
    found = prepare_scan(np.sqrt(scan), amplitude=True, crop=32)
    assert found.quantum is None
    torch.testing.assert_close(found.intensity, prepare_scan(scan, crop=32).intensity)


def test_the_darkest_corners_tell_the_background(scan):
    level = 0.08
    lit = scan + np.random.default_rng(3).poisson(level, SHAPE)
    found = prepare_scan(lit, background="corners")
    assert found.background == pytest.approx(level, rel=0.3)
    assert prepare_scan(scan, background=0.5).background == 0.5


def test_a_peak_that_the_scans_end_touches_is_told(scan):
    assert not any("cuts the peak off" in step for step in prepare_scan(scan).steps)
    cut = prepare_scan(np.concatenate([scan[18:], scan[:8]]), crop=None, centre="frame")
    assert any(step.startswith("the first frame's peak has") and "cuts the peak off" in step for step in cut.steps)


# Where frames come from


def _folder(tmp_path: Path, scan: np.ndarray) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, frame in enumerate(scan, 5):
        tifffile.imwrite(folder / f"sample_S1_{number}.tif", frame)
    return folder


def _stack(tmp_path: Path, scan: np.ndarray) -> Path:
    tifffile.imwrite(tmp_path / "stack.tif", scan)
    return tmp_path / "stack.tif"


def _npy(tmp_path: Path, scan: np.ndarray) -> Path:
    np.save(tmp_path / "scan.npy", scan)
    return tmp_path / "scan.npy"


def _hdf5(tmp_path: Path, scan: np.ndarray) -> Path:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("entry/data/data", data=scan, chunks=(4, *scan.shape[1:]), compression="gzip")
    return tmp_path / "scan.h5"


def _blocks(tmp_path: Path, scan: np.ndarray) -> Path:
    for number, part in enumerate((scan[:7], scan[7:30], scan[30:]), 1):
        with h5py.File(tmp_path / f"scan_data_{number:06}.h5", "w") as file:
            file["entry/data/data"] = part
    with h5py.File(tmp_path / "scan_master.h5", "w") as file:
        for number in (1, 2, 3):
            link = h5py.ExternalLink(f"scan_data_{number:06}.h5", "entry/data/data")
            file[f"entry/data/data_{number:06}"] = link
        file["entry/instrument/detector/pixel_mask"] = (np.arange(50) == 49) * np.ones((56, 1), np.uint32)
    return tmp_path / "scan_master.h5"


def _list(tmp_path: Path, scan: np.ndarray) -> list[Path]:
    for number, frame in enumerate(scan):
        np.save(tmp_path / f"f{number}.npy", frame)
    return list(tmp_path.glob("f*.npy"))


@pytest.mark.parametrize("make", [_folder, _stack, _npy, _hdf5, _blocks, _list])
def test_frames_come_in_order_from_every_kind_of_file(tmp_path, scan, make):
    found = read_scan(make(tmp_path, scan))
    assert len(found.frames) == len(scan)
    assert all(np.array_equal(found.frames[number], frame) for number, frame in enumerate(scan))
    assert found.notes[0].startswith("read ")
    assert not (type(found.frames) is np.ndarray and found.frames.base is None)  # they stay on the disk
    volume = prepare_scan(found.frames, mask=found.mask, crop=32)
    assert torch.equal(volume.intensity, prepare_scan(scan, crop=32).intensity)


def test_the_mask_beside_the_frames_is_found(tmp_path, scan):
    found = read_scan(_blocks(tmp_path, scan))
    assert np.array_equal(found.mask, np.broadcast_to(np.arange(50) != 49, (56, 50)))
    assert np.array_equal(found.mask, read(tmp_path / "scan_master.h5").mask)


def test_there_is_never_a_copy_of_the_whole(tmp_path):
    frame, row, column = np.ogrid[:64, :96, :96]
    distance = ((frame - 32) / 6) ** 2 + ((row - 48) / 5) ** 2 + ((column - 48) / 5) ** 2
    counts = np.random.default_rng(0).poisson(1e4 * np.exp(-distance)).astype(np.int32)
    found = read_scan(_hdf5(tmp_path, counts))
    prepare_scan(found.frames, crop=16)  # what the first call imports and compiles is none of its memory
    tracemalloc.start()
    prepare_scan(found.frames, crop=16)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < counts.nbytes / 2


# What is refused


def test_a_missing_frame_is_named(tmp_path, scan):
    folder = _folder(tmp_path, scan)
    (folder / "sample_S1_17.tif").unlink()
    refused(lambda: read_scan(folder), str(folder), "frames 5 to 44", "none of number 17")
    files = [file for file in _list(tmp_path, scan) if file.name != "f3.npy"]
    refused(lambda: read_scan(files), "none of number 3")


@pytest.mark.usefixtures("no_shape_checks")  # which read a frame at random
def test_a_frame_of_another_shape_is_named(tmp_path, scan):
    folder = _folder(tmp_path, scan)
    tifffile.imwrite(folder / "sample_S1_9.tif", scan[0, 1:])
    found = read_scan(folder)
    refused(lambda: prepare_scan(found.frames), "sample_S1_9.tif", "56 × 50", "55 × 50")
    frames = [*scan[:9], scan[9, 1:], *scan[10:]]
    refused(lambda: prepare_scan(frames), "56 × 50", "55 × 50", "frame 9")


@pytest.mark.parametrize(
    ("end", "part"), [("first", slice(PEAK[0], None)), ("last", slice(0, PEAK[0] + 1))], ids=["first", "last"]
)
def test_a_peak_that_is_cut_off_is_refused(scan, end, part):
    refused(lambda: prepare_scan(scan[part]), f"the {end}", "cuts the peak off")


def test_too_few_frames_are_refused(tmp_path, scan):
    refused(lambda: prepare_scan(scan[12:27]), "at least 16 frames", "got 15")
    refused(lambda: prepare_scan(scan[:0]), "got 0")
    refused(lambda: prepare_scan(scan[PEAK[0] - 4 :]), "room for 16 frames", "at 4 of 25")
    refused(lambda: prepare_scan(scan, bin=(3, 1, 1)), "16 frames after binning")
    np.save(tmp_path / "one.npy", scan[0])
    refused(lambda: read_scan(tmp_path / "one.npy"), "one.npy", "got one")
    refused(lambda: read_scan([]), "empty list")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"crop": 33}, ("crop of the frames", "multiple of 2", "got 33")),
        ({"crop": (32, 32, 60)}, ("crop of the columns", "got 60", "48 is a fast size")),
        ({"crop": (32, 32)}, ("crop", "three")),
        ({"bin": (1, 0, 1)}, ("bin", "got 0")),
        ({"monitor": np.ones(39)}, ("monitor", "40 frames", "got 39")),
        ({"monitor": np.zeros(40)}, ("monitor", "positive")),
        ({"mask": np.ones((39, 56, 50), bool)}, ("mask", "40 frames", "got 39")),
        ({"mask": np.ones((56, 50))}, ("booleans",)),
        ({"mask": np.zeros((40, 56, 50), bool)}, ("at least half",)),
        ({"flat": np.ones((20, 20))}, ("flat", "56 × 50")),
        ({"background": -1.0}, ("background", "got -1.0")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_is_refused(scan, how, words):
    refused(lambda: prepare_scan(scan, **how), *words)


def test_complex_frames_are_refused(tmp_path, scan):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["entry/data/data"] = scan.astype(np.complex64)
    with pytest.raises(Unreadable, match=re.escape("real numbers")):
        read_scan(tmp_path / "scan.h5")
