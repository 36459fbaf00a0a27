"""Orthogonal polynomials, by the recurrences of their degrees (Abramowitz and Stegun, 22.7).

``n`` is the degree: whole numbers, as a number or a tensor; what is below 0 or infinite gives 0, and a fraction is cut
off. The time is proportional to the degree. A recurrence is derived as it stands, so that gradients are exact; there is
none by ``n``.
"""

from __future__ import annotations

from typing import Any

from autograph.functions.elementwise.operation import elementwise
from krnlpy import dsl, func, i32


@func
def _degree(n: Any) -> Any:
    """The degree as an integer: -1 if it is below 0, NaN or infinite."""
    return -1 if n < 0.0 or dsl.isnan(n) or dsl.isinf(n) else i32(n)


@func
def _chebyshev(x: Any, first: Any, degree: Any) -> Any:
    """The polynomial of a degree whose first is 1, whose second is ``first``, and each other ``2 x p - q``."""
    before = type(x)(1.0)
    p = first
    if degree < 1:
        return before if degree == 0 else type(x)(0.0)
    for _ in range(degree - 1):
        after = 2.0 * x * p - before
        before = p
        p = after
    return p


@elementwise
def chebyshev_polynomial_t(x: Any, n: Any) -> Any:
    """The Chebyshev polynomial of the first kind, of degree ``n``.

    >>> from autograph import Tensor
    >>> from autograph.special import chebyshev_polynomial_t
    >>> chebyshev_polynomial_t(Tensor.from_numpy([0.5, 2.0]), 3).numpy().tolist()
    [-1.0, 26.0]
    """
    return _chebyshev(1.0 * x, 1.0 * x, _degree(n))


@elementwise
def chebyshev_polynomial_u(x: Any, n: Any) -> Any:
    """The Chebyshev polynomial of the second kind, of degree ``n``.

    >>> from autograph import Tensor
    >>> from autograph.special import chebyshev_polynomial_u
    >>> chebyshev_polynomial_u(Tensor.from_numpy([0.5, 2.0]), 3).numpy().tolist()
    [-1.0, 56.0]
    """
    return _chebyshev(1.0 * x, 2.0 * x, _degree(n))


@elementwise
def chebyshev_polynomial_v(x: Any, n: Any) -> Any:
    """The Chebyshev polynomial of the third kind, of degree ``n``.

    >>> from autograph import Tensor
    >>> from autograph.special import chebyshev_polynomial_v
    >>> chebyshev_polynomial_v(Tensor.from_numpy([0.5, 2.0]), 3).numpy().tolist()
    [-1.0, 41.0]
    """
    return _chebyshev(1.0 * x, 2.0 * x - 1.0, _degree(n))


@elementwise
def chebyshev_polynomial_w(x: Any, n: Any) -> Any:
    """The Chebyshev polynomial of the fourth kind, of degree ``n``.

    >>> from autograph import Tensor
    >>> from autograph.special import chebyshev_polynomial_w
    >>> chebyshev_polynomial_w(Tensor.from_numpy([0.5, 2.0]), 3).numpy().tolist()
    [-1.0, 71.0]
    """
    return _chebyshev(1.0 * x, 2.0 * x + 1.0, _degree(n))


@elementwise
def shifted_chebyshev_polynomial_t(x: Any, n: Any) -> Any:
    """:func:`chebyshev_polynomial_t` of ``2 x - 1``.

    >>> from autograph import Tensor
    >>> from autograph.special import shifted_chebyshev_polynomial_t
    >>> shifted_chebyshev_polynomial_t(Tensor.from_numpy([0.5, 1.0]), 2).numpy().tolist()
    [-1.0, 1.0]
    """
    return chebyshev_polynomial_t(2.0 * x - 1.0, n)


@elementwise
def shifted_chebyshev_polynomial_u(x: Any, n: Any) -> Any:
    """:func:`chebyshev_polynomial_u` of ``2 x - 1``.

    >>> from autograph import Tensor
    >>> from autograph.special import shifted_chebyshev_polynomial_u
    >>> shifted_chebyshev_polynomial_u(Tensor.from_numpy([0.5, 1.0]), 2).numpy().tolist()
    [-1.0, 3.0]
    """
    return chebyshev_polynomial_u(2.0 * x - 1.0, n)


@elementwise
def shifted_chebyshev_polynomial_v(x: Any, n: Any) -> Any:
    """:func:`chebyshev_polynomial_v` of ``2 x - 1``.

    >>> from autograph import Tensor
    >>> from autograph.special import shifted_chebyshev_polynomial_v
    >>> shifted_chebyshev_polynomial_v(Tensor.from_numpy([0.5, 1.0]), 2).numpy().tolist()
    [-1.0, 1.0]
    """
    return chebyshev_polynomial_v(2.0 * x - 1.0, n)


@elementwise
def shifted_chebyshev_polynomial_w(x: Any, n: Any) -> Any:
    """:func:`chebyshev_polynomial_w` of ``2 x - 1``.

    >>> from autograph import Tensor
    >>> from autograph.special import shifted_chebyshev_polynomial_w
    >>> shifted_chebyshev_polynomial_w(Tensor.from_numpy([0.5, 1.0]), 2).numpy().tolist()
    [-1.0, 5.0]
    """
    return chebyshev_polynomial_w(2.0 * x - 1.0, n)


@elementwise
def hermite_polynomial_h(x: Any, n: Any) -> Any:
    """The Hermite polynomial, that of physicists, of degree ``n``.

    >>> from autograph import Tensor
    >>> from autograph.special import hermite_polynomial_h
    >>> hermite_polynomial_h(Tensor.from_numpy([0.5, 2.0]), 2).numpy().tolist()
    [-1.0, 14.0]
    """
    y = 1.0 * x  # a float
    degree = _degree(n)
    before = type(y)(1.0)
    p = 2.0 * y
    if degree < 1:
        return before if degree == 0 else type(y)(0.0)
    k = type(y)(0.0)
    for _ in range(degree - 1):
        k += 1.0
        after = 2.0 * (y * p - k * before)
        before = p
        p = after
    return p


@elementwise
def hermite_polynomial_he(x: Any, n: Any) -> Any:
    """The Hermite polynomial, that of probabilists, of degree ``n``.

    >>> from autograph import Tensor
    >>> from autograph.special import hermite_polynomial_he
    >>> hermite_polynomial_he(Tensor.from_numpy([0.5, 2.0]), 2).numpy().tolist()
    [-0.75, 3.0]
    """
    y = 1.0 * x  # a float
    degree = _degree(n)
    before = type(y)(1.0)
    p = y
    if degree < 1:
        return before if degree == 0 else type(y)(0.0)
    k = type(y)(0.0)
    for _ in range(degree - 1):
        k += 1.0
        after = y * p - k * before
        before = p
        p = after
    return p


@elementwise
def laguerre_polynomial_l(x: Any, n: Any) -> Any:
    """The Laguerre polynomial, of degree ``n``.

    >>> from autograph import Tensor
    >>> from autograph.special import laguerre_polynomial_l
    >>> laguerre_polynomial_l(Tensor.from_numpy([0.5, 2.0]), 2).numpy().tolist()
    [0.125, -1.0]
    """
    y = 1.0 * x  # a float
    degree = _degree(n)
    before = type(y)(1.0)
    p = 1.0 - y
    if degree < 1:
        return before if degree == 0 else type(y)(0.0)
    k = type(y)(0.0)
    for _ in range(degree - 1):
        k += 1.0
        after = ((2.0 * k + 1.0 - y) * p - k * before) / (k + 1.0)
        before = p
        p = after
    return p


@elementwise
def legendre_polynomial_p(x: Any, n: Any) -> Any:
    """The Legendre polynomial, of degree ``n``.

    >>> from autograph import Tensor
    >>> from autograph.special import legendre_polynomial_p
    >>> legendre_polynomial_p(Tensor.from_numpy([0.5, 2.0]), 2).numpy().tolist()
    [-0.125, 5.5]
    """
    y = 1.0 * x  # a float
    degree = _degree(n)
    before = type(y)(1.0)
    p = y
    if degree < 1:
        return before if degree == 0 else type(y)(0.0)
    k = type(y)(0.0)
    for _ in range(degree - 1):
        k += 1.0
        after = ((2.0 * k + 1.0) * y * p - k * before) / (k + 1.0)
        before = p
        p = after
    return p
