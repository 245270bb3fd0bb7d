"""The second paper's table: numbers by hand, on score stores of four samples."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from farfield.machine import store
from farfield.study import errors, rendering, strategies

ENERGY = np.array([1.0, 2.0, 4.0, 1.0])


def write_scores(path, shares, method, kind, iterations=None, seconds=2e-3, energy=ENERGY, **attributes):
    """A score store of a method whose samples (seed, sample) cost these shares of predicting zero."""
    shares = np.atleast_2d(np.asarray(shares, float))
    grid = ("seed", "checkpoint")
    dataset = xr.Dataset(
        {
            "sa_mse": ((*grid, "sample"), (shares * energy)[:, None]),
            "energy": ("sample", energy),
            "seconds": (grid, np.full((len(shares), 1), seconds)),
        },
        {"seed": range(len(shares)), "checkpoint": np.array(["best"], object)},
        {"method": method, "kind": kind, "split": "test", **attributes},
    )
    if iterations is not None:
        dataset["iterations"] = grid, np.full((len(shares), 1), float(iterations))
    store.write_dataset(dataset, path)
    return path


SHARES = np.array([[0.5, 0.3, 5e-3, 1e-4], [0.7, 0.1, 2e-2, 1e-5]])


@pytest.fixture
def paths(tmp_path):
    trained = {"kind": "network", "samples": 300, "symmetry": "passive"}
    return [
        write_scores(tmp_path / "zero.zarr", np.ones(4), "zero", "constant", seconds=0.0),
        write_scores(tmp_path / "hio.zarr", [1e-4, 1e-4, 0.5, 0.9], "hio-box", "iterative", iterations=300),
        write_scores(tmp_path / "never.zarr", np.full(4, 0.9), "never", "iterative", iterations=50),
        write_scores(tmp_path / "net.zarr", SHARES, "hybrid", **trained),
    ]


def test_every_sample_is_relative_to_its_own_zero(paths):
    """A mean of ratios, beside the ratio of means of the other tables: dark and bright objects weigh alike."""
    line = strategies.compare(paths).set_index("method").loc["hybrid"]
    assert line["mean"] == pytest.approx(SHARES.mean())
    assert line["relative"] == pytest.approx((SHARES * ENERGY).mean() / ENERGY.mean())
    assert line["median"] == pytest.approx(np.median(SHARES))
    assert (line["seeds"], line["tests"], line["samples"]) == (2, 4, 300)


def test_spreads_are_over_seeds_and_over_samples(paths):
    lines = strategies.compare(paths).set_index("method")
    by_seed, by_sample = SHARES.mean(1), SHARES.mean(0)
    assert lines.loc["hybrid", "sd"] == pytest.approx(abs(by_seed[0] - by_seed[1]) / np.sqrt(2))
    assert lines.loc["hybrid", "se"] == pytest.approx(np.sqrt(((by_sample - by_sample.mean()) ** 2).sum() / 3) / 2)
    assert np.isnan(lines.loc["hio-box", "sd"])
    assert lines.loc["zero", "se"] == 0


def test_a_line_of_fewer_samples_is_named_as_one(paths, tmp_path):
    few = write_scores(tmp_path / "few.zarr", [0.1, 0.2], "prDeep", "iterative", iterations=800, energy=ENERGY[:2])
    shown = strategies.table(strategies.compare([*paths, few]), "passive", "Learned starts")
    names = [row[0] for block in shown.blocks for row in block.rows]
    assert {"prDeep (first 2)", "hio-box", "hybrid, passive"} <= set(names)
    assert "each of 4 test samples" in shown.caption


def test_shares_and_what_a_solution_costs(paths):
    lines = strategies.compare(paths).set_index("method")
    assert (lines.loc["hybrid", "near"], lines.loc["hybrid", "solved"]) == (3 / 8, 2 / 8)
    assert lines.loc["hio-box", ["solved", "iterations", "per_solution"]].tolist() == [0.5, 300, 600]
    assert lines.loc["never", "per_solution"] == np.inf
    assert lines["ms"].tolist() == [0.0, 2.0, 2.0, 2.0]


def test_one_test_sample_has_no_standard_error(tmp_path):
    path = write_scores(tmp_path / "one.zarr", [0.5], "m", "iterative", iterations=3, energy=ENERGY[:1])
    assert np.isnan(strategies.compare([path])["se"][0])


@pytest.fixture
def published(tmp_path):
    path = tmp_path / "passive.csv"
    path.write_text("method,published\nhio-box,0.441\npassive,0.266\nprDeep,0.412\n")
    return path


def test_published_errors_stand_by_their_methods_and_others_by_themselves(paths, published):
    frame = strategies.compare(paths, published)
    assert list(frame.columns) == strategies.COLUMNS
    assert list(frame["method"]) == ["zero", "hio-box", "never", "hybrid", "prDeep"]
    stated = frame.set_index("method")["published"]
    assert stated[["hio-box", "hybrid", "prDeep"]].tolist() == [0.441, 0.266, 0.412]
    assert stated[["zero", "never"]].isna().all()
    assert frame.iloc[-1].drop(["method", "kind", "published"]).isna().all()


def test_published_errors_of_methods_that_are_all_here_make_no_line(paths, published):
    published.write_text("method,published\nhio-box,0.441\n")
    frame = strategies.compare(paths, published)
    assert list(frame["method"]) == ["zero", "hio-box", "never", "hybrid"]
    assert frame["published"].tolist()[1] == 0.441


def cells(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)}


def test_the_table_says_what_is_there_and_no_more(paths, published):
    table = strategies.table(strategies.compare(paths, published), "passive", "Passive training")
    rows = cells(rendering.markdown(table))
    assert rows["hybrid, passive"] == ["0.203 ± 0.003", "0.060", "0.38", "0.25", "–", "–", "2", "0.266"]
    assert rows["hio-box"][4:] == ["300", "600", "2", "0.441"]
    assert rows["never"][4:] == ["50", "–", "2", "–"]  # no solution, no cost of one
    assert rows["zero"] == ["1.000 ± 0.000", "1.000", "0.00", "0.00", "–", "–", "–", "–"]
    assert rows["prDeep"] == ["0.412"]
    assert "4 test samples" in table.caption
    assert "n = 300, 2 seeds" in table.caption
    assert "Published errors have no stated unit" in table.caption


def test_a_table_without_published_errors_has_no_place_for_them(paths):
    table = strategies.table(strategies.compare(paths), "strategies", "Strategies")
    assert "ublished" not in rendering.markdown(table)
    assert all(len(row) == len(block.header) for block in table.blocks for row in block.rows)


def test_what_was_written_is_read_again(paths, published, tmp_path):
    frame = strategies.compare(paths, published)
    files = [tmp_path / f"passive.{ending}" for ending in ("csv", "md", "tex")]
    rendering.write(strategies.table(frame, "passive", "P"), files)
    assert list(pd.read_csv(files[0])["method"]) == list(frame["method"])
    assert r"\label{tab:passive}" in files[2].read_text()


def test_scores_that_are_not_finite_are_refused(tmp_path):
    path = write_scores(tmp_path / "bad.zarr", [np.nan, 1, 1, 1], "m", "iterative")
    with pytest.raises(ValueError, match=r"bad\.zarr: expected finite scores"):
        strategies.compare([path])


def test_a_dark_sample_divides_by_nothing(tmp_path):
    """Of an empty object nothing is wrong that is empty."""
    path = write_scores(tmp_path / "d.zarr", np.zeros(4), "m", "iterative", energy=np.array([0.0, 1, 1, 1]))
    assert errors.read(path).each.tolist() == [[0.0] * 4]


def test_errors_by_sample_count_mse_against_half_of_the_energy(tmp_path):
    path = write_scores(tmp_path / "m.zarr", SHARES, "m", "iterative", iterations=7)
    whole = store.open_dataset(path).load()
    store.write_dataset(whole.assign(mse=whole.sa_mse / 2), tmp_path / "both.zarr")
    found = errors.read(tmp_path / "both.zarr", metric="mse")
    assert np.allclose(found.each, SHARES)
    assert found.iterations == 7
    assert errors.read(path, count=2).each.shape == (2, 2)


def test_what_is_fitted_says_to_how_many(paths, tmp_path):
    fitted = write_scores(tmp_path / "fitted.zarr", [0.2, 0.4], "fresh", "fitted", iterations=9, energy=ENERGY[:2])
    table = strategies.table(strategies.compare([*paths, fitted]), "strategies", "Any")
    block = table.blocks[-1]
    assert block.title == "Networks fitted to each pattern alone."
    assert [row[0] for row in block.rows] == ["fresh (first 2)"]
