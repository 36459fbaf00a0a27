"""sigmoid and softplus, which overflow nowhere."""

from __future__ import annotations

from krnlpy.dsl.builtins import exp, log1p
from krnlpy.dsl.frontend.syntax.functions import func


@func
def sigmoid(x):
    e = exp(-abs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


@func
def softplus(x):
    return max(x, 0.0) + log1p(exp(-abs(x)))
