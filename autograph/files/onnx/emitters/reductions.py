"""Operations along axes: reductions, products, norms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from autograph.files.onnx.dtypes import TO_ONNX
from autograph.files.onnx.graph import Dim, Graph, Operand, Unsupported
from autograph.functions import normalization
from autograph.functions.products import einsum, matrices
from autograph.functions.reducers import sums
from autograph.functions.reductions import aggregates, softmax
from autograph.functions.scans import cumulative
from autograph.functions.sorting import greatest, sorts

from .elementwise import common
from .shapes import Arguments, Results, axis_of


def axes_of(a: Arguments, ndim: int) -> list[int]:
    """The axes that are named; all if none is."""
    axis = a.get("axis")
    if axis is None:
        return list(range(ndim))
    return [n % ndim for n in (axis if isinstance(axis, tuple) else (axis,))]


def _reduced(g: Graph, kind: str, a: Arguments, x: Operand) -> str:
    axes = axes_of(a, x.ndim)
    if not axes:
        return str(g.add("Identity", x.name))
    return str(g.add(kind, x.name, g.constant(axes, "i64"), keepdims=int(a["keepdims"])))


def _reduction(kind: str) -> Callable[..., str]:
    def emit(g: Graph, a: Arguments, results: Results) -> str:
        if a.get("out") is not None:
            raise Unsupported("out=")
        return _reduced(g, kind, a, g.cast(a["x"], results[0].dtype))

    return emit


def _var(g: Graph, a: Arguments, results: Results) -> str:
    x, axes = a["x"], axes_of(a, a["x"].ndim)
    lengths = [x.shape[axis] for axis in axes]
    if any(isinstance(n, Dim) for n in lengths):
        raise Unsupported("the batch as an axis")
    count = prod(int(n) for n in lengths)
    rest = g.add("Sub", x.name, g.mean(x.name, axes))
    value = _reduced(g, "ReduceMean", a, x._replace(name=g.add("Mul", rest, rest)))
    if a["correction"]:
        value = str(g.add("Mul", value, g.constant(count / (count - a["correction"]), x.dtype)))
    return value


def _std(g: Graph, a: Arguments, results: Results) -> str:
    return str(g.add("Sqrt", _var(g, a, results)))


def _truth(kind: str) -> Callable[..., str]:
    def emit(g: Graph, a: Arguments, results: Results) -> str:
        x = a["x"]
        if x.dtype.kind != "bool":
            zero = g.constant(0, x.dtype)
            x = x._replace(name=g.add("Not", g.add("Equal", x.name, zero)))
        whole = x._replace(name=g.add("Cast", x.name, to=6))
        return str(g.add("Cast", _reduced(g, kind, a, whole), to=9))

    return emit


def _place(kind: str) -> Callable[..., str]:
    def emit(g: Graph, a: Arguments, results: Results) -> str:
        x = a["x"]
        if a["axis"] is None:
            flat = g.reshape(x.name, (-1,))
            name = g.reshape(g.add(kind, flat, axis=0, keepdims=0), results[0].shape)
        else:
            name = g.add(kind, x.name, axis=axis_of(a, x.ndim), keepdims=int(a["keepdims"]))
        return str(g.add("Cast", name, to=TO_ONNX[results[0].dtype]))

    return emit


def _along(kind: str) -> Callable[..., str]:
    return lambda g, a, results: str(g.add(kind, a["x"].name, axis=axis_of(a, a["x"].ndim)))


def _matmul(g: Graph, a: Arguments, results: Results) -> str:
    x, y = common(g, a, results[0].dtype)
    return str(g.add("MatMul", x.name, y.name))


def _einsum(g: Graph, a: Arguments, results: Results) -> str:
    operands = common(g, dict(enumerate(a["operands"])), results[0].dtype)  # type: ignore[arg-type]
    return str(g.add("Einsum", *(x.name for x in operands), equation=a["subscripts"]))


def _cumulative_sum(g: Graph, a: Arguments, results: Results) -> str:
    x = g.cast(a["x"], results[0].dtype)
    if a["include_initial"]:
        raise Unsupported("include_initial")
    axis = 0 if a["axis"] is None else axis_of(a, x.ndim)
    return str(g.add("CumSum", x.name, g.constant(axis, "i32")))


def _topk(g: Graph, a: Arguments, results: Results) -> tuple[str, ...]:
    axis = axis_of(a, a["x"].ndim)
    values, places = g.add(
        "TopK", a["x"].name, g.constant([a["k"]], "i64"), results=2, axis=axis, largest=int(a["largest"])
    )
    return values, g.add("Cast", places, to=TO_ONNX[results[1].dtype])


def _sorted(slot: int) -> Callable[..., str]:
    def emit(g: Graph, a: Arguments, results: Results) -> str:
        x, axis = a["x"], axis_of(a, a["x"].ndim)
        found = g.add(
            "TopK", x.name, g.lengths([x.shape[axis]]), results=2, axis=axis, largest=int(bool(a["descending"]))
        )
        return str(g.add("Cast", found[1], to=TO_ONNX[results[0].dtype]) if slot else found[0])

    return emit


def _layer_norm(g: Graph, a: Arguments, results: Results) -> str:
    x, axes = a["x"], axes_of(a, a["x"].ndim)
    if axes != list(range(x.ndim - len(axes), x.ndim)) or any(isinstance(x.shape[axis], Dim) for axis in axes):
        raise Unsupported("axes that are not the last ones")
    lengths = [x.shape[axis] for axis in axes]
    weight = a["weight"].name if a["weight"] else g.constant(np.ones(lengths), x.dtype)
    bias = a["bias"].name if a["bias"] else None
    return str(g.add("LayerNormalization", x.name, weight, bias, axis=axes[0], epsilon=float(a["epsilon"])))


def _root_mean(g: Graph, name: str, axes: Sequence[int], epsilon: str) -> str:
    """The square root of the mean square and a small number."""
    return str(g.add("Sqrt", g.add("Add", g.mean(g.add("Mul", name, name), axes), epsilon)))


def _rms_norm(g: Graph, a: Arguments, results: Results) -> str:
    x, axes = a["x"], axes_of(a, a["x"].ndim)
    name = g.add("Div", x.name, _root_mean(g, x.name, axes, g.constant(a["epsilon"], x.dtype)))
    if a["weight"]:
        name = g.add("Mul", name, g.reshape(a["weight"].name, [x.shape[n] if n in axes else 1 for n in range(x.ndim)]))
    return str(name)


def _scaled(g: Graph, name: str, x: Operand, a: Arguments) -> str:
    """With a weight and a bias for each channel."""
    for kind, what in (("Mul", "weight"), ("Add", "bias")):
        if a[what]:
            name = g.add(kind, name, g.reshape(a[what].name, (-1, *(1,) * (x.ndim - 2))))
    return name


def _group_norm(g: Graph, a: Arguments, results: Results) -> str:
    x, groups = a["x"], a["groups"]
    scale, bias = (g.constant([n] * groups, x.dtype) for n in (1, 0))
    # Zeros stand for lengths that stay.
    flat = g.add("Reshape", x.name, g.constant([0, groups, -1], "i64"))
    name = g.add("InstanceNormalization", flat, scale, bias, epsilon=float(a["epsilon"]))
    return _scaled(g, g.reshape(name, x.shape), x, a)


def _instance_norm(g: Graph, a: Arguments, results: Results) -> str:
    return _group_norm(g, {**a, "groups": a["x"].shape[1]}, results)


def _batch_norm_inference(g: Graph, a: Arguments, results: Results) -> str:
    x = a["x"]
    channels = x.shape[1]
    scale = a["weight"].name if a["weight"] else g.constant([1] * channels, x.dtype)
    bias = a["bias"].name if a["bias"] else g.constant([0] * channels, x.dtype)
    mean, var = (g.cast(a[name], x.dtype).name for name in ("mean", "var"))
    return str(g.add("BatchNormalization", x.name, scale, bias, mean, var, epsilon=float(a["epsilon"])))


def _batch_norm_training(g: Graph, a: Arguments, results: Results) -> tuple[str, ...]:
    x = a["x"]
    axes = [0, *range(2, x.ndim)]
    mean = g.mean(x.name, axes)
    rest = g.add("Sub", x.name, mean)
    var = g.mean(g.add("Mul", rest, rest), axes)
    root = g.add("Sqrt", g.add("Add", var, g.constant(a["epsilon"], x.dtype)))
    name = _scaled(g, g.add("Div", rest, root), x, a)
    return name, g.reshape(mean, (x.shape[1],)), g.reshape(var, (x.shape[1],))


EMITTERS: dict[Any, Callable[..., Any]] = {
    sums.sum: _reduction("ReduceSum"),
    aggregates.mean: _reduction("ReduceMean"),
    aggregates.max: _reduction("ReduceMax"),
    aggregates.min: _reduction("ReduceMin"),
    aggregates.prod: _reduction("ReduceProd"),
    aggregates.any: _truth("ReduceMax"),
    aggregates.all: _truth("ReduceMin"),
    aggregates.argmax: _place("ArgMax"),
    aggregates.argmin: _place("ArgMin"),
    aggregates.var: _var,
    aggregates.std: _std,
    softmax.softmax: _along("Softmax"),
    softmax.log_softmax: _along("LogSoftmax"),
    softmax.logsumexp: _reduction("ReduceLogSumExp"),
    matrices.matmul: _matmul,
    einsum.einsum: _einsum,
    cumulative.cumulative_sum: _cumulative_sum,
    greatest.topk: _topk,
    sorts.sort: _sorted(0),
    sorts.argsort: _sorted(1),
    normalization.layer_norm: _layer_norm,
    normalization.rms_norm: _rms_norm,
    normalization.group_norm: _group_norm,
    normalization.instance_norm: _instance_norm,
    normalization.batch_norm_inference: _batch_norm_inference,
    normalization.batch_norm_training: _batch_norm_training,
}
