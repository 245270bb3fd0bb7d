"""What is released: one version everywhere, and a wheel and an sdist of the package alone."""

import ast
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import farfield

ROOT = Path(__file__).parents[1]
SOURCES = ("src", "docs/package.md", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md")
MORE = ("CITATION.cff", "tests/conftest.py", "tests/test_floors.py", "docs/images/phases.png")
DISTRIBUTIONS = {"mpl_toolkits": "matplotlib", "skimage": "scikit-image", "sklearn": "scikit-learn"}
BUILD = "from setuptools import build_meta; build_meta.build_wheel('dist'); build_meta.build_sdist('dist')"


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """What the build backend makes of a copy, with some of what must not come along."""
    folder = tmp_path_factory.mktemp("release")
    for name in (*SOURCES, *MORE):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():  # without what an installation lists, which the backend would read
            ignored = shutil.ignore_patterns("*.egg-info", "__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    (folder / "dist").mkdir()
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "dist"


def test_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    headings = re.findall(r"^## (\d\S*) \((.*)\)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == (citation["version"], str(citation["date-released"]))
    assert headings[0][0] == farfield.__version__


def imported(path: Path) -> set[str]:
    """What a module imports of other distributions, by their names."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    others = {name.partition(".")[0] for name in names} - {*sys.stdlib_module_names, "farfield"}
    return {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in others}


def test_what_the_package_imports_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    needed = set.union(*map(imported, (ROOT / "src/farfield").rglob("*.py")))
    assert needed - {"hdf5plugin"} == declared  # Eiger's filters are asked for where a file needs them


def test_the_wheel_is_the_package_alone(dist):
    wheel = dist / f"farfield-{farfield.__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    package = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src/farfield").rglob("*.py")}
    assert {name for name in names if ".dist-info/" not in name} == package
    metadata = zipfile.ZipFile(wheel).read(f"farfield-{farfield.__version__}.dist-info/METADATA").decode()
    assert f"\nVersion: {farfield.__version__}\n" in metadata
    assert not re.search(r"\]\((?!https?:)", metadata)  # an index has no pages and pictures beside this one


def test_the_sdist_holds_what_builds_it(dist):
    with tarfile.open(dist / f"farfield-{farfield.__version__}.tar.gz") as sdist:
        names = sdist.getnames()
    inside = {name.partition("/")[2] for name in names}
    assert inside >= {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "docs/package.md"}
    assert not [name for name in inside if name.startswith("tests") or name.endswith(".png")]
