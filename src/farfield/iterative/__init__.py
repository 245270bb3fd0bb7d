"""Iterative phase retrieval: projections, shrinkwrap, recipes, and batched reconstruction from random starts.

Arrays have their origin in pixel (0, 0) inside this package, so that no iteration shifts anything.
"""

from farfield.iterative.projections import ALGORITHMS
from farfield.iterative.recipe import RecipeError, parse
from farfield.iterative.reconstruct import Reconstruction, Starts, State, reconstruct, watch
from farfield.iterative.shrinkwrap import Shrinkwrap

__all__ = [
    "ALGORITHMS",
    "RecipeError",
    "Reconstruction",
    "Shrinkwrap",
    "Starts",
    "State",
    "parse",
    "reconstruct",
    "watch",
]
