"""What an inverse problem with a symmetry is."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch


class Problem(ABC):
    """A forward map, the group of actions that it does not see, and a choice of one from each orbit.

    Objects and measurements are stacks, (samples, …). Noise-free, the inverse is known up to the symmetry at most.

    Attributes
    ----------
    levels : tuple of str
        How much of the symmetry `canonical` can break, from ``before`` (nothing) to ``after`` (all).
    """

    levels: ClassVar[tuple[str, ...]] = ("before", "after")

    @abstractmethod
    def draw(self, count: int, seed: int) -> torch.Tensor:
        """Draw objects at random, from a distribution that the symmetry leaves as it is or nearly so."""

    @abstractmethod
    def forward(self, objects: torch.Tensor) -> torch.Tensor:
        """Measure objects, without noise."""

    @abstractmethod
    def act(self, objects: torch.Tensor, seed: int) -> torch.Tensor:
        """Replace each object by a symmetric copy, chosen at random: `forward` is the same."""

    @abstractmethod
    def _break(self, objects: torch.Tensor, level: str) -> torch.Tensor:
        """Choose a representative, at a level other than ``before``."""

    @abstractmethod
    def error(self, objects: torch.Tensor, estimates: torch.Tensor) -> torch.Tensor:
        """Smallest squared error over the symmetric copies of each estimate, relative to that of predicting zero."""

    def canonical(self, objects: torch.Tensor, level: str = "after") -> torch.Tensor:
        """Choose one representative of each object's symmetric copies.

        Parameters
        ----------
        objects : torch.Tensor, shape (samples, …)
        level : str
            One of `levels`: how much of the symmetry to break.

        Raises
        ------
        ValueError
            If there is no such level.
        """
        if level not in self.levels:
            raise ValueError(f"expected a symmetry level out of {', '.join(self.levels)}, got {level!r}; choose one")
        return objects if level == "before" else self._break(objects, level)
