"""The pool of threads: functions of C's, here of Python's behind them, are called for the ranges of a launch."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from krnlpy.host.compiler import Compiler
from krnlpy.host.pool import ThreadPool
from krnlpy.host.threads.layout import ENDED, STARTED
from tests.support import process

_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 2, *[ctypes.c_void_p] * 3)


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    pool = ThreadPool(Compiler())
    yield pool
    pool.close()


def share(
    pool: ThreadPool, work: Callable[[int, int], int | None], count: int, chunk: int, workers: int, stride: int = 0
) -> int:
    """Calls Python's ``work(begin, end)``, and what it returns is returned where it is not None."""
    function = _FUNCTION(lambda parameters, buffers, begin, end, *others: work(begin or 0, end) or 0)
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return pool.share(address, b"", b"", None, b"", count, chunk, stride, workers)


@pytest.mark.parametrize(("count", "chunk", "workers"), [(1003, 10, 4), (7, 2, 4), (64, 64, 3), (1, 5, 2), (90, 1, 30)])
def test_a_range_is_covered_once(pool: ThreadPool, count: int, chunk: int, workers: int) -> None:
    seen: list[tuple[int, int]] = []
    for _ in range(20):
        seen.clear()
        assert share(pool, lambda begin, end: seen.append((begin, end)), count, chunk, workers) == 0
        assert sorted(seen) == [(begin, min(begin + chunk, count)) for begin in range(0, count, chunk)]


def test_helpers_work_while_they_spin_and_after_they_slept(pool: ThreadPool) -> None:
    """Each chunk waits for the other three, so that four threads must come."""
    together = threading.Barrier(4, timeout=20)
    for pause in (0.0, 0.0, 0.01, 0.0, 0.05):
        time.sleep(pause)
        share(pool, lambda begin, end: together.wait() and None, 4, 1, 4)


def test_no_more_threads_than_were_asked_for(pool: ThreadPool) -> None:
    share(pool, lambda begin, end: time.sleep(0.001), 40, 1, 6)  # helpers that may not help the next
    lock, at_once, counts = threading.Lock(), list[int](), list[int]()

    def work(begin: int, end: int) -> None:
        with lock:
            at_once.append(begin)
            counts.append(len(at_once))
        time.sleep(0.002)
        with lock:
            at_once.remove(begin)

    for workers in (1, 2, 3):
        counts.clear()
        share(pool, work, 40, 1, workers)
        assert max(counts) <= workers


def test_each_worker_has_its_own_scratch(pool: ThreadPool) -> None:
    used: list[tuple[int, int]] = []

    def work(parameters: int, buffers: int, begin: int, end: int, scratch: int, *others: int) -> int:
        used.append((scratch, threading.get_ident()))
        time.sleep(0.001)
        return 0

    function = _FUNCTION(work)
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    pool.share(address, b"", b"", 1 << 20, b"", 100, 1, 256, 4)
    assert {scratch for scratch, _ in used} <= {(1 << 20) + 256 * worker for worker in range(4)}
    assert len(set(used)) == len({scratch for scratch, _ in used}) == len({thread for _, thread in used}) > 1


def test_a_function_that_refuses_is_not_called_again(pool: ThreadPool) -> None:
    calls: list[int] = []

    def refuse(begin: int, end: int) -> int:
        calls.append(begin)
        time.sleep(0.01)
        return 1

    for workers in (1, 3):
        calls.clear()
        assert share(pool, refuse, 1000, 1, workers)
        assert len(calls) <= workers
        assert not share(pool, lambda begin, end: None, 1000, 10, workers)


def test_regions_within_regions_and_of_many_threads(pool: ThreadPool) -> None:
    """Who finds the helpers at work does it alone."""
    sums: list[int] = []

    def count_to(end: int) -> int:
        seen: list[int] = []
        share(pool, lambda begin, end: seen.extend(range(begin, end)), end, 3, 3)
        assert sorted(seen) == list(range(end))
        return len(seen)

    def launches() -> None:
        inner: list[int] = []
        for _ in range(10):
            inner.clear()
            share(pool, lambda begin, end: inner.extend(count_to(50) for _ in range(begin, end)), 5, 1, 3)
            sums.append(sum(inner))

    threads = [threading.Thread(target=launches) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [250] * 50


def test_who_calls_does_not_wait_for_helpers_that_do_not_come(pool: ThreadPool) -> None:
    """A helper is held up in a region, whose caller waits for it; the next caller goes on without it."""
    held, goes_on = threading.Event(), threading.Event()
    caller = threading.get_ident()

    def hold(begin: int, end: int) -> None:
        if threading.get_ident() == other.ident:
            assert held.wait(20)
        else:
            held.set()
            assert goes_on.wait(20)

    other = threading.Thread(target=lambda: share(pool, hold, 2, 1, 2))
    other.start()
    assert held.wait(20)
    seen: list[int] = []
    share(pool, lambda begin, end: seen.append(threading.get_ident()), 100, 1, 2)
    assert set(seen) == {caller}
    goes_on.set()
    other.join()


def test_a_pool_closes_while_threads_go_on_launching(pool: ThreadPool) -> None:
    """Helpers at work end after it; a launch meanwhile starts others."""
    started, ends = threading.Barrier(4, timeout=20), threading.Event()

    def held(begin: int, end: int) -> None:
        started.wait()
        assert ends.wait(20)

    busy = threading.Thread(target=lambda: share(pool, held, 3, 1, 3))
    busy.start()
    started.wait()
    crew = pool._crew
    pool.close()
    together = threading.Barrier(3, timeout=20)
    share(pool, lambda begin, end: together.wait() and None, 3, 1, 3)
    assert crew.words[ENDED // 8] == 0
    ends.set()
    busy.join()
    until(lambda: crew.words[ENDED // 8] == 2)


def test_helpers_that_sleep_end_too(pool: ThreadPool) -> None:
    share(pool, lambda begin, end: time.sleep(0.001), 10, 1, 5)
    crew = pool._crew
    time.sleep(0.05)
    pool.close()
    until(lambda: crew.words[ENDED // 8] == crew.words[STARTED // 8] == 4)


def until(holds: Callable[[], bool]) -> None:
    """Waits."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.skipif(sys.maxsize < 2**32 or sys.platform == "win32", reason="a stack can't be too long there")
def test_a_system_without_threads_to_give(pool: ThreadPool) -> None:
    before = threading.stack_size(1 << 47)  # more than there are addresses
    try:
        seen: list[int] = []
        for _ in range(2):
            seen.clear()
            assert share(pool, lambda begin, end: seen.extend(range(begin, end)), 1000, 10, 4) == 0
            assert seen == list(range(1000))
    finally:
        threading.stack_size(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_has_helpers_of_its_own(pool: ThreadPool) -> None:
    """Also one that was forked while another thread used the pool."""
    started, ends = threading.Event(), threading.Event()

    def held(begin: int, end: int) -> None:
        started.set()
        assert ends.wait(20)

    busy = threading.Thread(target=lambda: share(pool, held, 2, 1, 2))
    busy.start()
    assert started.wait(20)
    child = os.fork()
    if not child:
        together = threading.Barrier(3, timeout=20)
        share(pool, lambda begin, end: together.wait() and None, 3, 1, 3)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    ends.set()
    busy.join()


_EXITS = """
import threading, time
from krnlpy import Buffer, Device, ItemMut, config, f32, kernel
config.host_threads = 3
@kernel
def scale(x: ItemMut[f32]):
    for _ in range(50):
        x *= f32(-1.0)
x = Buffer.ones(300_000, f32, Device.host())
def work():
    while True:
        scale(x)
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
scale(x)
time.sleep(PAUSE)
print("end")
"""


@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_a_process_ends_while_helpers_work(pause: float, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(_EXITS.replace("PAUSE", str(pause)))
    for _ in range(3):
        assert process.output(program) == "end\n"
