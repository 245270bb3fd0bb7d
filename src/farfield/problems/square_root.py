"""The square root: y = x² does not see the sign of x."""

import torch

from farfield.problems.problem import Problem


class SquareRoot(Problem):
    """x uniform on [-1, 1], y = x²; objects and measurements of shape (samples, 1)."""

    def draw(self, count: int, seed: int) -> torch.Tensor:
        """Draw numbers uniformly from [-1, 1]."""
        return 2 * torch.rand(count, 1, generator=torch.Generator().manual_seed(seed)) - 1

    def forward(self, objects: torch.Tensor) -> torch.Tensor:
        """Square."""
        return objects.square()

    def act(self, objects: torch.Tensor, seed: int) -> torch.Tensor:
        """Change signs at random."""
        generator = torch.Generator().manual_seed(seed)
        return torch.where(torch.rand(objects.shape, generator=generator) < 0.5, objects, -objects)

    def _break(self, objects: torch.Tensor, level: str) -> torch.Tensor:
        return objects.abs()

    def error(self, objects: torch.Tensor, estimates: torch.Tensor) -> torch.Tensor:
        """Relative squared error, up to the sign."""
        return ((objects.abs() - estimates.abs()).square() / objects.square()).squeeze(-1)
