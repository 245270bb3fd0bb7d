"""Floor 4, iterative phase retrieval: projections, shrinkwrap, recipes, reconstruction from random or given starts.

Arrays have their origin in pixel (0, 0) inside this package, so that no iteration shifts anything.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    [
        "adam",
        "algorithms",
        "asking",
        "beamstop",
        "consensus",
        "denoised",
        "descent",
        "escalation",
        "expectation",
        "fasta",
        "guesses",
        "islands",
        "iterations",
        "judging",
        "lagrangian",
        "likelihood",
        "patterns",
        "pnp_hio",
        "prdeep",
        "projections",
        "recipe",
        "reconstruction",
        "results",
        "rounds",
        "shrinkwrap",
        "stages",
        "starts",
        "suspicion",
        "workers",
    ],
    submod_attrs={
        "algorithms": ["ALGORITHMS"],
        "guesses": ["blob"],
        "recipe": ["RecipeError", "parse"],
        "reconstruction": ["Reconstruction", "reconstruct"],
        "shrinkwrap": ["Shrinkwrap"],
        "stages": ["State", "watch"],
        "starts": ["Starts"],
    },
)
