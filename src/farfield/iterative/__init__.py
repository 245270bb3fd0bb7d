"""Floor 4, iterative phase retrieval: projections, shrinkwrap, recipes, and reconstruction from random starts.

Arrays have their origin in pixel (0, 0) inside this package, so that no iteration shifts anything.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    ["patterns", "projections", "recipe", "reconstruction", "shrinkwrap", "starts"],
    submod_attrs={
        "projections": ["ALGORITHMS"],
        "recipe": ["RecipeError", "parse"],
        "reconstruction": ["Reconstruction", "State", "reconstruct", "watch"],
        "shrinkwrap": ["Shrinkwrap"],
        "starts": ["Starts"],
    },
)
