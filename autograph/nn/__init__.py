"""Layers of neural networks."""

from .activation import Relu
from .conv import Conv2
from .dense import Dense
from .flatten import Flatten, Identity
from .layer import Layer
from .pool import MaxPool2

__all__ = ["Conv2", "Dense", "Flatten", "Identity", "Layer", "MaxPool2", "Relu"]
