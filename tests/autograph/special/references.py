"""The special functions in 30 digits, the numbers that tests draw for them, and what their errors are measured by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

mp: Any = import_module("mpmath")
mp.mp.dps = 30

Array = np.ndarray[Any, Any]


def _alike(y: Any, *x: Any) -> Any:
    return abs(y)


def _one(y: Any, *x: Any) -> Any:
    return 1.0


def _one_or_more(y: Any, *x: Any) -> Any:
    return 1.0 + abs(y)


@dataclass(frozen=True)
class Case:
    """How a function is tested.

    Attributes:
        reference: of numbers with 30 digits.
        intervals: from which each operand is drawn; whole numbers if an end is an ``int``.
        unit: of the result and the operands: what errors are measured by, in units of the type's epsilon.
        slack: how many times its bound the gradient may be off, of the slope or of ``unit``, whichever is greater.
        fixed: the operands by which there is no gradient.
        slope: that of a function of one operand, where it is quicker than differences.
    """

    reference: Callable[..., Any]
    intervals: tuple[tuple[float, float], ...]
    unit: Callable[..., Any] = _alike
    slack: float = 4
    fixed: tuple[int, ...] = ()
    slope: Callable[..., Any] | None = None

    def drawn(self, count: int, dtype: Any) -> list[Array]:
        """Operands, as the type holds them."""
        random = np.random.default_rng(5)
        drawn = []
        for low, high in self.intervals:
            if isinstance(low, int) and isinstance(high, int):
                drawn.append(random.integers(low, high, count, endpoint=True).astype(dtype))
            else:
                drawn.append(random.uniform(low, high, count).astype(dtype))
        return drawn


def _ndtri(p: Any) -> Any:
    if p > 0.5:
        return -_ndtri(1 - p)
    if p > 0.01:
        return mp.sqrt(2) * mp.erfinv(2 * p - 1)
    target = mp.log(p)
    x = -mp.sqrt(-2 * target - mp.log(-2 * target) - mp.log(2 * mp.pi))
    for _ in range(6):  # by Newton's method: four steps make 30 digits of two
        share = mp.ncdf(x)
        x -= (mp.log(share) - target) * share / mp.npdf(x)
    return x


def _k(n: int, x: Any) -> Any:
    """The modified Bessel function of the second kind: an integral, of which the trapezoidal rule has 40 digits."""
    h, t, total = 0.1 / mp.sqrt(1 + x / 8), mp.mpf(0), mp.exp(-x) / 2
    while x * mp.cosh(t) < 100 + x:
        t += h
        total += mp.exp(-x * mp.cosh(t)) * mp.cosh(n * t)
    return h * total


def _airy_unit(y: Any, x: float) -> Any:
    return (1 + abs(x) ** 1.5) * (abs(y) if x > 1 else 1)


def _log_unit(y: Any, *x: Any) -> Any:
    return abs(y) * (1 + abs(mp.log(abs(y))))


def _u(n: int, x: Any) -> Any:
    return mp.chebyu(n, x) if n >= 0 else mp.mpf(0)


CHEBYSHEV: dict[str, Callable[..., Any]] = {
    "t": lambda x, n: mp.chebyt(n, x) if n >= 0 else mp.mpf(0),
    "u": lambda x, n: _u(n, x),
    "v": lambda x, n: _u(n, x) - _u(n - 1, x),
    "w": lambda x, n: _u(n, x) + _u(n - 1, x),
}


def _terms(first: Callable[..., Any], factors: Callable[..., Any]) -> Callable[..., Any]:
    """n + 1 times the greatest value of a recurrence of magnitudes on its way."""

    def unit(y: Any, x: float, n: float) -> float:
        before, p = 1.0, first(abs(x))
        greatest = max(before, p)
        for k in range(1, int(n)):
            before, p = p, sum(f * v for f, v in zip(factors(k, abs(x)), (p, before), strict=True))
            greatest = max(greatest, p)
        return float((max(n, 0) + 1) * greatest)

    return unit


def _chebyshev_unit(y: Any, x: float, n: float) -> float:
    """Within -1 and 1 the polynomials are at most 2 n + 1, and errors are no more; outside they grow as they do."""
    return float((abs(n) + 1) * (2 * abs(n) + 1) + (abs(n) + 1) * abs(y))


def _lattice_unit(y: Any, x: float, q: float) -> Any:
    return abs(y) if q > 0 else abs(y) + abs(mp.mpf(q - round(q))) ** -x + mp.zeta(x, 0.5)


def _zeta(x: Any, q: Any) -> Any:
    with mp.workdps(60):  # its error is absolute
        return mp.zeta(x, q)


def _polygamma_unit(y: Any, n: float, x: float) -> Any:
    return abs(y) if x > 0 else mp.factorial(n) * _lattice_unit(0, n + 1, x)


CASES: dict[str, Case] = {
    "airy_ai": Case(mp.airyai, ((-20.0, 10.0),), _airy_unit, slack=32),
    "bessel_j0": Case(lambda x: mp.besselj(0, x), ((-60.0, 60.0),), _one),
    "bessel_j1": Case(lambda x: mp.besselj(1, x), ((-60.0, 60.0),), _one),
    "bessel_y0": Case(lambda x: mp.bessely(0, x), ((0.001, 60.0),), _one_or_more, slope=lambda x: -mp.bessely(1, x)),
    "bessel_y1": Case(
        lambda x: mp.bessely(1, x),
        ((0.001, 60.0),),
        _one_or_more,
        slope=lambda x: mp.bessely(0, x) - mp.bessely(1, x) / x,
    ),
    "erfcx": Case(lambda x: mp.exp(x * x) * mp.erfc(x), ((-8.0, 50.0),), slack=32),
    "erfinv": Case(mp.erfinv, ((-1.0, 1.0),), slack=16),
    "gammainc": Case(lambda a, x: mp.gammainc(a, 0, x, regularized=True), ((0.01, 60.0), (0.01, 90.0)), _log_unit),
    "gammaincc": Case(
        lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True), ((0.01, 60.0), (0.01, 90.0)), _log_unit
    ),
    "hermite_polynomial_h": Case(
        lambda x, n: mp.hermite(n, x) if n >= 0 else mp.mpf(0),
        ((-1.5, 1.5), (-1, 12)),
        _terms(lambda x: 2 * x, lambda k, x: (2 * x, 2 * k)),
        fixed=(1,),
    ),
    "hermite_polynomial_he": Case(
        lambda x, n: mp.hermite(n, x / mp.sqrt(2)) * mp.mpf(2) ** (-mp.mpf(n) / 2) if n >= 0 else mp.mpf(0),
        ((-1.5, 1.5), (-1, 12)),
        _terms(lambda x: x, lambda k, x: (x, k)),
        fixed=(1,),
    ),
    "i0": Case(lambda x: mp.besseli(0, x), ((-80.0, 80.0),)),
    "i0e": Case(lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), ((-80.0, 80.0),), slack=16),
    "i1": Case(lambda x: mp.besseli(1, x), ((-80.0, 80.0),)),
    "i1e": Case(lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), ((-80.0, 80.0),), slack=16),
    "laguerre_polynomial_l": Case(
        lambda x, n: mp.laguerre(n, 0, x) if n >= 0 else mp.mpf(0),
        ((-2.0, 8.0), (-1, 12)),
        _terms(lambda x: 1 + x, lambda k, x: ((2 * k + 1 + x) / (k + 1), k / (k + 1))),
        fixed=(1,),
    ),
    "legendre_polynomial_p": Case(
        lambda x, n: mp.legendre(n, x) if n >= 0 else mp.mpf(0),
        ((-1.5, 1.5), (-1, 12)),
        _terms(lambda x: x, lambda k, x: ((2 * k + 1) * x / (k + 1), k / (k + 1))),
        fixed=(1,),
    ),
    "log_ndtr": Case(
        lambda x: mp.log(mp.ncdf(x)), ((-80.0, 8.0),), lambda y, x: abs(y) * (1 + max(x, 0) ** 2), slack=8
    ),
    "modified_bessel_k0": Case(lambda x: _k(0, x), ((0.001, 40.0),), slope=lambda x: -_k(1, x)),
    "modified_bessel_k1": Case(lambda x: _k(1, x), ((0.001, 40.0),), slope=lambda x: -_k(0, x) - _k(1, x) / x),
    "multigammaln": Case(
        lambda a, p: mp.log(mp.pi) * p * (p - 1) / 4 + mp.fsum(mp.loggamma(a - mp.mpf(j) / 2) for j in range(int(p))),
        ((2.1, 30.0), (1, 5)),
        lambda y, a, p: p * p + p * abs(mp.loggamma(a)),
        fixed=(1,),
    ),
    "ndtri": Case(_ndtri, ((0.0, 1.0),), slack=16),
    "polygamma": Case(lambda n, x: mp.psi(int(n), x), ((1, 5), (-4.0, 20.0)), _polygamma_unit, fixed=(0,)),
    "scaled_modified_bessel_k0": Case(
        lambda x: _k(0, x) * mp.exp(x), ((0.001, 90.0),), slack=16, slope=lambda x: (_k(0, x) - _k(1, x)) * mp.exp(x)
    ),
    "scaled_modified_bessel_k1": Case(
        lambda x: _k(1, x) * mp.exp(x),
        ((0.001, 90.0),),
        slack=16,
        slope=lambda x: (_k(1, x) - _k(0, x) - _k(1, x) / x) * mp.exp(x),
    ),
    "spherical_bessel_j0": Case(lambda x: mp.sinc(x), ((-40.0, 40.0),), slack=16),
    "zeta": Case(_zeta, ((1.1, 20.0), (0.1, 30.0)), _lattice_unit),
}
for _kind, _of in CHEBYSHEV.items():
    CASES[f"chebyshev_polynomial_{_kind}"] = Case(_of, ((-1.5, 1.5), (-1, 12)), _chebyshev_unit, fixed=(1,))
    CASES[f"shifted_chebyshev_polynomial_{_kind}"] = Case(
        lambda x, n, of=_of: of(2 * x - 1, n),
        ((0.0, 1.0), (-1, 12)),
        _chebyshev_unit,
        fixed=(1,),
    )
