"""Tensors, automatic differentiation and neural networks on any GPU, or on the host CPU.

>>> from autograph import Conv2, Dense, Flatten, Layer, MaxPool2, Relu, SGD
"""

from . import autograd, dataset, errors, nn, optim
from .nn import Conv1, Conv2, Dense, Flatten, Identity, Layer, MaxPool1, MaxPool2, Relu, Sequential
from .optim import SGD, Optimizer
from .parameter import Parameter
from .serialize import load_checkpoint, save_checkpoint
from .tensor import Tensor

__all__ = [
    "SGD",
    "Conv1",
    "Conv2",
    "Dense",
    "Flatten",
    "Identity",
    "Layer",
    "MaxPool1",
    "MaxPool2",
    "Optimizer",
    "Parameter",
    "Relu",
    "Sequential",
    "Tensor",
    "autograd",
    "dataset",
    "errors",
    "load_checkpoint",
    "nn",
    "optim",
    "save_checkpoint",
]
