import os
import subprocess

import h5py
import numpy as np
import pytest

from farfield.measured import cxi

GENERATOR = np.random.default_rng(0)
STARTS = (GENERATOR.normal(size=(3, 16, 16)) + 1j * GENERATOR.normal(size=(3, 16, 16))).astype(np.complex64)
NINE_KEV = 9000 * 1.602176634e-19


@pytest.fixture
def result() -> cxi.Result:
    support = np.zeros((16, 16), bool)
    support[5:11, 4:12] = True
    mask = np.ones((16, 16), bool)
    mask[8, 8] = False
    figures = {"residual": 0.05, "deviance": 1.2, "free_deviance": 1.4, "agreement": 0.01, "solved": True}
    figures |= {"llk_poisson": 0.6, "free_llk_poisson": 0.7}
    return cxi.Result(
        object=STARTS[0],
        support=support,
        starts=STARTS,
        mode=STARTS[0] / 2,
        weight=0.9,
        pattern=GENERATOR.poisson(9, (16, 16)).astype(np.float32),
        mask=mask,
        table={"residual": np.array([0.05, 0.06, 0.07, 0.3]), "kept": np.array([True, True, True, False])},
        results=figures,
        configuration={"recipe": "2*(300*HIO+50*ER)", "starts": 4, "seed": 0, "beta": 0.85, "support": None},
        steps=["read frame.tif", "cropped to 16 × 16"],
        verdict="believed: all is well",
        prtf=np.linspace(1, 0.1, 8),
        width=0.1,
        geometry=cxi.Geometry(energy=NINE_KEV, distance=0.5, pixel_size=(55e-6, 55e-6)),
    )


def test_pynx_finds_its_paths(result, tmp_path):
    cxi.write(tmp_path / "result.cxi", result)
    with h5py.File(tmp_path / "result.cxi") as file:
        assert file["cxi_version"][()] == 150
        image = file["entry_1/image_1"]
        assert image["data"].dtype == np.complex64
        np.testing.assert_array_equal(image["data"][()], result.object)
        np.testing.assert_array_equal(image["support"][()], result.support)
        np.testing.assert_array_equal(file["entry_last/image_1/mask"][()], result.support)
        for path, target in (
            ("entry_1/image_1/support", "/entry_1/image_1/mask"),
            ("entry_1/data_1/data", "/entry_1/image_1/data"),
            ("entry_last", "/entry_1"),
        ):
            assert file.get(path, getlink=True).path == target
        assert image["data_space"][()] == b"real"
        assert image["data_type"][()] == b"electron density"
        assert image["is_fft_shifted"][()] == 0
        configuration, found = image["process_1/configuration"], image["process_1/results"]
        assert configuration["recipe"][()] == b"2*(300*HIO+50*ER)"
        assert (configuration["starts"][()], configuration["support"][()]) == (4, b"None")
        assert list(configuration["steps"].asstr()) == result.steps
        assert found["llk_poisson"][()] == 0.6
        assert found["free_llk_poisson"][()] == 0.7
        assert found["nb_point_support"][()] == 48
        np.testing.assert_array_equal(image["process_1/starts/kept"][()], result.table["kept"])
        assert image["process_1/program"][()] == b"farfield"


def test_what_was_measured_stands_in_the_detector(result, tmp_path):
    cxi.write(tmp_path / "result.cxi", result)
    with h5py.File(tmp_path / "result.cxi") as file:
        detector = file["entry_1/instrument_1/detector_1"]
        np.testing.assert_array_equal(detector["data"][()], result.pattern)
        assert detector["mask"].dtype == np.int8
        np.testing.assert_array_equal(detector["mask"][()] > 0, ~result.mask)
        assert (detector["distance"][()], detector["x_pixel_size"][()]) == (0.5, 55e-6)
        assert detector["y_pixel_size"].attrs["units"] == "m"
        assert file["entry_1/instrument_1/source_1/energy"][()] == NINE_KEV
        # 1.3776 Å × 0.5 m / 55 µm
        np.testing.assert_allclose(file["entry_1/image_1/image_size"][()], 1.2524e-6, rtol=1e-4)


def test_what_is_not_known_is_left_out(result, tmp_path):
    bare = result._replace(mask=np.ones((16, 16), bool), geometry=cxi.Geometry(), results={"deviance": None})
    cxi.write(tmp_path / "result.cxi", bare)
    with h5py.File(tmp_path / "result.cxi") as file:
        assert list(file["entry_1/instrument_1"]) == ["detector_1"]
        assert list(file["entry_1/instrument_1/detector_1"]) == ["data"]
        assert "image_size" not in file["entry_1/image_1"]
        assert "llk_poisson" not in file["entry_1/image_1/process_1/results"]


def test_every_kept_start_and_the_mode_are_images(result, tmp_path):
    cxi.write(tmp_path / "result.cxi", result)
    with h5py.File(tmp_path / "result.cxi") as file:
        for number, start in enumerate(STARTS, 2):
            np.testing.assert_array_equal(file[f"entry_1/image_{number}/data"][()], start)
        np.testing.assert_array_equal(file["entry_1/mode/data"][()], result.mode)
        assert file["entry_1/image_5/weight"][()] == 0.9


def test_viewers_are_led_from_the_file_to_the_object(result, tmp_path):
    cxi.write(tmp_path / "result.cxi", result)
    with h5py.File(tmp_path / "result.cxi") as file:
        entry = file[file.attrs["default"]]
        plot = entry[entry.attrs["default"]]
        assert (entry.attrs["NX_class"], plot.attrs["NX_class"]) == ("NXentry", "NXdata")
        np.testing.assert_array_equal(plot[plot.attrs["signal"]][()], result.object)
        assert plot.attrs["interpretation"] == "image"
        curve = file["entry_1/data_2"]
        np.testing.assert_array_equal(curve[curve.attrs["signal"]][()], result.prtf)
        assert len(curve[curve.attrs["axes"]]) == 8
        groups = []
        file.visititems(lambda name, item: groups.append(item) if isinstance(item, h5py.Group) else None)
        assert all("NX_class" in group.attrs for group in groups)


def test_what_is_written_is_read(result, tmp_path):
    cxi.write(tmp_path / "result.cxi", result)
    found = cxi.read(tmp_path / "result.cxi")
    np.testing.assert_array_equal(found.object, result.object)
    np.testing.assert_array_equal(found.support, result.support)
    assert {name: found.results[name] for name in result.results} == result.results
    assert found.results["solved"] is True
    assert found.results["verdict"] == result.verdict


def test_a_file_that_exists_is_kept_unless_told(result, tmp_path):
    path = tmp_path / "result.cxi"
    cxi.write(path, result)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"got one that exists; remove it, .* replace it \(--force\)"):
        cxi.write(path, result)
    assert path.read_bytes() == before
    cxi.write(path, result._replace(verdict="not believed"), overwrite=True)
    assert cxi.read(path).results["verdict"] == "not believed"


def test_other_files_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="expected a result, got no such file"):
        cxi.read(tmp_path / "none.cxi")
    (tmp_path / "text.cxi").write_text("no result")
    with pytest.raises(ValueError, match=r"text\.cxi: expected a result that farfield wrote"):
        cxi.read(tmp_path / "text.cxi")
    h5py.File(tmp_path / "other.cxi", "w").close()
    with pytest.raises(ValueError, match=r"other\.cxi: expected a result that farfield wrote"):
        cxi.read(tmp_path / "other.cxi")


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root mounts disks")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_what_was_there(result, small_disk):
    path = small_disk / "result.cxi"
    path.write_text("the previous one")
    with pytest.raises(OSError, match="No space left"):
        cxi.write(path, result, overwrite=True)
    assert list(small_disk.iterdir()) == [path]
    assert path.read_text() == "the previous one"
