"""An ONNX graph while it is written: nodes, initialisers, and lengths that depend on the batch size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autograph.errors import OnnxError
from krnlpy import ScalarType, scalar_type

from .dtypes import TO_ONNX

Array = np.ndarray[Any, Any]


class Dim(NamedTuple):
    """A number that is ``factor * batch + offset``."""

    factor: int
    offset: int


Length = int | Dim


class Operand(NamedTuple):
    """A tensor among a call's arguments or results.

    Attributes:
        name: in the graph.
        dtype: of its elements.
        shape: numbers, and lengths that depend on the batch size.
    """

    name: str
    dtype: ScalarType
    shape: tuple[Length, ...]

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Unsupported(Exception):
    """ONNX cannot say an operation with these settings."""


class Graph:
    """Nodes and initialisers of a graph.

    Args:
        onnx: the package.
        batch: the name of the first input, whose first axis is the batch; None if lengths are fixed.
    """

    def __init__(self, onnx: Any, batch: str | None) -> None:
        self._onnx = onnx
        self._batch = batch
        self._batch_size: str | None = None
        self._counts: dict[str, int] = {}
        self._constants: dict[tuple[Any, ...], str] = {}
        self.nodes: list[Any] = []
        self.initializers: dict[str, Array] = {}

    def name(self, hint: str) -> str:
        """A name that no other value has."""
        count = self._counts[hint] = self._counts.get(hint, -1) + 1
        return f"{hint}_{count}"

    def add(self, kind: str, *inputs: str | None, results: int = 1, **attributes: Any) -> Any:
        """Adds a node, and gives the name of its result, or a tuple of them if there are several."""
        names = [self.name(kind) for _ in range(results)]
        given = [name or "" for name in inputs]
        while given and not given[-1]:
            given.pop()
        settings = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(self._onnx.helper.make_node(kind, given, names, names[0], **settings))
        return names[0] if results == 1 else tuple(names)

    def constant(self, value: Any, dtype: ScalarType | str | None = None) -> str:
        """The name of an initialiser of a number, a list or an array."""
        array = np.asarray(value) if dtype is None else np.asarray(value).astype(scalar_type(dtype).dtype)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.name("constant")
            self.initializers[self._constants[key]] = array
        return self._constants[key]

    def cast(self, x: Operand, dtype: ScalarType) -> Operand:
        """A tensor converted to a dtype."""
        if x.dtype is dtype:
            return x
        return Operand(self.add("Cast", x.name, to=TO_ONNX[dtype]), dtype, x.shape)

    def lengths(self, values: Sequence[Length]) -> str:
        """The name of a vector of 64-bit integers, of numbers and lengths that depend on the batch size."""
        if not any(isinstance(value, Dim) for value in values):
            return self.constant(list(values), "i64")
        parts = [self._length(value) if isinstance(value, Dim) else self.constant([value], "i64") for value in values]
        return parts[0] if len(parts) == 1 else str(self.add("Concat", *parts, axis=0))

    def _length(self, value: Dim) -> str:
        if self._batch is None:
            raise OnnxError("a length depends on the batch size, which is fixed")
        if self._batch_size is None:
            shape = self.add("Shape", self._batch)
            self._batch_size = self.add("Slice", shape, *(self.constant([n], "i64") for n in (0, 1, 0)))
        name = self._batch_size
        if value.factor != 1:
            name = self.add("Mul", name, self.constant([value.factor], "i64"))
        if value.offset:
            name = self.add("Add", name, self.constant([value.offset], "i64"))
        return name

    def reshape(self, name: str, shape: Sequence[Length]) -> str:
        """A tensor in another shape."""
        if sum(isinstance(n, Dim) for n in shape) == 1 and all(n for n in shape):
            return str(
                self.add("Reshape", name, self.constant([-1 if isinstance(n, Dim) else n for n in shape], "i64"))
            )
        return str(self.add("Reshape", name, self.lengths(shape), allowzero=1 if 0 in shape else None))

    def mean(self, name: str, axes: Sequence[int], kind: str = "ReduceMean") -> str:
        """A reduction over axes, which stay with length 1."""
        return str(self.add(kind, name, self.constant(list(axes), "i64"), keepdims=1))


def paired(first: Any, second: Any, sizes: tuple[int, int]) -> Any:
    """A setting of two runs with batches of two sizes: itself if it is the same, else a length that depends on the
    batch size.

    Raises:
        Unsupported: it depends otherwise on the inputs.
    """
    if isinstance(first, list | tuple) and isinstance(second, list | tuple) and len(first) == len(second):
        return tuple(paired(a, b, sizes) for a, b in zip(first, second, strict=True))
    if isinstance(first, slice) and isinstance(second, slice):
        return slice(*paired((first.start, first.stop, first.step), (second.start, second.stop, second.step), sizes))
    if type(first) is int and type(second) is int and first != second:
        factor, rest = divmod(second - first, sizes[1] - sizes[0])
        if not rest:
            return Dim(factor, first - factor * sizes[0])
    elif isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        if np.array_equal(first, second):
            return first
    elif type(first) is type(second) and (first is second or bool(first == second) or first != first):
        return first
    raise Unsupported(f"the setting {first!r}, which depends on an input")
