"""Annotated shapes are executed in tests; strategies for objects live here, in one place."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook

install_import_hook("farfield", "beartype.beartype")

import jaxtyping  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from farfield.physics import crystals  # noqa: E402
from farfield.symmetry import actions  # noqa: E402

ROOT = Path(__file__).parent.parent
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--cores", "2"]

torch.set_num_threads(1)
settings.register_profile(
    "farfield", deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("farfield")


@pytest.hookimpl(tryfirst=True)  # before xdist looks
def pytest_collection_modifyitems(config, items):
    """Where tests run two at a time, those that share the test study stay together, and those of a file."""
    if config.pluginmanager.hasplugin("xdist"):
        items.sort(key=lambda item: item.path.parent.name != "workflow")  # which take longest
        for item in items:
            item.add_marker(pytest.mark.xdist_group("study" if "study" in item.fixturenames else item.path.name))


@st.composite
def blobs(draw, smallest: int = 9, largest: int = 24):
    """Complex noise in a random box inside a frame of zeros."""
    height, width = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    rows, columns = draw(st.integers(2, height - 2)), draw(st.integers(2, width - 2))
    top, left = draw(st.integers(0, height - rows)), draw(st.integers(0, width - columns))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    frame = torch.zeros(height, width, dtype=torch.complex64)
    noise = torch.randn(rows, columns, dtype=torch.complex64, generator=generator)
    frame[top : top + rows, left : left + columns] = noise
    return frame


def random_copy(objects: torch.Tensor, seed: int) -> torch.Tensor:
    """Translate each of (samples, height, width) inside its frame, flip it or not, and turn its phase, at random."""
    generator = torch.Generator().manual_seed(seed)
    first, extent = actions._content_box(objects)
    room = torch.tensor(objects.shape[-2:]) - extent + 1
    place = (torch.rand(len(objects), 2, generator=generator) * room).long()
    moved = actions.translate(objects, place - first)
    flips = torch.rand(len(objects), generator=generator) < 0.5
    flipped = torch.where(flips[:, None, None], actions.conjugate_flip(moved), moved)
    return actions.rotate_phase(flipped, 2 * torch.pi * torch.rand(len(objects), generator=generator))


@pytest.fixture(scope="session")
def objects():
    """Sixty-four crystals of 32²."""
    return crystals.simulate(64, 32, 7)


@pytest.fixture(autouse=True)
def one_thread():
    """Whatever a test sets, the next one has a thread again, as digits and batches depend on it."""
    yield
    torch.set_num_threads(1)


@pytest.fixture
def no_shape_checks():
    """Let a wrong rank or type reach our own checks, as it would outside of the tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def refused(call, *words: str) -> None:
    """Expect one sentence of a call, with these words in it."""
    with pytest.raises(ValueError, match="expected") as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert "Type-check" not in text
    for word in words:
        assert word in text, text


def copy_workflow(folder: Path) -> Path:
    """Copy what a study runs from; the package is the one that is installed."""
    for name in ("Snakefile", "workflow", "config", "profiles", "envs"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    return folder


def snakemake(folder: Path, *arguments: str, config: str = "config/test.yaml", fails: bool = False) -> str:
    """Run the workflow in a folder and return what it printed."""
    result = subprocess.run(
        [*SNAKEMAKE, *arguments, "--configfile", config],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    printed = result.stdout + result.stderr
    assert (result.returncode != 0) == fails, printed[-6000:]
    return printed


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """A copy of the workflow in which the test study has run."""
    folder = copy_workflow(tmp_path_factory.mktemp("study"))
    snakemake(folder)
    return folder
