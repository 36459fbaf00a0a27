"""The interpreter's memory: bytes of the process, and beside them which of them anything was ever written to."""

from __future__ import annotations

from typing import Any

import numpy as np

from krnlpy.backend.memory_stats import Usage

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

UNDEFINED = 0xA5
"""What fills new memory, so that what was never written is seen for what it is."""


class _Part:
    """Some bytes of a bytearray, with the methods that memory uses."""

    __slots__ = ("_end", "_first", "_whole")

    def __init__(self, whole: bytearray, first: int, end: int) -> None:
        self._whole, self._first, self._end = whole, first, end

    def part(self, first: int, end: int) -> _Part:
        return _Part(self._whole, self._first + first, self._first + end)

    def array(self) -> Bytes:
        return np.frombuffer(self._whole, np.uint8)[self._first : self._end]

    def find(self, value: int, start: int = 0, end: int | None = None) -> int:
        last = self._end if end is None else min(self._end, self._first + end)
        found = self._whole.find(value, self._first + start, last)
        return found if found < 0 else found - self._first

    def __setitem__(self, key: slice, values: bytes) -> None:
        self._whole[self._first + key.start : self._first + key.stop] = values


class InterpreterMemory:
    """Bytes of the process.

    Attributes:
        bytes: the content.
        written: for each byte 1 where it was written, 0 where not; None where all were.
    """

    def __init__(
        self,
        bytes: Bytes,
        written: bytearray | _Part | None = None,
        usage: Usage | None = None,
        whole: InterpreterMemory | None = None,
    ) -> None:
        self.bytes = bytes
        self.written = written
        self._usage = usage
        self._whole = whole
        if usage is not None:
            usage.take(self.nbytes)

    def __del__(self) -> None:
        if self._usage is not None:
            self._usage.give_back(-self.nbytes)

    @classmethod
    def new(cls, nbytes: int, usage: Usage | None = None) -> InterpreterMemory:
        """Memory that nothing was written to, counted where ``usage`` is given. Raises MemoryError."""
        return cls(np.full(nbytes, UNDEFINED, np.uint8), bytearray(nbytes), usage)

    def part(self, first: int, end: int) -> InterpreterMemory:
        """Some of the bytes, and what is known of them."""
        written = self.written
        if written is not None:
            written = written.part(first, end) if isinstance(written, _Part) else _Part(written, first, end)
        return InterpreterMemory(self.bytes[first:end], written, whole=self)

    def count_as_written(self) -> None:
        """Says that all bytes were written, or will be by what nothing sees."""
        self.mark()
        self.written = None

    @property
    def nbytes(self) -> int:
        return self.bytes.nbytes

    @property
    def is_shared(self) -> bool:
        """Whether it is a foreign array."""
        return self._usage is None and self._whole is None

    @property
    def address(self) -> int:
        """The first byte's address in the process."""
        address: int = self.bytes.__array_interface__["data"][0]
        return address

    def mark(self, start: int = 0, end: int | None = None) -> None:
        """Says that bytes were written."""
        written = self.written  # looked at once: what interrupts this thread may find that all was written
        if written is not None:
            end = self.nbytes if end is None else end
            written[start:end] = b"\1" * (end - start)
            self.settle()

    def settle(self) -> None:
        """Forgets what was written where all was."""
        written = self.written
        if written is not None and written.find(0) < 0:
            self.written = None

    def is_written(self, start: int, end: int) -> bool:
        """Whether all bytes of a range were written."""
        written = self.written
        return written is None or written.find(0, start, end) < 0

    def planes(self) -> tuple[Bytes, Bytes]:
        """The bytes, and what is known of each, as arrays of one length."""
        written = self.written
        if written is None:
            written = self.written = bytearray(b"\1") * self.nbytes
        return self.bytes, written.array() if isinstance(written, _Part) else np.frombuffer(written, np.uint8)

    def copy_from(self, source: InterpreterMemory, source_start: int, start: int, nbytes: int) -> None:
        """Copies bytes, and whether they were written: undefined bytes may be copied, not used."""
        self.bytes[start : start + nbytes] = source.bytes[source_start : source_start + nbytes]
        if source.is_written(source_start, source_start + nbytes):
            self.mark(start, start + nbytes)
            return
        known = source.planes()[1][source_start : source_start + nbytes]
        self.planes()[1][start : start + nbytes] = known
