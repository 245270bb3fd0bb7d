import gzip
import hashlib
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest
import torch

from farfield.physics import images
from farfield.study import datasets
from farfield.symmetry import actions

CUT = Path(__file__).parents[2] / "workflow/resources/fashion-mnist"
TRAIN, TEST = images.SETS["train"], images.SETS["test"]


@pytest.fixture(scope="module")
def garments():
    return images.read_idx(CUT / f"{TRAIN}.gz")


@pytest.fixture
def content():
    return gzip.decompress((CUT / f"{TEST}.gz").read_bytes())


def test_the_committed_images_are_what_their_notice_says(garments):
    assert garments.shape == (450, 28, 28)
    assert images.read_idx(CUT / f"{TEST}.gz").shape == (150, 28, 28)
    assert "Copyright © 2017 Zalando SE" in (CUT / "LICENSE").read_text()
    for name in (TRAIN, TEST):
        assert (CUT / f"{name}.gz").read_bytes()[4:8] == bytes(4)  # no time stamp: cut again, they are the same


def test_packed_and_plain_files_are_read_alike_whatever_their_name(tmp_path, content):
    (tmp_path / TEST).write_bytes(content)
    (tmp_path / f"{TEST}.gz").write_bytes(content)  # as browsers do, who unpack and keep the name
    packed = images.read_idx(CUT / f"{TEST}.gz")
    assert np.array_equal(images.read_idx(tmp_path / TEST), packed)
    assert np.array_equal(images.read_idx(str(tmp_path / f"{TEST}.gz")), packed)
    assert packed[3, 14].tobytes() == content[16 + (3 * 28 + 14) * 28 :][:28]
    packed[0] = 0  # their own, to be written


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: b"", "expected 16 bytes of images in .*images, got 0: it is truncated; copy again$"),
        (lambda whole: whole[:9], "got 9: it is truncated"),
        (lambda whole: whole[:-1], "expected 117616 bytes of images in .*images, got 117615: it is truncated"),
        (lambda whole: whole + b"\0", "got 117617: it has trailing bytes; copy again$"),
        (lambda whole: b"\0\0\x08\x01" + whole[4:], "magic number 00000803.*, got 00000801 in .*images; give train-"),
        (lambda whole: b"<html>", "got 3c68746d in"),
        (lambda whole: gzip.compress(whole)[:-1], "a whole gzip file, got .*images, which is truncated or damaged"),
        (lambda whole: gzip.compress(whole)[:5000], "truncated or damaged; copy it again$"),
        (lambda whole: gzip.compress(whole) + b"more", "truncated or damaged"),
        (lambda whole: gzip.compress(whole)[:500] + bytes(500) + gzip.compress(whole)[1000:], "truncated or damaged"),
        (lambda whole: gzip.compress(whole[:-1]), "got 117615: it is truncated"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, content, damage, message):
    (tmp_path / "images").write_bytes(damage(content))
    with pytest.raises(ValueError, match=message):
        images.read_idx(tmp_path / "images")


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:9],
        lambda whole: whole[:-1],
        lambda whole: whole + b"\0",
        lambda whole: b"\0\0\x08\x01" + whole[4:],
        lambda whole: b"<html>",
        lambda whole: gzip.compress(whole[:-1]),
        lambda whole: gzip.compress(whole)[:-1],
        lambda whole: gzip.compress(whole)[:5000],
        lambda whole: gzip.compress(whole)[:11],
    ],
)
def test_a_check_finds_what_ends_tell(tmp_path, content, damage):
    """Of a plain file and a packed one, under either name; in a reader's words, but for what cut gzip files hold."""
    (tmp_path / f"{TRAIN}.gz").write_bytes((CUT / f"{TRAIN}.gz").read_bytes())
    for name in (TEST, f"{TEST}.gz"):
        file = tmp_path / name
        file.write_bytes(damage(content))
        told = []
        for read in (partial(images.check, "test", tmp_path), partial(images.read_idx, file)):
            with pytest.raises(ValueError, match="expected") as error:
                read()
            told.append(str(error.value))
        assert str(file) in told[0]
        assert told[0] == told[1] or "is truncated or damaged" in told[1]
        file.write_bytes(content)
        assert images.check("test", tmp_path) == (150, 28)  # copied again
        file.unlink()


def test_a_check_reads_nothing_between_the_ends(tmp_path):
    """So that a study's config is checked as quickly for 70 000 images as for ten."""
    for name in (TRAIN, TEST):
        whole = (CUT / f"{name}.gz").read_bytes()
        (tmp_path / f"{name}.gz").write_bytes(whole[:20000] + bytes(1000) + whole[21000:])
    assert images.check("train", tmp_path) == (450, 28)
    assert images.check("validation", str(tmp_path)) == (450, 28)
    with pytest.raises(ValueError, match="truncated or damaged"):
        images.load("train", 1, 36, 0, tmp_path)


def test_a_missing_file_names_the_package_and_the_key(tmp_path):
    with pytest.raises(ValueError, match=r"no such file; .*apt-get install dataset-fashion-mnist.* images: path"):
        images.read_idx(tmp_path / TRAIN)


def test_a_given_folder_is_taken_or_refused_and_never_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "DEBIAN", CUT)  # there, and no stand-in
    assert images.find() == CUT
    assert images.find(str(CUT)) == CUT
    with pytest.raises(ValueError, match=rf"expected t10k-.* and train-.* in images: path, got {tmp_path} without"):
        images.find(tmp_path)
    (tmp_path / TRAIN).write_bytes(gzip.decompress((CUT / f"{TRAIN}.gz").read_bytes()))
    with pytest.raises(ValueError, match="or set images: path to a folder that holds them"):
        images.load("train", 1, 36, 0, tmp_path)  # one of two
    (tmp_path / f"{TEST}.gz").write_bytes((CUT / f"{TEST}.gz").read_bytes())
    assert images.find(tmp_path) == tmp_path  # the advice, followed; one plain, one packed
    assert len(images.load("test", 2, 36, 0, tmp_path)) == 2


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve the committed files, to an empty cache and without Debian's; what was asked for is listed."""
    folder, asked = tmp_path / "served", []
    folder.mkdir()
    for name in images.CHECKSUMS:
        (folder / name).write_bytes((CUT / name).read_bytes())

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    running = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    sums = {name: f"sha256:{hashlib.sha256((CUT / name).read_bytes()).hexdigest()}" for name in images.CHECKSUMS}
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(images, "CHECKSUMS", sums)
    monkeypatch.setattr(images, "BASE_URL", f"http://127.0.0.1:{running.server_port}/")
    monkeypatch.setattr(images, "DEBIAN", tmp_path / "absent")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    yield folder, asked
    running.shutdown()
    running.server_close()


def test_files_are_fetched_once_and_checked_each_time(server, tmp_path, garments):
    _, asked = server
    assert images.find() == tmp_path / "cache/farfield"
    assert [path.strip("/").split()[0] for path in asked] == list(images.CHECKSUMS)
    assert np.array_equal(images.read_idx(images.find() / f"{TRAIN}.gz"), garments)
    assert len(asked) == 2  # no more, the second time
    (images.find() / f"{TRAIN}.gz").write_bytes(b"damaged since")
    assert np.array_equal(images.read_idx(images.find() / f"{TRAIN}.gz"), garments)
    assert len(asked) == 3


def test_a_fetched_file_of_other_content_is_refused_and_not_kept(server, tmp_path):
    folder, _ = server
    whole = (folder / f"{TEST}.gz").read_bytes()
    (folder / f"{TEST}.gz").write_bytes(whole[:-1] + b"\xff")
    with pytest.raises(
        ValueError, match=r"t10k-images-idx3-ubyte.gz with sha256:\w+, got another content; try again"
    ):
        images.find()
    assert [path.name for path in (tmp_path / "cache/farfield").iterdir()] == [f"{TRAIN}.gz"]
    (folder / f"{TEST}.gz").write_bytes(whole)
    assert len(images.load("test", 3, 36, 0)) == 3  # the advice, followed


def test_without_a_network_the_package_and_the_key_are_named(server, monkeypatch):
    folder, _ = server
    (folder / f"{TRAIN}.gz").unlink()
    with pytest.raises(ValueError, match=r"got HTTPError; install Debian's"):
        images.find()
    monkeypatch.setattr(images, "BASE_URL", "http://127.0.0.1:9/")  # nobody listens there
    with pytest.raises(
        ValueError, match=r"expected to fetch http://127.0.0.1:9/train-.* into .*, got \w*Error; .*"
    ) as told:
        images.find()
    assert "apt-get install dataset-fashion-mnist" in str(told.value)
    assert "images: path" in str(told.value)
    assert "\n" not in str(told.value)
    monkeypatch.setattr(images, "DEBIAN", CUT)
    assert images.find() == CUT  # the advice, followed


def test_a_cache_that_cannot_be_made_is_told_of(server, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "file" / project)
    with pytest.raises(ValueError, match=r"into .*file/farfield, got NotADirectoryError; install Debian's"):
        images.find()


def test_a_client_for_the_network_is_loaded_only_by_who_fetches():
    code = (
        "from farfield.physics.images import load; load('test', 1, 28, 0, sys.argv[1]); print('pooch' in sys.modules)"
    )
    run = [sys.executable, "-c", f"import sys; {code}", str(CUT)]
    told = subprocess.run(run, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert told.stdout.strip() == "False"


def test_objects_are_the_images_turned_or_not_in_a_dark_frame(garments):
    objects = images.place(garments[:60], 36, 3)
    assert objects.dtype == torch.complex64
    assert objects.shape == (60, 36, 36)
    assert not objects.imag.any()
    assert float(objects.real.min()) == 0
    assert float(objects.real.max()) == 1
    windows = np.lib.stride_tricks.sliding_window_view(objects.real.numpy(), (28, 28), axis=(1, 2))
    for image, laid, item in zip(garments, windows, objects.real, strict=False):
        expected = image / np.float32(255)
        assert any((laid == one).all((-2, -1)).any() for one in (expected, expected[::-1, ::-1]))
        assert float(item.double().sum()) == pytest.approx(float(expected.sum(dtype=float)))


def test_a_turn_is_the_conjugate_flip_and_a_set_of_either_is_the_same_patterns(garments):
    upright = images.place(garments[:20], 36, 0, natural=True)
    sets = {"laid": images.place(garments[:20], 36, 5), "upright": upright}
    patterns = {name: datasets.from_objects(objects, 2).intensity.values for name, objects in sets.items()}
    assert np.allclose(patterns["laid"], patterns["upright"], atol=1e-5 * patterns["upright"].max())
    turned = torch.from_numpy(garments[0, ::-1, ::-1].copy())
    row, column = (int(axis.min()) for axis in torch.nonzero(turned, as_tuple=True))
    flipped = actions.conjugate_flip(upright[0]).real
    top, left = (int(axis.min()) for axis in torch.nonzero(flipped, as_tuple=True))
    assert torch.equal(flipped[top : top + 28 - row, left : left + 28 - column] * 255, turned[row:, column:].float())


def test_all_offsets_are_equally_likely_on_both_axes_and_half_are_turned():
    marked = np.zeros((4000, 3, 3), np.uint8)
    marked[:, 0, 0], marked[:, 2, 2] = 100, 200  # which corner shines tells turn and place
    objects = images.place(marked, 7, 11).real.numpy()
    bright = np.array([np.argwhere(item > 0.5)[0] for item in objects])
    dim = np.array([np.argwhere((item > 0) & (item < 0.5))[0] for item in objects])
    turned = bright[:, 0] < dim[:, 0]
    assert turned.mean() == pytest.approx(0.5, abs=0.03)  # 4 sigma
    counts = np.zeros((2, 5, 5))
    np.add.at(counts, (turned.astype(int), *np.minimum(bright, dim).T), 1)
    expected = 4000 / counts.size
    assert ((counts - expected) ** 2 / expected).sum() < 90  # chi squared of 49 degrees: 1 in 3000


def test_an_image_is_laid_by_seed_and_index_alone(garments):
    objects = images.place(garments[:30], 36, 7)
    assert torch.equal(images.place(garments[:9], 36, 7), objects[:9])
    assert not torch.equal(images.place(garments[:30], 36, 8), objects)
    same = images.place(np.repeat(garments[:1], 30, axis=0), 36, 7)
    assert len({item.numpy().tobytes() for item in same}) > 20


def test_the_biased_set_is_upright_and_in_the_middle(garments):
    for size in (28, 33, 36):
        first = (size - 28) // 2
        objects = images.place(garments[:5], size, 1, natural=True).real.numpy()
        middle = objects[:, first : first + 28, first : first + 28]
        assert np.array_equal(middle * np.float32(255), garments[:5])
        assert np.count_nonzero(objects) == np.count_nonzero(middle)
    assert torch.equal(
        images.load("test", 4, 36, 0, CUT, natural=True), images.load("test", 4, 36, 9, CUT, natural=True)
    )


def test_sets_are_the_first_and_the_last_of_their_files(garments):
    def of(which, count):
        return images.load(which, count, 28, 0, CUT, natural=True).real.numpy() * np.float32(255)

    assert np.array_equal(of("train", 5), garments[:5])
    assert np.array_equal(of("validation", 5), garments[:-6:-1])
    assert np.array_equal(of("validation", 3), of("validation", 5)[:3])
    assert np.array_equal(of("test", 5), images.read_idx(CUT / f"{TEST}.gz")[:5])


def test_sets_are_apart_up_to_the_whole_file_and_overlap_is_found():
    def of(which, count, seed):
        return datasets.from_objects(images.load(which, count, 36, seed, CUT), 2)

    sets = {"train": of("train", 350, 0), "validation": of("validation", 100, 1), "test": of("test", 150, 2)}
    datasets.check_apart(sets)
    with pytest.raises(ValueError, match="got sample 349 of train again as sample 100 of validation"):
        datasets.check_apart({**sets, "validation": of("validation", 101, 1)})


@pytest.mark.parametrize(
    ("arguments", "message", "advised"),
    [
        ({"which": "dev"}, "expected one of train, validation, test, got 'dev'", {"which": "validation"}),
        ({"count": 151}, r"expected at most the 150 images of .*t10k-.*gz, got 151; ask for fewer", {"count": 150}),
        ({"count": 0}, "expected count as an integer of at least 1, got 0", {"count": 1}),
        ({"size": 27}, "expected frames of at least 28 pixels, .*, got 27; raise image_size", {"size": 28}),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_a_sentence(arguments, message, advised):
    asked = {"which": "test", "count": 2, "size": 36, "seed": 0, "path": CUT}
    with pytest.raises(ValueError, match=message):
        images.load(**asked | arguments)
    assert len(images.load(**asked | advised))


@pytest.mark.usefixtures("no_shape_checks")
def test_images_that_are_no_bytes_are_refused(garments):
    with pytest.raises(ValueError, match=r"expected images as uint8 .*, got float32 of shape \(2, 28, 28\); scale"):
        images.place(garments[:2] / np.float32(255), 36, 0)
    with pytest.raises(ValueError, match=r"got uint8 of shape \(28, 28\)"):
        images.place(garments[0], 36, 0)
