"""Floor 5, the study: what a workflow needs, from a config to tables, figures and released models."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    [
        "breaking",
        "cluster",
        "comparison",
        "config",
        "costs",
        "datasets",
        "errors",
        "figures",
        "methods",
        "pairing",
        "pictures",
        "release",
        "rendering",
        "scores",
        "sweep",
        "tables",
        "watching",
    ],
    submod_attrs={},
)
