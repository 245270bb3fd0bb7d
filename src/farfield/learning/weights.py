"""Files of weights: safetensors, which hold no pickle, with a description of what they are weights of."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file


def write(tensors: Mapping[str, torch.Tensor], path: Path, key: str, description: Mapping[str, Any]) -> None:
    """Write weights, and under a key of its own what they are of."""
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(whole, path, metadata={key: json.dumps(description, sort_keys=True)})


def read(path: str | Path, key: str, device: str, what: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read weights and their description.

    Parameters
    ----------
    path : str or Path
    key : str
        Of the description.
    device : str
        Where to put them.
    what : str
        What the file should hold, for the message.

    Returns
    -------
    tensors, description : dict

    Raises
    ------
    ValueError
        If the file is truncated, or has no description under that key.
    """
    try:
        with safe_open(path, framework="pt", device=device) as file:
            description = json.loads((file.metadata() or {}).get(key, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: expected a whole .safetensors {what}, got {error}; train it again") from None
    if not isinstance(description, dict):
        raise ValueError(f"{path}: expected a {what} that farfield saved, got one without its description")
    return tensors, description
