"""Layers of neural networks."""

from .activation import Relu
from .conv import Conv1, Conv2, Conv3, ConvTranspose1, ConvTranspose2, ConvTranspose3
from .dense import Dense
from .flatten import Flatten, Identity
from .layer import Layer
from .pool import (
    AdaptiveAvgPool1,
    AdaptiveAvgPool2,
    AdaptiveAvgPool3,
    AdaptiveMaxPool1,
    AdaptiveMaxPool2,
    AdaptiveMaxPool3,
    AvgPool1,
    AvgPool2,
    AvgPool3,
    MaxPool1,
    MaxPool2,
    MaxPool3,
)
from .sequential import Sequential
from .upsample import Upsample

__all__ = [
    "AdaptiveAvgPool1",
    "AdaptiveAvgPool2",
    "AdaptiveAvgPool3",
    "AdaptiveMaxPool1",
    "AdaptiveMaxPool2",
    "AdaptiveMaxPool3",
    "AvgPool1",
    "AvgPool2",
    "AvgPool3",
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
    "MaxPool3",
    "Relu",
    "Sequential",
    "Upsample",
]
