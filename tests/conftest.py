"""Annotated shapes are executed in tests; strategies for objects live here, in one place."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook

install_import_hook("farfield", "beartype.beartype")

import jaxtyping  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from farfield import crystals  # noqa: E402

torch.set_num_threads(1)
settings.register_profile(
    "farfield", deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("farfield")


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


@pytest.fixture(scope="session")
def objects():
    """Sixty-four crystals of 32²."""
    return crystals.simulate(64, 32, 7)


@pytest.fixture
def no_shape_checks():
    """Let a wrong rank or type reach our own checks, as it would outside of the tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
