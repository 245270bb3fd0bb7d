"""What a training depends on beside its network, objective and data: checked, with the defaults of configs."""

import math
from dataclasses import dataclass

from farfield.learning.networks.retriever import compression
from farfield.machine.shapes import check_whole

PRECISIONS = ("auto", "float32", "bfloat16")

SCHEDULES = ("plateau", "cosine")

WARM_UP = 0.05
"""Share of a training in which a cosine schedule's rate rises."""


@dataclass(frozen=True)
class Settings:
    """What a training depends on beside its data; the config's section ``training`` and its defaults.

    Attributes
    ----------
    epochs : int
        Most passes over the training set, unless these are fewer updates than `updates`.
    updates : int
        Least updates before a training ends by its epochs: small sets get more passes.
    batch_size : int
        Of each update but the last of an epoch, which takes what is left; a smaller set is one batch.
    learning_rate, learning_rate_floor : float
        Adam's first rate, and the one at which the training stops.
    schedule : str
        ``plateau``: the rate falls when the validation tells (`factor`, `patience`); or ``cosine``: it rises over the
        first 5 % of the updates, and falls as half a cosine to the floor at the last.
    factor : float
        Of the learning rate at the (`patience` + 1)th epoch in turn without a validation SA-MSE that is lower than
        the lowest by more than 0.01 % of it (torch's ReduceLROnPlateau).
    patience : int
    precision : str
        ``float32``, ``bfloat16``, or ``auto``: bfloat16 where the processor computes in it natively.
    inputs : str
        How intensities enter a network that does not say so itself: a key of `retriever.COMPRESSIONS`, with
        ``-standardised`` behind it to bring every pixel to mean 0 and deviation 1 over the training set, or
        ``-normalised`` to do so with all pixels alike.
    versions : int
        In how many of eight versions, turned by quarter turns and mirrored with their patterns, samples are learned,
        one drawn for each in each epoch: 1 for none but their own.
    """

    epochs: int = 8
    updates: int = 500
    batch_size: int = 16
    learning_rate: float = 2e-3
    learning_rate_floor: float = 1e-5
    schedule: str = "plateau"
    factor: float = 0.5
    patience: int = 3
    precision: str = "auto"
    inputs: str = "log-standardised"
    versions: int = 1

    def __post_init__(self):
        for name, least in (("epochs", 1), ("updates", 0), ("batch_size", 1), ("patience", 0)):
            check_whole(name, getattr(self, name), least)
        if not 0 < self.learning_rate_floor < self.learning_rate:
            raise ValueError(
                f"expected a learning_rate_floor between 0 and the learning_rate, {self.learning_rate:g}, got "
                f"{self.learning_rate_floor:g}; lower it"
            )
        if not 0 < self.factor < 1:
            raise ValueError(f"expected a factor between 0 and 1, got {self.factor:g}; 0.5 is usual")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"expected schedule out of {', '.join(SCHEDULES)}, got {self.schedule!r}; change it")
        if self.versions not in (1, 2, 4, 8):
            raise ValueError(f"expected versions as 1, 2, 4 or 8, got {self.versions}; 8 are all")
        if self.precision not in PRECISIONS:
            raise ValueError(f"expected precision out of {', '.join(PRECISIONS)}, got {self.precision!r}; change it")
        compression(self.inputs)

    def check_versions(self, inputs: str, labels: str, *, near: bool = False) -> None:
        """Refuse turned samples where the inputs, or the labels, would not be those of turned ones.

        Parameters
        ----------
        inputs : str
            What the network gets.
        labels : str
            The form of the training set that its objective needs.
        near : bool
            Whether patterns are holograms, which `versions.vary` does not turn about their middle.
        """
        if self.versions > 1 and near:
            raise ValueError(f"expected versions of 1 in the near field, got {self.versions}; change it")
        if self.versions > 1 and inputs.endswith("-standardised"):
            raise ValueError(
                f"expected inputs scaled in all pixels alike for {self.versions} versions, got {inputs}; use "
                f"{inputs.replace('standardised', 'normalised')}"
            )
        if self.versions > 1 and labels != "before":
            raise ValueError(
                f"expected labels before or invariant for {self.versions} versions, got {labels}, which no turned "
                "sample has; set versions to 1"
            )

    def rate_at(self, progress: float) -> float:
        """Learning rate of a cosine schedule after this share of the training."""
        range_ = self.learning_rate - self.learning_rate_floor
        if progress < WARM_UP:
            return self.learning_rate_floor + range_ * progress / WARM_UP
        return self.learning_rate_floor + range_ * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP))) / 2

    def epochs_of(self, samples: int) -> int:
        """Most epochs of a training set of so many samples."""
        return max(self.epochs, math.ceil(self.updates / math.ceil(samples / self.batch_size)))
