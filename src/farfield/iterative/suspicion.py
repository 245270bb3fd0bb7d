"""What is wrong with patterns that objects cannot be blamed for: bad pixels, and a level that no object made."""

import warnings

import numpy as np
import torch

from farfield.iterative.patterns import Background
from farfield.iterative.workers import look_at
from farfield.machine.shapes import check_mask, check_stack
from farfield.physics import outliers
from farfield.physics.noise import dark_level
from farfield.physics.screening import suspects

SMOOTH = 0.5
"""Deviance per degree of freedom below which these are no counts: right objects leave 0.95 and more of such, wrong
ones in supports that are too wide 0.7."""


def find(intensity: torch.Tensor, mask: torch.Tensor | None, dims: int = 2) -> outliers.Outliers | None:
    """Find what no far field shows, by `outliers.find`, in those patterns that may hold any.

    Each frame of a volume along its first axis is looked at as a pattern: it is one, of a projection of the object.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, M, M)
    mask : torch.Tensor, bool, shape (M, M) or (…, M, M), or None
        True where it was measured; nothing is found elsewhere.
    dims : int
        Axes of a pattern: 3 for volumes.

    Returns
    -------
    Outliers or None
        Each of the intensity's shape; None where nothing is found.

    Raises
    ------
    ValueError
        If these are no stack of patterns and its mask.
    """
    check_stack(intensity)
    if not intensity.numel():
        return None
    # Half precision has no number for most flags.
    numbers = intensity.float() if intensity.dtype == torch.float16 else intensity
    stacks = [numbers.reshape(-1, *intensity.shape[-2:])]
    if mask is not None:
        mask = torch.as_tensor(mask, device=intensity.device)
        check_mask("mask", mask, intensity, dims)
        stacks.append(mask.expand(intensity.shape).reshape(stacks[0].shape))
    which = look_at(stacks, suspects).nonzero()[:, 0]
    some = outliers.find(*(stack[which].cpu().numpy() for stack in stacks))
    if not some.bad().any():
        return None
    found = outliers.Outliers(*np.zeros((3, *stacks[0].shape), bool))
    for whole, part in zip(found, some, strict=True):
        whole[which.cpu().numpy()] = part
    return outliers.Outliers(*(whole.reshape(intensity.shape) for whole in found))


def mask_outliers(intensity: torch.Tensor, mask: torch.Tensor | None, dims: int = 2) -> torch.Tensor:
    """Take what no far field shows out of a mask.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, M, M)
    mask : torch.Tensor, bool, shape (M, M) or (…, M, M), or None
    dims : int
        Axes of a pattern: 3 for volumes.

    Returns
    -------
    torch.Tensor, bool, shape (…, M, M)
        True where measured, and no outlier.
    """
    found = find(intensity, mask, dims)
    bad = torch.zeros_like(intensity, dtype=torch.bool) if found is None else torch.from_numpy(found.bad())
    good = ~bad.to(intensity.device)
    return good if mask is None else good & torch.as_tensor(mask, device=intensity.device)


def look(intensity: torch.Tensor, mask: torch.Tensor | None, background: Background, dims: int = 2) -> torch.Tensor:
    """Warn of patterns with outliers, or with a dark level of which nothing was said.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, M, M)
    mask : torch.Tensor, bool, shape (M, M) or (…, M, M), or None
    background : torch.Tensor of shape (M, M) or (…, M, M), float, str or None
        None if nothing was said of it; beyond one for each pixel there may be more.
    dims : int
        Axes of a pattern: 3 for volumes.

    Returns
    -------
    torch.Tensor, bool, shape (patterns,)
        Which: nothing that is made of them is to be believed.
    """
    flat = intensity.reshape(-1, *intensity.shape[-dims:])
    bad = torch.zeros(len(flat), dtype=torch.bool, device=flat.device)
    if (found := find(intensity, mask, dims)) is not None:
        bad |= torch.from_numpy(found.bad().reshape(len(flat), -1).any(1)).to(flat.device)
        said = "; ".join(outliers.sentences(found, intensity.cpu().numpy()))
        _warn(f"{said}: pass mask_outliers=True to mask them, or a mask= of your own")
    if isinstance(background, float | int | str):
        return bad
    seen = torch.as_tensor(True if mask is None else mask, device=flat.device)
    beyond = flat - background.expand(intensity.shape).reshape(flat.shape) if torch.is_tensor(background) else flat
    level = look_at([beyond, seen.expand(intensity.shape).reshape(flat.shape)], dark_level)
    if level.any():
        first = int(level.nonzero()[0])
        _warn(
            f"pattern {first} has no place along its border that is darker than {level[first]:.3g}, as an object "
            'leaves: pass background="corners", or background=0 if it is the object that scatters there'
        )
        bad |= level > 0
    return bad


def look_at_noise(deviance: torch.Tensor) -> None:
    """Warn of patterns that objects explain better than counts can be: amplitudes, means of frames, rounded ones.

    Parameters
    ----------
    deviance : torch.Tensor, float, shape (patterns,)
        Per degree of freedom, NaN where the noise is not known.
    """
    smooth = (deviance < SMOOTH).nonzero()[:, 0]
    if len(smooth):
        first = int(smooth[0])
        _warn(
            f"pattern {first} has less noise than counts have (deviance {deviance[first]:.2g} per degree of freedom, "
            "where counts leave 1): pass intensities and not amplitudes, and tell what the noise is by quantum= or "
            "variance="
        )


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=5)  # where reconstruct was called
