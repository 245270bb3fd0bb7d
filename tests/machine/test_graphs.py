"""Captures where there is no GPU: tensors that say they are on one, and a graph that calls what it was given."""

import logging
import warnings
from contextlib import nullcontext
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch

from farfield.machine import graphs
from farfield.machine.graphs import Captured


class Graph:
    """Does at a replay what was done in its capture, into the same memory."""

    made: ClassVar[list] = []

    def capture_begin(self):
        Graph.made.append(self)

    def capture_end(self):
        pass

    def replay(self):
        self.owner.outputs.copy_(self.owner.function(*self.owner.held))


@pytest.fixture
def gpu(monkeypatch):
    """Pretend that tensors are on a GPU; (calls, function) of a captured sum that counts its calls."""
    Graph.made = []
    stream = SimpleNamespace(wait_stream=lambda other: None)
    pretended = {
        "current_stream": lambda device: stream,
        "Stream": lambda device: stream,
        "stream": lambda stream: nullcontext(),
        "synchronize": lambda: None,
        "set_sync_debug_mode": lambda mode: None,
        "CUDAGraph": Graph,
    }
    for name, value in pretended.items():
        monkeypatch.setattr(graphs.torch.cuda, name, value)
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)


def made(function, warm_up=2):
    captured = Captured(function, warm_up, "a sum")

    class Owned(Graph):
        owner = captured

    graphs.torch.cuda.CUDAGraph = Owned
    return captured


@pytest.mark.usefixtures("gpu")
def test_what_is_done_again_is_captured_once_and_replayed():
    calls = []

    def add(a, b, number):
        calls.append(type(number))
        return a + b * number

    captured = made(add)
    for turn in range(6):
        a, b = torch.randn(3), torch.randn(3)
        assert torch.equal(captured(a, b, 0.5 * turn), a + b * 0.5 * turn)
        assert len(Graph.made) == int(turn >= 2)
    assert set(calls) == {torch.Tensor}  # a capture would keep Python's numbers
    assert torch.equal(
        captured(torch.ones(5), torch.ones(5), 1.0), torch.full((5,), 2.0)
    )  # the last batch of an epoch
    assert torch.equal(captured(torch.ones(3), torch.ones(3), 1.0), torch.full((3,), 2.0))
    assert len(Graph.made) == 1


@pytest.mark.usefixtures("gpu")
def test_what_asks_the_gpu_for_a_number_is_never_captured(caplog):
    def ask(a):
        warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        return 2 * a

    captured = made(ask)
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(5):
            assert torch.equal(captured(torch.ones(2)), torch.full((2,), 2.0))
    assert not Graph.made
    (said,) = caplog.messages
    assert said.startswith("a sum cannot be captured, so it runs launch by launch: test_graphs.py, line ")
    assert said.endswith("asks the GPU for a number")


@pytest.mark.usefixtures("gpu")
def test_other_warnings_pass():
    def warn(a):
        warnings.warn("look out", UserWarning, stacklevel=1)
        return a

    captured = made(warn, warm_up=1)
    with pytest.warns(UserWarning, match="look out"):
        captured(torch.ones(2))


@pytest.mark.usefixtures("gpu")
def test_a_capture_that_fails_is_said_once_and_loses_nothing(caplog, monkeypatch):
    def fail(self):
        raise RuntimeError("operation not permitted when stream is capturing\nmore of it")

    monkeypatch.setattr(Graph, "capture_end", fail)
    captured = made(lambda a: 3 * a)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert torch.equal(captured(torch.ones(2)), torch.full((2,), 3.0))
    assert len(caplog.messages) == 1
    assert "operation not permitted" in caplog.messages[0]
    assert "more of it" not in caplog.messages[0]


@pytest.mark.usefixtures("gpu")
def test_of_several_gpus_it_is_that_of_the_tensors(monkeypatch):
    asked = []
    for name in ("current_stream", "Stream"):
        plain = getattr(graphs.torch.cuda, name)
        monkeypatch.setattr(
            graphs.torch.cuda, name, lambda device, plain=plain: (asked.append(device), plain(device))[1]
        )
    a = torch.ones(2)
    made(lambda a: 2 * a)(a)
    assert asked == [a.device, a.device]  # the current device's stream would capture nothing of another's work


def test_on_a_cpu_it_is_a_call():
    captured = Captured(lambda a, number: (a, number), 0, "a pair")
    a = torch.ones(2)
    assert captured(a, 0.5) == (a, 0.5)
