"""The operations: one module each, with its kernels, its rules, its gradient and its choice between host and device."""

from . import accuracy, cast, conv1, conv2, cross_entropy, elementwise, matmul, max_pool1, max_pool2, relu, sum, view

__all__ = [
    "accuracy",
    "cast",
    "conv1",
    "conv2",
    "cross_entropy",
    "elementwise",
    "matmul",
    "max_pool1",
    "max_pool2",
    "relu",
    "sum",
    "view",
]
