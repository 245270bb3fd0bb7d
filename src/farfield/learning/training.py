"""Training of one network for one objective: one readable loop that resumes by default."""

import copy
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

import farfield
from farfield.learning.batches import Batches, Source, Survey, read_samples, survey
from farfield.learning.networks import retriever as models
from farfield.learning.networks.making import create, inputs_of
from farfield.learning.networks.registry import NETWORKS
from farfield.learning.networks.retriever import Retriever, compression, predict
from farfield.learning.objectives.objective import Loss, Objective
from farfield.learning.objectives.registry import OBJECTIVES
from farfield.learning.optics import Optics, optics
from farfield.learning.settings import Settings
from farfield.learning.step import Step
from farfield.machine import store
from farfield.machine.devices import claim_device, uses_bfloat16
from farfield.machine.heap import keep_freed_memory
from farfield.machine.provenance import digest
from farfield.machine.shapes import Estimates
from farfield.physics.near_field import NearField

logger = logging.getLogger(__name__)

CHECKPOINT, PROGRESS = "checkpoint.pt", "progress.csv"
"""What lies in a training's folder while it runs, undeclared: Snakemake deletes outputs before a retry."""

MODELS, HISTORY = ("final.safetensors", "best.safetensors"), "history.csv"
"""What a training leaves."""

CHECKPOINT_SECONDS = 5.0
"""Least time between checkpoints: rare enough to cost nothing, and a kill loses little."""


class TrainingError(ArithmeticError):
    """A training that must not count as done."""


class _Trainer:
    """The state of a training between two epochs: what a checkpoint holds."""

    def __init__(self, model: Retriever, loss: Loss, settings: Settings, samples: int, fingerprint: str):
        self.model, self.settings, self.fingerprint = model, settings, fingerprint
        self.epochs = settings.epochs_of(samples)
        self.updates = math.ceil(samples / settings.batch_size)
        whole = {"batch": min(samples, settings.batch_size), "updates": self.epochs * self.updates}
        self.learn = Step(model, loss, settings.precision, settings.learning_rate, **whole)
        self.optimizer = self.learn.optimizer
        self.scheduler = ReduceLROnPlateau(
            self.optimizer,
            factor=settings.factor,
            patience=settings.patience,
            min_lr=settings.learning_rate_floor,
        )
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, torch.Tensor] = {}
        # As of the last epoch's end, whenever it is written: a signal may come in the middle of one.
        self.checkpoint: dict[str, Any] = {}

    @property
    def learning_rate(self) -> float:
        return self.optimizer.param_groups[0]["lr"]

    @property
    def finished(self) -> bool:
        plateau = self.settings.schedule == "plateau"
        reached_floor = plateau and bool(self.history) and self.learning_rate <= self.settings.learning_rate_floor
        return len(self.history) >= self.epochs or reached_floor

    def update(self, inputs: torch.Tensor, targets: torch.Tensor, number: int) -> torch.Tensor:
        """Learn from one batch, the one of this number in its epoch; return its loss."""
        progress = (len(self.history) + number / self.updates) / self.epochs
        if self.settings.schedule == "cosine":
            for group in self.optimizer.param_groups:
                group["lr"] = self.settings.rate_at(progress)
        return self.learn(inputs, targets, progress)

    def record(self, row: dict[str, Any]) -> None:
        """End an epoch: keep the model if it is the best so far, and let the plateau be judged."""
        if all(row["validation_sa_mse"] < earlier["validation_sa_mse"] for earlier in self.history):
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        if self.settings.schedule == "plateau":
            self.scheduler.step(row["validation_sa_mse"])
        self.history.append(row)
        changing = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
        }
        kept = {"fingerprint": self.fingerprint, "history": [*self.history], "best": self.best}
        self.checkpoint = {**copy.deepcopy(changing), **kept}

    def save(self, folder: Path) -> None:
        """Leave a checkpoint of the last whole epoch, and the history so far for those who watch."""
        if self.checkpoint:
            with store.atomic(folder / CHECKPOINT) as temporary:
                torch.save(self.checkpoint, temporary)
            _write_history(self.checkpoint["history"], folder / PROGRESS)

    @staticmethod
    def forget(folder: Path) -> None:
        """Remove what a training leaves only while it runs."""
        for name in (CHECKPOINT, PROGRESS):
            (folder / name).unlink(missing_ok=True)

    def resume(self, folder: Path) -> None:
        """Go on from a checkpoint, unless it is unreadable or of another config, data or code."""
        path = folder / CHECKPOINT
        if not path.exists():
            return
        try:
            state = torch.load(path, weights_only=True, map_location="cpu")
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


def _one_epoch(trainer: _Trainer, batches: Batches, seed: int) -> float:
    """Train on every sample once, in an order (and with a dropout) that depends on seed and epoch alone."""
    epoch_seed = seed * 1_000_003 + len(trainer.history)
    torch.manual_seed(epoch_seed)
    trainer.model.train()
    total = torch.zeros((), device=batches.device)
    for number, (inputs, targets) in enumerate(batches.epoch(trainer.settings.batch_size, epoch_seed)):
        total += trainer.update(inputs, targets, number) * len(inputs)
    return float(total) / len(batches)


def _validate(model: Retriever, validation: Estimates, intensity: torch.Tensor, seen_by: Optics) -> float:
    return float(seen_by.error(validation, predict(model, intensity)).mean())


def _train(
    trainer: _Trainer,
    batches: Batches,
    validation: Estimates,
    seed: int,
    folder: Path,
    on_epoch: Callable[[Mapping[str, int | float]], None],
) -> None:
    """Train to the end, saving a checkpoint now and then, and when told to stop."""
    validation = validation.to(batches.device)
    unseen, saved = batches.optics.measure(validation), time.monotonic()
    try:
        while not trainer.finished:
            begin, epoch = time.perf_counter(), len(trainer.history) + 1
            loss = _one_epoch(trainer, batches, seed)
            trained, rate = time.perf_counter() - begin, trainer.learning_rate  # of a cosine, that of the last update
            score = _validate(trainer.model, validation, unseen, batches.optics) if math.isfinite(loss) else math.nan
            if not math.isfinite(score):
                trainer.forget(folder)
                raise TrainingError(
                    f"expected a finite loss, got {loss} (validation SA-MSE {score}) in epoch {epoch} at learning "
                    f"rate {rate:g}, n = {len(batches)}, seed {seed}; lower training: learning_rate"
                )
            row = {"epoch": epoch, "loss": loss, "validation_sa_mse": score, "learning_rate": rate}
            times = {"seconds": time.perf_counter() - begin, "samples_per_second": len(batches) / trained}
            trainer.record({**row, **times})
            on_epoch(trainer.history[-1])
            logger.info(
                "epoch %d/%d  loss %.5f  validation SA-MSE %.5f  learning rate %.1e  %.1f s  %.0f samples/s",
                *(epoch, trainer.epochs, loss, score, rate, *times.values()),
            )
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                trainer.save(folder)
                saved = time.monotonic()
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, or a scheduler's signal
        trainer.save(folder)
        logger.warning("told to stop; %d epochs are in the checkpoint", len(trainer.history))
        raise


def _write(trainer: _Trainer, folder: Path, description: Mapping[str, Any]) -> None:
    """Write what a training leaves, each file whole; the history comes last."""
    scores = [row["validation_sa_mse"] for row in trainer.history]
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    states = (trainer.model.state_dict(), len(scores)), (trainer.best, scores.index(min(scores)) + 1)
    for name, (state, epoch) in zip(MODELS, states, strict=True):
        score = {"checkpoint": Path(name).stem, "epoch": epoch, "validation_sa_mse": scores[epoch - 1]}
        with store.atomic(folder / name) as temporary:
            models.save(state, temporary, {**description, "parameters": parameters, **score})
    _write_history(trainer.history, folder / HISTORY)


def _write_history(history: list[dict[str, Any]], path: Path) -> None:
    with store.atomic(path) as temporary:
        pd.DataFrame(history).to_csv(temporary, index=False)


def _with_scaling(backbone: torch.nn.Module, side: int, inputs: str, found: Survey) -> Retriever:
    """Put the scaling of inputs that the training set asks for before a backbone."""
    model, (_, scaling) = Retriever(backbone, side, inputs), compression(inputs)
    if scaling == "standardised":
        model.standardise(found.mean, found.deviation)
    elif scaling == "normalised":
        model.standardise(*found.of_all_pixels())
    return model.to(memory_format=getattr(backbone, "memory_format", torch.contiguous_format))


def _survey_both(training: Source, validation: Source, seen_by: Optics, inputs: str) -> tuple[Survey, Survey]:
    """Go through both sets, and refuse them if their frames differ."""
    compress, _ = compression(inputs)
    found = survey(training, "training objects", seen_by, compress)
    unseen = survey(validation, "validation objects", seen_by, compress)
    size, other = training.shape[-1], validation.shape[-1]
    if other != size:
        raise ValueError(f"expected validation objects of {size}², got {other}²; make both sets again")
    return found, unseen


def fit(
    network: str,
    training: Source,
    validation: Source,
    settings: Settings | None = None,
    objective: Objective | None = None,
    *,
    folder: str | Path,
    seed: int = 0,
    oversampling: int = 2,
    near: NearField | None = None,
    options: Mapping[str, Any] | None = None,
    device: str = "cpu",
    memory: float = 2.0,
    origin: Mapping[str, Any] | None = None,
    on_epoch: Callable[[Mapping[str, int | float]], None] = lambda row: None,
) -> Retriever:
    """Train one network and write its final and its best-validated weights.

    Parameters
    ----------
    network : str
        A key of `networks.NETWORKS`.
    training, validation : torch.Tensor, numpy.ndarray or xarray.DataArray, complex, shape (samples, N, N)
        Objects, in memory or lazily in an open store; their noise-free patterns are what the network sees.
    settings : Settings, optional
    objective : Objective, optional
        By default the labels as they come.
    folder : str or Path
        Gets ``final.safetensors``, ``best.safetensors`` and ``history.csv`` (a row an epoch: loss, validation
        SA-MSE, learning rate, seconds, samples trained a second), each atomically. While the training runs, a
        checkpoint lies there, from which a new call of the same training goes on, and ``progress.csv``. A training
        that has ended begins anew.
    seed : int
        Of the weights, the order of samples and the dropout.
    oversampling : int
        Of far-field patterns.
    near : NearField, optional
        The objects are phases, and these holograms, of their own frame, are what the network sees instead.
    options : mapping, optional
        Of the network.
    device : str
        ``cpu``, ``cuda`` or ``cuda-if-available``.
    memory : float
        Most GiB that the training set may take with its patterns; a larger one is streamed, with the same losses.
    origin : mapping, optional
        Written into the models' description.
    on_epoch : callable
        Gets each row of the history as it comes.

    Returns
    -------
    Retriever
        As it was after the last epoch, as `networks.load` would read it.

    Raises
    ------
    ValueError
        If a set is not finite or of another shape, or the objective has no meaning in the near field.
    TrainingError
        If the loss is not finite, or a GPU's memory does not suffice: nothing is left behind as if done.
    """
    keep_freed_memory()
    place, options, folder = claim_device(device), dict(options or {}), Path(folder)
    settings, objective = settings or Settings(), objective or Objective()
    inputs = inputs_of(network) or settings.inputs
    settings.check_versions(inputs, objective.training_set, near=near is not None)
    if near is not None:
        objective.check_near()
    seen_by = optics(oversampling, near)
    found, unseen = _survey_both(training, validation, seen_by, inputs)
    size, oversampling = training.shape[-1], seen_by.oversampling
    torch.manual_seed(seed)
    backbone = create(network, size, oversampling, **options)
    dtype = torch.bfloat16 if uses_bfloat16(settings.precision, place) else torch.float32
    description = {
        "version": farfield.__version__,
        "device": place.type,
        "computed_in": str(dtype).removeprefix("torch."),
        "network": network,
        "image_size": size,
        "oversampling": oversampling,
        **seen_by.described(),
        "options": options,
        "inputs": inputs,
        "training": asdict(settings),
        "objective": asdict(objective),
        "seed": seed,
        "samples": len(training),
        "data": found.digest + unseen.digest,
        "code": digest(__name__, NETWORKS[network], OBJECTIVES[objective.physics]),
    }
    fingerprint = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
    model = _with_scaling(backbone, size * oversampling, inputs, found).to(place)
    kept_as = torch.float32 if inputs_of(network) else dtype  # what it makes of raw amplitudes needs their digits
    try:
        loss = Loss(objective, found.energy, seen_by, found.spread().to(place) / model.deviation)
        trainer = _Trainer(model, loss, settings, len(training), fingerprint)
        trainer.resume(folder)
        how = {"device": place, "dtype": kept_as, "memory": memory, "versions": settings.versions}
        batches = Batches(training, seen_by, model.scale, **how)
        _train(trainer, batches, read_samples(validation), seed, folder, on_epoch)
    except torch.OutOfMemoryError:
        raise TrainingError(
            f"expected the GPU's memory to hold batches of {settings.batch_size}, got none left; "
            f"set training: batch_size: {max(1, settings.batch_size // 2)}, or lower memory"
        ) from None
    _write(trainer, folder, {**(origin or {}), **description, "exposure": found.exposure})
    trainer.forget(folder)
    return models.load(folder / MODELS[0], str(place))
