"""What threads do without the backend's lock: they wait for batches, and copy from memory, while others record."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from krnlpy.errors import DeviceError
from krnlpy.locks import renew_after_fork

from .commands import Queue


class Unlocked:
    """The threads that use a device without the backend's lock. It is not closed as long as there are any.

    Args:
        lock: the backend's.
    """

    def __init__(self, queue: Queue, lock: Any) -> None:
        self._queue = queue
        self._lock = lock
        renew_after_fork(self, "_lock")
        self._threads: set[object] = set()

    def wait(self, batch: int) -> None:
        """Returns when a submitted batch is done. Raises why the queue is of no use any more, if it isn't."""
        self.call(self._queue.block, batch)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Calls a function that uses the device. Raises as :meth:`wait`."""
        me = object()
        try:
            try:
                self._threads.add(me)  # before the look: who closes looks the other way round
                if self._queue.failure is not None:
                    raise self._queue.failure
                function(*arguments)
            finally:
                self._threads.discard(me)
        except DeviceError:
            with self._lock:  # which is never free again at the end of the process
                raise

    def end(self) -> None:
        """Returns when no thread is left. Those that come now see that the queue has failed."""
        while self._threads:
            time.sleep(0.001)
