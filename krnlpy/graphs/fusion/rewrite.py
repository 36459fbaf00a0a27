"""The rewrite of a graph's commands: copies and what nobody reads go, then what one kernel can do becomes one.

Of two launches, of which the later one reads what the earlier one wrote, both become one where the earlier one is a
kernel of the same items, or stores what is read as an ``Out``. No kernel is known by name: what can be one is found in
their programs and in the bytes that commands touch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import copy
from typing import Any

from krnlpy.backend.commands import Call, Command, Copy, Fill, Launch
from krnlpy.backend.protocol import Backend

from .elements import Elements
from .entries import Entry, entry_of, written_to
from .epilogue import epilogue
from .parts import refuse_reports
from .sharing import Sharing
from .source import Refused, launch_of, with_numbers
from .vertical import vertical


class Rewrite:
    """What became of the commands of a graph.

    Args:
        backend: of the graph's device.
        captured: the commands.
        replaced: the numbers of those that are given buffers which others may take the place of.
        temporaries: ids of the memories that the graph made and nobody else holds.

    Attributes:
        entries: the commands that it has now.
        done: what was done, for people.
        refused: what was not done, with the reason, and how often.
        sharing: the memory of temporaries.
    """

    def __init__(
        self, backend: Backend, captured: Sequence[Command], replaced: set[int], temporaries: set[int]
    ) -> None:
        self._backend = backend
        self._temporaries = temporaries
        self.entries = [entry_of(command, n, n in replaced) for n, command in enumerate(captured)]
        self.done: list[str] = []
        self.refused: Counter[str] = Counter()
        self._tried: set[tuple[Entry, Entry]] = set()
        self._drop_copies()
        self._drop_dead()
        for vertical_only in (True, False):
            while self._fuse(vertical_only):
                pass
        self._drop_dead()
        self._build(captured)
        self.sharing = Sharing(backend, self.entries)

    @property
    def commands(self) -> list[Command]:
        """The commands, in order, their temporaries at the places that they share."""
        return self.sharing.placed(self._unplaced())

    def _unplaced(self) -> list[Command]:
        return [entry.command for entry in self.entries if entry.command is not None]

    def updated(self, captured: Sequence[Command], changed: set[int]) -> Rewrite:
        """The same with numbers of captured commands of which the rest is as it was."""
        result = copy(self)
        result.entries = []
        for entry in self.entries:
            if not entry.numbers.isdisjoint(changed):
                entry = copy(entry)
                if isinstance(entry.command, Launch) and entry.source is not None:
                    entry.command = with_numbers(entry.command, entry.source, captured)
                else:
                    (number,) = entry.numbers
                    entry.command = captured[number]
            result.entries.append(entry)
        return result

    # ----------------------------------------------------------------------------------------------------- liveness

    def _is_dead(self, first: int, end: int, memory: Any, *users: Entry) -> bool:
        """Whether nobody but some entries reads bytes of a memory."""
        if id(memory) not in self._temporaries:
            return False
        return not any(entry.reads(first, end) for entry in self.entries if entry not in users)

    def _writer(self, place: int, first: int, end: int) -> int | None:
        """The place of the last entry before another that writes some of these bytes."""
        return next((i for i in range(place - 1, -1, -1) if self.entries[i].writes(first, end)), None)

    def _meeting(self, i: int, j: int) -> int | None:
        """Where two entries can stand as one: at i or at j."""
        between = self.entries[i + 1 : j]
        if not any(self.entries[j].conflicts_with(entry) for entry in between):
            return i
        if not any(self.entries[i].conflicts_with(entry) for entry in between):
            return j
        return None

    # ---------------------------------------------------------------------------------------------- copies, and dead

    def _drop_copies(self) -> None:
        """What is written whole to a temporary and then only copied is written to where it is copied to."""
        for j in range(len(self.entries) - 1, -1, -1):
            command = self.entries[j].command
            if not isinstance(command, Copy) or self.entries[j].is_fixed:
                continue
            first = command.source.address + command.source_offset
            end, to = first + command.nbytes, command.to.address + command.to_offset
            i = self._writer(j, first, end)
            if i is None or self.entries[i].is_fixed:
                continue
            try:
                moved = self._moved(i, j, command, (first, end), (to, to + command.nbytes))
            except Refused as why:
                self._refuse(self.entries[i].name, "copy", why)
                continue
            self.done.append(f"{self.entries[i].name} writes to where it was copied to")
            self.entries[i] = moved
            del self.entries[j]

    def _moved(self, i: int, j: int, command: Copy, source: tuple[int, int], to: tuple[int, int]) -> Entry:
        writer = self.entries[i]
        if not self._is_dead(*source, command.source, self.entries[j]):
            raise Refused("what it writes is read besides")
        if source not in writer.whole_writes():
            raise Refused("it does not surely write all that is copied, and nothing else of it")
        if self._meeting(i, j) != i:
            raise Refused("what it would write to is used in between")
        if writer.reads(*to) or writer.writes(*to):
            raise Refused("it uses what it would write to")
        moved = written_to(writer, source, command.to, command.to_offset)
        if moved is None:
            raise Refused("it can't write there")
        return Entry(moved.command, writer.numbers | self.entries[j].numbers, moved.source, moved.unknown)

    def _drop_dead(self) -> None:
        """Fills, copies and launches go of which nobody reads what they write."""
        for i in range(len(self.entries) - 1, -1, -1):
            entry = self.entries[i]
            if entry.is_fixed or isinstance(entry.command, Call):
                continue
            if entry.source is not None:
                try:
                    refuse_reports(entry.source)
                except Refused:
                    continue
            elif not isinstance(entry.command, Copy | Fill):
                continue
            written = entry.written()
            if written and all(self._is_unread(i, *bytes) for bytes in written):
                self.done.append(f"{entry.name} is gone: nobody reads what it writes")
                del self.entries[i]

    def _is_unread(self, place: int, memory: Any, first: int, end: int) -> bool:
        """Whether nobody reads bytes that an entry writes."""
        if self._is_dead(first, end, memory):
            return True
        for entry in self.entries[place + 1 :]:
            if entry.is_fixed or entry.reads(first, end):
                return False
            if any(begin <= first and end <= past for begin, past in entry.whole_writes()):
                return True
        return False

    # -------------------------------------------------------------------------------------------------------- fusing

    def _fuse(self, vertical_only: bool) -> bool:
        """Goes through the entries once; whether some were made one."""
        j, count = 0, len(self.entries)
        while j < len(self.entries):
            place = self._fused_at(j, vertical_only)
            j = j + 1 if place is None else place
        return len(self.entries) < count

    def _fused_at(self, j: int, vertical_only: bool) -> int | None:
        """Makes an entry one with one before it; where it is then. None if it stays."""
        r = self.entries[j]
        if r.source is None or not r.source.is_of_items or r.is_fixed:
            return None
        for _, view, reads, _ in r.source.accesses:
            i = self._writer(j, *view.span) if reads else None
            if i is not None and (place := self._fused(i, j, view, vertical_only)) is not None:
                return place
        return None

    def _fused(self, i: int, j: int, view: Elements, vertical_only: bool) -> int | None:
        p, r = self.entries[i], self.entries[j]
        if (p, r) in self._tried:
            return None
        try:
            if p.source is None or p.is_fixed:
                raise Refused(p.unknown)
            assert r.source is not None
            if p.source.is_of_items is not vertical_only:
                return None
            place = self._meeting(i, j)
            if place is None:
                raise Refused("commands between them need the one before and the other after")

            def is_dead(elements: Elements) -> bool:
                return self._is_dead(*elements.span, elements.memory, p, r)

            if vertical_only:
                source = vertical(p.source, r.source, is_dead)
            else:
                source = epilogue(p.source, r.source, view, is_dead)
        except Refused as why:
            self._tried.add((p, r))
            self._refuse(p.name, r.name, why)
            return None
        self.done.append(f"{p.name}, then {r.name}: one kernel, {'of the same items' if vertical_only else 'epilogue'}")
        self.entries[place] = Entry(None, p.numbers | r.numbers, source, parts=(*(p.parts or (p,)), *(r.parts or (r,))))
        del self.entries[j if place == i else i]
        return i if place == i else j - 1

    def _refuse(self, first: str, second: str, why: Refused) -> None:
        self.refused[f"{first}, then {second}: {why}"] += 1

    # ------------------------------------------------------------------------------------------------------ building

    def _build(self, captured: Sequence[Command]) -> None:
        entries: list[Entry] = []
        for entry in self.entries:
            try:
                self._make(entry, captured)
                entries.append(entry)
            except Refused as why:
                self.refused[f"{entry.name}: {why}"] += 1
                for part in entry.parts:
                    self._make(part, captured)
                    entries.append(part)
        self.entries = entries

    def _make(self, entry: Entry, captured: Sequence[Command]) -> None:
        if entry.command is None and entry.source is not None:
            entry.command = launch_of(self._backend, entry.source, captured)
