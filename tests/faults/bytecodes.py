"""Interrupts work on a device before any bytecode that krnlpy executes, as signal handlers and finalizers may: the
handler works on the same device, and afterwards each value is what it must be.

``python -m tests.faults.bytecodes [DEVICE...] [--step N]`` does that at every bytecode of every operation, or at every
N-th, on all devices or some.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import krnlpy
from autograph import SGD, Dense, load_checkpoint, save_checkpoint
from krnlpy import Buffer, Device, f32, u32
from tests.support.kernels import increment, saxpy

_COUNT = 60
_PACKAGES = tuple(str(Path(module.__file__ or "").parent) for module in (krnlpy, sys.modules["autograph"]))


class Interruption:
    """Calls a handler before the ``at``-th bytecode that this thread executes in krnlpy within the block; 0: never.

    Attributes:
        count: of the bytecodes. ``is_done``: whether the handler was called.
    """

    def __init__(self, at: int, handler: Callable[[], None]) -> None:
        self.count = 0
        self.is_done = False
        self.error: BaseException | None = None
        self._at, self._handler = at, handler

    def __enter__(self) -> Interruption:
        self._before = sys.gettrace()
        sys.settrace(self._trace_calls)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)
        if self.error is not None:
            raise self.error

    def _trace_calls(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_PACKAGES):
            return None
        frame.f_trace_opcodes = True
        return self._trace

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode":
            self.count += 1
            if self.count == self._at:
                self.is_done = True
                try:
                    self._handler()
                except BaseException as error:  # what is interrupted goes on, as after a finalizer
                    self.error = error
        return self._trace


class World:
    """Buffers on a device, with what must be in them.

    Attributes:
        expected: how often each element of ``counter`` was incremented.
    """

    def __init__(self, device: Device, folder: str) -> None:
        self.device = device
        self.is_queued = device.info.backend == "vulkan"
        self.counter = Buffer.zeros(_COUNT, u32, device)
        self.constant = Buffer.from_numpy(np.arange(_COUNT, dtype=np.float32), device)
        self.target = Buffer.zeros((_COUNT, 2), f32, device)
        self.expected = 0
        with device.capture() as self.graph:
            increment(self.counter)
            increment(self.counter)
        self.accumulated = Buffer.zeros(_COUNT, f32, device)
        with device.capture() as self.changing:
            saxpy(self.changing.parameter("alpha", 1.0), self.constant, self.accumulated)
            increment(self.counter)
        self.alpha = 0
        self.total = 0
        self.model = Dense(4, 3, device=device)
        self.optimizer = SGD(momentum=0.5)
        self.path = Path(folder) / "model"

    # what is interrupted

    def launch(self) -> None:
        self.expected += 1
        increment(self.counter)

    def launch_others(self) -> None:
        y = Buffer.zeros(_COUNT, f32, self.device)
        saxpy(2.0, self.constant, y)
        saxpy(3.0, self.constant[::-1], y)
        self._keep(y, 2 * np.arange(_COUNT) + 3 * np.arange(_COUNT)[::-1])

    def upload(self) -> None:
        self.target[:, 1].copy_from(np.full(_COUNT, 3, np.float32))
        self._keep(Buffer.from_numpy(np.arange(5000, dtype=np.uint32), self.device), np.arange(5000))
        self._keep(self.target[:, 1], np.full(_COUNT, 3))

    def download(self) -> None:
        found = self.counter.numpy()
        assert (found == found[0]).all() and found[0] in (self.expected, self.expected + self.handled), found

    def fill(self) -> None:
        self.target[:, 0].fill(2)
        self.target[::2].fill(5)
        filled = Buffer.full(1001, 7, krnlpy.u8, self.device)
        self._keep(filled, np.full(1001, 7))
        self._keep(self.target[1::2, 0], np.full(_COUNT // 2, 2))

    def copy(self) -> None:
        self._keep(self.constant.copy(), np.arange(_COUNT))
        self.target[::-1, 1].copy_from(self.constant)
        self._keep(self.target[:, 1], np.arange(_COUNT)[::-1])

    def replay(self) -> None:
        self.expected += 2
        self.graph.replay()

    def replay_changed(self) -> None:
        self.alpha = self.alpha % 5 + 1
        self.total += self.alpha
        self.expected += 1
        self.changing.replay(alpha=float(self.alpha))
        self._keep(self.accumulated, self.total * np.arange(_COUNT))

    def capture(self) -> None:
        with self.device.capture() as graph:
            saxpy(1.0, self.constant, self.accumulated)
            increment(self.counter)
        self.total += 1
        self.expected += 1
        graph.replay()
        self._keep(self.accumulated, self.total * np.arange(_COUNT))

    def wait(self) -> None:
        self.device.wait()

    def within(self) -> None:
        """What a handler does within a call that it interrupted: what comes then interrupts the handler."""
        with getattr(self.device.backend, "_lock", nullcontext()):
            self.launch()
            self._keep(Buffer.from_numpy(np.arange(70, dtype=np.uint32), self.device), np.arange(70))
            self.target[:, 0].fill(4)
            self.replay()
            self.download()
        self._keep(self.target[:, 0], np.full(_COUNT, 4))

    def _keep(self, buffer: Buffer, values: Any) -> None:
        self.kept.append((buffer, np.asarray(values)))

    # what interrupts

    def launches(self) -> None:
        increment(self.counter)
        self.handled += 1

    def reads(self) -> None:
        found = self.counter.numpy()
        whole = not self.is_queued or (found == found[0]).all()
        assert whole and self.least <= found.min() <= found.max() <= self.expected, (self.least, found, self.expected)
        assert (self.constant[::-1].numpy() == np.arange(_COUNT)[::-1]).all()

    def works(self) -> None:
        x = Buffer.from_numpy(np.arange(40, dtype=np.float32), self.device)
        y = Buffer.full((40, 2), 1, f32, self.device)
        saxpy(2.0, x, y[:, 1])
        z = y.copy()
        y.fill(0)
        x[3:5].fill(-1)
        assert (z.numpy()[:, 1] == 1 + 2 * np.arange(40)).all() and (z.numpy()[:, 0] == 1).all()
        assert (y.numpy() == 0).all() and x.numpy()[2:6].tolist() == [2, -1, -1, 5]
        self.graph.replay()
        self.handled += 2
        self.device.wait()

    def saves(self) -> None:
        save_checkpoint(self.path, self.model, self.optimizer, step=self.expected)

    # one round

    def run(self, operation: str, handler: str, at: int) -> int:
        """Does it once, interrupted at a bytecode; returns the count of bytecodes."""
        self.handled = 0
        self.kept: list[tuple[Buffer, Any]] = []
        increment(self.counter)  # something is recorded, and not submitted
        self.expected += 1
        self.least = self.expected
        with Interruption(at, getattr(self, handler)) as interruption:
            getattr(self, operation)()
        increment(self.counter)
        self.expected += 1 + self.handled
        self.handled = 0
        for buffer, values in self.kept:
            found = buffer.numpy()
            assert np.array_equal(found, values), (found, values)
        found = self.counter.numpy()
        assert (found == self.expected).all(), (found, self.expected)
        if handler == "saves" and at:
            copy = Dense(4, 3, device=self.device)
            assert load_checkpoint(self.path, copy, self.optimizer)["step"] <= self.expected
            for one, other in zip(copy.parameters(), self.model.parameters(), strict=True):
                assert np.array_equal(one.numpy(), other.numpy())
        return interruption.count


def interrupt_some(work: Callable[[], None], handler: Callable[[], None], most: int) -> Iterator[bool]:
    """Does the work once, then again and again, interrupted at other bytecodes each time, about ``most`` times; tells
    of each time whether it was (what is found in a cache takes fewer bytecodes)."""
    with Interruption(0, handler) as run:
        work()
    yield False
    for at in range(1, run.count + 1, max(run.count // most, 1)):
        with Interruption(at, handler) as interruption:
            work()
        yield interruption.is_done


OPERATIONS = (
    "launch",
    "launch_others",
    "upload",
    "download",
    "fill",
    "copy",
    "replay",
    "replay_changed",
    "capture",
    "wait",
    "within",
)
HANDLERS = ("launches", "reads", "works", "saves")


def interrupt(device: Device, operation: str, handler: str, places: Callable[[int], Iterable[int]]) -> int:
    """Interrupts an operation at bytecodes of which ``places`` chooses some by their count; returns how often."""
    with tempfile.TemporaryDirectory() as folder:
        return _interrupt(World(device, folder), operation, handler, places)


def _interrupt(world: World, operation: str, handler: str, places: Callable[[int], Iterable[int]]) -> int:
    done = 0
    world.run(operation, handler, 0)  # all is compiled
    getattr(world, handler)()
    world.expected += world.handled
    count = world.run(operation, handler, 0)
    for at in places(count):
        try:
            world.run(operation, handler, at)
        except BaseException as error:
            error.add_note(f"{world.device!r}: {operation}, interrupted by what {handler}, at bytecode {at} of {count}")
            raise
        done += 1
    return done


def main() -> None:
    """At every bytecode."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("devices", nargs="*", default=["host", "interpreter", *range(len(krnlpy.devices()))])
    parser.add_argument("--step", type=int, default=1)
    given = parser.parse_args()
    selectors: list[Any] = given.devices
    for selector in selectors:
        device = Device(int(selector) if str(selector).isdecimal() else selector)
        for operation in OPERATIONS:
            for handler in HANDLERS:
                done = interrupt(device, operation, handler, lambda count: range(1, count + 1, given.step))
                print(f"{device!r}: {operation}, interrupted {done} times by what {handler}", flush=True)


if __name__ == "__main__":
    main()
