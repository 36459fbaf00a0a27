"""Products of matrices, vectors, and stacks of matrices."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from autograph.autograd import differentiable, saved
from autograph.errors import DeviceError, ShapeError
from autograph.functions.elementwise.promotion import promoted
from autograph.functions.reducers.sums import sum_to_shape
from autograph.functions.shapes.arrangement import matrix_transpose
from autograph.functions.shapes.views import reshape
from autograph.functions.type_variables import accumulator
from autograph.tensor.base import Shape, TensorBase, require_tensor
from krnlpy import ScalarType

from .stacks import product

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def matmul(x: Tensor, y: Tensor) -> Tensor:
    """The products of matrices ``[..., m, k]`` and ``[..., k, n]``: ``[..., m, n]``, where leading axes broadcast.

    A vector on the left is a row, one on the right a column; the result has not that axis. Dtypes are promoted as in
    elementwise operations; narrow types are accumulated in 32 bits, and truth values give whether any product is true.
    Transposed and repeated operands are not copied.

    Raises:
        ShapeError: an operand without axes, inner lengths that differ, or leading axes that do not broadcast.
        DtypeError: no dtype holds those of both, or ``y`` is not a tensor.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor
    >>> x = Tensor.from_numpy([[1, 2], [3, 4]])
    >>> (x @ x.T).numpy().tolist(), (x @ x[0]).numpy().tolist()
    ([[5, 11], [11, 25]], [5, 11])
    >>> (Tensor.ones((5, 1, 2, 3)) @ Tensor.ones((4, 3, 6))).shape
    (5, 4, 2, 6)
    """
    if isinstance(x, TensorBase) and isinstance(y, TensorBase):  # what most products are, which may be small
        a, b = x.share.buffer, y.share.buffer
        if a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0] and a.dtype is b.dtype and a.device == b.device:
            return matrices(x, y, a.dtype)
    require_operands("@", x, y)
    dtype = promoted("@", (x.dtype, y.dtype))
    if not x.ndim or not y.ndim:
        raise ShapeError(f"@ of shapes {x.shape} and {y.shape}: each needs an axis; * multiplies by numbers")
    if x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise ShapeError(
            f"@ of shapes {x.shape} and {y.shape}: {x.shape[-1]} columns do not fit"
            f" {y.shape[-2 if y.ndim > 1 else 0]} rows"
        )
    return matrices(x, y, dtype)


def matrices(x: Tensor, y: Tensor, dtype: ScalarType) -> Tensor:
    """The products of stacks of matrices, or vectors, that fit, in a dtype."""
    left, right = x.share.buffer, y.share.buffer
    left_shape, right_shape, are_rows = left.shape, right.shape, False
    shape: Shape
    wanted: Shape
    if len(left_shape) == len(right_shape) == 2:
        shape = wanted = left_shape[0], right_shape[1]
        out = product(left, right, shape, dtype, _accumulator(left.dtype, right.dtype))
    else:
        if left.ndim == 1:
            left = left.reshape((1, *left.shape))
        if right.ndim == 1:
            right = right.reshape((*right.shape, 1))
        left_shape, right_shape = left.shape, right.shape
        shape = now = _shape(left_shape, right_shape)
        are_rows = right.ndim == 2 != left.ndim  # of one matrix that is as high as all in the stack together
        if are_rows and _are_rows(left_shape, left.strides):
            now = prod(shape[:-1]), shape[-1]
            left = left.reshape((now[0], left_shape[-1]))
        out = product(left, right, now, dtype, _accumulator(left.dtype, right.dtype))
        wanted = (*shape[:-2], *shape[-2:-1][: x.ndim - 1], *shape[-1:][: y.ndim - 1])
        if now != wanted:
            out = out.reshape(wanted)
    value = x.result(out)
    if x.node is None and y.node is None:
        return value
    a, b = saved(x), saved(y)

    def left_gradient(dy: Tensor) -> Tensor:
        sums = _summed(_in_shape(dy, shape), matrix_transpose(_in_shape(b, right_shape)), left_shape, a.dtype)
        return _in_shape(sums, a.shape)

    def right_gradient(dy: Tensor) -> Tensor:
        dy, rows = _in_shape(dy, shape), _in_shape(a, left_shape)
        if are_rows:
            count = prod(shape[:-1])
            dy, rows = reshape(dy, (count, shape[-1])), reshape(rows, (count, left_shape[-1]))
        return _in_shape(_summed(matrix_transpose(rows), dy, right_shape, b.dtype), b.shape)

    return differentiable(value, [(x, left_gradient), (y, right_gradient)], higher_order=True)


def _in_shape(x: Tensor, shape: Shape) -> Tensor:
    return x if x.shape == shape else reshape(x, shape)


@cache
def _accumulator(x: ScalarType, y: ScalarType) -> ScalarType:
    """In which products are summed."""
    return accumulator(promoted("@", (x, y)))


def _summed(x: Tensor, y: Tensor, shape: Shape, dtype: ScalarType) -> Tensor:
    """The products, summed to the shape of an operand that was repeated: rounded after the sum."""
    if _shape(x.shape, y.shape) == shape:
        return matrices(x, y, dtype)
    return sum_to_shape(matrices(x, y, accumulator(dtype)), shape, dtype)


def require_operands(operation: str, *tensors: Tensor) -> None:
    """All must be tensors on one device."""
    for x in tensors:
        require_tensor(operation, x)
        if x.device != tensors[0].device:
            raise DeviceError(
                f"{operation} of tensors on {tensors[0].device.name} and on {x.device.name}; move one with"
                " tensor.to_device(device)"
            )


def _shape(x: Shape, y: Shape) -> Shape:
    """That of the products."""
    if len(x) == len(y) == 2:
        return x[0], y[1]
    try:
        return (*np.broadcast_shapes(x[:-2], y[:-2]), x[-2], y[-1])
    except ValueError:
        raise ShapeError(
            f"@ of shapes {x} and {y}: leading axes, aligned at the right, must be equal or of length 1"
        ) from None


def _are_rows(shape: Shape, strides: Shape) -> bool:
    """Whether the rows of all matrices of a stack are as those of one."""
    if 0 in shape:
        return True
    step = None
    for n, stride in zip(reversed(shape[:-1]), reversed(strides[:-1]), strict=True):
        if n == 1:
            continue
        if step is not None and stride != step:
            return False
        step = stride * n
    return True
