"""Threads of Python's that share the parts of a function of Python's."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue

from krnlpy import config


class _Job:
    """A range cut into chunks, which the caller and any helpers that are free take one after another."""

    def __init__(self, run: Callable[[int, int], None], end: int, chunk: int, stop: ctypes.c_int32) -> None:
        self._run, self._end, self._chunk, self._stop = run, end, chunk, stop
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
                self._error = error
                self._end_early()
        finally:
            with self._lock:
                self._helping -= 1
                self._done.notify()

    def _end_early(self) -> None:
        """No chunk is started any more, and those that run stop early."""
        self._next = self._end
        self._stop.value = 1

    def lead(self) -> None:
        """What the caller does: returns when no chunk is left or running; raises what a chunk raised."""
        try:
            self._work()
        except BaseException:
            self._stop.value = 1
            raise
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
                self._stop.value = 1
        if interrupt is not None:
            raise interrupt


class _Crew:
    """Helpers that sleep in a queue of their own: an end mark reaches one of those that it is meant for."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[_Job | None] = SimpleQueue()
        self.threads: list[threading.Thread] = []

    def grow(self, count: int) -> None:
        """Starts helpers until there are so many, or the system gives no more threads."""
        while len(self.threads) < count:
            name = f"krnlpy-host-{len(self.threads) + 1}"
            helper = threading.Thread(target=_help, args=(self.queue,), name=name, daemon=True)
            try:
                helper.start()
            except RuntimeError:  # a limit, or the end of the process: the caller works alone
                return
            self.threads.append(helper)

    def dismiss(self) -> None:
        """Tells all helpers to end."""
        for _ in self.threads:
            self.queue.put(None)


class PythonThreads:
    """Persistent helpers that sleep in a queue; a launch's own thread works too.

    Any number of threads may run jobs at once. After a fork, the child starts helpers of its own.
    """

    def __init__(self) -> None:
        self.reset()
        pool = weakref.ref(self)

        def after_fork() -> None:
            if (alive := pool()) is not None:
                alive.reset()

        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=after_fork)

    def reset(self) -> None:
        """Forgets all helpers: in a forked child there are none."""
        self._crew = _Crew()
        self._lock = threading.RLock()  # a handler that interrupts may launch too

    def run(self, run: Callable[[int, int], None], end: int, chunk: int, stop: ctypes.c_int32) -> None:
        """Calls ``run(begin, end)`` for ranges that make up 0..end, each at most ``chunk`` long.

        Args:
            stop: becomes 1 when calls that run are to return early: one has raised, or the caller was interrupted.
        """
        job = _Job(run, end, chunk, stop)
        helpers = min(config.host_threads, -(-end // chunk)) - 1
        crew = self._crew
        if helpers > len(crew.threads):
            with self._lock:
                if crew is self._crew:  # else it was dismissed
                    crew.grow(helpers)
        for _ in range(helpers):
            crew.queue.put(job)
        job.lead()

    def close(self) -> None:
        """Ends the helpers, those at work after it; a later run starts new ones."""
        with self._lock:
            crew, self._crew = self._crew, _Crew()
            crew.dismiss()


def _help(queue: SimpleQueue[_Job | None]) -> None:
    while (job := queue.get()) is not None:
        job.help()
        del job  # or the last job's memory would stay while this thread sleeps
