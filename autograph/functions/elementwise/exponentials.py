"""Exponentials, logarithms and roots."""

from __future__ import annotations

from typing import Any

import numpy as np

from krnlpy import dsl

from .operation import elementwise


@elementwise
def exp(x: Any) -> Any:
    """``e ** x``.

    >>> from autograph import Tensor, exp
    >>> exp(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [1.0, 2.7183]
    """
    return dsl.exp(x)


@elementwise
def exp2(x: Any) -> Any:
    """``2 ** x``.

    >>> from autograph import Tensor, exp2
    >>> exp2(Tensor.from_numpy([0.0, 3.0])).numpy().round(4).tolist()
    [1.0, 8.0]
    """
    return dsl.exp2(x)


@elementwise
def expm1(x: Any) -> Any:
    """``e ** x - 1``, with all its digits where ``x`` is near 0.

    >>> from autograph import Tensor, expm1
    >>> expm1(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.0, 1.7183]
    """
    return dsl.expm1(x)


@elementwise
def log(x: Any) -> Any:
    """The natural logarithm; of 0 it is ``-inf``, below 0 NaN.

    >>> from autograph import Tensor, log
    >>> log(Tensor.from_numpy([1.0, 10.0])).numpy().round(4).tolist()
    [0.0, 2.3026]
    """
    return dsl.log(x)


@elementwise
def log1p(x: Any) -> Any:
    """``log(1 + x)``, with all its digits where ``x`` is near 0.

    >>> from autograph import Tensor, log1p
    >>> log1p(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.0, 0.6931]
    """
    return dsl.log1p(x)


@elementwise
def log2(x: Any) -> Any:
    """The logarithm to the base 2.

    >>> from autograph import Tensor, log2
    >>> log2(Tensor.from_numpy([1.0, 8.0])).numpy().round(4).tolist()
    [0.0, 3.0]
    """
    return dsl.log2(x)


@elementwise
def log10(x: Any) -> Any:
    """The logarithm to the base 10.

    >>> from autograph import Tensor, log10
    >>> log10(Tensor.from_numpy([1.0, 1000.0])).numpy().round(4).tolist()
    [0.0, 3.0]
    """
    return dsl.log10(x)


@elementwise
def sqrt(x: Any) -> Any:
    """The square root; below 0 NaN. Its slope at 0 is infinite.

    >>> from autograph import Tensor, sqrt
    >>> sqrt(Tensor.from_numpy([4.0, 2.0])).numpy().round(4).tolist()
    [2.0, 1.4142]
    """
    return dsl.sqrt(x)


@elementwise
def rsqrt(x: Any) -> Any:
    """``1 / sqrt(x)``.

    >>> from autograph import Tensor, rsqrt
    >>> rsqrt(Tensor.from_numpy([4.0, 2.0])).numpy().round(4).tolist()
    [0.5, 0.7071]
    """
    return dsl.rsqrt(x)


@elementwise
def cbrt(x: Any) -> Any:
    """The cube root, of negative numbers too.

    >>> from autograph import Tensor, cbrt
    >>> cbrt(Tensor.from_numpy([8.0, -27.0])).numpy().round(4).tolist()
    [2.0, -3.0]
    """
    return dsl.cbrt(x)


@elementwise
def logaddexp(x: Any, y: Any) -> Any:
    """``log(exp(x) + exp(y))``, without overflow.

    >>> from autograph import Tensor, logaddexp
    >>> logaddexp(Tensor.from_numpy([0.0, 1000.0]), 1000.0).numpy().round(4).tolist()
    [1000.0, 1000.6931]
    """
    return np.logaddexp(x, y)
