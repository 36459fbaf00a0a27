"""Other shapes of the same elements, parts of tensors, and elements by their places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograph.files.onnx.graph import Dim, Graph, Operand, Unsupported
from autograph.functions import creation, repetition
from autograph.functions.indexing import along_axes, embedding, one_hot, reading
from autograph.functions.shapes import arrangement, diagonals, joining, padding, views
from krnlpy import scalar_type

from .elementwise import common

Arguments = dict[str, Any]
Results = list[Operand]


def axis_of(a: Arguments, ndim: int, name: str = "axis") -> int:
    """The axis, counted from the front."""
    axis = int(a[name])
    return axis + ndim if axis < 0 else axis


def _reshape(g: Graph, a: Arguments, results: Results) -> str:
    return g.reshape(a["x"].name, results[0].shape)


def _same(g: Graph, a: Arguments, results: Results) -> str:
    return str(g.add("Identity", a["x"].name))


def _permuted(g: Graph, x: Operand, order: Sequence[int]) -> str:
    return str(g.add("Transpose", x.name, perm=[axis % x.ndim for axis in order]))


def _transpose(g: Graph, a: Arguments, results: Results) -> str:
    axes = a["axes"]
    if len(axes) == 1 and isinstance(axes[0], tuple):
        axes = axes[0]
    return _permuted(g, a["x"], axes or range(a["x"].ndim)[::-1])


def _matrix_transpose(g: Graph, a: Arguments, results: Results) -> str:
    n = a["x"].ndim
    return _permuted(g, a["x"], [*range(n - 2), n - 1, n - 2])


def _moveaxis(g: Graph, a: Arguments, results: Results) -> str:
    n = a["x"].ndim
    kept = [axis for axis in range(n) if axis not in _axes(a["source"], n)]
    pairs = zip(_axes(a["destination"], n), _axes(a["source"], n), strict=True)
    for to, axis in sorted(pairs):
        kept.insert(to, axis)
    return _permuted(g, a["x"], kept)


def _axes(value: Any, ndim: int) -> list[int]:
    return [axis % ndim for axis in (value if isinstance(value, tuple) else (value,))]


def _broadcast_to(g: Graph, a: Arguments, results: Results) -> str:
    return str(g.add("Expand", a["x"].name, g.lengths(results[0].shape)))


def _flip(g: Graph, a: Arguments, results: Results) -> str:
    x = a["x"]
    axes = list(range(x.ndim)) if a["axis"] is None else _axes(a["axis"], x.ndim)
    steps = [[n] * len(axes) for n in (-1, np.iinfo(np.int64).min)]
    given = [g.constant(value, "i64") for value in (*steps, axes, [-1] * len(axes))]
    return str(g.add("Slice", x.name, *given))


def _concat(g: Graph, a: Arguments, results: Results) -> str:
    if a["axis"] is None:
        raise Unsupported("axis=None")
    parts = common(g, dict(enumerate(a["arrays"])), results[0].dtype)  # type: ignore[arg-type]
    return str(g.add("Concat", *(part.name for part in parts), axis=axis_of(a, results[0].ndim)))


def _stack(g: Graph, a: Arguments, results: Results) -> str:
    axis = g.constant([axis_of(a, results[0].ndim)], "i64")
    parts = common(g, dict(enumerate(a["arrays"])), results[0].dtype)  # type: ignore[arg-type]
    names = [g.add("Unsqueeze", part.name, axis) for part in parts]
    return str(g.add("Concat", *names, axis=axis_of(a, results[0].ndim)))


def _split(g: Graph, a: Arguments, results: Results) -> Any:
    axis = axis_of(a, a["x"].ndim)
    lengths = g.lengths([result.shape[axis] for result in results])
    return g.add("Split", a["x"].name, lengths, results=len(results), axis=axis)


def _unstack(g: Graph, a: Arguments, results: Results) -> Any:
    axis = axis_of(a, a["x"].ndim)
    names = g.add("Split", a["x"].name, g.constant([1] * len(results), "i64"), results=len(results), axis=axis)
    names = (names,) if len(results) == 1 else names
    return tuple(g.add("Squeeze", name, g.constant([axis], "i64")) for name in names)


def _pad(g: Graph, a: Arguments, results: Results) -> str:
    x, widths = a["x"], a["pad_width"]
    if isinstance(widths, int):
        widths = ((widths, widths),) * x.ndim
    pairs = [(n, n) if isinstance(n, int) else n for n in widths]
    pads = g.constant([before for before, _ in pairs] + [after for _, after in pairs], "i64")
    value = g.constant(a["constant_value"], x.dtype) if a["mode"] == "constant" else None
    return str(g.add("Pad", x.name, pads, value, mode=a["mode"]))


def _tile(g: Graph, a: Arguments, results: Results) -> str:
    x, times = a["x"], tuple(a["repetitions"])
    if len(times) > x.ndim:
        x = x._replace(name=g.reshape(x.name, (*(1,) * (len(times) - x.ndim), *x.shape)))
    return str(g.add("Tile", x.name, g.constant([*(1,) * (len(results[0].shape) - len(times)), *times], "i64")))


def _triangle(upper: int) -> Callable[..., str]:
    return lambda g, a, results: str(g.add("Trilu", a["x"].name, g.constant(a["k"], "i64"), upper=upper))


def _index(g: Graph, a: Arguments, results: Results) -> str:
    x, key = a["x"], a["key"]
    keys = list(key) if isinstance(key, tuple) and not isinstance(key, Operand | Dim) else [key]
    tensors = [k for k in keys if isinstance(k, Operand)]
    if tensors:
        if len(keys) > 1 or not tensors[0].dtype.is_integer:
            raise Unsupported("an index by a mask or by several tensors")
        return str(g.add("Gather", x.name, tensors[0].name, axis=0))
    if Ellipsis in keys:
        place = keys.index(Ellipsis)
        missing = x.ndim - sum(k is not None for k in keys) + 1
        keys[place : place + 1] = [slice(None)] * missing
    starts, ends, axes, steps = [], [], [], []
    for axis, k in enumerate(k for k in keys if k is not None):
        if isinstance(k, bool | Dim) or not isinstance(k, int | slice):
            raise Unsupported(f"an index by {k!r}")
        if isinstance(k, int):
            k = slice(k, k + 1 if k != -1 else None)
        if k == slice(None):
            continue
        step = k.step or 1
        last = np.iinfo(np.int64).max if step > 0 else np.iinfo(np.int64).min
        first = 0 if step > 0 else np.iinfo(np.int64).max
        starts.append(first if k.start is None else k.start)
        ends.append(last if k.stop is None else k.stop)
        axes.append(axis)
        steps.append(step)
    name = x.name
    if axes:
        name = g.add("Slice", name, g.lengths(starts), g.lengths(ends), *(g.constant(v, "i64") for v in (axes, steps)))
    return g.reshape(name, results[0].shape)


def _places(g: Graph, indices: Any) -> str:
    return indices.name if isinstance(indices, Operand) else g.constant(indices, "i64")


def _embedding(g: Graph, a: Arguments, results: Results) -> str:
    return str(g.add("Gather", a["weight"].name, _places(g, a["indices"]), axis=0))


def _take(g: Graph, a: Arguments, results: Results) -> str:
    axis = 0 if a["axis"] is None else axis_of(a, a["x"].ndim)
    return str(g.add("Gather", a["x"].name, _places(g, a["indices"]), axis=axis))


def _take_along_axis(g: Graph, a: Arguments, results: Results) -> str:
    return str(g.add("GatherElements", a["x"].name, _places(g, a["indices"]), axis=axis_of(a, a["x"].ndim)))


def _one_hot(g: Graph, a: Arguments, results: Results) -> str:
    values = g.constant([0, 1], results[0].dtype)
    classes = g.cast(a["classes"], scalar_type("i64"))  # which onnxruntime asks for
    return str(g.add("OneHot", classes.name, g.constant(a["count"], "i64"), values, axis=-1))


def _full(value: str | float) -> Callable[..., str]:
    def emit(g: Graph, a: Arguments, results: Results) -> str:
        number = a[value] if isinstance(value, str) else value
        if isinstance(number, Operand | Dim):
            raise Unsupported("a tensor as the number")
        return str(g.add("Expand", g.constant(number, results[0].dtype), g.lengths(results[0].shape)))

    return emit


EMITTERS: dict[Any, Callable[..., Any]] = {
    views.reshape: _reshape,
    views.flatten: _reshape,
    views.transpose: _transpose,
    views.broadcast_to: _broadcast_to,
    views.copy: _same,
    views.contiguous: _same,
    views.to_device: _same,
    arrangement.squeeze: _reshape,
    arrangement.expand_dims: _reshape,
    arrangement.permute_dims: lambda g, a, results: _permuted(g, a["x"], a["axes"]),
    arrangement.matrix_transpose: _matrix_transpose,
    arrangement.moveaxis: _moveaxis,
    arrangement.flip: _flip,
    joining.concat: _concat,
    joining.stack: _stack,
    joining.split: _split,
    joining.unstack: _unstack,
    padding.pad: _pad,
    repetition.tile: _tile,
    diagonals.tril: _triangle(0),
    diagonals.triu: _triangle(1),
    reading.index: _index,
    embedding.embedding: _embedding,
    along_axes.take: _take,
    along_axes.take_along_axis: _take_along_axis,
    one_hot.one_hot: _one_hot,
    creation.zeros: _full(0),
    creation.ones: _full(1),
    creation.full: _full("fill_value"),
    creation.zeros_like: _full(0),
    creation.ones_like: _full(1),
    creation.full_like: _full("fill_value"),
}
