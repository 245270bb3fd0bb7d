"""Figures of the second paper: every start and objective is drawn, from the numbers of its table."""

import numpy as np
import pandas as pd
import pytest

from farfield.study import curves, figures, rings, start_curves

STARTS = ["cold", "blob", "mean-object", "naive", "passive", "invariant"]


@pytest.fixture
def starts():
    rows = [
        {"start": start, "iterations": iterations, "mean": 1 / (number + 2) / (1 + iterations), "se": 0.01}
        | {"solved": number / 10 + iterations / 1000, "ms": 1 + number + iterations, "seeds": 1, "patterns": 9}
        for number, start in enumerate(STARTS)
        for iterations in (0, 50, 100)
        if iterations or start != "cold"
    ]
    return pd.DataFrame(rows, columns=start_curves.COLUMNS)


def lines_of(axes):
    """Those with data: not the caps of error bars."""
    return [line for line in axes.lines if len(line.get_xdata()) > 1]


def test_every_start_is_drawn_by_iterations_by_time_and_by_what_it_solves(starts):
    figure = curves.starts(starts)
    by_iterations, by_time, solved = figure.axes
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(labels) == sorted(STARTS)
    handles = dict(zip(labels, by_iterations.containers, strict=True))
    for axes, x, y in ((by_time, "ms", "mean"), (solved, "iterations", "solved")):
        drawn = [line.get_xydata().tolist() for line in axes.lines]
        for start in STARTS:  # the start as it is has no place on a logarithmic axis
            own = starts[(starts["start"] == start) & (starts["iterations"] > 0)]
            assert own[[x, y]].to_numpy().tolist() in drawn
    for start, container in handles.items():
        own = starts[(starts["start"] == start) & (starts["iterations"] > 0)]
        assert np.allclose(container.lines[0].get_xydata(), own[["iterations", "mean"]])
    assert by_iterations.get_xscale() == by_iterations.get_yscale() == "log"


def test_what_is_not_learned_is_grey_and_what_is_has_a_look_of_its_own(starts):
    by_iterations = curves.starts(starts).axes[0]
    looks = {}
    for container in by_iterations.containers:
        line = container.lines[0]
        looks[container.get_label()] = line.get_color(), line.get_marker(), line.get_linestyle()
    assert {start for start, (colour, *_) in looks.items() if colour == figures.GREY} == set(STARTS[:3])
    assert len(set(looks.values())) == len(STARTS)
    learned = {looks[start][:2] for start in STARTS[3:]}
    assert len({colour for colour, _ in learned}) == len({marker for _, marker in learned}) == 3  # in print, too


def ring_frame(methods, symmetries):
    rows = [
        {"method": method, "symmetry": symmetry, "ring": ring, "low": low, "high": high, "energy": 1 / 7}
        | {"error": 1 + number + ring, "amplitude_error": (1 + number + ring) / 10}
        for number, (method, symmetry) in enumerate((m, s) for m in methods for s in symmetries)
        for ring, (low, high) in enumerate(zip(rings.EDGES[:-1], rings.EDGES[1:], strict=True))
    ]
    return pd.DataFrame(rows, columns=rings.COLUMNS)


def test_every_objective_is_drawn_ring_by_ring():
    figure = curves.rings(ring_frame(["hybrid"], ["naive", "passive", "invariant"]))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["naive", "passive", "invariant"]
    for axes, scale in zip(figure.axes, (1, 10), strict=True):
        drawn = lines_of(axes)[:3]
        for number, line in enumerate(drawn):
            assert np.allclose(np.asarray(line.get_ydata()) * scale, 1 + number + np.arange(7))
            middles = np.asarray(line.get_xdata())
            assert all(low < x < high for x, low, high in zip(middles, rings.EDGES, rings.EDGES[1:], strict=False))
        assert any(list(line.get_ydata()) == [1, 1] for line in axes.lines)  # predicting zero


def test_networks_are_told_apart_where_there_are_several():
    figure = curves.rings(ring_frame(["hybrid", "unet"], ["naive", "passive"]))
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["hybrid, naive", "hybrid, passive", "unet, naive", "unet, passive"]


def test_figures_are_drawn_of_what_csv_files_hold(starts, tmp_path):
    """With the same bytes again; and more objectives than there are markers have each their line."""
    frame = ring_frame(["hybrid"], [f"objective-{number}" for number in range(12)])
    for name, table, draw in (("starts", starts, curves.starts), ("rings", frame, curves.rings)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        figure = draw(pd.read_csv(tmp_path / f"{name}.csv"))
        assert len(figure.legends[0].get_texts()) == {"starts": 6, "rings": 12}[name]
        paths = [tmp_path / f"{name}{number}.png" for number in (0, 1)]
        for path in paths:
            figures.save(draw(pd.read_csv(tmp_path / f"{name}.csv")), path)
        assert paths[0].read_bytes() == paths[1].read_bytes()
