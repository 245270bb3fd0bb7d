"""The reference: a page for every name that a room's door, its ``__init__.py``, names, and for every module there.

Pages are written before Sphinx reads, into docs/reference/, which git ignores: a new name has its page by itself.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

import farfield
from farfield.__main__ import _parser

SHORT = 60
"""Characters of a constant up to which its value is shown."""


def named(door: ModuleType) -> dict[str, object]:
    """What a door names, modules among it, by name."""
    return {name: getattr(door, name) for name in sorted(door.__all__, key=str.lower)}


def doors(door: ModuleType = farfield) -> Iterator[ModuleType]:
    """Go through the package's own door, its rooms' and those of packages within a room."""
    yield door
    for value in named(door).values():
        if hasattr(value, "__path__"):
            yield from doors(value)


def homes() -> dict[int, str]:
    """Full name under which each object has its page, the one at the first door that names it, by identity."""
    found: dict[int, str] = {}
    for door in doors():
        for name, value in named(door).items():
            found.setdefault(id(value), value.__name__ if inspect.ismodule(value) else f"{door.__name__}.{name}")
    return found


def _said(module: ModuleType) -> dict[str, str]:
    """What a module says of its constants, by name, in their order."""
    docs = ModuleAnalyzer.for_module(module.__name__).find_attr_docs()
    return {name: "\n".join(lines) for (scope, name), lines in docs.items() if not scope and name[0] != "_"}


def _said_of(full: str) -> str:
    """What is said of a constant that a door names, where it stands."""
    door, _, name = full.rpartition(".")
    modules = [module for key, module in sys.modules.items() if key.startswith(f"{door}.")]
    return next(said[name] for said in map(_said, modules) if name in said)


def escaped(text: str) -> str:
    """Take the bars of |F|, the star of (batch, *frame) and the colons of FILE::/path as they stand, but in code."""
    return re.sub(
        r"(`+[^`]+`+)|(\||(?<=[ (])\*(?=\w+[,)])|(?<=\w):(?=:/))", lambda found: found[1] or f"\\{found[2]}", text
    )


def _title(text: str, line: str = "=") -> list[str]:
    return [text, line * len(text), ""]


def _data(full: str, value: object, said: str) -> list[str]:
    """Describe a constant; of a registry, its names."""
    lines = [f".. py:data:: {full}", *([f"   :value: {value!r}"] if len(repr(value)) <= SHORT else []), ""]
    lines += [*(f"   {line}" for line in escaped(said).splitlines()), ""]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        lines += ["   Names: " + ", ".join(f"``{key}``" for key in value) + ".", ""]
    return lines


def _described(full: str, value: object) -> list[str]:
    """Describe a function, or a class with its own methods."""
    if not inspect.isclass(value):
        return [f".. autofunction:: {full}", ""]
    methods = [
        name
        for name, method in vars(value).items()
        if name[0] != "_" and isinstance(method, type(_title) | staticmethod | classmethod | property)
    ]
    return [f".. autoclass:: {full}", *([f"   :members: {', '.join(methods)}"] if methods else []), ""]


def _module_page(module: ModuleType, known: dict[int, str]) -> list[str]:
    """What a module holds; what has a page of its own is linked."""
    said = _said(module)
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    names = [
        name for name in own if name[0] != "_" and name not in said and hasattr(getattr(module, name), "__name__")
    ]
    elsewhere = [
        f"`{name} <{known[id(getattr(module, name))]}>`" for name in names if id(getattr(module, name)) in known
    ]
    lines = [*_title(module.__name__.rpartition(".")[2]), f".. automodule:: {module.__name__}", ""]
    if elsewhere:
        lines += [f"With pages of their own: {', '.join(elsewhere)}.", ""]
    for name, value in ((name, getattr(module, name)) for name in [*said, *names]):
        if id(value) not in known:
            full = f"{module.__name__}.{name}"
            lines += _data(full, value, said[name]) if name in said else _described(full, value)
    return lines


def _door_page(door: ModuleType, known: dict[int, str]) -> list[str]:
    """A door's names and modules, a table each, and the pages below it."""
    lines = [*_title(door.__name__.removeprefix("farfield.")), f".. automodule:: {door.__name__}", ""]
    for heading, modules in (("Names", False), ("Modules", True)):
        items = {name: value for name, value in named(door).items() if inspect.ismodule(value) is modules}
        if not items:
            continue
        lines += [*_title(heading, "-"), ".. list-table::", "   :widths: auto", ""]
        for name, value in items.items():
            full = known[id(value)]
            said = _said_of(full) if isinstance(value, dict) else inspect.getdoc(value)
            first = said.split("\n\n")[0].replace("\n", " ")
            lines += [f"   * - :py:obj:`{name} <{full}>`", f"     - {escaped(first)}"]
        lines += [""]
    values = sorted(named(door).values(), key=inspect.ismodule)  # names first, modules below them
    below = [known[id(value)] for value in values]
    own = [f"   {full}" for full in below if full.rpartition(".")[0] == door.__name__]
    return [*lines, ".. toctree::", "   :hidden:", "", *own, ""]


def pages() -> dict[str, list[str]]:
    """Every page of the reference, by the full name of what it describes."""
    known = homes()
    made = {door.__name__: _door_page(door, known) for door in doors()}
    for full, value in ((known[id(value)], value) for door in doors() for value in named(door).values()):
        if inspect.ismodule(value):
            made.setdefault(full, _module_page(value, known))
        else:
            described = _data(full, value, _said_of(full)) if isinstance(value, dict) else _described(full, value)
            made.setdefault(full, [*_title(full.rpartition(".")[2]), *described])
    return made


def _command_line() -> list[str]:
    """The command's options, as its own help says them."""
    (commands,) = (action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    lines = _title("Command line")
    for choice in commands._choices_actions:
        parser = commands.choices[choice.dest]
        formatter = parser._get_formatter()
        lines += [*_title(parser.prog, "-"), f"{escaped(choice.help[:1].upper() + choice.help[1:])}.", ""]
        for action in parser._actions[1:]:  # the first is --help
            said = escaped(formatter._expand_help(action)) if action.help else ""
            lines += [f"``{formatter._format_action_invocation(action)}``", f"   {said}", ""]
    return lines


def write(app: Sphinx) -> None:
    """Write the pages that are new or have changed, and remove those of names that are gone."""
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    made = {**pages(), "command-line": _command_line()}
    texts = {folder / f"{name}.rst": "\n".join(lines) for name, lines in made.items()}
    for path in set(folder.glob("*.rst")) - set(texts):
        path.unlink()
    for path, text in texts.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def check(app: Sphinx, environment: BuildEnvironment) -> None:
    """Warn of public names that no page describes."""
    described = environment.domains.python_domain.objects
    for full in homes().values():
        if full not in described:
            logging.getLogger(__name__).warning("expected a page for the public name %s; doors.py makes none", full)


def resolve(app: Sphinx, environment: BuildEnvironment, node: pending_xref, inner: Element) -> Element | None:
    """Link a name that docstrings shorten, such as `iterative.escalation` or `ALGORITHMS`, if only one is meant."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not ("." in target or target[:1].isupper()):
        return None
    objects = environment.domains.python_domain.objects
    meant = {objects[full].node_id: full for full in objects if full.endswith(f".{target}")}
    if len(meant) != 1:
        return None
    (identifier, full), page = *meant.items(), objects[next(iter(meant.values()))].docname
    return make_refnode(app.builder, node["refdoc"], page, identifier, inner, full)


def escape(app: Sphinx, kind: str, name: str, value: object, options: dict, lines: list[str]) -> None:
    """Escape a docstring where it stands."""
    lines[:] = escaped("\n".join(lines)).split("\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("builder-inited", write)
    app.connect("autodoc-process-docstring", escape, priority=400)  # before numpydoc's own
    app.connect("env-check-consistency", check)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
