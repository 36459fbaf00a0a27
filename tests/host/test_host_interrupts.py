"""Ctrl-C while a kernel runs on the host: it stops, endless loops too, and the device goes on."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from krnlpy import Buffer, Device, Global, GlobalMut, ItemMut, Spec, config, f32, func, i32, kernel, u32
from krnlpy.dsl import barrier, global_id, global_threads, group_array, group_id, subgroup_any, thread_id
from tests.support import process
from tests.support.kernels import increment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise on Windows")


@kernel
def endless(x: ItemMut[u32]) -> None:
    while x < u32(10):
        x *= u32(2)


@kernel
def endless_with_return(x: ItemMut[u32]) -> None:
    while True:
        x += u32(1)
        if x == u32(0) and x == u32(1):
            return


@func
def steps_until(start: u32, goal: u32) -> u32:
    count = u32(0)
    while start != goal:
        start += u32(2)
        count += u32(1)
    return count


@kernel
def endless_function(x: ItemMut[u32]) -> None:
    x += steps_until(u32(0), u32(1))


@kernel
def endless_group(x: GlobalMut[u32, 1]) -> None:
    kept = group_array(u32, 64)
    while x[0] < u32(10):
        kept[thread_id()] = x[0] * u32(2)
        barrier()
        x[0] = kept[0]
        barrier()


@kernel
def endless_subgroups(x: GlobalMut[u32, 1]) -> None:
    while subgroup_any(x[global_id()] < u32(10)):
        x[global_id()] *= u32(2)


@kernel
def long_range(n: u32, x: ItemMut[u32]) -> None:
    """Its loop is as long as can be, and of no known length."""
    for i in range(n):
        for j in range(n):
            x += (i ^ j) * x


@kernel
def long_steps(n: i32, x: ItemMut[u32]) -> None:
    for i in range(n, -n, -3):
        for j in range(i, -n, -1):
            x += u32(i ^ j) * x


@kernel(threads=4)
def long_strided(x: GlobalMut[u32, 1], n: i32) -> None:
    """At most so long as a launch knows, which is too long."""
    for i in range(global_id(), n, global_threads()):
        for j in range(thread_id() % 3, i, x.shape[0]):
            for k in range(j, n):
                x[thread_id()] += u32(i ^ k) * x[0]


@kernel
def long_with_break(n: u32, x: ItemMut[u32]) -> None:
    for i in range(n):
        for _ in range(n):
            x += u32(2)
            if x == u32(1):
                break
        if x + i == u32(0) and x == i:
            break


@kernel
def written_out(x: ItemMut[u32], N: Spec[u32] = 1 << 31) -> None:
    for i in range(N):
        for j in range(N):
            x += (i ^ j) * x


@kernel
def quick(x: GlobalMut[u32, 1]) -> None:
    """LLVM finds no shorter way to do it for many groups."""
    x[0] = x[0] * u32(1664525) ^ u32(group_id())


def _many_groups(x: Buffer) -> None:
    quick.with_threads(1).with_groups(1 << 20, 1 << 20)(x)


LAUNCHES: dict[str, Callable[[Buffer], object]] = {
    "while": endless,
    "return": endless_with_return,
    "function": endless_function,
    "group": endless_group.with_threads(64).with_groups(3),
    "subgroups": endless_subgroups.with_threads(64).with_groups(1),
    "range": lambda x: long_range(0xFFFFFFFF, x),
    "steps": lambda x: long_steps(1 << 30, x),
    "strided": lambda x: long_strided.with_groups(1)(x, (1 << 31) - 1),
    "break": lambda x: long_with_break(0xFFFFFFFF, x),
    "constants": written_out,
    "groups": _many_groups,
}


@contextmanager
def interrupted(after: float = 0.2) -> Iterator[None]:
    """Sends SIGINT to the process, which must be raised in the block."""
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start what is in the background without
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)


def check(x: Buffer) -> None:
    """The device goes on."""
    x.fill(0)
    increment(x)
    assert (x.numpy() == 1).all()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", LAUNCHES)
def test_a_kernel_is_interrupted(name: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "host_threads", threads)
    x = Buffer.zeros(64 if "group" in name or threads == 1 else 300_000, u32, Device.host())
    with interrupted():
        LAUNCHES[name](x)
    check(x)


@pytest.mark.parametrize("count", [64, 300_000])
def test_a_replay_is_interrupted(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "host_threads", 2)
    x = Buffer.zeros(count, u32, Device.host())
    with Device.host().capture() as graph:
        long_range(0xFFFFFFFF, x)
    with interrupted():
        graph.replay()
    check(x)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_replay_is_interrupted_between_kernels(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them takes long enough to be asked itself."""
    monkeypatch.setattr(config, "host_threads", threads)
    x = Buffer.zeros(4, u32, Device.host())
    with Device.host().capture() as graph:
        for _ in range(100):
            quick.with_threads(1).with_groups(100_000)(x)
    with interrupted():
        for _ in range(1 << 40):
            graph.replay()
    with Device.host().capture() as longer:
        for _ in range(1000):
            graph.replay()
    begin = time.monotonic()
    with interrupted():
        longer.replay()
    assert time.monotonic() - begin < 100  # all of it would take longer
    check(x)


def test_helpers_stop_where_the_caller_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interrupt comes while the main thread, with quick items only, waits for a helper at an endless one."""
    monkeypatch.setattr(config, "host_threads", 2)
    values = np.full(400_000, 10, np.uint32)
    values[-1] = 0
    x = Buffer.from_numpy(values, Device.host())
    with interrupted(0.5):
        endless(x)
    check(x)


def test_other_handlers_run_and_the_kernel_goes_on() -> None:
    """A handler that returns, launches and reads, as one that saves a checkpoint does."""
    x, y = Buffer.zeros(1, u32, Device.host()), Buffer.zeros(64, u32, Device.host())
    seen = []

    def save(number: int, frame: object) -> None:
        reverse.with_threads(64).with_groups(1)(y)
        seen.append(y.numpy().tolist())

    old = signal.signal(signal.SIGTERM, save)
    try:
        timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM))
        timer.start()
        with interrupted(0.6):
            endless_group.with_threads(64).with_groups(1)(x)
        timer.join()
    finally:
        signal.signal(signal.SIGTERM, old)
    assert seen == [list(range(63, -1, -1))]


@kernel
def reverse(y: GlobalMut[u32, 1]) -> None:
    kept = group_array(u32, 64)
    kept[thread_id()] = u32(thread_id())
    barrier()
    y[thread_id()] = kept[63 - thread_id()]


@kernel
def product(a: Global[f32, 2], b: Global[f32, 2], c: GlobalMut[f32, 2]) -> None:
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = f32(0.0)
            for k in range(a.shape[1]):
                total += a[i, k] * b[k, j]
            c[i, j] = total


def test_what_asks_deeper_computes_the_same() -> None:
    """400 x 300 x 500 products by one thread are more than may be done without asking."""
    rng = np.random.default_rng(1)
    a, b = rng.integers(-9, 10, (400, 300)), rng.integers(-9, 10, (300, 500))
    device = Device.host()
    c = Buffer.zeros((400, 500), f32, device)
    x, y = (Buffer.from_numpy(v, device).cast(f32) for v in (a, b))
    product.with_threads(1).with_groups(1)(x, y, c)
    np.testing.assert_array_equal(c.numpy(), a @ b)


_DAEMON = """
import threading, time
from krnlpy import Buffer, Device, ItemMut, config, kernel, u32
config.host_threads = 2
@kernel
def endless(x: ItemMut[u32]):
    while x < u32(10):
        x *= u32(2)
for count in (1, 300_000):
    x = Buffer.zeros(count, u32, Device.host())
    threading.Thread(target=endless, args=(x,), daemon=True).start()
time.sleep(0.5)
print("end")
"""


def test_a_process_ends_while_a_daemon_runs_an_endless_kernel(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(_DAEMON)
    assert process.output(program) == "end\n"
