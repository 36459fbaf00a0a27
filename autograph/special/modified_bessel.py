"""Modified Bessel functions of the first and second kind, of orders 0 and 1, and scaled by their exponentials.

Near 0 they are their power series, whose terms have one sign (Abramowitz and Stegun, 9.6.10 to 9.6.13), far from 0
exponentials times a fit in 1 / x.
"""

from __future__ import annotations

from math import factorial
from typing import Any

from autograph.functions.elementwise.operation import elementwise
from krnlpy import dsl, func

from .fits import fit, series

_EULER = 0.5772156649015329


def _psi(n: int) -> float:
    """The digamma function of a whole number."""
    return sum(1.0 / k for k in range(1, n)) - _EULER


# In x**2 / 4: I0 and 2 I1 / x for x of up to 8; what K0 and K1 have beside them for x of up to 1.
_I0 = series(lambda k: 1.0 / factorial(k) ** 2, 22, 15)
_I1 = series(lambda k: 1.0 / (factorial(k) * factorial(k + 1)), 22, 15)
_I0_SHORT = series(lambda k: 1.0 / factorial(k) ** 2, 10, 6)
_I1_SHORT = series(lambda k: 1.0 / (factorial(k) * factorial(k + 1)), 10, 6)
_K0 = series(lambda k: _psi(k + 1) / factorial(k) ** 2, 10, 6)
_K1 = series(lambda k: (_psi(k + 1) + _psi(k + 2)) / (factorial(k) * factorial(k + 1)), 10, 6)
# sqrt(x) exp(-x) of I0 and I1 for x >= 8, in 16 / x - 1.
_I0_FAR = fit(
    ((0.4021765094450081, 0.0033605519836678913, 0.00013621607438951463, 1.114303378845176e-05, 1.4838476780922646e-06,
      2.9735992084667734e-07, 8.872014585661555e-08, 3.932512321137824e-08, 2.156780676115673e-08,
      7.559364098665437e-09, -6.856484545962442e-09, -1.3427511481900905e-08, -5.0175940345046716e-09,
      7.600254486433509e-09, 6.522264862032271e-09, -3.5862834111582305e-09, -4.5305710768621196e-09,
      1.6084886155781772e-09, 2.163681278413876e-09, -6.327909921997027e-10, -6.494591114401118e-10,
      1.7698085539456536e-10, 9.114760157514253e-11, -2.4421972688131832e-11),),
    ((0.4021765, 0.0033605557, 0.00013621684, 1.1111525e-05, 1.4767921e-06, 3.6317104e-07, 1.08298984e-07),),
)  # fmt: skip
_I1_FAR = fit(
    ((0.38939845902587233, -0.009749577193235765, -0.00021923576383137776, -1.503854719822176e-05,
      -1.8349102493990178e-06, -3.4838563464253135e-07, -1.0001075046243961e-07, -4.3128498031006734e-08,
      -2.3394122958362557e-08, -8.432168972932417e-09, 6.84757829926934e-09, 1.4051746928735543e-08,
      5.5720183980930355e-09, -7.687251308765992e-09, -6.9444186339873875e-09, 3.501765193290176e-09,
      4.763780078020254e-09, -1.5218214060680734e-09, -2.2624401109204446e-09, 5.870664618471487e-10,
      6.7727478454462e-10, -1.6283264322621244e-10, -9.491890392992049e-11, 2.2421768596847442e-11),),
    ((0.38939846, -0.009749581, -0.00021923667, -1.5003323e-05, -1.8267145e-06, -4.2155543e-07, -1.2212499e-07),),
)  # fmt: skip
# sqrt(x) exp(x) of K0 and K1 for x >= 1, in 1 / x.
_K0_FAR = fit(
    ((1.2533141373155001, 23.707593761091317, 174.5133864332348, 648.3034723221456, 1320.362233319261,
      1502.2578262861275, 934.2939040421229, 298.17231643111654, 43.030535840646344, 2.1555177862513557,
      0.017287636930648036),
     (1.0, 19.04092303576108, 141.5513395679753, 533.6996760130614, 1111.538718335388, 1308.5040652627763,
      857.8325251580183, 297.6620698879407, 49.39505091221372, 3.2090040961494894, 0.05025538179708416)),
    ((1.2533141, 4.9660625, 5.1181355, 1.372894, 0.048626684),
     (1.0, 4.087344, 4.5242987, 1.4466316, 0.090213835)),
)  # fmt: skip
_K1_FAR = fit(
    ((1.2533141373155003, 23.452595476510425, 171.842975695219, 642.2756923469484, 1339.3086952875, 1603.957738214257,
      1095.6449446925278, 409.70914569737556, 76.65166764198771, 5.962082121081809, 0.12274259803774341),
     (1.0, 18.337463841462814, 130.35149574908456, 465.6264302784156, 907.5432738657274, 983.0104696475412,
      578.5597326251832, 173.45094933963543, 23.255519422801616, 1.0569534037009252, 0.006869176587715078)),
    ((1.2533141, 5.046512, 5.83162, 2.194108, 0.19637533),
     (1.0, 3.6515346, 3.400803, 0.80098474, 0.022330085)),
)  # fmt: skip


@elementwise
def i0(x: Any) -> Any:
    """The modified Bessel function of the first kind, of order 0.

    >>> from autograph import Tensor
    >>> from autograph.special import i0
    >>> i0(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [1.0, 1.2661]
    """
    size = abs(x)
    if size <= 8.0:
        return _I0(0.25 * x * x)
    if dsl.isinf(x):
        return size
    root = dsl.exp(0.5 * size)  # whose square may overflow where the result does not
    return root * (_I0_FAR(16.0 / size - 1.0) / dsl.sqrt(size)) * root


@elementwise
def i0e(x: Any) -> Any:
    """``exp(-abs(x)) i0(x)``, which overflows nowhere.

    >>> from autograph import Tensor
    >>> from autograph.special import i0e
    >>> i0e(Tensor.from_numpy([0.0, 1000.0])).numpy().round(4).tolist()
    [1.0, 0.0126]
    """
    size = abs(x)
    if size <= 8.0:
        return dsl.exp(-size) * _I0(0.25 * x * x)
    return _I0_FAR(16.0 / size - 1.0) / dsl.sqrt(size)


@elementwise
def i1(x: Any) -> Any:
    """The modified Bessel function of the first kind, of order 1.

    >>> from autograph import Tensor
    >>> from autograph.special import i1
    >>> i1(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [0.0, 0.5652]
    """
    size = abs(x)
    if size <= 8.0:
        return 0.5 * x * _I1(0.25 * x * x)
    if dsl.isinf(x):
        return x
    root = dsl.exp(0.5 * size)
    return dsl.copysign(root * (_I1_FAR(16.0 / size - 1.0) / dsl.sqrt(size)) * root, x)


@elementwise
def i1e(x: Any) -> Any:
    """``exp(-abs(x)) i1(x)``, which overflows nowhere.

    >>> from autograph import Tensor
    >>> from autograph.special import i1e
    >>> i1e(Tensor.from_numpy([0.0, 1000.0])).numpy().round(4).tolist()
    [0.0, 0.0126]
    """
    size = abs(x)
    if size <= 8.0:
        return dsl.exp(-size) * (0.5 * x) * _I1(0.25 * x * x)
    return dsl.copysign(_I1_FAR(16.0 / size - 1.0) / dsl.sqrt(size), x)


@func
def _i1_slope(x: Any, y: Any) -> Any:
    return i0(x) - y / x if abs(x) > 8.0 else dsl.derivative(_i1_near)(x)


@func
def _i1_near(x: Any) -> Any:
    return 0.5 * x * _I1(0.25 * x * x)


dsl.define_partials(i0, i1)
dsl.define_partials(i1, _i1_slope)


@func
def _k0_near(x: Any) -> Any:
    t = 0.25 * x * x
    return _K0(t) - dsl.log(0.5 * x) * _I0_SHORT(t)


@func
def _k1_near(x: Any) -> Any:
    if x == 0.0:
        return 1.0 / abs(x)
    t = 0.25 * x * x
    return 1.0 / x + 0.5 * x * (dsl.log(0.5 * x) * _I1_SHORT(t) - 0.5 * _K1(t))


@elementwise
def modified_bessel_k0(x: Any) -> Any:
    """The modified Bessel function of the second kind, of order 0: infinite at 0, NaN below.

    >>> from autograph import Tensor
    >>> from autograph.special import modified_bessel_k0
    >>> modified_bessel_k0(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [inf, 0.421]
    """
    if x <= 1.0:
        return _k0_near(x)
    return dsl.exp(-x) * (_K0_FAR(1.0 / x) / dsl.sqrt(x))


@elementwise
def modified_bessel_k1(x: Any) -> Any:
    """The modified Bessel function of the second kind, of order 1: infinite at 0, NaN below.

    >>> from autograph import Tensor
    >>> from autograph.special import modified_bessel_k1
    >>> modified_bessel_k1(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
    [inf, 0.6019]
    """
    if x <= 1.0:
        return _k1_near(x)
    return dsl.exp(-x) * (_K1_FAR(1.0 / x) / dsl.sqrt(x))


@elementwise
def scaled_modified_bessel_k0(x: Any) -> Any:
    """``exp(x) modified_bessel_k0(x)``, which underflows nowhere.

    >>> from autograph import Tensor
    >>> from autograph.special import scaled_modified_bessel_k0
    >>> scaled_modified_bessel_k0(Tensor.from_numpy([1.0, 1000.0])).numpy().round(4).tolist()
    [1.1445, 0.0396]
    """
    if x <= 1.0:
        return dsl.exp(x) * _k0_near(x)
    return _K0_FAR(1.0 / x) / dsl.sqrt(x)


@elementwise
def scaled_modified_bessel_k1(x: Any) -> Any:
    """``exp(x) modified_bessel_k1(x)``, which underflows nowhere.

    >>> from autograph import Tensor
    >>> from autograph.special import scaled_modified_bessel_k1
    >>> scaled_modified_bessel_k1(Tensor.from_numpy([1.0, 1000.0])).numpy().round(4).tolist()
    [1.6362, 0.0396]
    """
    if x <= 1.0:
        return dsl.exp(x) * _k1_near(x)
    return _K1_FAR(1.0 / x) / dsl.sqrt(x)


@func
def _k0_slope(x: Any) -> Any:
    return -modified_bessel_k1(x)


@func
def _k1_slope(x: Any, y: Any) -> Any:
    return -modified_bessel_k0(x) - y / x


dsl.define_partials(modified_bessel_k0, _k0_slope)
dsl.define_partials(modified_bessel_k1, _k1_slope)
