"""Approximations by polynomials and quotients of polynomials, with coefficients for each type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from krnlpy import f64, func
from krnlpy.dsl import polynomial

Formula = Callable[..., Any]
Coefficients = tuple[tuple[float, ...], ...]


def fit(wide: Coefficients, narrow: Coefficients) -> Formula:
    """A function of the language: a polynomial, or a quotient of two.

    Where a file says no other, its fits are interpolations at Chebyshev nodes, computed in 45 digits for that file: off
    by at most 3e-17 for f64 and 6e-9 for f32, as a share of the value if it has no zeros.

    Args:
        wide: the coefficients for f64, lowest power first: of the polynomial or of numerator and denominator.
        narrow: those for f32.
    """
    above, above_narrow = wide[0], narrow[0]
    if len(wide) == 1:

        @func
        def fitted(x: Any) -> Any:
            if type(x) is f64:
                return polynomial(x, above)
            return polynomial(x, above_narrow)

        return fitted
    below, below_narrow = wide[1], narrow[1]

    @func
    def quotient(x: Any) -> Any:
        if type(x) is f64:
            return polynomial(x, above) / polynomial(x, below)
        return polynomial(x, above_narrow) / polynomial(x, below_narrow)

    return quotient


def series(coefficients: Callable[[int], float], terms: int, terms_narrow: int) -> Formula:
    """A power series of so many terms for f64 and for f32, whose coefficients are given by a function."""
    wide = tuple(coefficients(k) for k in range(terms))
    return fit((wide,), (wide[:terms_narrow],))
