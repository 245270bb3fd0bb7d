"""The near field: in-line holograms of phase objects, some millimetres behind them.

An object is its phase φ in radians: it delays a plane wave and absorbs nothing. A camera of the object's own frame
sees I = |P_z e^{iφ}|², the undisturbed wave being 1, where P_z is the propagation over the distance z (angular
spectrum). What lies around the frame is taken to go on as its edge does, so that a constant offset of the phase is
lost, and nothing else is, but for what the hologram shows too weakly.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F

from farfield.machine.shapes import Fields, Intensity, Objects, PerSample, check_objects

MILLIMETRE = 1e-3
"""In metres: what messages tell distances in."""


@dataclass(frozen=True)
class NearField:
    """How holograms are taken.

    Attributes
    ----------
    wavelength, pixel, distance : float
        In metres: of the light, the side of a pixel of the camera and of the object, and from one to the other.

    Raises
    ------
    ValueError
        If one of them is not positive.

    References
    ----------
    Wang & Lam, Adv. Photon. Nexus 3, 056006 (2024), whose 632.8 nm, 8 µm and 20 mm at 256²
    are 5 mm at 64².

    Examples
    --------
    >>> import torch
    >>> flat = torch.ones(64, 64, dtype=torch.complex64)
    >>> float(NearField(distance=5e-3).measure(flat).std()) < 1e-6
    True
    """

    wavelength: float | int = 632.8e-9
    pixel: float | int = 8e-6
    distance: float | int = 5e-3

    def __post_init__(self):
        for name in ("wavelength", "pixel", "distance"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"expected {name} as metres above 0, got {value!r}; change it")

    @property
    def reach(self) -> float:
        """How far, in pixels, the finest fringes lie from what makes them: λz / 2Δ²."""
        return self.wavelength * self.distance / (2 * self.pixel**2)

    def check(self, side: int) -> None:
        """Refuse a frame that cannot hold the fringes of what is in its middle.

        Parameters
        ----------
        side : int
            In pixels.

        Raises
        ------
        ValueError
            Naming the largest distance, and the smallest frame, that would do.
        """
        if self.reach > side / 2:
            longest = side * self.pixel**2 / self.wavelength
            raise ValueError(
                f"expected fringes within half the frame, {side / 2:g} pixels, got {self.reach:.1f} at a distance of "
                f"{self.distance / MILLIMETRE:g} mm; take at most {longest / MILLIMETRE:.3g} mm, or a frame of "
                f"{math.ceil(2 * self.reach)} pixels"
            )

    def propagate(self, fields: Fields) -> Fields:
        """Propagate fields by the distance.

        Parameters
        ----------
        fields : torch.Tensor, complex, shape (…, rows, columns)
            Square; around it they go on as at their edge, so that nothing comes back in at the other side.

        Returns
        -------
        torch.Tensor, complex, shape (…, rows, columns)
            In a frame of the same pixels.
        """
        check_objects(fields, "fields")
        side = _side(fields)
        self.check(side)
        margin = -(-side // 2)
        padded = torch.complex(_continued(fields.real, margin), _continued(fields.imag, margin))
        there = torch.fft.ifft2(
            torch.fft.fft2(padded) * _transfer(self, padded.shape[-1], padded.dtype, padded.device)
        )
        return there[..., margin : margin + side, margin : margin + side]

    def behind(self, objects: Objects) -> Fields:
        """Propagate a plane wave of 1 that objects, phases in radians in their real part, have delayed."""
        phase = objects.real
        return self.propagate(torch.polar(torch.ones_like(phase), phase))

    def measure(self, objects: Objects) -> Intensity:
        """Noise-free in-line hologram |P_z e^{iφ}|².

        Parameters
        ----------
        objects : torch.Tensor, complex, shape (…, N, N)
            Phases in radians, in the real part; the imaginary part is not looked at.

        Returns
        -------
        torch.Tensor, float, shape (…, N, N)
            In units of the undisturbed wave.

        Raises
        ------
        ValueError
            If the objects are no square frames, or ones that cannot hold the fringes.
        """
        check_objects(objects)
        return self.behind(objects).abs().square()


@cache  # also as no GPU may be sent it while its work is captured
def _transfer(near: NearField, side: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Transfer function exp(2πiz (√(1/λ² - f²) - 1/λ)), (side, side), zero frequency first.

    The plane wave's own phase is taken out; frequencies above 1/λ decay.
    """
    line = torch.fft.fftfreq(side, near.pixel, dtype=torch.float64)
    squares = near.wavelength**2 * (line[:, None].square() + line.square())
    cosine = (1 - squares).to(torch.complex128).sqrt()
    return torch.exp(2j * torch.pi * near.distance / near.wavelength * (cosine - 1)).to(device, dtype)


def _side(fields: torch.Tensor) -> int:
    rows, columns = fields.shape[-2:]
    if rows != columns:
        raise ValueError(f"expected square frames, got {rows} × {columns} pixels; crop or pad them")
    return rows


def _continued(parts: torch.Tensor, margin: int) -> torch.Tensor:
    """Repeat the edge pixels of real frames (…, side, side) around them."""
    flat = F.pad(parts.reshape(-1, 1, *parts.shape[-2:]), 4 * (margin,), mode="replicate")
    return flat.reshape(*parts.shape[:-2], *flat.shape[-2:])


def offset_removed_mse(reference: Objects, estimate: Objects) -> PerSample:
    """Squared error per pixel of phases, up to a constant offset: the variance of their difference.

    Parameters
    ----------
    reference, estimate : torch.Tensor, complex, shape (…, N, N)
        Phases in the real part.

    Returns
    -------
    torch.Tensor, float64, shape (…)
    """
    difference = (reference.real - estimate.real).double().flatten(-2)
    return difference.var(-1, correction=0)
