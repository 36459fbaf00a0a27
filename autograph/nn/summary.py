"""What a model is made of, as a table: shapes, parameters, memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

from autograph.functions.checks import integers
from autograph.tensor.base import Shape, TensorBase, recording
from autograph.tensor.tensor import Tensor
from krnlpy import Device, f32


@dataclass(frozen=True)
class Row:
    """A layer.

    Attributes:
        name: as in ``named_layers``; empty for the model.
        layer: its class, with its settings where it has no layers within.
        parameters: elements of its parameters, those of layers within included.
        shapes: of the tensors that it gives.
        nbytes: of these tensors.
        calls: how often it was called.

    >>> from autograph import Dense
    >>> Dense(4, 8).summary((2, 4)).rows
    (Row(name='', layer='Dense(4, 8)', parameters=32, shapes=((2, 8),), nbytes=64, calls=1),)
    """

    name: str
    layer: str
    parameters: int
    shapes: tuple[Shape, ...]
    nbytes: int
    calls: int


@dataclass(frozen=True, repr=False)
class Summary:
    """What :meth:`Layer.summary` gives; printed, it is a table.

    Attributes:
        rows: a layer each, the model first.
        parameters: elements of all parameters, each counted once.
        trained: those of parameters that are not frozen.
        parameter_bytes: of all parameters.
        buffer_bytes: of all buffers.
        result_bytes: of what the layers without layers within give, which is about what a training step keeps.

    >>> from autograph import BatchNorm1, Dense, Sequential
    >>> print(Sequential(Dense(4, 8), BatchNorm1(8)).summary((2, 4)))
    layer                      parameters  output  output bytes
    Sequential                         48  (2, 8)            64
      layers.0: Dense(4, 8)            32  (2, 8)            64
      layers.1: BatchNorm1(8)          16  (2, 8)            64
    parameters: 48, all trained, 192 bytes; buffers: 64 bytes; results: 128 bytes
    """

    rows: tuple[Row, ...]
    parameters: int
    trained: int
    parameter_bytes: int
    buffer_bytes: int
    result_bytes: int

    def __repr__(self) -> str:
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = []
        for first, *others in cells:
            aligned = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
            lines.append("  ".join([first.ljust(widths[0]), *aligned]).rstrip())
        return "\n".join([*lines, self._total()])

    def _repr_html_(self) -> str:
        """What notebooks show: the same table."""
        lines = []
        for tag, cells in zip(["th", *["td"] * len(self.rows)], self._cells(), strict=True):
            first, *others = map(escape, cells)
            left = f'<{tag} style="text-align: left; white-space: pre">{first}</{tag}>'
            lines.append(left + "".join(f'<{tag} style="text-align: right">{cell}</{tag}>' for cell in others))
        table = "".join(f"<tr>{line}</tr>" for line in lines)
        return f"<div><table>{table}</table>{escape(self._total())}</div>"

    def _cells(self) -> list[tuple[str, str, str, str]]:
        """The table's rows, below their head."""
        cells = [("layer", "parameters", "output", "output bytes")]
        for row in self.rows:
            depth = sum(row.name.startswith(f"{other.name}.") for other in self.rows[1:]) + bool(row.name)
            title = f"{row.name}: {row.layer}" if row.name else row.layer
            output = ", ".join(map(str, row.shapes)) + (f" x {row.calls}" if row.calls > 1 else "")
            count, size = (f"{number:,}" if number else "" for number in (row.parameters, row.nbytes))
            cells.append(("  " * depth + title, count, output, size))
        return cells

    def _total(self) -> str:
        trained = "all" if self.trained == self.parameters else f"{self.trained:,}"
        parts = [f"parameters: {self.parameters:,}, {trained} trained, {_memory(self.parameter_bytes)}"]
        parts += [f"buffers: {_memory(self.buffer_bytes)}"] if self.buffer_bytes else []
        parts += [f"results: {_memory(self.result_bytes)}"] if self.result_bytes else []
        return "; ".join(parts)


def _memory(count: int) -> str:
    """Bytes as they are read."""
    size, units = float(count), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.4g} {units[0]}"


def summarize(model: Any, inputs: tuple[Any, ...]) -> Summary:
    """The summary of a layer. The layer is called with the inputs, in evaluation, and nothing is recorded.

    Args:
        model: the layer.
        inputs: what it is called with; a shape stands for zeros. Without any it is not called.
    """
    parameters, buffers = list(model.parameters()), list(model.buffers())
    kind = next(((p.dtype, p.device) for p in parameters if p.dtype.is_float), (f32, Device.host()))
    arguments = [Tensor.zeros(integers(tuple(x)), *kind) if _is_shape(x) else x for x in inputs]
    layers = list(model.named_layers())
    found: dict[int, list[list[TensorForm]]] = {id(layer): [] for _, layer in layers}
    if inputs:
        with _observed(layers, found):
            model(*arguments)
    rows, result_bytes = [], 0
    for name, layer in layers:
        calls = found[id(layer)]
        is_leaf = next(layer.children(), None) is None
        title = type(layer).__name__ + (layer.describe() if is_leaf else "")
        last = calls[-1] if calls else []
        nbytes = sum(size for call in calls for _, size in call)
        result_bytes += nbytes if is_leaf else 0
        shapes = tuple(shape for shape, _ in last)
        rows.append(Row(name, title, layer.parameter_count, shapes, nbytes, len(calls)))
    return Summary(
        tuple(rows),
        sum(p.size for p in parameters),
        sum(p.size for p in parameters if not p.frozen),
        sum(p.size * p.dtype.size for p in parameters),
        sum(b.size * b.dtype.size for b in buffers),
        result_bytes,
    )


TensorForm = tuple[Shape, int]
"""A shape, and how many bytes."""


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(n, int) for n in value)


def _forms(result: Any) -> Iterator[TensorForm]:
    """Those of the tensors in what a layer gives."""
    if isinstance(result, TensorBase):
        yield result.shape, result.size * result.dtype.size
    elif isinstance(result, tuple | list | dict):
        for entry in result.values() if isinstance(result, dict) else result:
            yield from _forms(entry)


@contextmanager
def _observed(layers: list[tuple[str, Any]], found: dict[int, list[list[TensorForm]]]) -> Iterator[None]:
    """Layers in evaluation that tell what they give, while nothing is recorded."""
    names = "training", "forward"
    before = [(vars(layer), {name: vars(layer)[name] for name in names if name in vars(layer)}) for _, layer in layers]
    was_on, recording.on = recording.on, False
    try:
        for _, layer in layers:
            layer.training = False
            vars(layer)["forward"] = _telling(layer.forward, found[id(layer)])
        yield
    finally:
        recording.on = was_on
        for attributes, own in before:
            for name in names:
                attributes.pop(name, None)
            attributes |= own


def _telling(forward: Any, calls: list[list[TensorForm]]) -> Any:
    def tell(*args: Any, **kwargs: Any) -> Any:
        result = forward(*args, **kwargs)
        calls.append(list(_forms(result)))
        return result

    return tell
