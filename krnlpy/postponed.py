"""What a signal handler or a finalizer asks of a kernel's memory while it interrupts the launch of that kernel, on
backends that run a launch at once: it is done when the launch is over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from .errors import DeviceBusy

Access = tuple[int, int, bool]
"""First byte of the process's memory, past-the-last byte, and whether it may be written."""


Span = tuple[Any, int, int]
"""A memory, a byte of it, and a count of bytes."""


class _Launch:
    def __init__(self, accesses: Sequence[Access]) -> None:
        self.thread = threading.get_ident()
        self.accesses = accesses
        self.waiting: list[tuple[Sequence[Access], Callable[[], None]]] = []


class Launches:
    """Those of a backend that are running.

    Attributes:
        running: the list of them. Where it is empty, nothing needs to be asked.
    """

    def __init__(self) -> None:
        self.running: list[_Launch] = []

    @contextmanager
    def run(self, accesses: Sequence[Access]) -> Iterator[None]:
        """A launch that runs within the block, and after it what was postponed, in order."""
        launch = _Launch(accesses)
        self.running.append(launch)
        try:
            yield
        finally:
            self.running.remove(launch)
            while launch.waiting:
                _, work = launch.waiting.pop(0)
                work()

    def lend(self, memory: Any, is_written: bool) -> bool:
        """Whether a memory may be read by others, or written: not within a launch that touches it. Raises as
        :meth:`check_read`."""
        if not is_written:
            self.check_read(memory, 0, memory.nbytes)
            return True
        span = [(memory.address, memory.address + memory.nbytes, True)]
        return not any(_meet(span, launch.accesses) for launch in self._mine())

    def postpone(self, accesses: Sequence[Access], work: Callable[[], None]) -> bool:
        """Whether work is postponed: because this thread is within a launch that needs the same bytes."""
        for launch in self._mine():
            if _meet(accesses, launch.accesses) or any(_meet(accesses, others) for others, _ in launch.waiting):
                launch.waiting.append((accesses, work))
                return True
        return False

    def postpone_transfer(self, work: Callable[..., None], *arguments: Any, spans: Sequence[Span]) -> bool:
        """As :meth:`postpone`, of work on spans of memory, of which it writes the last and reads the others."""
        last = len(spans) - 1
        accesses = [(m.address + at, m.address + at + nbytes, i == last) for i, (m, at, nbytes) in enumerate(spans)]
        return self.postpone(accesses, partial(work, *arguments))

    def check_read(self, memory: Any, offset: int, nbytes: int) -> None:
        """Raises DeviceBusy if these bytes are to be changed by what was postponed."""
        access = memory.address + offset, memory.address + offset + nbytes, False
        for launch in self._mine():
            if any(_meet([access], accesses) for accesses, _ in launch.waiting):
                raise DeviceBusy(
                    "the kernel that was interrupted uses memory that was then asked to change, which happens after the"
                    " kernel; it can't be read before"
                )

    def _mine(self) -> Iterable[_Launch]:
        me = threading.get_ident()
        return [launch for launch in self.running if launch.thread == me]


def _meet(some: Sequence[Access], others: Sequence[Access]) -> bool:
    return any(
        begin < end and first < past and (writes or wrote)
        for first, end, writes in some
        for begin, past, wrote in others
    )


def accesses_of(executable: Any, bindings: Iterable[tuple[Any, int, int]]) -> list[Access]:
    """What a launch may touch."""
    return [
        (memory.address + first, memory.address + end, writes)
        for (memory, first, end), (_, writes) in zip(bindings, executable.accesses, strict=True)
    ]
