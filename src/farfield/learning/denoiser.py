"""A denoiser for images: a DnCNN that is told how much noise there is, one network for all levels."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import nn

from farfield.learning import weights
from farfield.machine.shapes import check_whole, described

GREYS = 255
"""Levels of noise are told on the scale of images from 0 to this, as they are published; images themselves to 1."""

AT_ONCE = 64
"""Images of a batch: its channels stay in a core's cache."""

KEY = "farfield-denoiser"
"""Of the description in a file of weights."""


class Denoiser(nn.Module):
    """Convolutions that find the noise of an image, which is then subtracted.

    Parameters
    ----------
    width : int
        Channels of each layer but the last.
    layers : int
        Convolutions of 3², a ReLU between each two.
    sigma : float
        Largest noise that it was or will be trained for, of 255.

    Attributes
    ----------
    description : dict
        Where the weights come from.

    Notes
    -----
    Zhang et al., "Beyond a Gaussian Denoiser" (DnCNN), IEEE Trans. Image Process. 26, 3142 (2017), without batch
    normalisation; its second channel is a map of the noise's σ, as in their "FFDNet", ibid. 27, 4608 (2018).
    """

    def __init__(self, width: int = 32, layers: int = 7, sigma: float | int = 60.0):
        super().__init__()
        check_whole("width of a denoiser", width, 1)
        check_whole("layers of a denoiser", layers, 2)
        if not 0 < sigma <= GREYS:
            raise ValueError(f"expected sigma of a denoiser above 0 and at most {GREYS}, got {sigma!r}; 60 is usual")
        self.sigma, self.description = float(sigma), {}
        channels = [2, *[width] * (layers - 1), 1]
        steps: list[nn.Module] = []
        for before, after in pairwise(channels):
            steps += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        self.noise = nn.Sequential(*steps[:-1]).to(memory_format=torch.channels_last)
        for step in self.noise[::2]:
            nn.init.kaiming_normal_(step.weight)
            nn.init.zeros_(step.bias)
        nn.init.zeros_(self.noise[-1].weight)  # what has learned nothing changes nothing

    def forward(
        self, images: Float[torch.Tensor, "batch height width"], sigma: Float[torch.Tensor, " batch"]
    ) -> Float[torch.Tensor, "batch height width"]:
        """Denoise images of magnitudes up to 1 whose noise has these deviations, of 255."""
        level = (sigma / GREYS).view(-1, 1, 1).expand_as(images)
        seen = torch.stack([images, level], 1).contiguous(memory_format=torch.channels_last)
        return images - self.noise(seen)[:, 0]


def denoise(
    model: Denoiser, images: Float[torch.Tensor, "batch height width"], sigma: float | int
) -> Float[torch.Tensor, "batch height width"]:
    """Apply a denoiser, batch by batch.

    Parameters
    ----------
    model : Denoiser
    images : torch.Tensor, float32, shape (batch, height, width)
        Of magnitudes up to 1.
    sigma : float
        Deviation of the noise that is to be taken off, of 255.

    Returns
    -------
    torch.Tensor, float32, shape (batch, height, width)

    Raises
    ------
    ValueError
        If `sigma` is beyond what the denoiser was trained for, or `images` are no stack of real ones.
    """
    if not isinstance(images, torch.Tensor) or not images.is_floating_point() or images.ndim != 3:
        raise ValueError(
            f"expected images as a float torch tensor of shape (batch, height, width), got {described(images)}; "
            "take real parts, and add an axis for one"
        )
    if not 0 <= sigma <= model.sigma:
        raise ValueError(
            f"expected noise of at most {model.sigma:g} of {GREYS}, which the denoiser was trained for, got "
            f"{sigma:g}; lower it, or train a denoiser with sigma: {sigma:g}"
        )
    levels = images.new_full((len(images),), float(sigma))
    with torch.inference_mode():
        parts = zip(images.split(AT_ONCE), levels.split(AT_ONCE), strict=True)
        return torch.cat([model(part, level) for part, level in parts])


def save(model: Denoiser, path: Path, description: Mapping[str, Any]) -> None:
    """Write a denoiser with what `load` needs to know: no pickle, one file.

    Parameters
    ----------
    model : Denoiser
    path : Path
        A ``.safetensors`` file; write it under a temporary name if it must be whole.
    description : mapping
        ``width``, ``layers``, ``sigma`` and ``values``, and whatever else tells its origin.
    """
    weights.write(model.state_dict(), path, KEY, description)


def load(path: str | Path, device: str = "cpu") -> Denoiser:
    """Read a trained denoiser.

    Parameters
    ----------
    path : str or Path
        A file that `save` wrote.
    device : str
        Where to put it.

    Returns
    -------
    Denoiser
        In evaluation mode; its ``description["values"]`` tells what the objects are that it was trained on.

    Raises
    ------
    ValueError
        If the file is truncated, or holds no denoiser.
    """
    tensors, description = weights.read(path, KEY, device, "denoiser")
    try:
        model = Denoiser(*(description[name] for name in ("width", "layers", "sigma")))
        model.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"{path}: expected a denoiser of this version of farfield, got another; train it again"
        ) from None
    model.description = description
    return model.to(device).eval()
