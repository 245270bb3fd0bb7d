"""Mistakes in a config's objects, objectives and methods: each named, in a line, with a repair that is one."""

import copy
import gzip
import re
from pathlib import Path

import pytest
import yaml

from farfield.learning.objectives import Objective
from farfield.physics import images
from farfield.study import sections
from farfield.study.config import ConfigError, check

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
CUT = ROOT / "workflow/resources/fashion-mnist"
IMAGES = {"path": str(CUT), "training": 300, "validation": 20, "test": 20}

PASSIVE = {
    "study": "a",
    "tables": ["passive"],
    "figures": [],
    "image_size": 36,
    "samples": [300],
    "networks": ["mlp-decoder"],
    "network_options": {"mlp-decoder": {"width": 8, "hidden": 32}},
    "images": IMAGES,
    "objectives": {"naive": {}, "natural": {"labels": "natural"}, "passive": {"data": 0.0}},
    "noise": {"patterns": 1},
    "sweep": {"samples": 100},
}


def checked(**change):
    return check({**PASSIVE, **copy.deepcopy(change)}, SCHEMA)


@pytest.mark.parametrize("name", ["passive", "test-passive"])
def test_the_studies_of_the_second_paper_are_valid(name, monkeypatch):
    """The images of one are looked for among the 450 that lie here, as if they were all."""
    monkeypatch.chdir(ROOT)
    held = images.Held(60000, 28), images.Held(10000, 28)
    monkeypatch.setattr(sections.images, "check", lambda which, path: held[which == "test"])
    config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    assert check(config, SCHEMA, check_device=False)["images"]["seed"] == 2017


def test_a_study_that_names_images_is_one_of_images():
    assert sections.source(checked()) == "images"
    assert sections.source(check({"study": "a"}, SCHEMA)) == "crystals"


def test_objectives_are_made_of_their_sections_and_levels_of_none():
    config = checked(objectives={"p": {"data": 0.0, "low_pass": [1.5, 0.75]}})
    assert sections.objective(config, "p") == Objective(data=0.0, low_pass=(1.5, 0.75))
    assert sections.objective(config, "centred") == Objective(labels="centred")


REFINED = {"start": "naive"}


@pytest.mark.parametrize(
    ("change", "message", "repair"),
    [
        (
            {"objectives": {"p": {"data": 1.5}}},
            "objectives: p: expected data from 0, physics alone, to 1, labels alone, got 1.5",
            {"objectives": {"p": {"data": 1.0}}},
        ),
        ({"objectives": {"p": {"data": -0.5}}}, "objectives: p: expected data from 0", {}),
        (
            {"objectives": {"p": {"jacobian": -1.0}}},
            "objectives: p: expected jacobian of at least 0, got -1; 1e-3 is a beginning",
            {"objectives": {"p": {"jacobian": 1.0e-3}}},
        ),
        (
            {"objectives": {"p": {"physics": "intensities"}}},
            "objectives: p: expected physics out of amplitude, amplitude-l1, intensity, got 'intensities'",
            {"objectives": {"p": {"physics": "intensity"}}},
        ),
        (
            {"objectives": {"p": {"labels": "all"}}},
            "objectives: p: expected labels out of before, centred, phase, after, natural, invariant, got 'all'",
            {"objectives": {"p": {"labels": "invariant"}}},
        ),
        (
            {"objectives": {"p": {"data": 0.0, "low_pass": [0.75, 1.5]}}},
            "objectives: p: expected low_pass as a first width and a last one that is not larger, got [0.75, 1.5]",
            {"objectives": {"p": {"data": 0.0, "low_pass": [1.5, 0.75]}}},
        ),
        (
            {"objectives": {"p": {"data": 0.0, "low_pass": [1.5]}}},
            "objectives: p: low_pass: expected a list of 2, got [1.5]",
            {},
        ),
        ({"objectives": {"p": {"alpha": 0.3}}}, "objectives: p: unknown key 'alpha'", {}),
        ({"objectives": {}}, "objectives: expected keys", {}),
        ({"objectives": {"a b": {}}}, "objectives: expected a text of letters, digits", {}),
        (
            {"objectives": {"centred": {"labels": "phase"}}},
            "objectives: centred: expected its labels, which it is named after; rename it",
            {"objectives": {"turned": {"labels": "phase"}}},
        ),
        (
            {"objectives": {"before": {"labels": "invariant"}}},
            "objectives: before: expected its labels, which it is named after; rename it",
            {"objectives": {"invariant": {"labels": "invariant"}}},
        ),
        ({"objectives": {"after": {"data": 0.0, "labels": "after"}}}, "objectives: after: expected its labels", {}),
        (
            {"objectives": {"hio-tuned": {}}},
            "objectives: 'hio-tuned' is the name of another method; choose another",
            {"objectives": {"naive": {}}},
        ),
        *(
            ({"objectives": {name: {}}}, f"objectives: {name!r} is the name of", {})
            for name in ("cold", "blob", "zero")
        ),
        ({"refined": {"naive": REFINED}}, "objectives: 'naive' is the name of another method", {}),
        ({"refined": {"hio-tuned": REFINED}}, "refined: 'hio-tuned' is the name of another method", {}),
        ({"refined": {"hybrid": REFINED}}, "refined: 'hybrid' is the name of another method", {}),
        ({"baselines": {"box": {}}}, "baselines: 'box' is the name of another method", {}),
        (
            {"refined": {"r": {"start": "naiv"}}},
            "refined: r: start: unknown method 'naiv'; did you mean 'naive'?",
            {"refined": {"r": {"start": "naive"}}},
        ),
        (
            {"refined": {"r": {"recipe": "9*ER"}}},
            "'start' is a required property; add it",
            {"refined": {"r": REFINED}},
        ),
        (
            {"refined": {"r": {"start": "r"}}},
            "refined: r: start: expected a start that ends, got the circle r → r; break it",
            {"refined": {"r": {"start": "blob"}}},
        ),
        (
            {"refined": {"a": {"start": "b"}, "b": {"start": "a"}}},
            "refined: a: start: expected a start that ends, got the circle a → b → a; break it",
            {"refined": {"a": {"start": "b"}, "b": {"start": "mean-object"}}},
        ),
        (
            {"refined": {"r": {**REFINED, "network": "hybrid"}}},
            "refined: r: network: expected one of networks, got 'hybrid'; change it",
            {"refined": {"r": {**REFINED, "network": "mlp-decoder"}}},
        ),
        (
            {"refined": {"r": {**REFINED, "recipe": "5*HIP"}}},
            "refined: r: recipe: expected an algorithm out of",
            {"refined": {"r": {**REFINED, "recipe": "5*HIO"}}},
        ),
        (
            {"refined": {"r": {**REFINED, "support": "frame"}}},
            "support: expected one of found, start, got 'frame'",
            {},
        ),
        ({"baselines": {"b": {"support": "start"}}}, "support: expected one of found, frame, got 'start'", {}),
        (
            {"tables": ["starts"]},
            "tables: starts needs the section starts, with its warm and cold recipes; add it",
            {
                "tables": ["starts"],
                "starts": {"patterns": 2, "warm": [{"recipe": "9*ER"}], "cold": [{"recipe": "9*ER"}]},
            },
        ),
        ({"figures": ["starts"]}, "tables: starts needs the section starts", {"figures": []}),
        (
            {"starts": {"patterns": 2, "warm": [{"recipe": "9*ER"}]}},
            "starts: 'cold' is a required property; add it",
            {},
        ),
        (
            {
                "starts": {
                    "patterns": 2,
                    "warm": [{"recipe": "9*ER"}, {"recipe": "9*RE"}],
                    "cold": [{"recipe": "9*ER"}],
                }
            },
            "starts: warm[1]: recipe: expected an algorithm out of",
            {},
        ),
        (
            {
                "starts": {
                    "patterns": 2,
                    "warm": [{"recipe": "9*ER"}, {"recipe": "8*HIO+ER"}],
                    "cold": [{"recipe": "9*ER"}],
                }
            },
            "starts: warm[1]: recipe: expected another number of iterations than warm[0] has, got 9 again",
            {
                "starts": {
                    "patterns": 2,
                    "warm": [{"recipe": "9*ER"}, {"recipe": "9*HIO+ER"}],
                    "cold": [{"recipe": "9*ER"}],
                }
            },
        ),
        (
            {"tables": ["table1"]},
            "tables: table1 needs the objectives before and after; add them, or take it out",
            {"tables": ["table1"], "objectives": {"before": {}, "after": {"labels": "after"}}},
        ),
        ({"figures": ["error-against-size"]}, "error-against-size needs the objectives before and after", {}),
        ({"tables": ["table6"]}, "tables[0]: expected one of table1", {}),
        (
            {"training": {"versions": 8}, "objectives": {"naive": {}}, "networks": ["unet"], "image_size": 32},
            "training: versions: unet, naive: expected inputs scaled in all pixels alike for 8 versions, got "
            "log-standardised; use log-normalised",
            {
                "training": {"versions": 8, "inputs": "log-normalised"},
                "objectives": {"naive": {}},
                "networks": ["unet"],
                "image_size": 32,
            },
        ),
        (
            {"training": {"versions": 8}},
            "training: versions: mlp-decoder, natural: expected labels before or invariant for 8 versions",
            {"training": {"versions": 1}},
        ),
        ({"training": {"versions": 3}}, "training: versions: expected one of 1, 2, 4, 8, got 3", {}),
        ({"training": {"schedule": "cosin"}}, "training: schedule: expected one of plateau, cosine, got 'cosin'", {}),
        (
            {"sweep": {"samples": 100, "variants": {"turned": {"training": {"versions": 8}}}}},
            "sweep: variants: turned: training: versions: mlp-decoder, after: expected labels before or invariant",
            {"sweep": {"samples": 100, "variants": {"slow": {"training": {"learning_rate": 1.0e-4}}}}},
        ),
        (
            {"images": {**IMAGES, "training": 440}},
            "images: training, validation: expected at most 450 together; lower one",
            {"images": {**IMAGES, "training": 430}},
        ),
        (
            {"images": {**IMAGES, "test": 151}},
            "images: test: expected at most 150; lower it",
            {"images": {**IMAGES, "test": 150}},
        ),
        (
            {"image_size": 20},
            "image_size: expected at least the images' 28 pixels, got 20; raise it",
            {"image_size": 32},
        ),
        ({"samples": [301]}, "samples: 301 is beyond the 300 simulated; lower it or raise images: training", {}),
        ({"images": {**IMAGES, "validation": 0}}, "images: validation: expected an integer at least 1, got 0", {}),
        ({"noise": {"patterns": 30}}, "noise: patterns: expected no more than images: test; lower it", {}),
    ],
)
def test_mistakes_are_named_and_their_repairs_help(change, message, repair):
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        checked(**change)
    assert len(str(error.value).splitlines()) <= 4
    checked(**repair)


def test_crystals_have_no_natural_pose():
    asked = {"study": "a", "objectives": {"before": {}, "after": {"labels": "after"}, "n": {"labels": "natural"}}}
    message = "objectives: n: labels: expected a study of images for natural, got crystals; use before"
    with pytest.raises(ConfigError, match=message):
        check(asked, SCHEMA)
    asked["objectives"]["n"] = {"labels": "before"}  # the advice, followed
    check(asked, SCHEMA)


def test_each_table_that_holds_two_sides_is_named():
    """The tables of a config that leaves them out are those of the first paper."""
    with pytest.raises(ConfigError) as told:
        check({"study": "a", "objectives": {"naive": {}}}, SCHEMA)
    named = {line.split()[1] for line in str(told.value).splitlines()}
    assert named == {*(f"table{number}" for number in range(1, 6)), "paired", "error-against-size"}


@pytest.fixture
def folder(tmp_path):
    for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"):
        (tmp_path / name).write_bytes(gzip.decompress((CUT / f"{name}.gz").read_bytes()))
    return tmp_path


def refusal(folder):
    with pytest.raises(ConfigError) as told:
        checked(images={**IMAGES, "path": str(folder)})
    (line,) = str(told.value).splitlines()
    return line


def test_a_folder_without_images_names_the_package_and_the_key(tmp_path, folder):
    checked(images={**IMAGES, "path": str(folder)})
    line = refusal(tmp_path / "nowhere")
    assert line.startswith("images: expected t10k-images-idx3-ubyte and train-images-idx3-ubyte (or .gz) in images:")
    assert "apt-get install dataset-fashion-mnist" in line
    assert "set images: path to a folder that holds them" in line


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"])
def test_damaged_images_are_found_before_the_first_job(folder, name, packed):
    whole, file = (folder / name).read_bytes(), folder / (f"{name}.gz" if packed else name)
    (folder / name).unlink()

    def write(content):
        file.write_bytes(gzip.compress(content, 1) if packed else content)

    write(whole[:-1])
    assert f"got {len(whole) - 1}: it is truncated; copy again" in refusal(folder)
    write(b"\0\0\x08\x01" + whole[4:])
    assert "expected an idx file of images (magic number 00000803), got 00000801" in refusal(folder)
    write(whole + b"\0")
    assert "it has trailing bytes" in refusal(folder)
    file.write_bytes(b"")
    assert "got 0: it is truncated" in refusal(folder)
    write(whole)
    checked(images={**IMAGES, "path": str(folder)})  # copied again


def test_a_file_that_was_cut_off_while_packed_is_found(folder):
    name = "train-images-idx3-ubyte"
    whole = (CUT / f"{name}.gz").read_bytes()
    (folder / name).unlink()
    for length in (len(whole) - 1, 5000, 12):
        (folder / f"{name}.gz").write_bytes(whole[:length])
        assert re.search("is truncated|trailing bytes", refusal(folder))


def test_what_a_check_tells_is_what_reading_finds():
    """Without reading what lies between the first bytes and the last."""
    for which in ("train", "test"):
        read = images.read_idx(CUT / f"{images.SETS[which]}.gz")
        assert images.check(which, CUT) == (len(read), max(read.shape[1:]))


@pytest.fixture
def frames(tmp_path, monkeypatch):
    """Files of a scan, where snakemake is called."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames").mkdir()
    for name in ("frame.h5", "mask.npy", "frames/a1.tif", "frames/a0.tif", "frames/.hidden"):
        (tmp_path / name).touch()


def with_scan(**settings):
    return check({"study": "a", "measured": {"one": settings}}, SCHEMA)


def test_a_scan_has_the_defaults_of_the_command(frames):
    from farfield.__main__ import _parser
    from farfield.iterative.asking import RECIPE
    from farfield.measured import chain, preparation

    told = vars(_parser().parse_args(["reconstruct", "frame.h5", "-o", "a.cxi"]))
    asked = sections.scan(with_scan(data="frame.h5"), "one")
    assert asked.pop("values") == "complex"
    assert asked.pop("recipe") == RECIPE
    assert asked.pop("starts") == told["starts"] == chain.STARTS
    assert all(told[name] == value for name, value in asked.items())
    scan = SCHEMA["properties"]["measured"]["additionalProperties"]["properties"]
    assert set(scan) == set(told) - {"command", "run", "output", "force", "device"}
    for choice in scan["centre"]["enum"]:
        assert vars(_parser().parse_args(["inspect", "frame.h5", "--centre", choice]))["centre"] == choice
    assert set(scan["centre"]["enum"]) == set(preparation.CENTRES)


def test_what_a_scan_names_is_handed_on_and_watched(frames):
    settings = {"data": "./frame.h5::/entry/data", "mask": "~mask.npy", "dark": "frames", "positive": True}
    config = with_scan(**settings, region=[["0", 8], [8, 16]], background="3")
    asked = sections.scan(config, "one")
    assert asked["mask"] == "~mask.npy"
    assert (asked["values"], asked["region"], asked["background"]) == ("positive", ((0, 8), (8, 16)), 3)
    assert sections.files(config, "one") == ["frame.h5", "mask.npy", "frames/a0.tif", "frames/a1.tif"]


def test_a_rocking_scan_is_asked_for_as_by_the_command(frames):
    from farfield.__main__ import _parser

    config = with_scan(
        data="frames",
        dimensions=3,
        crop=[16, 32, 64],
        monitor="mask.npy",
        spec="frame.h5::54",
        pixel_size=[55, 75],
        angles={"delta": 32.1, "gamma": 12},
        rocked={"theta": 0.005},
        aim=[8, 9],
        q_steps=[[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        scattering=[1, 2, 3],
    )
    words = (
        "reconstruct frames -o a.cxi --dimensions 3 --crop 16,32,64 --monitor mask.npy --spec frame.h5::54 "
        "--pixel-size 55,75 --angles delta=32.1,gamma=12 --rocked theta=0.005 --aim 8,9 "
        "--q-steps 1,0,0;0,1,0;0,0,1 --scattering 1,2,3"
    )
    asked, told = sections.scan(config, "one"), vars(_parser().parse_args(words.split()))
    assert asked.pop("values") == "complex"
    assert asked.pop("recipe")
    assert {name: told[name] for name in asked} == asked
    assert sections.files(config, "one") == ["frames/a0.tif", "frames/a1.tif", "mask.npy", "frame.h5"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": "none.tif"}, "measured: one: data: expected a file or a folder, got none at none.tif; correct the"),
        ({"mask": "~no.npy::x"}, "measured: one: mask: expected a file or a folder, got none at no.npy; correct the"),
        ({"masks": "mask.npy"}, "measured: one: unknown key 'masks'; did you mean 'mask'?"),
        ({"free": 0.1}, "measured: one: unknown key 'free'"),
        ({"background": "corner"}, "background: expected a number at least 0 or 'corners', got 'corner'"),
        ({"crop": 4}, "measured: one: crop: expected an integer at least 8 or a list of 3, got 4"),
        ({"dimensions": 4}, "measured: one: dimensions: expected one of 2, 3, got 4"),
        ({"rocked": {}}, "measured: one: rocked:"),
        ({"q_steps": [[1, 0, 0], [0, 1], [0, 0, 1]]}, "measured: one: q_steps[1]: expected a list of 3"),
        ({"spec": "no.spec::5"}, "measured: one: spec: expected a file or a folder, got none at no.spec"),
        ({"monitor": "no.txt"}, "measured: one: monitor: expected a file or a folder, got none at no.txt"),
        ({"region": [0, 8]}, "measured: one: region[0]: expected a list of 2, got 0"),
        ({"recipe": "5*HIP"}, "measured: one: recipe: expected an algorithm out of ER, HIO, RAAR"),
    ],
)
def test_mistakes_in_a_scan_are_named(frames, settings, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        with_scan(**{"data": "frame.h5", **settings})
    assert len(str(error.value).splitlines()) <= 4
    with pytest.raises(ConfigError, match="measured: one: 'data' is a required property; add it"):
        with_scan(mask="mask.npy")


def test_files_are_looked_for_only_where_told(frames):
    config = {"study": "a", "measured": {"one": {"data": "elsewhere.tif"}}}
    assert check(config, SCHEMA, check_files=False)["measured"]["one"]["data"] == "elsewhere.tif"
