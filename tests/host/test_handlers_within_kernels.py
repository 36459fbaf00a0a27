"""What a signal handler asks of a kernel's memory while the kernel runs on the host: it is done after the kernel, in
order, and all of it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, DeviceBusy, GlobalMut, KernelIndexError, config, f32, host_call, kernel, u32
from tests.support.kernels import increment

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="the system sends no signals to threads")


@kernel(threads=1)
def busy(seen: GlobalMut[u32], x: GlobalMut[u32]) -> None:
    """Runs until a handler has changed what it watches, which is not the memory of others; then counts."""
    for _ in range(1 << 30):
        if seen[0] != u32(0):
            break
    for i in range(x.shape[0]):
        x[i] += u32(1)


@kernel(threads=1)
def outside(x: GlobalMut[u32]) -> None:
    x[x.shape[0]] = u32(1)


@kernel(threads=1)
def mark(x: GlobalMut[u32]) -> None:
    x[0] += u32(100)


@contextmanager
def _interrupting(handler: Callable[[], None]) -> Iterator[list[Any]]:
    """Sends this thread a signal a while after the block begins; gives what the handler was called for."""
    calls: list[Any] = []

    def handle(number: int, frame: object) -> None:
        calls.append(number)
        handler()

    before = signal.signal(signal.SIGUSR1, handle)
    me = threading.get_ident()

    def send() -> None:
        time.sleep(0.05)
        signal.pthread_kill(me, signal.SIGUSR1)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield calls
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)


class _World:
    def __init__(self) -> None:
        self.device = device = Device.host()
        self.seen, self.x, self.counts = Buffer.zeros(1, u32), Buffer.zeros(4, u32), Buffer.full(3, 1, u32)
        self.flag = self.seen.numpy(copy=False)
        with device.capture() as self.graph:
            busy.with_groups(1)(self.seen, self.x)
        with device.capture() as self.other:
            increment(self.x)
            host_call(lambda x: np.multiply(x, 2, out=x), self.x)
            self.x[:1].fill(9)
        self.flag[0] = 1
        mark.with_groups(1)(self.x)
        self.graph.replay()
        self.other.replay()
        mark.with_groups_from(self.counts)(self.x)
        self.x.fill(0)
        self.flag[0] = 0

    def launch(self) -> None:
        busy.with_groups(1)(self.seen, self.x)

    def replay(self) -> None:
        self.graph.replay()


@pytest.mark.parametrize("operation", ["launch", "replay"])
def test_all_is_done_after_the_kernel_in_order(operation: str) -> None:
    """A kernel that runs in one thread, launched or replayed."""
    world = _World()
    x, busy_seen = world.x, []

    def handle() -> None:
        x.fill(5)
        increment(x)
        world.other.replay()
        mark.with_groups_from(world.counts)(x)
        x[1:2].copy_from(np.array([7], np.uint32))
        x[2:].copy_from(world.counts[:2])
        try:
            x.numpy()
        except DeviceBusy:
            busy_seen.append(1)
        world.flag[0] = 1

    with _interrupting(handle) as calls:
        getattr(world, operation)()
    assert len(calls) == 1 and busy_seen == [1]
    assert x.numpy().tolist() == [109, 7, 1, 1]


def test_an_error_of_what_was_postponed_stops_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "debug", True)
    world = _World()

    def handle() -> None:
        outside.with_groups(1)(world.x)
        increment(world.x)
        world.flag[0] = 1

    with _interrupting(handle), pytest.raises(KernelIndexError):
        world.launch()
    assert world.x.numpy().tolist() == [2] * 4
    increment(world.x)
    assert world.x.numpy().tolist() == [3] * 4


def test_what_others_use_is_not_postponed() -> None:
    world = _World()
    y = Buffer.zeros(4, f32)
    found = []

    def handle() -> None:
        y.fill(2)
        found.append(y.numpy().tolist())
        world.flag[0] = 1

    with _interrupting(handle):
        world.replay()
    assert found == [[2.0] * 4] and world.x.numpy().tolist() == [1] * 4
