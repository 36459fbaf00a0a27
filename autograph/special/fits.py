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
    of_wide, of_narrow = _evaluated(*wide), _evaluated(*narrow)

    @func
    def fitted(x: Any) -> Any:
        if type(x) is f64:
            return of_wide(x)
        return of_narrow(x)

    return fitted


def _evaluated(above: tuple[float, ...], below: tuple[float, ...] = ()) -> Formula:
    if not below:

        @func
        def power_sum(x: Any) -> Any:
            return polynomial(x, above)

        return power_sum

    @func
    def quotient(x: Any) -> Any:
        return polynomial(x, above) / polynomial(x, below)

    return quotient


def series(coefficients: Callable[[int], float], terms: int, terms_narrow: int) -> Formula:
    """A power series of so many terms for f64 and for f32, whose coefficients are given by a function."""
    wide = tuple(coefficients(k) for k in range(terms))
    return fit((wide,), (wide[:terms_narrow],))
