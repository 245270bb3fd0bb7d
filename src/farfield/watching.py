"""Training while it runs: learning curves refreshed as a picture, or TensorBoard."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from farfield import figures
from farfield.store import StoreError


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
    histories = [cell / name for cell in sorted(cells) for name in ("history.csv", "progress.csv")]
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


def tensorboard(folder: str | Path) -> Callable[[Mapping[str, float]], None]:
    """Make what writes each epoch of a training for TensorBoard.

    Parameters
    ----------
    folder : str or Path
        Of the training; events go into ``tensorboard`` in it. A resumed training overwrites what it repeats.

    Returns
    -------
    callable
        For `training.fit`'s `on_epoch`.

    Raises
    ------
    ValueError
        If TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ValueError(
            "expected the package tensorboard for tensorboard: true, found none; pip install tensorboard, or set it "
            "to false"
        ) from None
    writers: list[SummaryWriter] = []

    def write(row: Mapping[str, float]) -> None:
        epoch = int(row["epoch"])
        if not writers:
            writers.append(SummaryWriter(Path(folder) / "tensorboard", purge_step=epoch))
        for name in sorted(set(row) - {"epoch"}):
            writers[0].add_scalar(name, row[name], epoch)
        writers[0].flush()

    return write
