"""What a queue keeps of its batches: a log by which a command buffer can be recorded anew, and who accesses what.

Whatever interrupts a thread within the queue's methods (a signal handler, a finalizer) touches nothing of the queue but
logs: it may run what a log says, and empties the log then (reentry.py). That is why there are logs, and why a command
buffer is submitted only as long as it is what its log says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .hazards import Access


class Log(list[tuple[Any, ...]]):
    """The commands in a command buffer, each as a function of the buffer and its further arguments (of a launch, the
    first is the executable), by which they are recorded once more where they must be.

    Attributes:
        valid: what is submitted for the command buffer; nothing if the buffer is not what the log says.
        others: the logs of others, whose commands come first.
    """

    __slots__ = ("others", "valid")

    def __init__(self, submitted: Any) -> None:
        self.valid = [submitted]
        self.others: Sequence[Log] = ()

    @property
    def kernels(self) -> list[str]:
        """The names of the kernels."""
        return [name for command in self if (name := getattr(command[1], "name", None))]


class QueuedBatch(NamedTuple):
    """Commands that are submitted together. ``value``: its number. Those of graphs have no pool and buffer here, but
    ``names``, of their kernels."""

    value: int
    pool: Any
    buffer: Any
    accesses: list[Sequence[Access]]
    log: Log
    names: Sequence[str] = ()

    @property
    def kernels(self) -> list[str]:
        """The names of the kernels: of what is recorded anew each time, as the log says."""
        return [*self.names, *self.log.kernels]
