"""Bessel functions of the first and second kind, of orders 0 and 1, and the spherical one of order 0.

Up to 5 they are fits, those of the second kind beside a logarithm (Abramowitz and Stegun, 9.1.13 and 9.1.11). Beyond,
they are Hankel's expansions (9.2.5 and 9.2.6), in which fits stand for the series; the sine and cosine of a sum are
made of those of x, so that they are as precise for great x as for small.
"""

from __future__ import annotations

from math import factorial
from typing import Any

from autograph.functions.elementwise.operation import elementwise
from krnlpy import dsl, func

from .fits import fit, series

# In x**2 for x of up to 5, absolute: J0 and J1 / x; Y0 and Y1 / x without 2 / pi log(x) J and, of Y1, -2 / (pi x).
_J0 = fit(
    ((1.0, -0.23564740990384686, 0.012140877738628528, -0.00023527738574300957, 2.054984929319896e-06,
      -8.279833120694666e-09, 1.270382500035621e-11),
     (1.0, 0.014352590096153008, 0.00010402526266707882, 4.974874488809316e-07, 1.7008195011517017e-09,
      4.093185283404055e-12, 5.762736473151607e-15)),
    ((1.0, -0.22850713, 0.0104871355, -0.00015537102, 7.2085317e-07),
     (1.0, 0.021492861, 0.00023535811, 1.6674169e-06, 7.677145e-09)),
)  # fmt: skip
_J1 = fit(
    ((0.5, -0.06249999999999999, 0.0026041666666666513, -5.425347222220882e-05, 6.781684027716446e-07,
      -5.651403354810251e-09, 3.3639305400904353e-11, -1.5017543753436481e-13, 5.214398524152826e-16,
      -1.4482992045518306e-18, 3.286224396489471e-21, -6.095744356107849e-24, 7.985977019177242e-27),),
    ((0.5, -0.053945046, 0.001603034, -1.7943818e-05, 7.0129644e-08),
     (1.0, 0.017109916, 0.00013646473, 5.663286e-07)),
)  # fmt: skip
_Y0 = fit(
    ((-0.07380429510868723, 0.17670898545384606, -0.013920739057381734, 0.0003562781620086281, -4.079743964529263e-06,
      2.3294811877320685e-08, -6.565826214160116e-11, 7.404937213558057e-14),
     (1.0, 0.012154189859818925, 7.354965870433422e-05, 2.88703924802443e-07, 7.929505632541961e-10,
      1.4895329805096771e-12, 1.564937771062958e-15)),
    ((-0.07380429, 0.17593324, -0.012068087, 0.00022113492, -1.1800252e-06),
     (1.0, 0.022664746, 0.0002646404, 2.0313273e-06, 1.0817344e-08)),
)  # fmt: skip
_Y1 = fit(
    ((-0.19605709064623894, 0.05434868816051023, -0.0029553053360798017, 7.164268749971131e-05, -9.926740619295253e-07,
      8.93187961768935e-09, -5.6480244898094283e-11, 2.649480782034181e-13, -9.591428301574317e-16,
      2.7613136882591387e-18, -6.464417018781225e-21, 1.2317956032107432e-23, -1.647630300242422e-26),),
    ((-0.1960571, 0.05434869, -0.002955305, 7.164251e-05, -9.926376e-07, 8.927629e-09, -5.6187402e-11, 2.5306016e-13,
      -6.9191575e-16),),
)  # fmt: skip
# In 1 / x**2 for x >= 5: the factors P and, times x, Q of Hankel's expansions.
_P0 = fit(
    ((1.0, 143.9769596585676, 6689.680816137241, 123822.67797625065, 911948.4562420205, 2312106.0139066023,
      1297554.0631234962, -22216.192322886734),
     (1.0, 144.04727215856744, 6699.696987861583, 124278.16771788032, 920011.7731564408, 2365926.906886588,
      1403998.8491949674)),
    ((1.0, 8.773997, 5.9653177),
     (1.0, 8.844308, 6.4754324)),
)  # fmt: skip
_Q0 = fit(
    ((-0.125, -31.164453616313253, -2745.0284935241525, -109036.90444113498, -2068719.9999130121, -18288316.08939245,
      -67770606.44367477, -81196661.31408215, -13425659.411828032),
     (1.0, 249.9015664305059, 22104.837783260245, 884807.0735743442, 17031299.210171822, 154939429.26459518,
      610880557.0773536, 856482517.8932024, 260119567.45813867)),
    ((-0.125, -2.3353252, -5.3930435, 1.1672741),
     (1.0, 19.268534, 52.61985)),
)  # fmt: skip
_P1 = fit(
    ((1.0, 142.22240221722495, 6513.087563872289, 118542.35393500785, 857625.0144808455, 2153066.49112062,
      1288929.5692282221, 40565.57783162026),
     (1.0, 142.10521471722512, 6496.57880457892, 117800.850454555, 844667.7415789865, 2067529.4889820663,
      1119471.8833615307)),
    ((1.0, 8.254233, 5.415134),
     (1.0, 8.137048, 4.6052847)),
)  # fmt: skip
_Q1 = fit(
    ((0.375, 80.5345332407011, 5958.418171120163, 192222.55448329935, 2823986.5828804933, 17952366.32098008,
      41826524.669331126, 22301201.273063265, -916593.542997077),
     (1.0, 215.03219280853605, 15947.172784351193, 516800.18210594624, 7661209.744724622, 49656063.071176484,
      121326653.05807485, 75802873.25220563)),
    ((0.375, 6.8767223, 16.315088, -1.6909034),
     (1.0, 18.61136, 47.856583)),
)  # fmt: skip
# sin(x) / x in x**2, for x of up to 1.
_SPHERICAL = series(lambda k: (-1.0) ** k / factorial(2 * k + 1), 10, 6)

_TWO_OVER_PI = 0.6366197723675814
_ROOT_OF_1_OVER_PI = 0.5641895835477563


@func
def _far(x: Any, of_sum: Any, of_difference: Any) -> Any:
    """``sqrt(1 / (pi x)) (of_sum (sin x + cos x) + of_difference (sin x - cos x))``; 0 at infinity."""
    if dsl.isinf(x):
        return 1.0 / x
    sine = dsl.sin(x)
    cosine = dsl.cos(x)
    total = of_sum * (sine + cosine) + of_difference * (sine - cosine)
    return _ROOT_OF_1_OVER_PI * total / dsl.sqrt(x)


@elementwise
def bessel_j0(x: Any) -> Any:
    """The Bessel function of the first kind, of order 0.

    >>> from autograph import Tensor
    >>> from autograph.special import bessel_j0
    >>> bessel_j0(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [1.0, 0.7652]
    """
    size = abs(x)
    if size <= 5.0:
        return _J0(x * x)
    s = 1.0 / size
    u = s * s
    return _far(size, _P0(u), -s * _Q0(u))


@elementwise
def bessel_j1(x: Any) -> Any:
    """The Bessel function of the first kind, of order 1.

    >>> from autograph import Tensor
    >>> from autograph.special import bessel_j1
    >>> bessel_j1(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.0, 0.4401]
    """
    size = abs(x)
    if size <= 5.0:
        return x * _J1(x * x)
    s = 1.0 / size
    u = s * s
    y = _far(size, s * _Q1(u), _P1(u))
    return y if x > 0.0 else -y


@elementwise
def bessel_y0(x: Any) -> Any:
    """The Bessel function of the second kind, of order 0: -inf at 0, NaN below.

    >>> from autograph import Tensor
    >>> from autograph.special import bessel_y0
    >>> bessel_y0(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [-inf, 0.0883]
    """
    if x <= 5.0:
        t = x * x
        return _Y0(t) + _TWO_OVER_PI * dsl.log(x) * _J0(t)
    s = 1.0 / x
    u = s * s
    return _far(x, s * _Q0(u), _P0(u))


@elementwise
def bessel_y1(x: Any) -> Any:
    """The Bessel function of the second kind, of order 1: -inf at 0, NaN below.

    >>> from autograph import Tensor
    >>> from autograph.special import bessel_y1
    >>> bessel_y1(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [-inf, -0.7812]
    """
    if x == 0.0:
        return -1.0 / abs(x)
    if x <= 5.0:
        t = x * x
        return x * _Y1(t) + _TWO_OVER_PI * (dsl.log(x) * x * _J1(t) - 1.0 / x)
    s = 1.0 / x
    u = s * s
    return _far(x, -_P1(u), s * _Q1(u))


@func
def _j0_slope(x: Any) -> Any:
    return -bessel_j1(x)


@func
def _j1_slope(x: Any, y: Any) -> Any:
    return type(x)(0.5) if x == 0.0 else bessel_j0(x) - y / x


@func
def _y0_slope(x: Any) -> Any:
    return -bessel_y1(x)


@func
def _y1_slope(x: Any, y: Any) -> Any:
    return bessel_y0(x) - y / x


dsl.define_partials(bessel_j0, _j0_slope)
dsl.define_partials(bessel_j1, _j1_slope)
dsl.define_partials(bessel_y0, _y0_slope)
dsl.define_partials(bessel_y1, _y1_slope)


@elementwise
def spherical_bessel_j0(x: Any) -> Any:
    """The spherical Bessel function of the first kind, of order 0: ``sin(x) / x``, which is 1 at 0.

    :func:`autograph.sinc` is that of ``pi x``.

    >>> from autograph import Tensor
    >>> from autograph.special import spherical_bessel_j0
    >>> spherical_bessel_j0(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [1.0, 0.8415]
    """
    if abs(x) <= 1.0:
        return _SPHERICAL(x * x)
    if dsl.isinf(x):
        return 1.0 / abs(x)
    return dsl.sin(x) / x
