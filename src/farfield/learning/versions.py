"""Samples turned and mirrored with their patterns: more of a training set than was simulated."""

import torch

VERSIONS = (
    (False, ()),
    (False, (-2, -1)),
    (True, (-1,)),
    (True, (-2,)),
    (False, (-1,)),
    (False, (-2,)),
    (True, ()),
    (True, (-2, -1)),
)
"""Whether rows and columns are swapped, and which of them are then mirrored: a half turn, quarter turns, mirrors."""


def vary(
    inputs: torch.Tensor, targets: torch.Tensor, versions: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn and mirror each sample of a batch at random.

    Parameters
    ----------
    inputs : torch.Tensor, shape (batch, M, M)
        Patterns, DC in pixel (M // 2, M // 2), or what is computed of each of their pixels alike.
    targets : torch.Tensor, shape (batch, 2, N, N)
        Real and imaginary parts of their objects.
    versions : int
        How many of `VERSIONS` to draw from, the first ones.
    generator : torch.Generator
        Of the CPU.

    Returns
    -------
    tuple of torch.Tensor, shapes (batch, M, M) and (batch, 2, N, N)
        Still each other's pattern and object.
    """
    drawn = torch.randint(versions, (len(inputs),), generator=generator).to(inputs.device)
    inputs, targets = inputs.clone(), targets.clone()
    for version, (swapped, mirrored) in enumerate(VERSIONS[:versions]):
        chosen = drawn == version
        patterns, objects = inputs[chosen], targets[chosen]
        if swapped:
            patterns, objects = patterns.mT, objects.mT
        # An object may lie anywhere; a pattern's DC stays where it is, and an even frame has one line before it more.
        ones = (1 - inputs.shape[-1] % 2,) * len(mirrored)
        if mirrored:
            patterns, objects = patterns.flip(mirrored).roll(ones, mirrored), objects.flip(mirrored)
        inputs[chosen], targets[chosen] = patterns, objects
    return inputs, targets
