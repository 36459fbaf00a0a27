"""The zeta function, and the derivatives of digamma, which are made of it."""

from __future__ import annotations

from typing import Any

from autograph.functions.elementwise.operation import elementwise
from autograph.functions.elementwise.special import digamma
from krnlpy import dsl, func

NAN = float("nan")
INFINITY = float("inf")

# Bernoulli's numbers over factorials, B(2 k) / (2 k)!: of the Euler-Maclaurin formula.
_BERNOULLI = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
              -3617 / 10670622842880000)  # fmt: skip


@func
def _hurwitz(x: Any, q: Any) -> Any:
    """The zeta function of x above 1 and q above 0."""
    total = type(x)(0.0)
    a = q
    term = a**-x
    count = 0
    while (count < 9 or a < 10.0) and term > total * 1e-17:
        total += term
        a += 1.0
        count += 1
        term = a**-x
    rest = a ** (1.0 - x) / (x - 1.0)  # which may be a number where the term is none any more
    if not term > total * 1e-17:
        return total if total > 0.0 else rest
    total += rest + 0.5 * term
    square = 1.0 / (a * a)
    factor = term * x / a
    k = x
    for b in _BERNOULLI:
        total += factor * b
        factor *= (k + 1.0) * (k + 2.0) * square
        k += 2.0
    return total


@func
def _zeta(x: Any, q: Any) -> Any:
    if x == 1.0:
        return type(x)(INFINITY)
    if not x > 1.0 or dsl.isnan(q):
        return x + q + NAN
    if q > 0.0:
        return _hurwitz(x, q)
    d = q - dsl.rint(q)
    if d == 0.0:
        return type(x)(INFINITY)
    if x != dsl.floor(x):
        return x + NAN
    # The sum over all whole numbers is the same for d, and those that it has too much are a sum for 1 - q.
    below = _hurwitz(x, 1.0 - d) - _hurwitz(x, 1.0 - q)
    return d**-x + _hurwitz(x, 1.0 + d) + (below if 0.5 * x == dsl.floor(0.5 * x) else -below)


@func
def _by_x(x: Any, q: Any) -> Any:
    return dsl.derivative(_zeta, "x")(x, q)


@func
def _by_q(x: Any, q: Any) -> Any:
    return -x * _zeta(x + 1.0, q)


@elementwise
def zeta(x: Any, q: Any) -> Any:
    """The Hurwitz zeta function: the sum of ``(q + k) ** -x`` for all whole k from 0 on. Of ``q`` = 1 it is Riemann's.

    It is infinite for ``x`` = 1 and for whole ``q`` of up to 0, NaN for smaller ``x``, and for other ``q`` below 0
    unless ``x`` is whole. By the Euler-Maclaurin formula, as in S. L. Moshier's Cephes. Unlike PyTorch's it has a
    gradient by ``x``, too.

    >>> from autograph import Tensor
    >>> from autograph.special import zeta
    >>> zeta(Tensor.from_numpy([2.0, 3.0]), 1.0).numpy().round(4).tolist()
    [1.6449, 1.2021]
    """
    return _zeta(1.0 * x, 1.0 * q)


dsl.define_partials(zeta, _by_x, _by_q)


@func
def _polygamma(n: Any, x: Any) -> Any:
    if not n >= 0.0 or n != dsl.floor(n):
        return n + x + NAN
    if n == 0.0:
        return digamma(x)
    size = dsl.gamma(n + 1.0) * _zeta(n + 1.0, x)
    return -size if 0.5 * n == dsl.floor(0.5 * n) else size


@elementwise
def polygamma(n: Any, x: Any) -> Any:
    """The ``n``-th derivative of :func:`autograph.digamma`.

    Args:
        n: whole numbers of at least 0, for others the result is NaN: a number, or a tensor of them. There is no
            gradient by them.
        x: a tensor, or a number beside one.

    >>> from autograph import Tensor
    >>> from autograph.special import polygamma
    >>> polygamma(1, Tensor.from_numpy([1.0, 2.0])).numpy().round(4).tolist()
    [1.6449, 0.6449]
    """
    return _polygamma(1.0 * n, 1.0 * x)


@func
def _polygamma_slope(n: Any, x: Any) -> Any:
    return polygamma(n + 1.0, x)


dsl.define_partials(polygamma, None, _polygamma_slope)
