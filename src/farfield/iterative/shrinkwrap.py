"""Shrinkwrap (Marchesini et al., Phys. Rev. B 68, 140101, 2003): the support is found along with the object."""

from dataclasses import dataclass

import torch

from farfield.machine.passes import magnitude

REFERENCE_SIDE = 32
"""Side of the object's frame, in pixels, for which the first σ is given: larger frames hold larger objects."""


CRYSTAL = 0.448
"""Half the root of the area of a crystal's autocorrelation above 4 %, of its frame's side: 0.45 ± 0.07."""


@dataclass(frozen=True)
class Shrinkwrap:
    """How the support follows the iterate.

    Attributes
    ----------
    threshold : float or tuple of float
        Of the blurred magnitude's maximum, above which a pixel belongs to the support. Of several, starts take turns:
        crystals want 0.2 to 0.3, projections, which fade towards their edge, 0.08 to 0.15.
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

    threshold: float | tuple[float, ...] = 0.25
    sigma: float = 3.0
    sigma_floor: float = 0.7
    decay: float = 0.05
    period: int = 20
    autocorrelation: float = 0.04

    def __post_init__(self):
        shares = *self.thresholds, self.autocorrelation
        widths = self.sigma, self.sigma_floor
        whole = isinstance(self.period, int) and self.period > 0
        if not (
            whole
            and self.thresholds
            and all(0 < x < 1 for x in shares)
            and all(x > 0 for x in widths)
            and 0 <= self.decay < 1
        ):
            raise ValueError(
                "expected thresholds between 0 and 1, widths above 0, a decay from 0 to below 1 and a whole period, "
                f"got {self}; change what is out of range"
            )

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The threshold of each start in turn."""
        return self.threshold if isinstance(self.threshold, tuple) else (self.threshold,)

    def first_support(self, amplitude: torch.Tensor) -> torch.Tensor:
        """Threshold the autocorrelation of (batch, M, M) patterns, given as amplitudes, DC first."""
        correlation = magnitude(torch.fft.ifft2(amplitude.square().to(torch.complex64), norm="forward"))
        return correlation > self.autocorrelation * correlation.amax((-1, -2), keepdim=True)

    def width(self, update: int, side: torch.Tensor) -> torch.Tensor:
        """Blur at the update of this number (from 0), in pixels, for objects' frames of these sides, (batch,)."""
        return (self.sigma * (1 - self.decay) ** update * side / REFERENCE_SIDE).clamp_min(self.sigma_floor)


REFERENCE = Shrinkwrap()
"""Whose first support tells how large an object is."""


def update(image: torch.Tensor, sigma: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """Find supports: the magnitude of images, blurred, above a share of its maximum.

    Parameters
    ----------
    image : torch.Tensor, complex64, shape (batch, M, M)
    sigma : torch.Tensor, float, shape (batch,)
        Of the Gaussian, in pixels.
    threshold : torch.Tensor, float, shape (batch,)

    Returns
    -------
    torch.Tensor, bool, shape (batch, M, M)
    """
    side = image.shape[-1]
    frequency = torch.fft.fftfreq(side, device=image.device)
    line = torch.exp(-2 * (torch.pi * sigma[:, None] * frequency) ** 2)
    kernel = line[:, :, None] * line[:, None, : side // 2 + 1]
    blurred = torch.fft.irfft2(torch.fft.rfft2(magnitude(image)) * kernel, s=image.shape[-2:])
    return blurred > threshold[:, None, None] * blurred.amax((-1, -2), keepdim=True)


def object_side(support: torch.Tensor) -> torch.Tensor:
    """Estimate the side of objects' frames from the autocorrelation's support, (batch, M, M), above 4 %: (batch,).

    A convex object's autocorrelation is four times as large. `CRYSTAL` makes it the frame in which such an object
    would be a crystal of the study, for which σ is given.
    """
    return support.sum((-2, -1)).sqrt() / 2 / CRYSTAL
