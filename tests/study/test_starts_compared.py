"""What starts are worth: methods of recipes, what is made of them, and gains that are paired by hand."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import random_copy

from farfield.iterative import starts
from farfield.iterative.guesses import blob
from farfield.machine import store
from farfield.physics.diffraction import to_frame
from farfield.study import datasets, following, methods, rendering, start_curves, starting
from farfield.symmetry.metrics import symmetry_adjusted_mse

CPU = torch.device("cpu")
RUN = {"recipe": "6*HIO+4*ER", "beta": 0.8, "shrinkwrap": {"threshold": 0.2, "sigma": 1.0, "period": 3}}


@pytest.fixture(scope="module")
def truth(objects):
    return datasets.from_objects(objects[:4], 2)


@pytest.fixture(scope="module")
def pattern(truth):
    return torch.from_numpy(truth.intensity.values)


def test_a_start_without_a_pattern_is_random_or_trivial(truth):
    assert starting.find("", truth, 7) == starting.Start({7: None}, (0.0, 0.0))
    (found,) = starting.find("blob", truth, 7).objects.values()
    assert torch.equal(found, blob(32))
    (found,) = starting.find("mean-object", truth, 7).objects.values()
    assert torch.allclose(found, torch.from_numpy(truth.object.values).mean(0))


def written(path, made, section=None, **costs):
    grid = ("seed", "checkpoint")
    dataset = methods.dataset(made, [3, 5], ["final", "best"])
    store.write_dataset(dataset.assign({name: (grid, values) for name, values in costs.items()}), path, section)
    return str(path)


def test_a_start_is_read_with_what_it_cost(tmp_path, objects):
    """Of the best checkpoint, of every seed, and only as many samples as are wanted."""
    made = torch.stack([objects[:8], 2 * objects[:8], 3 * objects[:8], 4 * objects[:8]]).reshape(2, 2, 8, 32, 32)
    path = written(tmp_path / "n.zarr", made, seconds=[[9.0, 1.0], [9.0, 3.0]], iterations=[[9.0, 10.0], [9.0, 30.0]])
    found = starting.read(path, {}, 5)
    assert found.spent == (2.0, 20.0)
    assert list(found.objects) == [3, 5]
    assert torch.equal(found.objects[3], 2 * objects[:5])
    assert torch.equal(found.objects[5], 4 * objects[:5])
    bare = written(tmp_path / "bare.zarr", made, seconds=[[9.0, 1.0], [9.0, 3.0]])
    assert starting.read(bare, {}, 5).spent == (2.0, 0.0)  # a network does not iterate


def test_sets_are_reconstructed_from_what_is_known_or_was_made_of_each(truth, tmp_path, objects):
    """As many patterns of each as are asked for, and there are; with what the start cost."""
    seen, section, four = [], {"oversampling": 2}, objects[:16].reshape(2, 2, 4, 32, 32)
    made = written(tmp_path / "m.zarr", four, section, seconds=[[9.0, 1.0], [9.0, 3.0]])

    def make(oversampling, seed, start):
        seen.append((oversampling, seed, start))
        return lambda intensity: (torch.zeros(len(intensity), 32, 32, dtype=torch.complex64), torch.ones(1))

    sets = {"test": truth, "noisy": truth}
    sections, counts = dict.fromkeys(sets, section), {"test": 3, "noisy": 9}
    known = starting.Start({7: None})
    found = dict(starting.reconstruct_sets("m", make, sets, sections, counts, known))
    assert seen == [(2, 7, None)] * 2
    assert {split: x.sizes["sample"] for split, x in found.items()} == {"test": 3, "noisy": 4}
    assert found["noisy"].attrs == {"method": "m", "kind": "iterative", "split": "noisy"}
    seen.clear()
    found = dict(starting.reconstruct_sets("m", make, {"test": truth}, {"test": section}, counts, known, [made]))
    assert [(seed, start.shape[0]) for _, seed, start in seen] == [(3, 3), (5, 3)]
    assert (found["test"].seconds >= 2).all()


@pytest.mark.parametrize(("size", "oversampling"), [(6, 2), (5, 2), (4, 3), (5, 4)])
def test_a_frame_marks_where_objects_lie(size, oversampling):
    """All of an object's frame in that of its pattern and no more, odd or even: where objects are padded."""
    padded = to_frame(torch.ones(size, size), size * oversampling, size * oversampling)
    assert torch.equal(starting.frame(size * oversampling, oversampling), padded.bool())


@pytest.fixture
def updates(monkeypatch):
    """How often shrinkwrap has made a support."""
    made, update = [], starts.update
    monkeypatch.setattr(starts, "update", lambda *what: made.append(1) or update(*what))
    return made


@pytest.mark.parametrize(("kept", "expected"), [("frame", 0), ("start", 1), ("found", 1 + 3)])
def test_shrinkwrap_never_comes_to_a_support_that_is_kept(updates, pattern, objects, kept, expected):
    """What a start shows is found once, before the first iteration; a box not even then."""
    begin = objects[:4] if kept != "frame" else None
    starting.method({**RUN, "support": kept}, 2, 0, begin, CPU)(pattern)
    assert len(updates) == expected


def test_of_a_frame_as_support_nothing_is_outside(pattern):
    box = {**RUN, "support": "frame", "recipe": "20*HIO"}
    found, iterations = starting.method(box, 2, 0, None, CPU)(pattern)
    assert iterations.tolist() == [20] * 4
    rows, columns = ((found != 0).any(axis) for axis in (2, 1))
    for extent in (*rows, *columns):  # on the torus, as objects are centred by their mass
        assert int(extent.sum()) <= 32
        assert int(extent.sum()) > 20


def test_starts_of_a_section_are_made(pattern):
    found = [starting.method({**RUN, "starts": count}, 2, 0, None, CPU)(pattern)[1].tolist() for count in (1, 3)]
    assert found == [[10] * 4, [30] * 4]


def test_a_chain_of_methods_costs_all_of_its_links(pattern):
    """Seconds and iterations of what a method starts from are added to its own."""

    def iterates(intensity):
        return torch.zeros(4, 8, 8, dtype=torch.complex64), torch.tensor([10, 20, 30, 40])

    grid = {(seed, "final"): iterates for seed in (0, 1)}
    plain = methods.reconstruct_all(grid, pattern, {})
    added = methods.reconstruct_all(grid, pattern, {"method": "m"}, before=(100.0, 7.0))
    assert np.array_equal(plain.iterations, [[25.0], [25.0]])
    assert np.array_equal(added.iterations, [[32.0], [32.0]])
    assert (plain.seconds < 1).all()
    assert (added.seconds >= 100).all()
    assert (added.seconds < 101).all()
    still = methods.reconstruct_all({(0, "final"): lambda intensity: iterates(intensity)[0]}, pattern, {})
    assert "iterations" not in still


def test_recipes_are_followed_from_one_start(truth, pattern, objects):
    """A line for each seed, length and sample; the first is the start as it is, on every sample's own scale."""
    begins = {0: (random_copy(objects[:4], 2), 0.25), 4: (0.5 * blob(32), 0.5)}
    longer = {**RUN, "recipe": "2*(6*HIO+4*ER)"}
    frame = following.follow("passive", begins, [RUN, longer], truth, 2, CPU)
    assert len(frame) == 2 * 3 * 4
    assert set(frame["start"]) == {"passive"}
    assert frame.groupby("seed")["iterations"].unique().map(list).to_dict() == {0: [0, 10, 20], 4: [0, 10, 20]}
    by = frame.set_index(["seed", "iterations"])
    assert np.allclose(by.loc[(0, 0), "error"], 0, atol=1e-5)
    assert set(by.loc[(0, 0), "seconds"]) == {0.25}
    assert (by.loc[(4, 20), "seconds"] > 0.5).all()
    energy = objects[:4].abs().double().square().mean((1, 2))
    expected = symmetry_adjusted_mse(objects[:4], blob(32).expand(4, -1, -1)) / energy
    assert np.allclose(by.loc[(4, 0), "error"], expected)
    made, _ = starting.method(RUN, 2, 4, 0.5 * blob(32), CPU)(pattern)
    assert np.allclose(by.loc[(4, 10), "error"], symmetry_adjusted_mse(objects[:4], made) / energy)


def test_random_phases_are_nothing_before_their_iterations(truth):
    frame = following.follow("cold", {0: (None, 0.0), 1: (None, 0.0)}, [RUN], truth, 2, CPU)
    assert set(frame["iterations"]) == {10}
    errors = frame.pivot(index="sample", columns="seed", values="error")
    assert not np.allclose(errors[0], errors[1])


@pytest.fixture
def curves(tmp_path):
    """Two samples and two lengths from three starts; a learned one has two seeds."""
    rows = {
        "blob": [(0, 0, 0.9, 0.8, 0.0), (0, 10, 0.5, 0.3, 1e-3), (0, 50, 0.2, 5e-4, 5e-3)],
        "cold": [(1, 50, 0.4, 0.1, 5e-3), (1, 10, 0.9, 0.7, 1e-3)],  # the longest need not be the last
        "net": [(0, 10, 0.2, 0.1, 2e-3), (1, 10, 0.3, 0.2, 4e-3), (0, 50, 5e-3, 0.1, 6e-3), (1, 50, 5e-4, 0.1, 6e-3)],
    }
    paths = []
    for name, runs in rows.items():
        lines = [
            (name, seed, iterations, seconds, sample, error)
            for seed, iterations, *errors, seconds in runs
            for sample, error in enumerate(errors)
        ]
        frame = pd.DataFrame(lines, columns=["start", "seed", "iterations", "seconds", "sample", "error"])
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        paths.append(tmp_path / f"{name}.csv")
    return paths


def test_gains_are_paired_sample_by_sample(curves):
    """Over seeds first: 0.5 - 0.25 and 0.3 - 0.15 for the network after ten iterations."""
    frame = start_curves.summarise(curves)
    assert list(frame.columns) == start_curves.COLUMNS
    line = frame.set_index(["start", "iterations"]).loc[("net", 10)]
    assert (line["seeds"], line["patterns"]) == (2, 2)
    assert line["mean"] == pytest.approx(0.2)
    assert line["se"] == pytest.approx(0.05)  # of 0.25 and 0.15
    assert line["ms"] == pytest.approx(3.0)
    assert line["gain"] == pytest.approx(0.2)
    assert line["gain_se"] == pytest.approx(0.05)  # of 0.25 and 0.15
    assert line["over_cold"] == pytest.approx(0.05)  # 0.4 - 0.25 and 0.1 - 0.15 against the fifty of cold
    assert line["over_cold_se"] == pytest.approx(0.1)


def test_a_start_gains_nothing_on_itself(curves):
    by = start_curves.summarise(curves).set_index(["start", "iterations"])
    for iterations in (0, 10, 50):
        assert by.loc[("blob", iterations), ["gain", "gain_se"]].tolist() == [0, 0]
    assert by.loc[("cold", 50), ["over_cold", "over_cold_se"]].tolist() == [0, 0]
    assert by.loc[("cold", 10), "gain"] == pytest.approx(-0.4)


def test_shares_are_over_seeds_and_samples(curves):
    line = start_curves.summarise(curves).set_index(["start", "iterations"]).loc[("net", 50)]
    assert (line["near"], line["solved"]) == (2 / 4, 1 / 4)


def test_without_a_blob_or_a_cold_start_there_is_no_gain(curves):
    frame = start_curves.summarise(curves[2:])
    assert frame[["gain", "gain_se", "over_cold", "over_cold_se"]].isna().all(axis=None)


def test_the_table_has_a_grid_for_each_length(curves):
    text = rendering.markdown(start_curves.table(start_curves.summarise(curves)))
    assert [line for line in text.splitlines() if line.startswith(("As they", "After"))] == [
        "As they are.",
        "After 10 iterations.",
        "After 50 iterations.",
    ]
    assert "| net | 0.2000 ± 0.0500 | 0.00 | 0.00 | 3 | +0.2000 ± 0.0500 | +0.0500 ± 0.1000 |" in text
    assert "on 2 validation patterns, 2 seeds of networks" in text


@pytest.mark.parametrize("order", [1, -1])
def test_the_longest_cold_start_is_the_longest_in_whatever_order_they_are_listed(tmp_path, order):
    runs = [(250, 0.3), (1000, 0.1)][::order]
    rows = [
        {"start": "cold", "seed": 0, "iterations": count, "sample": sample, "error": error, "seconds": 1.0}
        for count, error in runs
        for sample in range(3)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "cold.csv", index=False)
    found = start_curves.summarise([tmp_path / "cold.csv"]).set_index("iterations")["over_cold"]
    assert found[250] == pytest.approx(-0.2)
    assert found[1000] == pytest.approx(0)
