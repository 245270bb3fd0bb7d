"""What a network is trained for: α · data + (1 - α) · physics + λ · Jacobian.

A misfit is a function of what is `Seen` to one value per sample, 1 for an output of zero. To add one, write its file
beside these and give it a line in `registry.OBJECTIVES`; configs name it as an objective's ``physics``.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    ["jacobian", "misfits", "objective", "registry"],
    submod_attrs={"misfits": ["Seen"], "objective": ["Loss", "Objective"], "registry": ["OBJECTIVES"]},
)
