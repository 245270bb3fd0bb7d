"""What every job of a workflow needs: a log file, and an end in one clear sentence."""

import gc
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)


@contextmanager
def job(log: str | Path) -> Iterator[None]:
    """Log to a file, and end a job that fails for a known reason with its message instead of a traceback.

    SIGTERM, by which schedulers announce a time limit, a preemption or a cancellation, ends it as an exit does, so
    that a training can write its checkpoint first.

    Parameters
    ----------
    log : str or Path
        Gets one line a message, warnings included; on a failure the reason.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", filename=log, filemode="a"
    )
    logging.captureWarnings(True)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(f"error: ended by signal {number}"))
    try:
        yield
    except (ValueError, ArithmeticError) as error:
        logger.error("%s", error, exc_info=type(error) is ValueError)
        sys.exit(f"error: {error}")
    except Exception:
        logger.exception("unexpected")
        raise
    finally:
        # Else the interpreter takes a second to tear down what torch's optimisers import, in every job.
        gc.freeze()
