"""What fences and atomics put in order, for those who look for races.

A thread that changes an element by an atomic after a fence *releases* there what it did before the fence. A thread that
reads the element by an atomic, and then fences, *acquires* that: its later accesses come after what was released. Of
another group, a fence by any of its threads counts for all, as barriers order them: this finds fewer races, and never
one that is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

Triple = tuple[int, int, int]


def _merge(into: dict[Triple, int], times: Iterable[tuple[Triple, int]]) -> None:
    for key, time in times:
        if into.get(key, 0) < time:
            into[key] = time


@dataclass
class Released:
    """What atomics released at an element: of groups, and of threads of the group that was last there, all that they
    did before a time."""

    groups: dict[Triple, int] = field(default_factory=dict)
    threads: dict[Triple, int] = field(default_factory=dict)
    group: Triple | None = None


class Fences:
    """The fences of the group that runs.

    Attributes:
        groups: for other groups, the time before which what they did comes before what this one does now.
    """

    def __init__(self) -> None:
        self.start_group()

    def start_group(self) -> None:
        """Forgets the group before: nothing of it is acquired."""
        self.groups: dict[Triple, int] = {}
        self._fenced = 0  # the last fence for the device
        self._fences: dict[Triple, int] = {}  # the last fence of each thread
        self._seen: dict[Triple, dict[int, Released]] = {}  # what a thread's atomics read since its last fence
        self._acquired: dict[Triple, dict[Triple, int]] = {}

    def fence(self, thread: Triple, scope: str, time: int) -> dict[Triple, int]:
        """A thread's fence at a time; returns for threads of the group the time before which what they did comes
        before what this one does now."""
        self._fences[thread] = time
        acquired = self._acquired.setdefault(thread, {})
        if scope == "device":
            self._fenced = time
        for released in self._seen.pop(thread, {}).values():
            if scope == "device":
                _merge(self.groups, released.groups.items())
            _merge(acquired, released.threads.items())
        return acquired

    def read(self, thread: Triple, released: Released | None) -> None:
        """An atomic reads an element."""
        if released is not None:
            self._seen.setdefault(thread, {})[id(released)] = released

    def write(self, group: Triple, thread: Triple, released: Released | None) -> Released | None:
        """An atomic writes an element; returns what is released there now."""
        if thread not in self._fences and not self._fenced:
            return released
        released = Released() if released is None else released
        if released.group != group:
            released.group, released.threads = group, {}
        if self._fenced:
            _merge(released.groups, [*self.groups.items(), (group, self._fenced)])
        if thread in self._fences:
            _merge(released.threads, [*self._acquired[thread].items(), (thread, self._fences[thread])])
        return released
