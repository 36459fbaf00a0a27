"""Comparisons and tests, which give tensors of bool, and the choice by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograph.errors import DtypeError
from autograph.tensor.base import TensorBase, require_tensor
from krnlpy import Buffer, dsl

from .operation import Operand, elementwise
from .promotion import number_dtype

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@elementwise
def equal(x: Any, y: Any) -> Any:
    """Whether ``x`` is ``y``; NaN is nothing.

    >>> from autograph import Tensor, equal
    >>> equal(Tensor.from_numpy([1, 2]), 2).numpy().tolist()
    [False, True]
    """
    return x == y


@elementwise
def not_equal(x: Any, y: Any) -> Any:
    """Whether ``x`` is not ``y``; NaN is not.

    >>> from autograph import Tensor, not_equal
    >>> not_equal(Tensor.from_numpy([1, 2]), 2).numpy().tolist()
    [True, False]
    """
    return x != y


@elementwise
def less(x: Any, y: Any) -> Any:
    """Whether ``x`` is below ``y``.

    >>> from autograph import Tensor, less
    >>> less(Tensor.from_numpy([1, 2]), 2).numpy().tolist()
    [True, False]
    """
    return x < y


@elementwise
def less_equal(x: Any, y: Any) -> Any:
    """Whether ``x`` is not above ``y``.

    >>> from autograph import Tensor, less_equal
    >>> less_equal(Tensor.from_numpy([1, 2]), 1).numpy().tolist()
    [True, False]
    """
    return x <= y


@elementwise
def greater(x: Any, y: Any) -> Any:
    """Whether ``x`` is above ``y``.

    >>> from autograph import Tensor, greater
    >>> greater(Tensor.from_numpy([1, 2]), 1).numpy().tolist()
    [False, True]
    """
    return x > y


@elementwise
def greater_equal(x: Any, y: Any) -> Any:
    """Whether ``x`` is not below ``y``.

    >>> from autograph import Tensor, greater_equal
    >>> greater_equal(Tensor.from_numpy([1, 2]), 2).numpy().tolist()
    [False, True]
    """
    return x >= y


@elementwise
def logical_and(x: Any, y: Any) -> Any:
    """Whether neither is 0.

    >>> from autograph import Tensor, logical_and
    >>> logical_and(Tensor.from_numpy([0, 2]), 3).numpy().tolist()
    [False, True]
    """
    return x != 0 and y != 0


@elementwise
def logical_or(x: Any, y: Any) -> Any:
    """Whether one of them is not 0.

    >>> from autograph import Tensor, logical_or
    >>> logical_or(Tensor.from_numpy([0, 2]), 0).numpy().tolist()
    [False, True]
    """
    return x != 0 or y != 0


@elementwise
def logical_xor(x: Any, y: Any) -> Any:
    """Whether one of them is 0, and the other is not.

    >>> from autograph import Tensor, logical_xor
    >>> logical_xor(Tensor.from_numpy([0, 2]), 3).numpy().tolist()
    [True, False]
    """
    return (x != 0) != (y != 0)


@elementwise
def logical_not(x: Any) -> Any:
    """Whether it is 0.

    >>> from autograph import Tensor, logical_not
    >>> logical_not(Tensor.from_numpy([0, 2])).numpy().tolist()
    [True, False]
    """
    return x == 0


@elementwise
def isnan(x: Any) -> Any:
    """Whether it is NaN; integers never are.

    >>> from autograph import Tensor, isnan
    >>> isnan(Tensor.from_numpy([float("nan"), float("inf"), 1.0])).numpy().tolist()
    [True, False, False]
    """
    return x != x


@elementwise
def _isinf(x: Any) -> Any:
    return dsl.isinf(x)


@elementwise
def _isfinite(x: Any) -> Any:
    return dsl.isfinite(x)


@elementwise
def _signbit(x: Any) -> Any:
    return dsl.signbit(x)


def isinf(x: Tensor) -> Tensor:
    """Whether it is infinite; integers never are.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, isinf
    >>> isinf(Tensor.from_numpy([float("nan"), float("inf"), 1.0])).numpy().tolist()
    [False, True, False]
    """
    require_tensor("isinf", x)
    result: Tensor = _isinf(x) if x.dtype.is_float else x != x  # false everywhere
    return result


def isfinite(x: Tensor) -> Tensor:
    """Whether it is neither infinite nor NaN; integers always are.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, isfinite
    >>> isfinite(Tensor.from_numpy([float("nan"), float("inf"), 1.0])).numpy().tolist()
    [False, False, True]
    """
    require_tensor("isfinite", x)
    result: Tensor = _isfinite(x) if x.dtype.is_float else x == x  # true everywhere
    return result


def signbit(x: Tensor) -> Tensor:
    """Whether the sign is minus, of zeros and NaN too.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, signbit
    >>> signbit(Tensor.from_numpy([-0.0, 0.0, -2.0])).numpy().tolist()
    [True, False, True]
    """
    require_tensor("signbit", x)
    result: Tensor = _signbit(x) if x.dtype.is_float else x < 0
    return result


@elementwise
def _where(condition: Any, x: Any, y: Any) -> Any:
    return x if condition else y


def where(condition: Tensor, x: Operand, y: Operand) -> Tensor:
    """``x`` where a condition holds, else ``y``; each gets the gradient of the elements that it gave.

    Args:
        condition: a tensor of bool.
        x: a tensor or a number.
        y: a tensor or a number.

    Raises:
        DtypeError: ``condition`` is not a tensor of bool, or the dtypes of ``x`` and ``y`` do not fit each other.
        ShapeError: the shapes do not broadcast.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor, where
    >>> x = Tensor.from_numpy([1, 2, 3])
    >>> where(x > 1, x, 0).numpy().tolist()
    [0, 2, 3]
    """
    require_tensor("where", condition)
    if condition.dtype.kind != "bool":
        raise DtypeError(f"where takes a condition of bool, not {condition.dtype}; compare, for example x != 0")
    if not (isinstance(x, TensorBase) or isinstance(y, TensorBase)):
        x = condition.result(Buffer.full((), x, number_dtype("where", (x, y)), condition.device))
    result: Tensor = _where(condition, x, y)
    return result
