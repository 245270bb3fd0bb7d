"""Methods with a denoiser in the loop, as studies name them: put together of what the two rooms below have."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from farfield.iterative.denoised import Denoised
from farfield.iterative.pnp_hio import pnp_hio
from farfield.iterative.prdeep import prdeep
from farfield.learning.denoiser import Denoiser, denoise
from farfield.machine.shapes import Intensity, Objects
from farfield.physics.diffraction import to_frame
from farfield.study.methods import Method


def options(section: Mapping[str, Any]) -> dict[str, Any]:
    """Take from a section of ``denoised`` what its method is asked for, without what it starts from and how often."""
    return {key: value for key, value in section.items() if key not in ("start", "network", "patterns")}


def method(
    settings: Mapping[str, Any], oversampling: int, model: Denoiser, start: Objects, device: torch.device
) -> Method:
    """Make a method of a section of ``denoised``: PnP-HIO if it tells ``rounds``, or else prDeep.

    Parameters
    ----------
    settings : mapping
        Of `options`.
    oversampling : int
    model : Denoiser
        On the device. What it was trained on tells whether objects are complex, real or not negative.
    start : torch.Tensor, complex, shape (samples, height, width) or (height, width)
        Objects of any frame, as many as there will be patterns, or one for all.
    device : torch.device

    Returns
    -------
    callable
    """
    iterate = pnp_hio if "rounds" in settings else prdeep

    def apply(intensity: Intensity) -> Denoised:
        size = intensity.shape[-1] // oversampling
        begin = to_frame(start, size, size).to(device, torch.complex64).expand(len(intensity), -1, -1)
        how = {"values": model.description["values"], **settings}
        return iterate(intensity.to(device), begin, partial(denoise, model), **how)

    return apply
