"""The error and gamma functions in NumPy's long double, which NumPy does not have: references for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
L = np.longdouble
PI = L("3.14159265358979323846264338327950288")


def erf(x: Array) -> Array:
    """By the series of positive terms 2/sqrt(pi) exp(-x**2) x (1 + 2x**2/3 + (2x**2)**2/(3 5) + ...)."""
    x = x.astype(L)
    size = np.minimum(np.abs(x), L(7))
    term = size.copy()
    total = term.copy()
    for n in range(1, 200):
        term = term * (2 * size * size / (2 * n + 1))
        total += term
    return np.asarray(np.copysign(2 / np.sqrt(PI) * np.exp(-size * size) * total, x))


def erfc(x: Array) -> Array:
    """1 - erf below 1; above, by the continued fraction of Laplace."""
    x = x.astype(L)
    size = np.maximum(x, L(1))
    fraction = np.zeros_like(size)
    for n in range(400, 0, -1):
        fraction = (L(n) / 2) / (size + fraction)
    return np.where(x < 1, 1 - erf(x), np.exp(-size * size) / np.sqrt(PI) / (size + fraction))


_BERNOULLI = ((1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510))


def _stirling(x: Array) -> Array:
    """log(gamma(x)) of x of at least 20."""
    series = np.zeros_like(x)
    for n, (a, b) in enumerate(_BERNOULLI, 1):
        series += L(a) / L(b) / (2 * n * (2 * n - 1)) / x ** (2 * n - 1)
    return np.asarray((x - L("0.5")) * np.log(x) - x + np.log(2 * PI) / 2 + series)


def _shifted(x: Array) -> tuple[Array, Array]:
    """(y, p) with gamma(x) = gamma(y) / p and y of at least 20."""
    y, product = x.astype(L).copy(), np.ones_like(x, L)
    for _ in range(60):
        below = y < 20
        product = np.where(below, product * y, product)
        y = np.where(below, y + 1, y)
    return y, product


def gamma(x: Array) -> Array:
    """Of x above -40."""
    y, product = _shifted(x)
    return np.exp(_stirling(y)) / product


def lgamma(x: Array) -> Array:
    """Of positive x."""
    y, product = _shifted(x)
    return _stirling(y) - np.log(product)
