"""Work that waits for a kernel that was interrupted, on backends that run a launch at once.

A signal handler or a finalizer may ask for changes of the memory that the kernel uses. They are made when the launch is
over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from krnlpy.errors import DeviceBusy

from .commands import Call, Command, Copy, Launch, LaunchIndirect, perform

if TYPE_CHECKING:
    from .protocol import Backend, Binding

Access = tuple[int, int, bool]
"""First byte of the process's memory, past-the-last byte, and whether it may be written."""


Span = tuple[Any, int, int]
"""A memory, a byte of it, and a count of bytes."""


class _Launch:
    __slots__ = ("_accesses", "is_over", "thread", "waiting")

    def __init__(self, accesses: Callable[[], Sequence[Access]]) -> None:
        self.thread = threading.get_ident()
        self._accesses = accesses
        self.is_over = False
        self.waiting: list[tuple[Sequence[Access], Callable[[], None]]] = []

    def conflicts_with(self, accesses: Sequence[Access]) -> bool:
        """Whether others that access these bytes must wait for the launch, or for what waits for it."""
        if not self.is_over and _overlap(accesses, self._accesses()):
            return True
        return any(_overlap(accesses, others) for others, _ in self.waiting)


class Launches:
    """Those of a backend that are running.

    Attributes:
        running: the list of them. Where it is empty, nothing needs to be asked.
    """

    def __init__(self) -> None:
        self.running: list[_Launch] = []

    def run(self, executable: Any, bindings: Sequence[Binding], work: Callable[..., None], *arguments: Any) -> None:
        """Does the work of a launch, and then what was postponed, in order."""
        self.run_all(partial(accesses_of, executable, bindings), work, *arguments)

    def run_all(self, accesses: Callable[[], Sequence[Access]], work: Callable[..., object], *arguments: Any) -> None:
        """Does work that accesses bytes, as :meth:`run` does."""
        launch = _Launch(accesses)
        try:
            self.running.append(launch)  # within the block: Ctrl-C may come when it is there
            work(*arguments)
        finally:
            launch.is_over = True
            try:
                if launch.waiting:
                    _work_off(launch.waiting)
            finally:
                self.running.remove(launch)

    @property
    def is_within(self) -> bool:
        """Whether this thread is within a launch."""
        return bool(self._mine())

    def lend(self, memory: Any, is_written: bool) -> bool:
        """Whether a memory may be read by others, or written: not within a launch that touches it. Raises as
        :meth:`check_read`."""
        if not is_written:
            self.check_read(memory, 0, memory.nbytes)
            return True
        span = [(memory.address, memory.address + memory.nbytes, True)]
        return not any(launch.conflicts_with(span) for launch in self._mine())

    def postpone(self, accesses: Sequence[Access], work: Callable[[], None]) -> bool:
        """Whether work is postponed: because this thread is within a launch that needs the same bytes. The work does
        not ask again."""
        for launch in self._mine():
            if launch.conflicts_with(accesses):
                launch.waiting.append((accesses, work))
                return True
        return False

    def perform(self, backend: Backend, commands: Sequence[Command]) -> None:
        """Does commands one by one, or postpones them: calls of Python functions too, for as much of their memory as
        they can reach."""
        for command in commands:
            if not isinstance(command, Call) or not self.postpone(
                accesses_of_command(command), partial(command.function, *command.arrays)
            ):
                perform(backend, (command,))

    def postpone_transfer(self, work: Callable[..., None], *arguments: Any, spans: Sequence[Span]) -> bool:
        """As :meth:`postpone`, for work that writes the last of some spans of memory and reads the others."""
        last = len(spans) - 1
        accesses = [(m.address + at, m.address + at + nbytes, i == last) for i, (m, at, nbytes) in enumerate(spans)]
        return self.postpone(accesses, partial(work, *arguments))

    def check_read(self, memory: Any, offset: int, nbytes: int) -> None:
        """Raises DeviceBusy if these bytes are to be changed by what was postponed."""
        access = memory.address + offset, memory.address + offset + nbytes, False
        for launch in self._mine():
            if any(_overlap([access], accesses) for accesses, _ in launch.waiting):
                raise DeviceBusy(
                    "this memory is changed after the interrupted kernel, which uses it; it can't be read before"
                )

    def _mine(self) -> Sequence[_Launch]:
        """The running launches of this thread, the outermost first."""
        me = threading.get_ident()
        return [launch for launch in self.running.copy() if launch.thread == me]  # others may end meanwhile


def _work_off(waiting: list[tuple[Sequence[Access], Callable[[], None]]]) -> None:
    """Does it in order, with what is postponed in the meantime at the end. Raises the first error when all is done."""
    errors = []
    while waiting:
        try:
            waiting[0][1]()
        except BaseException as error:
            errors.append(error)
        finally:
            waiting.pop(0)
    if errors:
        raise errors[0]


def _overlap(some: Sequence[Access], others: Sequence[Access]) -> bool:
    return any(
        begin < end and first < past and (writes or wrote)
        for first, end, writes in some
        for begin, past, wrote in others
    )


def accesses_of(executable: Any, bindings: Iterable[Binding], counts: Binding | None = None) -> list[Access]:
    """What a launch may touch; ``counts``: where it reads how many groups it has."""
    accesses = [
        (memory.address + first, memory.address + end, writes)
        for (memory, first, end), (_, writes) in zip(bindings, executable.accesses, strict=True)
    ]
    if counts is not None:
        memory, first, end = counts
        accesses.append((memory.address + first, memory.address + end, False))
    return accesses


def accesses_of_command(command: Command) -> list[Access]:
    """What a command may touch; of the memory of a call of Python all that it can reach."""
    if isinstance(command, Launch):
        return accesses_of(command.executable, command.bindings)
    if isinstance(command, LaunchIndirect):
        return accesses_of(command.executable, command.bindings, command.counts)
    if isinstance(command, Copy):
        source, to = command.source.address + command.source_offset, command.to.address + command.to_offset
        return [(source, source + command.nbytes, False), (to, to + command.nbytes, True)]
    if isinstance(command, Call):
        return [(memory.address, memory.address + memory.nbytes, True) for memory in command.memories]
    first = command.memory.address + command.offset
    return [(first, first + command.nbytes, True)]
