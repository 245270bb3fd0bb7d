"""Floor 3, the symmetries: how to apply, break and undo them, and errors that do not see them."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    ["actions", "alignment", "matching", "metrics", "phases", "sa_mse", "volumes"],
    submod_attrs={
        "actions": ["align", "break_symmetries", "conditioning", "conjugate_flip", "rotate_phase", "translate"],
        "metrics": ["fourier_residual", "magnitude_error", "mse", "phase_retrieval_transfer_function", "r_factor"],
        "sa_mse": ["symmetry_adjusted_mse"],
    },
)
