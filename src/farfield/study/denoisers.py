"""``tables/denoiser``: a study's denoiser beside non-local means, on test images with noise of each level."""

import numpy as np
import pandas as pd
import torch
import xarray as xr
from skimage.restoration import denoise_nl_means

from farfield.learning.denoiser import GREYS, Denoiser, denoise
from farfield.learning.denoising import LEVELS, add_noise, psnr
from farfield.study import errors, rendering
from farfield.study.rendering import Block
from farfield.symmetry.phases import fix_phase, images_of

COLUMNS = ["method", "sigma", "images", "psnr", "se"]

NAMES = {"noisy": "as they are", "nlm": "non-local means", "denoiser": "the study's denoiser"}


def _non_local_means(images: np.ndarray, sigma: float) -> np.ndarray:
    """Denoise by scikit-image's, as its documentation advises where σ is known: patches of 5², h = 0.8 σ."""
    known = {"patch_size": 5, "patch_distance": 6, "h": 0.8 * sigma, "sigma": sigma, "fast_mode": True}
    return np.stack([denoise_nl_means(image, **known) for image in images])


def compare(model: Denoiser, test: xr.Dataset) -> pd.DataFrame:
    """Take noise off the images of test objects, at each of prDeep's levels that the denoiser was trained for.

    Parameters
    ----------
    model : Denoiser
    test : xarray.Dataset
        ``object``, of which it has seen none.

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`: the mean over images of the PSNR in dB, of a peak of 1, and its standard error.
    """
    objects = torch.from_numpy(test.object.values)
    clean = images_of(fix_phase(objects), model.description["values"]).contiguous()
    rows = []
    for level in (level for level in LEVELS if level <= model.sigma):
        sigma = torch.full((len(clean),), float(level))
        noisy = add_noise(clean, sigma, torch.Generator().manual_seed(level))
        found = {
            "noisy": noisy,
            "nlm": torch.from_numpy(_non_local_means(noisy.numpy(), level / GREYS)),
            "denoiser": denoise(model, noisy, level),
        }
        for name, images in found.items():
            each = psnr(clean, images).double().numpy()
            about = {"method": name, "sigma": level, "images": len(each)}
            rows.append({**about, "psnr": each.mean(), "se": errors.standard_error(each)})
    return pd.DataFrame(rows, columns=COLUMNS)


def table(frame: pd.DataFrame) -> rendering.Table:
    """Give what `compare` found its shape."""
    grid = frame.pivot(index="method", columns="sigma", values="psnr").loc[list(NAMES)]
    grid = grid[sorted(grid.columns, reverse=True)]
    rows = [[NAMES[name], *(f"{value:.1f}" for value in line)] for name, line in grid.iterrows()]
    header = [("", "Method"), *(("", f"σ = {level}") for level in grid.columns)]
    count, spread = frame["images"].iloc[0], frame["se"].max()
    caption = (
        f"Peak signal-to-noise ratio, mean over {count} test images with normal noise of σ, of 255; largest standard "
        f"error {spread:.1f}. Non-local means are scikit-image's, which are told σ as well."
    )
    return rendering.Table("denoiser", "The denoiser", caption, frame, [Block("PSNR in dB.", header, rows)])
