"""Tensors that a signal handler or a finalizer uses while it interrupts a method of theirs, anywhere: none sees a
change of another, whoever looked at whose memory meanwhile."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from autograph.errors import AutographError
from krnlpy import Device

from .bytecodes import Interruption

_PLACES = 8


class _World:
    """Tensors, some of them of one memory."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.x = Tensor.from_numpy(np.arange(6, dtype=np.float32).reshape(2, 3), device)
        self.twin = self.x.detach()
        self.dropped: Tensor | None = self.x[:1]
        self.other = Tensor.full((2, 3), 10.0, device=device)
        self.parameter = Parameter(self.other)
        self.kept: list[Any] = [self.x, self.twin, self.other, self.parameter]

    # what is interrupted

    def views(self) -> None:
        self.kept += [self.x.T, self.x[1:], self.x.reshape(3, 2), self.x.detach(), self.x.T.reshape(6)]

    def fill(self) -> None:
        self.x.fill(3)

    def assign(self) -> None:
        self.x.assign(self.other)

    def add(self) -> None:
        self.x.add_assign(self.other)
        self.other.scaled_add(2, self.x)

    def lend(self) -> None:
        self.kept.append(self.x.numpy())

    def set(self) -> None:
        self.parameter.set(self.x)

    def drop(self) -> None:
        self.dropped = None

    # what interrupts

    def takes(self) -> None:
        self.kept += [self.x.detach(), self.other.T, self.parameter.detach()]

    def changes(self) -> None:
        self.twin.fill(7)

    def drops(self) -> None:
        self.dropped = None

    def lends(self) -> None:
        self.kept += [self.x.numpy(), self.twin.numpy()]

    def check(self) -> None:
        """Each is changed, by itself: the others keep their values."""
        values = [np.array(thing) for thing in self.kept]
        for i, thing in enumerate(self.kept):
            if isinstance(thing, Tensor):
                thing.fill(100 + i)
                values[i] = np.full_like(values[i], 100 + i)
            for other, expected in zip(self.kept, values, strict=True):
                assert np.array_equal(np.array(other), expected)


_OPERATIONS = ("views", "fill", "assign", "add", "lend", "set", "drop")
_HANDLERS = ("takes", "changes", "drops", "lends")


def _run(device: Device, operation: str, handler: str, at: int) -> int:
    world = _World(device)
    with Interruption(at, getattr(world, handler)) as interruption:
        getattr(world, operation)()
    try:
        world.check()
    except BaseException as error:
        error.add_note(f"{operation}, interrupted by what {handler}, at bytecode {at} of {interruption.count}")
        raise
    return interruption.count


@pytest.mark.parametrize("handler", _HANDLERS)
@pytest.mark.parametrize("operation", _OPERATIONS)
def test_interrupted_at_bytecodes(device: Device, operation: str, handler: str) -> None:
    """At some; which ones depends on all three."""
    _run(device, operation, handler, 0)  # all is compiled
    count = _run(device, operation, handler, 0)
    step = max(count // _PLACES, 1)
    for at in range(1 + zlib.crc32(f"{device!r} {operation} {handler}".encode()) % step, count + 1, step):
        _run(device, operation, handler, at)


@pytest.mark.deep
@pytest.mark.parametrize("first", range(1, 5))
@pytest.mark.parametrize("handler", _HANDLERS)
@pytest.mark.parametrize("operation", _OPERATIONS)
def test_interrupted_at_every_bytecode(device: Device, operation: str, handler: str, first: int) -> None:
    """At every fourth in each of four tests. Where Python itself runs kernels, of which most are, at fewer."""
    _run(device, operation, handler, 0)
    count = _run(device, operation, handler, 0)
    for at in range(first, count + 1, 31 * 4 if device.info.backend == "interpreter" else 4):
        _run(device, operation, handler, at)


def _shared(x: Tensor, work: Callable[[Tensor], None], handler: Callable[[], None]) -> None:
    """Interrupts work at every bytecode of it, as long as it has any."""
    at = 1
    while True:
        with Interruption(at, handler) as interruption:
            work(x)
        if not interruption.is_done:
            return
        at += 1


def test_every_bytecode_of_sharing() -> None:
    """A view, a lent array and a dropped share: quick enough for every bytecode."""
    x, kept = Tensor.zeros(2), []  # type: Tensor, list[Any]
    _shared(x, lambda x: kept.append(x.detach()), lambda: kept.append(x.detach()))
    _shared(x, lambda x: kept.append(x.numpy()), lambda: kept.append(x.numpy()))
    assert len(kept) > 100
    x.fill(1)
    assert not any(np.array(thing).any() for thing in kept) and x.buffer.numpy().all()
    del kept[:]
    before = x.buffer
    x.fill(2)
    assert x.buffer is before  # nobody looks at it any more


def test_backward_within_a_backward() -> None:
    """It runs, or is refused before it has touched anything: where the other one takes its graph or fills a slot, or
    has recording off."""
    x = Parameter(Tensor.full(3, 2.0))
    x.init_grad()
    found = []

    def handle() -> None:
        y = Parameter(Tensor.full(3, 3.0))
        y.init_grad()
        try:
            (y * y).sum().backward()
        except AutographError as error:
            found.append(str(error))
        else:
            assert y.grad is not None
            assert y.grad.numpy().tolist() == [6] * 3

    (x * x).sum().backward()
    with Interruption(0, handle) as whole:
        (x * x).sum().backward()
    for at in range(1, whole.count, 7):
        x.init_grad()
        with Interruption(at, handle):
            (x * x).sum().backward()
        assert x.grad is not None
        assert x.grad.numpy().tolist() == [4] * 3
    assert any("that was interrupted" in message for message in found)
