"""What the site's reference is made of: docstrings of public names are whole, and their examples run."""

import ast
import doctest
import inspect
import re
import types
import typing
from importlib import import_module

import numpy as np
import pytest
import torch

from farfield.machine.provenance import ROOT

MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
DOORS = [name for name, path in MODULES.items() if path.name == "__init__.py"]
SHAPE = re.compile(r"\bshapes?\b|as many axes")


def public() -> dict[str, object]:
    """What doors name, modules apart."""
    named = {
        f"{door}.{name}": getattr(import_module(door), name) for door in DOORS for name in import_module(door).__all__
    }
    return {name: value for name, value in named.items() if not inspect.ismodule(value)}


def described() -> dict[str, object]:
    """Every function and class of a module that does not begin with an underscore and has sections."""
    found = {}
    for module in map(import_module, MODULES):
        for name, value in vars(module).items():
            own = name[0] != "_" and getattr(value, "__module__", "") == module.__name__
            if own and hasattr(value, "__name__") and "\n---" in (inspect.getdoc(value) or ""):
                found[f"{module.__name__}.{name}"] = value
    return found


def section(value: object, title: str) -> str:
    """Text of a section of a docstring; empty without one."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^[A-Z]\w+\n---|\Z)", inspect.getdoc(value) or "", re.M | re.S)
    return found[1] if found else ""


def entries(text: str) -> dict[str, str]:
    """What a section says of each name."""
    found = re.findall(r"^(\S[^\n:]*?)(?: : ([^\n]*))?\n((?:[ \n][^\n]*\n?)*)", text + "\n", re.M)
    return {name.strip("* "): f"{kind}\n{said}" for names, kind, said in found for name in names.split(",")}


def is_array(annotation: object) -> bool:
    """Whether arrays are what an annotation allows, alone, beside others or in a tuple."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, tuple):
        return any(map(is_array, typing.get_args(annotation)))
    return isinstance(annotation, type) and (
        hasattr(annotation, "dim_str") or issubclass(annotation, torch.Tensor | np.ndarray)
    )


def annotations(value: object) -> dict[str, object]:
    """Annotations of a function's parameters, or of a class's fields."""
    if inspect.isclass(value):
        fields = inspect.get_annotations(value).items()
        return {
            name: kind for name, kind in fields if name[0] != "_" and typing.get_origin(kind) is not typing.ClassVar
        }
    return {name: parameter.annotation for name, parameter in inspect.signature(value).parameters.items()}


@pytest.mark.parametrize("name", public())
def test_a_public_name_says_what_it_takes_and_gives(name):
    value = public()[name]
    if isinstance(value, dict):  # a registry, of which a line below it speaks
        return
    assert inspect.getdoc(value), f"{name} has no docstring"
    said = entries(section(value, "Attributes" if inspect.isclass(value) else "Parameters"))
    missing = [known for known in annotations(value) if known not in said]
    assert not missing, f"the docstring of {name} leaves out {', '.join(missing)}"
    if inspect.isfunction(value) and inspect.signature(value).return_annotation is not None:
        assert section(value, "Returns") or section(value, "Yields"), (
            f"the docstring of {name} has no section Returns"
        )


@pytest.mark.parametrize("name", described())
def test_arrays_have_shapes(name):
    value = described()[name]
    said = entries(section(value, "Attributes" if inspect.isclass(value) else "Parameters"))
    shapeless = [
        known
        for known, annotation in annotations(value).items()
        if known in said and is_array(annotation) and not SHAPE.search(said[known])
    ]
    given = section(value, "Returns")
    if given and is_array(inspect.signature(value).return_annotation) and not SHAPE.search(given):
        shapeless.append("what it returns")
    assert not shapeless, f"the docstring of {name} tells no shape of {', '.join(shapeless)}"


def examples() -> list[pytest.param]:
    """Every docstring with an example, by the name of what it describes."""
    found = []
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text, name = ast.get_docstring(node) or "", f"{module}.{getattr(node, 'name', '')}"
                found += [pytest.param(module, text, id=name)] * (">>>" in text)
    return found


@pytest.mark.parametrize(("module", "text"), examples())
def test_examples_run(module, text):
    example = doctest.DocTestParser().get_doctest(text, dict(vars(import_module(module))), module, None, None)
    told = []
    doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(example, out=told.append)
    assert not told, "".join(told)
