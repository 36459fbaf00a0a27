"""Reports of a launch to the host: the first index out of range or failed assert, and what threads print.

A kernel that reports is launched with a *report*, a buffer of u32 words: those of ``HEADER``,
then ``failure_words`` for the values of the first failure, then the records of what is printed. A record is the number
of a site, the thread's id along x, y and z, and the words of the values: one for each, two for those of 64 bits, low
word first. A number stands for a *site*, a place in the source that reports; the host keeps the table of their texts.
Only the first thread that fails writes its failure; a record that does not fit is counted.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from krnlpy.dsl import ir
from krnlpy.errors import DriverDefect, KernelAssertionError, KernelIndexError, SourceError
from krnlpy.scalar import ScalarType, boolean

from . import formats

Words = np.ndarray[Any, np.dtype[np.uint32]]
Triple = tuple[int, int, int]

HEADER = ("failed", "global_x", "global_y", "global_z", "used", "lost", "capacity")
"""The first words of a report. ``failed``: the number of a site, or 0, and then the thread's id. ``used`` of
``capacity``: words after the header that are taken. ``lost``: records that did not fit."""
RECORD_HEAD = 4
"""Words of a record before its values."""

_HEADER = struct.Struct(f"<{len(HEADER)}I")
_MAX_WORDS = (1 << 31) - 1


def word_count(types: Iterable[ScalarType]) -> int:
    """The words that values of some types of computation take."""
    return sum(2 if type.size == 8 else 1 for type in types)


def describe_thread(global_id: Triple, threads: Triple) -> str:
    """A thread in words, for groups of so many threads."""
    group = tuple(id // count for id, count in zip(global_id, threads, strict=True))
    thread = tuple(id % count for id, count in zip(global_id, threads, strict=True))
    return f"thread with global_id {global_id}: group {group}, thread {thread}"


@dataclass(frozen=True)
class IndexSite:
    """A check of an index along one of a place's axes. Its values are the index and the length."""

    place: str
    axis: int
    location: ir.Location

    @property
    def words(self) -> int:
        return 2

    def error(self, words: Words, thread: str) -> SourceError:
        """The error for the values that a thread left."""
        index, length = int(words[0]), int(words[1])
        index -= (index >> 31) << 32
        message = f"index {index} is out of range: {self.place} has length {length} along axis {self.axis}"
        return KernelIndexError(f"{message} ({thread})", *self.location)


@dataclass(frozen=True)
class TextSite:
    """A print, or an assert. Its values are those of the fields of a format."""

    format: formats.Format
    location: ir.Location
    prints: bool

    @cached_property
    def types(self) -> tuple[ScalarType, ...]:
        return tuple(part.type for part in self.format if isinstance(part, formats.Field))

    @cached_property
    def words(self) -> int:
        return word_count(self.types)

    def text(self, words: Words) -> str:
        """The text for the values that a thread left."""
        return formats.render(self.format, self._values(words))

    def _values(self, words: Words) -> Iterator[int | float | bool]:
        at = 0
        for type in self.types:
            count = word_count([type])
            # Integers of fewer bits came widened to 32.
            stored = {"bool": "<u4", "uint": f"<u{4 * count}", "int": f"<i{4 * count}", "float": f"<f{4 * count}"}
            value = words[at : at + count].view(stored[type.kind])[0].item()
            yield bool(value) if type is boolean else value
            at += count

    def error(self, words: Words, thread: str) -> SourceError:
        """The error for the values that a thread left."""
        text = self.text(words)
        message = f"assertion failed: {text}" if text else "assertion failed"
        return KernelAssertionError(f"{message} ({thread})", *self.location)


def loops_ended(where: ir.Location, budget: int, what: str) -> DriverDefect:
    """The error for a kernel whose loops make more passes than the driver lets them.

    Args:
        budget: how many passes it makes.
        what: how many passes the loops make, and what follows.
    """
    return DriverDefect(
        f"{where.file}:{where.line}: this driver ends the loops of a thread after {budget} passes of all together;"
        f" {what}. {NEWER_DRIVER}"
    )


NEWER_DRIVER = (
    "Install a newer driver (Mesa 25 has no such defect; on Debian 12: apt install -t bookworm-backports"
    " mesa-vulkan-drivers), or use Device.host()"
)


@dataclass(frozen=True)
class LoopSite:
    """The end of a kernel, reached after the driver has ended a loop."""

    location: ir.Location
    budget: int
    words = 0

    def error(self, words: Words, thread: str) -> DriverDefect:
        """The error, which has no values."""
        return loops_ended(self.location, self.budget, f"these were more, and the results are wrong ({thread})")


Site = IndexSite | TextSite | LoopSite


class Sites:
    """The sites of a kernel while its code is written. Numbers count from 1."""

    def __init__(self) -> None:
        self._numbers: dict[Site, int] = {}

    def number(self, site: Site) -> int:
        """The number of a site."""
        return self._numbers.setdefault(site, len(self._numbers) + 1)

    def access(self, place: str, axes: int, location: ir.Location) -> int:
        """The number of the check of an access along axis 0; those of the other axes follow it."""
        first, *_ = [self.number(IndexSite(place, axis, location)) for axis in range(axes)]
        return first

    def statement(self, statement: ir.Print | ir.Assert) -> int:
        """The number of a print or an assert."""
        return self.number(TextSite(statement.format, statement.location, isinstance(statement, ir.Print)))

    def reports(self) -> Reports | None:
        """How the kernel's reports are made and read; None if it reports nothing."""
        return Reports(tuple(self._numbers)) if self._numbers else None


@dataclass(frozen=True)
class Reports:
    """Makes and reads the reports of a kernel. ``sites`` are in the order of their numbers."""

    sites: tuple[Site, ...]

    @cached_property
    def failure_words(self) -> int:
        """The words kept for the values of a failure."""
        return max((site.words for site in self.sites if not _prints(site)), default=0)

    @cached_property
    def prints(self) -> bool:
        return any(_prints(site) for site in self.sites)

    def capacity(self, print_bytes: int) -> int:
        """The words after the header of a report with room for so many bytes of records."""
        return min(self.failure_words + (max(print_bytes, 0) // 4 if self.prints else 0), _MAX_WORDS)

    def header(self, capacity: int) -> bytes:
        """The header of an empty report."""
        return _HEADER.pack(0, 0, 0, 0, self.failure_words, 0, capacity)

    def new(self, print_bytes: int) -> Words:
        """A report in the host's memory, with room for so many bytes of records."""
        capacity = self.capacity(print_bytes)
        report = np.empty(len(HEADER) + capacity, "<u4")
        report[: len(HEADER)] = np.frombuffer(self.header(capacity), "<u4")
        return report

    def deliver(self, kernel: str, threads: Triple, report: Words) -> None:
        """Writes to ``sys.stdout`` what was printed, then raises what failed.

        What threads print is sorted by group and thread (x fastest; in kernels with items: by item), so that all
        targets print the same. What one thread prints stays in its order.

        Args:
            kernel: its name.
            threads: of a group.
            report: at least the words that are used.

        Raises:
            KernelIndexError: an index was out of range.
            KernelAssertionError: an assert failed.
            DriverDefect: the driver ended a loop.
        """
        failed, x, y, z, used, lost, _ = (int(word) for word in report[: len(HEADER)])
        words = report[len(HEADER) :]
        if used > self.failure_words:
            records = sorted(self._records(words[:used], threads), key=lambda record: record[0])
            print("".join(text for _, text in records), end="")  # nothing where there is no sys.stdout
        if lost:
            warnings.warn(
                f"{kernel}: {lost} prints had no room and are lost; more bytes for krnlpy.config.print_bytes, or"
                " KRNLPY_PRINT_BYTES, make room",
                RuntimeWarning,
                stacklevel=2,
            )
        if failed:
            raise self.sites[failed - 1].error(words[: self.failure_words], describe_thread((x, y, z), threads))

    def _records(self, words: Words, threads: Triple) -> Iterator[tuple[tuple[int, ...], str]]:
        """The texts of the records, with what they are sorted by."""
        at = self.failure_words
        while at < len(words):
            number, x, y, z = words[at : at + RECORD_HEAD].tolist()
            site = self.sites[number - 1]
            assert isinstance(site, TextSite)
            group = (z // threads[2], y // threads[1], x // threads[0])
            at += RECORD_HEAD
            yield (*group, z, y, x), site.text(words[at : at + site.words])
            at += site.words


def _prints(site: Site) -> bool:
    return isinstance(site, TextSite) and site.prints
