"""Reverse-mode automatic differentiation."""

from .tape import GradientFunction, differentiable, saved
from .transformations import grad, value_and_grad

__all__ = ["GradientFunction", "differentiable", "grad", "saved", "value_and_grad"]
