"""Calls: conversions, built-in functions and ``@func`` functions."""

from __future__ import annotations

import ast
import builtins as python
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.builtins.marker import Launched
from krnlpy.dsl.frontend import lists
from krnlpy.dsl.frontend.callables import Argument, Call, Func, Method
from krnlpy.dsl.frontend.conversions import cast, concretized, typed, unify
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.receiver import Instance
from krnlpy.dsl.frontend.sequences import entries
from krnlpy.dsl.frontend.values import Compound, Static, Value, describe, is_number
from krnlpy.dsl.frontend.views import as_view
from krnlpy.dsl.types.composites import composite_type
from krnlpy.dsl.types.cooperative import CooperativeType
from krnlpy.errors import KernelSyntaxError, KernelTypeError
from krnlpy.scalar import ScalarType, boolean, i32, i64, u16, u32, u64

from . import atomics, compounds, conversions, cooperative, derivatives
from . import bits as calls_bits
from . import math as calls_math
from .barriers import BARRIER_FUNCTIONS
from .conversions import conversion, named_type
from .library import call_library
from .members import super_of
from .operands import arguments, common
from .powers import whole_power
from .subgroups import BALLOT_FUNCTIONS, SUBGROUP_FUNCTIONS
from .vectors import VECTOR_FUNCTIONS

T = TypeVar("T")

_IDS = (
    "global_id", "global_threads", "group_id", "groups", "thread_id", "threads",
)  # fmt: skip
_PLAIN_IDS = ("subgroup_id", "subgroups", "subgroup_thread_id", "subgroup_threads", "item_id", "items")


def lower_call(lowering: Lowering, node: ast.Call) -> Value:
    """The value of a call."""
    where = lowering.at(node)
    target = lowering.value(node.func)
    if not isinstance(target, Static):
        raise KernelTypeError(f"a value of type {target.type} cannot be called", *lowering.at(node.func))
    callee = target.value
    if isinstance(callee, Func | Method):
        result = call_user(lowering, callee, lowering.call(node))
        if result is None:
            name = (callee.function if isinstance(callee, Method) else callee).__name__
            raise KernelTypeError(f"{name} returns nothing: it has no value here", *where)
        return result
    if isinstance(callee, CooperativeType | cooperative.Method):
        made = cooperative.call(lowering, callee, lowering.call(node))
        if made is None:
            raise KernelTypeError("store returns nothing: it has no value here", *where)
        return made
    composite = composite_type(callee)
    if composite is not None:
        return compounds.construct(lowering, composite, lowering.call(node))
    if node.keywords and callee not in _WITH_KEYWORDS:
        raise KernelSyntaxError("only @func functions take keyword arguments", *where)
    special = _registered(_SYNTAX, callee)
    if special is not None:
        return special(lowering, node)
    if isinstance(callee, Launched):
        name = getattr(callee, "__name__", "this")
        raise KernelTypeError(
            f"{name} is a kernel, which is launched from Python; put what it does for one thread into a @func, and call"
            " that from both kernels",
            *where,
        )
    type = named_type(callee)
    handler = _registered(_HANDLERS, callee) if type is None else partial(conversion, type)
    if handler is None:
        name = getattr(callee, "__name__", repr(callee))
        raise KernelTypeError(
            f"{name} cannot be called from a kernel; decorate a function with @func, or use what krnlpy.dsl has",
            *where,
        )
    call = lowering.call(node)
    if callee not in _OF_SEQUENCES:
        call = lists.with_vectors(call)
    is_of_one = callee in (python.max, python.min) and len(call.positional) == 1
    if callee not in _WHOLE and not is_of_one and any(isinstance(value, Compound) for value in call.values):
        return compounds.apply_elementwise(lowering, handler, call)
    return handler(lowering, call)


def call_user(lowering: Lowering, callee: Func | Method, call: Call) -> Value | None:
    """The call of a user's function; None where it returns nothing."""
    if isinstance(callee, Func):
        return lowering.call_function(callee, call)
    owner = Argument(callee.owner, call.location)
    return lowering.call_function(callee.function, replace(call, positional=(owner, *call.positional)))


def _registered(handlers: dict[Any, T], callee: Any) -> T | None:
    try:
        return handlers.get(callee)
    except TypeError:  # it has no hash
        return None


def _abs(lowering: Lowering, call: Call) -> Value:
    (value,) = arguments(call, 1, "abs")
    if isinstance(value, Static) and is_number(value.value):
        return Static(abs(value.value), value.location)
    operand = typed(value)
    if operand.type is boolean:
        raise KernelTypeError("abs of a truth value; convert it, for example i32(...)", *call.location)
    if operand.type.kind == "uint":
        return operand
    return ir.Math("abs", (operand,), type=operand.type, location=call.location)


def _unchecked(lowering: Lowering, call: Call) -> Value:
    (value,) = arguments(call, 1, "unchecked")
    return Static(replace(as_view(lowering.array(value, call.location)), checked=False), call.location)


def _divmod(lowering: Lowering, call: Call) -> Value:
    where = call.location
    left, right = (lowering.evaluate_once(v) if isinstance(v, ir.Expr) else v for v in arguments(call, 2, "divmod"))
    quotient = lowering.binary(ast.FloorDiv(), left, right, where)
    return Static((quotient, lowering.binary(ast.Mod(), left, right, where)), where)


def _extremum(op: ir.BinaryOp) -> Callable[[Lowering, Call], Value]:
    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        values = call.values
        if len(values) == 1 and entries(values[0]) is not None:
            values = lists.numbers_in(values[0])
        if len(values) < 2:
            raise KernelTypeError(f"{op} takes two or more values, or a vector, tuple or list", *where)
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


def _copied(kind: type[tuple[Any, ...]] | type[list[Any]]) -> Callable[[Lowering, Call], Value]:
    """``tuple(x)`` and ``list(x)``."""

    def handler(lowering: Lowering, call: Call) -> Value:
        (value,) = arguments(call, 1, kind.__name__)
        found = entries(value)
        if found is None:
            raise KernelTypeError(
                f"{kind.__name__} takes what has a length known while compiling, not {describe(value)}", *call.location
            )
        return Static(kind(found), call.location)

    return handler


def _axis_id(name: ir.IdName) -> Callable[[Lowering, Call], Value]:
    def handler(lowering: Lowering, call: Call) -> Value:
        values = arguments(call, len(call.positional) and 1, name)
        axis = values[0] if values else Static(0, call.location)
        number = axis.value if isinstance(axis, Static) else None
        if not isinstance(number, int | np.integer) or isinstance(number, bool) or number not in (0, 1, 2):
            raise KernelTypeError(f"{name} takes an axis: 0, 1 or 2, as a constant", *call.location)
        return ir.Id(name, int(number), type=i32, location=call.location)

    return handler


def _plain_id(name: ir.IdName) -> Callable[[Lowering, Call], Value]:
    def handler(lowering: Lowering, call: Call) -> Value:
        arguments(call, 0, name)
        if name in ("item_id", "items") and not lowering.state.has_items:
            raise KernelTypeError(f"{name}() needs a kernel with Item or ItemMut parameters", *call.location)
        return ir.Id(name, type=i32, location=call.location)

    return handler


def _type(lowering: Lowering, call: Call) -> Value:
    """``type(x)``: the type of an element as it is stored, of a parameter as declared, of any other value."""
    (value,) = arguments(call, 1, "type")
    if isinstance(value, Static) and isinstance(value.value, Instance):
        return Static(value.value.cls, call.location)
    match value:
        case ir.Load():
            found: Any = value.place.type
        case ir.Argument() | ir.SpecValue():
            found = value.parameter.type
        case _:
            found = concretized(value).type
    return Static(found, call.location)


def _only(name: str, where: str) -> Callable[[Lowering, ast.Call], Value]:
    def handler(lowering: Lowering, node: ast.Call) -> Value:
        raise KernelSyntaxError(f"{name} may only be used {where}", *lowering.at(node))

    return handler


def power(lowering: Lowering, left: Value, right: Value, where: ir.Location) -> Value:
    """``left ** right``: by multiplication for whole exponents of integers and small constant ones, else by pow."""
    if isinstance(right, Static) and isinstance(right.value, np.integer):
        right = Static(python.int(right.value), right.location)
    if isinstance(right, Static) and isinstance(right.value, python.int) and not isinstance(right.value, bool):
        base, exponent = typed(left), right.value
        if base.type.is_integer and exponent < 0:
            raise KernelTypeError("an integer has no negative powers; convert it first, for example f32(...)", *where)
        if base.type.is_integer or 0 <= exponent <= 4:
            return whole_power(lowering.state, base, exponent, where)
    if isinstance(right, ir.Expr) and right.type.is_integer:
        known = isinstance(left, Static) and isinstance(left.value, python.int | np.integer)
        power_of = typed(left, _base_type(left, right.type)) if known else left
        if isinstance(power_of, ir.Expr) and power_of.type.is_integer:
            return integer_power(lowering, power_of, right, where)
    a, b = unify(left, right, "**", where)
    return ir.Binary("pow", a, b, type=a.type, location=where)


def _base_type(base: Value, exponent: ScalarType) -> ScalarType:
    """The type of a whole number that is raised to a power: the exponent's, but (-1) ** n has a sign."""
    assert isinstance(base, Static)
    return {32: i32, 64: i64}[max(exponent.bits, 32)] if exponent.kind == "uint" and base.value < 0 else exponent


def integer_power(lowering: Lowering, base: ir.Expr, exponent: ir.Expr, where: ir.Location) -> ir.Expr:
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


_SYNTAX: dict[Any, Callable[[Lowering, ast.Call], Value]] = {
    python.range: _only("range", "in `for i in range(...)`"),
    python.print: _only("print", "as a statement of its own"),
    python.breakpoint: _only("breakpoint", "as a statement of its own"),
    builtins.barrier: _only("barrier", "as a statement of its own"),
    python.enumerate: _only("enumerate", "in `for i, x in enumerate(...)`"),
    python.zip: _only("zip", "in `for x, y in zip(...)`"),
    python.reversed: _only("reversed", "in `for x in reversed(...)`"),
    builtins.grid: _only("grid", "in `for i, j in grid(n, m)`"),
    np.ndindex: _only("ndindex", "in `for i, j in ndindex(n, m)`"),
    builtins.group_array: _only("group_array", "as `name = group_array(type, shape)` at the kernel's top"),
    builtins.local_array: _only(
        "local_array", "as `name = local_array(type, shape)`, in a line of its own or with others"
    ),
    builtins.unroll: _only("unroll", "in `for i in unroll(range(...))`"),
    **atomics.HANDLERS,
    **derivatives.HANDLERS,
}
"""Calls whose arguments are not evaluated: an atomic's first one is a target; others are for some places only."""
_WITH_KEYWORDS = (builtins.group_array, builtins.local_array, *derivatives.HANDLERS)
_WHOLE = {
    *(python.type, python.super, python.list, python.tuple, builtins.where, np.where, builtins.unchecked),
    *(*VECTOR_FUNCTIONS, *BALLOT_FUNCTIONS, *BARRIER_FUNCTIONS),
}
"""What takes vectors whole; any other function is applied element by element."""
_OF_SEQUENCES = {
    *(python.len, python.list, python.max, python.min, python.tuple, python.type),
    *(python.all, python.any, python.sum, np.all, np.any, np.prod, np.sum, math.prod, builtins.polynomial),
    builtins.unchecked,
}
"""What takes lists and arrays of any length as they are; to any other function they are vectors."""
_HANDLERS: dict[Any, Callable[[Lowering, Call], Value]] = {
    python.abs: _abs,
    python.super: super_of,
    python.divmod: _divmod,
    np.divmod: _divmod,
    python.list: _copied(list),
    python.min: _extremum("min"),
    python.tuple: _copied(tuple),
    python.max: _extremum("max"),
    python.type: _type,
    math.fabs: _abs,
    np.fabs: _abs,
    np.abs: _abs,
    builtins.cooperative_multiply_add: cooperative.product,
    builtins.unchecked: _unchecked,
    **VECTOR_FUNCTIONS,
    **SUBGROUP_FUNCTIONS,
    **BARRIER_FUNCTIONS,
}
_HANDLERS |= calls_math.HANDLERS | calls_bits.HANDLERS | conversions.HANDLERS
for _name in _IDS:
    _HANDLERS[getattr(builtins, _name)] = _axis_id(_name)  # type: ignore[arg-type]
for _name in _PLAIN_IDS:
    _HANDLERS[getattr(builtins, _name)] = _plain_id(_name)  # type: ignore[arg-type]
