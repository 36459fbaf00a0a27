"""Reverse-mode automatic differentiation."""

from .differences import gradcheck
from .tape import GradientFunction, differentiable, saved
from .transformations import grad, value_and_grad

__all__ = ["GradientFunction", "differentiable", "grad", "gradcheck", "saved", "value_and_grad"]
