"""
A network, applied to counts
============================

A network is trained on patterns of one scale, and a detector counts photons at
another. ``apply`` takes a file as a detector leaves it, brings each pattern to the
scale of the training set, fills what is masked, and writes the objects; with
``refine`` iterations go on from them.
"""

# %%
# A model file
# ------------
#
# Two seconds of training on 200 crystals of 16 × 16 pixels, their symmetries
# broken: enough to show the way, not to be good. ``farfield.load`` gives the
# network of such a file as a ``torch.nn.Module``.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch

import farfield
from farfield.learning import Settings, fit
from farfield.measured import apply
from farfield.physics import photon_noise
from farfield.symmetry import align

folder = TemporaryDirectory()
place = Path(folder.name)
training, validation = (
    farfield.break_symmetries(farfield.simulate(count, 16, seed))
    for seed, count in ((0, 200), (1, 20))
)
settings = Settings(epochs=16, updates=0)
fit("unet", training, validation, settings, folder=place, options={"width": 16})
model = place / "best.safetensors"
network = farfield.load(model)
weights = sum(weight.numel() for weight in network.parameters())
print(f"{weights} weights, for patterns of {len(network.mean)}²")

# %%
# Counts, and what becomes of them
# --------------------------------
#
# Six patterns of 2e5 photons each, in a file.

truth = farfield.simulate(6, 16, seed=5)
clean = farfield.measure(truth)
photons = 2e5 / clean.sum((-2, -1), keepdim=True)
counts = (photon_noise(clean, photons=2e5, seed=0) * photons).round()
np.save(place / "counts.npy", counts.numpy())
applied = apply(model, place / "counts.npy", place / "objects.npy")
refined = apply(model, place / "counts.npy", place / "refined.npy", refine=True)
residuals = float(applied.residual.median()), float(refined.refined.median())
print("Fourier residual: network {:.2f}, refined {:.3f}".format(*residuals))
assert residuals[1] < 0.1 < residuals[0]

# %%
# What the network says, and what iterations make of it
# -----------------------------------------------------
#
# Each object is brought over the truth (``align``) and to its scale, which no
# pattern of unknown exposure tells.

PHASES = sns.husl_palette(256, s=0.9, l=0.7, as_cmap=True)


def show(axes, field):
    """Draw phase as colour and magnitude as brightness."""
    brightness = np.abs(field).clip(0, 1)
    axes.imshow(np.angle(field), PHASES, vmin=-np.pi, vmax=np.pi, alpha=brightness)
    axes.set(facecolor="black", xticks=[], yticks=[])


made, better = (
    torch.from_numpy(np.load(place / f"{name}.npy"))
    for name in ("objects", "refined")
)
folder.cleanup()
labels = ("counts", "network", "refined", "truth")
figure, grid = plt.subplots(4, 6, figsize=(9.5, 6.6), layout="constrained")
for column, pattern, *objects in zip(
    grid.T, counts, made, better, truth, strict=True
):
    column[0].imshow(pattern.clamp_min(0.5).log10().numpy(), "magma")
    column[0].set(xticks=[], yticks=[])
    for axes, found in zip(column[1:], objects, strict=True):
        same = align(objects[-1], found)
        show(axes, (same * (objects[-1].norm() / same.norm())).numpy())
for axes, label in zip(grid[:, 0], labels, strict=True):
    axes.set_ylabel(label)
plt.show()
