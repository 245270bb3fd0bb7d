"""Every misfit by the name that configs use; adding one changes none of the others."""

from collections.abc import Callable

import torch

from farfield.learning.objectives.misfits import Seen, amplitude, amplitude_l1, intensity

OBJECTIVES: dict[str, Callable[[Seen], torch.Tensor]] = {
    "amplitude": amplitude,
    "amplitude-l1": amplitude_l1,
    "intensity": intensity,
}
"""Every misfit by the name that configs use."""
