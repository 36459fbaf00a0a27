"""gamma and lgamma.

lgamma is that of FreeBSD's e_lgamma_r.c (Copyright 1993 Sun Microsystems, K. C. Ng). gamma is Lanczos' approximation
with the coefficients of Boost's lanczos13m53 (J. Maddock), evaluated as in musl's tgamma (S. Nagy).
"""

from __future__ import annotations

from krnlpy.dsl.builtins import cos, exp, floor, isinf, isnan, log, polynomial, rint, sin
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.scalar import ScalarType, f32, f64, i32

from . import Formula

# Around 1 and 2: in y**2, even and odd powers of y.
_A_EVEN = (7.72156649015328655494e-02, 6.73523010531292681824e-02, 7.38555086081402883957e-03,
           1.19270763183362067845e-03, 2.20862790713908385557e-04, 2.52144565451257326939e-05)  # fmt: skip
_A_ODD = (3.22467033424113591611e-01, 2.05808084325167332806e-02, 2.89051383673415629091e-03,
          5.10069792153511336608e-04, 1.08011567247583939954e-04, 4.48640949618915160150e-05)  # fmt: skip
# Around the minimum, at _TC: in y**3.
_TC = 1.46163214496836224576e00
_TF = -1.21486290535849611461e-01
_TT = -3.63867699703950536541e-18
_T0 = (4.83836122723810047042e-01, -3.27885410759859649565e-02, 6.10053870246291332635e-03,
       -1.40346469989232843813e-03, 3.15632070903625950361e-04)  # fmt: skip
_T1 = (-1.47587722994593911752e-01, 1.79706750811820387126e-02, -3.68452016781138256760e-03,
       8.81081882437654011382e-04, -3.12754168375120860518e-04)  # fmt: skip
_T2 = (6.46249402391333854778e-02, -1.03142241298341437450e-02, 2.25964780900612472250e-03,
       -5.38595305356740546715e-04, 3.35529192635519073543e-04)  # fmt: skip
# Above 1.
_U = (-7.72156649015328655494e-02, 6.32827064025093366517e-01, 1.45492250137234768737e+00,
      9.77717527963372745603e-01, 2.28963728064692451092e-01, 1.33810918536787660377e-02)  # fmt: skip
_V = (1.0, 2.45597793713041134822e+00, 2.12848976379893395361e+00, 7.69285150456672783825e-01,
      1.04222645593369134254e-01, 3.21709242282423911810e-03)  # fmt: skip
# 2 to 8.
_S = (-7.72156649015328655494e-02, 2.14982415960608852501e-01, 3.25778796408930981787e-01,
      1.46350472652464452805e-01, 2.66422703033638609560e-02, 1.84028451407337715652e-03,
      3.19475326584100867617e-05)  # fmt: skip
_R = (1.0, 1.39200533467621045958e+00, 7.21935547567138069525e-01, 1.71933865632803078993e-01,
      1.86459191715652901344e-02, 7.77942496381893596434e-04, 7.32668430744625636189e-06)  # fmt: skip
# Stirling's series.
_W0 = 4.18938533204672725052e-01
_W = (8.33333333333329678849e-02, -2.77777777728775536470e-03, 7.93650558643019558500e-04,
      -5.95187557450339963135e-04, 8.36339918996282139126e-04, -1.63092934096575273989e-03)  # fmt: skip

_NUMERATOR = (
    23531376880.410759688572007674451636754734846804940, 42919803642.649098768957899047001988850926355848959,
    35711959237.355668049440185451547166705960488635843, 17921034426.037209699919755754458931112671403265390,
    6039542586.3520280050642916443072979210699388420708, 1439720407.3117216736632230727949123939715485786372,
    248874557.86205415651146038641322942321632125127801, 31426415.585400194380614231628318205362874684987640,
    2876370.6289353724412254090516208496135991145378768, 186056.26539522349504029498971604569928220784236328,
    8071.6720023658162106380029022722506138218516325024, 210.82427775157934587250973392071336271166969580291,
    2.5066282746310002701649081771338373386264310793408,
)  # fmt: skip
_DENOMINATOR = (0.0, 39916800.0, 120543840.0, 150917976.0, 105258076.0, 45995730.0, 13339535.0, 2637558.0,
                357423.0, 32670.0, 1925.0, 66.0, 1.0)  # fmt: skip
_NUMERATOR_REVERSED, _DENOMINATOR_REVERSED = _NUMERATOR[::-1], _DENOMINATOR[::-1]
_G = 5.524680040776729583740234375  # g - 1/2
_PI = 3.141592653589793


@func
def sin_pi(x):
    """sin(pi x) of x >= 0."""
    half_turns = x - 2.0 * floor(0.5 * x)
    n = rint(2.0 * half_turns)
    t = _PI * (half_turns - 0.5 * n)
    quarter = i32(n) & 3
    value = sin(t) if quarter & 1 == 0 else cos(t)
    return value if quarter < 2 else -value


def _positive_lgamma(kind: ScalarType) -> Formula:
    @func
    def positive_lgamma(x):
        if x < 2.0:
            result = kind(0.0)
            below = x <= 0.9
            z = x
            if below:
                result = -log(x)
                z = x + 1.0
            if z >= 1.7316 and not (below and x < 0.7316):
                y = 1.0 - x if below else 2.0 - x
                w = y * y
                p = y * polynomial(w, _A_EVEN) + w * polynomial(w, _A_ODD)
                return result + (p - 0.5 * y)
            if z >= 1.23164:
                y = x - (_TC - 1.0) if below else x - _TC
                square = y * y
                cube = square * y
                p = square * polynomial(cube, _T0) - (_TT - cube * (polynomial(cube, _T1) + y * polynomial(cube, _T2)))
                return result + (_TF + p)
            y = x if below else x - 1.0
            return result + (y * polynomial(y, _U) / polynomial(y, _V) - 0.5 * y)
        if x < 8.0:
            whole = floor(x)
            y = x - whole
            result = 0.5 * y + y * polynomial(y, _S) / polynomial(y, _R)
            product = kind(1.0)
            while whole > 2.0:
                whole -= 1.0
                product *= y + whole
            return result + log(product)
        t = log(x)
        if x > 1.0e17:
            return x * (t - 1.0)
        z = 1.0 / x
        return (x - 0.5) * (t - 1.0) + (_W0 + z * polynomial(z * z, _W))

    return positive_lgamma


def _lgamma(kind: ScalarType, positive_lgamma: Formula, whole: float) -> Formula:
    @func
    def lgamma(x):
        if isnan(x):
            return x
        size = abs(x)
        if isinf(x):
            return size
        if size < 1.0e-21:
            return -log(size)
        if x > 0.0:
            return positive_lgamma(x)
        sine = kind(0.0) if size >= whole else abs(sin_pi(size))
        if sine == 0.0:
            return -log(sine)
        return log(_PI / (sine * size)) - positive_lgamma(size)

    return lgamma


@func
def lanczos_sum(x):
    if x < 8.0:
        return polynomial(x, _NUMERATOR) / polynomial(x, _DENOMINATOR)
    z = 1.0 / x
    return polynomial(z, _NUMERATOR_REVERSED) / polynomial(z, _DENOMINATOR_REVERSED)


def _gamma(kind: ScalarType, tiny: float, most: float, least: float, exact: float) -> Formula:
    @func
    def gamma(x):
        if isnan(x):
            return x
        if abs(x) < tiny:
            return 1.0 / x  # infinity of x's sign for 0
        whole = floor(x) == x
        if x < 0.0 and (whole or isinf(x)):
            return log(x)  # NaN
        if x > most:
            return -log(kind(0.0))
        if x < least:
            below = floor(x)
            return kind(0.0) if 0.5 * below == floor(0.5 * below) else kind(-0.0)
        if whole and x <= exact:
            product = kind(1.0)
            factor = kind(2.0)
            while factor < x:
                product *= factor
                factor += 1.0
            return product
        size = abs(x)
        y = size + _G
        lost = (y - size) - _G if size > _G else (y - _G) - size
        power = size - 0.5
        r = lanczos_sum(size) * exp(-y)
        if x < 0.0:
            r = -_PI / (sin_pi(size) * size * r)
            lost = -lost
            power = -power
        r += lost * (_G + 0.5) * r / y
        root = y ** (0.5 * power)
        return r * root * root

    return gamma


lgamma_f32 = _lgamma(f32, _positive_lgamma(f32), 2.0**23)
lgamma_f64 = _lgamma(f64, _positive_lgamma(f64), 2.0**52)
gamma_f32 = _gamma(f32, 1.0e-9, 35.05, -42.0, 14.0)
gamma_f64 = _gamma(f64, 1.0e-18, 171.63, -184.0, 23.0)
