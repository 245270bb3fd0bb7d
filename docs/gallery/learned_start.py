"""
A learned start
===============

A small network that sees a pattern once gives a blurred object: wrong as an answer,
but iterations that begin there find the crystal sooner than from phases that know
nothing. :doc:`/learned-starts` is the study of it; this one, of 16 × 16 pixels and
200 crystals, shows how it is done.
"""

# %%
# Train for a few seconds
# -----------------------
#
# ``labels="invariant"``: of all symmetric copies of a label the one counts that is
# nearest to the output, so nothing need be broken before.

from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch

import farfield
from farfield.iterative import blob, watch
from farfield.learning import Objective, Settings, fit
from farfield.symmetry import align

training, validation, test = (
    farfield.simulate(count, 16, seed) for seed, count in enumerate((200, 20, 60))
)
schedule = {"batch_size": 32, "learning_rate": 6e-3, "schedule": "cosine"}
settings = Settings(epochs=12, updates=0, **schedule)
up_to_symmetry = Objective(labels="invariant")
with TemporaryDirectory() as folder:
    how = {"folder": folder, "options": {"width": 8}}
    network = fit("hybrid", training, validation, settings, up_to_symmetry, **how)

patterns = farfield.measure(test)
with torch.inference_mode():
    guesses = network(patterns)  # (60, 16, 16)

# %%
# Go on from there
# ----------------
#
# The same 100 iterations of all 60 test crystals from three starts: the network's
# objects; a Gaussian blob; noise.

energy = test.abs().double().square().mean((-2, -1))
random = torch.Generator().manual_seed(0)
noise = torch.randn(test.shape, dtype=test.dtype, generator=random)
starts = {"noise": noise, "a blob": blob(16), "the network's output": guesses}
solved = {}
for name, start in starts.items():
    solved[name] = {}
    for state in watch(patterns, "80*HIO+20*ER", start=start, dimensions=2):
        errors = farfield.symmetry_adjusted_mse(test, state.objects) / energy
        solved[name][state.iteration] = float((errors < 1e-3).double().mean())
    print(f"{name}: {solved[name][100]:.0%} solved after 100 iterations")
from_noise, from_blob, from_network = (sum(x.values()) for x in solved.values())
assert from_network > from_blob > from_noise

# %%
# What the network gives, and what becomes of it
# ----------------------------------------------
#
# Of the crystals that were solved from the network's output, three whose phase
# varies most.

PHASES = sns.husl_palette(256, s=0.9, l=0.7, as_cmap=True)


def show(axes, field, title):
    """Draw phase as colour and magnitude as brightness."""
    brightness = np.abs(field).clip(0, 1)
    axes.imshow(np.angle(field), PHASES, vmin=-np.pi, vmax=np.pi, alpha=brightness)
    axes.set(facecolor="black", xticks=[], yticks=[], title=title)


constant = test.mean((-2, -1)).abs() / test.abs().mean((-2, -1))  # phase: 1
chosen = torch.where(errors < 1e-3, constant, 1).argsort()[:3].tolist()
columns = {"network": guesses, "100 iterations": state.objects, "truth": test}
figure = plt.figure(figsize=(9.5, 4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1.25, 1])
axes = left.subplots()
for name, shares in reversed(solved.items()):
    axes.plot(list(shares), list(shares.values()), ".-", label=name)
axes.set(xlabel="iterations", ylabel="share of crystals solved", ylim=(-0.02, 1))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
for row, index in zip(right.subplots(3, 3), chosen, strict=True):
    for axes, (name, objects) in zip(row, columns.items(), strict=True):
        same = align(test[index], objects[index])
        show(axes, same.numpy(), name if index == chosen[0] else "")
plt.show()
