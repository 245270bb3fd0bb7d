"""An objective: which terms, how much of each, and what the data term takes for the truth."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from farfield.learning.objectives.jacobian import sensitivity
from farfield.learning.objectives.misfits import Seen, invariant
from farfield.learning.objectives.registry import OBJECTIVES
from farfield.learning.optics import Optics
from farfield.symmetry.actions import LEVELS

LABELS = (*LEVELS, "natural", "invariant")
"""What the data term may take for the truth: the training set as it comes, broken, natural poses, or any copy."""

NEAR_PHYSICS = ("amplitude", "amplitude-l1")
"""Misfits of the near field: they compare what an object adds to a wave, which is the most of an intensity."""

FALLING = 0.8
"""Share of a training over which the width of a low pass falls."""


def check_near_physics(physics: str) -> None:
    """Refuse a misfit that is none of `NEAR_PHYSICS`, in one sentence."""
    if physics not in NEAR_PHYSICS:
        raise ValueError(
            f"expected physics out of {', '.join(NEAR_PHYSICS)} in the near field, got {physics}; choose one"
        )


@dataclass(frozen=True)
class Objective:
    """What a network is trained for: L = α · data + (1 - α) · physics + λ · Jacobian.

    Attributes
    ----------
    data : float
        α, the share of the data term, from 0 (physics alone: no label is used) to 1.
    labels : str
        What the data term compares with: ``before`` (the training set as it comes), a level of symmetry breaking
        (``centred``, ``phase``, ``after``), ``natural`` (images upright and centred), or ``invariant``: of all
        symmetric copies, the one that is nearest to the output.
    physics : str
        A key of `registry.OBJECTIVES`: how |F(output)| is held against the pattern's amplitudes.
    low_pass : tuple of float or None
        First and last width σ, in pixels of the object, of the Gaussian by which the pattern's amplitudes are
        low-passed, as those of a blurred object; between them it falls linearly over the first 80 % of a training.
    jacobian : float
        λ, in units of which 1 makes a relative change of the output by unit noise in all inputs cost as much as
        predicting zero.

    References
    ----------
    Manekar et al., "Deep Learning Initialized Phase Retrieval" (α = 0); Wang & Lam, Adv. Photon. Nexus 3, 056006
    (2024) (α = 0.3); arXiv:2403.15448 (α = 1, before and after).
    """

    data: float = 1.0
    labels: str = "before"
    physics: str = "amplitude"
    low_pass: tuple[float, float] | None = None
    jacobian: float = 0.0

    def __post_init__(self):
        if not 0 <= self.data <= 1:
            raise ValueError(f"expected data from 0, physics alone, to 1, labels alone, got {self.data:g}; change it")
        if self.labels not in LABELS:
            raise ValueError(f"expected labels out of {', '.join(LABELS)}, got {self.labels!r}; choose one")
        if self.physics not in OBJECTIVES:
            raise ValueError(f"expected physics out of {', '.join(OBJECTIVES)}, got {self.physics!r}; choose one")
        if not self.jacobian >= 0:
            raise ValueError(f"expected jacobian of at least 0, got {self.jacobian:g}; 1e-3 is a beginning")
        if self.low_pass is not None and self.data == 1:
            raise ValueError("expected low_pass with data below 1, as it is of the physics, got 1; leave it out")
        if self.low_pass is not None and (len(self.low_pass) != 2 or not self.low_pass[0] >= self.low_pass[1] >= 0):
            raise ValueError(
                f"expected low_pass as a first width and a last one that is not larger, got {list(self.low_pass)}; "
                "[1.5, 0.75] is a beginning"
            )

    def check_near(self) -> None:
        """Refuse what has no meaning for holograms.

        Raises
        ------
        ValueError
            For labels with a symmetry broken, as that is the far field's, a low pass, or a misfit of intensities.
        """
        if self.data and self.labels != "before":
            raise ValueError(
                f"expected labels before, as they come, in the near field, got {self.labels}, which is of the far "
                "field's symmetries; change it"
            )
        if self.low_pass is not None:
            raise ValueError("expected no low_pass in the near field, as it is of far-field amplitudes; leave it out")
        check_near_physics(self.physics)

    @property
    def training_set(self) -> str:
        """Which form of the training set it needs: a level of symmetry breaking, or ``natural``."""
        return self.labels if self.data and self.labels != "invariant" else "before"


class Loss:
    """An objective, ready for one training: what a batch costs.

    All terms are in units of the mean squared error per part of a pixel, so that predicting zero costs α of it by
    the data term and 1 - α of it by the physics.

    Parameters
    ----------
    objective : Objective
    energy : float
        Mean square of the training set's real and imaginary parts: the error of predicting zero.
    optics : FarField or Holograms
        How patterns are made of objects.
    spread : torch.Tensor, float32, shape (M, M) or a scalar
        Deviation of each of the network's inputs over the training set.
    """

    def __init__(self, objective: Objective, energy: float, optics: Optics, spread: torch.Tensor):
        self.objective, self.energy, self.optics, self.spread = objective, energy, optics, spread

    def width(self, progress: float) -> float:
        """Width σ of the low pass, in pixels of the object, after this share of the training; 0 without one."""
        first, last = self.objective.low_pass or (0.0, 0.0)
        return first + (last - first) * min(progress / FALLING, 1)

    def __call__(
        self,
        network: Callable[[torch.Tensor], torch.Tensor],
        inputs: torch.Tensor,
        targets: torch.Tensor,
        width: float | torch.Tensor,
    ) -> torch.Tensor:
        """Mean over a batch.

        Parameters
        ----------
        network : callable
            From inputs to outputs (batch, 2, N, N), in float32.
        inputs : torch.Tensor, float, shape (batch, M, M)
        targets : torch.Tensor, float32, shape (batch, 2, N, N)
            Real and imaginary parts of the labels.
        width : float or torch.Tensor, a scalar
            σ of the low pass, as `width` tells it; without one it is not looked at.

        Returns
        -------
        torch.Tensor, float32, a scalar
        """
        wanted, terms = self.objective, []
        if wanted.jacobian:
            output, change = sensitivity(network, inputs, self.spread)
            terms.append(wanted.jacobian * change.mean())
        else:
            output = network(inputs)
        if wanted.data:
            terms.append(wanted.data * self._data(output, targets))
        if wanted.data < 1:
            terms.append((1 - wanted.data) * self._physics(output, targets, width))
        return sum(terms[1:], terms[0])

    def _data(self, output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self.objective.labels == "invariant":
            return self.energy * invariant(_complex(output), _complex(targets)).mean()
        return torch.nn.functional.mse_loss(output, targets)

    def _physics(self, output: torch.Tensor, targets: torch.Tensor, width: float | torch.Tensor) -> torch.Tensor:
        """Hold the output against the pattern, which is all that is taken of the targets."""
        made, label = _complex(output), _complex(targets)
        field, amplitude = map(self.optics.seen, (made, label))
        if self.objective.low_pass is not None:
            frequency = torch.fft.fftfreq(amplitude.shape[-1], device=amplitude.device)
            squares = frequency[:, None].square() + frequency.square()
            amplitude = amplitude * torch.exp(-2 * (torch.pi * width) ** 2 * squares)
        seen = Seen(made, label, field, amplitude)
        return self.energy * OBJECTIVES[self.objective.physics](seen).mean()


def _complex(parts: torch.Tensor) -> torch.Tensor:
    return torch.complex(parts[:, 0], parts[:, 1])
