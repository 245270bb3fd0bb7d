"""Floor 2, the physics: crystals, images and phase objects, and what a detector sees of them, far away and near."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    ["crystals", "diffraction", "images", "near_field", "noise", "outliers", "phases", "polyhedra", "screening"],
    submod_attrs={
        "crystals": ["simulate"],
        "diffraction": ["far_field", "measure", "photon_noise", "to_frame"],
    },
)
