"""The network of the example, for tests."""

from examples.lenet5 import LeNet5

__all__ = ["LeNet5"]
