"""Arrays that numpy and MATLAB saved."""

from pathlib import Path

import h5py
import numpy as np
import scipy.io

from farfield.measured import hdf5
from farfield.measured.frames import Found, choose, refusing, whole_numbers

_NUMERIC = {"double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
_LEAST = 1000  # elements: what is smaller in a MATLAB file is a setting, no frame


def read_npy(path: Path, name: None) -> Found:
    """Map the array of an .npy file."""
    with refusing(path, ".npy"):
        return Found(path.name, np.lib.format.open_memmap(path, mode="r"))


def read_npz(path: Path, name: str | None) -> Found:
    """Read the named array of an .npz file, ``data``, ``iobs``, or the only one; ``mask`` is its mask."""
    with refusing(path, ".npz"), np.lib.npyio.NpzFile(path, allow_pickle=False) as file:
        names = [key for key in file.files if key != "mask" or key == name] or file.files
        chosen = choose(path, name, names, ("data", "iobs"))
        mask = file["mask"] if "mask" in file.files and chosen != "mask" else None
        return Found(f"{path.name}::{chosen}", file[chosen], mask)


def read_mat(path: Path, name: str | None) -> Found:
    """Read the named variable of a .mat file, or its only array of numbers."""
    if h5py.is_hdf5(path):  # version 7.3, whose arrays lie with their axes reversed
        found = hdf5.read(path, name)
        mask = None if found.mask is None else found.mask.T
        return found._replace(data=found.data.T, mask=mask, notes=["axes reversed, as MATLAB 7.3 stores them"])
    with refusing(path, "MATLAB"):
        variables = scipy.io.whosmat(path)
        names = [
            key for key, shape, kind in variables if kind in _NUMERIC and (np.prod(shape) > _LEAST or key == name)
        ]
        chosen = choose(path, name, names)
        return Found(f"{path.name}::{chosen}", whole_numbers(scipy.io.loadmat(path, variable_names=[chosen])[chosen]))
