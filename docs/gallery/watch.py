"""
Follow a reconstruction
=======================

``watch`` is one start as a generator: it stops after each update of the support, and shows the object, the support
and the residual there. Leave the loop, and the start ends.
"""

# %%
# One start, step by step
# -----------------------
#
# Hybrid input-output moves the object about, error reduction settles it: the recipe has both in turn.

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
print(f"{state.iteration} iterations, the last of them {state.algorithm}: residual {state.residual:.1e}")
assert state.residual < 1e-4

# %%
# What it went through
# --------------------
#
# The residual, the relative misfit of the far field's amplitudes, stays while the support (white) is wrong, and falls
# at once when the two have found each other.

PHASES = sns.husl_palette(256, s=0.9, l=0.7, as_cmap=True)


def show(axes, field, title):
    """Draw phase as colour and magnitude as brightness."""
    phase, brightness = np.angle(field), np.abs(field).clip(0, 1)
    axes.imshow(phase, PHASES, vmin=-np.pi, vmax=np.pi, alpha=brightness, interpolation="nearest")
    axes.set(facecolor="black", xticks=[], yticks=[], title=title)


iterations = [state.iteration for state in states]
chosen = np.linspace(0, len(states) - 1, 5).round().astype(int)
grid = [["residual"] * 5, [str(number) for number in range(5)]]
figure, axes = plt.subplot_mosaic(grid, figsize=(9.5, 4.8), layout="constrained", height_ratios=[1, 1])
axes["residual"].semilogy(iterations, [float(state.residual) for state in states], ".-", color="0.4")
for number, index in enumerate(chosen):
    state = states[index]
    axes["residual"].plot(state.iteration, state.residual, "o", color="tab:orange")
    show(axes[str(number)], state.objects[14:50, 14:50].numpy(), f"iteration {state.iteration}")
    axes[str(number)].contour(state.support[14:50, 14:50].numpy(), [0.5], colors="white", linewidths=0.8)
axes["residual"].set(xlabel="iteration", ylabel="residual")
axes["residual"].spines[["top", "right"]].set_visible(False)
plt.show()
