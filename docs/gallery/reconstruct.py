"""
Reconstruct a pattern
=====================

The phase of a far field is lost; what is known beside its intensity is that the
object ends somewhere. The support is not given: it is found on the way
(shrinkwrap), from random starts, and the answer comes with a verdict.
"""

# %%
# A pattern of a million photons
# ------------------------------
#
# A strained crystal with two partial dislocations, whose stacking faults are jumps
# of the phase.

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

import farfield
from farfield.physics import photon_noise
from farfield.symmetry import align

truth = farfield.simulate(1, 48, seed=15, kind="strained")[0]
clean = farfield.measure(truth)  # (96, 96), DC in the centre
pattern = photon_noise(clean, photons=1e6, seed=0)

# %%
# Starts, until no more than noise is left
# ----------------------------------------
#
# ``found.deviance`` is about 1 where the object leaves no more than the photons'
# noise; where more is left, several starts must have come to the same object
# (``found.agreement``). ``found.solved`` rests on both, and never on the truth.

found = farfield.reconstruct(pattern, seed=0)
print(f"solved: {bool(found.solved)}, in {int(found.iterations)} iterations")
print(f"deviance: {found.deviance:.2f}")
assert bool(found.solved)
assert 0.5 < found.deviance < 1.5

# %%
# Held against the truth
# ----------------------
#
# The object that was found is any of the symmetric copies; ``align`` brings the
# right one over the truth.

same = align(truth, found.objects)
error = float(((same - truth).norm() / truth.norm()) ** 2)
print(f"relative error ‖A − B‖² / ‖A‖²: {error:.4f}")
assert error < 0.05

PHASES = sns.husl_palette(256, s=0.9, l=0.7, as_cmap=True)


def show(axes, field, title):
    """Draw phase as colour and magnitude as brightness."""
    brightness = np.abs(field).clip(0, 1)
    axes.imshow(np.angle(field), PHASES, vmin=-np.pi, vmax=np.pi, alpha=brightness)
    axes.set(facecolor="black", xticks=[], yticks=[], title=title)


look = {"figsize": (9.5, 3.5), "layout": "constrained"}
figure, (left, middle, right) = plt.subplots(1, 3, **look)
photons = (pattern * 1e6 / clean.sum()).clamp_min(0.5)
counts = left.imshow(photons.log10().numpy(), "magma")
left.set(xticks=[], yticks=[], title="measured")
below = {"location": "bottom", "shrink": 0.4}
figure.colorbar(counts, ax=left, label="log₁₀ photons", **below | {"shrink": 0.8})
show(middle, same.numpy(), f"reconstructed, error {error:.4f}")
show(right, truth.numpy(), "the truth")
both = [middle, right]
bar = figure.colorbar(right.images[0], ax=both, label="phase (rad)", **below)
bar.set_ticks([-np.pi, 0, np.pi], labels=["−π", "0", "π"])
plt.show()
