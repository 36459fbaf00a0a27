"""The inverse of the error function, the scaled one, and what they say of the normal distribution."""

from __future__ import annotations

from typing import Any

from autograph.functions.elementwise.operation import elementwise
from krnlpy import dsl, func

from .fits import fit

# erfinv(x) / x for |x| <= 3/4, in 9/16 - x**2: where it is steep, the argument is small.
_CENTRE = fit(
    ((1.0845597967968248, 7.160921199707379, 18.039487150473597, 21.727106021614006, 12.832151510619875,
      3.408658782601145, 0.31730417194039606, 0.004629517836199464),
     (1.0, 7.121354241112377, 19.70783200731746, 26.783008067162275, 18.607684554381887, 6.247619308964538,
      0.8535064285470091, 0.030108495873496597)),
    ((1.0845598, 3.1873643, 2.3484664, 0.3079453, -0.009507896),
     (1.0, 3.4576032, 3.3396342, 0.81194067)),
)  # fmt: skip
# erfinv(1 - 2 exp(-r**2)) for r of 1.4 to 5, and to 28: beyond, exp(-r**2) is no number of f64.
_TAIL = fit(
    ((-2.6056404549865335, -37.21016723974451, -93.030293895185, -23.768106863699142, 94.80288304406498,
      109.57340079697771, 55.32493569431988, 13.263265446978728, 1.2905847756459103, 0.0367405558304728),
     (1.0, 22.30712270686461, 101.337484301821, 165.23761951648265, 130.56782798096168, 57.991321046538616,
      13.367620848726023, 1.2908782221855013, 0.03673815440065078, 1.5528807682516432e-08)),
    ((-2.199057, -6.3986406, 4.40588, 6.8082395, 1.1313423),
     (1.0, 6.7287126, 6.846137, 1.1302884, 1.9994719e-05)),
)  # fmt: skip
_FAR_TAIL = fit(
    ((-2.1062115904789267, -7.050761502608532, -3.466473787459326, 7.471137566100475, 9.250165301718974,
      3.5597103765664357, 0.5687771027021689, 0.04051299982393451, 0.0012778447372245353, 1.6293988708238058e-05,
      6.298291658218132e-08),
     (1.0, 6.647187823270314, 12.478389860846052, 10.258767280137892, 3.647172807392773, 0.5720688622615442,
      0.040563070753246375, 0.001278085840520247, 1.6294060097400862e-05, 6.298283010006087e-08,
      8.569250993992113e-17)),
    ((-1.6925519, -0.14060724, 1.983057, 0.73730314, 0.058403995, 0.00091116375),
     (1.0, 2.1160312, 0.7402416, 0.05840685, 0.00091115787)),
)  # fmt: skip
# (1 + 2 x) erfcx(x) for x >= 0, in (x - 3) / (x + 3), after M. M. Shepherd and J. G. Laframboise, "Chebyshev
# approximation of (1 + 2x) exp(x**2) erfc(x) in 0 <= x < inf", Mathematics of Computation 36 (1981).
_SCALED = fit(
    ((1.2530080582697296, -0.13562110612458117, -0.04756229435345087, 0.1296451587027606, -0.11927366341530699,
      0.06830802734397848, -0.023770514918645888, 0.002529391816066239, 0.0018886903591561553, -0.0007798322721083991,
      -0.00010515979981501177, 0.00012509935235563107, 4.949484992570595e-06, -2.0100567931289227e-05,
      -7.315105164159062e-07, 3.472414602875686e-06, 3.5683839153992204e-07, -6.166496077604353e-07,
      -1.4160064940265987e-07, 1.0187000600072885e-07, 4.180784698845582e-08, -1.3326364813003834e-08,
      -8.500397929772615e-09, 9.885798831139365e-10, 8.864219016427092e-10),),
    ((1.253008, -0.13562107, -0.047562294, 0.1296441, -0.11927368, 0.0683167, -0.023770388, 0.0024988225, 0.0018882157,
      -0.0007261608, -0.00010422118, 7.720414e-05, 3.8917515e-06),),
)  # fmt: skip

_ROOT_2 = 1.4142135623730951
_ROOT_HALF = 0.7071067811865476
_HALF_ROOT_PI = 0.886226925452758
_ROOT_2_PI = 2.5066282746310002


@func
def _tail(q: Any) -> Any:
    """``erfinv(1 - 2 q)`` for q of up to 1/8."""
    if q == 0.0:
        return -dsl.log(q)  # infinite
    r = dsl.sqrt(-dsl.log(q))
    return _TAIL(r) if r < 5.0 else _FAR_TAIL(r)


@elementwise
def erfinv(x: Any) -> Any:
    """The inverse of :func:`autograph.erf`: infinite at -1 and 1, NaN beyond.

    >>> from autograph import Tensor
    >>> from autograph.special import erfinv
    >>> erfinv(Tensor.from_numpy([0.0, 0.8427])).numpy().round(3).tolist()
    [0.0, 1.0]
    """
    size = abs(x)
    if size <= 0.75:
        return x * _CENTRE(0.5625 - x * x)
    return dsl.copysign(_tail(0.5 - 0.5 * size), x)


@func
def _erfinv_slope(x: Any, y: Any) -> Any:
    return _HALF_ROOT_PI * dsl.exp(y * y)


dsl.define_partials(erfinv, _erfinv_slope)


@elementwise
def erfcx(x: Any) -> Any:
    """``exp(x**2) erfc(x)``, which is about ``0.56 / x`` for great ``x``, where erfc is 0.

    >>> from autograph import Tensor
    >>> from autograph.special import erfcx
    >>> erfcx(Tensor.from_numpy([0.0, 100.0])).numpy().round(4).tolist()
    [1.0, 0.0056]
    """
    size = abs(x)
    y = _SCALED(1.0 - 6.0 / (size + 3.0)) / (1.0 + 2.0 * size)
    if x >= 0.0:
        return y
    if x < -28.0:
        return 2.0 * dsl.exp(x * x)  # infinite
    # The square of a sum, of which the first is exact.
    near = dsl.rint(16.0 * size) * 0.0625
    return 2.0 * dsl.exp(near * near) * dsl.exp((size - near) * (size + near)) - y


@elementwise
def ndtri(p: Any) -> Any:
    """The inverse of :func:`autograph.ndtr`, the quantile of the normal distribution: NaN outside of 0 to 1.

    >>> from autograph import Tensor
    >>> from autograph.special import ndtri
    >>> ndtri(Tensor.from_numpy([0.5, 0.975])).numpy().round(2).tolist()
    [0.0, 1.96]
    """
    x = 2.0 * p - 1.0
    if abs(x) <= 0.75:
        return _ROOT_2 * x * _CENTRE(0.5625 - x * x)
    size = _ROOT_2 * _tail(min(p, 1.0 - p))
    return -size if p < 0.5 else size


@func
def _ndtri_slope(p: Any, y: Any) -> Any:
    return _ROOT_2_PI * dsl.exp(0.5 * y * y)


dsl.define_partials(ndtri, _ndtri_slope)


@elementwise
def log_ndtr(x: Any) -> Any:
    """The logarithm of :func:`autograph.ndtr`, also where that is 0.

    >>> from autograph import Tensor
    >>> from autograph.special import log_ndtr
    >>> log_ndtr(Tensor.from_numpy([0.0, -100.0])).numpy().round(2).tolist()
    [-0.69, -5005.52]
    """
    if x < -1.0:
        return dsl.log(0.5 * erfcx(-_ROOT_HALF * x)) - 0.5 * x * x
    return dsl.log1p(-0.5 * dsl.erfc(_ROOT_HALF * x))


@func
def _log_ndtr_slope(x: Any) -> Any:
    if x < -1.0:
        return 2.0 / _ROOT_2_PI / erfcx(-_ROOT_HALF * x)
    return dsl.exp(-0.5 * x * x) / _ROOT_2_PI / (0.5 * dsl.erfc(-_ROOT_HALF * x))


dsl.define_partials(log_ndtr, _log_ndtr_slope)
