"""Floor 4, iterative phase retrieval: projections, shrinkwrap, recipes, reconstruction from random or given starts.

Arrays have their origin in pixel (0, 0) inside this package, so that no iteration shifts anything.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    [
        "adam",
        "algorithms",
        "guesses",
        "lagrangian",
        "patterns",
        "projections",
        "recipe",
        "reconstruction",
        "shrinkwrap",
        "starts",
    ],
    submod_attrs={
        "algorithms": ["ALGORITHMS"],
        "guesses": ["blob"],
        "recipe": ["RecipeError", "parse"],
        "reconstruction": ["Reconstruction", "State", "reconstruct", "watch"],
        "shrinkwrap": ["Shrinkwrap"],
        "starts": ["Starts"],
    },
)
