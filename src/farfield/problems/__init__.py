"""Inverse problems with a symmetry: what the study's argument needs of each, and nothing else.

Adding a problem is one file and one line in `registry.PROBLEMS`; `tests/problems/test_problems.py` holds each to what
a symmetry is.
"""

from farfield.problems.gaussian import ComplexGaussian, RealGaussian
from farfield.problems.near_field import Hologram
from farfield.problems.problem import Problem
from farfield.problems.registry import PROBLEMS
from farfield.problems.square_root import SquareRoot

__all__ = ["PROBLEMS", "ComplexGaussian", "Hologram", "Problem", "RealGaussian", "SquareRoot"]
