"""
Follow a reconstruction
=======================

``watch`` is one start as a generator: it stops after each update of the support,
and shows the object, the support and the residual there. Leave the loop, and the
start ends.
"""

# %%
# One start, step by step
# -----------------------
#
# Hybrid input-output moves the object about, error reduction settles it: the recipe
# has both in turn.

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

import farfield
from farfield.iterative import watch

pattern = farfield.measure(farfield.simulate(1, 32, seed=10)[0])  # (64, 64)
states = []
for state in watch(pattern, "4*(180*HIO+20*ER)", seed=0):
    states.append(state)
    if state.residual < 1e-4:
        break
print(f"residual {state.residual:.1e} after {state.iteration} iterations")
assert state.residual < 1e-4

# %%
# What it went through
# --------------------
#
# The residual, the relative misfit of the far field's amplitudes, stays while the
# support (white) is wrong, and falls at once when the two have found each other.

PHASES = sns.husl_palette(256, s=0.9, l=0.7, as_cmap=True)


def show(axes, field, title):
    """Draw phase as colour and magnitude as brightness."""
    brightness = np.abs(field).clip(0, 1)
    axes.imshow(np.angle(field), PHASES, vmin=-np.pi, vmax=np.pi, alpha=brightness)
    axes.set(facecolor="black", xticks=[], yticks=[], title=title)


middle = (slice(14, 50), slice(14, 50))
chosen = [states[int(index)] for index in np.linspace(0, len(states) - 1, 5)]
figure = plt.figure(figsize=(9.5, 4.8), layout="constrained")
above, below = figure.subfigures(2, 1)
axes = above.subplots()
iterations, residuals = ([x[number] for x in states] for number in (0, 3))
axes.semilogy(iterations, residuals, ".-", color="0.4")
axes.plot([x.iteration for x in chosen], [x.residual for x in chosen], "o")
axes.set(xlabel="iteration", ylabel="residual")
axes.spines[["top", "right"]].set_visible(False)
for axes, state in zip(below.subplots(1, 5), chosen, strict=True):
    show(axes, state.objects[middle].numpy(), f"iteration {state.iteration}")
    axes.contour(
        state.support[middle].numpy(), [0.5], colors="white", linewidths=0.8
    )
plt.show()
