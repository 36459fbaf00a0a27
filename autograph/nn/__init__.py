"""Layers of neural networks."""

from .activation import Relu
from .conv import Conv1, Conv2, Conv3, ConvTranspose1, ConvTranspose2, ConvTranspose3
from .dense import Dense
from .flatten import Flatten, Identity
from .layer import Layer
from .pool import MaxPool1, MaxPool2
from .sequential import Sequential

__all__ = [
    "Conv1",
    "Conv2",
    "Conv3",
    "ConvTranspose1",
    "ConvTranspose2",
    "ConvTranspose3",
    "Dense",
    "Flatten",
    "Identity",
    "Layer",
    "MaxPool1",
    "MaxPool2",
    "Relu",
    "Sequential",
]
