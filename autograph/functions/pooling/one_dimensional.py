"""The greatest value of each window of a signal: max pooling of images of height 1."""

from __future__ import annotations

from autograph.errors import ShapeError
from autograph.functions.checks import require_dtype, require_ndim, single
from autograph.tensor.tensor import Tensor
from krnlpy import bf16, f16, f32

from .two_dimensional import max_pool2


def max_pool1(x: Tensor, filter: int, stride: int | None = None) -> Tensor:
    """The greatest value of each window; of several, the first gets the gradient. NaN is greatest.

    Args:
        x: signals ``[n, c, w]``, f16, bf16 or f32.
        filter: the window's length.
        stride: from window to window; None is the window's length. Windows may overlap or leave elements out.

    Returns:
        ``[n, c, (w - filter) // stride + 1]``: windows lie wholly inside the signal.

    Raises:
        ShapeError: not signals, or the window is longer than the signal.
        DtypeError: other dtypes.

    >>> max_pool1(Tensor.from_numpy([[[3.0, 1.0, 4.0, 1.0, 5.0]]]).cast("f32"), 2).numpy().tolist()
    [[[3.0, 4.0]]]
    """
    require_ndim("max_pool1", "signals", x, "[n, c, w]")
    require_dtype("max_pool1", x, f16, bf16, f32)
    length = single("filter", filter, 1)
    step = length if stride is None else single("stride", stride, 1)
    n, c, w = x.shape
    if length > w:
        raise ShapeError(f"max_pool1 of signals {x.shape}: the window {length} does not fit into them")
    value = max_pool2(x.reshape((n, c, 1, w)), (1, length), (1, step))
    return value.reshape((n, c, value.shape[3]))
