"""The greatest values of windows of signals and images."""

from . import one_dimensional, two_dimensional

__all__ = ["one_dimensional", "two_dimensional"]
