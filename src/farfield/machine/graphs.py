"""A GPU's work as one launch: what is done again and again on tensors of one shape is captured as a CUDA graph.

Small batches wait for Python and the driver, not for arithmetic: tens of launches for an iteration, hundreds for a
step of a training. A graph launches all of them at once.
"""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

logger = logging.getLogger(__name__)

Argument = torch.Tensor | float


class Captured:
    """A function of tensors: on a GPU called as it is at first, then captured, and from then on replayed.

    For tensors of other shapes than the first, and where it cannot be captured (it asks the GPU for a number, say),
    it is called as it is; the latter is logged once. On a CPU it always is.

    Parameters
    ----------
    function : callable
        From tensors and numbers, which it gets as tensors too on a GPU, to a tensor or a tuple of them. Whatever else
        it changes must stay where it is in memory, and whatever else it reads, if it is no tensor, as it is.
    warm_up : int
        Calls before the capture: in them libraries choose and allocate.
    name : str
        What the log calls it.
    """

    def __init__(self, function: Callable[..., Any], warm_up: int, name: str):
        self.function, self.warm_up, self.name = function, warm_up, name
        self.shapes: list[torch.Size] | None = None
        self.held: list[torch.Tensor] = []
        self.graph: torch.cuda.CUDAGraph | None = None
        self.stream: torch.cuda.Stream | None = None

    def __call__(self, *arguments: Argument) -> Any:
        """Call it; what a replay returns is overwritten by the next one."""
        if not arguments[0].is_cuda:
            return self.function(*arguments)
        device = arguments[0].device  # of several GPUs, not always the current one: only its own stream is captured
        # A network's gradients are summed up in the stream of the first call: all calls must be in one.
        outer, self.stream = torch.cuda.current_stream(device), self.stream or torch.cuda.Stream(device)
        self.stream.wait_stream(outer)
        with torch.cuda.stream(self.stream):
            result = self._call(*arguments)
        outer.wait_stream(self.stream)
        return result

    def _call(self, *arguments: Argument) -> Any:
        shapes = [x.shape for x in arguments if isinstance(x, torch.Tensor)]
        self.shapes = self.shapes or shapes
        if shapes != self.shapes or self.warm_up < 0:
            return self.function(*_as_tensors(arguments))
        if self.graph is None and self.warm_up > 0:
            return self._try(arguments)
        if self.graph is None:
            self._capture(arguments)
        if self.graph is None:
            return self.function(*_as_tensors(arguments))
        for held, given in zip(self.held, arguments, strict=True):
            held.copy_(given) if isinstance(given, torch.Tensor) else held.fill_(given)
        self.graph.replay()
        return self.outputs

    def _try(self, arguments: tuple[Argument, ...]) -> Any:
        """Call it as it is, the last time in wait for what no graph can hold: a question to the GPU."""
        self.warm_up -= 1
        if self.warm_up:
            return self.function(*_as_tensors(arguments))
        given = _as_tensors(arguments)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                result = self.function(*given)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        for warning in warned:
            said = str(warning.message)
            if "called a synchronizing" in said and self.warm_up == 0:
                self._give_up(f"{Path(warning.filename).name}, line {warning.lineno}, asks the GPU for a number")
            elif not said.startswith(("called a synchronizing", "Synchronization debug mode")):  # torch's own
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        return result

    def _capture(self, arguments: tuple[Argument, ...]) -> None:
        self.held = [x.clone() for x in _as_tensors(arguments)]
        graph = torch.cuda.CUDAGraph()
        # Not torch.cuda.graph, which empties the allocator's cache: what follows would ask the driver anew.
        torch.cuda.synchronize()
        try:
            graph.capture_begin()
            try:
                self.outputs = self.function(*self.held)
            finally:
                graph.capture_end()
        except RuntimeError as error:
            self._give_up(str(error).split("\n")[0])
        else:
            self.graph = graph

    def _give_up(self, reason: str) -> None:
        self.warm_up = -1
        logger.warning("%s cannot be captured, so it runs launch by launch: %s", self.name, reason)


def _as_tensors(arguments: tuple[Argument, ...]) -> list[torch.Tensor]:
    device = arguments[0].device
    return [x if isinstance(x, torch.Tensor) else torch.full((), x, device=device) for x in arguments]
