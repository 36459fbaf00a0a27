"""Arithmetic element by element, of tensors that broadcast and of numbers; conversions; activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from autograph.autograd import GradientFunction, differentiable
from autograph.errors import DtypeError, ShapeError
from autograph.tensor.base import Shape, TensorBase
from krnlpy import Buffer, DTypeLike, Item, ItemMut, kernel, scalar_type

from .checks import number_of, require_alike
from .reductions import sum_to_shape
from .type_variables import T, U, W

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@kernel
def _add(x: Item[T], y: Item[T], out: ItemMut[T]) -> None:
    out = x + y


@kernel
def _sub(x: Item[T], y: Item[T], out: ItemMut[T]) -> None:
    out = x - y


@kernel
def _mul(x: Item[T], y: Item[T], out: ItemMut[T]) -> None:
    out = x * y


@kernel
def _div(x: Item[T], y: Item[T], out: ItemMut[T]) -> None:
    out = x / y


@kernel
def _neg(x: Item[T], out: ItemMut[T]) -> None:
    out = -x


@kernel
def _add_number(x: Item[T], y: W, out: ItemMut[T]) -> None:
    out = x + y


@kernel
def _sub_number(x: Item[T], y: W, out: ItemMut[T]) -> None:
    out = x - y


@kernel
def _number_sub(x: W, y: Item[T], out: ItemMut[T]) -> None:
    out = x - y


@kernel
def _mul_number(x: Item[T], y: W, out: ItemMut[T]) -> None:
    out = x * y


@kernel
def _div_number(x: Item[T], y: W, out: ItemMut[T]) -> None:
    out = x / y


@kernel
def _number_div(x: W, y: Item[T], out: ItemMut[T]) -> None:
    out = x / y


@kernel
def _relu(x: Item[T], y: ItemMut[T]) -> None:
    y = max(x, 0)


@kernel
def _relu_gradient(y: Item[T], dy: Item[T], dx: ItemMut[T]) -> None:
    dx = 0 if y <= 0 else dy


@kernel
def _scaled_cast(x: Item[T], alpha: W, out: ItemMut[U]) -> None:
    out = U(x) * alpha


Operand: TypeAlias = "Tensor | float"


def add(x: Operand, y: Operand) -> Tensor:
    """``x + y`` of tensors, or of a tensor and a number; shapes broadcast by NumPy's rules.

    Raises:
        ShapeError: the shapes do not broadcast.
        DtypeError: the dtypes differ, or an operand is neither a tensor nor a number that the dtype holds.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor
    >>> (Tensor.from_numpy([[1], [2]]) + Tensor.from_numpy([10, 20])).numpy().tolist()
    [[11, 21], [12, 22]]
    """
    value = _apply("+", x, y, _add, _add_number, None)
    return differentiable(value, _edges(x, lambda g: g) + _edges(y, lambda g: g))


def sub(x: Operand, y: Operand) -> Tensor:
    """``x - y`` of tensors, or of a tensor and a number; shapes broadcast by NumPy's rules.

    Raises:
        ShapeError: the shapes do not broadcast.
        DtypeError: the dtypes differ, or an operand is neither a tensor nor a number that the dtype holds.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor
    >>> (10 - Tensor.from_numpy([1, 2])).numpy().tolist()
    [9, 8]
    """
    value = _apply("-", x, y, _sub, _sub_number, _number_sub)
    return differentiable(value, _edges(x, lambda g: g) + _edges(y, neg))


def rsub(x: Tensor, y: Operand) -> Tensor:
    """``y - x``."""
    return sub(y, x)


def mul(x: Operand, y: Operand) -> Tensor:
    """``x * y`` element by element, of tensors, or of a tensor and a number; shapes broadcast by NumPy's rules.

    Raises:
        ShapeError: the shapes do not broadcast.
        DtypeError: the dtypes differ, or an operand is neither a tensor nor a number that the dtype holds.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor
    >>> x = Tensor.from_numpy([1, 2, 3])
    >>> (2 * x * x).numpy().tolist()
    [2, 8, 18]
    """
    value = _apply("*", x, y, _mul, _mul_number, None)
    a, b = _detached(x), _detached(y)
    return differentiable(value, _edges(x, lambda g: mul(g, b)) + _edges(y, lambda g: mul(g, a)))


def div(x: Operand, y: Operand) -> Tensor:
    """``x / y`` of floats: of tensors, or of a tensor and a number; shapes broadcast by NumPy's rules.

    Raises:
        ShapeError: the shapes do not broadcast.
        DtypeError: the tensors hold integers, or the dtypes differ, or an operand is neither a tensor nor a number.
        DeviceError: the tensors lie on different devices.

    >>> from autograph import Tensor
    >>> (Tensor.from_numpy([1.0, 3.0]) / 2).numpy().tolist()
    [0.5, 1.5]
    """
    value = _apply("/", x, y, _div, _div_number, _number_div)
    b, quotient = _detached(y), value.detach()
    return differentiable(value, _edges(x, lambda g: div(g, b)) + _edges(y, lambda g: neg(div(mul(g, quotient), b))))


def rdiv(x: Tensor, y: Operand) -> Tensor:
    """``y / x`` of floats."""
    return div(y, x)


def neg(x: Tensor) -> Tensor:
    """``-x``; unsigned integers wrap.

    Raises:
        OutOfMemory: the device has not enough memory for the result.

    >>> from autograph import Tensor
    >>> (-Tensor.from_numpy([1, -2])).numpy().tolist()
    [-1, 2]
    """
    out = Buffer.empty(x.shape, x.dtype, x.device)
    if x.size:
        _neg(x.buffer, out)
    return differentiable(x.result(out), [(x, neg)])


def cast(x: Tensor, dtype: DTypeLike) -> Tensor:
    """The elements converted to a dtype.

    Integers wrap. From floats to integers, fractions are cut off, what is out of range becomes the nearest integer that
    there is, and NaN becomes 0. To the dtype that the tensor has, the two share memory until one is changed.

    The gradient goes back from floats to floats. Integers are not recorded: ``x - x.cast(i32).cast(f32)`` has the
    gradient of ``x``.

    Raises:
        DtypeError: ``dtype`` is not a scalar type.

    >>> from autograph import Tensor
    >>> Tensor.from_numpy([-1.5, 2.9, 300.0]).cast("u8").numpy().tolist()
    [0, 2, 255]
    """
    dtype, source = scalar_type(dtype), x.dtype
    value = x.detach() if dtype is source else x.result(x.buffer.cast(dtype))
    return differentiable(value, [(x, lambda gradient: cast(gradient, source))])


def scaled_cast(x: Tensor, alpha: float, dtype: DTypeLike) -> Tensor:
    """The elements converted to a dtype, then multiplied by a number, in one kernel.

    Args:
        alpha: the number; an integer dtype must hold it. Of f16 and bf16 the product is computed in f32.
        dtype: the result's.

    Raises:
        DtypeError: ``alpha`` is not a number, or one that the dtype cannot hold, or ``dtype`` is not a scalar type.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> pixels = Tensor.from_numpy(np.array([0, 51, 255], np.uint8))
    >>> [round(x, 6) for x in pixels.scaled_cast(1 / 255, "f32").numpy().tolist()]
    [0.0, 0.2, 1.0]
    """
    to = scalar_type(dtype)
    number = number_of("scaled_cast", alpha, to)
    out = Buffer.empty(x.shape, to, x.device)
    if out.size:
        _scaled_cast(x.buffer, number, out)
    source = x.dtype
    return differentiable(x.result(out), [(x, lambda gradient: scaled_cast(gradient, alpha, source))])


def relu(x: Tensor) -> Tensor:
    """``x`` where it is above 0, else 0; NaN stays NaN. The gradient at 0 is 0.

    Args:
        x: any shape and dtype.

    Raises:
        OutOfMemory: the device has not enough memory for the result.

    >>> from autograph import Tensor
    >>> Tensor.from_numpy([-1.0, 0.0, 2.0]).relu().numpy().tolist()
    [0.0, 0.0, 2.0]
    """
    out = Buffer.empty(x.shape, x.dtype, x.device)
    if out.size:
        _relu(x.buffer, out)
    value = x.result(out)
    if not x.tracked:
        return value
    saved = value.detach()

    def gradient_of_x(gradient: Tensor) -> Tensor:
        dx = Buffer.empty(saved.shape, saved.dtype, saved.device)
        if dx.size:
            _relu_gradient(saved.buffer, gradient.buffer, dx)
        return gradient.result(dx)

    return differentiable(value, [(x, gradient_of_x)])


def _apply(symbol: str, x: Operand, y: Operand, both: Any, number_right: Any, number_left: Any) -> Tensor:
    """One of three kernels: of two tensors, of a tensor and a number, of a number and a tensor (None: commutes)."""
    tensor = x if isinstance(x, TensorBase) else y
    assert isinstance(tensor, TensorBase)
    if symbol == "/" and not tensor.dtype.is_float:
        raise DtypeError(f"/ of {tensor.dtype}; convert to a float type first, for example tensor.cast(f32)")
    if isinstance(x, TensorBase) and isinstance(y, TensorBase):
        require_alike(symbol, x, y)
        shape = _broadcast_shape(symbol, x, y)
        out = Buffer.empty(shape, x.dtype, x.device)
        if out.size:
            both(x.buffer.broadcast_to(shape), y.buffer.broadcast_to(shape), out)
        return x.result(out)
    out = Buffer.empty(tensor.shape, tensor.dtype, tensor.device)
    if isinstance(x, TensorBase):
        number = number_of(symbol, y, tensor.dtype)
        if out.size:
            number_right(tensor.buffer, number, out)
    else:
        number = number_of(symbol, x, tensor.dtype)
        if out.size and number_left is None:
            number_right(tensor.buffer, number, out)
        elif out.size:
            number_left(number, tensor.buffer, out)
    return tensor.result(out)


def _broadcast_shape(symbol: str, x: Tensor, y: Tensor) -> Shape:
    if x.shape == y.shape:
        return x.shape
    try:
        return np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        raise ShapeError(
            f"{symbol} of shapes {x.shape} and {y.shape}: aligned at the right, lengths must be equal or 1"
        ) from None


def _detached(x: Operand) -> Operand:
    return x.detach() if isinstance(x, TensorBase) else x


def _edges(x: Operand, function: GradientFunction) -> list[tuple[Tensor, GradientFunction]]:
    """The edge to an operand that is a tensor; what broadcasting repeated is summed."""
    if not isinstance(x, TensorBase):
        return []
    shape = x.shape
    return [(x, lambda gradient: sum_to_shape(function(gradient), shape))]
