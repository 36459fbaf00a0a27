"""What becomes of the losses of a batch: their mean, their sum, or all of them; and what losses take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.checks import broadcast_shape, is_number
from autograph.functions.elementwise.operation import Elementwise
from autograph.functions.reducers.sums import sum as sum_of
from autograph.functions.reductions.aggregates import mean
from autograph.tensor.base import TensorBase, require_tensor

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Reduction = Literal["mean", "sum", "none"]


def require_reduction(reduction: Any) -> None:
    """It must be one of the three. Raises AutographError."""
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        raise AutographError(f"reduction={reduction!r}: expected 'mean', 'sum' or 'none'")


def require_setting(operation: str, name: str, value: Any, low: float, high: float = float("inf")) -> None:
    """A setting must be a number of an interval. Raises AutographError."""
    if not is_number(value) or not low <= value <= high:
        bounds = f"at least {low:g}" if high == float("inf") else f"from {low:g} to {high:g}"
        raise AutographError(f"{operation}({name}={value!r}): expected a number {bounds}")


def wide(operation: str, x: Tensor) -> Tensor:
    """Floats in the type of computation: f16 and bf16 as f32, so that no loss is rounded to them. Raises DtypeError."""
    require_tensor(operation, x)
    if not x.dtype.is_float:
        raise DtypeError(f"{operation} of {x.dtype}: convert to a float type first, for example tensor.cast(f32)")
    return x if x.dtype is x.dtype.compute else x.cast(x.dtype.compute)


def like(operation: str, name: str, other: Tensor, x: Tensor) -> Tensor:
    """A tensor beside the predictions: of their shape and device, any numbers; as floats.

    Shapes that broadcast are refused: [n, 1] beside [n] would quietly compare each of n with all n.

    Raises:
        DtypeError: it is not a tensor.
        ShapeError: it has another shape.
        DeviceError: it lies on another device.
    """
    require_tensor(operation, other)
    if other.shape != x.shape:
        raise ShapeError(
            f"{operation} of {x.shape} and {name} {other.shape}: expected the same shape; tensor.reshape(shape) or"
            " tensor.broadcast_to(shape) gives it"
        )
    if other.device != x.device:
        raise DeviceError(
            f"{operation}: {name} on {other.device.name}, predictions on {x.device.name}; move it with"
            " tensor.to_device(device)"
        )
    if other.dtype.is_float:
        return other if other.dtype is other.dtype.compute else other.cast(other.dtype.compute)
    return other.cast(x.dtype.compute)


def require_broadcast(operation: str, name: str, other: TensorBase, x: TensorBase) -> None:
    """A tensor of weights must broadcast to the losses. Raises DtypeError, ShapeError, DeviceError."""
    require_tensor(operation, other)
    if broadcast_shape(operation, [other.shape, x.shape]) != x.shape:
        raise ShapeError(f"{operation}({name}=) of shape {other.shape} does not broadcast to {x.shape}")
    if other.device != x.device:
        raise DeviceError(
            f"{operation}: {name} on {other.device.name}, predictions on {x.device.name}; move it with"
            " tensor.to_device(device)"
        )


def reduced(operation: str, losses: Tensor, reduction: str) -> Tensor:
    """The losses, or their mean or sum. Raises ShapeError for the mean of none."""
    if reduction == "none":
        return losses
    if reduction == "sum":
        return sum_of(losses)
    if not losses.size:
        raise ShapeError(f"{operation} of an empty batch has no mean")
    return mean(losses)


def compared(operation: str, rule: Elementwise, x: Tensor, target: Tensor, reduction: str, *numbers: float) -> Tensor:
    """The loss that a rule for two numbers, and settings after them, makes of predictions and targets."""
    require_reduction(reduction)
    predictions = wide(operation, x)
    return reduced(operation, rule(predictions, like(operation, "targets", target, x), *numbers), reduction)
