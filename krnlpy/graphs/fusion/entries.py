"""The commands of a graph while they are rewritten: what each touches, and whether others may pass it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from krnlpy.backend.commands import Call, Command, Copy, Fill, Launch, LaunchIndirect, name_of
from krnlpy.buffers.buffer import Buffer

from .elements import Elements
from .parts import writes_whole
from .source import Refused, Source, source_of

Access = tuple[int, int, bool]
"""The addresses of the first byte and past the last one, and whether they are written (else read)."""


@dataclass(eq=False)
class Entry:
    """A command, or what one is to be made of.

    Attributes:
        command: what was captured, or what takes its place; None where it is made of the source.
        numbers: those of the captured commands that it stands for.
        source: what it is made of, where that is known.
        unknown: why it is not known.
        is_fixed: nothing may pass it, and it is not changed: it may raise, or what it is given may be replaced.
        parts: the entries that it was made of; they take its place where the device can't run it.
        accesses: the bytes that it reads and writes.
    """

    command: Command | None
    numbers: frozenset[int]
    source: Source | None = None
    unknown: str = ""
    is_fixed: bool = False
    parts: tuple[Entry, ...] = ()
    accesses: list[Access] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.accesses = list(_accesses(self))

    @property
    def name(self) -> str:
        """For people."""
        if self.source is not None:
            return self.source.label
        return "" if self.command is None else name_of(self.command)

    def whole_writes(self) -> list[tuple[int, int]]:
        """Bytes of which it surely writes all, and reads none."""
        if self.is_fixed:
            return []
        if self.source is not None:
            return [view.span for view in writes_whole(self.source)]
        if isinstance(self.command, Call):
            outputs = self.command.outputs or 0
            views = self.command.views[len(self.command.views) - outputs :]
            return [elements_of(view).span for view in views if view.memory is not None and view.is_contiguous()]
        if isinstance(self.command, Copy | Fill):
            return [(first, end) for first, end, writes in self.accesses if writes]
        return []

    def written(self) -> list[tuple[Any, int, int]]:
        """Of what it may write, the memory, and the addresses of the first byte and past the last one."""
        command = self.command
        if self.source is not None:
            return [(view.memory, *view.span) for _, view, _, writes in self.source.accesses if writes]
        memory = command.to if isinstance(command, Copy) else getattr(command, "memory", None)
        return [(memory, first, end) for first, end, writes in self.accesses if writes]

    def reads(self, first: int, end: int) -> bool:
        """Whether it may read one of these bytes."""
        return any(not writes and begin < end and first < past for begin, past, writes in self.accesses)

    def writes(self, first: int, end: int) -> bool:
        """Whether it may write one of these bytes."""
        return any(writes and begin < end and first < past for begin, past, writes in self.accesses)

    def conflicts_with(self, other: Entry) -> bool:
        """Whether the order of both counts."""
        if self.is_fixed or other.is_fixed:
            return True
        return any(
            a < d and c < b and (writes or also) for a, b, writes in self.accesses for c, d, also in other.accesses
        )


def entry_of(command: Command, number: int, is_replaced: bool) -> Entry:
    """The entry of a captured command.

    Args:
        is_replaced: it is given a buffer that others may take the place of.
    """
    numbers = frozenset({number})
    if is_replaced:
        return Entry(command, numbers, unknown="it is given a buffer that is a parameter of the graph", is_fixed=True)
    if isinstance(command, Launch):
        try:
            return Entry(command, numbers, source_of(command, number))
        except Refused as why:
            return Entry(command, numbers, unknown=str(why))
    if isinstance(command, Call):
        return Entry(command, numbers, unknown="it is a call of Python", is_fixed=not command.outputs)
    return Entry(command, numbers, unknown=f"it is a {type(command).__name__.lower()}")


def elements_of(buffer: Buffer) -> Elements:
    """The elements of a buffer."""
    return Elements(buffer.memory, buffer.dtype.size, buffer.shape, buffer.strides, buffer.offset)


def written_to(entry: Entry, span: tuple[int, int], memory: Any, offset: int) -> Entry | None:
    """An entry that writes elsewhere what it wrote, whole, to some bytes; None where it can't.

    Args:
        span: the bytes.
        memory: where it is to write; ``offset`` in bytes.
    """
    if entry.source is not None:
        views = entry.source.views
        hits = [p for p, view, _, _ in entry.source.accesses if view.span == span]
        if len(hits) != 1 or offset % views[hits[0].name].size:
            return None
        view = views[hits[0].name]
        moved = replace(view, memory=memory, offset=offset // view.size)
        source = replace(entry.source, views={**views, hits[0].name: moved})
        return Entry(None, entry.numbers, source)
    if isinstance(entry.command, Call):
        return Entry(_call_written_to(entry.command, span, memory, offset), entry.numbers, unknown=entry.unknown)
    return None


def _call_written_to(call: Call, span: tuple[int, int], memory: Any, offset: int) -> Call:
    def moved(view: Buffer) -> Buffer:
        if view.memory is None or elements_of(view).span != span:
            return view
        return Buffer(view.device, view.dtype, memory, view.shape, view.strides, offset // view.dtype.size)

    views = tuple(map(moved, call.views))
    memories = tuple(view.memory for view in views if view.memory is not None)
    return call._replace(arrays=(), memories=memories, views=views)  # it gets arrays when all has a place


def _accesses(entry: Entry) -> Iterator[Access]:
    command = entry.command
    if entry.source is not None:
        for _, view, reads, writes in entry.source.accesses:
            if reads:
                yield *view.span, False
            if writes:
                yield *view.span, True
    elif isinstance(command, Launch | LaunchIndirect):
        yield from _launched(command)
    elif isinstance(command, Copy):
        source, to = command.source.address + command.source_offset, command.to.address + command.to_offset
        yield source, source + command.nbytes, False
        yield to, to + command.nbytes, True
    elif isinstance(command, Call):
        yield from _called(command)
    elif command is not None:
        first = command.memory.address + command.offset
        yield first, first + command.nbytes, True


def _launched(command: Launch | LaunchIndirect) -> Iterator[Access]:
    for (memory, first, end), (reads, writes) in zip(command.bindings, command.executable.accesses, strict=True):
        if reads:
            yield memory.address + first, memory.address + end, False
        if writes:
            yield memory.address + first, memory.address + end, True
    if isinstance(command, LaunchIndirect):
        memory, first, end = command.counts
        yield memory.address + first, memory.address + end, False


def _called(command: Call) -> Iterator[Access]:
    views: Sequence[Any] = command.views
    inputs = len(views) if command.outputs is None else len(views) - command.outputs
    for place, view in enumerate(views):
        if view.memory is not None:
            span = elements_of(view).span
            if place < inputs:
                yield *span, False
            if place >= inputs or command.outputs is None:
                yield *span, True
