"""Threads that share the ranges of a launch."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue

from krnlpy import config


class _Job:
    """A range cut into chunks, which the caller and any helpers that are free take one after another."""

    def __init__(self, run: Callable[[int, int], None], end: int, chunk: int) -> None:
        self._run, self._end, self._chunk = run, end, chunk
        self._next = 0
        self._running = 0
        self._lock = threading.Lock()
        self._done = threading.Condition(self._lock)
        self._error: BaseException | None = None

    def work(self) -> None:
        """Runs chunks until none is left."""
        while True:
            with self._lock:
                begin = self._next
                if begin >= self._end:
                    return
                self._next = end = min(begin + self._chunk, self._end)
                self._running += 1
            error = None
            try:
                self._run(begin, end)
            except BaseException as caught:
                error = caught
            with self._lock:
                self._running -= 1
                if error is not None:
                    self._error, self._next = error, self._end  # nobody starts another chunk
                if not self._running and self._next >= self._end:
                    self._done.notify()

    def wait(self) -> None:
        """Returns when no chunk is left or running; raises what a chunk raised."""
        with self._lock:
            try:
                while self._running or self._next < self._end:
                    self._done.wait()
            except BaseException:
                # Interrupted: the memory must not be touched any more once the caller goes on.
                self._next = self._end
                while self._running:
                    self._done.wait()
                raise
        if self._error is not None:
            raise self._error


class ThreadPool:
    """Persistent helpers that sleep in a queue; a launch's own thread works too.

    Any number of threads may run jobs at once. After a fork, the child starts helpers of its own.
    """

    def __init__(self) -> None:
        self._reset()
        pool = weakref.ref(self)

        def after_fork() -> None:
            if (alive := pool()) is not None:
                alive._reset()

        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=after_fork)

    def _reset(self) -> None:
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._helpers: list[threading.Thread] = []
        self._lock = threading.Lock()

    def run(self, run: Callable[[int, int], None], end: int, chunk: int) -> None:
        """Calls ``run(begin, end)`` for ranges that make up 0..end, each at most ``chunk`` long."""
        job = _Job(run, end, chunk)
        helpers = min(config.host_threads, -(-end // chunk)) - 1
        if helpers > len(self._helpers):
            self._start(helpers)
        for _ in range(helpers):
            self._queue.put(job)
        job.work()
        job.wait()

    def _start(self, count: int) -> None:
        with self._lock:
            while len(self._helpers) < count:
                name = f"krnlpy-host-{len(self._helpers) + 1}"
                helper = threading.Thread(target=_help, args=(self._queue,), name=name, daemon=True)
                helper.start()
                self._helpers.append(helper)

    def close(self) -> None:
        """Ends the helpers; a later run starts new ones."""
        with self._lock:
            helpers, self._helpers = self._helpers, []
            for _ in helpers:
                self._queue.put(None)
        for helper in helpers:
            helper.join()


def _help(queue: SimpleQueue[_Job | None]) -> None:
    while (job := queue.get()) is not None:
        job.work()
        del job  # or the last job's memory would stay while this thread sleeps
