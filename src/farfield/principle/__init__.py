"""Floor 6, the argument on small problems: what is learned of the square root and of Gaussian phase retrieval."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    ["figures", "learning", "perceptron", "tables"],
    submod_attrs={},
)
