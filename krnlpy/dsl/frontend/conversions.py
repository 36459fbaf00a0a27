"""The rules of types: how literals take a type, when types mix, and which conversions are implicit.

Literals and captured Python numbers are weak: they take the type of the other operand, if it can hold them. Two typed
operands mix only if one can be widened to the other without loss. Nothing is ever narrowed silently.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from krnlpy.dsl import ir
from krnlpy.dsl.ir import Location
from krnlpy.dsl.types.composites import (
    MAX_LENGTH,
    AnyType,
    ArrayType,
    CompositeType,
    MatrixType,
    StructType,
    TupleType,
    VectorType,
)
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import ScalarType, boolean, convert, f32, f64, i16, i32, i64, scalar_type

from .sequences import entries, is_sequence
from .values import Compound, Static, Value, Weak, describe, is_number, is_strong


def widens(source: ScalarType, to: ScalarType) -> bool:
    """Whether a value of one type of computation becomes one of the other unasked, where it meets one or is stored.

    Nothing is cut off or wraps. Whole numbers of 32 bits become f32 too, though that rounds those above 2**24: people
    write ``i * 0.25``, and mean it. Those of 64 bits do not.
    """
    if source is to:
        return True
    if source is boolean or to is boolean:
        return False
    if source.is_float:
        return source is f32 and to is f64
    if to.is_float:
        return source.bits <= 32
    if source.kind == to.kind:
        return source.bits < to.bits
    return source.kind == "uint" and source.bits < to.bits


def default_type(value: object) -> ScalarType:
    """The type of a literal, or of a weak number, by itself: bool, i32 or f32."""
    if isinstance(value, Weak):
        return f32 if value.is_float else i32
    if isinstance(value, bool):
        return boolean
    return i32 if isinstance(value, int) else f32


def literal(number: bool | int | float, type: ScalarType, location: Location) -> ir.Const:
    """A weak number as a constant of a type.

    Raises:
        KernelTypeError: the type cannot hold it.
    """
    type = type.compute
    if type is boolean:
        if isinstance(number, bool):
            return ir.Const(number, type=boolean, location=location)
    elif isinstance(number, bool):
        pass
    elif type.is_integer:
        if isinstance(number, int):
            if type.min <= number <= type.max:
                return ir.Const(number, type=type, location=location)
            raise KernelTypeError(
                f"{number} does not fit {type}, which holds {type.min} to {type.max}; use a wider type",
                *location,
            )
    else:
        rounded = math.inf if abs(number) > 1.8e308 else float(convert(float(number), type))  # NaN is not above
        if math.isinf(rounded) and not math.isinf(number):
            raise KernelTypeError(f"{number} is too large for {type}", *location)
        return ir.Const(rounded, type=type, location=location)
    raise KernelTypeError(
        f"the number {number!r} is not of type {type}; write {type}({number!r}) if it is meant to be converted",
        *location,
    )


def typed(value: Value, type: ScalarType | None = None) -> ir.Expr:
    """A value as an expression: weak numbers take ``type``, or their default type.

    Raises:
        KernelTypeError: it is not a number.
    """
    if isinstance(value, ir.Select) and value.weak:
        return replace(value, weak=()) if type is None else _chosen(value, lambda number: typed(number, type))
    if isinstance(value, ir.Expr):
        return value
    if isinstance(value, Compound):
        raise KernelTypeError(f"expected a number, found {describe(value)}", *value.location)
    if isinstance(value.value, Weak):
        return value.value.make(type or default_type(value.value))
    if isinstance(value.value, np.generic):
        own = scalar_type(value.value.dtype)
        return ir.Const(value.value.item(), type=own.compute, location=value.location)
    if not is_number(value.value):
        raise KernelTypeError(f"expected a number, found {describe(value)}", *value.location)
    return literal(value.value, type or default_type(value.value), value.location)


def choice(condition: ir.Expr, then: Value, otherwise: Value, location: Location, what: str = "if-else") -> ir.Select:
    """``then if condition else otherwise`` of numbers; weak if both are.

    Raises:
        KernelTypeError: neither type can hold the other.
    """
    a, b = unify(then, otherwise, what, location)
    weak = () if is_strong(then) or is_strong(otherwise) else (_numbers(then), _numbers(otherwise))
    return ir.Select(condition, a, b, weak, type=a.type, location=location)


def _numbers(value: Value) -> Any:
    return value.value if isinstance(value, Static) else value.weak  # type: ignore[union-attr]


def _chosen(choice: ir.Select, convert: Callable[[Static], ir.Expr]) -> ir.Select:
    """A weak choice with each of its numbers converted."""

    def converted(value: ir.Expr, number: Any) -> ir.Expr:
        if not isinstance(number, tuple):
            return convert(Static(number, value.location))
        assert isinstance(value, ir.Select)
        a, b = converted(value.then, number[0]), converted(value.otherwise, number[1])
        return ir.Select(value.condition, a, b, type=a.type, location=value.location)

    result = converted(choice, choice.weak)
    assert isinstance(result, ir.Select)
    return result


def cast(value: ir.Expr, type: ScalarType, location: Location | None = None) -> ir.Expr:
    """An explicit conversion; to f16 or bf16 it rounds and stays an f32."""
    location = location or value.location
    to = type.compute
    if isinstance(value, ir.Const) and to is not boolean:
        number = convert(value.value, to).item() if not isinstance(value.value, bool) else int(value.value)
        result: ir.Expr = ir.Const(float(number) if to.is_float else number, type=to, location=location)
    else:
        result = value if value.type is to else ir.Cast(value, type=to, location=location)
    return result if type is to else ir.Round(result, type, type=to, location=location)


def widen(value: ir.Expr, to: ScalarType) -> ir.Expr:
    """The value in a type that ``widens`` allows."""
    return value if value.type is to else cast(value, to)


def unify(left: Value, right: Value, what: str, location: Location) -> tuple[ir.Expr, ir.Expr]:
    """Two operands in one type.

    Raises:
        KernelTypeError: neither type can hold the other.
    """
    if is_strong(left):
        a = typed(left)
        b = typed(right) if is_strong(right) else _weak_beside(right, a, what)
    elif is_strong(right):
        b = typed(right)
        a = _weak_beside(left, b, what)
    else:
        a, b = typed(left), typed(right)
        if f32 in (a.type, b.type):  # 1 if x else 0.5
            a, b = typed(left, f32), typed(right, f32)
    if widens(b.type, a.type):
        return a, widen(b, a.type)
    if widens(a.type, b.type):
        return widen(a, b.type), b
    raise KernelTypeError(
        f"{what} of {a.type} and {b.type}: neither holds every value of the other; {_suggestion(a.type, b.type)}",
        *location,
    )


def _weak_beside(value: Value, other: ir.Expr, what: str) -> ir.Expr:
    if isinstance(value, ir.Select):
        if other.type.is_integer and other.type.bits <= 32 and _has_float(value.weak):
            return typed(value, f32)
        return _chosen(value, lambda number: _weak_beside(number, other, what))
    assert isinstance(value, Static)
    is_float = _is_float(value.value)
    if is_float and other.type.is_integer and other.type.bits <= 32:
        return typed(value, f32)
    if is_float and other.type.is_integer:
        raise KernelTypeError(
            f"{what} of {other.type} and {describe(value)}; convert the {other.type} first, for example"
            " f64(...), or write a whole number",
            *value.location,
        )
    return typed(value, other.type)


def _has_float(weak: Any) -> bool:
    return any(map(_has_float, weak)) if isinstance(weak, tuple) else _is_float(weak)


def _is_float(weak: Any) -> bool:
    return weak.is_float if isinstance(weak, Weak) else isinstance(weak, float)


def is_truth(value: Value) -> bool:
    """Whether a value is a truth value."""
    if isinstance(value, Static):
        return isinstance(value.value, bool | np.bool_)
    return isinstance(value, ir.Expr) and value.type is boolean


def counted(left: Value, right: Value) -> tuple[Value, Value]:
    """Two operands of arithmetic, a truth value among them as 0 or 1, in the other operand's type; two as i32."""
    others = [value for value in (left, right) if not is_truth(value)]
    to = typed(others[0]).type if others else i32
    first, second = (cast(typed(v), to) if is_truth(v) else v for v in (left, right))
    return first, second


def _suggestion(a: ScalarType, b: ScalarType) -> str:
    """What to write for operands of two types; nothing that cuts values off unsaid."""
    if boolean in (a, b):
        return f"convert the truth value: {a if b is boolean else b}(...)"
    if a.is_float or b.is_float:
        return "convert one, for example f64(...)"
    unsigned, signed = (a, b) if a.kind == "uint" else (b, a)
    fits = f"convert the {unsigned}: {signed}(...) if it is below 2**{signed.bits - 1}"
    return fits if unsigned.bits == 64 else f"{fits}, else {_SIGNED[2 * unsigned.bits]}(...)"


_SIGNED = {16: i16, 32: i32, 64: i64}


def coerce_scalar(value: Value, to: ScalarType, target: str, location: Location) -> ir.Expr:
    """A value as it is stored where the type is fixed. ``to`` may be f16 or bf16, for which an f32 is rounded.

    Raises:
        KernelTypeError: the conversion would lose something; ``target`` says what is assigned.
    """
    compute = to.compute
    if isinstance(value, ir.Select) and value.weak:
        return _chosen(value, lambda number: coerce_scalar(number, to, target, location))
    if isinstance(value, Static) and is_number(value.value) and not is_strong(value):
        if isinstance(value.value, float) and compute.is_integer:
            raise KernelTypeError(
                f"the number {value.value!r} does not fit {target}; write {to}({value.value!r}) to truncate it",
                *location,
            )
        return typed(value, compute)
    weak = value.value if isinstance(value, Static) else None
    if isinstance(weak, Weak) and (compute.is_float or (compute.is_integer and not weak.is_float)):
        return weak.make(compute)
    result = typed(value)
    if widens(result.type, compute):
        return widen(result, compute)
    raise KernelTypeError(
        f"a value of type {result.type} does not fit {target}; write {to}(...) if it is meant to be converted",
        *location,
    )


def coerce(value: Value, to: AnyType, target: str, location: Location) -> list[ir.Expr]:
    """The scalars of a value as they are stored where the type is fixed, rounded to f16 and bf16 where it says so.

    Raises:
        KernelTypeError: the value is of another composite type, or a conversion would lose something.
    """
    if not isinstance(to, CompositeType):
        scalar = coerce_scalar(value, to, target, location)
        return [scalar if to.compute is to else ir.Round(scalar, to, type=scalar.type, location=location)]
    return [
        scalar
        for part, (_, type) in zip(_parts(value, to, target, location), to.parts, strict=True)
        for scalar in coerce(part, type, target, location)
    ]


def _parts(value: Value, to: CompositeType, target: str, location: Location) -> tuple[Value, ...]:
    if isinstance(value, Compound) and _same_form(value.type, to):
        return value.parts
    found = entries(value) if is_sequence(value) else None
    if found is not None and isinstance(to, MatrixType):
        rows = [entries(row) for row in found]
        if len(rows) == to.rows and all(row is not None and len(row) == to.columns for row in rows):
            return tuple(entry for row in rows for entry in row or ())
    elif found is not None and isinstance(to, VectorType | TupleType | ArrayType) and len(found) == len(to.parts):
        return found
    count = "" if found is None else f" of {len(found)} entries"
    raise KernelTypeError(f"{describe(value)}{count} does not fit {target}", *location)


def _same_form(a: CompositeType, b: CompositeType) -> bool:
    """Whether two types differ in nothing but the types of their scalars."""
    if isinstance(a, MatrixType) and isinstance(b, MatrixType):
        return (a.rows, a.columns) == (b.rows, b.columns)
    if isinstance(a, StructType) or isinstance(b, StructType):
        return a == b
    return type(a) is type(b) and len(a.parts) == len(b.parts)


def common(values: Sequence[Value], what: str, where: Location) -> list[ir.Expr]:
    """Several numbers in one type, which the typed ones decide; numbers alone are i32 or, if one has a point, f32."""
    strong = [typed(value) for value in values if is_strong(value)] or [typed(value) for value in values]
    kind = strong[0]
    for other in (*strong[1:], *values):  # of literals too: 0.5 beside i32 is an f32
        kind = unify(other, kind, what, where)[1]
    return [unify(value, kind, what, where)[0] for value in values]


def composite(value: Value, where: Location) -> Compound | None:
    """A tuple, list or array as the vector or matrix that it is where one is wanted; None where it is none."""
    if isinstance(value, Compound):
        return value
    found = entries(value) if is_sequence(value) else None
    if found is None or not 2 <= len(found) <= MAX_LENGTH:
        return None
    if not any(isinstance(entry, Compound) or is_sequence(entry) for entry in found):
        parts = common(found, "a vector", where)
        return Compound(VectorType(parts[0].type, len(parts)), tuple(parts), where)
    rows = [composite(entry, where) for entry in found]
    vectors = [row for row in rows if row is not None and isinstance(row.type, VectorType)]
    width = len(vectors[0].parts) if vectors else 0
    if len(vectors) != len(rows) or any(len(row.parts) != width for row in vectors):
        return None
    parts = common([part for row in vectors for part in row.parts], "a matrix", where)
    return Compound(MatrixType(parts[0].type, len(rows), width), tuple(parts), where)


def concretized(value: Value) -> ir.Expr | Compound:
    """A value with every literal in it typed: a tuple of values becomes a compound, a list or array a vector.

    Raises:
        KernelTypeError: it is, or contains, something that is not a value while kernels run.
    """
    if isinstance(value, Compound):
        return value
    found = entries(value) if is_sequence(value) else None
    if found is None:
        return typed(value)
    assert isinstance(value, Static)
    made = None if isinstance(value.value, tuple) else composite(value, value.location)
    if made is not None:
        return made
    if not found:
        raise KernelTypeError("an empty tuple is not a value in kernels", *value.location)
    if not isinstance(value.value, tuple) and len(found) > MAX_LENGTH:
        raise KernelTypeError(
            f"{describe(value)} of {len(found)} entries is no value, as vectors of up to {MAX_LENGTH} are; give it a"
            " name, or hand a function an array to fill",
            *value.location,
        )
    parts = tuple(map(concretized, found))
    return Compound(TupleType(tuple(p.type for p in parts)), parts, value.location)
