"""Graphs on the host: calls of machine code and of NumPy, with all their arguments made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy import config
from krnlpy.commands import Command, Copy, Fill, Launch

if TYPE_CHECKING:
    from .backend import HostBackend

Step = Callable[[], Any]


class Recording:
    """What is to be called, one after the other. Addresses are among the arguments: ``commands`` keeps the memory.

    Attributes:
        commands: what was recorded.
        steps: what is called.
    """

    __slots__ = ("commands", "steps")

    def __init__(self, backend: HostBackend, commands: Sequence[Command]) -> None:
        self.commands = tuple(commands)
        self.steps = [step for command in commands for step in _steps(backend, command)]

    def replay(self) -> None:
        """Does it all."""
        for step in self.steps:
            step()


def _steps(backend: HostBackend, command: Command) -> Iterator[Step]:
    if isinstance(command, Launch):
        yield from _launch(backend, command)
    elif isinstance(command, Copy):
        source = command.source.array[command.source_offset : command.source_offset + command.nbytes]
        yield partial(np.copyto, command.to.array[command.to_offset : command.to_offset + command.nbytes], source)
    else:
        assert isinstance(command, Fill)
        word = np.frombuffer(command.pattern, f"u{len(command.pattern)}")
        elements = command.memory.array[command.offset : command.offset + command.nbytes].view(word.dtype)
        yield partial(np.copyto, elements, word)


def _launch(backend: HostBackend, command: Launch) -> Iterator[Step]:
    executable, parameters = command.executable, command.parameters
    count = backend.count(executable, command.groups, parameters)
    if not count:
        return
    buffers = executable.buffers.pack(*[memory.address for memory, _, _ in command.bindings])
    launch = executable.launch.pack(0, *command.groups)
    chunk = executable.chunk(count, config.host_threads)
    if chunk < count or executable.scratch_bytes:
        yield partial(backend.run, executable, parameters, buffers, launch, count, chunk)
    else:
        yield partial(executable.function, parameters, buffers, 0, count, None, launch)
