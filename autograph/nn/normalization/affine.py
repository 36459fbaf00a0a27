"""The learned scale and offset behind a normalisation."""

from __future__ import annotations

from autograph.errors import DtypeError
from autograph.tensor.base import Shape
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, scalar_type


def scale(shape: int | Shape, is_there: bool, device: Device | None, dtype: DTypeLike) -> Parameter | None:
    """What is multiplied by: 1 at first; or None."""
    if not scalar_type(dtype).is_float:
        raise DtypeError(f"weights are floats, not {dtype}")
    return Parameter(Tensor.ones(shape, dtype, device)) if is_there else None


def offset(shape: int | Shape, is_there: bool, device: Device | None, dtype: DTypeLike) -> Parameter | None:
    """What is added: 0 at first; or None."""
    return Parameter(Tensor.zeros(shape, dtype, device)) if is_there else None
