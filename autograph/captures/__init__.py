"""Functions of tensors that are recorded once for each kind of arguments, and replayed after."""

from .function import Captured, capture

__all__ = ["Captured", "capture"]
