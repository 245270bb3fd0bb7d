import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from farfield import problems
from farfield.machine import store
from farfield.principle import figures, learning, perceptron, tables
from farfield.study import rendering

SETTINGS = perceptron.Settings(widths=(32, 32), updates=300, batch_size=64, learning_rate=1e-2)


def test_a_perceptron_normalises_after_each_hidden_layer():
    layers = [type(layer).__name__ for layer in perceptron.perceptron(3, 2, (8, 4))]
    assert layers == ["Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d", "ReLU", "Linear"]


def test_the_square_root_is_learned_after_breaking_and_not_before():
    sets = {"dense": (200, "before"), "after": (200, "after")}
    found = learning.learn_square_root(sets, SETTINGS, seed=0)
    learned = found[found.kind == "learned"].set_index("set")
    errors = {name: (learned.loc[name].x.abs() - learned.loc[name].y ** 0.5).abs().mean() for name in sets}
    assert errors["after"] < 0.03
    assert errors["dense"] > 0.2
    assert (found[found.kind == "sample"].groupby("set").size() == 200).all()


def test_the_variation_of_the_target_grows_before_and_not_after():
    found = learning.variation_against_size([0, 1]).groupby(["symmetry", "samples"]).variation.mean()
    assert found["before", 10_000] > 500 * found["before", 10]
    assert found["after", 10_000] == pytest.approx(1, abs=0.01)


def test_variation_is_the_sum_of_jumps_in_the_order_of_measurements():
    assert learning.total_variation(np.array([3.0, 1.0, 2.0]), np.array([5.0, 0.0, 1.0])) == 5


def test_three_choices_of_representatives_are_what_they_are_called():
    found = learning.choices(0).groupby("set")[["covered", "twice", "pieces"]].first()
    assert (found.covered == 1).all()
    assert found.twice["representative"] > 0.3
    assert (found.twice[["smallest", "connected"]] == 0).all()
    assert found.pieces["smallest"] > 1
    assert found.pieces["connected"] == 1


@pytest.fixture(scope="module")
def cells():
    problem = problems.RealGaussian(dimension=3)
    options = {"settings": [SETTINGS], "neighbours": 3, "tests": 200, "seeds": [0, 1]}
    return {level: learning.learn_inverse(problem, level, 1000, **options) for level in problem.levels}


def test_gaussian_phase_retrieval_is_learned_after_breaking(cells):
    error = {level: cell.groupby("method").error.mean() for level, cell in cells.items()}
    assert error["after"]["dnn"] < 0.5 * error["before"]["dnn"]
    assert error["after"]["knn"] < error["before"]["knn"]


def test_of_several_perceptrons_the_best_on_validation_counts():
    problem = problems.RealGaussian(dimension=2)
    poor = perceptron.Settings(widths=(1,), updates=1, batch_size=8, learning_rate=1e-5)
    options = {"neighbours": 3, "tests": 200, "seeds": [0]}
    both = learning.learn_inverse(problem, "after", 500, settings=[poor, SETTINGS], **options)
    good = learning.learn_inverse(problem, "after", 500, settings=[SETTINGS], **options)
    assert both.equals(good)


def test_complex_objects_are_learned_as_pairs_of_numbers():
    problem = problems.ComplexGaussian(dimension=2)
    found = learning.learn_inverse(
        problem, "after", 2000, settings=[SETTINGS], neighbours=3, tests=100, seeds=[0]
    ).set_index("method")
    assert found.error["dnn"] < 30
    assert (found.dimension == 2).all()


def test_fewer_samples_than_neighbours_are_refused():
    with pytest.raises(ValueError, match="at least as many samples as neighbours, got 3 and 5"):
        perceptron.nearest(torch.rand(3, 2), torch.rand(3, 1), 5)


@pytest.fixture
def table(cells, tmp_path):
    paths = []
    for level, cell in cells.items():
        paths.append(tmp_path / f"{level}.csv")
        cell.to_csv(paths[-1], index=False)
    published = tmp_path / "published.csv"
    published.write_text("dimension,samples,after_dnn,after_knn,before_dnn,before_knn\n3,1000,1.5,2.5,3.5,4.5\n")
    return tables.gaussian(paths, published)


def test_the_table_holds_ours_beside_the_published(table, cells):
    assert list(table.columns) == tables.GAUSSIAN
    line = table.set_index(["method", "symmetry"]).loc[("dnn", "after")]
    mine = cells["after"].query("method == 'dnn'").error
    assert line["mean"] == pytest.approx(mine.mean())
    assert line.sd == pytest.approx(mine.std())
    assert line.seeds == 2
    assert line.published == 1.5


def test_the_table_is_written_in_three_forms(table, tmp_path):
    paths = [tmp_path / f"table.{suffix}" for suffix in ("csv", "md", "tex")]
    rendering.write(tables.gaussian_table(table), paths)
    assert pd.read_csv(paths[0]).shape == table.shape
    assert "| dnn | 3 | 1000 |" in paths[1].read_text()
    assert "\\label{tab:gaussian}" in paths[2].read_text()


def test_errors_that_are_not_finite_are_refused(cells, tmp_path):
    path = tmp_path / "cell.csv"
    cells["after"].assign(error=np.nan).to_csv(path, index=False)
    with pytest.raises(ValueError, match="finite errors"):
        tables.gaussian([path], path)


def test_partial_breaking_joins_scores_and_cells(cells, tmp_path):
    scores = xr.Dataset(
        {
            "sa_mse": (("seed", "checkpoint", "sample"), np.full((2, 2, 4), 0.05)),
            "energy": ("sample", np.full(4, 0.2)),
            "seconds": (("seed", "checkpoint"), np.ones((2, 2))),
        },
        coords={"seed": [0, 1], "checkpoint": np.array(["final", "best"], dtype=object)},
        attrs={"method": "unet", "samples": 32, "symmetry": "centred"},
    )
    store.write_dataset(scores, tmp_path / "scores.zarr", {})
    cells["after"].to_csv(tmp_path / "cell.csv", index=False)
    found = tables.partial_breaking([tmp_path / "scores.zarr"], [tmp_path / "cell.csv"])
    assert list(found.columns) == tables.PARTIAL
    assert found.iloc[0][["problem", "symmetry", "mean", "sd", "seeds"]].tolist() == [
        "far-field",
        "centred",
        25,
        0,
        2,
    ]
    paths = [tmp_path / f"table.{suffix}" for suffix in ("csv", "md", "tex")]
    rendering.write(tables.partial_breaking_table(found), paths)
    assert "| far-field | unet | 32 | translation | 25 ± 0 |" in paths[1].read_text()


def test_figures_show_every_set(table):
    learned = learning.learn_square_root(
        {"ultra-dense": (300, "before"), "dense": (20, "before"), "after": (20, "after")}, SETTINGS, seed=0
    )
    figure = figures.square_root(learned, learning.choices(0))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == [
        "(i) ultra-dense: 300 samples",
        "(ii) dense: 20 samples",
        "(iii) after breaking: 20 samples",
    ]
    assert titles[3:] == ["(iv) representative", "(v) and smallest", "(vi) and connected"]
    figure = figures.more_samples(learning.variation_against_size([0, 1]), table)
    assert [axes.get_title() for axes in figure.axes] == ["square root", "Gaussian, dimension 3"]
