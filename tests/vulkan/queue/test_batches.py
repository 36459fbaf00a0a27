"""When batches are submitted: soon after somebody waited, when they are full, and after much work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from krnlpy.dsl.passes.cost_model import estimated_work
from krnlpy.dsl.types.annotations import ItemMut
from krnlpy.scalar import u32
from krnlpy.vulkan.queue import commands


def increment(x: ItemMut[u32]) -> None:
    x += u32(1)


def repeated(x: ItemMut[u32]) -> None:
    for _i in range(3):
        for _j in range(3):
            for _k in range(3):
                if x > u32(0):
                    x += u32(1)


def sizes(backend: Any, launch: Any, count: int) -> list[int]:
    """Launches in each batch that was submitted, while so many launches were recorded."""
    found, value, size = [], backend._queue.open_value, 0
    for _ in range(count):
        launch()
        size += 1
        if backend._queue.open_value != value:
            found.append(size)
            value, size = backend._queue.open_value, 0
    return found


def test_the_first_batches_are_small(build: Any, store: Any, backend: Any) -> None:
    kernel, memory = build(increment), store(np.zeros(64, np.uint32))
    for _ in range(2):
        backend.wait()
        assert sizes(backend, lambda: kernel((memory, 0, 64)), 250) == [8, 16, 32, 64, 64, 64]


def test_much_work_is_submitted_at_once(
    build: Any, store: Any, load: Any, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_MAX_WORK", 1 << 21)
    memory, small, large = store(np.ones(1 << 10, np.uint32)), build(increment), build(repeated)
    backend.wait()
    queue = backend._queue
    batch = queue.open_value
    small((memory, 0, 64))
    assert queue.open_value == batch
    large((memory, 0, 1 << 10))
    assert queue.open_value == batch + 1
    small((memory, 0, 64))
    assert queue.open_value == batch + 1
    assert load(memory, np.uint32, 1 << 10).tolist() == [30] * 64 + [28] * 960


def test_bytes_that_are_copied_and_filled_count_as_work(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_MAX_WORK", 1 << 12)
    memory, nbytes = backend.allocate(1 << 14), 1 << 12
    backend.wait()
    copies = sizes(backend, lambda: backend.copy(memory, 0, memory, nbytes, nbytes), 8)
    fills = sizes(backend, lambda: backend.fill(memory, 0, nbytes, b"\x01"), 8)
    assert copies == fills == [4, 4]


def test_estimated_work(build: Any) -> None:
    few, many = build(increment, threads=32), build(repeated, threads=32)
    assert 1 <= estimated_work(few.program.body) < 10
    assert 64**3 < estimated_work(many.program.body) < 64**3 * 20
    assert 32 <= few.executable.group_work < 320
    assert many.executable.group_work == 32 << 12  # more is too little known


def test_waiting_does_not_spin(
    build: Any, store: Any, load: Any, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver is asked to wait, long each time, and asked nothing else until it has."""
    kernel, memory = build(increment), store(np.zeros(1000, np.uint32))
    backend.wait()
    functions = backend._device.functions
    asked: list[Any] = []
    others: list[Any] = []
    wait, look = functions.vkWaitSemaphores, functions.vkGetSemaphoreCounterValue

    def time_out_twice(device: Any, info: Any, nanoseconds: int) -> Any:
        asked.append(nanoseconds)
        assert not others, "what is done is looked up when the wait is over"
        return backend._device.api.VK_TIMEOUT if len(asked) < 3 else wait(device, info, nanoseconds)

    monkeypatch.setattr(functions, "vkWaitSemaphores", time_out_twice)
    kernel((memory, 0, 1000))
    backend._queue.submit()

    def looked_up(*arguments: Any) -> Any:
        others.append(arguments)
        return look(*arguments)

    monkeypatch.setattr(functions, "vkGetSemaphoreCounterValue", looked_up)
    backend.wait()
    assert len(asked) == 3 and min(asked) >= 10_000_000
    assert len(others) <= 1
    assert (load(memory, np.uint32, 1000) == 1).all()
