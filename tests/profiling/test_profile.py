"""Profiles on every device: what is in them, whoever asked for the work, and how they are written."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    Device,
    DeviceLost,
    Global,
    GlobalMut,
    ItemMut,
    KernelIndexError,
    Out,
    ProfileError,
    config,
    f32,
    kernel,
    u32,
)
from krnlpy.dsl import global_id, group_id
from krnlpy.errors import FileMissing
from krnlpy.profiling import report
from krnlpy.profiling.profile import Record, _sessions
from tests.support.kernels import saxpy


@kernel(threads=(4, 2))
def add_2d(a: Global[f32, 2], b: Out[f32, 2]) -> None:
    i, j = global_id(1), global_id(0)
    if i < a.shape[0] and j < a.shape[1]:
        b[i, j] = a[i, j] + 1.0


@kernel(threads=1)
def mark(x: GlobalMut[u32]) -> None:
    x[group_id(0)] = u32(1)


@kernel
def set_past_the_end(x: GlobalMut[u32], y: ItemMut[u32]) -> None:
    y = 1
    x[x.shape[0]] = 1


@pytest.fixture(autouse=True)
def no_session_is_left() -> Iterator[None]:
    yield
    assert not _sessions


def ones(device: Device, *shape: int) -> Buffer:
    return Buffer.ones(shape, f32, device)


def test_kernels(device: Device) -> None:
    x, y = ones(device, 1000), ones(device, 1000)
    a, b = ones(device, 3, 5), ones(device, 3, 5)
    with device.profile() as p:
        saxpy(2.0, x, y)
        add_2d.with_global_threads(5, 3)(a, b)
    first, second = p.records
    assert (first.kind, first.name, first.label) == ("kernel", "saxpy", "")
    assert first.threads is not None and first.groups == (-(-1000 // first.threads[0]), 1, 1)
    assert (first.bytes_read, first.bytes_written) == (8000, 4000)
    assert (second.name, second.groups, second.threads) == ("add_2d", (2, 2, 1), (4, 2, 1))
    assert (second.bytes_read, second.bytes_written) == (60, 60)  # Out is not read
    assert all(record.seconds > 0 for record in p.records)
    assert first.bandwidth == 12000 / first.seconds
    assert first.begin + first.seconds <= second.begin
    assert p.seconds == first.seconds + second.seconds
    assert p.info is device.info
    np.testing.assert_array_equal(y.numpy(), 3.0)


def test_what_is_no_kernel(device: Device) -> None:
    x = Buffer.empty(1000, f32, device)
    data = np.arange(1000, dtype=np.float32)[::-1]
    with device.profile() as p:
        x.fill(2.0)
        y = x.copy()
        z = Buffer.from_numpy(data, device)
        if device.info.index is not None:  # elsewhere NumPy has the memory itself
            z.numpy()
    found = [(r.kind, r.name, r.bytes_read, r.bytes_written, r.groups, r.threads) for r in p.records]
    expected = [("fill", 0, 4000), ("copy", 4000, 4000), ("upload", 0, 4000), ("download", 4000, 0)]
    kinds = expected if device.info.index is not None else expected[:3]
    # What the host copies into memory that nothing uses comes before what is still queued.
    assert sorted(found) == sorted((kind, kind, read, written, None, None) for kind, read, written in kinds)
    assert (y.numpy() == 2).all() and (z.numpy() == data).all()


def test_groups_that_only_the_device_knows(device: Device) -> None:
    x, counts = Buffer.zeros(8, u32, device), Buffer.from_numpy(np.array([2, 1, 1], np.uint32), device)
    with device.profile() as p, device.label("step"):
        mark.with_groups_from(counts)(x)
    assert [(r.name, r.groups, r.threads, r.label) for r in p.records] == [("mark", None, (1, 1, 1), "step")]
    assert (p.records[0].bytes_read, p.records[0].bytes_written) == (0, 32)
    np.testing.assert_array_equal(x.numpy(), [1, 1, 0, 0, 0, 0, 0, 0])


def test_views_count_their_own_bytes(device: Device) -> None:
    x, y = ones(device, 100), ones(device, 100)
    with device.profile() as p:
        saxpy(1.0, x[10:20], y[90:])
    assert (p.records[0].bytes_read, p.records[0].bytes_written) == (80, 40)


def test_off_nothing_is_left(device: Device) -> None:
    backend: Any = device.backend
    before = dict(vars(backend))
    with device.profile():
        assert vars(backend) != before
    assert vars(backend).keys() - before.keys() <= {"_query_pools"}
    assert ("launch" in vars(backend)) == bool(device.info.index is not None and config.validate)  # by labels


def test_nested(device: Device) -> None:
    x = ones(device, 10)
    with device.profile() as outer:
        saxpy(1.0, x, x)
        with device.profile() as inner:
            x.fill(1.0)
        saxpy(1.0, x, x)
    assert [r.name for r in outer.records] == ["saxpy", "fill", "saxpy"]
    assert [r.name for r in inner.records] == ["fill"]
    assert inner.records[0].seconds == outer.records[1].seconds


def test_records_while_open(device: Device) -> None:
    x = ones(device, 10)
    with device.profile() as p:
        assert not p.records
        x.fill(1.0)
        assert [r.name for r in p.records] == ["fill"]
        x.fill(2.0)
        assert len(p.records) == 2


def test_repr(device: Device) -> None:
    profile = device.profile()
    about = f"<profile of {device.info.name}, {device.info.driver}: "
    assert repr(profile) == f"{about}not begun>"
    with profile:
        Buffer.zeros(3, f32, device)
        assert repr(profile) == f"{about}open>"
    assert repr(profile).startswith(f"{about}1 records, ") and repr(profile).endswith(
        f" ms by the {profile.clock}'s clock>"
    )


def test_exceptions(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "debug", True)
    x, y = Buffer.zeros(4, u32, device), Buffer.zeros(4, u32, device)
    p = device.profile()
    with pytest.raises(KernelIndexError), p:
        x.fill(1)
        set_past_the_end(x, y)
    assert [r.name for r in p.records] == ["fill"]
    assert not _sessions


def test_a_device_that_is_lost(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.info.index is None:
        pytest.skip("only Vulkan devices can be lost")
    from krnlpy import vulkan

    own = Device.__new__(Device)
    own.backend = vulkan.open_device(device.info.index)
    backend: Any = own.backend
    lost = backend._device.api.VK_ERROR_DEVICE_LOST
    x = Buffer.ones(10, f32, own)
    p = own.profile()
    with pytest.raises(DeviceLost, match="saxpy"), p:
        x.fill(1.0)
        assert len(p.records) == 1
        saxpy(1.0, x, x)
        monkeypatch.setattr(backend._device.functions, "vkWaitSemaphores", lambda *_: lost)
    assert [r.name for r in p.records] == ["fill"]
    assert "launch" not in vars(backend) or config.validate
    with pytest.raises(DeviceLost):
        own.profile().__enter__()
    backend._queue.failure = None  # so that the driver, which has lost nothing, is left in order
    backend.close()


def test_other_threads(device: Device) -> None:
    buffers = [ones(device, 50) for _ in range(4)]
    saxpy(1.0, buffers[0], buffers[0])  # compiled

    def work(number: int) -> None:
        with device.label(f"thread {number}"):
            for _ in range(20):
                saxpy(1.0, ones(device, 50), buffers[number])

    with device.profile() as p, device.label("main"):
        threads = [threading.Thread(target=work, args=(i,), name=f"worker {i}") for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    kernels = [r for r in p.records if r.kind == "kernel"]
    assert len(kernels) == 80 and len(p.records) == 160
    for i in range(4):
        own = [r for r in kernels if r.thread == f"worker {i}"]
        assert len(own) == 20 and {r.label for r in own} == {f"thread {i}"}  # labels are each thread's own
        np.testing.assert_array_equal(buffers[i].numpy(), 22.0 if i == 0 else 21.0)


def test_parallel_profiles(device: Device) -> None:
    """Each sees all that the device did while it was open."""
    barrier = threading.Barrier(3, timeout=60)
    seen: dict[int, list[str]] = {}

    def watch(number: int) -> None:
        with device.profile() as p:
            barrier.wait()
            barrier.wait()
        seen[number] = [r.name for r in p.records]

    threads = [threading.Thread(target=watch, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    x = ones(device, 10)
    barrier.wait()
    saxpy(1.0, x, x)
    barrier.wait()
    for thread in threads:
        thread.join()
    assert [names[-1] for names in seen.values()] == ["saxpy", "saxpy"]


def test_labels(device: Device) -> None:
    x = ones(device, 10)
    other = Device.interpreter() if device.info.backend != "interpreter" else Device.host()
    with device.profile() as p, device.label("step"):
        saxpy(1.0, x, x)
        with device.label("inner"), other.label("of another device"):
            saxpy(1.0, x, x)
            saxpy(1.0, x, x)
        saxpy(1.0, x, x)
    assert [r.label for r in p.records] == ["step", "step/inner", "step/inner", "step"]
    rows = {row.name: row.calls for row in p.summary("label")}
    assert rows == {"step": 2, "step/inner": 2}


def test_many_launches(device: Device) -> None:
    """More than query pools hold at a time, and more than the batches that may be queued."""
    x = ones(device, 10)
    count = 1500 if device.info.backend != "interpreter" else 20
    with device.profile() as p:
        for _ in range(count):
            saxpy(0.0, x, x)
    assert len(p.records) == count
    for before, after in pairwise(p.records):
        # Rounded to nanoseconds, and seconds since the start of the profile to 2**-52 of themselves.
        assert before.begin + before.seconds <= after.begin + 2e-9


def test_time_agrees_with_the_hosts(device: Device) -> None:
    """A profile's times add up to no more than the time that the block took."""
    from time import perf_counter

    x = ones(device, 100_000 if device.info.backend != "interpreter" else 1000)
    device.wait()
    with device.profile() as p:
        begin = perf_counter()
        for _ in range(5):
            saxpy(0.0, x, x)
        device.wait()
        end = perf_counter()
    assert 0 < p.seconds <= end - begin


def test_misuse(device: Device) -> None:
    p = device.profile()
    with pytest.raises(ProfileError, match="not begun"):
        p.records  # noqa: B018
    with p:
        pass
    with pytest.raises(ProfileError, match="entered once"), p:
        pass


def test_json(device: Device, tmp_path: Path) -> None:
    x = ones(device, 10)
    with device.profile() as p:
        saxpy(1.0, x, x)
    path = tmp_path / "p.json"
    p.to_json(path)
    content = json.loads(path.read_text())
    assert content["krnlpy_profile"] == 1
    assert content["device"]["name"] == device.info.name and content["clock"] == p.clock
    record = p.records[0]
    (found,) = content["records"]
    fields: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items() if k != "bandwidth"}
    assert Record(**fields) == record
    assert content["records"][0]["bandwidth"] == record.bandwidth
    assert os.listdir(tmp_path) == ["p.json"]  # noqa: PTH208


def test_chrome_trace(device: Device, tmp_path: Path) -> None:
    x = ones(device, 10)
    with device.profile() as p, device.label("step"):
        with device.label("a"):
            saxpy(1.0, x, x)
            saxpy(1.0, x, x)
        x.fill(1.0)
    p.to_chrome_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    slices = [e for e in events if e["ph"] == "X"]
    device_row = [e for e in slices if e["tid"] == 1]
    assert [e["name"] for e in device_row] == ["step", "a", "saxpy", "saxpy", "fill"]
    step, a, first, second, fill = device_row
    for outer, inner in ((step, a), (a, first), (a, second), (step, fill)):
        # Microseconds with three digits: each end is rounded by half a nanosecond, twice.
        assert outer["ts"] <= inner["ts"] + 1e-3
        assert inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"] + 3e-3
    assert first["args"]["bytes written"] == 40 and first["args"]["groups"] == [1, 1, 1]
    assert [e["name"] for e in slices if e["tid"] == 2] == ["step/a", "step"]
    assert {e["name"] for e in events if e["ph"] == "M"} == {"process_name", "thread_name"}


def test_files_are_complete_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    profile = Device.host().profile()
    with profile:
        pass
    profile.to_json(path)
    profile.to_chrome_trace(path)
    assert json.loads(path.read_text())["displayTimeUnit"] == "ns"
    assert os.listdir(tmp_path) == ["kept.json"]  # noqa: PTH208
    for write in (profile.to_json, profile.to_chrome_trace):
        with pytest.raises(FileMissing):
            write(tmp_path / "missing" / "p.json")


def record(name: str, label: str, seconds: float, nbytes: int) -> Record:
    return Record("kernel", name, label, 0.0, seconds, (1, 1, 1), (1, 1, 1), nbytes, nbytes, "MainThread")


def test_table() -> None:
    records = [
        record("saxpy", "a", 1e-3, 500_000), record("saxpy", "b", 3e-3, 1_500_000), record("matmul", "b", 4e-3, 0),
        record("instant", "", 0.0, 10),
    ]  # fmt: skip
    rows = report.summarize(records, "name")
    assert [row.name for row in rows] == ["matmul", "saxpy", "instant"]
    saxpy_row = rows[1]
    assert (saxpy_row.calls, saxpy_row.min, saxpy_row.max) == (2, 1e-3, 3e-3)
    # Sums and quotients of two numbers: an ulp or two of f64.
    assert saxpy_row.total == pytest.approx(4e-3, rel=1e-15)
    assert saxpy_row.mean == pytest.approx(2e-3, rel=1e-15)
    assert saxpy_row.share == pytest.approx(0.5, rel=1e-15)
    assert saxpy_row.bandwidth == pytest.approx(1e9, rel=1e-15)
    assert rows[2].bandwidth == 0
    lines = report.table(rows, "a device", "device").splitlines()
    assert lines[0] == "a device: timestamps of the device"
    assert re.fullmatch(r" +calls +total ms +mean us +min us +max us +share +GB/s", lines[1])
    assert re.fullmatch(r"matmul +1 +4\.000 +4000\.0 +4000\.0 +4000\.0 +50\.0 % +0\.00", lines[2])
    assert re.fullmatch(r"saxpy +2 +4\.000 +2000\.0 +1000\.0 +3000\.0 +50\.0 % +1\.00", lines[3])
    assert len(set(map(len, lines[1:]))) == 1
    assert report.summarize([], "label") == []


def test_graphs_show_what_they_do(device: Device) -> None:
    x, y = ones(device, 10), ones(device, 10)
    with device.capture() as graph:
        saxpy(1.0, x, y)
        x.fill(3.0)
        y[:5].copy_from(x[5:])
        saxpy(1.0, x, y)
    with device.profile() as p, device.label("step"):
        graph.replay()
    assert [(r.name, r.label) for r in p.records if r.kind == "kernel"] == [("saxpy", "step/graph")] * 2
    assert len(p.records) == 4
    measured = y.numpy().copy()
    for buffer in (x, y):
        buffer.fill(1.0)
    graph.replay()
    np.testing.assert_array_equal(y.numpy(), measured)
    np.testing.assert_array_equal(measured, [6.0] * 5 + [5.0] * 5)


def test_what_is_captured_is_not_measured(device: Device) -> None:
    """Whichever began first, and whichever ends first."""
    x = ones(device, 10)
    with device.profile() as p:
        with device.capture() as graph:
            saxpy(1.0, x, x)
        assert not p.records
        graph.replay()
    assert [r.name for r in p.records] == ["saxpy"]
    saxpy(1.0, x, x)
    assert (x.numpy() == 4).all()

    with device.capture() as graph:
        with device.profile() as inner:
            saxpy(1.0, x, x)
        saxpy(1.0, x, x)
    assert inner.records == ()
    graph.replay()
    assert (x.numpy() == 16).all()
