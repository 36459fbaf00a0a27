"""Arithmetic, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.tensor.base import TensorBase, require_tensor
from krnlpy import dsl

from .operation import Operand, elementwise

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@elementwise
def add(x: Any, y: Any) -> Any:
    """``x + y``; integers wrap.

    >>> from autograph import Tensor
    >>> (Tensor.from_numpy([[1], [2]]) + Tensor.from_numpy([10, 20])).numpy().tolist()
    [[11, 21], [12, 22]]
    """
    return x + y


@elementwise
def subtract(x: Any, y: Any) -> Any:
    """``x - y``; integers wrap.

    >>> from autograph import Tensor
    >>> (10 - Tensor.from_numpy([1, 2])).numpy().tolist()
    [9, 8]
    """
    return x - y


@elementwise
def multiply(x: Any, y: Any) -> Any:
    """``x * y``; integers wrap.

    >>> from autograph import Tensor
    >>> x = Tensor.from_numpy([1, 2, 3])
    >>> (2 * x * x).numpy().tolist()
    [2, 8, 18]
    """
    return x * y


@elementwise
def divide(x: Any, y: Any) -> Any:
    """``x / y``; of integers of up to 32 bits it is an f32.

    >>> from autograph import Tensor
    >>> (Tensor.from_numpy([1.0, 3.0]) / 2).numpy().tolist()
    [0.5, 1.5]
    """
    return x * 1.0 / y  # which makes floats of integers, and changes no float


@elementwise
def _floor_divide(x: Any, y: Any) -> Any:
    return x // y


@elementwise
def _floor_divide_floats(x: Any, y: Any) -> Any:
    if y == 0 or dsl.isinf(x) or dsl.isinf(y):
        return dsl.floor(x / y)
    rest = dsl.fmod(x, y)  # x / y, rounded, may be a whole number that the quotient is below
    quotient = (x - rest) / y
    if rest != 0 and (rest < 0) != (y < 0):
        quotient -= 1.0
    return dsl.copysign(dsl.rint(quotient), x / y)


@elementwise
def _remainder(x: Any, y: Any) -> Any:
    return x % y


@elementwise
def _remainder_of_floats(x: Any, y: Any) -> Any:
    rest = dsl.fmod(x, y)
    if rest == 0:
        return dsl.copysign(rest, y)
    return rest + y if (rest < 0) != (y < 0) else rest


def floor_divide(x: Operand, y: Operand) -> Tensor:
    """``x / y``, rounded down, as Python's ``//``: exact where the quotient as a float would be rounded up.

    Args:
        x: a tensor, or a number beside a tensor.
        y: a tensor, or a number beside a tensor.

    Raises:
        DtypeError: there is no tensor, or the dtypes do not fit each other.
        ShapeError: the shapes do not broadcast.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor, floor_divide
    >>> floor_divide(Tensor.from_numpy([7, -7]), 2).numpy().tolist()
    [3, -4]
    """
    result: Tensor = (_floor_divide_floats if _is_of_floats(x, y) else _floor_divide)(x, y)
    return result


def remainder(x: Operand, y: Operand) -> Tensor:
    """What ``floor_divide(x, y)`` leaves, with the sign of ``y``, as Python's ``%``: exact.

    Args:
        x: a tensor, or a number beside a tensor.
        y: a tensor, or a number beside a tensor.

    Raises:
        DtypeError: there is no tensor, or the dtypes do not fit each other.
        ShapeError: the shapes do not broadcast.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor, remainder
    >>> remainder(Tensor.from_numpy([7, -7]), 3).numpy().tolist()
    [1, 2]
    """
    result: Tensor = (_remainder_of_floats if _is_of_floats(x, y) else _remainder)(x, y)
    return result


def _is_of_floats(*operands: Any) -> bool:
    return any(x.dtype.is_float if isinstance(x, TensorBase) else isinstance(x, float | np.floating) for x in operands)


@elementwise
def pow(x: Any, y: Any) -> Any:
    """``x ** y``.

    >>> from autograph import Tensor, pow
    >>> pow(Tensor.from_numpy([2.0, 9.0]), 0.5).numpy().tolist()
    [1.4142135623730951, 3.0]
    """
    return x**y


@elementwise
def negative(x: Any) -> Any:
    """``-x``; unsigned integers wrap.

    >>> from autograph import Tensor, negative
    >>> negative(Tensor.from_numpy([1, -2])).numpy().round(4).tolist()
    [-1, 2]
    """
    return -x


@elementwise
def positive(x: Any) -> Any:
    """``+x``: the same elements.

    >>> from autograph import Tensor, positive
    >>> positive(Tensor.from_numpy([1, -2])).numpy().round(4).tolist()
    [1, -2]
    """
    return +x


@elementwise
def absolute(x: Any) -> Any:
    """Without the sign. The gradient at 0 is 0.

    >>> from autograph import Tensor, abs
    >>> abs(Tensor.from_numpy([1, -2])).numpy().tolist()
    [1, 2]
    """
    return abs(x)


@elementwise
def sign(x: Any) -> Any:
    """-1, 0 or 1; of NaN it is NaN. The gradient is 0.

    >>> from autograph import Tensor, sign
    >>> sign(Tensor.from_numpy([3, 0, -2])).numpy().round(4).tolist()
    [1, 0, -1]
    """
    return dsl.sign(x)


@elementwise
def square(x: Any) -> Any:
    """``x * x``.

    >>> from autograph import Tensor, square
    >>> square(Tensor.from_numpy([1, -2])).numpy().round(4).tolist()
    [1, 4]
    """
    return x * x


@elementwise
def reciprocal(x: Any) -> Any:
    """``1 / x``.

    >>> from autograph import Tensor, reciprocal
    >>> reciprocal(Tensor.from_numpy([2.0, -4.0])).numpy().round(4).tolist()
    [0.5, -0.25]
    """
    return 1.0 / x


@elementwise
def maximum(x: Any, y: Any) -> Any:
    """The greater one; NaN where either is. Equal ones share the gradient.

    >>> from autograph import Tensor, maximum
    >>> maximum(Tensor.from_numpy([1, 5]), 3).numpy().tolist()
    [3, 5]
    """
    return np.maximum(x, y)


@elementwise
def minimum(x: Any, y: Any) -> Any:
    """The smaller one; NaN where either is. Equal ones share the gradient.

    >>> from autograph import Tensor, minimum
    >>> minimum(Tensor.from_numpy([1, 5]), 3).numpy().tolist()
    [1, 3]
    """
    return np.minimum(x, y)


@elementwise
def hypot(x: Any, y: Any) -> Any:
    """``sqrt(x * x + y * y)``, without overflow; the gradient at the origin is 0.

    >>> from autograph import Tensor, hypot
    >>> hypot(Tensor.from_numpy([3.0, 5.0]), 4.0).numpy().tolist()
    [5.0, 6.4031242374328485]
    """
    return dsl.hypot(x, y)


@elementwise
def copysign(x: Any, y: Any) -> Any:
    """``x`` with the sign of ``y``.

    >>> from autograph import Tensor, copysign
    >>> copysign(Tensor.from_numpy([1.0, -2.0]), -1.0).numpy().tolist()
    [-1.0, -2.0]
    """
    return dsl.copysign(x, y)


@elementwise
def nextafter(x: Any, y: Any) -> Any:
    """The next number after ``x`` towards ``y``.

    >>> from autograph import Tensor, nextafter
    >>> nextafter(Tensor.from_numpy([1.0, 0.0]), 2.0).numpy().tolist()
    [1.0000000000000002, 5e-324]
    """
    return dsl.nextafter(x, y)


def clip(x: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """``x``, not below ``min`` and not above ``max``; NaN stays NaN. Beyond them the gradient is 0.

    Args:
        x: any shape.
        min: None is none.
        max: None is none.

    Raises:
        DtypeError: the dtypes do not fit each other.
        ShapeError: the shapes do not broadcast.

    >>> from autograph import Tensor, clip
    >>> clip(Tensor.from_numpy([-1.0, 0.5, 3.0]), 0, 1).numpy().tolist()
    [0.0, 0.5, 1.0]
    """
    require_tensor("clip", x)
    low = x if min is None else maximum(x, min)
    result: Tensor = low if max is None else minimum(low, max)
    return +x if result is x else result


def reflected_subtract(x: Tensor, y: Operand) -> Tensor:
    """``y - x``."""
    result: Tensor = subtract(y, x)
    return result


def reflected_divide(x: Tensor, y: Operand) -> Tensor:
    """``y / x``."""
    result: Tensor = divide(y, x)
    return result


def reflected_floor_divide(x: Tensor, y: Operand) -> Tensor:
    """``y // x``."""
    return floor_divide(y, x)


def reflected_remainder(x: Tensor, y: Operand) -> Tensor:
    """``y % x``."""
    return remainder(y, x)


def reflected_pow(x: Tensor, y: Operand) -> Tensor:
    """``y ** x``."""
    result: Tensor = pow(y, x)
    return result
