"""Real files of detectors where they are at hand, small ones of every format, and every refusal."""

import gzip
import os
import re
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

from farfield.measured import read, read_image, read_mask
from farfield.measured.frames import Unreadable

DATA = Path(os.environ.get("FARFIELD_DATA", Path(__file__).parents[3] / "shared/data"))
COUNTS = np.arange(4 * 30 * 50).reshape(4, 30, 50).astype(np.uint16)
MASK = COUNTS[0] % 7 == 0


def real(name: str) -> Path:
    """A measured file, or no test."""
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here; FARFIELD_DATA names the folder of measured data")
    return DATA / name


def edf(array: np.ndarray, kind: str, order: str = "LowByteFirst", **more) -> bytes:
    """One block, its header filled up to 512 bytes."""
    rows, columns = array.shape
    fields = {"ByteOrder": order, "DataType": kind, "Dim_1": columns, "Dim_2": rows, "Size": array.nbytes, **more}
    text = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in fields.items())
    return text.ljust(510).encode() + b"}\n" + array.tobytes()


def refused(path: Path | str, *words: str, by=read) -> None:
    """Refuse in one sentence that begins with the path and holds these words."""
    with pytest.raises(ValueError, match=re.escape(str(path).partition("::")[0])) as caught:
        by(path)
    text = str(caught.value)
    assert text.startswith(str(path).partition("::")[0])
    assert "\n" not in text
    assert "Type-check" not in text  # a mistake of ours that is taken for a damaged file
    for word in ("expected", "got", *words):
        assert word in text, text


# Real files


def test_a_frame_of_34_id_c():
    frames = read(real("Staff20-1a_S0054_00099.tif"))
    assert frames.data.dtype == np.int32
    assert frames.data.sum() == 3532344
    assert frames.data.max() == frames.data[126, 127] == 165297
    assert isinstance(frames.data, np.memmap)
    assert frames.mask is None
    assert not frames.amplitude
    assert frames.geometry == (None, None, None)
    assert frames.notes == ["read 256 × 256 int32 from Staff20-1a_S0054_00099.tif"]


def test_a_scan_of_201_files(tmp_path):
    with tarfile.open(real("scan54/frames.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / "Staff20-1a_S0054"
    frames = read(folder)
    assert frames.data.shape == (201, 256, 256)
    assert frames.data.dtype == np.int32
    assert np.unravel_index(frames.data.argmax(), frames.data.shape) == (99, 126, 127)
    np.testing.assert_array_equal(frames.data[99], read(real("Staff20-1a_S0054_00099.tif")).data)
    (folder / "Staff20-1a_S0054_00120.tif").unlink()
    refused(folder, "number 120")


def test_dark_and_flat_of_the_detector():
    assert read_image(real("scan54/dark.tif")).shape == (512, 512)
    flat = read_image(real("scan54/whitefield.tif"))  # of the other byte order
    assert flat.dtype == np.float32
    assert flat.dtype.isnative
    assert 0.2 < flat[:256, :256].std() / flat[:256, :256].mean() < 0.25


def test_a_volume():
    data = read(real("3d-cdi-nn/ft_crop_64.tif")).data
    assert data.shape == (64, 64, 64)
    assert np.unravel_index(data.argmax(), data.shape) == (32, 31, 33)


def test_the_logo_of_id10_and_its_support():
    data = read(real("esrf-logo/logo5mu_20sec.edf")).data
    assert data.dtype == np.float32
    assert round(float(data.max())) == round(float(data[247, 257])) == 841233
    support = real("esrf-logo/mask_logo5mu_20sec.edf")
    assert np.count_nonzero(read_image(support)) == np.count_nonzero(read_mask(f"~{support}")) == 7577


def test_the_smallest_cxi_file():
    frames = read(real("cxi/minimal.cxi"))
    assert (frames.data.shape, frames.data.dtype) == ((50, 100), np.float64)
    assert frames.notes == ["read 50 × 100 float64 from minimal.cxi::/entry_1/data_1/data"]


def test_a_cxi_file_of_petra():
    path = real("cxi/PETRAIII_P25_Near_Field_Ptycho.cxi")
    frames = read(path)
    assert (frames.data.shape, frames.data.dtype) == ((200, 100, 100), np.int32)
    assert np.count_nonzero(~frames.mask) == 5
    assert frames.geometry.energy == pytest.approx(2.0280385e-15, rel=1e-6, abs=0)
    assert frames.geometry.distance == pytest.approx(1.12)
    assert frames.geometry.pixel_size == pytest.approx((55e-6, 55e-6), rel=1e-6, abs=0)
    assert frames.notes[1:] == [
        "mask of the file: 5 pixels are bad",
        "geometry of the file: 12.66 keV, distance 1.12 m, pixels of 55 × 55 µm",
    ]
    np.testing.assert_array_equal(read_mask(path), frames.mask)
    np.testing.assert_array_equal(read_mask(f"{path}::/entry_1/instrument_1/detector_1/mask"), frames.mask)


# numpy


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4", ">f8", "<f4", "u1"])
def test_npy_keeps_its_numbers(tmp_path, dtype):
    np.save(tmp_path / "frames.npy", COUNTS.astype(dtype))
    data = read(tmp_path / "frames.npy").data
    assert data.dtype == np.dtype(dtype).newbyteorder("=")
    assert isinstance(data, np.memmap) == np.dtype(dtype).isnative
    np.testing.assert_array_equal(data, COUNTS.astype(dtype))


@pytest.mark.parametrize("shape", [(30, 50, 1), (1, 30, 50), (1, 1, 30, 50, 1)])
def test_axes_of_length_one_are_dropped(tmp_path, shape):
    np.save(tmp_path / "frame.npy", COUNTS[0].reshape(shape))
    frames = read(tmp_path / "frame.npy")
    np.testing.assert_array_equal(frames.data, COUNTS[0])
    assert frames.notes[1] == "axes of length 1 dropped: 30 × 50"


def test_npz_by_key_by_name_or_alone(tmp_path):
    np.savez(tmp_path / "one.npz", whatever=COUNTS)
    np.savez_compressed(tmp_path / "pynx.npz", data=COUNTS, mask=~MASK, energy=8.0)
    np.savez(tmp_path / "two.npz", a=COUNTS, b=COUNTS + 1)
    assert read(tmp_path / "one.npz").data.shape == COUNTS.shape
    frames = read(tmp_path / "pynx.npz")
    np.testing.assert_array_equal(frames.mask, ~MASK)
    assert frames.notes[1] == f"mask of the file: {MASK.sum()} pixels are bad"
    np.testing.assert_array_equal(read(f"{tmp_path / 'two.npz'}::b").data, COUNTS + 1)
    refused(tmp_path / "two.npz", "a, b", "two.npz::a")
    refused(f"{tmp_path / 'two.npz'}::c", "c in it", "a, b")


# TIFF


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"byteorder": ">"}, {"bigtiff": True}])
def test_pages_of_a_tiff_are_frames(tmp_path, how):
    tifffile.imwrite(tmp_path / "scan.tif", COUNTS, photometric="minisblack", **how)
    data = read(tmp_path / "scan.tif").data
    assert data.dtype == np.uint16
    np.testing.assert_array_equal(data, COUNTS)


@pytest.mark.parametrize("metadata", [None, {}])
def test_pages_that_were_written_one_by_one(tmp_path, metadata):
    with tifffile.TiffWriter(tmp_path / "scan.tif") as file:
        for frame in COUNTS:
            file.write(frame, contiguous=False, metadata=metadata)
    np.testing.assert_array_equal(read(tmp_path / "scan.tif").data, COUNTS)


def test_a_folder_is_sorted_by_number(tmp_path):
    for number, frame in zip((8, 9, 10, 11), COUNTS, strict=True):
        tifffile.imwrite(tmp_path / f"run2_{number}.tiff", frame)
    (tmp_path / "run2.log").touch()
    frames = read(tmp_path)
    np.testing.assert_array_equal(frames.data, COUNTS)
    assert frames.notes == [f"read 4 × 30 × 50 uint16 from {tmp_path.name}/, run2_8.tiff to run2_11.tiff"]


def test_cohere_keeps_amplitudes(tmp_path):
    folder = tmp_path / "phasing_data"
    folder.mkdir()
    amplitude = np.sqrt(COUNTS).astype(np.float32)
    tifffile.imwrite(folder / "data.tif", amplitude.T, photometric="minisblack")
    frames = read(folder / "data.tif")
    assert frames.amplitude
    assert "amplitudes" in frames.notes[1]
    np.testing.assert_array_equal(frames.data, amplitude)


# HDF5


def cxi(path: Path, bits=None, **image) -> Path:
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 150
        if not image:
            file["entry_1/instrument_1/detector_1/data"] = COUNTS
            file["entry_1/instrument_1/source_1/energy"] = 1.6e-15
        if bits is not None:
            file["entry_1/instrument_1/detector_1/mask"] = bits
        for key, value in image.items():
            file[f"entry_1/image_1/{key}"] = value
        file["entry_1/data_1/data"] = np.zeros((5, 6))
    return path


def test_cxi_in_the_order_of_pynx(tmp_path):
    detector = read(cxi(tmp_path / "detector.cxi"))
    assert detector.notes[0].endswith("detector.cxi::/entry_1/instrument_1/detector_1/data")
    assert detector.geometry == (1.6e-15, None, None)
    image = read(cxi(tmp_path / "image.cxi", data=np.fft.ifftshift(COUNTS[0]), is_fft_shifted=1))
    np.testing.assert_array_equal(image.data, COUNTS[0])
    assert "is_fft_shifted" in image.notes[1]


def test_cxi_says_whether_it_holds_amplitudes(tmp_path):
    assert not read(cxi(tmp_path / "a.cxi", data=COUNTS, data_type="intensity")).amplitude
    assert read(cxi(tmp_path / "b.cxi", data=COUNTS, data_type="amplitude")).amplitude
    result = cxi(tmp_path / "c.cxi", data=COUNTS, support=MASK, data_type="electron density")
    refused(result, "electron density")
    np.testing.assert_array_equal(read_image(f"{result}::/entry_1/image_1/support"), MASK)
    assert read(f"{tmp_path / 'b.cxi'}::/entry_1/image_1/data").amplitude


@pytest.mark.parametrize("good", [0, 0x1000])
@pytest.mark.parametrize("bad", [1, 0x80, 0x200, 0x1001])
def test_bits_of_a_cxi_mask(tmp_path, good, bad):
    path = cxi(tmp_path / "bits.cxi", bits=np.where(MASK, bad, good).astype(np.uint32))
    np.testing.assert_array_equal(read(path).mask, ~MASK)
    np.testing.assert_array_equal(read_mask(path), ~MASK)
    np.testing.assert_array_equal(read_mask(f"{path}::/entry_1/instrument_1/detector_1/mask"), ~MASK)


@pytest.mark.parametrize("dtype", [bool, np.int8])
def test_masks_as_pynx_writes_them(tmp_path, dtype):
    np.testing.assert_array_equal(read(cxi(tmp_path / "pynx.cxi", bits=MASK.astype(dtype))).mask, ~MASK)


@pytest.mark.parametrize("axis", [0, 1])
def test_pixels_by_basis_vectors(tmp_path, axis):
    path = cxi(tmp_path / "vectors.cxi")
    vectors = np.array([[0, -2e-5, 0], [-5e-5, 0, 0]])  # along the rows' index, and the columns'
    with h5py.File(path, "a") as file:
        file["entry_1/instrument_1/detector_1/basis_vectors"] = vectors if axis else vectors.T
    assert read(path).geometry.pixel_size == pytest.approx((2e-5, 5e-5), rel=1e-6, abs=0)


def eiger(folder: Path, files: int = 2, **how) -> Path:
    """A master file that links to files of frames, as detectors by Dectris write them."""
    with h5py.File(folder / "run_master.h5", "w") as file:
        detector = file.create_group("entry/instrument/detector")
        detector["detectorSpecific/pixel_mask"] = MASK.astype(np.uint32)
        detector["detectorSpecific/flatfield"] = np.ones(MASK.shape, np.float32)
        for key, value, unit in (("detector_distance", 1.8, "m"), ("x_pixel_size", 75.0, "um")):
            detector[key] = value
            detector[key].attrs["units"] = unit
        detector["y_pixel_size"] = 7.5e-5
        detector["y_pixel_size"].attrs["units"] = np.bytes_("m")
        file["entry/instrument/beam/incident_wavelength"] = np.array([1.0])
        file["entry/instrument/beam/incident_wavelength"].attrs["units"] = "angstrom"
        for number in range(1, files + 1):
            name = f"run_data_{number:06}.h5"
            file[f"entry/data/data_{number:06}"] = h5py.ExternalLink(name, "/entry/data/data")
            with h5py.File(folder / name, "w") as frames:
                block = COUNTS[2 * number - 2 : 2 * number]
                frames.create_dataset("entry/data/data", data=block, chunks=(1, 30, 50), **how)
    return folder / "run_master.h5"


def test_a_master_file_of_an_eiger(tmp_path):
    frames = read(eiger(tmp_path))
    np.testing.assert_array_equal(frames.data, COUNTS)
    np.testing.assert_array_equal(frames.mask, ~MASK)
    assert frames.geometry[:2] == pytest.approx((1.98644586e-15, 1.8), rel=1e-7, abs=0)
    assert frames.geometry.pixel_size == pytest.approx((7.5e-5, 7.5e-5), rel=1e-6, abs=0)
    assert frames.notes == [
        "read 4 × 30 × 50 uint16 from run_master.h5::/entry/data/data_000001 to data_000002",
        f"mask of the file: {MASK.sum()} pixels are bad",
        "geometry of the file: 12.4 keV, distance 1.8 m, pixels of 75 × 75 µm",
    ]
    np.testing.assert_array_equal(read(f"{tmp_path}/run_master.h5::entry/data/data_000002").data, COUNTS[2:])
    assert read_image(f"{tmp_path}/run_master.h5::/entry/instrument/detector/detectorSpecific/flatfield").min() == 1


def test_a_master_file_without_its_frames(tmp_path):
    path = eiger(tmp_path)
    (tmp_path / "run_data_000002.h5").unlink()
    refused(path, "run_data_000002.h5")
    with h5py.File(path, "a") as file:
        file.move("entry/data/data_000002", "entry/data/data_000003")
    refused(path, "number 2")


def test_frames_packed_by_an_eiger(tmp_path):
    plugin = pytest.importorskip("hdf5plugin")
    np.testing.assert_array_equal(read(eiger(tmp_path, **plugin.Bitshuffle())).data, COUNTS)


@pytest.mark.parametrize("installed", [False, True])
def test_an_absent_filter_is_named(tmp_path, monkeypatch, installed):
    if not installed:
        monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    else:
        pytest.importorskip("hdf5plugin")
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((30, 50))
    properties.set_filter(511, h5py.h5z.FLAG_OPTIONAL)  # a number kept free for tests
    with h5py.File(tmp_path / "packed.h5", "w") as file:
        space = h5py.h5s.create_simple((30, 50))
        h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_UINT16, space, properties)
    refused(tmp_path / "packed.h5", "511", "h5repack" if installed else "pip install farfield[beamline]")


def test_virtual_frames_need_their_files(tmp_path):
    layout = h5py.VirtualLayout((4, 30, 50), np.uint16)
    for number, frame in enumerate(COUNTS):
        with h5py.File(tmp_path / f"frame{number}.h5", "w") as file:
            file["data"] = frame
        layout[number] = h5py.VirtualSource(f"frame{number}.h5", "data", (30, 50))
    with h5py.File(tmp_path / "all.nxs", "w") as file:
        file.create_virtual_dataset("entry/data/data", layout)
    np.testing.assert_array_equal(read(tmp_path / "all.nxs").data, COUNTS)
    (tmp_path / "frame2.h5").unlink()
    refused(tmp_path / "all.nxs", "frame2.h5")


def test_any_hdf5_by_path_or_alone(tmp_path):
    with h5py.File(tmp_path / "one.hdf5", "w") as file:
        file["1.1/measurement/mpx"] = COUNTS
        file["1.1/measurement/motor"] = np.arange(4)
        file["1.1/instrument/mpx/pixel_mask"] = MASK
    frames = read(tmp_path / "one.hdf5")
    np.testing.assert_array_equal(frames.data, COUNTS)
    np.testing.assert_array_equal(frames.mask, ~MASK)
    with h5py.File(tmp_path / "one.hdf5", "a") as file:
        file["2.1/measurement/mpx"] = COUNTS + 1
    refused(tmp_path / "one.hdf5", "/1.1/measurement/mpx, /2.1/measurement/mpx", "one.hdf5::/1.1/measurement/mpx")
    refused(f"{tmp_path}/one.hdf5::/3.1/measurement/mpx", "/3.1/measurement/mpx in it")
    refused(f"{tmp_path}/one.hdf5::/1.1/measurement", "/1.1/measurement in it")
    np.testing.assert_array_equal(read(f"{tmp_path}/one.hdf5::2.1/measurement/mpx").data, COUNTS + 1)


# EDF and MATLAB


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("UnsignedShort", "<u2"),
        ("SignedInteger", "<i4"),
        ("SignedLong", "<i4"),
        ("Unsigned64", "<u8"),
        ("Double", "<f8"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_edf_of_every_type(tmp_path, kind, dtype, packed):
    path = tmp_path / ("frame.edf.gz" if packed else "frame.edf")
    content = edf(COUNTS[0].astype(dtype), kind)
    path.write_bytes(gzip.compress(content) if packed else content)
    frames = read(path)
    assert frames.data.dtype == np.dtype(dtype)
    assert isinstance(frames.data, np.memmap) != packed
    np.testing.assert_array_equal(frames.data, COUNTS[0])


def test_edf_of_several_frames_and_the_other_byte_order(tmp_path):
    (tmp_path / "scan.edf").write_bytes(
        b"\n".join(edf(frame.astype(">u2"), "UnsignedShort", "HighByteFirst") for frame in COUNTS)
    )
    data = read(tmp_path / "scan.edf").data
    assert data.dtype == np.uint16
    np.testing.assert_array_equal(data, COUNTS)
    (tmp_path / "scan.edf").write_bytes(edf(COUNTS[0], "UnsignedShort") + edf(COUNTS[0, :20], "UnsignedShort"))
    refused(tmp_path / "scan.edf", "frame 1", "20 × 50")


def test_a_header_of_no_whole_number_of_words(tmp_path):
    (tmp_path / "odd.edf").write_bytes(b" " + edf(COUNTS[0].astype("<f4"), "FloatValue"))
    data = read(tmp_path / "odd.edf").data
    assert data.flags.aligned
    np.testing.assert_array_equal(data, COUNTS[0])


def test_matlab_files(tmp_path):
    scipy.io.savemat(tmp_path / "one.mat", {"frames": COUNTS, "energy": 8.0, "name": "gold"})
    scipy.io.savemat(tmp_path / "two.mat", {"a": COUNTS, "b": COUNTS + 1, "small": np.eye(3)})
    np.testing.assert_array_equal(read(tmp_path / "one.mat").data, COUNTS)
    np.testing.assert_array_equal(read(f"{tmp_path}/two.mat::b").data, COUNTS + 1)
    np.testing.assert_array_equal(read_image(f"{tmp_path}/two.mat::small"), np.eye(3))
    refused(tmp_path / "two.mat", "a, b", "two.mat::a")
    with h5py.File(tmp_path / "new.mat", "w", userblock_size=512) as file:
        file["frames"] = COUNTS.T
        file["#refs#/a"] = COUNTS
    np.testing.assert_array_equal(read(tmp_path / "new.mat").data, COUNTS)


# Masks


def test_truth_values_say_what_was_measured(tmp_path):
    np.save(tmp_path / "mask.npy", ~MASK)
    np.savez(tmp_path / "mask.npz", ~MASK)
    for path in (tmp_path / "mask.npy", tmp_path / "mask.npz"):
        np.testing.assert_array_equal(read_mask(path), ~MASK)
        np.testing.assert_array_equal(read_mask(f"~{path}"), MASK)


@pytest.mark.parametrize("bad", [1, 2, -1])
def test_numbers_say_what_is_bad(tmp_path, bad):
    numbers = np.where(MASK, bad, 0).astype(np.int32)
    np.save(tmp_path / "mask.npy", numbers)
    tifffile.imwrite(tmp_path / "mask.tif", numbers)
    (tmp_path / "mask.edf").write_bytes(edf(numbers, "SignedInteger"))
    scipy.io.savemat(tmp_path / "mask.mat", {"mask": numbers})
    with h5py.File(tmp_path / "mask.h5", "w") as file:
        file["entry/mask"] = numbers
    for ending in ("npy", "tif", "edf", "mat", "h5"):
        np.testing.assert_array_equal(read_mask(tmp_path / f"mask.{ending}"), ~MASK)
        np.testing.assert_array_equal(read_mask(f"~{tmp_path}/mask.{ending}"), MASK)


def test_truth_values_of_other_formats_say_what_is_bad(tmp_path):
    tifffile.imwrite(tmp_path / "mask.tif", MASK, photometric="minisblack")
    scipy.io.savemat(tmp_path / "mask.mat", {"mask": MASK})
    with h5py.File(tmp_path / "mask.h5", "w") as file:
        file["mask"] = MASK
    for ending in ("tif", "mat", "h5"):
        np.testing.assert_array_equal(read_mask(tmp_path / f"mask.{ending}"), ~MASK)


@pytest.mark.parametrize("sign", ["", "~"])
def test_nan_is_bad_either_way(tmp_path, sign):
    numbers = np.where(MASK, 1.0, 0.0)
    numbers[3, 4] = np.nan
    np.save(tmp_path / "mask.npy", numbers)
    measured = read_mask(f"{sign}{tmp_path}/mask.npy")
    assert not measured[3, 4]
    assert measured[0, 0] == bool(sign)


def test_a_mask_with_nothing_bad_or_nothing_good(tmp_path):
    np.save(tmp_path / "zeros.npy", np.zeros((30, 50), np.uint8))
    path = tmp_path / "zeros.npy"
    assert read_mask(path).all()
    refused(f"~{path}", f"write {path} if it marks the bad ones", by=read_mask)
    np.save(path, np.zeros((30, 50), bool))
    refused(path, "hides all pixels", f"~{path}", by=read_mask)


def test_a_mask_that_does_not_fit_its_data(tmp_path):
    refused(cxi(tmp_path / "small.cxi", bits=np.zeros((30, 49), np.uint8)), "4 × 30 × 50", "30 × 49")
    refused(cxi(tmp_path / "full.cxi", bits=np.ones((30, 50), np.uint8)), "own mask")


# What is refused


def written(folder: Path, ending: str) -> Path:
    """A file of this ending that can be read."""
    path = folder / f"frames.{ending}"
    if ending == "npy":
        np.save(path, COUNTS)
    elif ending == "npz":
        np.savez_compressed(path, COUNTS)
    elif ending in ("tif", "tiff"):
        tifffile.imwrite(path, COUNTS, photometric="minisblack", compression="zlib" if ending == "tiff" else None)
    elif ending == "mat":
        scipy.io.savemat(path, {"frames": COUNTS})
    elif ending.startswith("edf"):
        content = edf(COUNTS[0], "UnsignedShort")
        path.write_bytes(content if ending == "edf" else gzip.compress(content))
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("entry_1/data_1/data", data=COUNTS, compression="gzip" if ending == "cxi" else None)
    return path


ENDINGS = ["npy", "npz", "tif", "tiff", "cxi", "h5", "edf", "edf.gz", "mat"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_truncated_files(tmp_path, ending):
    path = written(tmp_path, ending)
    content = path.read_bytes()
    np.testing.assert_array_equal(read(path).data, COUNTS[0] if "edf" in ending else COUNTS)
    for length in (1, 7, 100, len(content) // 3, len(content) // 2, len(content) - 120):
        path.write_bytes(content[:length])
        refused(path)
    path.write_bytes(b"")
    refused(path, "an empty one")


@pytest.mark.parametrize("ending", ENDINGS[:-1])  # scipy's reader of .mat files may crash on wrong bytes
def test_damaged_files_raise_nothing_of_a_library(tmp_path, ending):
    path = written(tmp_path, ending)
    content, generator = np.frombuffer(path.read_bytes(), np.uint8), np.random.default_rng(7)
    for _ in range(60):
        damaged = content.copy()
        places = generator.integers(0, min(600, len(content)), 6)
        damaged[places] = generator.integers(0, 256, 6)
        path.write_bytes(damaged.tobytes())
        with suppress(Unreadable):  # or the numbers differ, or nothing at all
            assert read(path).data.ndim in (2, 3)
    path.write_bytes(b"nothing of the kind" * 100)
    refused(path)


def test_what_is_not_there_or_unknown(tmp_path):
    refused(tmp_path / "absent.tif", "none there")
    (tmp_path / "frames.txt").write_text("1 2 3")
    refused(tmp_path / "frames.txt", ".npy", ".edf.gz", ".cxi", ".mat")
    tifffile.imwrite(tmp_path / "a.tif", COUNTS[0])
    refused(f"{tmp_path}/a.tif::data", "::data behind it")


def test_arrays_that_are_no_frames(tmp_path):
    path = tmp_path / "array.npy"
    for array, words in (
        (COUNTS.astype(complex), ("complex128", "diffraction data are real")),
        (np.array([["a", "b"]]), ("numbers", "<U1")),
        (MASK, ("truth values", "read_mask")),
        (np.zeros((0, 5)), ("0 × 5",)),
        (np.arange(5), ("(frames, rows, columns)", "5")),
        (np.zeros((2, 3, 4, 5)), ("2 × 3 × 4 × 5",)),
    ):
        np.save(path, array)
        refused(path, *words)
    np.save(path, np.array([[{}, None]]), allow_pickle=True)
    refused(path, "Python objects")
    np.savez(tmp_path / "array.npz", np.array([[{}, None]]), allow_pickle=True)
    refused(tmp_path / "array.npz")


def test_files_without_frames(tmp_path):
    np.savez(tmp_path / "none.npz")
    scipy.io.savemat(tmp_path / "none.mat", {"energy": 8.0})
    h5py.File(tmp_path / "none.h5", "w").close()
    with h5py.File(tmp_path / "none.cxi", "w") as file:
        file["entry_1/instrument_1/source_1/energy"] = 1.6e-15
        file["entry_1/title"] = "nothing"
    for ending in ("npz", "mat", "h5", "cxi"):
        refused(tmp_path / f"none.{ending}", "no array of numbers")


def test_tiffs_that_are_no_frames(tmp_path):
    tifffile.imwrite(tmp_path / "picture.tif", np.zeros((30, 50, 3), np.uint8), photometric="rgb")
    refused(tmp_path / "picture.tif", "colours")
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as file:
        file.write(COUNTS[0])
        file.write(COUNTS[0, :20])
    refused(tmp_path / "mixed.tif", "30 × 50", "20 × 50")


def test_edf_headers_that_say_too_little(tmp_path):
    path = tmp_path / "frame.edf"
    path.write_bytes(edf(COUNTS[0], "Strange"))
    refused(path, "DataType", "Strange")
    path.write_bytes(edf(COUNTS[0], "UnsignedShort", Dim_2="many"))
    refused(path, "Dim_2", "many")
    path.write_bytes(edf(COUNTS[0], "UnsignedShort", Compression="GZipCompression"))
    refused(path, "GZipCompression")


def test_folders_that_are_no_scan(tmp_path):
    refused(tmp_path, ".tif", "none")
    for number, frame in enumerate(COUNTS):
        tifffile.imwrite(tmp_path / f"a_{number}.tif", frame)
    tifffile.imwrite(tmp_path / "dark.tif", COUNTS[0])
    refused(tmp_path, "dark.tif")
    (tmp_path / "dark.tif").rename(tmp_path / "b_5.tif")
    refused(tmp_path, "a_# and b_#")
    (tmp_path / "b_5.tif").rename(tmp_path / "a_03.tif")
    refused(tmp_path, "two of 3")
    (tmp_path / "a_03.tif").rename(tmp_path / "a_5.tif")
    refused(tmp_path, "number 4")
    (tmp_path / "a_5.tif").unlink()
    tifffile.imwrite(tmp_path / "a_2.tif", COUNTS[0, :20])
    with pytest.raises(ValueError, match=r"a_2\.tif: expected a frame like the first, 30 × 50 uint16, got 20 × 50"):
        read(tmp_path)
    tifffile.imwrite(tmp_path / "a_0.tif", COUNTS, photometric="minisblack")
    with pytest.raises(ValueError, match=r"a_0\.tif: expected one frame a file, got 4 × 30 × 50"):
        read(tmp_path)
