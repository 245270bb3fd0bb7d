"""Supervised training of one network: one readable loop that resumes by default."""

import hashlib
import json
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from farfield import networks, store
from farfield.diffraction import measure
from farfield.metrics import symmetry_adjusted_mse
from farfield.networks import retriever as models
from farfield.networks.retriever import Retriever
from farfield.optimiser import Adam
from farfield.shapes import Estimates, Objects

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 5.0
"""Least time between checkpoints: rare enough to cost nothing, and a kill loses little."""


class TrainingError(ArithmeticError):
    """A training that must not count as done."""


@dataclass(frozen=True)
class Settings:
    """What a training depends on beside its data; the config's section ``training``.

    Attributes
    ----------
    epochs : int
        Most passes over the training set, unless these are fewer updates than `updates`.
    updates : int
        Least updates before a training ends by its epochs: small sets get more passes.
    batch_size : int
    learning_rate, learning_rate_floor : float
        Adam's first rate, and the one at which the training stops.
    factor : float
        Of the learning rate when the validation SA-MSE has not fallen for `patience` epochs.
    patience : int
    precision : str
        ``float32``, ``bfloat16``, or ``auto``: bfloat16 where the processor computes in it natively.
    """

    epochs: int
    updates: int
    batch_size: int
    learning_rate: float
    learning_rate_floor: float
    factor: float
    patience: int
    precision: str = "auto"

    def epochs_of(self, samples: int) -> int:
        """Most epochs of a training set of so many samples."""
        return max(self.epochs, math.ceil(self.updates / math.ceil(samples / self.batch_size)))


def choose_device(name: str) -> torch.device:
    """Turn the config's ``device`` into a torch device.

    Parameters
    ----------
    name : str
        ``cpu``, ``cuda`` or ``cuda-if-available``.

    Raises
    ------
    ValueError
        If CUDA is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: expected a CUDA GPU, found none; set device: cuda-if-available or cpu")
    return torch.device("cpu" if name == "cpu" or not torch.cuda.is_available() else "cuda")


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Tell whether a training of this precision computes in bfloat16 on this device."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Emulated bfloat16 is slower than float32, so only a processor that multiplies in it counts.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def data_hash(*tensors: torch.Tensor) -> str:
    """Digest of the numbers in some tensors."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _code_hash() -> str:
    """Digest of the code that decides the weights."""
    folder = Path(__file__).parent
    names = ("training", "diffraction", "metrics", "matching", "fourier", "passes", "optimiser")
    files = [*(folder / f"{name}.py" for name in names), *sorted(folder.glob("networks/*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


class _Trainer:
    """The state of a training between two epochs: what a checkpoint holds."""

    def __init__(self, model: Retriever, settings: Settings, samples: int, fingerprint: str):
        self.model, self.settings, self.fingerprint = model, settings, fingerprint
        self.epochs = settings.epochs_of(samples)
        self.optimizer = Adam(model.parameters(), settings.learning_rate, fused=True)
        self.scheduler = ReduceLROnPlateau(
            self.optimizer,
            factor=settings.factor,
            patience=settings.patience,
            min_lr=settings.learning_rate_floor,
        )
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, torch.Tensor] = {}

    @property
    def learning_rate(self) -> float:
        return self.optimizer.param_groups[0]["lr"]

    @property
    def finished(self) -> bool:
        reached_floor = bool(self.history) and self.learning_rate <= self.settings.learning_rate_floor
        return len(self.history) >= self.epochs or reached_floor

    def record(self, row: dict[str, Any]) -> None:
        """End an epoch: keep the model if it is the best so far, and let the plateau be judged."""
        if all(row["validation_sa_mse"] < earlier["validation_sa_mse"] for earlier in self.history):
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        self.scheduler.step(row["validation_sa_mse"])
        self.history.append(row)

    def save(self, path: Path) -> None:
        state = {
            "fingerprint": self.fingerprint,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "history": self.history,
            "best": self.best,
        }
        with store.atomic(path) as temporary:
            torch.save(state, temporary)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, unless it is unreadable or of another config, data or code."""
        if not path.exists():
            return
        try:
            state = torch.load(path, weights_only=True, map_location=self.model.mean.device)
        except Exception as error:
            logger.warning("%s cannot be read (%s); training starts anew", path, type(error).__name__)
            return
        if not isinstance(state, dict) or state.get("fingerprint") != self.fingerprint:
            logger.warning("%s is of another config, data or code; training starts anew", path)
            return
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.history, self.best = state["history"], state["best"]
        logger.info("resumed after epoch %d", len(self.history))


def predict(model: Retriever, intensity: torch.Tensor, batch_size: int = 64) -> Objects:
    """Apply a network to patterns, batch by batch, in float32.

    Parameters
    ----------
    model : Retriever
    intensity : torch.Tensor, float, shape (samples, M, M)
    batch_size : int

    Returns
    -------
    torch.Tensor, complex64, shape (samples, N, N)
        On the model's device.
    """
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(part.to(model.mean.device)) for part in intensity.split(batch_size)])


def _one_epoch(trainer: _Trainer, inputs: torch.Tensor, targets: torch.Tensor, seed: int) -> float:
    """Train on every sample once, in an order (and with a dropout) that depends on seed and epoch alone."""
    epoch_seed = seed * 1_000_003 + len(trainer.history)
    torch.manual_seed(epoch_seed)
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(epoch_seed)).to(inputs.device)
    bfloat16 = uses_bfloat16(trainer.settings.precision, inputs.device)
    trainer.model.train()
    total = torch.zeros((), device=inputs.device)
    for batch in order.split(trainer.settings.batch_size):
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=bfloat16):
            output = trainer.model.backbone(inputs[batch])
        loss = torch.nn.functional.mse_loss(output.float(), targets[batch])
        trainer.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        trainer.optimizer.step()
        total += loss.detach() * len(batch)
    return float(total) / len(inputs)


def _validate(model: Retriever, validation: Estimates, intensity: torch.Tensor) -> float:
    return float(symmetry_adjusted_mse(validation, predict(model, intensity)).mean())


def _train(
    trainer: _Trainer, training: Objects, validation: Estimates, oversampling: int, seed: int, checkpoint: Path
) -> None:
    """Train to the end, saving a checkpoint now and then."""
    device = trainer.model.mean.device
    with torch.no_grad():
        inputs = trainer.model.scale(measure(training.to(device), oversampling))
    targets = torch.stack([training.real, training.imag], dim=1).to(device)
    validation = validation.to(device)
    unseen, saved = measure(validation, oversampling), time.monotonic()
    while not trainer.finished:
        begin, epoch, rate = time.perf_counter(), len(trainer.history) + 1, trainer.learning_rate
        loss = _one_epoch(trainer, inputs, targets, seed)
        score = _validate(trainer.model, validation, unseen) if math.isfinite(loss) else math.nan
        if not math.isfinite(score):
            checkpoint.unlink(missing_ok=True)
            raise TrainingError(
                f"expected a finite loss, got {loss} (validation SA-MSE {score}) in epoch {epoch} at learning "
                f"rate {rate:g}, n = {len(inputs)}, seed {seed}; lower training: learning_rate"
            )
        row = {"epoch": epoch, "loss": loss, "validation_sa_mse": score, "learning_rate": rate}
        trainer.record({**row, "seconds": time.perf_counter() - begin})
        logger.info(
            "epoch %d/%d  loss %.5f  validation SA-MSE %.5f  learning rate %.1e  %.1f s",
            *(epoch, trainer.epochs, loss, score, rate, trainer.history[-1]["seconds"]),
        )
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            trainer.save(checkpoint)
            saved = time.monotonic()


def _write(trainer: _Trainer, folder: Path, description: Mapping[str, Any]) -> None:
    """Write what a training leaves, each file whole; the history comes last."""
    for name, state in (("final", trainer.model.state_dict()), ("best", trainer.best)):
        with store.atomic(folder / f"{name}.safetensors") as temporary:
            models.save(state, temporary, description)
    with store.atomic(folder / "history.csv") as temporary:
        pd.DataFrame(trainer.history).to_csv(temporary, index=False)


def fit(
    network: str,
    training: Objects,
    validation: Estimates,
    settings: Settings,
    *,
    folder: str | Path,
    seed: int = 0,
    oversampling: int = 2,
    options: Mapping[str, Any] | None = None,
    device: str = "cpu",
    origin: Mapping[str, Any] | None = None,
) -> Retriever:
    """Train one network and write its final and its best-validated weights.

    Parameters
    ----------
    network : str
        A key of `networks.NETWORKS`.
    training, validation : torch.Tensor, complex, shape (samples, N, N)
        Objects; their noise-free patterns are what the network sees.
    settings : Settings
    folder : str or Path
        Gets ``final.safetensors``, ``best.safetensors`` and ``history.csv`` (a row an epoch: loss, validation
        SA-MSE, learning rate, seconds), each atomically. A checkpoint lies there while the training runs, and
        a new call of the same training goes on from it.
    seed : int
        Of the weights, the order of samples and the dropout.
    oversampling : int
    options : mapping, optional
        Of the network.
    device : str
        ``cpu``, ``cuda`` or ``cuda-if-available``.
    origin : mapping, optional
        Written into the models' description.

    Returns
    -------
    Retriever
        As it was after the last epoch.

    Raises
    ------
    TrainingError
        If the loss is not finite: nothing is left behind as if done.
    """
    place, size, options = choose_device(device), training.shape[-1], dict(options or {})
    description = {
        "network": network,
        "image_size": size,
        "oversampling": oversampling,
        "options": options,
        "training": asdict(settings),
        "seed": seed,
        "samples": len(training),
        "data": data_hash(training, validation),
        "code": _code_hash(),
    }
    fingerprint = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
    torch.manual_seed(seed)
    model = Retriever(networks.create(network, size, oversampling, **options), size * oversampling)
    model.standardise_by(measure(training, oversampling))
    trainer = _Trainer(model.to(place, memory_format=torch.channels_last), settings, len(training), fingerprint)
    checkpoint = Path(folder) / "checkpoint.pt"
    trainer.resume(checkpoint)
    _train(trainer, training, validation, oversampling, seed, checkpoint)
    _write(trainer, Path(folder), {**(origin or {}), **description})
    checkpoint.unlink(missing_ok=True)
    return model
