"""Trigonometric and hyperbolic functions; angles in radians."""

from __future__ import annotations

from typing import Any

from krnlpy import dsl

from .operation import elementwise


@elementwise
def sin(x: Any) -> Any:
    """The sine.

    >>> from autograph import Tensor, sin
    >>> sin(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.0, 0.8415]
    """
    return dsl.sin(x)


@elementwise
def cos(x: Any) -> Any:
    """The cosine.

    >>> from autograph import Tensor, cos
    >>> cos(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [1.0, 0.5403]
    """
    return dsl.cos(x)


@elementwise
def tan(x: Any) -> Any:
    """The tangent.

    >>> from autograph import Tensor, tan
    >>> tan(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.0, 1.5574]
    """
    return dsl.tan(x)


@elementwise
def asin(x: Any) -> Any:
    """The angle from -pi/2 to pi/2 whose sine is ``x``; NaN beyond 1.

    >>> from autograph import Tensor, asin
    >>> asin(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.0, 1.5708]
    """
    return dsl.asin(x)


@elementwise
def acos(x: Any) -> Any:
    """The angle from 0 to pi whose cosine is ``x``; NaN beyond 1.

    >>> from autograph import Tensor, acos
    >>> acos(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [1.5708, 0.0]
    """
    return dsl.acos(x)


@elementwise
def atan(x: Any) -> Any:
    """The angle from -pi/2 to pi/2 whose tangent is ``x``.

    >>> from autograph import Tensor, atan
    >>> atan(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.0, 0.7854]
    """
    return dsl.atan(x)


@elementwise
def atan2(y: Any, x: Any) -> Any:
    """The angle of the point ``(x, y)``, from -pi to pi; the gradient at the origin is 0.

    >>> from autograph import Tensor, atan2
    >>> atan2(Tensor.from_numpy([0.0, 1.0]), -1.0).numpy().round(4).tolist()
    [3.1416, 2.3562]
    """
    return dsl.atan2(y, x)


@elementwise
def sinh(x: Any) -> Any:
    """The hyperbolic sine.

    >>> from autograph import Tensor, sinh
    >>> sinh(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.0, 1.1752]
    """
    return dsl.sinh(x)


@elementwise
def cosh(x: Any) -> Any:
    """The hyperbolic cosine.

    >>> from autograph import Tensor, cosh
    >>> cosh(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [1.0, 1.5431]
    """
    return dsl.cosh(x)


@elementwise
def tanh(x: Any) -> Any:
    """The hyperbolic tangent.

    >>> from autograph import Tensor, tanh
    >>> tanh(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.0, 0.7616]
    """
    return dsl.tanh(x)


@elementwise
def asinh(x: Any) -> Any:
    """The inverse of :func:`sinh`.

    >>> from autograph import Tensor, asinh
    >>> asinh(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.0, 0.8814]
    """
    return dsl.asinh(x)


@elementwise
def acosh(x: Any) -> Any:
    """The inverse of :func:`cosh`; NaN below 1.

    >>> from autograph import Tensor, acosh
    >>> acosh(Tensor.from_numpy([1.0, 2.0])).numpy().round(4).tolist()
    [0.0, 1.317]
    """
    return dsl.acosh(x)


@elementwise
def atanh(x: Any) -> Any:
    """The inverse of :func:`tanh`; NaN beyond 1.

    >>> from autograph import Tensor, atanh
    >>> atanh(Tensor.from_numpy([0.0, 0.5])).numpy().round(4).tolist()
    [0.0, 0.5493]
    """
    return dsl.atanh(x)


@elementwise
def sinc(x: Any) -> Any:
    """``sin(pi x) / (pi x)``, which at 0 is 1.

    >>> from autograph import Tensor, sinc
    >>> sinc(Tensor.from_numpy([0.0, 0.5])).numpy().round(4).tolist()
    [1.0, 0.6366]
    """
    angle = 3.141592653589793 * x
    return 1.0 - angle * angle / 6.0 if abs(angle) < 1e-4 else dsl.sin(angle) / angle
