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
        self._helping = 0
        self._lock = threading.Lock()
        self._done = threading.Condition(self._lock)
        self._error: BaseException | None = None

    def _work(self) -> None:
        """Runs chunks until none is left."""
        while True:
            with self._lock:
                begin = self._next
                if begin >= self._end:
                    return
                self._next = end = min(begin + self._chunk, self._end)
            self._run(begin, end)

    def help(self) -> None:
        """What a helper does with a job."""
        with self._lock:
            self._helping += 1
        try:
            self._work()
        except BaseException as error:
            with self._lock:
                self._error, self._next = error, self._end  # nobody starts another chunk
        finally:
            with self._lock:
                self._helping -= 1
                self._done.notify()

    def lead(self) -> None:
        """What the caller does: returns when no chunk is left or running; raises what a chunk raised."""
        try:
            self._work()
        finally:
            self._wait()
        if self._error is not None:
            raise self._error

    def _wait(self) -> None:
        interrupt: BaseException | None = None
        while True:
            try:
                with self._lock:
                    self._next = self._end
                    while self._helping:
                        self._done.wait()
                break
            except BaseException as error:
                # Ctrl-C, say. Helpers must not touch memory any more once the caller goes on.
                interrupt = error
        if interrupt is not None:
            raise interrupt


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
        self._lock = threading.RLock()

    def run(self, run: Callable[[int, int], None], end: int, chunk: int) -> None:
        """Calls ``run(begin, end)`` for ranges that make up 0..end, each at most ``chunk`` long."""
        job = _Job(run, end, chunk)
        helpers = min(config.host_threads, -(-end // chunk)) - 1
        if helpers > len(self._helpers):
            self._start(helpers)
        for _ in range(helpers):
            self._queue.put(job)
        job.lead()

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
        job.help()
        del job  # or the last job's memory would stay while this thread sleeps
