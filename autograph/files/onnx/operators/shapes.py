"""Operators that change shapes, take parts, and make tensors of numbers."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from autograph.errors import OnnxError
from autograph.files.onnx.node import Node, checked_size, dtype_of, whole_numbers
from autograph.functions import creation, repetition
from autograph.functions.casts import cast
from autograph.functions.elementwise import comparisons
from autograph.functions.indexing import along_axes, nonzero
from autograph.functions.interpolation.interpolate import pixel_shuffle
from autograph.functions.scans import cumulative
from autograph.functions.shapes import arrangement, diagonals, joining, padding, views
from autograph.functions.sorting import greatest
from autograph.tensor.tensor import Tensor
from krnlpy import Device

from .numbers import Operator, together


def _reshape(node: Node, x: Tensor, shape: Tensor | None = None) -> Tensor:
    wanted = node.ints("shape", shape) or []
    if not node.get("allowzero", 0):
        wanted = [x.shape[i] if n == 0 and i < x.ndim else n for i, n in enumerate(wanted)]
    return views.reshape(x, tuple(wanted))


def _flatten(node: Node, x: Tensor) -> Tensor:
    axis = node.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return views.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


def _transpose(node: Node, x: Tensor) -> Tensor:
    return views.transpose(x, tuple(node.get("perm") or range(x.ndim)[::-1]))


def _squeeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    wanted = node.ints("axes", axes)
    if wanted is None:
        wanted = [axis for axis, n in enumerate(x.shape) if n == 1]
    return arrangement.squeeze(x, tuple(wanted))


def _unsqueeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return arrangement.expand_dims(x, tuple(node.ints("axes", axes) or ()))


def _concat(node: Node, *tensors: Tensor) -> Tensor:
    return joining.concat(together(*tensors), axis=node.get("axis", 1 if node.version < 4 else None))


def _split(node: Node, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, ...]:
    axis, count = node.get("axis", 0), len(node.outputs)
    wanted = node.ints("split", lengths)
    if wanted is None:
        each = -(-x.shape[axis] // node.get("num_outputs", count))
        wanted = [max(0, min(each, x.shape[axis] - i * each)) for i in range(count)]
    if sum(wanted) != x.shape[axis] or len(wanted) != count:
        raise OnnxError(f"Split of {x.shape} along axis {axis} in parts of {wanted}")
    return joining.split(x, np.cumsum(wanted)[:-1].tolist(), axis=axis) if count > 1 else (x,)


def _slice(node: Node, x: Tensor, *given: Tensor | None) -> Tensor:
    parts = dict(zip(("starts", "ends", "axes", "steps"), given, strict=False))
    starts, ends = (node.ints(name, parts.get(name)) or [] for name in ("starts", "ends"))
    axes = node.ints("axes", parts.get("axes")) or list(range(len(starts)))
    steps = node.ints("steps", parts.get("steps")) or [1] * len(starts)
    key = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        n = x.shape[axis]
        if step > 0:
            key[axis] = slice(start, end, step)
        else:  # an end before the first element is written as a number that is too small
            stop = end + n if end < 0 else end
            key[axis] = slice(min(start, n - 1) if start >= 0 else start, None if stop < 0 else stop, step)
    return x[tuple(key)]


def _gather(node: Node, x: Tensor, places: Tensor) -> Tensor:
    x, places = together(x, places)
    return along_axes.take(x, places, node.get("axis", 0))


def _gather_elements(node: Node, x: Tensor, places: Tensor) -> Tensor:
    x, places = together(x, places)
    axis = node.get("axis", 0)
    inner = tuple(slice(None) if a == axis % x.ndim else slice(n) for a, n in enumerate(places.shape))
    return along_axes.take_along_axis(x[inner], places, axis)


def _scatter_elements(node: Node, x: Tensor, places: Tensor, updates: Tensor) -> Tensor:
    x, places, updates = together(x, places, updates)
    axis, kind = node.get("axis", 0), node.get("reduction", "none")
    others = [n == m for a, (n, m) in enumerate(zip(x.shape, places.shape, strict=True)) if a != axis % x.ndim]
    if kind not in ("none", "add") or not all(others):
        raise OnnxError(f"{node.kind} of {x.shape} at {places.shape} with reduction {kind!r}")
    of = along_axes.scatter_add if kind == "add" else along_axes.put_along_axis
    return of(x, places, updates, axis)


def _expand(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    wanted = checked_size(whole_numbers(shape))
    n = max(len(wanted), x.ndim)
    pairs = zip((1,) * (n - x.ndim) + x.shape, (1,) * (n - len(wanted)) + wanted, strict=True)
    return views.broadcast_to(x, tuple(b if a == 1 else a for a, b in pairs))


def _tile(node: Node, x: Tensor, repeats: Tensor) -> Tensor:
    times = whole_numbers(repeats)
    checked_size([n * m for n, m in zip(x.shape, times, strict=True)])
    return repetition.tile(x, times)


def _pad(
    node: Node, x: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None
) -> Tensor:
    widths = node.ints("pads", pads) or []
    places = [axis % x.ndim for axis in node.ints("axes", axes) or range(x.ndim)]
    number = value.item() if value is not None else node.get("value", 0.0)
    pairs = [(0, 0)] * x.ndim
    for axis, before, after in zip(places, widths[: len(places)], widths[len(places) :], strict=True):
        pairs[axis] = before, after
    cut = tuple(slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(x.shape, pairs, strict=True))
    widths_of = [(max(0, a), max(0, b)) for a, b in pairs]
    checked_size([n + a + b for n, (a, b) in zip(x.shape, widths_of, strict=True)])
    mode = node.get("mode", "constant")
    if mode != "constant":
        return padding.pad(x[cut], widths_of, mode)
    fill: Any = number if x.dtype.is_float else bool(number) if x.dtype.kind == "bool" else int(number)
    return padding.pad(x[cut], widths_of, constant_value=fill)


def _host_ints(values: Any) -> Tensor:
    return Tensor.from_numpy(np.asarray(values, np.int64), Device.host())


def _shape(node: Node, x: Tensor) -> Tensor:
    return _host_ints(x.shape[slice(node.get("start", 0), node.get("end"))])


def _constant(node: Node) -> Tensor:
    for name, value in node.attributes.items():
        if name == "value":
            return Tensor.from_numpy(value, Device.host())
        if name in ("value_float", "value_floats"):
            return Tensor.from_numpy(np.asarray(value, np.float32), Device.host())
        if name in ("value_int", "value_ints"):
            return _host_ints(value)
    raise OnnxError(f"Constant with {', '.join(node.attributes) or 'no value'}")


def _constant_of_shape(node: Node, shape: Tensor) -> Tensor:
    value = node.get("value", np.zeros(1, np.float32))
    wanted = checked_size(whole_numbers(shape))
    return views.broadcast_to(Tensor.from_numpy(value.reshape(()), Device.host()), wanted)


def _range(node: Node, start: Tensor, limit: Tensor, step: Tensor) -> Tensor:
    numbers = [x.item() for x in (start, limit, step)]
    if not numbers[2]:
        raise OnnxError("Range with a step of 0")
    checked_size([max(0, int((numbers[1] - numbers[0]) / numbers[2]) + 1)])
    return Tensor.from_numpy(np.arange(*numbers).astype(start.dtype.dtype), Device.host())


def _one_hot(node: Node, places: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    count, axis = int(depth.item()), node.get("axis", -1)
    off, lit = values.tolist()
    n = places.ndim + 1
    axis = axis + n if axis < 0 else axis
    checked_size([*places.shape, count])
    classes = Tensor.from_numpy(np.arange(count, dtype=np.int32), places.device)
    classes = views.reshape(classes, (-1, *(1,) * (n - 1 - axis)))
    whole = cast(places, "i32")
    whole = comparisons.where(whole < 0, whole + count, whole)
    found = arrangement.expand_dims(whole, axis) == classes
    yes, no = (creation.full((), number, values.dtype, places.device) for number in (lit, off))
    return comparisons.where(found, yes, no)


def _trilu(node: Node, x: Tensor, k: Tensor | None = None) -> Tensor:
    of = diagonals.triu if node.get("upper", 1) else diagonals.tril
    return of(x, k=0 if k is None else int(k.item()))


def _cumsum(node: Node, x: Tensor, axis: Tensor) -> Tensor:
    along = int(axis.item())
    if node.get("reverse", 0):
        x = arrangement.flip(x, axis=along)
    y = cumulative.cumulative_sum(x, along, dtype=x.dtype, include_initial=bool(node.get("exclusive", 0)))
    if node.get("exclusive", 0):
        y = y[tuple(slice(-1) if a == along % x.ndim else slice(None) for a in range(x.ndim))]
    return arrangement.flip(y, axis=along) if node.get("reverse", 0) else y


def _topk(node: Node, x: Tensor, k: Tensor | None = None) -> tuple[Tensor, Tensor]:
    (count,) = node.ints("k", k) if k is not None else [node.get("k", 0)]  # type: ignore[misc]
    found = greatest.topk(x, count, node.get("axis", -1), largest=bool(node.get("largest", 1)))
    return found.values, wide(found.indices)


def wide(x: Tensor) -> Tensor:
    """Places as ONNX has them, where the device has 64 bits."""
    return cast(x, "i64") if x.device.is_host else x


def _nonzero(node: Node, x: Tensor) -> Tensor:
    return joining.stack([wide(part) for part in nonzero.nonzero(x)])


def _eye_like(node: Node, x: Tensor) -> Tensor:
    dtype = dtype_of(node.get("dtype")) if "dtype" in node.attributes else x.dtype
    return creation.eye(*x.shape, k=node.get("k", 0), dtype=dtype, device=x.device)


def _depth_to_space(node: Node, x: Tensor) -> Tensor:
    size = node.get("blocksize", 0)
    if node.get("mode", "DCR") == "CRD":
        return pixel_shuffle(x, size)
    n, c, h, w = x.shape
    y = views.transpose(views.reshape(x, (n, size, size, c // size**2, h, w)), (0, 3, 4, 1, 5, 2))
    return views.reshape(y, (n, c // size**2, h * size, w * size))


def _space_to_depth(node: Node, x: Tensor) -> Tensor:
    size = node.get("blocksize", 0)
    n, c, h, w = x.shape
    order = (0, 1, 3, 5, 2, 4) if node.get("mode", "DCR") == "CRD" else (0, 3, 5, 1, 2, 4)
    y = views.transpose(views.reshape(x, (n, c, h // size, size, w // size, size)), order)
    return views.reshape(y, (n, c * size**2, h // size, w // size))


def _size(node: Node, x: Tensor) -> Tensor:
    return _host_ints(x.size)


OPERATORS: dict[str, Operator] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "ScatterElements": _scatter_elements,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "Shape": _shape,
    "Size": _size,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "OneHot": _one_hot,
    "Trilu": _trilu,
    "CumSum": _cumsum,
    "TopK": _topk,
    "NonZero": _nonzero,
    "EyeLike": _eye_like,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
