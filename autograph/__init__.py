"""Tensors, automatic differentiation and neural networks on any GPU, or on the host CPU.

>>> from autograph import Conv2, Dense, Flatten, Layer, MaxPool2, Relu, SGD
"""

from . import autograd, data, errors, nn, optim
from .files.checkpoints import load_checkpoint, save_checkpoint
from .nn import Conv1, Conv2, Dense, Flatten, Identity, Layer, MaxPool1, MaxPool2, Relu, Sequential
from .optim import SGD, Optimizer
from .tensor.parameter import Parameter
from .tensor.tensor import Tensor

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
    "data",
    "errors",
    "load_checkpoint",
    "nn",
    "optim",
    "save_checkpoint",
]
