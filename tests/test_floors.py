"""The house: imports run down only, without a circle, and no part of it grows out of hand."""

import ast
import importlib
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

from farfield.machine import provenance

FLOORS = {
    1: {"machine"},
    2: {"physics"},
    3: {"symmetry"},
    4: {"iterative", "learning", "problems"},
    5: {"study"},
    6: {"principle", "measured"},
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
FILES = [path for path in provenance.ROOT.rglob("*.py") if path.name not in ("__init__.py", "__main__.py")]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(provenance.ROOT.parent).with_suffix("").parts)


def imported(path: Path) -> set[str]:
    return {module for full, _ in provenance._imports(path) if (module := provenance._module(full))}


def test_every_module_lies_in_a_room():
    assert {name_of(path).split(".")[1] for path in FILES} == set(FLOOR)


@pytest.mark.parametrize("room", sorted({*FLOOR} - {"problems"}))  # which gives its classes, and no modules
def test_a_room_names_its_modules(room):
    there = {path.stem for path in (provenance.ROOT / room).glob("[!_]*.py")}
    assert there <= set(importlib.import_module(f"farfield.{room}").__all__)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_run_down(path):
    mine = name_of(path).split(".")[1]
    for module in imported(path):
        room = module.split(".")[1]
        assert room == mine or FLOOR[room] < FLOOR[mine], f"{name_of(path)} imports {module}"


def test_there_is_no_circle():
    order = list(TopologicalSorter({name_of(path): imported(path) for path in FILES}).static_order())
    assert {name_of(path) for path in FILES} <= set(order)


def test_modules_and_functions_stay_short():
    """Modules to 400 lines; functions' median to 8, nine in ten to 20, none above 60: bodies without docstrings."""
    lengths = []
    for path in FILES:
        text = path.read_text()
        assert len(text.splitlines()) <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lengths.append((node.end_lineno - body[0].lineno + 1 if body else 0, f"{path.name}: {node.name}"))
    ordered = sorted(lengths)
    assert ordered[-1][0] <= 60, ordered[-3:]
    assert median(length for length, _ in ordered) <= 8
    assert ordered[int(0.9 * len(ordered))][0] <= 20


SCRIPTS = sorted((provenance.ROOT.parents[1] / "workflow/scripts").glob("*.py"))


@pytest.mark.parametrize("path", [*FILES, *SCRIPTS], ids=lambda path: path.stem)
def test_what_is_used_is_imported_by_its_own_name(path):
    """`import farfield` and `farfield.measure(…)` would hide from `provenance.digest` what decides a result."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("farfield.") for alias in node.names)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "farfield":
            assert node.attr == "__version__"
