"""Work as data: what a graph holds, and what backends make recordings of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .protocol import Backend, Binding


class Launch(NamedTuple):
    """A dispatch; see ``Backend.launch``."""

    executable: Any
    groups: tuple[int, int, int]
    bindings: Sequence[Binding]
    parameters: bytes


class LaunchIndirect(NamedTuple):
    """A dispatch of groups that memory counts; see ``Backend.launch_indirect``."""

    executable: Any
    counts: Binding
    bindings: Sequence[Binding]
    parameters: bytes


class Copy(NamedTuple):
    """A copy of bytes within a device; see ``Backend.copy``."""

    source: Any
    source_offset: int
    to: Any
    to_offset: int
    nbytes: int


class Fill(NamedTuple):
    """A repeated pattern; see ``Backend.fill``."""

    memory: Any
    offset: int
    nbytes: int
    pattern: bytes


class Call(NamedTuple):
    """A call of a Python function with arrays of memory, on backends whose memory the process sees.

    Attributes:
        views: what each array is a view of.
        outputs: so many of the last arrays are written whole, the others are read; None where that is not known.
    """

    function: Callable[..., Any]
    arrays: tuple[Any, ...]
    memories: tuple[Any, ...]
    views: tuple[Any, ...] = ()
    outputs: int | None = None


DeviceCommand = Launch | LaunchIndirect | Copy | Fill
Command = DeviceCommand | Call


def identity(commands: Sequence[Command]) -> tuple[int, ...]:
    """A key that is equal for the same commands, as long as they live."""
    return tuple(map(id, commands))


def memories(command: Command) -> Iterator[Any]:
    """The memory that a command uses."""
    if isinstance(command, Launch | LaunchIndirect):
        yield from (memory for memory, _, _ in command.bindings)
        if isinstance(command, LaunchIndirect):
            yield command.counts[0]
    elif isinstance(command, Copy):
        yield command.source
        yield command.to
    elif isinstance(command, Call):
        yield from command.memories
    else:
        yield command.memory


def name_of(command: Command) -> str:
    """What people call a command: the kernel of a launch."""
    if isinstance(command, Launch | LaunchIndirect):
        return str(command.executable.name)
    if isinstance(command, Call):
        return f"call of {getattr(command.function, '__name__', 'a function')}"
    return type(command).__name__.lower()


def perform(backend: Backend, commands: Sequence[Command]) -> None:
    """Queues commands one by one."""
    for command in commands:
        if isinstance(command, Launch):
            backend.launch(*command)
        elif isinstance(command, LaunchIndirect):
            backend.launch_indirect(*command)
        elif isinstance(command, Copy):
            backend.copy(*command)
        elif isinstance(command, Call):
            command.function(*command.arrays)
        else:
            backend.fill(*command)
