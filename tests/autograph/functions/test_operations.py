"""The operations that are made of functions of numbers: values against NumPy, gradients against differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph
from autograph import Parameter, Tensor
from krnlpy import Device, f32, f64

Array = np.ndarray[Any, Any]
Reference = Callable[..., Any]

erf, erfc = np.vectorize(math.erf), np.vectorize(math.erfc)


def softplus(x: Array) -> Any:
    return np.logaddexp(0, x)


def sigmoid(x: Array) -> Any:
    return 0.5 * (1 + np.tanh(x / 2))


# Names with what they should be in f64, and the interval that arguments are drawn from.
UNARY: dict[str, tuple[Reference, float, float]] = {
    "abs": (np.abs, -3, 3),
    "acos": (np.arccos, -0.9, 0.9),
    "acosh": (np.arccosh, 1.1, 5),
    "asin": (np.arcsin, -0.9, 0.9),
    "asinh": (np.arcsinh, -5, 5),
    "atan": (np.arctan, -5, 5),
    "atanh": (np.arctanh, -0.9, 0.9),
    "cbrt": (np.cbrt, 0.5, 9),
    "ceil": (np.ceil, -5, 5),
    "celu": (lambda x: np.where(x > 0, x, np.expm1(x)), -3, 3),
    "cos": (np.cos, -5, 5),
    "cosh": (np.cosh, -3, 3),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(x)), -3, 3),
    "entr": (lambda x: -x * np.log(x), 0.1, 3),
    "erf": (erf, -2, 2),
    "erfc": (erfc, -2, 2),
    "exp": (np.exp, -3, 3),
    "exp2": (np.exp2, -3, 3),
    "expm1": (np.expm1, -1, 1),
    "floor": (np.floor, -5, 5),
    "gammaln": (np.vectorize(math.lgamma), 0.5, 9),
    "gelu": (lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))), -3, 3),
    "hard_shrink": (lambda x: np.where(np.abs(x) > 0.5, x, 0), -3, 3),
    "hard_sigmoid": (lambda x: np.clip(x / 6 + 0.5, 0, 1), -5, 5),
    "hard_swish": (lambda x: x * np.clip(x / 6 + 0.5, 0, 1), -5, 5),
    "hard_tanh": (lambda x: np.clip(x, -1, 1), -3, 3),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), -3, 3),
    "log": (np.log, 0.1, 9),
    "log10": (np.log10, 0.1, 9),
    "log1p": (np.log1p, -0.5, 5),
    "log2": (np.log2, 0.1, 9),
    "log_sigmoid": (lambda x: -softplus(-x), -9, 9),
    "logit": (lambda x: np.log(x / (1 - x)), 0.1, 0.9),
    "mish": (lambda x: x * np.tanh(softplus(x)), -5, 5),
    "ndtr": (lambda x: 0.5 * erfc(-x / np.sqrt(2)), -3, 3),
    "negative": (np.negative, -3, 3),
    "positive": (np.positive, -3, 3),
    "reciprocal": (np.reciprocal, 0.5, 3),
    "relu": (lambda x: np.maximum(x, 0), -3, 3),
    "relu6": (lambda x: np.clip(x, 0, 6), -3, 9),
    "round": (np.round, -5, 5),
    "rsqrt": (lambda x: 1 / np.sqrt(x), 0.5, 9),
    "selu": (lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)), -3, 3),
    "sigmoid": (sigmoid, -5, 5),
    "sign": (np.sign, -3, 3),
    "silu": (lambda x: x * sigmoid(x), -5, 5),
    "sin": (np.sin, -5, 5),
    "sinc": (np.sinc, -3, 3),
    "sinh": (np.sinh, -3, 3),
    "soft_shrink": (lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0), -3, 3),
    "softplus": (softplus, -5, 5),
    "softsign": (lambda x: x / (1 + np.abs(x)), -5, 5),
    "sqrt": (np.sqrt, 0.5, 9),
    "square": (np.square, -3, 3),
    "tan": (np.tan, -1, 1),
    "tanh": (np.tanh, -3, 3),
    "tanh_shrink": (lambda x: x - np.tanh(x), 0.5, 3),
    "trunc": (np.trunc, -5, 5),
}
BINARY: dict[str, tuple[Reference, float, float]] = {
    "add": (np.add, -3, 3),
    "atan2": (np.arctan2, 0.5, 3),
    "copysign": (np.copysign, -3, 3),
    "divide": (np.divide, 0.5, 3),
    "hypot": (np.hypot, 0.5, 3),
    "logaddexp": (np.logaddexp, -5, 5),
    "maximum": (np.maximum, -3, 3),
    "minimum": (np.minimum, -3, 3),
    "multiply": (np.multiply, -3, 3),
    "pow": (np.power, 0.5, 3),
    "subtract": (np.subtract, -3, 3),
    "xlog1py": (lambda x, y: x * np.log1p(y), 0.5, 3),
    "xlogy": (lambda x, y: x * np.log(y), 0.5, 3),
}
STEP = 1e-6


def drawn(low: float, high: float, shape: tuple[int, ...], seed: int) -> Array:
    """Numbers that f32 holds, none of them within a thousandth of a whole number or half, where kinks are."""
    x = np.random.default_rng(seed).uniform(low, high, shape)
    x += np.where(np.abs(2 * x - np.round(2 * x)) < 0.01, 0.0101, 0.0)
    return x.astype(np.float32).astype(np.float64)


def gradients(operation: Any, arrays: list[Array], dtype: Any, device: Device) -> tuple[Array, list[Array]]:
    """The value of an operation, and its gradients by all operands for ones as the value's."""
    parameters = [Parameter(Tensor.from_numpy(a.astype(dtype.dtype), device)) for a in arrays]
    for parameter in parameters:
        parameter.init_grad()
    value = operation(*parameters)
    value.backward(Tensor.ones(value.shape, value.dtype, device))
    found = [parameter.take_grad() for parameter in parameters]
    return value.numpy(), [gradient.numpy() for gradient in found if gradient is not None]


def check(name: str, reference: Reference, arrays: list[Array], dtype: Any, device: Device) -> None:
    value, found = gradients(getattr(autograph, name), arrays, dtype, device)
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    # Functions of f32 are good to some ulp (docs/numerics.md), of arguments that are exact; those that are made of
    # several, where they cancel, to more of what they are made of.
    tolerance = 3e-6 if dtype is f32 else 2e-13
    np.testing.assert_allclose(value, reference(*arrays), rtol=tolerance, atol=4 * tolerance, err_msg=name)
    for i, gradient in enumerate(found):
        up, down = [[*arrays[:i], arrays[i] + s, *arrays[i + 1 :]] for s in (STEP, -STEP)]
        expected = np.broadcast_to((reference(*up) - reference(*down)) / (2 * STEP), shape)
        if arrays[i].shape != shape:
            expected = expected.sum(axis=0)
        # Differences are off by the square of the step, and by rounding: 1e-16 * 1e4 / STEP at worst.
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=3e-6, err_msg=f"{name}: gradient {i}")


@pytest.mark.parametrize("name", UNARY)
def test_of_one(name: str, device: Device) -> None:
    reference, low, high = UNARY[name]
    check(name, reference, [drawn(low, high, (7, 5), 0)], f32, device)
    if device.info.kind == "host":
        check(name, reference, [drawn(low, high, (3, 11), 1)], f64, device)


@pytest.mark.parametrize("name", BINARY)
def test_of_two_that_broadcast(name: str, device: Device) -> None:
    reference, low, high = BINARY[name]
    check(name, reference, [drawn(low, high, (4, 3), 0), drawn(low, high, (3,), 1)], f32, device)
    if device.info.kind == "host":
        check(name, reference, [drawn(low, high, (4, 3), 2), drawn(low, high, (4, 3), 3)], f64, device)
