"""Memory that temporaries of a graph share: one that is dead makes room for the next.

Places are found greedily, the longest first, each at the lowest address that none has which lives at the same time
(Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020). All lie in one piece of memory,
or in as few as the device allows. An item kernel that reads a temporary for the last time may write its result there.
Backends know of hazards by bytes, so commands that use the same bytes one after the other are ordered as any others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from krnlpy.backend.commands import Call, Command, memories
from krnlpy.backend.protocol import Backend
from krnlpy.graphs.temporaries import Temporary, moved, with_arrays

from .entries import Entry
from .in_place import in_place

ALIGNMENT = 256
"""Bytes: where every Vulkan device can bind a part of memory, and whole cache lines."""


class Lifetime(NamedTuple):
    """How long memory is, and the numbers of the first and the last command that use it."""

    nbytes: int
    first: int
    last: int


class Place(NamedTuple):
    """A piece of memory, and a byte in it."""

    piece: int
    offset: int


def arranged(lifetimes: Sequence[Lifetime], limit: int) -> tuple[list[Place], list[int]]:
    """Where each lies, and how long the pieces are. Those that live at the same time have no byte in common.

    Args:
        lifetimes: of what is to be placed.
        limit: bytes of a piece; longer ones are made for what is longer itself.

    >>> arranged([Lifetime(100, 0, 1), Lifetime(300, 1, 2), Lifetime(200, 2, 3)], 1 << 20)
    ([Place(piece=0, offset=512), Place(piece=0, offset=0), Place(piece=0, offset=512)], [768])
    """
    places = [Place(0, 0)] * len(lifetimes)
    pieces: list[list[tuple[int, int, Lifetime]]] = []
    for i in sorted(range(len(lifetimes)), key=lambda i: (-lifetimes[i].nbytes, lifetimes[i].first)):
        mine = lifetimes[i]
        length = -(-mine.nbytes // ALIGNMENT) * ALIGNMENT
        for number in range(len(pieces) + 1):
            if number == len(pieces):
                pieces.append([])
            offset = _gap(pieces[number], mine, length)
            if not pieces[number] or offset + length <= limit:
                break
        places[i] = Place(number, offset)
        pieces[number].append((offset, offset + length, mine))
    return places, [max(end for _, end, _ in piece) for piece in pieces]


def _gap(piece: Sequence[tuple[int, int, Lifetime]], mine: Lifetime, length: int) -> int:
    """The first place of a length that none has which lives at the same time."""
    start = 0
    alive = [(first, end) for first, end, t in piece if t.first <= mine.last and mine.first <= t.last]
    for first, end in sorted(alive):
        if first - start >= length:
            break
        start = max(start, end)
    return start


class Sharing:
    """Places for the temporaries of commands.

    Args:
        backend: of the device.
        entries: the commands, in order, and what is known of them.

    Attributes:
        count: how many temporaries there are. ``total``: the bytes that they have. ``nbytes``: those that they share.
    """

    def __init__(self, backend: Backend, entries: Sequence[Entry]) -> None:
        self._backend = backend
        spans: dict[Temporary, Lifetime] = {}
        for number, entry in enumerate(entries):
            for memory in () if entry.command is None else memories(entry.command):
                if isinstance(memory, Temporary):
                    known = spans.get(memory)
                    spans[memory] = Lifetime(memory.nbytes, number if known is None else known.first, number)
        # To write where one reads never needs more at a time, but what lives longer leaves less room for others.
        ways = [_arranged_together(spans, of, backend) for of in (_in_place(entries, spans), {})]
        places, sizes = min(ways, key=lambda way: sum(way[1]))
        pieces = [_allocated(backend, size) for size in sizes]
        self._memory = {
            memory: _part(backend, pieces[place.piece], place.offset, memory.nbytes) for memory, place in places.items()
        }
        self.count = len(spans)
        self.total = sum(memory.nbytes for memory in spans)
        self.nbytes = sum(sizes)
        self._placed: dict[int, tuple[Command, Command]] = {}

    def __str__(self) -> str:
        return f"{self.count} temporaries of {self.total} bytes in all share {self.nbytes}"

    def placed(self, commands: Sequence[Command]) -> list[Command]:
        """Commands that a device can run; for the same command as at the last time, the same one."""
        placed = {}
        for command in commands:
            known = self._placed.get(id(command))
            placed[id(command)] = (command, self._place(command)) if known is None else known
        self._placed = placed
        return [placed[id(command)][1] for command in commands]

    def _place(self, command: Command) -> Command:
        command = moved(command, self._to)
        return with_arrays(command, self._backend) if isinstance(command, Call) and not command.arrays else command

    def _to(self, memory: Any) -> Any:
        return self._memory[memory] if isinstance(memory, Temporary) else memory


def _in_place(entries: Sequence[Entry], spans: Mapping[Temporary, Lifetime]) -> dict[Temporary, Temporary]:
    """Temporaries that lie where another one of their length lay, which the command that writes them reads last."""
    found: dict[Temporary, Temporary] = {}
    for number, entry in enumerate(entries):
        taken = set()
        for old, new in () if entry.source is None else in_place(entry.source):
            if old not in spans or new not in spans or old in taken or new in found:
                continue
            dies, begins = spans[old].first < number == spans[old].last, number == spans[new].first
            if dies and begins and old.nbytes == new.nbytes:
                found[new] = old
                taken.add(old)
    return found


def _arranged_together(
    spans: Mapping[Temporary, Lifetime], of: Mapping[Temporary, Temporary], backend: Backend
) -> tuple[dict[Temporary, Place], list[int]]:
    """The places of temporaries, of which some lie where others lay, and the lengths of the pieces of memory."""
    heads: dict[Temporary, Temporary] = {}
    lifetimes: dict[Temporary, Lifetime] = {}
    for memory, span in spans.items():  # by their first command: the older ones come first
        heads[memory] = head = heads[of[memory]] if memory in of else memory
        lifetimes[head] = lifetimes.get(head, span)._replace(last=span.last)
    places, sizes = arranged(list(lifetimes.values()), backend.info.max_buffer_bytes)
    of_head = dict(zip(lifetimes, places, strict=True))
    return {memory: of_head[head] for memory, head in heads.items()}, sizes


def _allocated(backend: Backend, nbytes: int) -> Any:
    return type(backend).allocate(backend, nbytes)  # not what another graph takes for its own while it is captured


def _part(backend: Backend, piece: Any, offset: int, nbytes: int) -> Any:
    """The memory at a place; memory of its own where the backend has no such parts."""
    part = backend.window(piece, offset, offset + nbytes)
    return _allocated(backend, nbytes) if part is None or part[1] != offset else part[0]
