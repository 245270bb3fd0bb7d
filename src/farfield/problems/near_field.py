"""In-line holograms of phase objects: they do not see a constant offset of the phase."""

import torch

from farfield.machine.shapes import check_whole
from farfield.physics import phases
from farfield.physics.near_field import NearField, offset_removed_mse
from farfield.problems.problem import Problem


class Hologram(Problem):
    """Smooth random phases (samples, side, side), in the real part, and their holograms of the same frame.

    Parameters
    ----------
    side : int
        Of the frame, in pixels.
    near : NearField, optional
        By default at the distance whose fringes reach 0.77 of half the frame, as those of Wang & Lam do.

    Raises
    ------
    ValueError
        If the frame cannot hold the fringes.
    """

    def __init__(self, side: int = 64, near: NearField | None = None):
        check_whole("side", side, 8)
        self.side, self.near = side, near or NearField(distance=5e-3 * side / 64)
        self.near.check(side)

    def draw(self, count: int, seed: int) -> torch.Tensor:
        """Draw waves of 1 rad."""
        return phases.waves(count, self.side, seed, 1.0)

    def forward(self, objects: torch.Tensor) -> torch.Tensor:
        """Take holograms."""
        return self.near.measure(objects)

    def act(self, objects: torch.Tensor, seed: int) -> torch.Tensor:
        """Add a constant to each phase, normally distributed."""
        return objects + torch.randn(len(objects), 1, 1, generator=torch.Generator().manual_seed(seed))

    def _break(self, objects: torch.Tensor, level: str) -> torch.Tensor:
        return objects - objects.mean((-2, -1), keepdim=True)

    def error(self, objects: torch.Tensor, estimates: torch.Tensor) -> torch.Tensor:
        """Relative squared error, up to the offset."""
        return offset_removed_mse(objects, estimates) / offset_removed_mse(objects, torch.zeros_like(objects))
