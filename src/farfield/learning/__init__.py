"""Floor 4, learning: networks, batches, and a training that resumes."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    [
        "batches",
        "denoiser",
        "denoising",
        "exposure",
        "networks",
        "objectives",
        "optics",
        "optimiser",
        "settings",
        "step",
        "tensorboard",
        "training",
        "untrained",
        "versions",
        "weights",
    ],
    submod_attrs={
        "networks": ["NETWORKS", "create", "load"],
        "objectives": ["OBJECTIVES", "Objective"],
        "settings": ["Settings"],
        "training": ["TrainingError", "fit"],
    },
)
