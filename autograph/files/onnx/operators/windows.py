"""Convolutions, pools, and other sizes of images."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from autograph.errors import OnnxError
from autograph.files.onnx.node import Node, checked_size, whole_numbers
from autograph.functions.convolution import convolutions, transposed
from autograph.functions.creation import ones_like
from autograph.functions.indexing import along_axes
from autograph.functions.pooling import averages, max_pools
from autograph.functions.products import matrices
from autograph.functions.reductions import aggregates
from autograph.functions.shapes import arrangement, padding
from autograph.tensor.tensor import Tensor

from .numbers import Operator, together

_CONVS = {1: convolutions.conv1, 2: convolutions.conv2, 3: convolutions.conv3}
_TRANSPOSED = {1: transposed.conv_transpose1, 2: transposed.conv_transpose2, 3: transposed.conv_transpose3}
_MAX_POOLS = {1: max_pools.max_pool1, 2: max_pools.max_pool2, 3: max_pools.max_pool3}
_AVG_POOLS = {1: averages.avg_pool1, 2: averages.avg_pool2, 3: averages.avg_pool3}


def _axes(table: dict[int, Any], node: Node, x: Tensor) -> tuple[Any, int]:
    n = x.ndim - 2
    if n not in table:
        raise OnnxError(f"{node.kind} of shape {x.shape}: expected signals, images or volumes")
    return table[n], n


def _sized(value: Any, n: int) -> Any:
    """Settings as the functions take them: of signals, the number."""
    given = tuple(int(v) for v in value)
    if len(given) != n:
        raise OnnxError(f"{list(given)} for {n} axes")
    return given[0] if n == 1 else given


def _pads(node: Node, shape: tuple[int, ...], lengths: list[int]) -> tuple[list[int], list[int]]:
    """What stands before and after each axis."""
    n = len(shape)
    auto = node.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", "VALID"):
        pads = node.ints("pads", None, [0] * 2 * n) or []
        if len(pads) != 2 * n or min(pads, default=0) < 0:
            raise OnnxError(f"{node.kind} with pads {pads} for {n} axes")
        return (pads[:n], pads[n:]) if auto == "NOTSET" else ([0] * n, [0] * n)
    strides, dilations = node.get("strides", [1] * n), node.get("dilations", [1] * n)
    before, after = [], []
    for length, k, stride, dilation in zip(shape, lengths, strides, dilations, strict=True):
        whole = max(0, (-(-length // stride) - 1) * stride + (k - 1) * dilation + 1 - length)
        less, more = whole // 2, whole - whole // 2
        before.append(less if auto == "SAME_UPPER" else more)
        after.append(more if auto == "SAME_UPPER" else less)
    return before, after


def _padded(x: Tensor, before: list[int], after: list[int], value: float = 0.0) -> Tensor:
    widths = [(0, 0), (0, 0), *zip(before, after, strict=True)]
    checked_size([n + a + b for n, (a, b) in zip(x.shape, widths, strict=True)])
    return padding.pad(x, widths, constant_value=value)


def _conv(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    x, weight = together(x, weight)
    function, n = _axes(_CONVS, node, x)
    before, after = _pads(node, x.shape[2:], list(weight.shape[2:]))
    if before != after:
        x, before = _padded(x, before, after), [0] * n
    return function(
        x,
        weight,
        bias,
        stride=_sized(node.get("strides", [1] * n), n),
        padding=_sized(before, n),
        dilation=_sized(node.get("dilations", [1] * n), n),
        groups=node.get("group", 1),
    )


def _conv_transpose(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    x, weight = together(x, weight)
    function, n = _axes(_TRANSPOSED, node, x)
    strides, dilations = node.get("strides", [1] * n), node.get("dilations", [1] * n)
    extra = node.get("output_padding", [0] * n)
    auto = node.get("auto_pad", "NOTSET")
    full = [
        s * (length - 1) + e + (k - 1) * d + 1
        for length, k, s, d, e in zip(x.shape[2:], weight.shape[2:], strides, dilations, extra, strict=True)
    ]
    if "output_shape" in node.attributes or auto in ("SAME_UPPER", "SAME_LOWER"):
        target = node.get("output_shape", [length * s for length, s in zip(x.shape[2:], strides, strict=True)])[-n:]
        whole = [f - t for f, t in zip(full, target, strict=True)]
        less, more = [w // 2 for w in whole], [w - w // 2 for w in whole]
        before, after = (less, more) if auto == "SAME_UPPER" else (more, less)
        if "output_shape" in node.attributes and auto != "SAME_UPPER":
            before, after = more, less
        if auto == "SAME_LOWER":
            before, after = more, less
    else:
        before, after = _pads(node, x.shape[2:], list(weight.shape[2:]))
    settings: dict[str, Any] = {
        "stride": _sized(strides, n),
        "dilation": _sized(dilations, n),
        "groups": node.get("group", 1),
    }
    if before == after and min(before, default=0) >= 0:
        return function(x, weight, bias, padding=_sized(before, n), output_padding=_sized(extra, n), **settings)
    y = function(x, weight, bias, **settings)
    # What is beyond the last filter has the bias only.
    missing = [max(0, -b) for b in before], [max(0, e - a) for a, e in zip(after, extra, strict=True)]
    if any(missing[0] + missing[1]):
        if bias is not None:
            raise OnnxError("ConvTranspose with a bias beyond its filters")
        y = _padded(y, *missing)
    ends = [f - a + m for f, a, m in zip(full, after, missing[0], strict=True)]
    key = [slice(max(0, b), e) for b, e in zip(before, ends, strict=True)]
    return y[(slice(None), slice(None), *key)]


def _max_pool(node: Node, x: Tensor) -> Any:
    if len(node.outputs) > 1:
        raise OnnxError("MaxPool with places")
    function, n = _axes(_MAX_POOLS, node, x)
    lengths = node.ints("kernel_shape") or []
    before, after = _pads(node, x.shape[2:], lengths)
    if before != after or any(2 * b > k for b, k in zip(before, lengths, strict=True)):
        x, before = _padded(x, before, after, -inf), [0] * n
    return function(
        x,
        _sized(lengths, n),
        _sized(node.get("strides", [1] * n), n),
        padding=_sized(before, n),
        dilation=_sized(node.get("dilations", [1] * n), n),
        ceil_mode=bool(node.get("ceil_mode", 0)),
    )


def _average_pool(node: Node, x: Tensor) -> Any:
    function, n = _axes(_AVG_POOLS, node, x)
    lengths = node.ints("kernel_shape") or []
    if any(d != 1 for d in node.get("dilations", [])):
        raise OnnxError("AveragePool with dilations")
    before, after = _pads(node, x.shape[2:], lengths)
    counted = bool(node.get("count_include_pad", 0))
    settings: dict[str, Any] = {"ceil_mode": bool(node.get("ceil_mode", 0))}
    given: Any = (_sized(lengths, n), _sized(node.get("strides", [1] * n), n))
    if before == after and all(2 * b <= k for b, k in zip(before, lengths, strict=True)):
        return function(x, *given, padding=_sized(before, n), count_include_pad=counted, **settings)
    y = function(_padded(x, before, after), *given, **settings)
    if counted:
        return y
    # The share of each window that lies in the image.
    return y / function(_padded(ones_like(x[:1, :1]), before, after), *given, **settings)


def _global(function: Any) -> Operator:
    return lambda node, x: function(x, tuple(range(2, x.ndim)), keepdims=True)


def _resize(node: Node, x: Tensor, *given: Tensor | None) -> Any:
    """Versions before 11 have no region as their first input, and know one rule."""
    if node.version < 11:
        return _upsample(node, x, *given)
    _, scales, sizes = (*given, None, None, None)[:3]
    where = node.get("coordinate_transformation_mode", "half_pixel")
    return _resized(node, x, scales, sizes, where, node.get("nearest_mode", "round_prefer_floor"))


def _upsample(node: Node, x: Tensor, scales: Tensor | None = None) -> Any:
    if scales is None:
        scales = Tensor.from_numpy(np.asarray(node.get("scales", ()), np.float32))
    return _resized(node, x, scales, None, "asymmetric", "floor")


def _resized(node: Node, x: Tensor, scales: Any, sizes: Tensor | None, where: str, rounding: str) -> Any:
    """Each axis by itself: its elements are taken, or multiplied by a matrix of weights."""
    mode, axes = node.get("mode", "nearest"), node.ints("axes", None, range(x.ndim)) or []
    if node.get("antialias", 0) or node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise OnnxError(f"{node.kind} with antialias or keep_aspect_ratio_policy")
    lengths = [x.shape[axis] for axis in axes]
    if sizes is None or not sizes.size:
        factors = [] if scales is None else [float(f) for f in scales.tolist()]
        wanted = [int(n * f) for n, f in zip(lengths, factors, strict=True)]
    else:
        wanted = whole_numbers(sizes)
        factors = [m / n for m, n in zip(wanted, lengths, strict=True)]
    checked_size([*x.shape, *wanted])
    for axis, n, m, factor in zip(axes, lengths, wanted, factors, strict=True):
        if n == m and factor == 1:
            continue
        places = _coordinates(where, n, m, factor)
        if mode == "nearest":
            rounded = np.clip(_ROUNDINGS[rounding](places), 0, n - 1).astype(np.int32)
            x = along_axes.take(x, Tensor.from_numpy(rounded, x.device), axis)
        else:
            weights = _weights(mode, places, n, node.get("cubic_coeff_a", -0.75), node.get("exclude_outside", 0))
            matrix = Tensor.from_numpy(weights.astype(np.float32), x.device).cast(x.dtype)
            x = arrangement.moveaxis(matrices.matmul(arrangement.moveaxis(x, axis, -1), matrix.T), -1, axis)
    return x


_ROUNDINGS: dict[str, Any] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}


def _coordinates(where: str, n: int, m: int, factor: float) -> Any:
    """Where each of m elements lies among n."""
    i = np.arange(m, dtype=np.float64)
    match where:
        case "asymmetric":
            return i / factor
        case "align_corners":
            return i * ((n - 1) / (factor * n - 1)) if factor * n > 1 else 0 * i
        case "half_pixel_symmetric":
            return n / 2 * (1 - m / (factor * n)) + (i + 0.5) / factor - 0.5
        case "half_pixel" | "pytorch_half_pixel":
            return (i + 0.5) / factor - 0.5 if m > 1 or where == "half_pixel" else 0 * i
    raise OnnxError(f"coordinate_transformation_mode {where!r}")


def _weights(mode: str, places: Any, n: int, a: float, excludes: int) -> Any:
    """The weights of n elements for each place between them."""
    first = np.floor(places)
    t = places - first
    if mode == "linear":
        parts = {0: 1 - t, 1: t}
    elif mode == "cubic":
        parts = {k: _cubic(np.abs(t - k), a) for k in (-1, 0, 1, 2)}
    else:
        raise OnnxError(f"the mode {mode!r} of a new size")
    weights = np.zeros((len(places), n))
    for k, part in parts.items():
        at = (first + k).astype(np.int64)
        if excludes:
            part = np.where((at < 0) | (at >= n), 0, part)
        np.add.at(weights, (np.arange(len(places)), np.clip(at, 0, n - 1)), part)
    return weights / weights.sum(1, keepdims=True) if excludes else weights


def _cubic(x: Any, a: float) -> Any:
    """R. Keys, "Cubic convolution interpolation for digital image processing", 1981."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


OPERATORS: dict[str, Operator] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global(aggregates.mean),
    "GlobalMaxPool": _global(aggregates.max),
    "Resize": _resize,
    "Upsample": _upsample,
}
