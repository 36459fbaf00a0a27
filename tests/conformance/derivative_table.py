"""The functions of the language with their derivatives in mathematical form, in NumPy's long double."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import special_functions
from .special_functions import PI

Array = np.ndarray[Any, Any]
L = np.longdouble
COUNT = 64


@dataclass(frozen=True)
class Case:
    """A function, where it is looked at, and its derivatives.

    Attributes:
        domains: for each argument the least and the greatest number.
        partials: for each argument the derivative, of arrays of long doubles.
        ulps: how many units in the last place a derivative may be off: 4 for the functions that it is made of, and what
            the argument's own rounding brings about; see the reason beside each greater number.
        value: the function itself; needed where NumPy has none of the name.
    """

    domains: tuple[tuple[float, float], ...]
    partials: tuple[Callable[..., Array], ...]
    ulps: float = 8.0

    def arguments(self, seed: int = 1) -> list[Array]:
        """Numbers all over the domains, in double precision, exact in f32 too."""
        random = np.random.default_rng(seed)
        columns = [random.uniform(low, high, COUNT).astype(np.float32) for low, high in self.domains]
        return [column.astype(np.float64) for column in columns]


def digamma(x: Array) -> Array:
    """By the recurrence up to 30 and the asymptotic series."""
    x = x.astype(L)
    total = np.where(x < 0, -PI / np.tan(PI * (x - np.rint(x))), L(0))
    z = np.where(x < 0, 1 - x, x)
    for _ in range(40):
        below = z < 30
        total = np.where(below, total - 1 / z, total)
        z = np.where(below, z + 1, z)
    series = np.zeros_like(z)
    for n, (a, b) in enumerate(special_functions._BERNOULLI, 1):
        series += L(a) / L(b) / (2 * n) / z ** (2 * n)
    return total + np.log(z) - 1 / (2 * z) - series


def _gamma(x: Array) -> Array:
    return special_functions.gamma(x)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _zero(*x: Array) -> Array:
    return np.zeros_like(x[0])


def _one(*x: Array) -> Array:
    return np.ones_like(x[0])


LN2, LN10 = np.log(L(2)), np.log(L(10))

CASES: dict[str, Case] = {
    "abs": Case(((-5, 5),), (np.sign,)),
    "sqrt": Case(((1e-3, 1e3),), (lambda x: L(0.5) / np.sqrt(x),)),
    "rsqrt": Case(((1e-3, 1e3),), (lambda x: L(-0.5) * x ** L(-1.5),)),
    "cbrt": Case(((-1e3, 1e3),), (lambda x: 1 / (3 * np.cbrt(x) ** 2),)),
    "exp": Case(((-20, 20),), (np.exp,)),
    "exp2": Case(((-20, 20),), (lambda x: LN2 * np.exp2(x),)),
    "expm1": Case(((-20, 20),), (np.exp,)),
    "log": Case(((1e-3, 1e3),), (lambda x: 1 / x,)),
    "log2": Case(((1e-3, 1e3),), (lambda x: 1 / (x * LN2),)),
    "log10": Case(((1e-3, 1e3),), (lambda x: 1 / (x * LN10),)),
    "log1p": Case(((-0.9, 1e3),), (lambda x: 1 / (1 + x),)),
    "sin": Case(((-20, 20),), (np.cos,)),
    "cos": Case(((-20, 20),), (lambda x: -np.sin(x),)),
    # 1 + tan**2: twice the error of tan.
    "tan": Case(((-20, 20),), (lambda x: 1 + np.tan(x) ** 2,), 14.0),
    "asin": Case(((-0.99, 0.99),), (lambda x: 1 / np.sqrt((1 - x) * (1 + x)),)),
    "acos": Case(((-0.99, 0.99),), (lambda x: -1 / np.sqrt((1 - x) * (1 + x)),)),
    "atan": Case(((-50, 50),), (lambda x: 1 / (1 + x * x),)),
    "sinh": Case(((-20, 20),), (np.cosh,)),
    "cosh": Case(((-20, 20),), (np.sinh,)),
    # The square of 1 / cosh: twice its error.
    "tanh": Case(((-20, 20),), (lambda x: 1 / np.cosh(x) ** 2,), 12.0),
    "asinh": Case(((-50, 50),), (lambda x: 1 / np.sqrt(1 + x * x),)),
    "acosh": Case(((1.01, 50),), (lambda x: 1 / np.sqrt((x - 1) * (x + 1)),), 10.0),
    "atanh": Case(((-0.99, 0.99),), (lambda x: 1 / ((1 - x) * (1 + x)),)),
    # exp(-x * x): half an ulp of x * x, up to 16, makes 16 ulp of the result.
    "erf": Case(((-4, 4),), (lambda x: 2 / np.sqrt(PI) * np.exp(-x * x),), 28.0),
    "erfc": Case(((-4, 4),), (lambda x: -2 / np.sqrt(PI) * np.exp(-x * x),), 28.0),
    # Products of gamma, good to 12 ulp, and of digamma, whose sum has up to 14 terms.
    "gamma": Case(((1.6, 12),), (lambda x: _gamma(x) * digamma(x),), 40.0),
    "lgamma": Case(((1.6, 12),), (digamma,), 40.0),
    "sigmoid": Case(((-20, 20),), (lambda x: _sigmoid(x) * _sigmoid(-x),), 12.0),
    "softplus": Case(((-20, 20),), (_sigmoid,)),
    "floor": Case(((-5, 5),), (_zero,)),
    "ceil": Case(((-5, 5),), (_zero,)),
    "trunc": Case(((-5, 5),), (_zero,)),
    "rint": Case(((-5, 5),), (_zero,)),
    "sign": Case(((-5, 5),), (_zero,)),
    "degrees": Case(((-5, 5),), (lambda x: np.full_like(x, 180 / PI),)),
    "radians": Case(((-5, 5),), (lambda x: np.full_like(x, PI / 180),)),
    "hypot": Case(((-9, 9), (-9, 9)), (lambda x, y: x / np.hypot(x, y), lambda x, y: y / np.hypot(x, y))),
    "atan2": Case(((-9, 9), (-9, 9)), (lambda y, x: x / (x * x + y * y), lambda y, x: -y / (x * x + y * y)), 12.0),
    # a**(b - 1): the rounding of b - 1 counts log(a) times.
    "pow": Case(((0.1, 9), (-4, 4)), (lambda a, b: b * a ** (b - 1), lambda a, b: a**b * np.log(a)), 16.0),
    "fmod": Case(((-9, 9), (1, 3)), (_one, lambda x, n: -np.trunc(x / n))),
    "remainder": Case(((-9, 9), (1, 3)), (_one, lambda x, n: -np.rint(x / n))),
    "copysign": Case(((-9, 9), (-9, 9)), (lambda x, s: np.sign(x) * np.sign(s), _zero)),
    "nextafter": Case(((-9, 9), (-9, 9)), (_one, _zero)),
    "fmin": Case(((-9, 9), (-9, 9)), (lambda a, b: (a < b) * L(1), lambda a, b: (b < a) * L(1))),
    "fmax": Case(((-9, 9), (-9, 9)), (lambda a, b: (a > b) * L(1), lambda a, b: (b > a) * L(1))),
    "fma": Case(((-9, 9), (-9, 9), (-9, 9)), (lambda a, b, c: b, lambda a, b, c: a, _one)),
    # Differences of a and b that nearly cancel: relative to the greater.
    "lerp": Case(((5, 9), (-9, -5), (0.1, 0.9)), (lambda a, b, t: 1 - t, lambda a, b, t: t, lambda a, b, t: b - a)),
    "clamp": Case(
        ((-9, 9), (-4, -1), (1, 4)),
        (
            lambda x, low, high: ((x > low) & (x < high)) * L(1),
            lambda x, low, high: (x < low) * L(1),
            lambda x, low, high: (x > high) * L(1),
        ),
    ),
}
"""By name; what ``smoothstep``, ``step``, ``ldexp``, ``polynomial`` and operators give has tests of its own."""

SECOND: dict[str, Callable[[Array], Array]] = {
    "sqrt": lambda x: L(-0.25) * x ** L(-1.5),
    "rsqrt": lambda x: L(0.75) * x ** L(-2.5),
    "cbrt": lambda x: -2 / (9 * np.cbrt(x) ** 5),
    "exp": np.exp,
    "exp2": lambda x: LN2 * LN2 * np.exp2(x),
    "expm1": np.exp,
    "log": lambda x: -1 / x**2,
    "log2": lambda x: -1 / (LN2 * x**2),
    "log10": lambda x: -1 / (LN10 * x**2),
    "log1p": lambda x: -1 / (1 + x) ** 2,
    "sin": lambda x: -np.sin(x),
    "cos": lambda x: -np.cos(x),
    "tan": lambda x: 2 * np.tan(x) * (1 + np.tan(x) ** 2),
    "asin": lambda x: x * ((1 - x) * (1 + x)) ** L(-1.5),
    "acos": lambda x: -x * ((1 - x) * (1 + x)) ** L(-1.5),
    "atan": lambda x: -2 * x / (1 + x * x) ** 2,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": lambda x: -2 * np.tanh(x) / np.cosh(x) ** 2,
    "asinh": lambda x: -x * (1 + x * x) ** L(-1.5),
    "acosh": lambda x: -x * ((x - 1) * (x + 1)) ** L(-1.5),
    "atanh": lambda x: 2 * x / ((1 - x) * (1 + x)) ** 2,
    "erf": lambda x: -4 * x / np.sqrt(PI) * np.exp(-x * x),
    "erfc": lambda x: 4 * x / np.sqrt(PI) * np.exp(-x * x),
    "sigmoid": lambda x: _sigmoid(x) * _sigmoid(-x) * (1 - 2 * _sigmoid(x)),
    "softplus": lambda x: _sigmoid(x) * _sigmoid(-x),
}
"""Second derivatives."""
