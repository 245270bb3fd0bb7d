"""Gaussian phase retrieval: y = |Ax|², A of independent normal entries, does not see x's sign or global phase."""

from typing import ClassVar

import torch

from farfield.machine.shapes import check_whole
from farfield.problems.problem import Problem

MATRIX_SEED = 2403


class _Gaussian(Problem):
    """What the real and the complex problem share.

    Parameters
    ----------
    dimension : int
        Of x, whose entries are independent and normal.
    measurements : int
        Rows of A; by default four for each unknown, as much as is generically enough for one solution.
    """

    dtype: torch.dtype

    def __init__(self, dimension: int, measurements: int | None = None):
        check_whole("dimension", dimension, 1)
        measurements = 4 * dimension if measurements is None else measurements
        check_whole("measurements", measurements, dimension)  # as many as there are unknowns
        self.dimension, self.measurements = dimension, measurements
        generator = torch.Generator().manual_seed(MATRIX_SEED)
        self.matrix = torch.randn(measurements, dimension, dtype=self.dtype, generator=generator)

    def draw(self, count: int, seed: int) -> torch.Tensor:
        """Draw vectors of independent normal entries."""
        return torch.randn(count, self.dimension, dtype=self.dtype, generator=torch.Generator().manual_seed(seed))

    def forward(self, objects: torch.Tensor) -> torch.Tensor:
        """Squared magnitudes of Ax, (samples, measurements)."""
        return (objects @ self.matrix.T).abs().square()

    def error(self, objects: torch.Tensor, estimates: torch.Tensor) -> torch.Tensor:
        """‖x - e^{iθ} x̂‖² / ‖x‖², smallest over the sign or phase."""
        energy = objects.abs().square().sum(-1)
        overlap = (objects.conj() * estimates).sum(-1).abs()
        return (energy + estimates.abs().square().sum(-1) - 2 * overlap) / energy


class RealGaussian(_Gaussian):
    """Real x and A: the sign is lost."""

    dtype = torch.float32

    def act(self, objects: torch.Tensor, seed: int) -> torch.Tensor:
        """Change signs at random."""
        signs = torch.randint(0, 2, (len(objects), 1), generator=torch.Generator().manual_seed(seed)) * 2 - 1
        return objects * signs

    def _break(self, objects: torch.Tensor, level: str) -> torch.Tensor:
        # A half space: connected, and all but a set of measure zero has one copy in it.
        return torch.where(objects[:, :1] < 0, -objects, objects)


class ComplexGaussian(_Gaussian):
    """Complex x and A: the global phase is lost.

    A half space breaks but the sign; what is left of each orbit is half a circle.
    """

    dtype = torch.complex64
    levels: ClassVar[tuple[str, ...]] = ("before", "half-space", "after")

    def act(self, objects: torch.Tensor, seed: int) -> torch.Tensor:
        """Turn phases at random."""
        angle = 2 * torch.pi * torch.rand(len(objects), 1, generator=torch.Generator().manual_seed(seed))
        return objects * torch.polar(torch.ones_like(angle), angle)

    def _break(self, objects: torch.Tensor, level: str) -> torch.Tensor:
        first = objects[:, :1]
        if level == "half-space":
            return torch.where(first.real < 0, -objects, objects)
        return objects * torch.where(first == 0, torch.ones_like(first), torch.sgn(first).conj())
