"""Training of a denoiser on a study's own objects: noise of every strength, one network."""

import hashlib
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import farfield
from farfield.learning.denoiser import GREYS, Denoiser, denoise, load, save
from farfield.learning.optimiser import Adam
from farfield.machine import store
from farfield.machine.devices import claim_device
from farfield.machine.heap import keep_freed_memory
from farfield.machine.provenance import digest
from farfield.machine.shapes import Estimates, Objects, check_objects, check_whole
from farfield.symmetry.phases import fix_phase, images_of, values_of

logger = logging.getLogger(__name__)

LEVELS = (50, 40, 20, 10)
"""Deviations of noise, of 255, that validations and tables look at: prDeep's."""

WARM_UP = 0.05
"""Share of a training in which the rate rises."""

VALIDATED = 64
"""Images that validations look at, at most."""


@dataclass(frozen=True)
class DenoiserSettings:
    """What a denoiser is: the config's section ``denoiser`` and its defaults.

    Attributes
    ----------
    width, layers : int
        Channels, and convolutions.
    sigma : float
        Noise is drawn with deviations from 0 to this, of 255, evenly.
    epochs, batch_size : int
    learning_rate : float
        Adam's, which rises over the first 5 % of the updates and falls along half a cosine to zero.
    seed : int
        Of the weights, the order of images and the noise.
    """

    width: int = 32
    layers: int = 7
    sigma: float | int = 60.0
    epochs: int = 16
    batch_size: int = 32
    learning_rate: float | int = 2e-3
    seed: int = 0

    def __post_init__(self):
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            check_whole(name, getattr(self, name), least)
        if not self.learning_rate > 0:
            raise ValueError(f"expected a learning_rate above 0, got {self.learning_rate!r}; 2e-3 is usual")

    def rate_at(self, progress: float) -> float:
        """Learning rate after this share of the training."""
        if progress < WARM_UP:
            return self.learning_rate * progress / WARM_UP
        return self.learning_rate * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP))) / 2


def psnr(truth: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio of images (batch, height, width), of a peak of 1, in dB, (batch,)."""
    return -10 * (truth - images).square().mean((-2, -1)).log10()


def add_noise(images: torch.Tensor, sigma: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Add normal noise of these deviations, (batch,) of 255."""
    return images + torch.randn(images.shape, generator=generator) * (sigma / GREYS).view(-1, 1, 1)


def _one_epoch(
    model: Denoiser, optimizer: Adam, images: torch.Tensor, settings: DenoiserSettings, epoch: int
) -> float:
    """Learn from every image once, with a noise that depends on seed and epoch alone."""
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
    batches = torch.randperm(len(images), generator=generator).split(settings.batch_size)
    total, device = 0.0, next(model.parameters()).device
    for number, chosen in enumerate(batches):
        sigma = torch.rand(len(chosen), generator=generator) * model.sigma
        noisy, clean, sigma = (
            x.to(device) for x in (add_noise(images[chosen], sigma, generator), images[chosen], sigma)
        )
        loss = (model(noisy, sigma) - clean).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step_at(settings.rate_at((epoch + number / len(batches)) / settings.epochs))
        total += float(loss.detach()) * len(chosen)
    return total / len(images)


def _validate(model: Denoiser, images: torch.Tensor) -> dict[str, float]:
    """PSNR of the first images at each of `LEVELS` that it was trained for, with the same noise each time."""
    clean, scores = images[:VALIDATED], {}
    for level in (level for level in LEVELS if level <= model.sigma):
        noisy = add_noise(clean, torch.full((len(clean),), float(level)), torch.Generator().manual_seed(level))
        found = denoise(model, noisy.to(next(model.parameters()).device), level).cpu()
        scores[f"psnr_{level}"] = float(psnr(clean, found).mean())
    return scores


def _read(objects: torch.Tensor, values: str, name: str) -> torch.Tensor:
    """Images of objects of magnitudes up to 1, with their phase fixed."""
    check_objects(objects, name)
    largest = float(objects.abs().max())
    if not 0 < largest <= 1 + 1e-3:
        raise ValueError(f"expected {name} of magnitudes up to 1, got {largest:g}; divide them by their largest")
    return images_of(fix_phase(objects), values).contiguous()


def fit(
    training: Objects,
    validation: Estimates,
    settings: DenoiserSettings | None = None,
    *,
    path: str | Path,
    history: str | Path,
    device: str = "cpu",
    origin: Mapping[str, Any] | None = None,
) -> Denoiser:
    """Train a denoiser on objects of magnitudes up to 1: on their real parts and, if they have any, imaginary ones.

    The global phase of each is fixed first (`symmetry.phases.fix_phase`). It is a matter of minutes, so it keeps no
    checkpoint: one that is cut off begins again.

    Parameters
    ----------
    training, validation : torch.Tensor, complex, shape (samples, N, N)
    settings : DenoiserSettings, optional
    path, history : str or Path
        Get the weights, and a row an epoch: loss, PSNR in dB at `LEVELS` on validation images, seconds.
    device : str
        ``cpu``, ``cuda`` or ``cuda-if-available``.
    origin : mapping, optional
        Written into the description.

    Returns
    -------
    Denoiser
        As `load` reads it.

    Raises
    ------
    ValueError
        If objects are empty, not finite or larger than 1.
    ArithmeticError
        If the loss is not finite.
    """
    keep_freed_memory()
    settings, place = settings or DenoiserSettings(), claim_device(device)
    values = values_of(training)
    images, unseen = _read(training, values, "training objects"), _read(validation, values, "validation objects")
    torch.manual_seed(settings.seed)
    model = Denoiser(settings.width, settings.layers, settings.sigma).to(place)
    optimizer, rows, begin = Adam(model.parameters(), settings.learning_rate, fused=True), [], time.perf_counter()
    for epoch in range(settings.epochs):
        loss = _one_epoch(model, optimizer, images, settings, epoch)
        if not math.isfinite(loss):
            raise ArithmeticError(
                f"expected a finite loss, got {loss} in epoch {epoch + 1}; lower denoiser: learning_rate"
            )
        rows.append({"epoch": epoch + 1, "loss": loss, **_validate(model, unseen)})
        rows[-1]["seconds"] = time.perf_counter() - begin
        logger.info("  ".join(f"{name} {value:.5g}" for name, value in rows[-1].items()))
    description = {
        "version": farfield.__version__,
        **asdict(settings),
        "values": values,
        "images": len(images),
        "data": hashlib.sha256(images.numpy().tobytes()).hexdigest()[:16],
        "code": digest(__name__),
    }
    with store.atomic(Path(path)) as temporary:
        save(model, temporary, {**(origin or {}), **description})
    with store.atomic(Path(history)) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
    return load(path, str(place))
