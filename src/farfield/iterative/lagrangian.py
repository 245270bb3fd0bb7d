"""ALM, the augmented Lagrangian method: the support as a constraint that multipliers enforce.

This is our reconstruction of Zhuang, Wang, Travadi & Sun ("Phase Retrieval via Second-Order Nonsmooth Optimization",
ICML workshop 2020), whose text is not to be had. The formulation agrees with what others say of it and with Luke,
Sabach & Teboulle (2019); how often multipliers are updated, and ρ, are ours.

With the true support and random starts, 60 rounds bring 0.92 of 400 images of FashionMNIST below a relative error of
1e-2, where `500*HIO+100*ER` brings 0.99 in a thirteenth of the time; 120 rounds, or two starts, 0.95 to 0.97. SciPy's
L-BFGS-B in double precision does as well as this one (0.92 and 0.93 of the same 100) in three times the time.
"""

import torch

from farfield.iterative.descent import dot, flat, minimise
from farfield.iterative.projections import Carried, Project

PENALTY = 0.03
"""ρ, in units of the misfit's own curvature, constant: 0.02 and 0.05 solve no more patterns, a growing one half."""

ROUND = 10
"""Iterations of L-BFGS from one update of the multipliers to the next: all of them are remembered."""


def augmented_lagrangian(
    iterate: torch.Tensor, project: Project, support: torch.Tensor, beta: float, carried: Carried
) -> tuple[torch.Tensor, torch.Tensor]:
    """ALM, one round: at most `ROUND` iterations of L-BFGS, and one update of the multipliers λ.

    L-BFGS descends ½ ‖z - P_M z‖² + Re⟨λ, A z⟩ + ρ/2 ‖A z‖², where A picks the pixels off the support, from the z of
    the round before; then λ ← λ + ρ A z. A round counts as one iteration, for shrinkwrap too. β plays no part. Frames
    need one batch dimension.
    """
    # Multipliers live off the support: what shrinkwrap takes in loses its own, what it leaves out begins at zero.
    multiplier = carried.get("multiplier", torch.zeros_like(iterate)).masked_fill(support, 0)

    def lagrangian(point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = torch.view_as_complex(point.view(*iterate.shape, 2))
        misfit, beyond = z - project(z), z.masked_fill(support, 0)
        value = dot(flat(misfit), flat(misfit)) / 2
        value += dot(flat(beyond), flat(torch.add(multiplier, beyond, alpha=PENALTY / 2)))
        return value, flat(misfit.add_(multiplier).add_(beyond, alpha=PENALTY))

    following = torch.view_as_complex(minimise(lagrangian, flat(iterate), ROUND).view(*iterate.shape, 2))
    carried["multiplier"] = multiplier.add_(following.masked_fill(support, 0), alpha=PENALTY)
    return following, project(following)
