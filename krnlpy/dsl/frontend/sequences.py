"""Values that consist of others, known in number: tuples, lists, vectors, rows of matrices, ranges."""

from __future__ import annotations

from dataclasses import dataclass

from krnlpy.dsl.types.composites import MatrixType, StructType

from .values import Compound, Static, Value, vector


@dataclass(frozen=True)
class Members:
    """What is written as a set: ``in`` looks whether it has a value."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """A range as a value: ``in`` takes it."""

    start: Value
    stop: Value
    step: Value


def entries(value: Value) -> tuple[Value, ...] | None:
    """What a sequence consists of, the rows of a matrix; None if it is no sequence."""
    if isinstance(value, Compound):
        if isinstance(value.type, StructType):
            return None
        if isinstance(value.type, MatrixType):
            width, parts = value.type.columns, value.parts
            rows = (parts[start : start + width] for start in range(0, len(parts), width))
            return tuple(vector(list(row), value.location) for row in rows)  # type: ignore[arg-type]
        return value.parts
    if not isinstance(value, Static):
        return None
    known = value.value.values if isinstance(value.value, Members) else value.value
    if isinstance(known, set | frozenset):
        known = tuple(known)
    if not isinstance(known, tuple | list | range):
        return None
    return tuple(entry if isinstance(entry, Value) else Static(entry, value.location) for entry in known)
