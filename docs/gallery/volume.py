"""
A volume
========

A crystal that is rocked through its Bragg peak gives a volume of counts, frame by
frame. It is reconstructed by the same call: ``dimensions=3`` tells a volume from a
stack of patterns.
"""

# %%
# A polyhedron, strained, with a screw dislocation
# ------------------------------------------------

import matplotlib.pyplot as plt
from scipy.constants import eV

import farfield
from farfield.measured import Geometry, crystal, cuts, rocking
from farfield.physics import photon_noise, polyhedra
from farfield.study import figures
from farfield.symmetry import volumes

truth = polyhedra.simulate(1, 20, seed=2)  # (1, 20, 20, 20)
clean = farfield.measure(truth, dimensions=3)  # (1, 40, 40, 40)
pattern = photon_noise(clean, photons=1e7, seed=0, dimensions=3)

# %%
# Reconstructed
# -------------

found = farfield.reconstruct(pattern, seed=0, dimensions=3)
error = float(volumes.relative_error(truth, found.objects))
print(f"solved: {bool(found.solved)}, relative error {error:.4f}")
assert bool(found.solved)
assert error < 0.01

# %%
# In the laboratory
# -----------------
#
# Voxels lie askew, along the dual of the steps of q that frames, rows and columns
# take. Of energy, distance, pixel and the diffractometer's angles come these steps,
# and with them cubic voxels, the displacement of the lattice and its strain
# (:doc:`/measured`).

geometry = Geometry(energy=9e3 * eV, distance=0.5, pixel_size=(110e-6, 110e-6))
space = rocking("34-ID-C", {"delta": 32.0, "gamma": 12.6}, "theta", 0.02, geometry)
density, support = found.objects[0].numpy(), found.support[0].numpy()
shown = crystal.in_laboratory(density, space, support=support)
assert abs(shown.spacing() - 0.235) < 0.01  # nm: gold (111) has 0.2355

with figures.theme():
    figure = plt.figure(figsize=(7.2, 4.4), layout="constrained")
    cuts.panels(figure, shown)
    figure.suptitle(cuts.described(shown))
    plt.show()
