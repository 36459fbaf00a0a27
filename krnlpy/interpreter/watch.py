"""Buffers and group arrays that watch how they are accessed: what stands in for them where a fault is possible."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from krnlpy.dsl import ir
from krnlpy.dsl.interpret.translate import ExecutionState, Fault, Interpretation, Placement
from krnlpy.errors import KernelUninitializedError

from .memory import InterpreterMemory
from .races import Accesses, locate


class Watched:
    """Elements that are loaded and stored by one index, as those of a memoryview.

    Args:
        name: of the parameter or array. ``place`` says which of its elements an index means.
        view: what holds the elements.
        size: bytes of an element.
        memory: knows what was written; None where all was.
        accesses: record who accessed what; None where threads can't race. An element is ``units`` of them, the first
            of all being ``first``.
    """

    def __init__(
        self,
        name: str,
        place: Placement,
        view: Any,
        size: int = 1,
        memory: InterpreterMemory | None = None,
        accesses: Accesses | None = None,
        units: int = 1,
        first: int = 0,
    ) -> None:
        self.view = view
        self._name = name
        self._place = place
        self._size = size
        self._written = memory.written if memory is not None else None
        self._accesses = accesses
        self._units = units
        self._first = first

    def __getitem__(self, at: int) -> Any:
        self._read(at, sys._getframe(1))
        return self.view[at]

    def item(self, at: int) -> Any:
        """The element as a Python number, where the view is an array."""
        self._read(at, sys._getframe(1))
        return self.view.item(at)

    def __setitem__(self, at: int, value: Any) -> None:
        self.store(at, value, sys._getframe(1))

    def store(self, at: int, value: Any, frame: FrameType) -> None:
        """Writes an element for generated code that runs in ``frame``."""
        accesses = self._accesses
        if accesses is not None:
            for unit in self._units_of(at):
                accesses.write(unit, frame.f_code, frame.f_lasti, self.describe, at)
        self.view[at] = value
        if self._written is not None:
            size = self._size
            self._written[at * size : at * size + size] = b"\1" * size

    def _read(self, at: int, frame: FrameType) -> None:
        if self._written is not None:
            self._check_written(at, frame)
        accesses = self._accesses
        if accesses is not None:
            for unit in self._units_of(at):
                accesses.read(unit, frame.f_code, frame.f_lasti, self.describe, at)

    def _units_of(self, at: int) -> Sequence[int]:
        if self._units == 1:
            return (self._first + at,)
        first = self._first + at * self._units
        return range(first, first + self._units)

    def _check_written(self, at: int, frame: FrameType) -> None:
        if self._written is not None and self._written.find(0, at * self._size, (at + 1) * self._size) >= 0:
            raise Fault(
                KernelUninitializedError,
                f"{self.describe(at)} is read, but nothing was ever written to it; Buffer.zeros, .fill or a kernel"
                " before this one gives it a value",
                locate(frame.f_code, frame.f_lasti),
            )

    def describe(self, at: int) -> str:
        """An element in words."""
        return f"element {self._place.index(at)} of {self._name}"


def watch_buffers(
    executable: Interpretation,
    memories: Sequence[InterpreterMemory],
    ranges: Sequence[tuple[int, int]],
    views: Sequence[Any],
    values: Mapping[str, Any],
    now: ExecutionState,
) -> list[Any]:
    """What stands for the buffers of a launch: the views themselves, or where threads could race in them, or read what
    was not written, what watches that. ``ranges`` are the bytes that the launch may touch."""
    parameters = executable.program.buffers
    shared = _shared(parameters, memories)
    accesses = Accesses(now) if any(shared) else None
    # One unit for all: views of one memory may have elements of different sizes.
    unit = min((p.type.size for p, s in zip(parameters, shared, strict=True) if s), default=1)
    result = []
    for parameter, memory, (start, end), view, races in zip(parameters, memories, ranges, views, shared, strict=True):
        size = parameter.type.size
        complete = memory.is_written(start, end)
        if complete and not races:
            result.append(view)
            continue
        place = executable.placement(parameter, values)
        known = None if complete else memory
        recorded = accesses if races else None
        first = memory.address // unit
        result.append(Watched(parameter.name, place, view, size, known, recorded, size // unit, first))
    return result


def watch_array(array: ir.GroupArray, shape: tuple[int, ...], values: list[Any], accesses: Accesses) -> Watched:
    """A group array of one group."""
    strides = [1]
    for length in reversed(shape[1:]):
        strides.insert(0, strides[0] * length)
    return Watched(array.name, Placement(shape, tuple(strides), 0), values, accesses=accesses)


def _shared(parameters: Sequence[ir.BufferParameter], memories: Sequence[InterpreterMemory]) -> list[bool]:
    """Which buffers' elements several threads could touch, one to write: those of bytes that a mutable buffer has too,
    unless all of them are items, each its own thread's."""
    spans = [(memory.address, memory.address + memory.nbytes) for memory in memories]
    result = []
    for start, end in spans:
        beside = [p for p, (a, b) in zip(parameters, spans, strict=True) if a < end and start < b]
        all_items = all(isinstance(p, ir.ItemParameter) for p in beside)
        result.append(not all_items and any(p.mutable for p in beside))
    return result
