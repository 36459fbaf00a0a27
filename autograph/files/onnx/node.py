"""What an operator knows of its node: attributes, versions, and numbers that shapes are made of."""

from __future__ import annotations

from typing import Any, NamedTuple

from autograph.errors import OnnxError
from autograph.tensor.tensor import Tensor
from krnlpy import ScalarType

from .dtypes import FROM_ONNX

MOST_ELEMENTS = 1 << 31
"""The most elements that operators make of a few numbers: a damaged file must not fill the memory."""


class Node(NamedTuple):
    """A node of a graph.

    Attributes:
        kind: the operator.
        inputs: names of values; empty where an optional one is left out.
        outputs: likewise.
        attributes: numbers, texts, tensors, and lists of numbers.
        version: of the operator set.
        title: for messages.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    version: int
    title: str

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or what it is where it is not there."""
        return self.attributes.get(name, default)

    def ints(self, name: str, tensor: Tensor | None = None, default: Any = None) -> list[int] | None:
        """Whole numbers that older versions have as an attribute, and newer ones as an input."""
        if tensor is not None:
            return whole_numbers(tensor)
        value = self.get(name, default)
        return None if value is None else [int(n) for n in value]


def whole_numbers(x: Tensor) -> list[int]:
    """The elements of a vector or scalar of integers."""
    if x.dtype.is_float or x.ndim > 1:
        raise OnnxError(f"expected a vector of whole numbers, not {x.dtype} {x.shape}")
    given = x.tolist()
    return [int(n) for n in given] if isinstance(given, list) else [int(given)]


def checked_size(shape: list[int]) -> tuple[int, ...]:
    """A shape of something that is made of it.

    Raises:
        OnnxError: it is none, or larger than anybody wants.
    """
    size = 1
    for n in shape:
        size *= n
    if any(n < 0 for n in shape) or size > MOST_ELEMENTS:
        raise OnnxError(f"a tensor of shape {shape} is asked for")
    return tuple(shape)


def dtype_of(number: int) -> ScalarType:
    """The dtype of one of ONNX's numbers.

    Raises:
        OnnxError: it is none of the 13.
    """
    if number not in FROM_ONNX:
        raise OnnxError(f"ONNX's data type {number} is none of autograph's 13")
    return FROM_ONNX[number]
