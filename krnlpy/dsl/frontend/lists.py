"""Tuples, lists and arrays in operations: joined as in Python, or taken as vectors and matrices."""

from __future__ import annotations

import ast
from dataclasses import replace

from krnlpy.dsl import ir
from krnlpy.dsl.types.composites import MAX_LENGTH
from krnlpy.errors import KernelTypeError

from .callables import Argument, Call
from .conversions import composite
from .sequences import entries, is_array_value, is_sequence, is_written_out
from .values import Compound, Static, Value, describe, scalars


def joined(operator: ast.operator, left: Value, right: Value, where: ir.Location) -> Static | None:
    """Tuples and lists that are written out, added up or repeated as in Python; None for anything else."""
    if not isinstance(left, Static) or not isinstance(right, Static):
        return None
    if isinstance(operator, ast.Add) and is_written_out(left) and is_written_out(right):
        return Static(left.value + type(left.value)(right.value), where)
    if isinstance(operator, ast.Mult):
        for value, count in ((left, right), (right, left)):
            if is_written_out(value) and isinstance(count.value, int) and not isinstance(count.value, bool):
                return Static(value.value * count.value, where)
    return None


def operands(left: Value, right: Value, where: ir.Location) -> tuple[Value, Value]:
    """Operands, lists and arrays among them as vectors or matrices. A tuple or list is one beside one only."""
    wanted = [isinstance(side, Compound) or is_array_value(side) for side in (left, right)]
    if not any(wanted):
        return left, right
    return _as_operand(left, where), _as_operand(right, where)


def _as_operand(value: Value, where: ir.Location) -> Value:
    if not is_sequence(value):
        return value
    made = composite(value, where)
    if made is None:
        raise KernelTypeError(
            f"{describe(value)} is no vector or matrix here: these have 2 to {MAX_LENGTH} numbers a row, known while"
            " compiling",
            *where,
        )
    return made


def with_vectors(call: Call) -> Call:
    """A call with the lists and arrays among its arguments as vectors and matrices, where they can be."""

    def vector_of(value: Value) -> Value:
        is_tuple = isinstance(value, Static) and isinstance(value.value, tuple)
        return value if is_tuple or not is_sequence(value) else composite(value, value.location) or value

    positional = tuple(Argument(vector_of(a.value), a.location) for a in call.positional)
    return replace(call, positional=positional)


def numbers_in(value: Value) -> list[Value]:
    """The numbers in vectors, tuples, lists and arrays, in order."""
    found = entries(value) if is_sequence(value) else None
    if found is not None:
        return [number for entry in found for number in numbers_in(entry)]
    return list(scalars(value)) if isinstance(value, Compound) else [value]
