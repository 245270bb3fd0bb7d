"""Multilayer perceptrons and nearest neighbours: what learns the small inverse problems."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from sklearn.neighbors import KNeighborsRegressor
from torch import nn

from farfield.learning.optimiser import WARM_UP, Adam
from farfield.machine.graphs import Captured

Predict = Callable[[torch.Tensor], torch.Tensor]
"""From measurements (samples, inputs) to objects (samples, outputs)."""


@dataclass(frozen=True)
class Settings:
    """How a perceptron is trained.

    Attributes
    ----------
    widths : tuple of int
        Nodes of each hidden layer.
    updates : int
    batch_size : int
    learning_rate : float
        Of Adam at the start; it falls to zero along half a cosine.
    """

    widths: tuple[int, ...]
    updates: int
    batch_size: int
    learning_rate: float


def perceptron(inputs: int, outputs: int, widths: Sequence[int]) -> nn.Sequential:
    """Make a perceptron of hidden layers of these widths, with batch normalisation after each."""
    layers: list[nn.Module] = []
    for before, width in zip((inputs, *widths), widths, strict=False):
        layers += [nn.Linear(before, width), nn.BatchNorm1d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))


def fit(
    measurements: torch.Tensor, objects: torch.Tensor, settings: Settings, seed: int, device: str = "cpu"
) -> Predict:
    """Train a perceptron on the mean squared error.

    Parameters
    ----------
    measurements : torch.Tensor, float32, shape (samples, inputs)
        Standardised by their own mean and deviation.
    objects : torch.Tensor, float32, shape (samples, outputs)
    settings : Settings
    seed : int
        Of weights and order.
    device : str
        Of torch, where the whole set is kept.

    Returns
    -------
    callable
        The trained network, for measurements as they are.
    """
    torch.manual_seed(seed)
    mean, deviation = measurements.mean(0), measurements.std(0).clamp_min(1e-12)
    inputs, targets = ((measurements - mean) / deviation).to(device), objects.to(device)
    model = perceptron(inputs.shape[1], targets.shape[1], settings.widths).to(device)
    optimizer = Adam(model.parameters(), settings.learning_rate, fused=True, capturable=inputs.is_cuda)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.updates)

    def learn(batch: torch.Tensor, rate: float | torch.Tensor) -> torch.Tensor:
        loss = nn.functional.mse_loss(model(inputs[batch]), targets[batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step_at(rate)
        return loss.detach()

    captured = Captured(learn, WARM_UP, "a perceptron's training")
    model.train()
    for _ in range(settings.updates):
        batch = torch.randint(len(inputs), (min(settings.batch_size, len(inputs)),), device=device)
        captured(batch, optimizer.param_groups[0]["lr"])
        schedule.step()
    model.eval()

    @torch.inference_mode()
    def predict(unseen: torch.Tensor) -> torch.Tensor:
        return torch.cat([model(part.to(device)).cpu() for part in ((unseen - mean) / deviation).split(4096)])

    return predict


def nearest(measurements: torch.Tensor, objects: torch.Tensor, neighbours: int) -> Predict:
    """Average the objects whose measurements are the nearest.

    Parameters
    ----------
    measurements : torch.Tensor, float32, shape (samples, inputs)
    objects : torch.Tensor, float32, shape (samples, outputs)
    neighbours : int
        K.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If there are fewer samples than neighbours.
    """
    if len(objects) < neighbours:
        raise ValueError(
            f"expected at least as many samples as neighbours, got {len(objects)} and {neighbours}; "
            "take fewer neighbours"
        )
    model = KNeighborsRegressor(neighbours).fit(measurements.numpy(), objects.numpy())
    return lambda unseen: torch.from_numpy(model.predict(unseen.numpy()))
