"""Convolution (cross-correlation) of signals and images."""

from . import one_dimensional, two_dimensional, windows

__all__ = ["one_dimensional", "two_dimensional", "windows"]
