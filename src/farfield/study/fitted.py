"""Networks fitted to one pattern, as studies name them."""

from collections.abc import Mapping
from typing import Any

import torch

from farfield.learning import untrained
from farfield.learning.networks.retriever import Retriever
from farfield.learning.optics import optics
from farfield.machine.shapes import Intensity, Objects
from farfield.study.datasets import near_field
from farfield.study.methods import Method


def method(
    fitting: untrained.Fitting,
    section: Mapping[str, Any],
    trained: Retriever | None,
    fresh: Mapping[str, Any],
    seed: int,
    device: torch.device,
) -> Method:
    """Make a method that fits a network to each pattern.

    Parameters
    ----------
    fitting : Fitting
    section : mapping
        Of the config, that a set came from: it tells how its patterns were taken.
    trained : Retriever or None
        What each fit begins with; None for a network of its own for each pattern, which has learned nothing.
    fresh : mapping
        ``network``, ``inputs`` and ``options`` of `untrained.fresh`, for these.
    seed : int
        Of weights and noise; the next pattern has the next one.
    device : torch.device

    Returns
    -------
    callable
    """
    seen_by = optics(section["oversampling"], near_field(section))

    def apply(intensity: Intensity) -> tuple[Objects, torch.Tensor]:
        def begin(number: int) -> Retriever:
            if trained:
                return trained
            return untrained.fresh(pattern=intensity[number], seed=seed + number, optics=seen_by, **fresh).to(device)

        made = untrained.fit_to_patterns(begin, intensity, seen_by, fitting, seed)
        return made, torch.full((len(made),), fitting.cycles)

    return apply
