"""The rectifier."""

from __future__ import annotations

from autograph.autograd import differentiable
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, Item, ItemMut, kernel

from .type_variables import T


@kernel
def _relu(x: Item[T], y: ItemMut[T]) -> None:
    y = max(x, 0)


@kernel
def _relu_gradient(y: Item[T], dy: Item[T], dx: ItemMut[T]) -> None:
    dx = 0 if y <= 0 else dy


def relu(x: Tensor) -> Tensor:
    """``x`` where it is above 0, else 0; NaN stays NaN. The gradient at 0 is 0.

    Args:
        x: any shape and dtype.
    """
    out = Buffer.empty(x.shape, x.dtype, x.device)
    if out.size:
        _relu(x.buffer, out)
    value = Tensor(out)
    if not x.tracked:
        return value
    kept = value.detach()

    def gradient_of_x(gradient: Tensor) -> Tensor:
        dx = Buffer.empty(kept.shape, kept.dtype, kept.device)
        if dx.size:
            _relu_gradient(kept.buffer, gradient.buffer, dx)
        return Tensor(dx)

    return differentiable(value, [(x, gradient_of_x)])
