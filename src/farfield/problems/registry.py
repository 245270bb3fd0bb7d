"""Every problem by name, its options being keywords; adding one changes none of the others."""

from collections.abc import Callable

from farfield.problems.gaussian import ComplexGaussian, RealGaussian
from farfield.problems.near_field import Hologram
from farfield.problems.problem import Problem
from farfield.problems.square_root import SquareRoot

PROBLEMS: dict[str, Callable[..., Problem]] = {
    "square-root": SquareRoot,
    "real-gaussian": RealGaussian,
    "complex-gaussian": ComplexGaussian,
    "near-field": Hologram,
}
"""Every problem by its name."""
