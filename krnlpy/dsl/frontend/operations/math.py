"""Calls of mathematical functions, by their names in Python's ``math``, in NumPy and in :mod:`.builtins`."""

from __future__ import annotations

import ast
import builtins as python
import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.callables import Call
from krnlpy.dsl.frontend.conversions import cast, choice, literal
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.sequences import entries
from krnlpy.dsl.frontend.values import Compound, Static, Value, is_number
from krnlpy.dsl.types.composites import MatrixType, VectorType
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import boolean, i32

from . import compounds
from .library import call_library, horner
from .operands import arguments, constant, floats, integers, numbers
from .powers import whole_power

Handler = Callable[[Lowering, Call], Value]

_FLOAT_FUNCTIONS = {
    1: "sqrt rsqrt cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh"
    " atanh erf erfc gamma lgamma sigmoid softplus floor ceil trunc rint signbit isnan isinf isfinite"
    " fast_exp fast_exp2 fast_log fast_log2 fast_sin fast_cos fast_tan fast_tanh fast_rsqrt",
    2: "hypot atan2 fmod remainder copysign nextafter fast_pow fast_min fast_max",
    3: "fma lerp smoothstep",
}
_IN_IR = frozenset(get_args(ir.MathName))
_PREDICATES = frozenset(["isnan", "isinf"])
_OTHER_NAMES = {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "asinh": "arcsinh", "acosh": "arccosh",
    "atanh": "arctanh", "degrees": "rad2deg", "radians": "deg2rad", "trunc": "fix",
}  # fmt: skip
# Of the same name in NumPy, but with another meaning.
_NOT_NUMPYS = frozenset(["remainder"])
# Of what is known while compiling, in double precision; for the others Python's math has a function of the name.
_FOLDED: dict[str, Callable[..., Any]] = {
    "rsqrt": lambda x: 1 / math.sqrt(x),
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "rint": np.rint,
    "signbit": np.signbit,
}


def fold(name: str, values: list[Value], where: ir.Location) -> Static | None:
    """The function of numbers known while compiling, as such a number; None if the function cannot be folded."""
    function = _FOLDED.get(name) or getattr(math, name, None)
    if function is None or not all(isinstance(v, Static) and is_number(v.value) for v in values):
        return None
    try:
        result = function(*(python.float(v.value) for v in values if isinstance(v, Static)))
    except (ArithmeticError, ValueError):  # infinities and NaN, which literals are not
        return None
    return Static(result.item() if isinstance(result, np.generic) else result, where)


def _function(name: str, count: int) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        return _apply(lowering, name, arguments(call, count, name), call.location)

    return handler


def _apply(lowering: Lowering, name: Any, values: list[Value], where: ir.Location) -> Value:
    folded = fold(name, values, where)
    if folded is not None:
        return folded
    operands = tuple(floats(values, name, where))
    if name in _IN_IR:
        return ir.Math(name, operands, type=boolean if name in _PREDICATES else operands[0].type, location=where)
    return call_library(lowering, name, operands, where)


def _factor(name: str, factor: float) -> Handler:
    """Multiplies by a constant."""

    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        values = arguments(call, 1, name)
        folded = fold(name, values, where)
        if folded is not None:
            return folded
        (x,) = floats(values, name, where)
        return ir.Binary("mul", x, constant(factor, x.type, where), type=x.type, location=where)

    return handler


def _binary(op: ir.BinaryOp, a: ir.Expr, b: ir.Expr, where: ir.Location) -> ir.Expr:
    return ir.Binary(op, a, b, type=a.type, location=where)


def _sign(lowering: Lowering, call: Call) -> Value:
    where = call.location
    (value,) = arguments(call, 1, "sign")
    if isinstance(value, Static) and is_number(number := value.value):
        return Static(type(number)((number > 0) - (number < 0)) if number == number else number, where)
    (x,) = numbers([value], "sign", where)
    if x.type.is_float:
        return call_library(lowering, "sign", (x,), where)
    if x.type.is_signed:
        x = _binary("max", x, constant(-1, x.type, where), where)
    return _binary("min", x, constant(1, x.type, where), where)


def _clamp(lowering: Lowering, call: Call) -> Value:
    where = call.location
    values = arguments(call, 3, "clamp")
    x, low, high = numbers(values, "clamp", where)
    return _binary("min", _binary("max", x, low, where), high, where)


def _extremum(name: str, op: ir.BinaryOp) -> Handler:
    """min or max with a special rule for NaN; the plain one if no operand can be NaN."""

    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        a, b = numbers(arguments(call, 2, name), name, where)
        return _with_nan(lowering, name, op, a, b, where)

    return handler


def _with_nan(lowering: Lowering, name: str, op: ir.BinaryOp, a: ir.Expr, b: ir.Expr, where: ir.Location) -> ir.Expr:
    # min and max give a where either is NaN: what NumPy's minimum wants of a, fmin of b.
    doubtful = b if name in ("minimum", "maximum") else a
    if not a.type.is_float or (isinstance(doubtful, ir.Const) and doubtful.value == doubtful.value):
        return _binary(op, a, b, where)
    return call_library(lowering, name, (a, b), where)


def _clip(lowering: Lowering, call: Call) -> Value:
    where = call.location
    x, low, high = numbers(arguments(call, 3, "clip"), "clip", where)
    return _with_nan(lowering, "minimum", "min", _with_nan(lowering, "maximum", "max", x, low, where), high, where)


def _step(lowering: Lowering, call: Call) -> Value:
    where = call.location
    edge, x = floats(arguments(call, 2, "step"), "step", where)
    below = ir.Compare("lt", x, edge, type=boolean, location=where)
    zero, one = constant(0, x.type, where), constant(1, x.type, where)
    return ir.Select(below, zero, one, type=x.type, location=where)


def _ldexp(lowering: Lowering, call: Call) -> Value:
    where = call.location
    value, power = arguments(call, 2, "ldexp")
    (x,) = floats([value], "ldexp", where)
    (n,) = integers([power], "ldexp", where)
    # No result is other than 0 or infinity beyond these.
    if n.type.is_signed and n.type.bits > 16:
        n = _binary("max", n, constant(-5000, n.type, where), where)
    if n.type.bits > 8:
        n = _binary("min", n, constant(5000, n.type, where), where)
    return call_library(lowering, "ldexp", (x, cast(n, i32)), where)


def _polynomial(lowering: Lowering, call: Call) -> Value:
    where = call.location
    value, coefficients = arguments(call, 2, "polynomial")
    listed = entries(coefficients) or ()
    known: list[Any] = [entry.value if isinstance(entry, Static | ir.Const) else entry for entry in listed]
    if not known or not all(is_number(entry) for entry in known):
        raise KernelTypeError(
            "polynomial takes its coefficients as a tuple of one or more numbers known while compiling, lowest power"
            " first",
            *call.positional[1].location,
        )
    (x,) = floats([value], "polynomial", where)
    constants = tuple(literal(python.float(entry), x.type, where) for entry in known)
    return horner(lowering, x, constants, where)


def _round(lowering: Lowering, call: Call) -> Value:
    if len(call.positional) == 2:
        raise KernelTypeError("round takes 1 argument in kernels; scale before and after", *call.location)
    values, where = arguments(call, 1, "round"), call.location
    (value,) = values
    if isinstance(value, ir.Expr) and value.type.is_integer:
        return value
    return _apply(lowering, "rint", values, where)


def _square(lowering: Lowering, call: Call) -> Value:
    (value,) = arguments(call, 1, "square")
    return whole_power(lowering.state, numbers([value], "square", call.location)[0], 2, call.location)


def _reciprocal(lowering: Lowering, call: Call) -> Value:
    (value,) = arguments(call, 1, "reciprocal")
    where = call.location
    return lowering.binary(ast.Div(), Static(1.0, where), value, where)


def _operator(name: str, operator: ast.operator) -> Handler:
    """A function that is an operator of the language."""

    def handler(lowering: Lowering, call: Call) -> Value:
        a, b = arguments(call, 2, name)
        return lowering.binary(operator, a, b, call.location)

    return handler


def _unary(name: str, operator: ast.unaryop) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        (value,) = arguments(call, 1, name)
        return lowering.unary(operator, value, call.location)

    return handler


def _math_pow(lowering: Lowering, call: Call) -> Value:
    where = call.location
    values = arguments(call, 2, "pow")
    a, b = floats(values, "pow", where)
    return _binary("pow", a, b, where)


def _integers(name: str) -> Handler:
    """A function of the library of two whole numbers."""

    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        values = arguments(call, 2, name)
        if all(isinstance(v, Static) and isinstance(v.value, python.int) for v in values):
            return Static(getattr(math, name)(*(v.value for v in values if isinstance(v, Static))), where)
        return call_library(lowering, name, tuple(integers(values, name, where)), where)

    return handler


def _comparison(name: str, operator: ast.cmpop) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        a, b = arguments(call, 2, name)
        return lowering.compare(operator, a, b, call.location)

    return handler


def _logical(name: str) -> Handler:
    """Of two truth values that are both evaluated."""

    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        a, b = (lowering.truth(value, where) for value in arguments(call, 2, name))
        if name == "logical_xor":
            return ir.Compare("ne", a, b, type=boolean, location=where)
        return ir.Logical("and" if name == "logical_and" else "or", a, b, type=boolean, location=where)

    return handler


def _heaviside(lowering: Lowering, call: Call) -> Value:
    where = call.location
    x, at_zero = floats(arguments(call, 2, "heaviside"), "heaviside", where)
    x = lowering.evaluate_once(x)
    zero, one = constant(0, x.type, where), constant(1, x.type, where)

    def select(op: Any, then: ir.Expr, otherwise: ir.Expr) -> ir.Expr:
        condition = ir.Compare(op, x, zero, type=boolean, location=where)
        return ir.Select(condition, then, otherwise, type=x.type, location=where)

    return select("lt", zero, select("gt", one, select("eq", at_zero, x)))  # NaN stays


def _log(lowering: Lowering, call: Call) -> Value:
    """``math.log(x)`` and ``math.log(x, base)``."""
    where = call.location
    if len(call.positional) != 2:
        return _apply(lowering, "log", arguments(call, 1, "log"), where)
    x, base = call.values
    for known, name in ((2, "log2"), (10, "log10")):
        if isinstance(base, Static) and base.value == known:
            return _apply(lowering, name, [x], where)
    x, base = floats([x, base], "log", where)
    return _binary("div", _log_of(x, where), _log_of(base, where), where)


def _log_of(x: ir.Expr, where: ir.Location) -> ir.Expr:
    return ir.Math("log", (x,), type=x.type, location=where)


def _where(lowering: Lowering, call: Call) -> Value:
    """``where(condition, a, b)``: both are evaluated; of vectors, element by element."""
    where = call.location
    condition, then, otherwise = arguments(call, 3, "where")
    arms = [v for v in (then, otherwise) if _is_composite(v)]
    by_element = isinstance(condition, Compound) or (arms and all(map(_is_vector, arms)))
    if by_element:
        return compounds.apply_elementwise(lowering, _where, call)
    if isinstance(condition, Static) and is_number(condition.value):
        return then if condition.value else otherwise
    test = lowering.truth(condition, call.positional[0].location)
    if not arms:
        return choice(test, then, otherwise, where, "where")
    return compounds.chosen(lowering, test, then, otherwise, "where", where)


def _is_composite(value: Value) -> bool:
    return isinstance(value, Compound) or (isinstance(value, Static) and isinstance(value.value, tuple))


def _is_vector(value: Value) -> bool:
    return isinstance(value, Compound) and isinstance(value.type, VectorType | MatrixType)


_OPERATORS: dict[str, ast.operator] = {
    "add": ast.Add(), "subtract": ast.Sub(), "multiply": ast.Mult(), "divide": ast.Div(), "true_divide": ast.Div(),
    "floor_divide": ast.FloorDiv(), "mod": ast.Mod(), "remainder": ast.Mod(), "power": ast.Pow(),
    "bitwise_and": ast.BitAnd(), "bitwise_or": ast.BitOr(), "bitwise_xor": ast.BitXor(),
    "left_shift": ast.LShift(), "right_shift": ast.RShift(),
}  # fmt: skip
_COMPARISONS: dict[str, ast.cmpop] = {
    "equal": ast.Eq(), "not_equal": ast.NotEq(), "less": ast.Lt(), "less_equal": ast.LtE(), "greater": ast.Gt(),
    "greater_equal": ast.GtE(),
}  # fmt: skip
_UNARY: dict[str, ast.unaryop] = {
    "negative": ast.USub(), "positive": ast.UAdd(), "invert": ast.Invert(), "bitwise_not": ast.Invert(),
    "logical_not": ast.Not(),
}  # fmt: skip

HANDLERS: dict[Any, Handler] = {
    np.sign: _sign,
    builtins.sign: _sign,
    builtins.clamp: _clamp,
    np.clip: _clip,
    np.minimum: _extremum("minimum", "min"),
    np.maximum: _extremum("maximum", "max"),
    np.fmin: _extremum("fmin", "min"),
    np.fmax: _extremum("fmax", "max"),
    builtins.fmin: _extremum("fmin", "min"),
    builtins.fmax: _extremum("fmax", "max"),
    builtins.step: _step,
    builtins.where: _where,
    np.where: _where,
    np.heaviside: _heaviside,
    builtins.polynomial: _polynomial,
    python.round: _round,
    np.round: _round,
    np.square: _square,
    np.reciprocal: _reciprocal,
    python.pow: _operator("pow", ast.Pow()),
    math.pow: _math_pow,
}
"""What is called for each function."""


def _register(name: str, handler: Handler) -> None:
    HANDLERS[getattr(builtins, name)] = handler
    if hasattr(math, name):
        HANDLERS[getattr(math, name)] = handler
    for numpys in (name, _OTHER_NAMES.get(name)):
        if numpys is not None and numpys not in _NOT_NUMPYS and hasattr(np, numpys):
            HANDLERS[getattr(np, numpys)] = handler


for _count, _names in _FLOAT_FUNCTIONS.items():
    for _name in _names.split():
        _register(_name, _function(_name, _count))
_register("degrees", _factor("degrees", 180 / math.pi))
_register("radians", _factor("radians", math.pi / 180))
_register("ldexp", _ldexp)
for _name, _symbol in _OPERATORS.items():
    HANDLERS[getattr(np, _name)] = _operator(_name, _symbol)
for _name, _comparison_symbol in _COMPARISONS.items():
    HANDLERS[getattr(np, _name)] = _comparison(_name, _comparison_symbol)
for _name in ("logical_and", "logical_or", "logical_xor"):
    HANDLERS[getattr(np, _name)] = _logical(_name)
HANDLERS[np.float_power] = _math_pow
HANDLERS[math.log] = _log
for _name in ("logaddexp", "logaddexp2"):
    HANDLERS[getattr(np, _name)] = _function(_name, 2)
for _name in ("gcd", "lcm"):
    HANDLERS[getattr(math, _name)] = HANDLERS[getattr(np, _name)] = _integers(_name)
for _name, _sign_symbol in _UNARY.items():
    if hasattr(np, _name):
        HANDLERS[getattr(np, _name)] = _unary(_name, _sign_symbol)
