"""The operations: kernels, rules, gradients, and the choice between host and device. One module a family."""

from . import (
    activations,
    casts,
    checks,
    convolution,
    elementwise,
    encoding,
    in_place,
    losses,
    metrics,
    pooling,
    products,
    reductions,
    shapes,
)

__all__ = [
    "activations",
    "casts",
    "checks",
    "convolution",
    "elementwise",
    "encoding",
    "in_place",
    "losses",
    "metrics",
    "pooling",
    "products",
    "reductions",
    "shapes",
]
