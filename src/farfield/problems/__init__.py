"""Inverse problems with a symmetry: what the study's argument needs of each, and nothing else.

Adding a problem is one file and one line in `PROBLEMS`; `tests/test_problems.py` holds each to what a symmetry is.
"""

from collections.abc import Callable

from farfield.problems.far_field import FarField
from farfield.problems.gaussian import ComplexGaussian, RealGaussian
from farfield.problems.problem import Problem
from farfield.problems.square_root import SquareRoot

PROBLEMS: dict[str, Callable[..., Problem]] = {
    "square-root": SquareRoot,
    "real-gaussian": RealGaussian,
    "complex-gaussian": ComplexGaussian,
    "far-field": FarField,
}
"""Every problem by name; options are keywords."""

__all__ = ["PROBLEMS", "ComplexGaussian", "FarField", "Problem", "RealGaussian", "SquareRoot", "create"]


def create(name: str, **options: int) -> Problem:
    """Make a problem.

    Parameters
    ----------
    name : str
        A key of `PROBLEMS`.
    **options : int
        Its keywords.

    Raises
    ------
    ValueError
        If there is no problem of this name, or an option cannot be.
    """
    if name not in PROBLEMS:
        raise ValueError(f"expected a problem out of {', '.join(PROBLEMS)}, got {name!r}; choose one")
    return PROBLEMS[name](**options)
