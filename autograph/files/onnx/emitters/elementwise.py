"""Operations on numbers, one element each."""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

from autograph.files.onnx.dtypes import TO_ONNX
from autograph.files.onnx.graph import Dim, Graph, Operand, Unsupported
from autograph.functions import casts
from autograph.functions.dtypes import result_type
from autograph.functions.elementwise import (
    activations,
    arithmetic,
    bits,
    comparisons,
    exponentials,
    rounding,
    special,
    trigonometry,
)
from krnlpy import ScalarType, scalar_type

BOOL = scalar_type("bool")

_UNARY: dict[Any, str] = {
    activations.relu: "Relu",
    activations.sigmoid: "Sigmoid",
    activations.softplus: "Softplus",
    activations.softsign: "Softsign",
    activations.mish: "Mish",
    activations.hard_swish: "HardSwish",
    activations.selu: "Selu",
    arithmetic.negative: "Neg",
    arithmetic.positive: "Identity",
    arithmetic.absolute: "Abs",
    arithmetic.sign: "Sign",
    arithmetic.reciprocal: "Reciprocal",
    exponentials.exp: "Exp",
    exponentials.log: "Log",
    exponentials.sqrt: "Sqrt",
    special.erf: "Erf",
    rounding.floor: "Floor",
    rounding.ceil: "Ceil",
    rounding.round: "Round",
    **{getattr(trigonometry, name.lower()): name for name in ("Sin", "Cos", "Tan", "Asin", "Acos", "Atan")},
    **{getattr(trigonometry, name.lower()): name for name in ("Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh")},
}
_BINARY: dict[Any, str] = {
    arithmetic.add: "Add",
    arithmetic.subtract: "Sub",
    arithmetic.multiply: "Mul",
    arithmetic.divide: "Div",
    arithmetic.pow: "Pow",
    arithmetic.maximum: "Max",
    arithmetic.minimum: "Min",
    comparisons.equal: "Equal",
    comparisons.less: "Less",
    comparisons.less_equal: "LessOrEqual",
    comparisons.greater: "Greater",
    comparisons.greater_equal: "GreaterOrEqual",
}
_OF_TRUTH: dict[Any, str] = {
    comparisons.logical_and: "And",
    comparisons.logical_or: "Or",
    comparisons.logical_xor: "Xor",
}
_BITS: dict[Any, tuple[str, str]] = {
    bits.bitwise_and: ("And", "BitwiseAnd"),
    bits.bitwise_or: ("Or", "BitwiseOr"),
    bits.bitwise_xor: ("Xor", "BitwiseXor"),
}


def common(g: Graph, operands: dict[str, Any], to: ScalarType | None = None) -> list[Operand]:
    """Tensors and numbers as tensors of one dtype."""
    values = list(operands.values())
    kinds = (x.dtype if isinstance(x, Operand) else 1 if isinstance(x, Dim) else x for x in values)
    dtype = to or result_type(*kinds)
    return [_as_tensor(g, x, dtype) for x in values]


def _as_tensor(g: Graph, x: Any, dtype: ScalarType) -> Operand:
    if isinstance(x, Operand):
        return g.cast(x, dtype)
    if isinstance(x, Dim):
        scalar = g.add("Squeeze", g.lengths([x]), g.constant([0], "i64"))
        return Operand(g.add("Cast", scalar, to=TO_ONNX[dtype]), dtype, ())
    return Operand(g.constant(x, dtype), dtype, ())


def _unary(g: Graph, kind: str, a: dict[str, Any], out: ScalarType) -> str:
    (x,) = common(g, a, out)
    return str(g.add(kind, x.name))


def _binary(g: Graph, kind: str, a: dict[str, Any], out: ScalarType) -> str:
    x, y = common(g, a, None if out is BOOL else out)
    return str(g.add(kind, x.name, y.name))


def _number(a: dict[str, Any], name: str) -> float:
    if isinstance(a[name], Operand | Dim):
        raise Unsupported(f"{name} as a tensor")
    return float(a[name])


def _truth(g: Graph, x: Any) -> str:
    if not isinstance(x, Operand):
        return g.constant(bool(x), BOOL)
    return g.cast(x, BOOL).name


def _leaky_relu(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("LeakyRelu", a["x"].name, alpha=_number(a, "slope")))


def _elu(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Elu", a["x"].name, alpha=_number(a, "alpha")))


def _celu(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Celu", a["x"].name, alpha=_number(a, "alpha")))


def _clip(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    low, high = (None if a[k] is None else common(g, {k: a[k]}, out)[0].name for k in ("min", "max"))
    x = g.cast(a["x"], out)
    if any(isinstance(a[k], Operand) for k in ("min", "max")):
        name = x.name if low is None else g.add("Max", x.name, low)
        return str(name if high is None else g.add("Min", name, high))
    return str(g.add("Clip", x.name, low, high))


def _hard_tanh(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return _clip(g, {"x": a["x"], "min": a["low"], "max": a["high"]}, out)


def _gelu(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Gelu", a["x"].name, approximate=a["approximate"]))


def _silu(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Mul", a["x"].name, g.add("Sigmoid", a["x"].name)))


def _log_sigmoid(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Neg", g.add("Softplus", g.add("Neg", a["x"].name))))


def _square(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Mul", a["x"].name, a["x"].name))


def _rsqrt(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Reciprocal", _unary(g, "Sqrt", a, out)))


def _with_one(kind: str, sign: str, after: bool) -> Callable[..., str]:
    def emit(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
        (x,) = common(g, a, out)
        one = g.constant(1, out)
        if after:
            return str(g.add(sign, g.add(kind, x.name), one))
        return str(g.add(kind, g.add(sign, x.name, one)))

    return emit


def _logarithm(base: float) -> Callable[..., str]:
    def emit(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
        return str(g.add("Mul", _unary(g, "Log", a, out), g.constant(1 / log(base), out)))

    return emit


def _not_equal(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Not", _binary(g, "Equal", a, out)))


def _logical_not(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Not", _truth(g, a["x"])))


def _bitwise_invert(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Not" if out is BOOL else "BitwiseNot", a["x"].name))


def _is(kind: str) -> Callable[..., str]:
    return lambda g, a, out: str(g.add(kind, a["x"].name))


def _isfinite(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Not", g.add("Or", g.add("IsNaN", a["x"].name), g.add("IsInf", a["x"].name))))


def _where(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    x, y = common(g, {"x": a["x"], "y": a["y"]}, out)
    return str(g.add("Where", _truth(g, a["condition"]), x.name, y.name))


def _cast(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Cast", a["x"].name, to=TO_ONNX[out]))


def _scaled_cast(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    return str(g.add("Mul", _cast(g, a, out), g.constant(a["alpha"], out)))


def _remainder(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    x, y = common(g, a, out)
    if not out.is_float:
        return str(g.add("Mod", x.name, y.name))
    quotient = g.add("Floor", g.add("Div", x.name, y.name))
    return str(g.add("Sub", x.name, g.add("Mul", quotient, y.name)))


def _floor_divide(g: Graph, a: dict[str, Any], out: ScalarType) -> str:
    if not out.is_float:
        raise Unsupported("whole numbers")
    return str(g.add("Floor", _binary(g, "Div", a, out)))


def _of_kind(emit: Callable[..., str], kind: str) -> Callable[..., str]:
    return lambda g, a, out: emit(g, kind, a, out)


def _truths(kind: str) -> Callable[..., str]:
    return lambda g, a, out: str(g.add(kind, *(_truth(g, x) for x in a.values())))


def _bitwise(kinds: tuple[str, str]) -> Callable[..., str]:
    return lambda g, a, out: _binary(g, kinds[0] if out is BOOL else kinds[1], a, out)


EMITTERS: dict[Any, Callable[..., str]] = {
    **{operation: _of_kind(_unary, kind) for operation, kind in _UNARY.items()},
    **{operation: _of_kind(_binary, kind) for operation, kind in _BINARY.items()},
    **{operation: _truths(kind) for operation, kind in _OF_TRUTH.items()},
    **{operation: _bitwise(kinds) for operation, kinds in _BITS.items()},
    activations.leaky_relu: _leaky_relu,
    activations.relu6: lambda g, a, out: _clip(g, {**a, "min": 0, "max": 6}, out),
    activations.elu: _elu,
    activations.celu: _celu,
    activations.silu: _silu,
    activations.log_sigmoid: _log_sigmoid,
    activations.hard_sigmoid: lambda g, a, out: str(g.add("HardSigmoid", a["x"].name, alpha=1 / 6, beta=0.5)),
    activations.hard_tanh: _hard_tanh,
    activations.gelu: _gelu,
    arithmetic.clip: _clip,
    arithmetic.square: _square,
    arithmetic.remainder: _remainder,
    arithmetic.floor_divide: _floor_divide,
    exponentials.rsqrt: _rsqrt,
    exponentials.expm1: _with_one("Exp", "Sub", True),
    exponentials.log1p: _with_one("Log", "Add", False),
    exponentials.log2: _logarithm(2),
    exponentials.log10: _logarithm(10),
    exponentials.exp2: lambda g, a, out: str(
        g.add("Exp", g.add("Mul", common(g, a, out)[0].name, g.constant(log(2), out)))
    ),
    comparisons.not_equal: _not_equal,
    comparisons.logical_not: _logical_not,
    comparisons.isnan: _is("IsNaN"),
    comparisons.isinf: _is("IsInf"),
    comparisons.isfinite: _isfinite,
    comparisons.where: _where,
    bits.bitwise_invert: _bitwise_invert,
    casts.cast: _cast,
    casts.scaled_cast: _scaled_cast,
}
