"""Calls: conversions, built-in functions and ``@func`` functions."""

from __future__ import annotations

import ast
import builtins as python
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy.errors import KernelSyntaxError, KernelTypeError
from krnlpy.scalar import ScalarType, boolean, f32, i32, u16, u32, u64

from . import builtins, calls_bits, calls_conversions, calls_math, ir
from .calls_conversions import conversion
from .calls_library import call_library
from .conversions import Static, Value, cast, describe, is_number, typed, unify
from .operands import arguments, common
from .powers import whole_power

if TYPE_CHECKING:
    from .expressions import ExpressionLowering

_IDS = (
    "global_id", "global_threads", "group_id", "groups", "thread_id", "threads",
)  # fmt: skip
_PLAIN_IDS = ("subgroup_id", "subgroups", "subgroup_thread_id", "subgroup_threads", "item_id", "items")


class Func:
    """A function that kernels call, made by ``@func``. Outside a kernel it is the Python function it was."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.function(*arguments, **keywords)

    def __repr__(self) -> str:
        return f"<func {self.__name__}>"


def lower_call(lowering: ExpressionLowering, node: ast.Call) -> Value:
    """The value of a call."""
    where = lowering.at(node)
    target = lowering.value(node.func)
    if not isinstance(target, Static):
        raise KernelTypeError(f"a value of type {target.type} cannot be called", *lowering.at(node.func))
    callee = target.value
    if any(isinstance(a, ast.Starred) for a in node.args):
        raise KernelSyntaxError("kernels have no starred arguments; write the values out", *where)
    if isinstance(callee, Func):
        return lowering.call_function(callee, node)
    if node.keywords and callee not in (builtins.group_array, builtins.local_array):
        raise KernelSyntaxError("only @func functions take keyword arguments", *where)
    if isinstance(callee, ScalarType):
        return conversion(lowering, callee, node)
    if isinstance(callee, python.type) and callee in (int, float, bool):
        return conversion(lowering, {int: i32, float: f32, bool: boolean}[callee], node)
    try:
        handler = _HANDLERS.get(callee)
    except TypeError:
        handler = None
    if handler is None:
        name = getattr(callee, "__name__", repr(callee))
        raise KernelTypeError(
            f"{name} cannot be called from a kernel; decorate a function with @func, or use what krnlpy.dsl has",
            *where,
        )
    return handler(lowering, node)


def _abs(lowering: ExpressionLowering, node: ast.Call) -> Value:
    (value,) = arguments(lowering, node, 1, "abs")
    if isinstance(value, Static) and is_number(value.value):
        return Static(abs(value.value), value.location)
    operand = typed(value)
    if operand.type is boolean:
        raise KernelTypeError("abs of a truth value; convert it, for example i32(...)", *lowering.at(node))
    if operand.type.kind == "uint":
        return operand
    return ir.Math("abs", (operand,), type=operand.type, location=lowering.at(node))


def _extremum(op: ir.BinaryOp) -> Callable[[ExpressionLowering, ast.Call], Value]:
    def handler(lowering: ExpressionLowering, node: ast.Call) -> Value:
        where = lowering.at(node)
        values = arguments(lowering, node, None, op)
        if len(values) < 2:
            raise KernelTypeError(f"{op} takes two or more values", *where)
        if all(isinstance(v, Static) and is_number(v.value) for v in values):
            numbers = [v.value for v in values if isinstance(v, Static)]
            return Static((min if op == "min" else max)(numbers), where)
        operands = common(values, op, where)
        if operands[0].type is boolean:
            raise KernelTypeError(f"{op} of truth values; write and / or", *where)
        result = operands[0]
        for operand in operands[1:]:
            result = ir.Binary(op, result, operand, type=result.type, location=where)
        return result

    return handler


def _len(lowering: ExpressionLowering, node: ast.Call) -> Value:
    (value,) = arguments(lowering, node, 1, "len")
    if isinstance(value, Static) and isinstance(value.value, tuple):
        return Static(len(value.value), value.location)
    if isinstance(value, Static) and isinstance(value.value, ir.GlobalParameter | ir.LocalArray):
        return ir.Extent(value.value, 0, type=i32, location=lowering.at(node))
    raise KernelTypeError(f"{describe(value)} has no length", *lowering.at(node))


def _range(lowering: ExpressionLowering, node: ast.Call) -> Value:
    raise KernelSyntaxError("range stands only in `for i in range(...)`", *lowering.at(node))


def _axis_id(name: ir.IdName) -> Callable[[ExpressionLowering, ast.Call], Value]:
    def handler(lowering: ExpressionLowering, node: ast.Call) -> Value:
        values = arguments(lowering, node, len(node.args) and 1, name)
        axis = values[0] if values else Static(0, lowering.at(node))
        if not (isinstance(axis, Static) and axis.value in (0, 1, 2) and not isinstance(axis.value, bool)):
            raise KernelTypeError(f"{name} takes an axis: 0, 1 or 2, as a constant", *lowering.at(node))
        return ir.Id(name, axis.value, type=i32, location=lowering.at(node))

    return handler


def _plain_id(name: ir.IdName) -> Callable[[ExpressionLowering, ast.Call], Value]:
    def handler(lowering: ExpressionLowering, node: ast.Call) -> Value:
        arguments(lowering, node, 0, name)
        if name in ("item_id", "items") and not lowering.state.has_items:
            raise KernelTypeError(f"{name}() needs a kernel with Item or ItemMut parameters", *lowering.at(node))
        return ir.Id(name, type=i32, location=lowering.at(node))

    return handler


def _subgroup_add(lowering: ExpressionLowering, node: ast.Call) -> Value:
    (value,) = arguments(lowering, node, 1, "subgroup_add")
    operand = typed(value)
    if operand.type is boolean or (operand.type.is_integer and operand.type.bits < 32):
        raise KernelTypeError(
            f"subgroup_add of {operand.type}: convert it to 32 bits, for example i32(...)", *lowering.at(node)
        )
    return ir.Subgroup("add", operand, type=operand.type, location=lowering.at(node))


def _statement_only(name: str) -> Callable[[ExpressionLowering, ast.Call], Value]:
    def handler(lowering: ExpressionLowering, node: ast.Call) -> Value:
        what = "a statement of its own" if name == "barrier" else f"`name = {name}(type, shape)` at the function's top"
        raise KernelSyntaxError(f"{name} stands only as {what}", *lowering.at(node))

    return handler


def power(lowering: ExpressionLowering, left: Value, right: Value, where: ir.Location) -> Value:
    """``left ** right``: by multiplication for small whole constant exponents, by pow for other floats."""
    if isinstance(right, Static) and isinstance(right.value, python.int) and not isinstance(right.value, bool):
        base, exponent = typed(left), right.value
        if base.type is boolean:
            raise KernelTypeError("** of a truth value; convert it, for example i32(...)", *where)
        if base.type.is_integer and exponent < 0:
            raise KernelTypeError("an integer has no negative powers; convert it first, for example f32(...)", *where)
        if base.type.is_integer or 0 <= exponent <= 4:
            return whole_power(lowering.state, base, exponent, where)
    if isinstance(right, ir.Expr) and right.type.is_integer:
        weak = isinstance(left, Static) and isinstance(left.value, python.int)
        power_of = typed(left, right.type) if weak else left
        if isinstance(power_of, ir.Expr) and power_of.type.is_integer:
            return integer_power(lowering, power_of, right, where)
    a, b = unify(left, right, "**", where)
    if not a.type.is_float:
        raise KernelTypeError(f"** of {a.type}; convert first, for example f32(...)", *where)
    return ir.Binary("pow", a, b, type=a.type, location=where)


def integer_power(lowering: ExpressionLowering, base: ir.Expr, exponent: ir.Expr, where: ir.Location) -> ir.Expr:
    """``base ** exponent`` of integers: by squaring, in the base's type, which wraps. The exponent is any integer."""
    wide = i32 if exponent.type.bits < 32 else exponent.type
    one = ir.Const(1, type=base.type, location=where)
    return call_library(lowering, "power", (base, cast(exponent, wide), one), where)


def shift(op: ir.BinaryOp, left: Value, right: Value, where: ir.Location) -> Value:
    """``left << right``: the result has the left operand's type, the count any integer type."""
    if isinstance(left, Static) and isinstance(right, ir.Expr):
        left = typed(left, right.type if right.type.is_integer else None)
    value = typed(left)
    count = typed(right, value.type if value.type.is_integer else None)
    if not (value.type.is_integer and count.type.is_integer):
        raise KernelTypeError(f"shifts need integers, not {value.type} and {count.type}", *where)
    if count.type.bits > value.type.bits:
        # Bits cut off by the conversion could turn a huge or a negative count into a small one.
        if count.type.kind == "int":
            count = cast(count, {16: u16, 32: u32, 64: u64}[count.type.bits])
        limit = ir.Const(value.type.bits, type=count.type, location=where)
        count = ir.Binary("min", count, limit, type=count.type, location=where)
    return ir.Binary(op, value, cast(count, value.type), type=value.type, location=where)


Handler = Callable[["ExpressionLowering", ast.Call], Value]
_HANDLERS: dict[Any, Handler] = {
    python.abs: _abs,
    python.min: _extremum("min"),
    python.max: _extremum("max"),
    python.len: _len,
    python.range: _range,
    math.fabs: _abs,
    np.fabs: _abs,
    np.abs: _abs,
    builtins.subgroup_add: _subgroup_add,
    builtins.barrier: _statement_only("barrier"),
    builtins.group_array: _statement_only("group_array"),
    builtins.local_array: _statement_only("local_array"),
}
_HANDLERS |= calls_math.HANDLERS | calls_bits.HANDLERS | calls_conversions.HANDLERS
for _name in _IDS:
    _HANDLERS[getattr(builtins, _name)] = _axis_id(_name)  # type: ignore[arg-type]
for _name in _PLAIN_IDS:
    _HANDLERS[getattr(builtins, _name)] = _plain_id(_name)  # type: ignore[arg-type]
