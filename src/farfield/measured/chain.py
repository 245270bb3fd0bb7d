"""The whole chain: a detector's files in; an object, its starts and a verdict out."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from farfield.iterative.asking import RECIPE, read_asked
from farfield.iterative.reconstruction import reconstruct
from farfield.machine.devices import claim_device
from farfield.measured import crystal, cxi, gathering, inspection, report, vti
from farfield.measured.loading import load, read_support
from farfield.study import figures

FREE = 0.05
"""Share of the measured pixels that judge, as in PyNX."""

STARTS = 10

BESIDE = {2: (".png",), 3: (".png", ".vti")}
"""What comes beside a result, by the axes of its pattern; the last of a volume whose place is known."""


def inspect(data: str | Path, picture: str | Path, **how: Any) -> list[str]:
    """Show what would be reconstructed.

    Parameters
    ----------
    data : str or Path
    picture : str or Path
        A PNG to write.
    **how
        As for `loading.load`.

    Returns
    -------
    list of str
        What was done to the frame or the scan, a line each.
    """
    loaded = load(data, **how)
    if Path(picture).suffix != ".png":
        raise ValueError(f"{picture}: expected a picture that ends in .png; name it so")
    inspection.draw(loaded.prepared, loaded.raw, picture)
    return loaded.steps


def reconstruct_file(
    data: str | Path,
    output: str | Path,
    *,
    dimensions: int = 2,
    starts: int = STARTS,
    seed: int = 0,
    recipe: str | None = None,
    values: Literal["complex", "positive"] = "complex",
    support: str | Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
    progress: bool = False,
    **how: Any,
) -> str:
    """Reconstruct a measured frame or a rocking scan, and write the result and its figure.

    Parameters
    ----------
    data : str or Path
    output : str or Path
        A ``.cxi`` file; beside it come a ``.png`` of the same name and, of a scan whose geometry is known, a
        ``.vti`` of the crystal in the laboratory's frame.
    dimensions : {2, 3}
        3 if the frames are a rocking scan: a volume.
    starts, seed, recipe, values
        As for `reconstruct`.
    support : str or Path, optional
        As for `loading.read_support`; it is kept as it is.
    device : str
        ``cpu``, ``cuda`` or ``cuda-if-available``.
    overwrite : bool
        Whether a result that exists is replaced.
    say : callable
        Told each step as it is done.
    progress : bool
        Whether a bar is shown.
    **how
        As for `loading.load`.

    Returns
    -------
    str
        The verdict.

    Raises
    ------
    ValueError
        If a file is not what it should be, or no object can be made of it.
    """
    output = Path(output)
    sources = [data, support, *(how.get(name) for name in ("mask", "flat", "dark", "monitor", "spec"))]
    cxi.check_new(output, overwrite, sources, BESIDE.get(dimensions, ()))
    loaded = load(data, dimensions=dimensions, **how)
    for step in loaded.steps:
        say(step)
    known = None if support is None else read_support(support, loaded)
    options = {"dimensions": dimensions, "recipe": recipe, "seed": seed, "values": values, "free": FREE}
    asked = {
        "mask": loaded.prepared.mask,
        "quantum": loaded.prepared.quantum,
        "background": loaded.prepared.background,
        "support": known,
        "fixed": known is not None,
        "mask_outliers": True,  # which the flat field brought to light
        **options,
    }
    intensity = loaded.prepared.intensity
    found = reconstruct(intensity.to(claim_device(device)), starts=starts, keep="group", progress=progress, **asked)
    told = {"data": data, "support": support, "device": device, **how, "starts": starts, **options}
    told = {name: _plain(value) for name, value in {**told, "recipe": recipe or RECIPE}.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they have been said
        patterns, _, suspect = read_asked(intensity, **asked)
    result = gathering.gather(found, loaded, patterns, bool(suspect.any()), told)
    _write(output, result, Path(data).name, overwrite)
    return result.verdict


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _write(output: Path, result: cxi.Result, title: str, overwrite: bool) -> None:
    """Write a result, its figure, and the crystal of a volume where its place is known."""
    cxi.write(output, result, overwrite)
    if result.object.ndim == 2:
        drawn = report.draw(result, title)
    elif result.space is None:
        output.with_suffix(".vti").unlink(missing_ok=True)  # of the result that this one replaces
        drawn = report.draw_volume(result, crystal.in_voxels(result.object, support=result.support), title)
    else:
        found = crystal.in_laboratory(result.object, result.space, support=result.support)
        vti.write(output.with_suffix(".vti"), found)
        drawn = report.draw_volume(result, found, title)
    figures.save(drawn, output.with_suffix(".png"))
