"""Shrinkwrap (Marchesini et al., Phys. Rev. B 68, 140101, 2003): the support is found along with the object."""

from dataclasses import dataclass
from functools import reduce

import torch

from farfield.machine.passes import magnitude
from farfield.machine.shapes import frame_axes

REFERENCE_SIDE = 32
"""Side of the object's frame, in pixels, for which the first σ is given: larger frames hold larger objects."""


IN_VOLUMES = 0.7
"""Share of thresholds chosen for patterns that suits volumes: there some pixels of an object on its way outshine the
others more, and a quarter of the maximum leaves a quarter of the object, which never comes back (docs/choices.md)."""

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
        """Threshold the autocorrelation of (batch, *frame) patterns, given as amplitudes, DC first."""
        axes = frame_axes(amplitude)
        correlation = magnitude(torch.fft.ifftn(amplitude.square().to(torch.complex64), dim=axes, norm="forward"))
        return correlation > self.autocorrelation * correlation.amax(axes, keepdim=True)

    def width(self, update: int, side: torch.Tensor) -> torch.Tensor:
        """Blur at the update of this number (from 0), in pixels, for objects' frames of these sides, (batch, …)."""
        return (self.sigma * (1 - self.decay) ** update * side / REFERENCE_SIDE).clamp_min(self.sigma_floor)


REFERENCE = Shrinkwrap()
"""Whose first support tells how large an object is."""


def update(image: torch.Tensor, sigma: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """Find supports: the magnitude of images, blurred, above a share of its maximum.

    Parameters
    ----------
    image : torch.Tensor, complex64, shape (batch, *frame)
    sigma : torch.Tensor, float, shape (batch,) or (batch, axes)
        Of the Gaussian, in pixels.
    threshold : torch.Tensor, float, shape (batch,)

    Returns
    -------
    torch.Tensor, bool, shape (batch, *frame)
    """
    frame, axes = image.shape[1:], frame_axes(image)
    each = sigma.view(len(sigma), -1).expand(-1, len(frame))
    blurred = torch.fft.irfftn(torch.fft.rfftn(magnitude(image), dim=axes).mul_(kernel(each, frame)), frame, axes)
    return blurred > threshold.view(-1, *[1] * len(frame)) * blurred.amax(axes, keepdim=True)


def kernel(sigma: torch.Tensor, frame: torch.Size) -> torch.Tensor:
    """Give the far fields of Gaussians.

    Parameters
    ----------
    sigma : torch.Tensor, float, shape (batch, axes)
        In pixels.
    frame : torch.Size

    Returns
    -------
    torch.Tensor, float, shape (batch, *frame)
        The last axis halved, as of `torch.fft.rfftn`.
    """
    lines = []
    for axis, side in enumerate(frame):
        frequency = torch.fft.fftfreq(side, device=sigma.device)
        line = torch.exp(-2 * (torch.pi * sigma[:, axis, None] * frequency) ** 2)
        lines.append(line.view(-1, *(side if other == axis else 1 for other in range(len(frame)))))
    return reduce(torch.mul, [*lines[:-1], lines[-1][..., : frame[-1] // 2 + 1]])


def object_side(support: torch.Tensor) -> torch.Tensor:
    """Estimate the sides of objects' frames from the autocorrelation's support above 4 %.

    A convex object's autocorrelation is twice as long along each axis. `CRYSTAL` makes it the frame in which such an
    object would be a crystal of the study, for which σ is given.

    Parameters
    ----------
    support : torch.Tensor, bool, shape (batch, *frame)
        The origin in pixel (0, 0).

    Returns
    -------
    torch.Tensor, float32, shape (batch,), or (batch, 3) for volumes, whose axes may have pixels of different sizes
    """
    pixels = support.flatten(1).sum(1)
    if support.ndim == 3:
        return pixels.sqrt() / 2 / CRYSTAL
    moments = []
    for axis, side in enumerate(support.shape[1:], 1):
        others = tuple(other for other in range(1, support.ndim) if other != axis)
        place = torch.fft.fftfreq(side, 1 / side, device=support.device)
        moments.append((support.sum(others) * place.square()).sum(1))
    extent = torch.stack(moments, 1).clamp_min(1).sqrt()
    share = extent / extent.log().mean(1, keepdim=True).exp()
    return pixels[:, None] ** (1 / 3) * share / 2 / CRYSTAL
