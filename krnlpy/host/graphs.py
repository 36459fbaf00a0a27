"""Graphs on the host: calls of machine code and of NumPy, with all their arguments made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy import config
from krnlpy.backend.commands import Call, Command, Copy, Launch, LaunchIndirect, identity
from krnlpy.dsl.llvm.emit import LAUNCH

if TYPE_CHECKING:
    from .backend import HostBackend

Step = Callable[[], Any]


class Recording:
    """What is to be called, one after the other. Addresses are among the arguments: the commands keep the memory.

    Attributes:
        pieces: the commands of each piece, and what is called for them, by the commands' identity.
    """

    def __init__(self, backend: HostBackend, pieces: Sequence[tuple[Command, ...]], previous: Recording | None) -> None:
        self._given = pieces
        old = previous.pieces if previous is not None else {}
        self.pieces: dict[tuple[int, ...], tuple[tuple[Command, ...], list[Step]]] = {}
        self._steps: list[Step] = []
        for commands in pieces:
            key = identity(commands)
            if key in old:
                self.pieces[key] = old[key]
            else:
                self.pieces[key] = commands, [step for command in commands for step in _steps(backend, command)]
            self._steps += self.pieces[key][1]

    @property
    def commands(self) -> list[Command]:
        """All of them, in order."""
        return [command for commands in self._given for command in commands]

    def replay(self) -> None:
        """Does it all."""
        for step in self._steps:
            step()


def _steps(backend: HostBackend, command: Command) -> Iterator[Step]:
    if isinstance(command, Launch):
        yield from _launch(backend, command)
    elif isinstance(command, LaunchIndirect):
        yield partial(backend.launch_indirect, *command)
    elif isinstance(command, Copy):
        source = command.source.array[command.source_offset : command.source_offset + command.nbytes]
        yield partial(np.copyto, command.to.array[command.to_offset : command.to_offset + command.nbytes], source)
    elif isinstance(command, Call):
        yield partial(command.function, *command.arrays)
    else:
        word = np.frombuffer(command.pattern, f"u{len(command.pattern)}")
        elements = command.memory.array[command.offset : command.offset + command.nbytes].view(word.dtype)
        yield partial(np.copyto, elements, word)


def _launch(backend: HostBackend, command: Launch) -> Iterator[Step]:
    executable, parameters = command.executable, command.parameters
    count = backend.count(executable, command.groups, parameters)
    if not count:
        return
    buffers = executable.buffers.pack(*[memory.address for memory, _, _ in command.bindings])
    launch = LAUNCH.pack(0, *command.groups)
    chunk = executable.chunk(count, config.host_threads)
    yield partial(backend.run, executable, parameters, buffers, launch, count, chunk, command.bindings)
