"""Where a result comes from: the commit, and a digest of the code that decides it, found from its imports.

A change reruns what imports it, directly or not, and nothing else. Paths do not count, so a moved folder changes
nothing. Names are followed through the doors of rooms to where they are defined. Two kinds of module are not
followed: what lists alternatives (a job depends on the one that it uses), and what decides no number.
"""

import ast
import hashlib
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.util import resolve_name
from pathlib import Path
from uuid import uuid4

logger = logging.getLogger(__name__)

ROOT = Path(__file__).parents[1]

LISTS = (
    "farfield.learning.networks.registry",
    "farfield.learning.objectives.registry",
    "farfield.problems.registry",
)
"""Modules that only name alternatives: who adds one changes none of the others."""

BESIDE = (
    "farfield.learning.tensorboard",
    "farfield.machine.attempts",
    "farfield.machine.heap",
    "farfield.machine.jobs",
    "farfield.machine.provenance",
)
"""Modules that decide no number: logs, memory, and what is written beside results or kept of them."""


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)


@cache
def git_commit() -> str:
    """Return the commit this package runs from, or "unknown" outside of a checkout."""
    try:
        told = _git("ls-files", "__init__.py")
        if told.stdout:  # else the package is installed inside of a repository that is another's
            told = _git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")  # no tag's name
        commit, reason = told.stdout.strip(), told.stderr.strip()
    except OSError as error:  # no git
        commit, reason = "", str(error)
    if reason and not commit and any((folder / ".git").exists() for folder in ROOT.parents):
        logger.warning("the commit is unknown: %s", reason.splitlines()[0])
    return commit or "unknown"


def _file(module: str) -> Path | None:
    """File of a module of this package."""
    package, *names = module.split(".")
    path = ROOT.joinpath(*names)
    candidates = (path / "__init__.py", path.with_suffix(".py")) if package == ROOT.name else ()
    return next((file for file in candidates if file.is_file()), None)


@cache
def _imports(file: Path) -> tuple[tuple[str, str], ...]:
    """Full name of everything that a file imports, anywhere in it, and the name that it gets there."""
    package = ".".join(file.relative_to(ROOT.parent).parent.parts) if file.is_relative_to(ROOT) else ""
    return tuple(_named(ast.parse(file.read_bytes()), package))


def _named(tree: ast.Module, package: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield from ((f"{base}.{alias.name}", alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy.attach":  # a room's door
            modules = ast.literal_eval(node.keywords[0].value)
            yield from ((f"{package}.{module}.{name}", name) for module, names in modules.items() for name in names)


def _module(name: str) -> str | None:
    """Find the module of this package that a full name is, or that defines it; packages are looked through."""
    if _file(name):
        return name if name != ROOT.name else None  # `import farfield` alone runs nothing
    base, _, attribute = name.rpartition(".")
    file = _file(base)
    if file is None:
        return None
    if file.name == "__init__.py":
        for imported in (full for full, known_as in _imports(file) if known_as == attribute):
            return _module(imported)
    return base


@cache
def _modules(file: Path) -> frozenset[str]:
    """Modules of this package that a file imports and that decide what it computes."""
    found = {_module(full) for full, _ in _imports(file)}
    return frozenset(found.difference([None, *LISTS, *BESIDE]))


def _add(name: str, file: Path, found: dict[str, bytes]) -> None:
    """Add a file, and every module that it imports, directly or not."""
    found[name] = file.read_bytes()
    for module in _modules(file):
        if module not in found:
            _add(module, _file(module), found)


def digest(*sources: str | Path | Callable) -> str:
    """Digest the code that decides a result.

    Parameters
    ----------
    *sources : str, Path or callable
        Where it begins: a module's full name, a script's path, or a class, such as a network's.

    Returns
    -------
    str
        Of the text of each, and of every module of this package that it imports, directly or not. Code that is in no
        file, such as a notebook's, is told apart by nothing: its digest is another each time.
    """
    found: dict[str, bytes] = {}
    for number, source in enumerate(sources):
        if isinstance(source, partial):
            found[f"arguments {number}"] = repr((source.args, sorted(source.keywords.items()))).encode()
            source = source.func
        if isinstance(source, Path):
            _add(source.name, source, found)
            continue
        name = source if isinstance(source, str) else source.__module__ or ""  # None: executed from a text
        file = _file(name) or getattr(sys.modules.get(name), "__file__", None)
        if file is None:
            found[name] = uuid4().bytes
        else:
            _add(name, Path(file), found)
            found[f"named {number}"] = getattr(source, "__qualname__", "").encode()
    text = b"".join(hashlib.sha256(name.encode() + found[name]).digest() for name in sorted(found))
    return hashlib.sha256(text).hexdigest()[:16]
