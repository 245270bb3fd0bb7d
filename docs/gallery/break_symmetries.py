"""
Break the symmetries
====================

A far-field pattern does not tell where in its frame the object lies, whether it is
the object or its conjugate flip (the twin), nor its global phase. A network that is
trained to invert patterns is asked for one of these copies, and the pattern does
not say which. Algorithm 1 of `arXiv:2403.15448 <https://arxiv.org/abs/2403.15448>`_
chooses one copy of each object before any learning, the same for all of them;
:doc:`/why-symmetries-hurt` goes on from here.
"""

# %%
# Four copies, one pattern
# ------------------------
#
# A simulated Bragg CDI crystal: magnitude 1 inside, its phase that of dislocations.

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch

import farfield
from farfield.symmetry import conjugate_flip, rotate_phase, translate

crystal = farfield.simulate(1, 32, seed=5)[0]
copies = {
    "a crystal": crystal,
    "translated": translate(crystal, (6, 6)),
    "conjugate flip": conjugate_flip(crystal),
    "phase + 2 rad": rotate_phase(crystal, 2.0),
}
objects = torch.stack(list(copies.values()))
patterns = farfield.measure(objects)  # (4, 64, 64), DC in the centre
apart = (patterns - patterns[0]).abs().max() / patterns.max()
print(f"the patterns differ by at most {apart:.0e} of their maximum")
assert apart < 1e-5

# %%
# One form for all
# ----------------
#
# The content is centred, flipped where the phase of the first frequency asks for
# it, and turned so that DC is real.

broken = farfield.break_symmetries(objects)
apart = (broken - broken[0]).abs().max()
print(f"after breaking, the copies differ by at most {apart:.0e}")
assert apart < 1e-4

PHASES = sns.husl_palette(256, s=0.9, l=0.7, as_cmap=True)


def show(axes, field, title=""):
    """Draw phase as colour and magnitude as brightness."""
    brightness = np.abs(field).clip(0, 1)
    axes.imshow(np.angle(field), PHASES, vmin=-np.pi, vmax=np.pi, alpha=brightness)
    axes.set(facecolor="black", xticks=[], yticks=[], title=title)


figure = plt.figure(figsize=(9.5, 3.5), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[2, 1])
grid = left.subplots(2, 4)
for column, name, copy, chosen in zip(grid.T, copies, objects, broken, strict=True):
    show(column[0], copy.numpy(), name)
    show(column[1], chosen.numpy())
grid[0, 0].set_ylabel("before")
grid[1, 0].set_ylabel("after breaking")
axes = right.subplots()
axes.imshow(patterns[0].clamp_min(0.1).log10().numpy(), "magma")
axes.set(xticks=[], yticks=[], title="the pattern of all eight (log scale)")
plt.show()
