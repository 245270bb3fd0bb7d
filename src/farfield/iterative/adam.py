"""AD: the far field's misfit descended by Adam on the object's pixels, as 3D-CDI-NN refines its predictions."""

import torch

from farfield.iterative.projections import Carried, Project
from farfield.machine.shapes import frame_axes

RATE = 1e-2
"""Learning rate, of the object's rms inside the support where the step of the recipe begins."""

MOMENTS = 0.9, 0.999
"""Share of the mean gradient, and of the mean square, that each iteration keeps: those of Adam's authors."""

LEAST = 1e-8
"""Added to the root of the mean square, of the same rms."""


def adam(
    iterate: torch.Tensor, project: Project, support: torch.Tensor, beta: float, carried: Carried
) -> tuple[torch.Tensor, torch.Tensor]:
    """AD: one step of Adam (Kingma & Ba 2015) down ½ ‖|F z| - √I‖² over the pixels inside the support.

    F is unitary, so the gradient is z - P_M z; real and imaginary parts are unknowns of their own. β plays no part.
    Adam's steps do not shrink with the gradient: it comes near to a solution, and ER must end on it. The rate is that
    of Chan et al., "Rapid 3D nanoscale coherent imaging via physics-aware deep learning", Appl. Phys. Rev. 8, 021407
    (2021), whose objects have a maximum of 1.
    """
    objects = iterate.masked_fill(~support, 0)
    shown = project(objects)
    gradient = torch.view_as_real((objects - shown).masked_fill(~support, 0))
    if not carried:
        carried.update(_at_rest(objects, support))
    first, second = carried["first"], carried["second"]
    count = carried["count"].add_(1)
    mean = first.lerp_(gradient, 1 - MOMENTS[0]) / (1 - MOMENTS[0] ** count)
    square = second.lerp_(gradient.square(), 1 - MOMENTS[1]) / (1 - MOMENTS[1] ** count)
    step = RATE * carried["scale"] * mean / (square.sqrt() + LEAST * carried["scale"])
    return (objects - torch.view_as_complex(step)).masked_fill_(~support, 0), shown


def _at_rest(objects: torch.Tensor, support: torch.Tensor) -> Carried:
    """No moments yet, and the scale of each object."""
    zeros = torch.zeros_like(torch.view_as_real(objects))
    pixels = support.sum(frame_axes(support)).clamp_min(1)
    power = torch.view_as_real(objects).square().sum(frame_axes(zeros)) / pixels
    scale = power.sqrt().clamp_min(torch.finfo(power.dtype).tiny).view(-1, *[1] * (zeros.ndim - 1))
    return {"first": zeros, "second": zeros.clone(), "count": torch.zeros_like(scale), "scale": scale}
