"""One update of a network's weights: forward, loss, backward and Adam, on a GPU captured as one launch."""

import torch

from farfield.learning.networks.retriever import Retriever
from farfield.learning.objectives.objective import Loss
from farfield.learning.optimiser import WARM_UP, Adam
from farfield.machine.devices import compiles, uses_bfloat16
from farfield.machine.graphs import Captured

PAYS = 9000
"""Updates from which networks are compiled for a GPU.

It saves half a millisecond each, and takes 3 s where another job has compiled the same, as in a study. For one
training alone it takes 14 to 22 s, which 35 000 updates win back (an H100).
"""


class Step:
    """Updates of one training.

    Parameters
    ----------
    model : Retriever
        Its weights are changed in place.
    loss : Loss
    precision : str
        As in `Settings`.
    learning_rate : float
        The first one.
    batch, updates : int
        Samples of a whole batch, and how many updates there will be.

    Attributes
    ----------
    optimizer : Adam
    """

    def __init__(
        self, model: Retriever, loss: Loss, precision: str, learning_rate: float, *, batch: int, updates: int
    ):
        self.model, self.loss, self.batch, device = model, loss, batch, model.mean.device
        self.autocast, on_gpu = uses_bfloat16(precision, device), device.type == "cuda"
        self.optimizer = Adam(model.parameters(), learning_rate, fused=True, capturable=on_gpu)
        pays = on_gpu and updates >= PAYS and compiles(device)
        self.backbone = torch.compile(model.backbone, dynamic=False) if pays else model.backbone
        self.captured = Captured(self._learn, WARM_UP, f"the training of {type(model.backbone).__name__}")

    def __call__(self, inputs: torch.Tensor, targets: torch.Tensor, progress: float) -> torch.Tensor:
        """Learn from a batch.

        Parameters
        ----------
        inputs : torch.Tensor, float, shape (batch, M, M)
        targets : torch.Tensor, float32, shape (batch, 2, N, N)
        progress : float
            Share of the training that is done.

        Returns
        -------
        torch.Tensor, float32, a scalar
            The loss; overwritten, on a GPU, by the next.
        """
        return self.captured(inputs, targets, self.loss.width(progress), self.optimizer.param_groups[0]["lr"])

    def _learn(
        self, inputs: torch.Tensor, targets: torch.Tensor, width: float | torch.Tensor, rate: float | torch.Tensor
    ) -> torch.Tensor:
        loss = self.loss(self._network, inputs, targets, width)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step_at(rate)
        return loss.detach()

    def _network(self, inputs: torch.Tensor) -> torch.Tensor:
        """Outputs (batch, 2, N, N) in float32, computed in the training's precision."""
        # The last batch of an epoch may be smaller: not worth compiling for.
        backbone = self.backbone if len(inputs) == self.batch else self.model.backbone
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.autocast):
            return backbone(inputs).float()
