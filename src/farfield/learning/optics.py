"""What a training must know of how objects are seen: far away, or near behind them."""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from farfield.machine.shapes import Estimates, Intensity, Objects, PerSample
from farfield.physics.diffraction import measure
from farfield.physics.near_field import NearField, offset_removed_mse
from farfield.symmetry.sa_mse import symmetry_adjusted_mse


@dataclass(frozen=True)
class FarField:
    """Oversampled diffraction patterns of complex objects.

    Attributes
    ----------
    oversampling : int
    """

    oversampling: int = 2

    def side(self, size: int) -> int:
        """Side M of the patterns of objects of N²."""
        return size * self.oversampling

    def measure(self, objects: Objects) -> Intensity:
        """Patterns (…, M, M)."""
        return measure(objects, self.oversampling)

    def seen(self, objects: Objects) -> torch.Tensor:
        """What a pattern shows of objects (batch, N, N): |F|, DC in pixel (0, 0), by the unitary transform."""
        side = self.side(objects.shape[-1])
        return torch.fft.fft2(objects, s=(side, side), norm="ortho").abs()

    def shown(self, intensity: Intensity) -> torch.Tensor:
        """What `seen` is of the truth, told by its pattern (batch, M, M)."""
        return torch.fft.ifftshift(intensity.sqrt(), dim=(-2, -1)) / intensity.shape[-1]

    def error(self, reference: Objects, estimate: Estimates) -> PerSample:
        """Squared error per pixel up to what a pattern does not tell: the SA-MSE."""
        return symmetry_adjusted_mse(reference, estimate)

    def described(self) -> dict[str, Any]:
        """What a model's description says of it, beside its oversampling."""
        return {}


@dataclass(frozen=True)
class Holograms:
    """In-line holograms of phase objects, of the objects' own frame.

    Attributes
    ----------
    near : NearField
    """

    near: NearField
    oversampling = 1

    def side(self, size: int) -> int:
        """Side of the holograms of objects of N²: the same."""
        return size

    def measure(self, objects: Objects) -> Intensity:
        """Holograms (…, N, N)."""
        return self.near.measure(objects)

    def seen(self, objects: Objects) -> torch.Tensor:
        """What a hologram shows of objects (batch, N, N): how much its amplitude differs from 1, none at all's."""
        return self.near.behind(objects).abs() - 1

    def shown(self, intensity: Intensity) -> torch.Tensor:
        """What `seen` is of the truth, told by its hologram (batch, N, N)."""
        return intensity.sqrt() - 1

    def error(self, reference: Objects, estimate: Estimates) -> PerSample:
        """Squared error per pixel up to what a hologram does not tell: a constant offset."""
        return offset_removed_mse(reference, estimate)

    def described(self) -> dict[str, Any]:
        """What a model's description says of it, beside its oversampling."""
        return {"near_field": asdict(self.near)}


Optics = FarField | Holograms


def optics(oversampling: int, near: NearField | None) -> Optics:
    """Choose: holograms where it is said how they are taken, or else far-field patterns."""
    return FarField(oversampling) if near is None else Holograms(near)
