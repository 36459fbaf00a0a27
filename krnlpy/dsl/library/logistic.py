"""sigmoid, softplus and sums of exponentials, which overflow nowhere."""

from __future__ import annotations

from krnlpy.dsl.builtins import exp, exp2, isinf, log1p
from krnlpy.dsl.frontend.syntax.functions import func


@func
def sigmoid(x):
    e = exp(-abs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


@func
def softplus(x):
    return max(x, 0.0) + log1p(exp(-abs(x)))


@func
def logaddexp(x, y):
    if x == y and isinf(x):
        return x
    return max(x, y) + log1p(exp(-abs(x - y)))


@func
def logaddexp2(x, y):
    if x == y and isinf(x):
        return x
    return max(x, y) + 1.4426950408889634 * log1p(exp2(-abs(x - y)))
