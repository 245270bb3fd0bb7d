from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import xarray as xr

from farfield.learning import batches, training
from farfield.learning.batches import Batches, shuffled_groups, survey
from farfield.learning.networks.retriever import COMPRESSIONS
from farfield.learning.optics import FarField
from farfield.machine import store
from farfield.physics import crystals
from farfield.physics.diffraction import measure
from farfield.study import datasets
from farfield.symmetry import actions

SETTINGS = training.Settings(
    epochs=3, updates=0, batch_size=32, learning_rate=2e-3, learning_rate_floor=1e-5, factor=0.5, patience=3
)


def scale(intensity):
    return intensity.sqrt()


def feed(objects, memory=1.0, dtype=torch.float32):
    return Batches(objects, FarField(2), scale, device=torch.device("cpu"), dtype=dtype, memory=memory)


@pytest.mark.parametrize("count", [1, 63, 64, 300, 1000])
def test_an_epoch_has_every_sample_once(monkeypatch, count):
    monkeypatch.setattr(batches, "GROUP", 256 * 16**2)
    groups = list(shuffled_groups(count, 16, torch.Generator().manual_seed(3)))
    assert all(len(group) <= 256 for group in groups)
    assert torch.cat(groups).sort().values.tolist() == list(range(count))
    again = list(shuffled_groups(count, 16, torch.Generator().manual_seed(4)))
    assert count == 1 or torch.cat(groups).tolist() != torch.cat(again).tolist()


@pytest.fixture(scope="module")
def objects():
    return actions.break_symmetries(crystals.simulate(300, 16, 3))


@pytest.fixture
def lazily(objects, tmp_path):
    store.write_dataset(datasets.from_objects(objects, 2), tmp_path / "train.zarr")
    return store.open_dataset(tmp_path / "train.zarr").object


def test_batches_hold_patterns_and_their_objects(objects):
    for inputs, targets in feed(objects).epoch(32, seed=1):
        assert torch.allclose(inputs, scale(measure(torch.complex(targets[:, 0], targets[:, 1]))), atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_streamed_set_gives_the_batches_of_one_in_memory(monkeypatch, objects, lazily, dtype):
    monkeypatch.setattr(batches, "GROUP", 128 * 16**2)
    resident, streamed = feed(objects, dtype=dtype), feed(lazily, 1e-9, dtype)
    assert resident.resident is not None
    assert streamed.resident is None
    for one, other in zip(resident.epoch(32, 5), streamed.epoch(32, 5), strict=True):
        assert all(torch.equal(x, y) for x, y in zip(one, other, strict=True))


def test_a_streamed_training_ends_with_the_weights_of_one_in_memory(monkeypatch, objects, lazily, tmp_path):
    monkeypatch.setattr(batches, "GROUP", 128 * 16**2)
    for name, source, memory in (("resident", objects, 1.0), ("streamed", lazily, 1e-9)):
        training.fit(
            "unet", source, objects[:20], SETTINGS, folder=tmp_path / name, options={"width": 8}, memory=memory
        )
    files = [(tmp_path / name / "final.safetensors").read_bytes() for name in ("resident", "streamed")]
    assert files[0] == files[1]


def test_what_is_streamed_is_brought_near_if_there_is_room_on_a_disk(monkeypatch, objects, lazily):
    monkeypatch.setattr(batches, "_is_memory", lambda folder: False)
    near = feed(lazily, 1e-9).objects
    assert near is not lazily
    assert torch.equal(near[0:300], objects)
    assert torch.equal(near[290:400], objects[290:])
    assert len(near) == 300
    for name, answer in (("_is_memory", True), ("shutil.disk_usage", SimpleNamespace(free=300 * 16**2 * 8))):
        with monkeypatch.context() as patch:
            patch.setattr(f"farfield.learning.batches.{name}", lambda folder, answer=answer: answer)
            assert feed(lazily, 1e-9).objects is lazily
    assert feed(objects, 1e-9).objects is objects


def test_memory_is_no_disk(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/vda / ext4 rw 0 0\nshm /dev/shm tmpfs rw 0 0\n/dev/vdb /dev/shm/disk xfs rw 0 0\n")
    assert batches._is_memory(Path("/dev/shm/some"), mounts)
    assert not batches._is_memory(Path("/dev/shm/disk/some"), mounts)
    assert not batches._is_memory(tmp_path, mounts)
    assert not batches._is_memory(tmp_path, tmp_path / "none")


def test_a_temporary_folder_that_fills_up_is_done_without(monkeypatch, lazily, caplog):
    def full(objects):
        raise OSError("16384 requested and 12500 written")

    monkeypatch.setattr(batches, "_is_memory", lambda folder: False)
    monkeypatch.setattr(batches, "_Scratch", full)
    assert feed(lazily, 1e-9).objects is lazily
    assert "12500 written" in caplog.text


def test_objects_of_double_precision_are_streamed_too(monkeypatch, objects, lazily):
    monkeypatch.setattr(batches, "_is_memory", lambda folder: False)
    assert torch.equal(feed(lazily.astype("complex128"), 1e-9).objects[0:300], objects)


def test_streaming_holds_a_group_and_no_more(monkeypatch, lazily):
    monkeypatch.setattr(batches, "GROUP", 128 * 16**2)
    held = []
    read = batches.read_samples
    monkeypatch.setattr(batches, "read_samples", lambda *where: held.append(where[1:]) or read(*where))
    streamed = feed(lazily, 1e-9)
    held.clear()  # of what was brought near, block by block
    next(iter(streamed.epoch(32, 5)))
    assert len(held) == 2  # two blocks of 64


def test_a_survey_in_blocks_is_that_of_the_whole(objects, lazily):
    compress = COMPRESSIONS["log"]
    found, same = survey(objects, "objects", FarField(2), compress), survey(lazily, "objects", FarField(2), compress)
    inputs = compress(measure(objects))
    assert torch.allclose(found.mean, inputs.mean(0), atol=1e-5)
    assert torch.allclose(found.deviation, inputs.std(0, correction=0), atol=1e-4)
    assert found.digest == same.digest
    assert torch.equal(found.mean, same.mean)
    assert survey(objects.flip(0), "objects", FarField(2), compress).digest != found.digest


def test_sets_that_cannot_be_trained_on_are_refused(objects, tmp_path):
    bad = objects.clone()
    bad[70, 3, 3] = complex(float("nan"), 0)
    with pytest.raises(ValueError, match="expected finite training objects, got NaN or infinity in samples 64"):
        training.fit("unet", bad, objects[:20], SETTINGS, folder=tmp_path)
    with pytest.raises(ValueError, match=r"expected validation objects of shape .*, got \(20, 16, 12\)"):
        training.fit("unet", objects, objects[:20, :, :12], SETTINGS, folder=tmp_path)
    with pytest.raises(ValueError, match="expected validation objects of 16², got 8²"):
        training.fit("unet", objects, objects[:20, :8, :8], SETTINGS, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_too_few_samples_are_refused(lazily):
    dataset = xr.Dataset({"object": lazily})
    assert batches.first(dataset, 300).sizes["sample"] == 300
    with pytest.raises(ValueError, match="expected a set of at least 301 samples, got 300; raise crystals: training"):
        batches.first(dataset, 301)


@pytest.mark.parametrize("change", [None, "moved", "flipped", "turned in phase", "all"])
def test_symmetric_copies_in_two_sets_are_refused(objects, change):
    train, test = objects[:250], crystals.simulate(40, 16, 99)
    copy = objects[7]
    if change in ("moved", "all"):
        copy = actions.translate(copy, (1, -1))
    if change in ("flipped", "all"):
        copy = actions.conjugate_flip(copy)
    if change in ("turned in phase", "all"):
        copy = actions.rotate_phase(copy, 1.1)
    sets = {"train": datasets.from_objects(train, 2), "test": datasets.from_objects(test, 2)}
    datasets.check_apart(sets)
    test[11] = copy
    with pytest.raises(ValueError, match="got sample 7 of train again as sample 11 of test"):
        datasets.check_apart({**sets, "test": datasets.from_objects(test, 2)})
