"""Graphs on the host: copies and fills as launches, and launches one after the other without Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, GlobalMut, config, f32, host_call, kernel, u32
from krnlpy.backend.commands import Copy, Fill
from krnlpy.dsl import barrier, group_array, group_id, thread_id
from krnlpy.host import open_host
from tests.support.kernels import increment

Array = np.ndarray[Any, Any]

BYTES = (5 << 20) + 3


@pytest.fixture(params=[1, 2, 5])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(config, "host_threads", request.param)
    return int(request.param)


@pytest.mark.parametrize("pattern", [b"\x07", b"\x01\x02", b"\x01\x02\x03\x04", b"\x01\x02\x03\x04\x05\x06\x07\x08"])
@pytest.mark.parametrize(("offset", "count"), [(0, 0), (8, 1), (16, 5), (3, 600_001)])
def test_fills(threads: int, pattern: bytes, offset: int, count: int) -> None:
    backend, nbytes = open_host(), count * len(pattern)
    offset *= len(pattern)
    memory = backend.allocate(offset + nbytes + 9)
    memory.array[:] = 99
    backend.replay(backend.record([(Fill(memory, offset, nbytes, pattern),)], None))
    expected = np.full(memory.nbytes, 99, np.uint8)
    expected[offset : offset + nbytes] = np.frombuffer(pattern * count, np.uint8)
    np.testing.assert_array_equal(memory.array, expected)


@pytest.mark.parametrize(
    ("source", "to", "count"), [(0, 0, 9), (0, 7, 0), (1, BYTES, BYTES), (0, 5, BYTES), (5, 0, BYTES)]
)
def test_copies(threads: int, source: int, to: int, count: int) -> None:
    """Within a memory: what is read may be what is written."""
    backend = open_host()
    memory = backend.allocate(2 * BYTES)
    memory.array[:] = expected = np.random.default_rng(0).integers(0, 256, memory.nbytes, np.uint8)
    expected = expected.copy()
    expected[to : to + count] = expected[source : source + count].copy()
    backend.replay(backend.record([(Copy(memory, source, memory, to, count),)], None))
    np.testing.assert_array_equal(memory.array, expected)


@kernel(threads=64)
def reverse_groups(x: GlobalMut[u32, 1]) -> None:
    kept = group_array(u32, 64)
    kept[thread_id()] = x[group_id() * 64 + thread_id()]
    barrier()
    x[group_id() * 64 + thread_id()] = kept[63 - thread_id()]


def test_all_kinds_of_commands_in_order(threads: int) -> None:
    """Kernels of items and of groups, which need memory of their own, copies, fills and calls of Python."""
    device = Device.host()
    values = np.arange(64 * 20_000, dtype=np.uint32)
    x, y, small = (
        Buffer.from_numpy(values, device),
        Buffer.zeros(values.size, u32, device),
        Buffer.zeros(4, f32, device),
    )
    with device.capture() as graph:
        increment(x)
        reverse_groups.with_groups(20_000)(x)
        y.copy_from(x)
        x.fill(7)
        host_call(lambda y: np.multiply(y, 2, out=y), y)
        increment(y)
        small.fill(2.5)
        reverse_groups.with_groups(0)(x)
    for _ in range(2):
        x.copy_from(values)
        graph.replay()
        np.testing.assert_array_equal(y.numpy(), (values.reshape(-1, 64)[:, ::-1].ravel() + 1) * 2 + 1)
        assert (x.numpy() == 7).all() and small.numpy().tolist() == [2.5] * 4


def test_fewer_and_more_threads_than_when_it_was_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    x = Buffer.zeros(64 * 20_000, u32, Device.host())
    monkeypatch.setattr(config, "host_threads", 3)
    with Device.host().capture() as graph:
        increment(x)
        reverse_groups.with_groups(20_000)(x)
    for times, threads in enumerate((1, 8, 2), 1):
        monkeypatch.setattr(config, "host_threads", threads)
        graph.replay()
        assert (x.numpy() == times).all()
