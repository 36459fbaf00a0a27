"""Measuring on Vulkan devices: pools used again, counters that wrap, devices that write no timestamps, labels."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from time import perf_counter_ns
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from krnlpy.backend.timing import HostTimer
from krnlpy.dsl.types.annotations import ItemMut
from krnlpy.scalar import u32
from krnlpy.vulkan.queue.timestamps import _POOL_SPANS, DeviceTimer, QueryPools


def increment(x: ItemMut[u32]) -> None:
    x += u32(1)


N = 1000


def test_times_lie_within_the_hosts(backend: Any, build: Any, store: Any) -> None:
    kernel, memory = build(increment), store(np.zeros(N, np.uint32))
    timer = backend.timer()
    backend.wait()
    begin = perf_counter_ns()
    spans = [timer.time(lambda: kernel((memory, 0, N))) for _ in range(5)]
    timer.finish()
    end = perf_counter_ns()
    assert all(span.is_measured and span.begin < span.end for span in spans)
    assert sum(span.end - span.begin for span in spans) <= end - begin
    assert all(a.end <= b.begin for a, b in pairwise(spans))
    timer.close()


def test_pools_are_used_again(backend: Any, build: Any, store: Any, load: Any) -> None:
    kernel, memory = build(increment), store(np.zeros(N, np.uint32))
    made = []
    for _ in range(3):
        timer = backend.timer()
        spans = [timer.time(lambda: kernel((memory, 0, N))) for _ in range(4 * _POOL_SPANS)]
        timer.finish()
        assert all(span.is_measured for span in spans)
        timer.close()
        backend.wait()
        made.append(len(backend._query_pools._pools))
    # How many are in use at a time depends on how far behind the device is; none used again would be 15.
    assert made[-1] <= 6
    assert (load(memory, np.uint32, N) == 12 * _POOL_SPANS).all()


def test_what_queues_nothing_is_measured_by_the_host(backend: Any, store: Any) -> None:
    timer = backend.timer()
    span = timer.time(lambda: None)
    assert span.is_measured
    assert span.end - span.begin >= 0


def test_an_exception_passes(backend: Any, build: Any, store: Any, load: Any) -> None:
    kernel, memory = build(increment), store(np.zeros(N, np.uint32))
    timer = backend.timer()

    def work() -> None:
        kernel((memory, 0, N))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        timer.time(work)
    span = timer.time(lambda: kernel((memory, 0, N)))
    timer.finish()
    assert span.is_measured
    assert (load(memory, np.uint32, N) == 2).all()


def test_two_timers_nested(backend: Any, build: Any, store: Any) -> None:
    kernel, memory = build(increment), store(np.zeros(N, np.uint32))
    outer, inner = backend.timer(), backend.timer()
    spans: list[Any] = []
    whole = outer.time(lambda: spans.extend(inner.time(lambda: kernel((memory, 0, N))) for _ in range(3)))
    for timer in (outer, inner):
        timer.finish()
    assert sum(span.end - span.begin for span in spans) <= whole.end - whole.begin


def test_no_timestamps(backend: Any, build: Any, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(pools: QueryPools, *arguments: Any) -> None:
        original(pools, *arguments)
        pools.valid_bits = 0

    original = QueryPools.__init__
    monkeypatch.setattr(QueryPools, "__init__", without)
    timer = backend.timer()
    assert isinstance(timer, HostTimer)
    assert timer.clock == "host"
    kernel, memory = build(increment), store(np.zeros(N, np.uint32))
    span = timer.time(lambda: kernel((memory, 0, N)))
    assert span.is_measured and span.begin < span.end
    assert backend._queue.completed == backend._queue.open_value - 1  # it was waited for


@pytest.mark.parametrize("bits", [36, 48, 64])
def test_counters_wrap(bits: int) -> None:
    timer: Any = SimpleNamespace(_mask=(1 << bits) - 1, _last=(1 << bits) - 100, _time=5000.0)
    timer._pools = SimpleNamespace(period=80.0)
    times = [DeviceTimer._host_time(timer, ticks & timer._mask) for ticks in ((1 << bits) - 50, (1 << bits) + 10, -20)]
    # 50, 110 and 80 ticks after the first look, of 80 ns each.
    assert times == [5000 + 50 * 80, 5000 + 110 * 80, 5000 + 80 * 80]


LABELS = """
from krnlpy import Buffer, Device, ItemMut, devices, f32, kernel

@kernel
def double(x: ItemMut[f32]):
    x *= 2.0

for index in range(len(devices())):
    device = Device(index)
    labels, seen = device.backend._device.labels, []
    assert (labels is not None) == {expected}
    if labels is not None:
        begin, end = labels._begin, labels._end
        name = lambda label: labels._api.ffi.string(label.pLabelName).decode()
        labels._begin = lambda commands, label: (seen.append(name(label)), begin(commands, label))
        labels._end = lambda commands: (seen.append("end"), end(commands))
    x = Buffer.ones(10, f32, device)
    double(x)
    with device.label("step"), device.label("forward"):
        double(x)
    with device.capture() as graph:
        double(x)
    graph.replay()
    assert x.numpy()[0] == 8
    print(seen)
"""


def test_labels_for_tools(python: Callable[..., str]) -> None:
    seen = python(LABELS.format(expected=True), KRNLPY_LOG="debug").splitlines()
    assert seen
    assert set(seen) == {"['double', 'end', 'step/forward/double', 'end', 'double', 'end']"}


def test_no_labels_without_need(python: Callable[..., str]) -> None:
    seen = python(LABELS.format(expected=False), KRNLPY_LOG="", KRNLPY_VALIDATE="").splitlines()
    assert set(seen) == {"[]"}
