"""Training while it runs: learning curves refreshed as a picture."""

import time
from contextlib import suppress
from pathlib import Path

from farfield.learning.training import PROGRESS
from farfield.machine.store import StoreError
from farfield.study import figures


def draw_progress(study: str | Path) -> Path:
    """Draw the learning curves of every cell of a study's grid, finished or running.

    Parameters
    ----------
    study : str or Path
        The study's folder, such as ``results/laptop``.

    Returns
    -------
    Path
        ``{study}/figures/progress.png``, replaced whole.

    Raises
    ------
    StoreError
        If no training of it has got as far as a checkpoint.
    """
    study = Path(study)
    cells = study.glob("models/*/*/*/*")
    histories = [cell / name for cell in sorted(cells) for name in ("history.csv", PROGRESS)]
    found = [path for path in histories if path.exists()]
    if not found:
        raise StoreError(
            f"{study}: expected trainings that have begun, found none; start the study, or name its folder, "
            "such as results/laptop"
        )
    target = study / "figures" / "progress.png"
    figures.save(figures.learning_curves(found), target)
    return target


def watch(study: str | Path, every: float) -> None:
    """Refresh the picture of `draw_progress` until interrupted.

    Parameters
    ----------
    study : str or Path
    every : float
        Seconds between two pictures.
    """
    while True:
        # A training that ends between looking and reading takes its file away; the next picture has it again.
        with suppress(FileNotFoundError):
            print(time.strftime("%H:%M:%S"), draw_progress(study), flush=True)
        time.sleep(every)
