"""
A new objective
===============

What a network is trained for is α · data + (1 − α) · physics: how far its output is
from the label, and how far the output's pattern is from the measured one. A new
misfit is a function of what is seen of both, and a name; :doc:`/extend` says how it
gets into the studies. This one compares patterns up to their scale, and needs no
label.
"""

# %%
# A misfit
# --------
#
# It gets the amplitudes of the output's far field and of the pattern, (batch, M,
# M), and gives one value per sample, 1 for an output of zero.

from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch

import farfield
from farfield.learning import OBJECTIVES, Objective, Settings, fit
from farfield.symmetry import align


def correlation(seen):
    """1 - Σ |F g| √Y / (‖F g‖ ‖√Y‖): one minus the correlation of amplitudes."""
    overlap = (seen.field * seen.amplitude).sum((-2, -1))
    norms = [x.square().sum((-2, -1)).sqrt() for x in (seen.field, seen.amplitude)]
    return 1 - overlap / (norms[0] * norms[1]).clamp_min(1e-30)


OBJECTIVES["correlation"] = correlation

# %%
# Beside labels as they come
# --------------------------
#
# The same network, data and number of updates. In the first training every symmetry
# is left in the labels; in the second no label is used, and amplitudes are
# low-passed, as those of a blurred object, less and less (σ from 1.5 to 0.75
# pixels).

training, validation, test = (
    farfield.simulate(count, 16, seed) for seed, count in enumerate((200, 20, 60))
)
schedule = {"batch_size": 32, "learning_rate": 6e-3, "schedule": "cosine"}
settings = Settings(epochs=10, updates=0, **schedule)
low_passed = {"physics": "correlation", "low_pass": (1.5, 0.75)}
objectives = {
    "labels": Objective(),
    "correlation": Objective(data=0.0, **low_passed),
}
patterns, energy = farfield.measure(test), test.abs().square().mean((-2, -1))
history, made, errors = {}, {}, {}
for name, objective in objectives.items():
    rows = history[name] = []
    with TemporaryDirectory() as folder:
        how = {"folder": folder, "options": {"width": 8}, "on_epoch": rows.append}
        network = fit("hybrid", training, validation, settings, objective, **how)
    with torch.inference_mode():
        made[name] = network(patterns)
    relative = farfield.symmetry_adjusted_mse(test, made[name]) / energy
    errors[name] = float(relative.mean())
    print(f"{name}: SA-MSE {errors[name]:.2f} of predicting zero, on the test set")
assert errors["correlation"] < errors["labels"]

# %%
# What they learned
# -----------------
#
# Each output is brought over the truth, and to its scale, which the correlation
# leaves open.

PHASES = sns.husl_palette(256, s=0.9, l=0.7, as_cmap=True)


def show(axes, field, title):
    """Draw phase as colour and magnitude as brightness."""
    brightness = np.abs(field).clip(0, 1)
    axes.imshow(np.angle(field), PHASES, vmin=-np.pi, vmax=np.pi, alpha=brightness)
    axes.set(facecolor="black", xticks=[], yticks=[], title=title)


scale = float(validation.abs().double().square().mean())
constant = test.mean((-2, -1)).abs() / test.abs().mean((-2, -1))  # phase: 1
chosen = constant.argsort()[3:6].tolist()
figure = plt.figure(figsize=(9.5, 4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1.25, 1])
axes = left.subplots()
for name, rows in history.items():
    scores = [row["validation_sa_mse"] / scale for row in rows]
    axes.plot(range(1, len(scores) + 1), scores, ".-", label=name)
axes.set(xlabel="epoch", ylabel="SA-MSE relative to predicting zero", ylim=(0, 1))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="lower left")
for row, index in zip(right.subplots(3, 3), chosen, strict=True):
    columns = {**made, "truth": test}
    for axes, (name, objects) in zip(row, columns.items(), strict=True):
        same = align(test[index], objects[index])
        scaled = same * (test[index].norm() / same.norm())
        show(axes, scaled.numpy(), name if index == chosen[0] else "")
plt.show()
