"""Elements by their places, read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable
from autograph.functions.shapes.views import view_of
from krnlpy import Buffer

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def index(x: Tensor, key: Any) -> Tensor:
    """The view that integers, slices and an ellipsis select.

    Raises:
        ShapeError: too many indices, or one that is out of range, or something else than these.

    >>> from autograph import Tensor
    >>> x = Tensor.from_numpy([[1, 2, 3], [4, 5, 6]])
    >>> x[1, ::2].numpy().tolist(), x[..., -1].numpy().tolist()
    ([4, 6], [3, 6])
    """
    value = view_of(x, lambda buffer: buffer[key])
    shape, dtype, device = x.shape, x.dtype, x.device

    def scatter(gradient: Tensor) -> Tensor:
        result = Buffer.zeros(shape, dtype, device)
        result[key].copy_from(gradient.buffer)
        return differentiable(gradient.result(result), [(gradient, lambda dy: index(dy, key))], higher_order=True)

    return differentiable(value, [(x, scatter)], higher_order=True)
