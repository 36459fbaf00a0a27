"""What signal handlers and finalizers ask of a device while their thread captures a graph on it: it is done at once,
and the graph has what the program recorded."""

from __future__ import annotations

import gc
import signal
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
import pytest

from autograph import Dense, Tensor, load_checkpoint, save_checkpoint
from krnlpy import Buffer, CaptureError, Device, u32
from tests.support.kernels import increment
from tests.support.typed import untyped

needs_signals = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="the system has no such signal")


class _Handler:
    """Works on a device, in each of the ways in which a handler can be given to Python."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.x = Buffer.zeros(3, u32, device)
        self.count = 0

    def work(self) -> None:
        increment(self.x)
        with self.device.capture() as graph:
            increment(self.x)
        graph.replay()
        self.count += 2
        assert Buffer.from_numpy(np.arange(3, dtype=np.uint32), self.device).numpy().tolist() == [0, 1, 2]
        assert self.x.numpy().tolist() == [self.count] * 3

    def method(self, number: int, frame: object) -> None:
        self.work()

    def __call__(self, *arguments: object) -> None:
        self.work()

    def given(self, _: str, number: int, frame: object) -> None:
        self.work()

    def all_ways(self) -> list[Callable[..., Any]]:
        def function(number: int, frame: object) -> None:
            signal.signal(number, signal.SIG_IGN)
            self.work()

        return [function, self.method, self, partial(self.given, "first"), lambda *_: self.work()]


@needs_signals
def test_a_signal_within_a_capture(device: Device) -> None:
    handler, x = _Handler(device), Buffer.zeros(4, u32, device)
    before = signal.getsignal(signal.SIGUSR1)
    ways = handler.all_ways()
    try:
        for i, way in enumerate(ways, 1):
            signal.signal(signal.SIGUSR1, way)
            with device.capture() as graph:
                increment(x)
                signal.raise_signal(signal.SIGUSR1)
                increment(x)
            assert len(graph) == 2 and handler.count == 2 * i and x.numpy().tolist() == [2 * i - 2] * 4
            graph.replay()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert x.numpy().tolist() == [2 * len(ways)] * 4


@needs_signals
def test_a_checkpoint_within_a_capture(device: Device, tmp_path: Any) -> None:
    model, copy = Dense(4, 3, device=device), Dense(4, 3, device=device)
    inputs = Tensor.ones((2, 4), device=device)
    model(inputs)
    before = signal.signal(signal.SIGUSR1, lambda *_: save_checkpoint(tmp_path / "model", model, None, step=7))
    try:
        with device.capture() as graph:
            model(inputs)
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    count = len(graph)
    with device.capture() as other:
        model(inputs)
    assert count == len(other)
    assert load_checkpoint(tmp_path / "model", copy)["step"] == 7
    assert np.array_equal(copy.weight.numpy(), model.weight.numpy())


def test_finalizers_within_a_capture(device: Device) -> None:
    handler, x = _Handler(device), Buffer.zeros(4, u32, device)

    class Working:
        def __del__(self) -> None:
            handler.work()

    class Plain:
        def __init__(self) -> None:
            self.me = self

    finals = [Plain(), Plain()]
    reference = weakref.ref(finals[0], handler)
    weakref.finalize(finals[1], handler.work)
    with device.capture() as graph:
        increment(x)
        Working()
        assert handler.count == 2
        del finals
        gc.collect()
        assert handler.count == 6
        increment(x)
    assert reference() is None and len(graph) == 2
    graph.replay()
    assert x.numpy().tolist() == [2] * 4


@needs_signals
def test_a_capture_of_a_handler_is_its_own(device: Device) -> None:
    """However its block is entered; and a handler that interrupts that one works too."""
    x, y = Buffer.zeros(4, u32, device), Buffer.zeros(4, u32, device)
    graphs = []

    def inner(number: int, frame: object) -> None:
        increment(y)

    def outer(number: int, frame: object) -> None:
        signal.signal(signal.SIGUSR1, inner)
        with ExitStack() as stack:
            graphs.append(stack.enter_context(device.capture()))
            increment(x)
            signal.raise_signal(signal.SIGUSR1)
            increment(x)

    before = signal.signal(signal.SIGUSR1, outer)
    try:
        with ExitStack() as stack:
            graphs.append(stack.enter_context(device.capture()))
            increment(y)
            signal.raise_signal(signal.SIGUSR1)
            with pytest.raises(CaptureError, match="captures a graph"), device.capture():
                pass
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [len(graph) for graph in graphs] == [1, 2]
    assert y.numpy().tolist() == [1] * 4 and x.numpy().tolist() == [0] * 4
    for graph in graphs:
        graph.replay()
    assert y.numpy().tolist() == [2] * 4 and x.numpy().tolist() == [2] * 4


def test_what_a_number_computes_is_captured(device: Device) -> None:
    """An argument's own methods are the program's, not an interruption: what they read is refused."""
    x = Buffer.zeros(4, u32, device)

    class Number:
        def __index__(self) -> int:
            return int(x.numpy()[0])

    with pytest.raises(CaptureError, match="can't be read"), device.capture():
        increment.with_groups(untyped(Number()))(x)
