"""Rounding to whole numbers. Integers stay as they are; the gradients are 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograph.tensor.base import require_tensor
from krnlpy import dsl

from .arithmetic import positive
from .operation import Elementwise, elementwise

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@elementwise
def _floor(x: Any) -> Any:
    return dsl.floor(x)


@elementwise
def _ceil(x: Any) -> Any:
    return dsl.ceil(x)


@elementwise
def _trunc(x: Any) -> Any:
    return dsl.trunc(x)


@elementwise
def _round(x: Any) -> Any:
    return dsl.rint(x)


def floor(x: Tensor) -> Tensor:
    """The greatest whole number that is not above.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, floor
    >>> floor(Tensor.from_numpy([1.5, -1.5])).numpy().tolist()
    [1.0, -2.0]
    """
    return _of_floats(_floor, x)


def ceil(x: Tensor) -> Tensor:
    """The smallest whole number that is not below.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, ceil
    >>> ceil(Tensor.from_numpy([1.5, -1.5])).numpy().tolist()
    [2.0, -1.0]
    """
    return _of_floats(_ceil, x)


def trunc(x: Tensor) -> Tensor:
    """Without what is after the point.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, trunc
    >>> trunc(Tensor.from_numpy([1.5, -1.5])).numpy().tolist()
    [1.0, -1.0]
    """
    return _of_floats(_trunc, x)


def round(x: Tensor) -> Tensor:
    """The nearest whole number; of two, the even one.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, round
    >>> round(Tensor.from_numpy([0.5, 1.5, -1.2])).numpy().tolist()
    [0.0, 2.0, -1.0]
    """
    return _of_floats(_round, x)


def _of_floats(operation: Elementwise, x: Tensor) -> Tensor:
    require_tensor(operation.__name__.removeprefix("_"), x)
    result: Tensor = (operation if x.dtype.is_float else positive)(x)
    return result
