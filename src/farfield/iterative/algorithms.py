"""The words of recipes."""

from farfield.iterative import projections
from farfield.iterative.adam import adam
from farfield.iterative.lagrangian import augmented_lagrangian

ALGORITHMS: dict[str, projections.Algorithm] = {
    "ER": projections.error_reduction,
    "HIO": projections.hybrid_input_output,
    "RAAR": projections.relaxed_averaged_alternating_reflections,
    "DM": projections.difference_map,
    "ALM": augmented_lagrangian,
    "AD": adam,
}
"""Every algorithm by the name that recipes use."""
