"""The operations: kernels, rules, gradients, and the choice between host and device. One module a family."""

from . import (
    checks,
    convolution,
    elementwise,
    in_place,
    losses,
    pooling,
    products,
    reductions,
    shapes,
)

__all__ = [
    "checks",
    "convolution",
    "elementwise",
    "in_place",
    "losses",
    "pooling",
    "products",
    "reductions",
    "shapes",
]
