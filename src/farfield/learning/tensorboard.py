"""Training's numbers as events for TensorBoard, for those who have it."""

from collections.abc import Callable, Mapping
from pathlib import Path


def writer(folder: str | Path) -> Callable[[Mapping[str, int | float]], None]:
    """Make an `on_epoch` for `training.fit` that writes events into ``tensorboard`` in the training's folder.

    A resumed training overwrites what it repeats. Without the package there is a ValueError.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except (ImportError, AttributeError):  # the latter where it is there in name only
        raise ValueError(
            "expected the package tensorboard for tensorboard: true, found none; pip install tensorboard, or set it "
            "to false"
        ) from None
    writers: list[SummaryWriter] = []

    def write(row: Mapping[str, int | float]) -> None:
        epoch = int(row["epoch"])
        if not writers:
            writers.append(SummaryWriter(Path(folder) / "tensorboard", purge_step=epoch))
        for name in sorted(set(row) - {"epoch"}):
            writers[0].add_scalar(name, row[name], epoch)
        writers[0].flush()

    return write
