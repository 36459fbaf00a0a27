"""Graphs on each Vulkan device: what is submitted and kept, and what becomes of it when a device goes."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from krnlpy.backend.commands import Command, Copy, Fill, Launch
from krnlpy.backend.protocol import Backend
from krnlpy.dsl.types.annotations import Item, ItemMut
from krnlpy.errors import DeviceLost, DeviceUnavailable
from krnlpy.scalar import u32
from krnlpy.vulkan.queue import commands
from tests.support import process

ROOT = Path(__file__).resolve().parents[2]


def increment(x: ItemMut[u32]) -> None:
    x += u32(1)


def add(x: Item[u32], y: ItemMut[u32]) -> None:
    y += x


@pytest.fixture
def command(build: Any, backend: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Command]:
    """A launch as data."""

    def command(function: Any, *arguments: Any) -> Command:
        taken: list[Command] = []
        kernel = build(function)
        with monkeypatch.context() as patch:
            patch.setattr(backend, "launch", lambda *parts: taken.append(Launch(*parts)))
            kernel(*arguments)
        return taken[0]

    return command


class Calls:
    """Counts calls of one of the driver's functions."""

    def __init__(self, backend: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        functions = backend._device.functions
        original = getattr(functions, name)

        def call(*arguments: Any) -> Any:
            self.count += 1
            return original(*arguments)

        monkeypatch.setattr(functions, name, call)

    def during(self, work: Callable[[], object]) -> int:
        before = self.count
        work()
        return self.count - before


def test_a_replay_is_one_submission(
    backend: Any, command: Any, store: Any, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = store(np.zeros(10, np.uint32))
    launch = command(increment, (memory, 0, 10))
    recording = backend.record([(launch,) * 200], None)
    backend.wait()
    submissions, dispatches = Calls(backend, "vkQueueSubmit", monkeypatch), Calls(backend, "vkCmdDispatch", monkeypatch)
    assert submissions.during(lambda: backend.replay(recording)) == 1
    assert dispatches.count == 0
    assert (load(memory, np.uint32, 10) == 200).all()


def test_barriers_are_where_hazards_are(
    backend: Any, command: Any, store: Any, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = (store(np.ones(8, np.uint32)) for _ in range(3))
    barriers = Calls(backend, "vkCmdPipelineBarrier", monkeypatch)

    def needed(*work: Command) -> int:
        return barriers.during(lambda: backend.record([work], None)) - 1  # one is at the end

    to_b, to_c = command(add, (a, 0, 8), (b, 0, 8)), command(add, (a, 0, 8), (c, 0, 8))
    assert needed(to_b, to_c) == 0
    assert needed(to_b, to_c, to_b) == 1
    assert needed(to_b, Fill(a, 0, 32, bytes(4))) == 1
    assert needed(to_b, Copy(b, 0, c, 0, 32)) == 1
    assert needed(Copy(a, 0, b, 0, 32), Fill(c, 0, 32, bytes(4))) == 0


def test_only_pieces_that_changed_are_recorded_anew(
    backend: Any, command: Any, store: Any, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, other = store(np.zeros(10, np.uint32)), store(np.full(10, 7, np.uint32))
    one, two = command(increment, (memory, 0, 10)), command(add, (other, 0, 10), (memory, 0, 10))
    first = backend.record([(one,) * 30, (two,), (one,) * 30], None)
    begun, sets = (Calls(backend, name, monkeypatch) for name in ("vkBeginCommandBuffer", "vkAllocateDescriptorSets"))
    half = command(add, (other, 0, 5), (memory, 0, 5))
    begun.count = sets.count = 0
    second = backend.record([first.pieces[0][0], (half,), first.pieces[2][0]], first)
    assert (begun.count, sets.count) == (1, 0)  # the sets bind whole memories, which are the same
    backend.replay(first)
    backend.replay(second)
    want = np.full(10, 127, np.uint32)
    want[:5] += 7
    assert np.array_equal(load(memory, np.uint32, 10), want)


def test_much_work_is_cut(backend: Any, command: Any, store: Any, load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_MAX_WORK", 1 << 10)
    memory = store(np.zeros(1000, np.uint32))
    launch = command(increment, (memory, 0, 1000))
    recording = backend.record([(launch,) * 100], None)
    assert len(recording.batches) == 100
    for _ in range(3):  # more batches than may be under way
        backend.replay(recording)
    assert (load(memory, np.uint32, 1000) == 300).all()


def test_handles_are_given_back(backend: Any, command: Any, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = store(np.zeros(10, np.uint32))
    pools, sets, destroyed = (
        Calls(backend, name, monkeypatch)
        for name in ("vkCreateCommandPool", "vkCreateDescriptorPool", "vkDestroyDescriptorPool")
    )
    for _ in range(50):
        launch = command(increment, (memory, 0, 10))
        recording = backend.record([(launch,)], None)
        backend.replay(recording)
        del recording, launch
        backend.wait()
    gc.collect()
    backend.wait()
    assert pools.count <= 5 and sets.count - destroyed.count <= 2


def test_recordings_after_their_device(backend: Any, command: Any, store: Any) -> None:
    launch = command(increment, (store(np.zeros(10, np.uint32)), 0, 10))
    recording = backend.record([(launch,)], None)
    backend.replay(recording)
    backend.close()
    with pytest.raises(DeviceUnavailable, match="closed"):
        backend.replay(recording)
    del recording
    gc.collect()


def test_a_device_is_lost_in_a_replay(backend: Any, command: Any, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    launch = command(increment, (store(np.zeros(10, np.uint32)), 0, 10))
    recording = backend.record([(launch,)], None)
    lost = backend._device.api.VK_ERROR_DEVICE_LOST
    monkeypatch.setattr(backend._device.functions, "vkQueueSubmit", lambda *_: lost)
    with pytest.raises(DeviceLost, match="the last kernels were increment"):
        backend.replay(recording)
    with pytest.raises(DeviceLost):
        backend.record([(launch,)], None)


@pytest.mark.parametrize("order", ["del graph", "del device, x", "pass"])
def test_the_end_of_a_process(backend: Backend, order: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from krnlpy import Buffer, Device, ItemMut, kernel, u32\n"
        "@kernel\n"
        "def increment(x: ItemMut[u32]):\n"
        "    x += u32(1)\n"
        f"device = Device({backend.info.index})\n"
        "x = Buffer.zeros(1000, u32, device)\n"
        "with device.capture() as graph:\n"
        "    for _ in range(100):\n"
        "        increment(x)\n"
        "for _ in range(5):\n"
        "    graph.replay()\n"
        f"{order}\n"
    )
    process.output(program)
