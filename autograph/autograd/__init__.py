"""Reverse-mode automatic differentiation."""

from .tape import GradientFunction, differentiable

__all__ = ["GradientFunction", "differentiable"]
