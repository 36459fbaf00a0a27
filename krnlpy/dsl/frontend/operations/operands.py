"""The operands of calls: how many there are, and the type that they have in common."""

from __future__ import annotations

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.callables import Call
from krnlpy.dsl.frontend.conversions import cast, literal, typed, unify
from krnlpy.dsl.frontend.values import Static, Value, is_number
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import ScalarType, boolean, convert, f32


def arguments(call: Call, count: int, name: str) -> list[Value]:
    """The values of a call's arguments.

    Raises:
        KernelTypeError: there are not ``count`` of them.
    """
    if len(call.positional) != count:
        raise KernelTypeError(f"{name} takes {count} argument(s), {len(call.positional)} given", *call.location)
    return call.values


def common(values: list[Value], name: str, where: ir.Location) -> list[ir.Expr]:
    """Several operands in one type."""
    result = values[0]
    for value in values[1:]:
        a, b = unify(result, value, name, where)
        result = a if isinstance(result, ir.Expr) or isinstance(value, Static) else b
    kind = typed(result).type
    return [unify(v, ir.Const(0, type=kind, location=where), name, where)[0] for v in values]


def numbers(values: list[Value], name: str, where: ir.Location) -> list[ir.Expr]:
    """Several operands in one type of numbers."""
    operands = common(values, name, where)
    if operands[0].type is boolean:
        raise KernelTypeError(f"{name} of truth values; convert them, for example i32(...)", *where)
    return operands


def floats(values: list[Value], name: str, where: ir.Location) -> list[ir.Expr]:
    """Several operands in one float type: integers of at most 32 bits become f32."""
    if all(isinstance(v, Static) and is_number(v.value) for v in values):
        return [literal(float(v.value), f32, where) for v in values if isinstance(v, Static)]
    operands = common(values, name, where)
    kind = operands[0].type
    if kind.is_integer and kind.bits <= 32:
        return [cast(operand, f32) for operand in operands]
    if not kind.is_float:
        wide = "f64" if kind.bits == 64 else "f32"
        raise KernelTypeError(f"{name} needs an f32 or f64, not {kind}; write {name}({wide}(...))", *where)
    return operands


def integers(values: list[Value], name: str, where: ir.Location) -> list[ir.Expr]:
    """Several operands in one integer type."""
    operands = numbers(values, name, where)
    if not operands[0].type.is_integer:
        raise KernelTypeError(
            f"{name} needs integers, not {operands[0].type}; convert first, for example {name}(i32(...)), or"
            " bitcast(..., u32) for the bits",
            *where,
        )
    return operands


def constant(value: int | float, type: ScalarType, where: ir.Location) -> ir.Const:
    """A constant of a number's type: the nearest float of it."""
    return ir.Const(float(convert(float(value), type)) if type.is_float else value, type=type, location=where)


def zero(type: ScalarType, where: ir.Location) -> ir.Const:
    """The zero of a type of computation; of truth values, false."""
    return ir.Const(False if type is boolean else 0.0 if type.is_float else 0, type=type, location=where)
