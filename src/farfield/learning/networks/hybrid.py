"""Networks for frames of many sizes: an MLP with a convolutional decoder, and one that sees autocorrelations too."""

import itertools
import math

import torch
from jaxtyping import Float
from torch import nn

from farfield.machine.shapes import TINY_FLOAT32

SMALLEST = 9
"""Most pixels a side at which halving ends: 36² ends at 9², 32² and 64² at 8²."""

LARGEST = 12
"""Most pixels a side of the coarsest map, all of which an MLP makes at once."""

GROUPS = 8
"""In which channels are normalised, if these can be so divided."""

SMALL = 1e-5
"""ε, relative to the autocorrelation's maximum: its root alone would make 3e-4 of a rounding error of 1e-7."""


def _sides(image_size: int, name: str) -> list[int]:
    """Sides of the maps from the frame's own to the coarsest."""
    sides = [image_size]
    while sides[-1] > SMALLEST and sides[-1] % 2 == 0:
        sides.append(sides[-1] // 2)
    if len(sides) < 2 or sides[-1] > LARGEST:
        raise ValueError(
            f"expected an image size that halves to {LARGEST} or less for {name}, got {image_size}; choose such as "
            "16, 20, 24, 32, 36, 40, 48 or 64"
        )
    return sides


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (inputs, outputs):
        layers += [
            nn.Conv2d(before, outputs, 3, padding=1),
            nn.GroupNorm(math.gcd(GROUPS, outputs), outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def _perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    widths = [inputs, hidden, hidden, outputs]
    layers = [layer for pair in itertools.pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *layers)


def _apart(amplitude: torch.Tensor, image_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Amplitudes of root mean square 1, and that of their object's pixels, (batch, 1, 1, 1).

    By Parseval's theorem the mean square of unnormalised amplitudes is the object's energy.
    """
    norm = amplitude.square().mean((-2, -1), keepdim=True).sqrt()
    return amplitude / norm.clamp_min(TINY_FLOAT32), norm[:, None] / image_size


def autocorrelation_roots(amplitude: Float[torch.Tensor, "batch m m"]) -> Float[torch.Tensor, "batch 2 m m"]:
    """Real and imaginary part of a / √(|a| + ε), a being the object's autocorrelation, its origin in the centre."""
    intensity = torch.fft.ifftshift(amplitude.square(), dim=(-2, -1))
    correlation = torch.fft.fftshift(torch.fft.ifft2(intensity), dim=(-2, -1))
    roots = correlation / (correlation.abs() + SMALL).sqrt()
    return torch.stack([roots.real, roots.imag], dim=1)


class PerceptronDecoder(nn.Module):
    """An MLP over all amplitudes makes a coarse map, convolutions the object: simple, and fast to train.

    Amplitudes are divided by their root mean square and the object is multiplied by it, so that a pattern of another
    scale gives the object on that scale.

    Parameters
    ----------
    image_size : int
        Side N of the object's frame: such as halves to 12 or less.
    oversampling : int
        Pattern pixels per object pixel and axis.
    hidden : int
        Width of the MLP.
    width : int
        Channels of all maps but the finest, which has half of them.
    """

    inputs = "amplitude"

    def __init__(self, image_size: int, oversampling: int = 2, hidden: int = 1024, width: int = 32):
        super().__init__()
        *above, self.side = _sides(image_size, "mlp-decoder")
        self.image_size, self.width = image_size, width
        self.mlp = _perceptron((oversampling * image_size) ** 2, hidden, width * self.side**2)
        levels = [layer for _ in above for layer in (_pair(width, width), nn.Upsample(scale_factor=2))]
        finest = max(1, width // 2)  # where most of the work is
        self.decoder = nn.Sequential(*levels, _pair(width, finest), nn.Conv2d(finest, 2, 3, padding=1))

    def forward(self, amplitude: Float[torch.Tensor, "batch m m"]) -> Float[torch.Tensor, "batch 2 n n"]:
        """Predict real and imaginary parts from amplitudes."""
        scaled, scale = _apart(amplitude, self.image_size)
        coarse = self.mlp(scaled).reshape(-1, self.width, self.side, self.side)
        return self.decoder(coarse) * scale


class Hybrid(nn.Module):
    """A U-Net over the autocorrelation, joined at its bottom by an MLP over the amplitudes.

    An autocorrelation is twice as large as its object, and its interleaved lattices are half as large as it: on them
    input and output share one space, in which skip connections make sense, as they do not from pattern to object.

    Amplitudes are divided by their root mean square and the object is multiplied by it, so that a pattern of another
    scale gives the object on that scale.

    Parameters
    ----------
    image_size : int
        Side N of the object's frame: such as halves to 12 or less.
    oversampling : int
        Pattern pixels per object pixel and axis, at least 2.
    hidden : int
        Width of the MLP.
    width : int
        Channels of the first level, doubled at each.
    """

    inputs = "amplitude"

    def __init__(self, image_size: int, oversampling: int = 2, hidden: int = 1024, width: int = 16):
        if oversampling < 2:
            raise ValueError(
                "expected an oversampling of at least 2 for hybrid, as autocorrelations need it, got "
                f"{oversampling}; raise it"
            )
        super().__init__()
        *above, self.side = _sides(image_size, "hybrid")
        self.image_size = image_size
        widths = [width * 2**level for level in range(len(above))]
        self.lattices = nn.PixelUnshuffle(2)
        self.down = nn.ModuleList(_pair(*pair) for pair in itertools.pairwise([8, *widths]))
        self.mlp = _perceptron((oversampling * image_size) ** 2, hidden, width * self.side**2)
        self.bottom = _pair(widths[-1] + width, widths[-1])
        below = [*widths[1:], widths[-1]]
        self.up = nn.ModuleList(_pair(deep + level, level) for deep, level in zip(below, widths, strict=True))
        self.pool, self.upsample = nn.AvgPool2d(2), nn.Upsample(scale_factor=2)
        self.head = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, amplitude: Float[torch.Tensor, "batch m m"]) -> Float[torch.Tensor, "batch 2 n n"]:
        """Predict real and imaginary parts from amplitudes."""
        scaled, scale = _apart(amplitude, self.image_size)
        begin = amplitude.shape[-1] // 2 - self.image_size
        within = slice(begin, begin + 2 * self.image_size)  # an object's frame has no longer translation
        x = self.lattices(autocorrelation_roots(scaled)[..., within, within])
        skips = []
        for level in self.down:
            skips.append(level(x))
            x = self.pool(skips[-1])
        coarse = self.mlp(scaled).reshape(len(x), -1, self.side, self.side)
        x = self.bottom(torch.cat([x, coarse], dim=1))
        for level, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = level(torch.cat([self.upsample(x), skip], dim=1))
        return self.head(x) * scale
