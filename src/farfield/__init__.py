"""Far-field phase retrieval, learned and iterative, compared fairly: from a pattern to an object."""

import lazy_loader as lazy

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    ["iterative", "learning", "machine", "measured", "physics", "principle", "problems", "study", "symmetry"],
    submod_attrs={
        "iterative.reconstruction": ["reconstruct"],
        "learning.networks": ["load"],
        "physics.crystals": ["simulate"],
        "physics.diffraction": ["measure"],
        "symmetry.actions": ["break_symmetries"],
        "symmetry.sa_mse": ["symmetry_adjusted_mse"],
    },
)
