"""Untrained networks by name, with the options that their signatures take."""

import inspect
from typing import Any

from torch import nn

from farfield.learning.networks.registry import NETWORKS
from farfield.machine.shapes import check_whole


def inputs_of(name: str) -> str | None:
    """Return what a network says that its inputs must be, a key of `retriever.COMPRESSIONS`, if it does."""
    factory = NETWORKS.get(name)
    return getattr(getattr(factory, "func", factory), "inputs", None)


def encoder_of(name: str) -> tuple[str, ...]:
    """Return the modules that a network names as its encoder, none if it does not."""
    factory = NETWORKS.get(name)
    return getattr(getattr(factory, "func", factory), "encoder", ())


def options(name: str) -> dict[str, Any]:
    """Return the options that a network takes beside its image size and oversampling, with their types.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`.

    Returns
    -------
    dict of str to type
    """
    parameters = list(inspect.signature(NETWORKS[name], eval_str=True).parameters.values())[2:]
    return {parameter.name: parameter.annotation for parameter in parameters}


def _check_option(network: str, option: str, value: Any) -> None:
    """Refuse a value that is not of the type in the signature, where that is a plain one."""
    kind, default = options(network)[option], inspect.signature(NETWORKS[network]).parameters[option].default
    if kind is int:  # a size, unless the default says that it is none
        check_whole(f"{option} of {network}", value, min(1, default) if isinstance(default, int) else 1)
    accepted = {float: (int, float), bool: (bool,), str: (str,)}.get(kind)
    if accepted and (not isinstance(value, accepted) or (kind is float and isinstance(value, bool))):
        raise ValueError(f"expected {option} of {network} as a {kind.__name__}, got {value!r}; change it")


def create(name: str, image_size: int, oversampling: int = 2, **settings: Any) -> nn.Module:
    """Make an untrained network.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`.
    image_size : int
        Side of the object's frame, in pixels.
    oversampling : int
        Pattern pixels per object pixel and axis.
    **settings
        Options of that network, such as ``width``.

    Returns
    -------
    torch.nn.Module
        Maps scaled amplitudes (batch, M, M) to real and imaginary parts (batch, 2, N, N).

    Raises
    ------
    ValueError
        If the name, an option or the image size does not suit.

    Examples
    --------
    >>> import torch
    >>> tuple(create("unet", 32)(torch.zeros(5, 64, 64)).shape)
    (5, 2, 32, 32)
    """
    if name not in NETWORKS:
        raise ValueError(f"expected a network out of {', '.join(NETWORKS)}, got {name!r}; see docs/extend.md")
    unknown = set(settings) - set(options(name))
    if unknown:
        raise ValueError(
            f"expected options of {name} out of {', '.join(options(name)) or 'none'}, got "
            f"{', '.join(sorted(unknown))}; remove them"
        )
    for option, value in settings.items():
        _check_option(name, option, value)
    return NETWORKS[name](image_size, oversampling, **settings)
