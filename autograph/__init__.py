"""Tensors, automatic differentiation and neural networks on any GPU, or on the host CPU.

>>> from autograph import Conv2, Dense, Flatten, Layer, MaxPool2, Relu, SGD
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import autograd, errors, nn, optim
from .nn import Conv1, Conv2, Dense, Flatten, Identity, Layer, MaxPool1, MaxPool2, Relu, Sequential
from .optim import SGD, Optimizer
from .tensor.parameter import Parameter
from .tensor.tensor import Tensor

if TYPE_CHECKING:
    from . import data
    from .files.checkpoints import load_checkpoint, save_checkpoint

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

# What takes tens of milliseconds to load and not every program needs is loaded when asked for: CSV, compression, CBOR.
_LATER = {"data": "data", "load_checkpoint": "files.checkpoints", "save_checkpoint": "files.checkpoints"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_LATER[name]}", __name__)
    value = module if name == _LATER[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
