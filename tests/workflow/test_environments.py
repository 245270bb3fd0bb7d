import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONDA_NAMES = {"pytorch-cpu": "torch", "pytorch-gpu": "torch", "matplotlib-base": "matplotlib"}


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return dict(line.split(" ;")[0].split("==") for line in lines if "==" in line)


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_conda_environments_agree_with_the_lock(name):
    environment = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())
    pins = [item.split("=") for item in environment["dependencies"] if item not in ("python=3.12", "pip")]
    assert {CONDA_NAMES.get(package, package) for package, _ in pins} == needed()
    for package, version in pins:
        assert locked()[CONDA_NAMES.get(package, package)] == version


def needed() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}


def test_the_lock_holds_what_the_package_needs_and_pins_torch():
    assert needed() <= set(locked())
    assert locked()["torch"] == "2.13.0"
    assert not [package for package in locked() if package.startswith(("nvidia", "cuda", "triton"))]
