"""Two convolutional networks of one shape: without skip connections (the study's), and with (a U-Net proper)."""

import itertools

import torch
from jaxtyping import Float
from torch import nn

SMALLEST = 4
"""Pixels a side at the bottom, as in Cherukara et al.: 32² pooled three times."""


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.ReLU(),
    )


def _widths(image_size: int, width: int) -> list[int]:
    """Channels of each level: doubling to four times the width, one level for each halving down to 4²."""
    levels = (image_size // SMALLEST).bit_length() - 1
    if image_size != SMALLEST << levels or levels < 1:
        raise ValueError(
            f"expected an image size of 8, 16, 32, 64, … for a network that halves it down to {SMALLEST}, "
            f"got {image_size}; choose a power of two"
        )
    return [width * min(2**level, 4) for level in range(levels)]


class EncoderDecoder(nn.Module):
    """The "UNet" of arXiv:2403.15448, which cites Cherukara et al. 2018 (CDI NN): no skip connections.

    Pairs of 3×3 convolutions with max-pooling, two more at the bottom, a mirrored decoder with nearest
    upsampling. At 32² with one channel in and out it has the published 720 321 parameters. One network
    predicts both parts of the object, where CDI NN trains two; levels are added for larger images. The
    pattern's oversampling² interleaved lattices enter as channels, so the encoder starts at the object's size.

    Parameters
    ----------
    image_size : int
        Side of the object's frame: a power of two from 8 on.
    oversampling : int
        Pattern pixels per object pixel and axis.
    width : int
        Channels of the first level; published 32.

    References
    ----------
    Cherukara, Nashed, Harder, Sci. Rep. 8, 16520 (2018).
    """

    memory_format = torch.channels_last  # as convolutions like it best
    outputs = 2  # real and imaginary part

    def __init__(self, image_size: int, oversampling: int = 2, width: int = 32):
        super().__init__()
        widths = _widths(image_size, width)
        layers: list[nn.Module] = [nn.PixelUnshuffle(oversampling)]
        for before, after in zip([oversampling**2, *widths], widths, strict=False):
            layers += [_pair(before, after), nn.MaxPool2d(2)]
        decoder = [widths[-1], *reversed(widths)]
        for before, after in itertools.pairwise(decoder):
            layers += [_pair(before, after), nn.Upsample(scale_factor=2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, self.outputs, 3, padding=1))

    def forward(self, amplitude: Float[torch.Tensor, "batch m m"]) -> Float[torch.Tensor, "batch outputs n n"]:
        """Predict real and imaginary parts from scaled amplitudes."""
        return self.layers(amplitude[:, None])


class UNet(nn.Module):
    """A U-Net proper (Ronneberger et al. 2015): the encoder-decoder's levels, joined by skip connections.

    Parameters
    ----------
    image_size : int
        Side of the object's frame: a power of two from 8 on.
    oversampling : int
        Pattern pixels per object pixel and axis.
    width : int
        Channels of the first level.
    """

    memory_format = torch.channels_last
    encoder = ("down",)  # what stays where an encoder is to be kept

    def __init__(self, image_size: int, oversampling: int = 2, width: int = 32):
        super().__init__()
        widths = _widths(image_size, width)
        self.lattices = nn.PixelUnshuffle(oversampling)
        self.down = nn.ModuleList(
            _pair(before, after) for before, after in zip([oversampling**2, *widths], widths, strict=False)
        )
        self.bottom = _pair(widths[-1], widths[-1])
        below = [*widths[1:], widths[-1]]
        self.up = nn.ModuleList(_pair(deep + level, level) for deep, level in zip(below, widths, strict=True))
        self.pool, self.upsample = nn.MaxPool2d(2), nn.Upsample(scale_factor=2)
        self.head = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, amplitude: Float[torch.Tensor, "batch m m"]) -> Float[torch.Tensor, "batch 2 n n"]:
        """Predict real and imaginary parts from scaled amplitudes."""
        x = self.lattices(amplitude[:, None])
        skips = []
        for level in self.down:
            skips.append(level(x))
            x = self.pool(skips[-1])
        x = self.bottom(x)
        for level, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = level(torch.cat([self.upsample(x), skip], dim=1))
        return self.head(x)
