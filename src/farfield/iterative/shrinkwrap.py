"""Shrinkwrap (Marchesini et al., Phys. Rev. B 68, 140101, 2003): the support is found along with the object."""

from dataclasses import dataclass

import torch

from farfield.machine.passes import magnitude

REFERENCE_SIDE = 32
"""Side of the object's frame, in pixels, for which the first σ is given: larger frames hold larger objects."""


@dataclass(frozen=True)
class Shrinkwrap:
    """How the support follows the iterate.

    Attributes
    ----------
    threshold : float
        Of the blurred magnitude's maximum, above which a pixel belongs to the support.
    sigma : float
        First width of the Gaussian blur, in pixels of an object of 32²; scaled with the object's frame.
    sigma_floor : float
        Last width, in pixels of any frame: an edge is as sharp as a pixel in a large one too.
    decay : float
        Share by which σ shrinks at each update until it is at its floor. The published 0.01 leaves the support
        loose for so long that most objects stall near a relative error of 1e-3.
    period : int
        Iterations from one update to the next.
    autocorrelation : float
        The first support is the autocorrelation above this share of its maximum.
    """

    threshold: float = 0.25
    sigma: float = 3.0
    sigma_floor: float = 0.7
    decay: float = 0.05
    period: int = 20
    autocorrelation: float = 0.04

    def __post_init__(self):
        shares = self.threshold, self.autocorrelation
        widths = self.sigma, self.sigma_floor
        whole = isinstance(self.period, int) and self.period > 0
        if not (whole and all(0 < x < 1 for x in shares) and all(x > 0 for x in widths) and 0 <= self.decay < 1):
            raise ValueError(
                "expected thresholds between 0 and 1, widths above 0, a decay from 0 to below 1 and a whole period, "
                f"got {self}; change what is out of range"
            )

    def first_support(self, amplitude: torch.Tensor) -> torch.Tensor:
        """Threshold the autocorrelation of (batch, M, M) patterns, given as amplitudes, DC first."""
        correlation = magnitude(torch.fft.ifft2(amplitude.square().to(torch.complex64), norm="forward"))
        return correlation > self.autocorrelation * correlation.amax((-1, -2), keepdim=True)

    def width(self, update: int, side: float) -> float:
        """Blur at the update of this number (from 0), in pixels, for an object's frame of this side."""
        return max(self.sigma * (1 - self.decay) ** update * side / REFERENCE_SIDE, self.sigma_floor)

    def update(self, image: torch.Tensor, sigma: float) -> torch.Tensor:
        """Blur the magnitude of (batch, M, M) images by σ pixels and threshold it."""
        frequency = torch.fft.fftfreq(image.shape[-1], device=image.device)
        line = torch.exp(-2 * (torch.pi * sigma * frequency) ** 2)
        kernel = line[:, None] * line[: image.shape[-1] // 2 + 1]
        blurred = torch.fft.irfft2(torch.fft.rfft2(magnitude(image)) * kernel, s=image.shape[-2:])
        return blurred > self.threshold * blurred.amax((-1, -2), keepdim=True)
