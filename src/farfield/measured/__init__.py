"""Floor 6, measured data: from a file of patterns to objects."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    ["application", "cxi", "report", "trust"],
    submod_attrs={
        "application": ["apply"],
    },
)
