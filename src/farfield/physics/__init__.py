"""Floor 2, the physics: crystals and images, and what a detector sees of them in the far field."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    ["crystals", "diffraction", "images", "noise", "outliers", "polyhedra", "screening"],
    submod_attrs={
        "crystals": ["simulate"],
        "diffraction": ["far_field", "measure", "photon_noise", "to_frame"],
    },
)
