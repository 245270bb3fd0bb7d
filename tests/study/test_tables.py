"""Tables: numbers computed by hand, the paper's shape, and refusals in one sentence."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from farfield.machine import store
from farfield.study import rendering, tables

PUBLISHED = Path(__file__).parents[2] / "workflow" / "resources" / "published.csv"


def write_scores(path, method, kind, split, errors, energy=(1.0, 3.0), **attributes):
    """Write a score store; `errors` maps a checkpoint to SA-MSE (seed, sample), and MSE is half of it."""
    sa_mse = np.stack([np.atleast_2d(np.asarray(error, float)) for error in errors.values()], 1)
    dims = ("seed", "checkpoint", "sample")
    dataset = xr.Dataset(
        {
            "sa_mse": (dims, sa_mse),
            "mse": (dims, sa_mse / 2),
            "magnitude_error": (dims, sa_mse),
            "fourier_residual": (dims, sa_mse),
            "energy": ("sample", np.asarray(energy)),
            "seconds": (dims[:2], np.full(sa_mse.shape[:2], 1e-3)),
        },
        {"seed": range(len(sa_mse)), "checkpoint": np.array(list(errors), object)},
        {"method": method, "kind": kind, "split": split, **attributes},
    )
    store.write_dataset(dataset, path)
    return path


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Two networks, the constant predictors and a solver, in no particular order."""
    tmp_path = tmp_path_factory.mktemp("scores")
    paths = []
    for split, network in (("test", "unet"), ("test", "sisprnet"), ("train", "unet")):
        for samples, symmetry, error in ((1000, "after", 0.5), (500, "after", 0.6), (500, "before", 1.2)):
            name = f"{split}-{network}-{samples}-{symmetry}.zarr"
            errors = {"final": [[1, 1], [1, 1]], "best": [[error, error], [error, error + 0.4]]}
            paths.append(
                write_scores(tmp_path / name, network, "network", split, errors, samples=samples, symmetry=symmetry)
            )
    paths.insert(0, write_scores(tmp_path / "h.zarr", "hio-tuned", "iterative", "test", {"final": [0, 2e-6]}))
    paths.append(
        write_scores(
            tmp_path / "m.zarr",
            "mean-object",
            "constant",
            "test",
            {"final": [1, 2]},
            samples=500,
            symmetry="after",
        )
    )
    paths.append(write_scores(tmp_path / "z.zarr", "zero", "constant", "test", {"final": [1.0, 3.0]}))
    paths.append(write_scores(tmp_path / "zt.zarr", "zero", "constant", "train", {"final": [1.0, 3.0]}, samples=500))
    paths.append(write_scores(tmp_path / "ht.zarr", "hio-tuned", "iterative", "train", {"final": [0, 2e-6]}))
    return paths


def test_networks_that_are_no_better_than_the_mean_object_are_named(scores, tmp_path):
    """The mean object at 500 after has 1.5; a network of 1.6 there is named, the ones of 0.7 are not."""
    text = rendering.markdown(tables.table(tables.summarise(scores, 5, PUBLISHED), 5))
    assert "Not below the mean object" not in text
    worse = write_scores(
        tmp_path / "w.zarr", "lazy", "network", "test", {"best": [1.6, 1.6]}, samples=500, symmetry="after"
    )
    text = rendering.markdown(tables.table(tables.summarise([worse, *scores], 5, PUBLISHED), 5))
    assert "Not below the mean object of their own training set: lazy after (500)." in text


def test_summary_is_the_mean_over_samples_then_seeds(scores):
    frame = tables.summarise(scores, 5, PUBLISHED)
    assert list(frame.columns) == tables.COLUMNS
    line = frame.query("method == 'unet' and samples == 500 and symmetry == 'after'").iloc[0]
    assert line["mean"] == pytest.approx(0.7)  # seeds 0.6 and 0.8
    assert line["sd"] == pytest.approx(0.2 / np.sqrt(2))
    assert (line["seeds"], line["scored"], line["metric"]) == (2, 2, "sa_mse")
    assert line["relative"] == pytest.approx(0.7 / 2)
    assert line["published"] == 0.0513


def test_a_baseline_tells_on_how_many_patterns_it_was_scored(scores, tmp_path):
    """One that reconstructs a part of the set stands beside those of all of it."""
    short = write_scores(tmp_path / "s.zarr", "short", "iterative", "test", {"final": [0.5]}, energy=[1.0])
    frame = tables.summarise([short, *scores], 5, PUBLISHED)
    assert frame.set_index("method").scored[["short", "hio-tuned", "zero"]].to_list() == [1, 2, 2]
    text = rendering.markdown(tables.table(frame, 5))
    assert "| short | – | – | 1 | 0.5000 |" in text


def test_rows_have_a_fixed_order(scores):
    frame = tables.summarise(scores, 5, PUBLISHED)
    keys = [tuple(map(str, key)) for key in frame[tables.KEYS].itertuples(index=False)]
    sizes = [("500", "before"), ("500", "after"), ("1000", "after")]
    assert keys[:6] == [(name, *size) for name in ("unet", "sisprnet") for size in sizes]
    assert [key[0] for key in keys[6:]] == ["zero", "mean-object", "hio-tuned"]


def test_mse_is_relative_to_half_of_the_energy(scores):
    frame = tables.summarise(scores, 1, PUBLISHED).set_index("method")
    assert frame.loc["zero", "relative"] == 1
    assert np.isnan(frame.loc["zero", "sd"])
    assert list(frame.loc["unet", "relative"]) == [0.5] * 3  # the final checkpoint
    assert frame.loc["hio-tuned", "mean"] == pytest.approx(5e-7)


@pytest.mark.parametrize("number", tables.TABLES)
def test_published_is_joined_where_the_size_is(scores, number):
    frame = tables.summarise(scores, number, PUBLISHED)
    stated = pd.read_csv(PUBLISHED).query(f"table == {number} and network == 'unet'").set_index("samples")
    line = frame.query("method == 'unet' and samples == 1000").iloc[0]
    assert line["published"] == stated.loc[1000, "after"]
    assert frame.loc[frame["symmetry"].isna(), "published"].isna().all()


def grids(text):
    """Cells of each grid in a Markdown text."""
    blocks = [part for part in text.split("\n\n") if part.startswith("|")]
    return [[[cell.strip() for cell in line.strip("| ").split(" | ")] for line in b.splitlines()] for b in blocks]


def test_markdown_has_the_papers_shape(scores):
    text = rendering.markdown(tables.table(tables.summarise(scores, 5, PUBLISHED), 5))
    errors, relative, baselines, published = grids(text)
    assert errors[0][:4] == ["Samples", "unet Before", "unet After", "unet After/before"]
    assert errors[2][:4] == ["500", "1.3000 ± 0.1414", "0.7000 ± 0.1414", "0.538"]
    assert errors[3][:4] == ["1000", "–", "0.6000 ± 0.1414", "–"]
    assert relative[2] == ["500", "0.650", "0.350", "0.650", "0.350"]
    assert [line[0] for line in baselines[2:]] == ["zero", "mean-object", "hio-tuned"]
    assert baselines[3] == ["mean-object", "500", "after", "2", "1.5000", "0.750"]
    assert baselines[4] == ["hio-tuned", "–", "–", "2", "1.0e-06", "5.0e-07"]
    assert published[2][1:5] == ["0.1393", "0.0513", "0.368", "0.538"]
    assert all(len(line) == len(grid[0]) for grid in (errors, relative, baselines, published) for line in grid)
    assert "after alignment" not in text


def test_published_table_stands_alone_when_no_size_matches(tmp_path):
    path = write_scores(
        tmp_path / "u.zarr", "unet", "network", "test", {"best": [1, 1]}, samples=70, symmetry="after"
    )
    text = rendering.markdown(tables.table(tables.summarise([path], 5, PUBLISHED), 5))
    published = grids(text)[-1]
    assert published[0][:4] == ["Samples", "unet Before", "unet After", "unet After/before"]
    assert published[2][:4] == ["500", "0.1393", "0.0513", "0.368"]
    assert len(published) == 2 + 4
    assert "Sizes and normalisation differ" in text


def test_mse_tables_tell_how_baselines_and_published_errors_read(scores):
    text = rendering.markdown(tables.table(tables.summarise(scores, 1, PUBLISHED), 1))
    assert "after alignment" in text
    assert "saturates at 0.139, which is predicting zero" in text


def test_latex_is_booktabs_and_escaped(scores, tmp_path):
    odd = write_scores(
        tmp_path / "odd.zarr", "my_net", "network", "test", {"best": [1, 1]}, samples=9, symmetry="after"
    )
    text = rendering.latex(tables.table(tables.summarise([*scores, odd], 5, PUBLISHED), 5))
    assert r"\multicolumn{3}{c}{my\_net}" in text
    assert r"1.3000 $\pm$ 0.1414" in text
    assert r"$1.0\times10^{-6}$" in text
    assert r"\caption{SA-MSE on the test set, best validated model." in text
    assert text.count(r"\begin{tabular}") == text.count(r"\bottomrule") == text.count(r"\end{tabular}") == 4
    assert text.isascii()
    assert not [line for line in text.splitlines() if "my_net" in line]


def test_tabular_lines_have_as_many_cells_as_columns(scores):
    text = rendering.latex(tables.table(tables.summarise(scores, 5, PUBLISHED), 5))
    for part in text.split(r"\begin{tabular}{")[1:]:
        columns = len(part.split("}")[0])
        body = part.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
        assert {line.count("&") + 1 for line in body} == {columns}


def test_write_makes_three_files_with_the_same_bytes_again(scores, tmp_path):
    frame = tables.summarise(scores, 5, PUBLISHED)
    written = []
    for _ in range(2):
        files = [tmp_path / "tables" / f"table5.{ending}" for ending in ("csv", "md", "tex")]
        rendering.write(tables.table(frame, 5), files)
        written.append([file.read_bytes() for file in files])
        assert sorted(files[0].parent.iterdir()) == sorted(files)
    assert written[0] == written[1]
    first = written[0][0].decode().splitlines()[1]
    assert first == "unet,500,before,sa_mse,1.3,0.141421,2,2,0.65,0.1393"

    def lines(frame):
        return rendering.markdown(tables.table(frame, 5)).splitlines()[4:8]

    read = pd.read_csv(files[0])
    assert lines(read) == lines(frame)


def test_refusals_are_one_clear_sentence(scores, tmp_path):
    with pytest.raises(ValueError, match="expected a table number from 1 to 5, got 6"):
        tables.summarise(scores, 6, PUBLISHED)
    with pytest.raises(ValueError, match=r"expected score stores of the test split for table 5, got none"):
        tables.summarise([], 5, PUBLISHED)
    bad = write_scores(tmp_path / "bad.zarr", "zero", "constant", "test", {"final": [np.nan, 1]})
    with pytest.raises(ValueError, match=r"bad\.zarr: expected finite scores"):
        tables.summarise([*scores, bad], 5, PUBLISHED)


def test_neither_module_imports_torch():
    code = "import sys, farfield.study.tables, farfield.study.figures; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
