"""Memory that commands of a graph name, and that has no place yet: its bytes are those of other memory later."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

from krnlpy.backend import recorder as capture
from krnlpy.backend.commands import Call, Command, Copy, Launch, LaunchIndirect
from krnlpy.backend.protocol import Backend
from krnlpy.buffers.buffer import Buffer
from krnlpy.device_info import DeviceInfo
from krnlpy.views.view import placed_on

_addresses = itertools.count(1 << 100, 1 << 50)
"""Beyond those of all devices, and further apart than memory is long."""
_MAX_BYTES = (1 << 32) - 1
"""Longer memory is bound in windows, which would be no part of it then."""

To = Callable[[Any], Any]
"""The memory that takes the place of another one: of most that one itself."""


class Temporary:
    """Stands for memory in commands."""

    __slots__ = ("address", "nbytes")

    is_shared = False

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self.address = next(_addresses)


def found_in(commands: Sequence[Command], made: Sequence[Any], info: DeviceInfo) -> dict[int, Temporary]:
    """A stand-in for each memory, by its id, whose bytes before a replay do not matter: its first command writes it,
    and no function of Python that says nothing of what it does is given it.

    Args:
        commands: of a graph.
        made: memory that nothing else refers to.
        info: what the device can.
    """
    limit = min(_MAX_BYTES, info.max_binding_bytes)
    open = {id(memory): memory for memory in made if memory.nbytes <= limit and not isinstance(memory, Temporary)}
    found: dict[int, Temporary] = {}
    for command in commands if open else ():  # numbers change often, and make nothing
        if isinstance(command, Call) and command.outputs is None:  # it may keep the arrays
            for memory in command.memories:
                open.pop(id(memory), None)
                found.pop(id(memory), None)
            continue
        touched = list(_touched(command))
        for memory, writes, is_nothing in touched:
            if is_nothing:  # what kernels are given for an empty buffer, in all their launches
                open.pop(id(memory), None)
                found.pop(id(memory), None)
            elif writes and id(memory) in open and id(memory) not in found:
                found[id(memory)] = Temporary(memory.nbytes)
        for memory, _, _ in touched:
            if id(memory) not in found:
                open.pop(id(memory), None)
    return found


def _touched(command: Command) -> Iterator[tuple[Any, bool, bool]]:
    """Each memory, whether it may be written, and whether none of its bytes is touched."""
    if isinstance(command, Launch | LaunchIndirect):
        for (memory, first, end), (_, writes) in zip(command.bindings, command.executable.accesses, strict=True):
            yield memory, writes, first == end
        if isinstance(command, LaunchIndirect):
            yield command.counts[0], False, False
    elif isinstance(command, Copy):
        yield command.source, False, False
        yield command.to, True, False
    elif isinstance(command, Call):
        inputs = len(command.views) - (command.outputs or 0)
        for place, view in enumerate(command.views):
            if view.memory is not None:
                yield view.memory, place >= inputs, False
    else:
        yield command.memory, True, False


def moved(command: Command, to: To) -> Command:
    """A command with other memory; the command itself where that is the same. Calls have no arrays then."""
    if isinstance(command, Launch | LaunchIndirect):
        bindings = tuple((to(memory), first, end) for memory, first, end in command.bindings)
        is_same = all(new[0] is old[0] for new, old in zip(bindings, command.bindings, strict=True))
        if isinstance(command, LaunchIndirect):
            memory, first, end = command.counts
            if is_same and to(memory) is memory:
                return command
            return command._replace(bindings=bindings, counts=(to(memory), first, end))
        return command if is_same else command._replace(bindings=bindings)
    if isinstance(command, Copy):
        source, target = to(command.source), to(command.to)
        is_same = source is command.source and target is command.to
        return command if is_same else command._replace(source=source, to=target)
    if isinstance(command, Call):
        memories = tuple(map(to, command.memories))
        if all(new is old for new, old in zip(memories, command.memories, strict=True)):
            return command
        views = tuple(moved_argument(view, to) for view in command.views)
        return command._replace(arrays=(), memories=memories, views=views)
    memory = to(command.memory)
    return command if memory is command.memory else command._replace(memory=memory)


def moved_argument(argument: Any, to: To) -> Any:
    """An argument of a call that a graph keeps, with other memory."""
    if isinstance(argument, list):
        return [moved_argument(part, to) for part in argument]
    if argument.__class__ is not Buffer or argument.memory is None:
        return argument
    memory = to(argument.memory)
    return argument if memory is argument.memory else placed_on(argument, memory)


def with_arrays(call: Call, backend: Backend) -> Call:
    """A call with the arrays of its buffers."""
    return call._replace(arrays=arrays_of(call.views, backend))


def arrays_of(views: Sequence[Buffer], backend: Backend) -> tuple[Any, ...]:
    """The arrays of buffers, while a graph is captured too; none where they have no bytes yet."""
    if any(isinstance(view.memory, Temporary) for view in views):
        return ()
    recorder = capture.current(backend)
    with nullcontext() if recorder is None else capture.suspended(recorder):
        return tuple(view.numpy(copy=False) for view in views)
