"""Graphs on the host: launches one after the other without Python, and calls of NumPy, with all arguments made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from krnlpy import config
from krnlpy.backend.commands import Call, Command, Copy, Fill, Launch, LaunchIndirect, identity
from krnlpy.backend.postponed import Access, accesses_of_command
from krnlpy.dsl.llvm.emit import LAUNCH

from .foreign import ADDRESS
from .memory import address_of
from .threads.commands import COMMAND, TRANSFER
from .threads.layout import MOST_HELPERS

if TYPE_CHECKING:
    from .backend import HostBackend

Step = Callable[[], Any]

_FILL = Struct("=Q8s")
_MOVED_BYTES = 1 << 20
"""Bytes that are worth a thread to move: some 50 us."""


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
                self.pieces[key] = commands, list(_steps(backend, commands))
            self._steps += self.pieces[key][1]

    @property
    def commands(self) -> list[Command]:
        """All of them, in order."""
        return [command for commands in self._given for command in commands]

    def replay(self) -> None:
        """Does it all."""
        for step in self._steps:
            step()


class _Launch(NamedTuple):
    """What the pool calls: addresses of machine code, and its arguments; see :mod:`krnlpy.host.threads.module`."""

    function: int
    parameters: bytes
    buffers: bytes
    launch: bytes
    length: int
    chunk: int
    stride: int = 0
    within: Callable[[Callable[[], object]], object] | None = None


class _Sequence:
    """Launches that are run one after the other."""

    def __init__(self, backend: HostBackend, commands: Sequence[Command], launches: Sequence[_Launch]) -> None:
        self._backend, self._commands = backend, commands
        data = b"".join(map(_aligned, (part for each in launches for part in each[1:4])))
        self._data = np.empty(COMMAND.size * len(launches) + len(data), np.uint8)
        at = address_of(self._data) + COMMAND.size * len(launches)
        packed = []
        for each in launches:
            places = []
            for part in each[1:4]:
                places.append(at)
                at += len(_aligned(part))
            packed.append(COMMAND.pack(each.function, *places, each.length, each.chunk, each.stride, MOST_HELPERS))
        self._data[:] = np.frombuffer(b"".join([*packed, data]), np.uint8)
        self._address, self._many = address_of(self._data), len(launches)
        self._stride = max(each.stride for each in launches)
        self._shares = any(each.chunk < each.length for each in launches)
        self._within = tuple(dict.fromkeys(each.within for each in launches if each.within is not None))

    def __call__(self) -> None:
        backend, workers = self._backend, config.host_threads if self._shares else 1

        def work(scratch: int | None) -> None:
            backend.pool.replay(self._address, self._many, scratch, workers)

        run: Callable[[], object] = partial(work, None)
        if self._stride:
            run = partial(backend.with_scratch, workers * self._stride, work)
        for within in self._within:
            run = partial(within, run)
        backend.run_all(self._accesses, run)

    def _accesses(self) -> list[Access]:
        return [access for command in self._commands for access in accesses_of_command(command)]


def _aligned(part: bytes) -> bytes:
    return part + bytes(-len(part) % 16)


def _steps(backend: HostBackend, commands: Sequence[Command]) -> Iterator[Step]:
    """What is to be called: launches that follow each other as one."""
    for is_native, group in groupby(((command, _native(backend, command)) for command in commands), _is_native):
        pairs = list(group)
        if not is_native:
            yield from (_step(backend, command) for command, _ in pairs)
        elif launches := [launch for _, launch in pairs if launch is not None and launch.length]:
            yield _Sequence(backend, [command for command, _ in pairs], launches)


def _is_native(pair: tuple[Command, _Launch | None]) -> bool:
    return pair[1] is not None


def _step(backend: HostBackend, command: Command) -> Step:
    if isinstance(command, LaunchIndirect):
        return partial(backend.launch_indirect, *command)
    assert isinstance(command, Call)
    return partial(command.function, *command.arrays)


def _native(backend: HostBackend, command: Command) -> _Launch | None:
    """A command as a launch; None where Python is needed."""
    if isinstance(command, Launch):
        return _launch(backend, command)
    if isinstance(command, Copy):
        return _copy(backend, command)
    if isinstance(command, Fill):
        word = command.pattern * (8 // len(command.pattern))
        parameters = _FILL.pack(command.memory.address + command.offset, word)
        return _Launch(backend.pool.fill, parameters, b"", b"", command.nbytes, _MOVED_BYTES)
    calls = None
    if isinstance(command, Call) and hasattr(command.function, "foreign"):
        calls = command.function.foreign(*command.arrays)
    if calls is None:
        return None
    count = len(calls.table)
    chunk = backend.rows(calls)
    function = ADDRESS.pack(calls.function)
    return _Launch(
        backend.caller(calls.table.dtype), calls.table.tobytes(), function, b"", count, chunk, within=calls.within
    )


def _copy(backend: HostBackend, command: Copy) -> _Launch:
    source, to = command.source.address + command.source_offset, command.to.address + command.to_offset
    overlap = source < to + command.nbytes and to < source + command.nbytes
    chunk = command.nbytes if overlap else _MOVED_BYTES
    return _Launch(backend.pool.copy, TRANSFER.pack(to, source), b"", b"", command.nbytes, chunk)


def _launch(backend: HostBackend, command: Launch) -> _Launch:
    executable, parameters = command.executable, command.parameters
    count = backend.count(executable, command.groups, parameters)
    buffers = executable.buffers.pack(*[memory.address for memory, _, _ in command.bindings])
    launch = LAUNCH.pack(0, *command.groups)
    backend.try_out(executable, parameters, buffers, launch)
    chunk = executable.chunk(count, config.host_threads)
    stride = backend.stride(executable)
    return _Launch(executable.function, parameters, buffers, launch, count, chunk, stride)
