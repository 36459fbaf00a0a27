"""Tensors, automatic differentiation and neural networks on any GPU, or on the host CPU.

>>> from autograph import Conv2, Dense, Flatten, Layer, MaxPool2, Relu, SGD
"""

from . import autograd, dataset, errors, nn, optim
from .nn import Conv2, Dense, Flatten, Identity, Layer, MaxPool2, Relu
from .optim import SGD, Optimizer
from .parameter import Parameter
from .serialize import load_checkpoint, save_checkpoint
from .tensor import Tensor

__all__ = [
    "SGD",
    "Conv2",
    "Dense",
    "Flatten",
    "Identity",
    "Layer",
    "MaxPool2",
    "Optimizer",
    "Parameter",
    "Relu",
    "Tensor",
    "autograd",
    "dataset",
    "errors",
    "load_checkpoint",
    "nn",
    "optim",
    "save_checkpoint",
]
