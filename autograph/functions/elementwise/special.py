"""Special functions of statistics and information theory."""

from __future__ import annotations

from typing import Any

from krnlpy import dsl, func

from .operation import elementwise

INFINITY = float("inf")
NAN = float("nan")


@elementwise
def erf(x: Any) -> Any:
    """The error function.

    >>> from autograph import Tensor, erf
    >>> erf(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.0, 0.8427]
    """
    return dsl.erf(x)


@elementwise
def erfc(x: Any) -> Any:
    """``1 - erf(x)``, with all its digits where it is near 0.

    >>> from autograph import Tensor, erfc
    >>> erfc(Tensor.from_numpy([0.0, 2.0])).numpy().round(4).tolist()
    [1.0, 0.0047]
    """
    return dsl.erfc(x)


@elementwise
def gammaln(x: Any) -> Any:
    """The logarithm of the absolute value of the gamma function.

    >>> from autograph import Tensor, gammaln
    >>> gammaln(Tensor.from_numpy([1.0, 5.0])).numpy().round(4).tolist()
    [0.0, 3.1781]
    """
    return dsl.lgamma(x)


@func
def _gammaln(x: Any) -> Any:
    return dsl.lgamma(x)


@elementwise
def digamma(x: Any) -> Any:
    """The derivative of :func:`gammaln`; NaN where that is infinite below 0.

    >>> from autograph import Tensor, digamma
    >>> digamma(Tensor.from_numpy([1.0, 5.0])).numpy().round(4).tolist()
    [-0.5772, 1.5061]
    """
    if x < 0.0 and x == dsl.floor(x):
        return 1.0 * x + NAN
    return dsl.derivative(_gammaln)(1.0 * x)


@elementwise
def logit(x: Any) -> Any:
    """``log(x / (1 - x))``: the inverse of :func:`sigmoid`; NaN outside of 0 to 1.

    >>> from autograph import Tensor, logit
    >>> logit(Tensor.from_numpy([0.5, 0.9])).numpy().round(4).tolist()
    [0.0, 2.1972]
    """
    return dsl.log(x / (1.0 - x))


@elementwise
def ndtr(x: Any) -> Any:
    """The share of a normal distribution below ``x``.

    >>> from autograph import Tensor, ndtr
    >>> ndtr(Tensor.from_numpy([0.0, 1.96])).numpy().round(4).tolist()
    [0.5, 0.975]
    """
    return 0.5 * dsl.erfc(-0.7071067811865476 * x)


@elementwise
def entr(x: Any) -> Any:
    """``-x log(x)``; at 0 it is 0, below ``-inf``.

    >>> from autograph import Tensor, entr
    >>> entr(Tensor.from_numpy([0.0, 0.5])).numpy().round(4).tolist()
    [0.0, 0.3466]
    """
    return -INFINITY if x < 0.0 else 0.0 * x if x == 0.0 else -x * dsl.log(x)


@elementwise
def xlogy(x: Any, y: Any) -> Any:
    """``x log(y)``, which is 0 where ``x`` is 0 and ``y`` no NaN.

    >>> from autograph import Tensor, xlogy
    >>> xlogy(Tensor.from_numpy([0.0, 2.0]), 0.0).numpy().tolist()
    [0.0, -inf]
    """
    return 0.0 * x if x == 0.0 and not dsl.isnan(y) else x * dsl.log(y)


@elementwise
def xlog1py(x: Any, y: Any) -> Any:
    """``x log(1 + y)``, which is 0 where ``x`` is 0 and ``y`` no NaN.

    >>> from autograph import Tensor, xlog1py
    >>> xlog1py(Tensor.from_numpy([0.0, 2.0]), -1.0).numpy().tolist()
    [0.0, -inf]
    """
    return 0.0 * x if x == 0.0 and not dsl.isnan(y) else x * dsl.log1p(y)
