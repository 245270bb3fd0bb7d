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
        "curves",
        "datasets",
        "errors",
        "figures",
        "floors",
        "following",
        "methods",
        "pairing",
        "pictures",
        "release",
        "rendering",
        "rings",
        "scores",
        "sections",
        "start_curves",
        "starting",
        "strategies",
        "sweep",
        "tables",
        "watching",
        "wording",
    ],
    submod_attrs={},
)
