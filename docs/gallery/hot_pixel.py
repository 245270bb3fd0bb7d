"""
A hot pixel, and the verdict
============================

Detectors have pixels that count too much. One of them is enough to spoil an object,
for amplitudes are taken as they are; what is worse, a reconstruction looks like one
all the same. So patterns are looked at before, and nothing that is made of a bad
one is called solved.
"""

# %%
# One pixel of 4096
# -----------------

import warnings

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

import farfield
from farfield.physics import photon_noise
from farfield.symmetry import align

truth = farfield.simulate(1, 32, seed=6)[0]
clean = farfield.measure(truth)
counts = photon_noise(clean, photons=1e6, seed=0) * (1e6 / clean.sum())
counts = counts.round()  # whole photons again, (64, 64)
row, column = 9, 50
counts[row, column] = 200_000

# %%
# As it is
# --------

with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    spoilt = farfield.reconstruct(counts, seed=0)
print(told[0].message)
print(f"solved: {bool(spoilt.solved)}")
assert "hot" in str(told[0].message)
assert not bool(spoilt.solved)

# %%
# Masked
# ------
#
# ``mask_outliers=True`` leaves the far field free where no far field could be what
# is seen there; a ``mask=`` of the detector does the same for what is known to be
# bad.

masked = farfield.reconstruct(counts, seed=0, mask_outliers=True)
print(f"solved: {bool(masked.solved)}, deviance {masked.deviance:.2f}")
assert bool(masked.solved)

# %%
# Held against the truth
# ----------------------

scale = (1e6 / clean.sum()).sqrt()  # of objects whose patterns are counts
objects = [align(truth, found.objects) / scale for found in (spoilt, masked)]
errors = [float(((x - truth).norm() / truth.norm()) ** 2) for x in objects]
assert errors[1] < 0.05 < errors[0]

PHASES = sns.husl_palette(256, s=0.9, l=0.7, as_cmap=True)


def show(axes, field, title):
    """Draw phase as colour and magnitude as brightness."""
    brightness = np.abs(field).clip(0, 1)
    axes.imshow(np.angle(field), PHASES, vmin=-np.pi, vmax=np.pi, alpha=brightness)
    axes.set(facecolor="black", xticks=[], yticks=[], title=title)


look = {"figsize": (9.5, 3.4), "layout": "constrained"}
figure, (left, middle, right) = plt.subplots(1, 3, **look)
left.imshow(counts.clamp_min(0.5).log10().numpy(), "magma")
left.plot(column, row, "o", markersize=16, color="none", markeredgecolor="white")
left.set(xticks=[], yticks=[], title="counts, and a hot pixel")
show(middle, objects[0].numpy(), f"as it is: not solved (error {errors[0]:.2f})")
show(right, objects[1].numpy(), f"masked: solved (error {errors[1]:.3f})")
plt.show()
