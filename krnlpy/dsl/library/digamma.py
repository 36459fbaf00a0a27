"""digamma, the derivative of lgamma: by its recurrence and asymptotic series (Abramowitz and Stegun, 6.3.5 to 6.3.18).

Its own derivatives come of its text, so it is written without branches that skip a term.
"""

from __future__ import annotations

from krnlpy.dsl.builtins import log, rint, tan
from krnlpy.dsl.frontend.syntax.functions import func

_PI = 3.141592653589793


@func
def digamma(x):
    z = x
    result = type(x)(0.0)
    if x < 0.0:
        # The reflection is by pi / tan(pi x), of the distance to the nearest whole number.
        result = -_PI / tan(_PI * (x - rint(x)))
        z = 1.0 - x
    while z < 10.0:
        result -= 1.0 / z
        z += 1.0
    r = 1.0 / (z * z)
    series = 1.0 / 12.0 - r * (1.0 / 120.0 - r * (1.0 / 252.0 - r * (1.0 / 240.0 - r * (1.0 / 132.0 - r * (
        691.0 / 32760.0 - r / 12.0)))))  # fmt: skip
    return result + log(z) - 0.5 / z - r * series
