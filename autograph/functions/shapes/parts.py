"""Parts of tensors as views, and tensors of zeros but for a part: each is the gradient of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograph.autograd import differentiable
from autograph.tensor.base import Shape
from krnlpy import Buffer

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Key = tuple[int | slice, ...]


def view_at(x: Tensor, key: Key) -> Tensor:
    """The view that integers and slices within the shape select, not recorded."""
    return x.view(lambda buffer: buffer[key])


def part_of(x: Tensor, key: Key) -> Tensor:
    """The view that integers and slices within the shape select."""
    source = x.shape
    return differentiable(view_at(x, key), [(x, lambda gradient: in_zeros(gradient, source, key))], higher_order=True)


def in_zeros(x: Tensor, shape: Shape, key: Key) -> Tensor:
    """Zeros of a shape, with the elements of ``x`` where the key selects."""
    result = Buffer.zeros(shape, x.dtype, x.device)
    result[key].copy_from(x.buffer)
    return differentiable(x.result(result), [(x, lambda gradient: part_of(gradient, key))], higher_order=True)
