"""One figure of a crystal in the laboratory: three cuts through its middle, and its surface."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from mpl_toolkits.mplot3d import Axes3D
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from scipy import ndimage
from skimage.measure import marching_cubes

from farfield.measured.crystal import Crystal
from farfield.study.figures import TEXT_WIDTH, theme
from farfield.study.pictures import picture

FINEST = 64
"""Cells along the longest side of the surface that is drawn: what a figure resolves."""

QUANTILE = 99.0
"""Of what a field has inside, in percent, at the end of its colours: single voxels at the surface go beyond."""

LIGHT = np.array([0.1, -0.7, 0.7])
"""Where light comes from in the surface's axes: over the left shoulder of who looks at them."""

PLANES = (("x", "y", 0), ("x", "z", 1), ("z", "y", 2))
"""Across and up in each cut, and the axis of (z, y, x) that it cuts."""

NAMES = {
    True: ({"x": "x", "y": "y", "z": "z"}, "nm"),
    False: ({"x": "columns", "y": "rows", "z": "frames"}, "voxels"),
}
"""What axes are called, and their unit, where the laboratory is known and where it is not."""


@theme()
def draw(crystal: Crystal, title: str) -> Figure:
    """Draw a crystal; `figures.save` writes it.

    Parameters
    ----------
    crystal : Crystal
    title : str
        First line above the figure, such as the scan's name.

    Returns
    -------
    matplotlib.figure.Figure
        Magnitude, displacement and strain in three planes through the crystal's middle, and its surface in the
        colours of the displacement.
    """
    figure = Figure(figsize=(TEXT_WIDTH, 4.4), layout="constrained")
    panels(figure, crystal)
    figure.suptitle(f"{title}\n{described(crystal)}")
    return figure


def described(crystal: Crystal, known: bool = True) -> str:
    """Tell a crystal's size in a line; in voxels where its place in the laboratory is not known."""
    size = " × ".join(f"{extent:.0f}" for extent in _extents(crystal))
    if not known:
        return f"crystal of {size} voxels (columns, rows, frames)"
    told = f"voxels of {crystal.voxel:.3g} nm, lattice planes {1e3 * crystal.spacing():.1f} pm apart"
    return f"crystal of {size} nm (x, y, z), {told}"


def panels(figure: FigureBase, crystal: Crystal, known: bool = True) -> None:
    """Fill a figure, or a part of one, with cuts and the surface.

    Parameters
    ----------
    figure : matplotlib.figure.FigureBase
    crystal : Crystal
    known : bool
        Whether its place in the laboratory is known. Where it is not, it is of `crystal.in_voxels`, and its phase is
        shown instead of displacement and strain.
    """
    left, right = figure.subfigures(1, 2, width_ratios=[1.4, 1])
    signed = {"displacement (nm)": crystal.displacement, "strain (10⁻⁴)": 1e4 * crystal.strain}
    signed = signed if known else {"phase (rad)": crystal.phase}
    fields = [("magnitude", crystal.magnitude, "gray", Normalize(0, float(crystal.magnitude.max())))]
    fields += [(name, values, "RdBu_r", _even(values, crystal.support)) for name, values in signed.items()]
    grid = left.subplots(len(fields), 3)
    middle = np.rint(ndimage.center_of_mass(crystal.support)).astype(int).tolist()
    for row, (name, values, colours, scale) in zip(grid, fields, strict=True):
        for axes, (*_, axis) in zip(row, PLANES, strict=True):
            cut, inside = (field.take(middle[axis], axis) for field in (values, crystal.support))
            shown = cut if name == "magnitude" else np.ma.masked_where(~inside, cut)
            image = _cut(axes, shown.T if axis == 2 else shown, colours, scale)
        left.colorbar(image, ax=row, label=name, aspect=12, extend="neither" if name == "magnitude" else "both")
    (names, unit), gap = NAMES[known], " " if known else "\n"  # there is no room for longer names
    for top, bottom, (across, up, _) in zip(grid[0], grid[-1], PLANES, strict=True):
        top.set_title(f"{names[across]} to the right,{gap}{names[up]} up", fontsize=7)
        rows, columns = bottom.images[0].get_array().shape
        bottom.set_xlabel(f"{columns * crystal.voxel:.0f} × {rows * crystal.voxel:.0f} {unit}", fontsize=7)
    _surface(right.add_subplot(projection="3d"), crystal, fields[1], known)


def _even(values: np.ndarray, inside: np.ndarray) -> Normalize:
    """Choose colours about zero."""
    largest = float(np.percentile(np.abs(values[inside]), QUANTILE)) or 1.0
    return Normalize(-largest, largest)


def _extents(crystal: Crystal) -> list[float]:
    """Tell how far the crystal goes along x, y and z, in nm."""
    lines = [
        np.flatnonzero(crystal.support.any(tuple(other for other in range(3) if other != axis))) for axis in (2, 1, 0)
    ]
    return [float(line[-1] - line[0] + 1) * crystal.voxel for line in lines]


def _cut(axes: Axes, values: np.ndarray, colours: str, scale: Normalize) -> AxesImage:
    """Draw one plane, its first axis up."""
    return picture(axes, values, cmap=colormaps[colours].with_extremes(bad="0.85"), norm=scale, origin="lower")


def _surface(axes: Axes3D, crystal: Crystal, shown: tuple[str, np.ndarray, str, Normalize], known: bool) -> None:
    """Draw the isosurface in the colours of a field below it; y is up."""
    name, field, colours, scale = shown
    near = ndimage.binary_dilation(crystal.support)
    step = max(1, round(max(near.shape) / FINEST))
    solid = np.pad(np.where(near, crystal.magnitude, 0), step)
    corners, faces, normals, _ = marching_cubes(solid, crystal.isosurface, step_size=step)
    inside = ndimage.distance_transform_edt(~crystal.support, return_distances=False, return_indices=True)
    values = ndimage.map_coordinates(field[tuple(inside)], (corners - step).T, order=1, mode="nearest")[faces].mean(1)
    z, y, x = ((corners - step) * crystal.voxel + np.array(crystal.origin)[::-1]).T
    places = np.stack([z, x, y], -1)  # a turn, no mirror: y becomes matplotlib's height
    normal = normals[faces].mean(1)[:, [0, 2, 1]]
    shade = 0.7 + 0.3 * np.clip(normal @ LIGHT, -1, 1)
    paint = colormaps[colours](scale(values)) * np.stack([shade, shade, shade, np.ones_like(shade)], -1)
    axes.add_collection3d(Poly3DCollection(places[faces], facecolors=paint, linewidth=0, antialiased=False))
    low, high = places.min(0), places.max(0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_title(f"surface, in the colours of {name.partition(' ')[0]}")
    names, unit = NAMES[known]
    for axis, label in (("z", axes.set_xlabel), ("x", axes.set_ylabel), ("y", axes.set_zlabel)):
        label(f"{names[axis]} ({unit})" if known else names[axis], labelpad=-2)
    axes.set_box_aspect(high - low, zoom=0.75)
    axes.locator_params(nbins=3)
    axes.tick_params(pad=0)
