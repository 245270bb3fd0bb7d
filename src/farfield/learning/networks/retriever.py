"""A backbone with its input scaling: intensities in, complex objects out, saved as one file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from farfield.learning import weights
from farfield.learning.networks.making import create
from farfield.machine.shapes import Intensity, Objects, check_stack, check_whole, described


def _log(intensity: torch.Tensor) -> torch.Tensor:
    return torch.log1p(intensity.sqrt())


COMPRESSIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"log": _log, "amplitude": torch.sqrt}
"""What intensities enter as: log(1 + |F|), whose few bright pixels no longer drown the others, or |F|."""

SCALINGS = ("", "standardised", "normalised")
"""What is done to them then: nothing, or mean 0 and deviation 1 for each pixel, or for all pixels alike."""


def compression(inputs: str) -> tuple[Callable[[torch.Tensor], torch.Tensor], str]:
    """Split a name such as ``log-standardised`` into a compression and a scaling; refuse any other."""
    name, _, scaling = inputs.partition("-")
    if name not in COMPRESSIONS or scaling not in SCALINGS:
        known = [f"{name}-{scaling}".strip("-") for name in COMPRESSIONS for scaling in SCALINGS]
        raise ValueError(f"expected inputs out of {', '.join(known)}, got {inputs!r}; change it")
    return COMPRESSIONS[name], scaling


class Retriever(nn.Module):
    """A network that turns intensities into objects.

    Parameters
    ----------
    backbone : torch.nn.Module
        Maps scaled amplitudes (batch, M, M) to real and imaginary parts (batch, 2, N, N).
    side : int
        Side M of the patterns, in pixels.
    inputs : str
        A key of `COMPRESSIONS`, with one of `SCALINGS` behind it if a mean and a deviation will be given.

    Attributes
    ----------
    description : dict
        Where the weights come from.

    Notes
    -----
    Scaled by one mean and deviation for all pixels, |F| keeps its shape, and networks learn most from it if they
    are trained for long. Standardised per pixel, log(1 + |F|) leaves the mean object sooner. Raw, log amplitudes
    kept half of our tries at the mean object. See docs/choices.md.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, backbone: nn.Module, side: int, inputs: str = "log-standardised"):
        super().__init__()
        self.backbone = backbone
        self.compress, _ = compression(inputs)
        self.description: dict[str, Any] = {}
        self.register_buffer("mean", torch.zeros(side, side))
        self.register_buffer("deviation", torch.ones(side, side))

    def standardise(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        """Take mean and deviation, (M, M) or one for all pixels, of a training set's compressed patterns."""
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)

    def scale(self, intensity: Intensity) -> Intensity:
        """Scaled inputs of the backbone, (batch, M, M)."""
        return (self.compress(intensity) - self.mean) / self.deviation

    def forward(self, intensity: Intensity) -> Objects:
        """Turn intensities (…, M, M) into objects (…, N, N)."""
        check_stack(intensity)
        *batch, rows, columns = intensity.shape
        if (rows, columns) != self.mean.shape:
            raise ValueError(
                f"expected patterns of shape (…, {', '.join(map(str, self.mean.shape))}), got "
                f"{tuple(intensity.shape)}; crop or pad them with diffraction.to_frame"
            )
        if not intensity.numel():
            raise ValueError(f"expected at least one pattern, got {described(intensity)}; give some")
        parts = self.backbone(self.scale(intensity.float().reshape(-1, rows, columns))).float()
        return torch.complex(parts[:, 0], parts[:, 1]).reshape(*batch, *parts.shape[-2:])


def predict(model: Retriever, intensity: torch.Tensor, batch_size: int = 64) -> Objects:
    """Apply a network to patterns, batch by batch, in float32.

    Parameters
    ----------
    model : Retriever
    intensity : torch.Tensor, float, shape (samples, M, M)
    batch_size : int

    Returns
    -------
    torch.Tensor, complex64, shape (samples, N, N)
        On the model's device.
    """
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(part.to(model.mean.device)) for part in intensity.split(batch_size)])


def save(state: Mapping[str, torch.Tensor], path: Path, description: Mapping[str, Any]) -> None:
    """Write weights with what `load` needs to know: no pickle, one file.

    Parameters
    ----------
    state : mapping
        A `Retriever`'s ``state_dict()``.
    path : Path
        A ``.safetensors`` file; write it under a temporary name if it must be whole.
    description : mapping
        ``network``, ``image_size``, ``oversampling``, ``options``, ``inputs``, and whatever else tells its origin.
    """
    weights.write(state, path, "farfield", description)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def load(path: str | Path, device: str = "cpu") -> Retriever:
    """Read a trained network.

    Parameters
    ----------
    path : str or Path
        A file that `save` wrote.
    device : str
        Where to put it.

    Returns
    -------
    Retriever
        In evaluation mode.

    Raises
    ------
    ValueError
        If the file is none of farfield's, is truncated, describes no network, or holds the weights of another.

    Examples
    --------
    >>> import tempfile
    >>> import farfield
    >>> from farfield.learning import Settings, fit
    >>> crystals = farfield.simulate(12, 16, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trained = fit("unet", crystals[:8], crystals[8:], Settings(epochs=1, batch_size=4), folder=folder)
    ...     network = farfield.load(f"{folder}/final.safetensors")
    >>> tuple(network(farfield.measure(crystals)).shape)
    (12, 16, 16)
    """
    tensors, description = weights.read(path, "farfield", device, "model")
    try:
        size, oversampling = description["image_size"], description["oversampling"]
        check_whole("image_size", size, 1)
        check_whole("oversampling", oversampling, 1)
        backbone = create(description["network"], size, oversampling, **description["options"])
        retriever = Retriever(backbone, size * oversampling, description["inputs"])
    # RuntimeError: torch's, for sizes that no memory holds
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, MemoryError, OverflowError) as error:
        raise ValueError(
            f"{path}: expected a model of this version of farfield, but {_first_line(error)}; train it again"
        ) from None
    retriever.description = description
    try:
        retriever.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ValueError(f"{path}: expected weights of {description['network']}, but {reason}") from None
    return retriever.to(device).eval()
