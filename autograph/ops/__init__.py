"""The operations: one module each, with its kernels, its rules, its gradient and its choice between host and device."""

from . import (
    accuracy,
    cast,
    checks,
    conv1,
    conv2,
    cross_entropy,
    elementwise,
    im2col,
    in_place,
    matmul,
    max_pool1,
    max_pool2,
    one_hot,
    relu,
    sum,
    view,
)

__all__ = [
    "accuracy",
    "cast",
    "checks",
    "conv1",
    "conv2",
    "cross_entropy",
    "elementwise",
    "im2col",
    "in_place",
    "matmul",
    "max_pool1",
    "max_pool2",
    "one_hot",
    "relu",
    "sum",
    "view",
]
