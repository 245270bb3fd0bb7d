"""What is wrong with patterns that objects cannot be blamed for: bad pixels, and a level that no object made."""

import warnings

import torch

from farfield.iterative.patterns import Background
from farfield.physics import outliers
from farfield.physics.noise import dark_level


def mask_outliers(intensity: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Take what no far field shows out of a mask.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, M, M)
    mask : torch.Tensor, bool, shape (M, M) or (…, M, M), or None

    Returns
    -------
    torch.Tensor, bool, shape (…, M, M)
        True where measured, and no outlier.
    """
    good = torch.from_numpy(~_found(intensity, mask).bad()).to(intensity.device)
    return good if mask is None else good & torch.as_tensor(mask, device=intensity.device)


def look(intensity: torch.Tensor, mask: torch.Tensor | None, background: Background) -> torch.Tensor:
    """Warn of patterns with outliers, or with a dark level of which nothing was said.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, M, M)
    mask : torch.Tensor, bool, shape (M, M) or (…, M, M), or None
    background : torch.Tensor, float, str or None
        None if nothing was said of it; beyond one for each pixel there may be more.

    Returns
    -------
    torch.Tensor, bool, shape (patterns,)
        Which: nothing that is made of them is to be believed.
    """
    flat = intensity.reshape(-1, *intensity.shape[-2:])
    found = _found(intensity, mask)
    bad = torch.from_numpy(found.bad().reshape(flat.shape).any((-2, -1))).to(flat.device)
    if bad.any():
        said = "; ".join(outliers.sentences(found, intensity.cpu().numpy()))
        _warn(f"{said}: pass mask_outliers=True to mask them, or a mask= of your own")
    if isinstance(background, float | int | str):
        return bad
    seen = torch.as_tensor(True if mask is None else mask, device=flat.device)
    beyond = flat - background.expand(intensity.shape).reshape(flat.shape) if torch.is_tensor(background) else flat
    level = dark_level(beyond, seen.expand(intensity.shape).reshape(flat.shape))
    if level.any():
        first = int(level.nonzero()[0])
        _warn(
            f"pattern {first} has no place along its border that is darker than {level[first]:.3g}, as an object "
            'leaves: pass background="corners", or background=0 if it is the object that scatters there'
        )
        bad |= level > 0
    return bad


def _found(intensity: torch.Tensor, mask: torch.Tensor | None) -> outliers.Outliers:
    return outliers.find(intensity.cpu().numpy(), None if mask is None else torch.as_tensor(mask).cpu().numpy())


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=5)  # where reconstruct was called
