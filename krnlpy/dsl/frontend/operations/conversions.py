"""Conversions between types: ``f32(x)``, ``cast``, ``saturate`` and ``bitcast``."""

from __future__ import annotations

import builtins as python
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.callables import Call
from krnlpy.dsl.frontend.conversions import cast, literal, typed
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.values import Static, Value, Weak, describe, is_number
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import ScalarType, boolean, convert, f32, f64, i32, numpys_type, u8, u16, u32, u64

from .operands import arguments, constant

_PYTHONS: dict[python.type, ScalarType] = {int: i32, float: f32, bool: boolean}
_UNSIGNED = {1: u8, 2: u16, 4: u32, 8: u64}

# Finite values of the float types.
_GREATEST = {
    "f16": 65504.0,
    "bf16": (2 - 2.0**-7) * 2.0**127,
    "f32": (2 - 2.0**-23) * 2.0**127,
    "f64": sys.float_info.max,
}


def named_type(callee: Any) -> ScalarType | None:
    """The scalar type that a type means where it is called: ``int`` is i32, ``np.float32`` f32; None if it is none."""
    if isinstance(callee, ScalarType):
        return callee
    if not isinstance(callee, python.type):
        return None
    return _PYTHONS.get(callee) or numpys_type(callee)


def conversion(type: ScalarType, lowering: Lowering, call: Call) -> Value:
    """``f32(x)`` and the like: an explicit cast, which is done while compiling for a literal."""
    (argument,) = arguments(call, 1, str(type))
    return _converted(lowering, argument, type, call)


def _converted(lowering: Lowering, argument: Value, type: ScalarType, call: Call) -> ir.Expr:
    where = call.location
    if type is boolean:
        return lowering.truth(argument, where)
    if isinstance(argument, Static) and isinstance(argument.value, Weak):
        wide = type.is_float or (type.bits == 64 and not argument.value.is_float)
        return cast(typed(argument, type if wide else None), type, where)
    if isinstance(argument, Static) and is_number(argument.value):
        number = argument.value
        if isinstance(number, bool):
            number = python.int(number)
        if isinstance(number, python.int) and type.is_integer:
            return literal(convert(np.int64(number) if abs(number) < 2**63 else number, type).item(), type, where)
        if isinstance(number, python.int):
            return cast(literal(python.float(number), type.compute, where), type, where)
        return cast(ir.Const(number, type=f64 if type is f64 else f32, location=where), type, where)
    return cast(typed(argument), type, where)


def _with_type(lowering: Lowering, call: Call, name: str) -> tuple[Value, ScalarType]:
    """The arguments of ``name(value, type)``."""
    value, named = arguments(call, 2, name)
    type = named_type(named.value) if isinstance(named, Static) else None
    if type is None:
        raise KernelTypeError(
            f"{name} takes a value and a scalar type, not {describe(named)}; write {name}(x, u32)",
            *call.positional[1].location,
        )
    return value, type


def _cast(lowering: Lowering, call: Call) -> Value:
    value, type = _with_type(lowering, call, "cast")
    return _converted(lowering, value, type, call)


def _saturate(lowering: Lowering, call: Call) -> Value:
    where = call.location
    value, to = _with_type(lowering, call, "saturate")
    if to is boolean:
        raise KernelTypeError("saturate to bool: write bool(x) or a comparison", *where)
    x = typed(value)
    source = x.type
    if source is boolean:
        return cast(x, to, where)
    if source is f32 and to is f64:
        x, source = cast(x, f64, where), f64
    low, high = _ends(to, source)
    if low is not None:
        x = ir.Binary("max", x, constant(low, source, where), type=source, location=where)
    if high is not None:
        x = ir.Binary("min", x, constant(high, source, where), type=source, location=where)
    return cast(x, to, where)


def _ends(to: ScalarType, source: ScalarType) -> tuple[int | float | None, int | float | None]:
    """The ends of a type that values of another must be kept within; None where they are."""
    if source.is_float and to.is_integer:
        return None, None  # as the cast does
    if to.is_integer:
        return to.min if source.min < to.min else None, to.max if source.max > to.max else None
    greatest = _GREATEST[to.name]
    if source.is_float:
        # Of its own type, infinities remain to be cut off.
        return -greatest, greatest
    if source.max <= greatest:
        return None, None
    whole = python.int(greatest)
    return -whole if source.is_signed else None, whole


def _bitcast(lowering: Lowering, call: Call) -> Value:
    where = call.location
    value, to = _with_type(lowering, call, "bitcast")
    x = typed(value)
    source = _storage(x)
    if boolean in (source, to):
        raise KernelTypeError("bitcast of truth values; convert them, for example u32(...)", *where)
    if source.size != to.size:
        hint = ""
        if source is f32 and to.size == 2:
            hint = f"; write bitcast(f16(x), {to}) or bitcast(bf16(x), {to})"
        raise KernelTypeError(f"bitcast of {source}, {source.bits} bits, to {to}, {to.bits} bits{hint}", *where)
    if source.is_integer and to.is_integer:
        return cast(x, to, where)
    if source is to:
        return x
    if source.is_float and to.is_float:
        between = _UNSIGNED[source.size]
        x = ir.Bitcast(x, source, between, type=between, location=where)
        source = between
    if isinstance(x, ir.Const):
        bits = np.asarray(x.value, source.dtype).view(to.dtype).item()
        return constant(bits, to.compute, where)
    return ir.Bitcast(x, source, to, type=to.compute, location=where)


def _storage(x: ir.Expr) -> ScalarType:
    """The type of a value; f16 or bf16 where an f32 is known to be one."""
    if isinstance(x, ir.Round):
        return x.to
    if isinstance(x, ir.Load):
        return x.place.type
    if isinstance(x, ir.Argument | ir.SpecValue):
        return x.parameter.type
    return x.type


HANDLERS: dict[Any, Callable[[Lowering, Call], Value]] = {
    builtins.cast: _cast,
    builtins.saturate: _saturate,
    builtins.bitcast: _bitcast,
}
"""What is called for each function."""
