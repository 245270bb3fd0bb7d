"""Recipes in the field's algebra: ``2*(450*HIO+50*ER)`` is twice 450 iterations of HIO and 50 of ER."""

import re
from typing import NamedTuple

from farfield.iterative.algorithms import ALGORITHMS

DEEPEST = 100
"""Brackets and counts within each other that a recipe may have."""

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+)|(?P<name>[A-Za-z]\w*)|(?P<sign>[*+()]))")


class RecipeError(ValueError):
    """A recipe that cannot be read; the message points at the character."""


class Step(NamedTuple):
    """So many iterations of one algorithm."""

    algorithm: str
    iterations: int


class _Parser:
    """Recursive descent: sum = product {"+" product}; product = {number "*"} (name | "(" sum ")")."""

    def __init__(self, text: str):
        self.text, self.position, self.depth = text, 0, 0

    def fail(self, expected: str) -> RecipeError:
        at = len(self.text) - len(self.text[self.position :].lstrip())
        return RecipeError(f"expected {expected} in the recipe at character {at + 1}:\n  {self.text}\n  {' ' * at}^")

    def take(self, kind: str, value: str | None = None) -> str | None:
        match = _TOKEN.match(self.text, self.position)
        if not match or match[kind] is None or (value and match[kind] != value):
            return None
        self.position = match.end()
        return match[kind]

    def sum(self) -> list[Step]:
        steps = self.product()
        while self.take("sign", "+"):
            steps = steps + self.product()
        return steps

    def product(self) -> list[Step]:
        before, self.depth = self.position, self.depth + 1
        if self.depth > DEEPEST:
            raise self.fail(f"at most {DEEPEST} brackets and counts within each other")
        steps = self.factor(before)
        self.depth -= 1
        return steps

    def factor(self, before: int) -> list[Step]:
        if number := self.take("number"):
            if int(number) == 0:
                self.position = before
                raise self.fail("a count of at least 1")
            if not self.take("sign", "*"):
                raise self.fail("'*'")
            steps = self.product()
            if len(steps) == 1:
                return [Step(steps[0].algorithm, int(number) * steps[0].iterations)]
            return steps * int(number)
        if self.take("sign", "("):
            steps = self.sum()
            if not self.take("sign", ")"):
                raise self.fail("')' or '+'")
            return steps
        if name := self.take("name"):
            name = name if name in ALGORITHMS else name.upper()
            if name not in ALGORITHMS:
                self.position = before
                raise self.fail(f"an algorithm out of {', '.join(ALGORITHMS)}")
            if self.text[self.position :].lstrip().startswith("*"):
                raise self.fail(f"'+' or the end (a count stands before its algorithm, as in 50*{name})")
            return [Step(name, 1)]
        raise self.fail(f"a count, '(' or an algorithm out of {', '.join(ALGORITHMS)}")


def parse(recipe: str) -> list[Step]:
    """Read a recipe.

    Parameters
    ----------
    recipe : str
        Sums of algorithms and bracketed sums, each with a count before it.

    Returns
    -------
    list of Step
        In the order in which they run.

    Raises
    ------
    RecipeError
        If it cannot be read; the message points at the character.

    Examples
    --------
    >>> parse("2*(450*HIO+50*ER)")[:2]
    [Step(algorithm='HIO', iterations=450), Step(algorithm='ER', iterations=50)]
    """
    if not isinstance(recipe, str):
        raise RecipeError(f"expected a recipe as a text, got {recipe!r}; write such as '2*(450*HIO+50*ER)'")
    parser = _Parser(recipe)
    steps = parser.sum()
    if parser.text[parser.position :].strip():
        raise parser.fail("'+' or the end")
    return steps


def total(steps: list[Step]) -> int:
    """Iterations of steps, one after another."""
    return sum(step.iterations for step in steps)


def length(recipe: str) -> int:
    """Iterations of a recipe, one after another."""
    return total(parse(recipe))
