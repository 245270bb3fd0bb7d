"""Every example of the gallery runs, and what it says of its results is asserted in it."""

import ast
import runpy
from pathlib import Path

import matplotlib
import pytest
import torch

from farfield.learning import OBJECTIVES

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = sorted((DOCS / "gallery").glob("*.py"))
LANGUAGE = {"farfield", "matplotlib", "numpy", "pathlib", "scipy", "seaborn", "tempfile", "torch", "warnings"}


@pytest.fixture
def pyplot(monkeypatch):
    """Figures in memory."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "show", lambda: None)
    yield pyplot
    pyplot.close("all")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_draws(path, pyplot, monkeypatch):
    monkeypatch.setitem(OBJECTIVES, "correlation", None)  # what an example enters is taken out again
    runpy.run_path(path)
    (number,) = pyplot.get_fignums()
    drawn = pyplot.figure(number)
    assert any(axes.images or axes.lines or axes.collections for axes in drawn.axes)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_asserts_by_public_names(path):
    tree = ast.parse(path.read_text())
    assert any(isinstance(node, ast.Assert) for node in tree.body)
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom | ast.Import)]
    names = {getattr(node, "module", None) or alias.name for node in imported for alias in node.names}
    assert {name.partition(".")[0] for name in names} <= LANGUAGE
    assert not [name for name in names if name.startswith("farfield.") and name.count(".") > 1]  # doors alone


def test_there_are_examples():
    assert len(EXAMPLES) >= 8


def test_the_whole_is_drawn_with_its_scores():
    space = runpy.run_path(DOCS / "whole.py")["draw"].__globals__
    space["learned"] = lambda pattern: torch.zeros(1, 32, 32, dtype=torch.complex64)  # nothing is trained here
    drawn = space["draw"]()
    scores = [text.get_text() for axes in drawn.axes for text in axes.texts]
    assert scores[0] == "1.00"
    assert int(scores[1].removeprefix("$10^{").removesuffix("}$")) < -6
