"""Far-field phase retrieval: Y = |F(X)|² does not see translation, conjugate flip and global phase of X."""

from typing import ClassVar

import torch

from farfield import crystals, metrics, symmetry
from farfield.diffraction import measure
from farfield.problems.problem import Problem


class FarField(Problem):
    """Simulated crystals and their oversampled patterns.

    Parameters
    ----------
    image_size : int
        Pixels a side of an object's frame.
    oversampling : int
    """

    levels: ClassVar[tuple[str, ...]] = symmetry.LEVELS

    def __init__(self, image_size: int = 32, oversampling: int = 2):
        self.image_size, self.oversampling = image_size, oversampling

    def draw(self, count: int, seed: int) -> torch.Tensor:
        """Simulate crystals, (samples, N, N)."""
        return crystals.simulate(count, self.image_size, seed)

    def forward(self, objects: torch.Tensor) -> torch.Tensor:
        """Far-field intensities, (samples, M, M)."""
        return measure(objects, self.oversampling)

    def act(self, objects: torch.Tensor, seed: int) -> torch.Tensor:
        """Translate inside the frame, flip or not, and turn in phase, at random."""
        return symmetry.random_copy(objects, seed)

    def _break(self, objects: torch.Tensor, level: str) -> torch.Tensor:
        return symmetry.break_symmetries(objects, self.oversampling, level)

    def error(self, objects: torch.Tensor, estimates: torch.Tensor) -> torch.Tensor:
        """SA-MSE relative to that of predicting zero."""
        return metrics.symmetry_adjusted_mse(objects, estimates) / objects.abs().double().square().mean((-2, -1))
