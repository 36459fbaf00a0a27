"""Operators on numbers, one element each."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from autograph.errors import OnnxError
from autograph.files.onnx.node import Node, dtype_of
from autograph.functions.casts import cast
from autograph.functions.dtypes import result_type
from autograph.functions.elementwise import activations, arithmetic, bits, comparisons, exponentials, rounding, special
from autograph.functions.elementwise import trigonometry as trig
from autograph.tensor.tensor import Tensor

Operator = Callable[..., Any]


def together(*tensors: Tensor) -> list[Tensor]:
    """Tensors on one device: what shapes are made of lies on the host, and goes to where the others are."""
    device = next((x.device for x in tensors if not x.device.is_host), tensors[0].device)
    return [x if x.device == device else on(x, device) for x in tensors]


def on(x: Tensor, device: Any) -> Tensor:
    """A tensor on a device, where whole numbers have 32 bits if it knows no others."""
    if x.device == device:
        return x
    if x.dtype.size == 8 and not device.is_host:
        x = x.cast("f32" if x.dtype.is_float else "i32")
    return x.to_device(device)


def _unary(function: Any) -> Operator:
    return lambda node, x: function(x)


def _binary(function: Any) -> Operator:
    def operator(node: Node, x: Tensor, y: Tensor) -> Any:
        x, y = together(x, y)
        return function(x, y)

    return operator


def _variadic(function: Any) -> Operator:
    return lambda node, *tensors: reduce(function, together(*tensors))


def _divide(node: Node, x: Tensor, y: Tensor) -> Any:
    x, y = together(x, y)
    if x.dtype.is_float:
        return x / y
    if x.dtype.kind == "uint":
        return x // y
    # ONNX rounds towards 0.
    quotient = arithmetic.absolute(x) // arithmetic.absolute(y)
    return comparisons.where((x < 0) ^ (y < 0), -quotient, quotient)


def _pow(node: Node, x: Tensor, y: Tensor) -> Any:
    x, y = together(x, y)
    if x.dtype is y.dtype:
        return arithmetic.pow(x, y)
    wide = x.dtype if x.dtype.is_float else y.dtype if y.dtype.is_float else result_type(x, y)
    return cast(arithmetic.pow(cast(x, wide), cast(y, wide)), x.dtype)


def _mod(node: Node, x: Tensor, y: Tensor) -> Any:
    x, y = together(x, y)
    if not node.get("fmod", 0):
        return x % y
    rest = arithmetic.absolute(x) % arithmetic.absolute(y)
    return comparisons.where(x < 0, -rest, rest)


def _mean(node: Node, *tensors: Tensor) -> Any:
    return reduce(arithmetic.add, together(*tensors)) / len(tensors)


def _clip(node: Node, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Any:
    bounds = [node.get(name) if bound is None else bound for name, bound in (("min", low), ("max", high))]
    for bound, function in zip(bounds, (arithmetic.maximum, arithmetic.minimum), strict=True):
        if bound is not None:
            x = function(*together(x, bound)) if isinstance(bound, Tensor) else function(x, bound)
    return x


def _cast(node: Node, x: Tensor) -> Tensor:
    dtype = dtype_of(node.get("to", 0))
    if dtype.kind == "bool":
        return x if x.dtype is dtype else x != 0
    if dtype.size == 8 and not x.device.is_host:
        dtype = dtype_of(1 if dtype.is_float else 6)
    return cast(x, dtype)


def _cast_like(node: Node, x: Tensor, like: Tensor) -> Tensor:
    return x != 0 if like.dtype.kind == "bool" else cast(x, like.dtype)


def _where(node: Node, condition: Tensor, x: Tensor, y: Tensor) -> Any:
    return comparisons.where(*together(condition, x, y))


def _is_inf(node: Node, x: Tensor) -> Any:
    found = comparisons.isinf(x)
    if not node.get("detect_negative", 1):
        found = found & (x > 0)
    if not node.get("detect_positive", 1):
        found = found & (x < 0)
    return found


def _shift(node: Node, x: Tensor, y: Tensor) -> Any:
    x, y = together(x, y)
    return x << y if node.get("direction") == "LEFT" else x >> y


def _hard_sigmoid(node: Node, x: Tensor) -> Any:
    return arithmetic.clip(x * node.get("alpha", 0.2) + node.get("beta", 0.5), 0.0, 1.0)


def _selu(node: Node, x: Tensor) -> Any:
    alpha, gamma = node.get("alpha", 1.67326319217681884765625), node.get("gamma", 1.05070102214813232421875)
    return activations.elu(x, alpha) * gamma


def _gelu(node: Node, x: Tensor) -> Any:
    return activations.gelu(x, node.get("approximate", "none"))


def _prelu(node: Node, x: Tensor, slope: Tensor) -> Any:
    x, slope = together(x, slope)
    return comparisons.where(x < 0, x * slope, x)


def _with(function: Any, name: str, default: float) -> Operator:
    return lambda node, x: function(x, node.get(name, default))


def _thresholded(node: Node, x: Tensor) -> Any:
    return comparisons.where(x > node.get("alpha", 1.0), x, 0)


def _shrink(node: Node, x: Tensor) -> Any:
    bias, limit = node.get("bias", 0.0), node.get("lambd", 0.5)
    return cast(comparisons.where(x < -limit, x + bias, comparisons.where(x > limit, x - bias, 0)), x.dtype)


def _swish(node: Node, x: Tensor) -> Any:
    return x * activations.sigmoid(x * node.get("alpha", 1.0))


def _dropout(node: Node, x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None) -> Any:
    if training is not None and bool(training.item()):
        raise OnnxError("Dropout in training")
    if len(node.outputs) == 1:
        return x
    return x, comparisons.equal(x, x) | True


OPERATORS: dict[str, Operator] = {
    **{
        name: _unary(function)
        for name, function in {
            "Abs": arithmetic.absolute,
            "Acos": trig.acos,
            "Acosh": trig.acosh,
            "Asin": trig.asin,
            "Asinh": trig.asinh,
            "Atan": trig.atan,
            "Atanh": trig.atanh,
            "BitwiseNot": bits.bitwise_invert,
            "Ceil": rounding.ceil,
            "Cos": trig.cos,
            "Cosh": trig.cosh,
            "Erf": special.erf,
            "Exp": exponentials.exp,
            "Floor": rounding.floor,
            "HardSwish": activations.hard_swish,
            "IsNaN": comparisons.isnan,
            "Log": exponentials.log,
            "Mish": activations.mish,
            "Neg": arithmetic.negative,
            "Not": comparisons.logical_not,
            "Reciprocal": arithmetic.reciprocal,
            "Relu": activations.relu,
            "Round": rounding.round,
            "Sigmoid": activations.sigmoid,
            "Sign": arithmetic.sign,
            "Sin": trig.sin,
            "Sinh": trig.sinh,
            "Softplus": activations.softplus,
            "Softsign": activations.softsign,
            "Sqrt": exponentials.sqrt,
            "Tan": trig.tan,
            "Tanh": trig.tanh,
        }.items()
    },
    **{
        name: _binary(function)
        for name, function in {
            "Add": arithmetic.add,
            "And": comparisons.logical_and,
            "BitwiseAnd": bits.bitwise_and,
            "BitwiseOr": bits.bitwise_or,
            "BitwiseXor": bits.bitwise_xor,
            "Equal": comparisons.equal,
            "Greater": comparisons.greater,
            "GreaterOrEqual": comparisons.greater_equal,
            "Less": comparisons.less,
            "LessOrEqual": comparisons.less_equal,
            "Mul": arithmetic.multiply,
            "Or": comparisons.logical_or,
            "Sub": arithmetic.subtract,
            "Xor": comparisons.logical_xor,
        }.items()
    },
    "Max": _variadic(arithmetic.maximum),
    "Min": _variadic(arithmetic.minimum),
    "Sum": _variadic(arithmetic.add),
    "Mean": _mean,
    "Div": _divide,
    "Pow": _pow,
    "Mod": _mod,
    "Clip": _clip,
    "Cast": _cast,
    "CastLike": _cast_like,
    "Where": _where,
    "IsInf": _is_inf,
    "BitShift": _shift,
    "Celu": _with(activations.celu, "alpha", 1.0),
    "Elu": _with(activations.elu, "alpha", 1.0),
    "LeakyRelu": _with(activations.leaky_relu, "alpha", 0.01),
    "HardSigmoid": _hard_sigmoid,
    "Selu": _selu,
    "Gelu": _gelu,
    "PRelu": _prelu,
    "ThresholdedRelu": _thresholded,
    "Shrink": _shrink,
    "Swish": _swish,
    "Dropout": _dropout,
    "Identity": lambda node, x: x,
}
