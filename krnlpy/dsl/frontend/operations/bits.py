"""Calls of functions of integers and their bits.

Devices have most of them for u32 alone. Narrower integers are widened, 64-bit ones made of two halves by the library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.callables import Call
from krnlpy.dsl.frontend.conversions import cast
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.values import Value
from krnlpy.scalar import i8, i16, i32, i64, u8, u16, u32, u64

from .library import call_library
from .operands import arguments, constant, integers

Handler = Callable[[Lowering, Call], Value]
_Unary = Callable[["Lowering", ir.Expr, ir.Location], ir.Expr]
_Binary = Callable[["Lowering", ir.Expr, ir.Expr, ir.Location], ir.Expr]

_UNSIGNED = {t.size: t for t in (u8, u16, u32, u64)}
_SIGNED = {t.size: t for t in (i8, i16, i32, i64)}


def _operation(op: ir.BinaryOp, a: ir.Expr, b: ir.Expr | int, where: ir.Location) -> ir.Expr:
    other = constant(b, a.type, where) if isinstance(b, int) else b
    return ir.Binary(op, a, other, type=a.type, location=where)


def _u32(name: ir.MathName, where: ir.Location, *operands: ir.Expr) -> ir.Expr:
    return ir.Math(name, operands, type=u32, location=where)


def _bits(x: ir.Expr) -> ir.Expr:
    """An integer's bits as an unsigned integer of the same width, or of 32 bits if it is narrower."""
    own = cast(x, _UNSIGNED[x.type.size])
    return cast(own, u32) if x.type.bits < 32 else own


def _unary(name: str, function: _Unary) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        (x,) = integers(arguments(call, 1, name), name, where)
        return cast(function(lowering, x, where), x.type, where)

    return handler


def _binary(name: str, function: _Binary) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        a, b = integers(arguments(call, 2, name), name, where)
        return function(lowering, a, b, where)

    return handler


# ---------------------------------------------------------------------------------------------------------- counts


def _popcount(lowering: Lowering, x: ir.Expr, where: ir.Location) -> ir.Expr:
    bits = _bits(x)
    return call_library(lowering, "popcount_64", (bits,), where) if bits.type is u64 else _u32("popcount", where, bits)


def _clz(lowering: Lowering, x: ir.Expr, where: ir.Location) -> ir.Expr:
    bits = _bits(x)
    if bits.type is u64:
        return call_library(lowering, "clz_64", (bits,), where)
    zeros = _u32("clz", where, bits)
    return zeros if x.type.bits == 32 else _operation("sub", zeros, 32 - x.type.bits, where)


def _bit_length(lowering: Lowering, x: ir.Expr, where: ir.Location) -> ir.Expr:
    zeros = _clz(lowering, x, where)
    return _operation("sub", constant(x.type.bits, zeros.type, where), zeros, where)


def _reverse_bits(lowering: Lowering, x: ir.Expr, where: ir.Location) -> ir.Expr:
    bits = _bits(x)
    if bits.type is u64:
        return call_library(lowering, "reverse_bits_64", (bits,), where)
    reverse = _u32("reverse_bits", where, bits)
    return reverse if x.type.bits == 32 else _operation("shr", reverse, 32 - x.type.bits, where)


def _ctz(lowering: Lowering, x: ir.Expr, where: ir.Location) -> ir.Expr:
    # The zeros below the lowest 1 are those above the highest 1 of the reverse.
    reverse = _reverse_bits(lowering, x, where)
    return _clz(lowering, cast(reverse, _UNSIGNED[x.type.size]), where)


def _byte_swap(lowering: Lowering, x: ir.Expr, where: ir.Location) -> ir.Expr:
    if x.type.size == 1:
        return x
    bits = _bits(x)
    swapped = call_library(lowering, f"byte_swap_{bits.type.bits}", (bits,), where)
    return _operation("shr", swapped, 16, where) if x.type.size == 2 else swapped


# ---------------------------------------------------------------------------------------------------------- rotation


def _rotation(name: str, left: bool) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        value, turn = arguments(call, 2, name)
        (x,) = integers([value], name, where)
        (count,) = integers([turn], name, where)
        kind, bits = x.type, x.type.bits
        own = cast(x, _UNSIGNED[kind.size])
        if isinstance(count, ir.Const):
            turns = (int(count.value) if left else -int(count.value)) % bits
            if turns:
                own = lowering.evaluate_once(own)
                up, down = _operation("shl", own, turns, where), _operation("shr", own, bits - turns, where)
                return cast(_operation("or", up, down, where), kind, where)
            return cast(own, kind, where)
        # The width divides 2**8: what a conversion cuts off or adds is a multiple of the width.
        count = cast(count, own.type)
        count = count if left else ir.Unary("neg", count, type=own.type, location=where)
        count = _operation("and", count, bits - 1, where)
        return cast(call_library(lowering, "rotate", (own, count, constant(bits, own.type, where)), where), kind, where)

    return handler


# -------------------------------------------------------------------------------------------------------- arithmetic


def _mul_hi(lowering: Lowering, a: ir.Expr, b: ir.Expr, where: ir.Location) -> ir.Expr:
    kind = a.type
    if kind.bits < 32:
        wide = i32 if kind.is_signed else u32
        product = _operation("mul", cast(a, wide), cast(b, wide), where)
        return cast(_operation("shr", product, kind.bits, where), kind, where)
    if kind.is_signed:
        return call_library(lowering, "mul_hi_signed", (a, b), where)
    return _u32("mul_hi", where, a, b) if kind is u32 else call_library(lowering, "mul_hi_64", (a, b), where)


def _saturating(op: Any) -> _Binary:
    def function(lowering: Lowering, a: ir.Expr, b: ir.Expr, where: ir.Location) -> ir.Expr:
        kind = a.type
        if kind.bits < 32:
            result = _operation(op, cast(a, i32), cast(b, i32), where)
            result = _operation("min", _operation("max", result, kind.min, where), kind.max, where)
            return cast(result, kind, where)
        ends = (constant(kind.min, kind, where), constant(kind.max, kind, where)) if kind.is_signed else ()
        suffix = "signed" if kind.is_signed else "unsigned"
        return call_library(lowering, f"{op}_sat_{suffix}", (a, b, *ends), where)

    return function


HANDLERS: dict[Any, Handler] = {
    builtins.popcount: _unary("popcount", _popcount),
    builtins.clz: _unary("clz", _clz),
    builtins.ctz: _unary("ctz", _ctz),
    builtins.bit_length: _unary("bit_length", _bit_length),
    builtins.reverse_bits: _unary("reverse_bits", _reverse_bits),
    builtins.byte_swap: _unary("byte_swap", _byte_swap),
    builtins.rotl: _rotation("rotl", left=True),
    builtins.rotr: _rotation("rotr", left=False),
    builtins.mul_hi: _binary("mul_hi", _mul_hi),
    builtins.add_sat: _binary("add_sat", _saturating("add")),
    builtins.sub_sat: _binary("sub_sat", _saturating("sub")),
}
"""What is called for each function."""


def _bitwise_count(lowering: Lowering, x: ir.Expr, where: ir.Location) -> ir.Expr:
    """NumPy counts the bits of the magnitude."""
    return _popcount(lowering, ir.Math("abs", (x,), type=x.type, location=where) if x.type.is_signed else x, where)


if hasattr(np, "bitwise_count"):
    HANDLERS[np.bitwise_count] = _unary("bitwise_count", _bitwise_count)
