"""The incomplete gamma functions, and the multivariate one.

The incomplete functions are their power series, Legendre's continued fraction by Lentz's method and, for great ``a``
near ``x``, N. M. Temme's uniform expansion ("The asymptotic expansion of the incomplete gamma functions", SIAM Journal
on Mathematical Analysis 10, 1979); which of them where is as in S. L. Moshier's Cephes. What they have in common, the
density ``x**a exp(-x) / gamma(a + 1)``, is computed as C. Loader does ("Fast and accurate computation of binomial
probabilities", 2000): its exponent is a difference that is small where ``a`` and ``x`` are great and near each other.
"""

from __future__ import annotations

from typing import Any

from autograph.functions.elementwise.operation import elementwise
from krnlpy import dsl, f64, func

from .fits import fit, series

NAN = float("nan")
INFINITY = float("inf")
_LOG_PI = 1.1447298858494002
_ROOT_2_PI = 2.5066282746310002

# lgamma(1 + a) / (a (1 - a)) for a of 0 to 1.
_LGAMMA = fit(
    ((-0.5772156649015329, -1.5266184730966006, -1.4930605983586913, -0.6620976499212197, -0.13010128282514377,
      -0.009060657389383225, -7.137711555893187e-05, 7.978941098521763e-07),
     (1.0, 3.0696842607718264, 3.621645643899702, 2.0587168639115454, 0.5774290623672858, 0.0725453126933089,
      0.002977597285715616)),
    ((-0.5772157, -0.621681, -0.14216997, -0.0023539113),
     (1.0, 1.5019207, 0.61517197, 0.060462385)),
)  # fmt: skip
# atanh(r) / r**3 - 1 / r**2 in r**2, for r of up to 1/3.
_ATANH = series(lambda k: 1.0 / (2 * k + 3), 17, 8)
# Stirling's series: 1 / (12 a) - 1 / (360 a**3) ..., times a, in 1 / a**2, for a >= 8.
_STIRLING = series(
    lambda k: (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400, 43867 / 244188)[
        k
    ],
    9,
    3,
)
# The coefficients of Temme's expansion (DLMF 8.12.12), in eta for each power of 1 / a: computed in 60 digits for this
# file. For a >= 100 in f64, a >= 30 in f32, and eta of up to 1/3, what is left out is less than 1e-15 and 2e-8.
_TEMME: tuple[tuple[float, ...], ...] = (
    (-0.3333333333333333, 0.08333333333333333, -0.014814814814814815, 0.0011574074074074073, 0.0003527336860670194,
     -0.0001787551440329218, 3.919263178522438e-05, -2.185448510679992e-06, -1.85406221071516e-06,
     8.296711340953087e-07, -1.7665952736826078e-07, 6.707853543401498e-09, 1.0261809784240309e-08,
     -4.382036018453353e-09),
    (-0.001851851851851852, -0.003472222222222222, 0.0026455026455026454, -0.0009902263374485596,
     0.00020576131687242798, -4.018775720164609e-07, -1.8098550334489977e-05, 7.64916091608111e-06,
     -1.6120900894563446e-06, 4.647127802807434e-09, 1.378633446915721e-07, -5.752545603517705e-08),
    (0.004133597883597883, -0.0026813271604938273, 0.0007716049382716049, 2.0093878600823047e-06,
     -0.0001073665322636516, 5.2923448829120125e-05, -1.2760635188618728e-05, 3.423578734096138e-08,
     1.3721957309062934e-06, -6.298992138380055e-07),
    (0.0006494341563786008, 0.00022947209362139917, -0.0004691894943952557, 0.00026772063206283885,
     -7.561801671883977e-05, -2.396505113867297e-07, 1.1082654115347302e-05, -5.6749528269915965e-06),
    (-0.0008618882909167117, 0.0007840392217200666, -0.0002990724803031902, -1.4638452578843418e-06,
     6.641498215465122e-05, -3.968365047179435e-05),
    (-0.00033679855336635813, -6.972813758365857e-05, 0.0002772753244959392, -0.00019932570516188847),
)  # fmt: skip
_TEMME_NARROW = tuple(row[:n] for row, n in zip(_TEMME, (8, 6, 4), strict=False))


@func
def _excess(m: Any) -> Any:
    """``(m - log1p(m)) / m**2`` for m of up to 1/3 in size."""
    h = 1.0 / (2.0 + m)
    r = m * h
    return h - 2.0 * m * h * h * h * _ATANH(r * r)


@func
def _log_density(a: Any, x: Any) -> Any:
    """``log(x**a exp(-x) / gamma(a + 1))``."""
    if a < 8.0:
        return a * dsl.log(x) - x - dsl.lgamma(a + 1.0)
    m = (x - a) / a
    exponent = a * m * m * _excess(m) if abs(m) < 0.3 else a * (m - dsl.log(x / a))
    return -exponent - _STIRLING(1.0 / (a * a)) / a - dsl.log(_ROOT_2_PI * dsl.sqrt(a))


@func
def _power_series(a: Any, x: Any) -> Any:
    """``gammainc(a, x)`` for x that is not far above a."""
    total = type(x)(1.0)
    term = type(x)(1.0)
    n = a
    while term > total * _epsilon(x):
        n += 1.0
        term *= x / n
        total += term
    return dsl.exp(_log_density(a, x)) * total


@func
def _epsilon(x: Any) -> Any:
    """A sixteenth of the distance from 1 to the next number of the type."""
    if type(x) is f64:
        return f64(2.0**-56)
    return 2.0**-27


@func
def _alternating_series(a: Any, x: Any) -> Any:
    """``gammaincc(a, x)`` for small a and x, where it is not 1 less what is nearly 1."""
    total = type(x)(0.0)
    power = type(x)(1.0)
    n = type(x)(0.0)
    term = type(x)(1.0)
    while abs(term) > abs(total) * _epsilon(x):
        n += 1.0
        power *= -x / n
        term = power / (a + n)
        total += term
    exponent = a * dsl.log(x) - a * (1.0 - a) * _LGAMMA(a)
    return -dsl.expm1(exponent) - dsl.exp(exponent) * a * total


@func
def _continued_fraction(a: Any, x: Any) -> Any:
    """``gammaincc(a, x)`` for x that is greater than a."""
    b = x + 1.0 - a
    tiny = type(x)(1e-30)
    c = 1.0 / tiny
    d = 1.0 / b
    fraction = d
    n = type(x)(0.0)
    change = type(x)(0.0)
    while abs(change - 1.0) > 32.0 * _epsilon(x) and n < 2000.0:
        n += 1.0
        factor = n * (a - n)
        b += 2.0
        d = 1.0 / (factor * d + b)
        c = b + factor / c
        change = c * d
        fraction *= change
    return dsl.exp(_log_density(a, x)) * a * fraction


@func
def _expansion(a: Any, x: Any, sign: Any) -> Any:
    """``gammaincc(a, x)`` for great a near x if the sign is 1, ``gammainc(a, x)`` if it is -1."""
    m = (x - a) / a
    excess = _excess(m)
    eta = m * dsl.sqrt(2.0 * excess)
    total = type(x)(0.0)
    if type(x) is f64:
        for row in reversed(_TEMME):
            total = total / a + dsl.polynomial(eta, row)
    else:
        for row in reversed(_TEMME_NARROW):
            total = total / a + dsl.polynomial(eta, row)
    scale = dsl.exp(-a * m * m * excess) / (_ROOT_2_PI * dsl.sqrt(a))
    return 0.5 * dsl.erfc(sign * eta * dsl.sqrt(0.5 * a)) + sign * scale * total


@func
def _is_great(a: Any, x: Any) -> Any:
    if type(x) is f64:
        return a >= 100.0 and abs(x - a) < 0.3 * a
    return a >= 30.0 and abs(x - a) < 0.3 * a


@func
def _of_limits(a: Any, x: Any, below: Any, above: Any) -> Any:
    """What is the function where an operand is 0, infinite, negative or NaN: ``below`` or ``above`` or NaN."""
    if not (a >= 0.0 and x >= 0.0) or (a == 0.0 and x == 0.0) or (dsl.isinf(a) and dsl.isinf(x)):
        return a + x + NAN
    return below if x == 0.0 or dsl.isinf(a) else above


@func
def _lower(a: Any, x: Any) -> Any:
    if not (a > 0.0 and x > 0.0) or dsl.isinf(a) or dsl.isinf(x):
        return _of_limits(a, x, type(x)(0.0), type(x)(1.0))
    if _is_great(a, x):
        return _expansion(a, x, type(x)(-1.0))
    if x > 1.0 and x > a:
        return 1.0 - _continued_fraction(a, x)
    return _power_series(a, x)


@func
def _upper(a: Any, x: Any) -> Any:
    if not (a > 0.0 and x > 0.0) or dsl.isinf(a) or dsl.isinf(x):
        return _of_limits(a, x, type(x)(1.0), type(x)(0.0))
    if _is_great(a, x):
        return _expansion(a, x, type(x)(1.0))
    if x > 1.1:
        return 1.0 - _power_series(a, x) if x < a else _continued_fraction(a, x)
    # Where the sum of the series is more than a half, or nearly.
    if (-0.4 / dsl.log(x) if x <= 0.5 else 0.75 * x) < a:
        return 1.0 - _power_series(a, x)
    return _alternating_series(a, x)


@func
def _lower_by_x(a: Any, x: Any) -> Any:
    if x == 0.0 and a <= 1.0:
        return 1.0 / x if a < 1.0 else type(x)(1.0)
    return dsl.exp(_log_density(a, x)) * a / x


@func
def _upper_by_x(a: Any, x: Any) -> Any:
    return -_lower_by_x(a, x)


@func
def _lower_by_a(a: Any, x: Any) -> Any:
    return dsl.derivative(_lower, "a")(a, x)


@func
def _upper_by_a(a: Any, x: Any) -> Any:
    return dsl.derivative(_upper, "a")(a, x)


@elementwise
def gammainc(a: Any, x: Any) -> Any:
    """The regularized lower incomplete gamma function: the share of a gamma distribution of shape ``a`` below ``x``.

    It is NaN for negative operands. Unlike PyTorch's it has a gradient by ``a``, too.

    >>> from autograph import Tensor
    >>> from autograph.special import gammainc
    >>> gammainc(Tensor.from_numpy([0.5, 2.0]), 1.0).numpy().round(4).tolist()
    [0.8427, 0.2642]
    """
    return _lower(1.0 * a, 1.0 * x)


@elementwise
def gammaincc(a: Any, x: Any) -> Any:
    """``1 - gammainc(a, x)``, with all its digits where it is near 0.

    >>> from autograph import Tensor
    >>> from autograph.special import gammaincc
    >>> gammaincc(Tensor.from_numpy([0.5, 2.0]), 1.0).numpy().round(4).tolist()
    [0.1573, 0.7358]
    """
    return _upper(1.0 * a, 1.0 * x)


dsl.define_partials(gammainc, _lower_by_a, _lower_by_x)
dsl.define_partials(gammaincc, _upper_by_a, _upper_by_x)


@elementwise
def multigammaln(a: Any, p: Any) -> Any:
    """The logarithm of the multivariate gamma function of dimension ``p``: NaN unless ``a`` is above ``(p - 1) / 2``.

    Args:
        a: a tensor, or a number beside one.
        p: whole numbers of at least 1: a number, or a tensor of them.

    >>> from autograph import Tensor
    >>> from autograph.special import multigammaln
    >>> multigammaln(Tensor.from_numpy([2.0, 3.0]), 2).numpy().round(4).tolist()
    [0.4516, 1.5502]
    """
    if not (p >= 1.0 and a > 0.5 * (p - 1.0)) or dsl.isinf(p):
        return a + p + NAN
    x = 1.0 * a  # a float
    total = 0.25 * _LOG_PI * p * (p - 1.0)
    j = type(x)(0.0)
    while j < p:
        total += dsl.lgamma(x - 0.5 * j)
        j += 1.0
    return total
