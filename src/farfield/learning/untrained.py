"""Networks fitted to one pattern: fresh ones, or trained ones that are refined, by the physics alone.

Nothing is known of a pattern's object. A network's weights are changed until what it makes of the pattern explains
it: the network itself is all that is assumed of objects. Patterns have a network each, and are fitted side by side.
"""

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.func import functional_call, stack_module_state, vmap

from farfield.learning.networks.making import create, inputs_of
from farfield.learning.networks.retriever import Retriever
from farfield.learning.objectives.misfits import Seen
from farfield.learning.objectives.objective import check_near_physics
from farfield.learning.objectives.registry import OBJECTIVES
from farfield.learning.optics import Holograms, Optics
from farfield.learning.optimiser import Adam
from farfield.machine.shapes import Intensity, Objects, check_intensity, check_whole

TOGETHER = 8
"""Patterns fitted at once: on a core as fast as one network where they are large, 1.8 times as fast where small."""


@dataclass(frozen=True)
class Fitting:
    """How a network is fitted to a pattern.

    Attributes
    ----------
    cycles : int
        Updates by Adam.
    learning_rate, weight_decay : float
        Of Adam.
    noise : float
        Each cycle's pattern, as input and as what is to be explained, has each pixel brighter by up to this share,
        drawn anew.
    frozen : bool
        Whether the encoder stays as it was trained: the modules that a backbone's ``encoder`` names.
    physics : str
        A key of `registry.OBJECTIVES`.

    References
    ----------
    Wang & Lam, Adv. Photon. Nexus 3, 056006 (2024): 1000 cycles at 1e-3 with weight decay 1e-3 and noise up to 1/30,
    which it adds to holograms about 1.
    """

    cycles: int = 1000
    learning_rate: float | int = 1e-3
    weight_decay: float | int = 1e-3
    noise: float | int = 1 / 30
    frozen: bool = False
    physics: str = "amplitude"

    def __post_init__(self):
        check_whole("cycles", self.cycles, 1)
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"expected a learning_rate above 0, got {self.learning_rate:g}; 1e-3 is usual")
        for name in ("weight_decay", "noise"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"expected {name} of at least 0, got {value:g}; change it")
        if self.physics not in OBJECTIVES:
            raise ValueError(f"expected physics out of {', '.join(OBJECTIVES)}, got {self.physics!r}; choose one")


def fresh(
    network: str, pattern: Intensity, seed: int, *, optics: Optics, inputs: str, options: Mapping[str, Any]
) -> Retriever:
    """Make an untrained network for one pattern, to whose own mean and deviation its inputs are brought.

    Parameters
    ----------
    network : str
        A key of `networks.NETWORKS`.
    pattern : torch.Tensor, float, shape (M, M)
    seed : int
        Of the weights.
    optics : FarField or Holograms
    inputs : str
        What the training settings say; its scaling counts for nothing here, as one pattern has no deviation of its
        pixels.
    options : mapping
        Of the network.

    Returns
    -------
    Retriever
    """
    torch.manual_seed(seed)
    name, side = (inputs_of(network) or inputs).partition("-")[0], pattern.shape[-1]
    backbone = create(network, side // optics.oversampling, optics.oversampling, **options)
    model = Retriever(backbone, side, name)
    if inputs_of(network) is None:
        seen = model.compress(pattern)
        model.standardise(seen.mean(), seen.std())
    return model


def encoder(backbone: torch.nn.Module) -> tuple[str, ...]:
    """Names of the modules that make a backbone's encoder.

    Raises
    ------
    ValueError
        If it does not say.
    """
    names = getattr(backbone, "encoder", ())
    if not names:
        raise ValueError(
            f"expected a network that names its encoder, to freeze it, got {type(backbone).__name__}; "
            "use unet-skip, or set frozen to false"
        )
    return names


def fit_to_patterns(
    begin: Callable[[int], Retriever], intensity: Intensity, optics: Optics, fitting: Fitting, seed: int = 0
) -> Objects:
    """Fit a network to each pattern, and tell what it makes of it then.

    Parameters
    ----------
    begin : callable
        From the number of a pattern to the network that its fit begins with, which is not changed.
    intensity : torch.Tensor, float, shape (samples, M, M)
    optics : FarField or Holograms
    fitting : Fitting
    seed : int
        Of the noise: a pattern's own is `seed` plus its number, whatever is fitted beside it.

    Returns
    -------
    torch.Tensor, complex64, shape (samples, N, N)

    Raises
    ------
    ValueError
        If a network is of another frame than its pattern, or does not say what its encoder is where that stays, or
        the misfit has no meaning for holograms.
    """
    check_intensity(intensity)
    if isinstance(optics, Holograms):
        check_near_physics(fitting.physics)
    made: list[Objects] = []
    for number in range(0, len(intensity), TOGETHER):
        some = intensity[number : number + TOGETHER]
        models = [_suiting(begin(number + index), some[index]) for index in range(len(some))]
        seeds = range(seed + number, seed + number + len(some))
        made.append(_fit(models, some.to(models[0].mean.device), optics, fitting, seeds))
    return torch.cat(made)


def _suiting(model: Retriever, pattern: Intensity) -> Retriever:
    """A copy of a network, if it is of the pattern's frame."""
    if model.mean.shape != pattern.shape:
        raise ValueError(
            f"expected patterns of {tuple(model.mean.shape)}, as the network is of, got {tuple(pattern.shape)}; "
            "crop or pad them, or begin with another network"
        )
    return copy.deepcopy(model)


def _fit(
    models: list[Retriever], intensity: Intensity, optics: Optics, fitting: Fitting, seeds: Iterable[int]
) -> Objects:
    """Fit as many networks as there are patterns, each to its own, side by side."""
    still = encoder(models[0].backbone) if fitting.frozen else ()
    weights, buffers = stack_module_state(models)
    for name in weights:
        weights[name].requires_grad_(name.split(".")[1] not in still)
    side = intensity.shape[1:]
    free = [tensor for tensor in weights.values() if tensor.requires_grad]
    optimizer = Adam(free, fitting.learning_rate, weight_decay=fitting.weight_decay, fused=True)
    generators = [torch.Generator(intensity.device).manual_seed(seed) for seed in seeds]

    def made(pattern: Intensity) -> Objects:
        return vmap(_apply(models[0]), randomness="different")(weights, buffers, pattern)

    for _ in range(fitting.cycles):
        drawn = [torch.rand(side, generator=generator, device=intensity.device) for generator in generators]
        noisy = intensity * (1 + fitting.noise * torch.stack(drawn))
        output = made(noisy)
        seen = Seen(output, output.detach(), optics.seen(output), optics.shown(noisy))
        optimizer.zero_grad(set_to_none=True)
        OBJECTIVES[fitting.physics](seen).sum().backward()
        optimizer.step()
    models[0].eval()  # all are applied by its modules, of which dropout is for updates alone
    with torch.no_grad():
        return made(intensity)


def _apply(model: Retriever) -> Callable[..., Objects]:
    """A network as a function of its weights too."""

    def apply(
        weights: Mapping[str, torch.Tensor], buffers: Mapping[str, torch.Tensor], pattern: Intensity
    ) -> Objects:
        return functional_call(model, (weights, buffers), (pattern,))

    return apply
