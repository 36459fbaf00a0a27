"""Operators along axes: reductions, products, norms."""

from __future__ import annotations

from math import prod
from typing import Any

from autograph.errors import OnnxError
from autograph.files.onnx.node import Node
from autograph.functions import normalization
from autograph.functions.casts import cast
from autograph.functions.elementwise import arithmetic, comparisons, exponentials
from autograph.functions.pooling.averages import avg_pool1
from autograph.functions.products import einsum, matrices
from autograph.functions.reducers import sums
from autograph.functions.reductions import aggregates, softmax
from autograph.functions.shapes import arrangement, views
from autograph.functions.shapes.padding import pad
from autograph.tensor.tensor import Tensor

from .numbers import Operator, together
from .shapes import wide


def _reduction(function: Any, before: Any = None, after: Any = None) -> Operator:
    def operator(node: Node, x: Tensor, axes: Tensor | None = None) -> Any:
        wanted = node.ints("axes", axes)
        if not wanted:
            if node.get("noop_with_empty_axes", 0):
                wanted = []
            else:
                wanted = list(range(x.ndim))
        y = x if before is None else before(x)
        if wanted or after is None:
            y = function(y, tuple(wanted), keepdims=bool(node.get("keepdims", 1))) if wanted else y
        y = cast(y, x.dtype) if y.dtype is not x.dtype else y
        return y if after is None else after(y)

    return operator


def _place(function: Any) -> Operator:
    def operator(node: Node, x: Tensor) -> Any:
        axis, keepdims = node.get("axis", 0), bool(node.get("keepdims", 1))
        if node.get("select_last_index", 0):
            return wide(x.shape[axis] - 1 - function(arrangement.flip(x, axis=axis), axis, keepdims=keepdims))
        return wide(function(x, axis, keepdims=keepdims))

    return operator


def _matmul(node: Node, x: Tensor, y: Tensor) -> Any:
    return matrices.matmul(*together(x, y))


def _gemm(node: Node, x: Tensor, y: Tensor, z: Tensor | None = None) -> Any:
    x, y = together(x, y)
    x = x.T if node.get("transA", 0) else x
    y = y.T if node.get("transB", 0) else y
    product: Any = matrices.matmul(x, y)
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    if alpha != 1:
        product = product * alpha
    if z is None:
        return product
    product, z = together(product, z)
    return product + (z if beta == 1 else z * beta)


def _einsum(node: Node, *tensors: Tensor) -> Any:
    return einsum.einsum(node.get("equation", ""), *together(*tensors))


def _softmax(function: Any) -> Operator:
    def operator(node: Node, x: Tensor) -> Any:
        if node.version >= 13:
            return function(x, node.get("axis", -1))
        axis = node.get("axis", 1) % max(1, x.ndim)
        return views.reshape(function(views.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))), x.shape)

    return operator


def _layer_norm(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    axes = tuple(range(node.get("axis", -1) % x.ndim, x.ndim))
    lengths = tuple(x.shape[axis] for axis in axes)
    given = [None if t is None else views.reshape(t, lengths) for t in (weight, bias)]
    y = normalization.layer_norm(x, *given, axis=axes, epsilon=node.get("epsilon", 1e-5))
    if len(node.outputs) == 1:
        return y
    mean = aggregates.mean(x, axes, keepdims=True)
    var = aggregates.var(x, axes, keepdims=True)
    return y, mean, exponentials.rsqrt(var + node.get("epsilon", 1e-5))


def _rms_norm(node: Node, x: Tensor, weight: Tensor) -> Any:
    axes = tuple(range(node.get("axis", -1) % x.ndim, x.ndim))
    return normalization.rms_norm(x, axis=axes, epsilon=node.get("epsilon", 1e-5)) * weight


def _instance_norm(node: Node, x: Tensor, weight: Tensor, bias: Tensor) -> Any:
    return normalization.instance_norm(x, weight, bias, epsilon=node.get("epsilon", 1e-5))


def _group_norm(node: Node, x: Tensor, weight: Tensor, bias: Tensor) -> Any:
    groups, epsilon = node.get("num_groups", 0), node.get("epsilon", 1e-5)
    if node.version >= 21:
        return normalization.group_norm(x, groups, weight, bias, epsilon=epsilon)
    y = views.reshape(normalization.group_norm(x, groups, epsilon=epsilon), (x.shape[0], groups, -1))
    y = y * views.reshape(weight, (groups, 1)) + views.reshape(bias, (groups, 1))
    return views.reshape(y, x.shape)


def _batch_norm(node: Node, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> Any:
    if node.get("training_mode", 0) or not node.get("is_test", 1):
        raise OnnxError("BatchNormalization in training")
    epsilon = node.get("epsilon", 1e-5)
    y = normalization.batch_norm_inference(
        views.reshape(x, (*x.shape, 1)) if x.ndim < 2 else x, mean, var, weight, bias, epsilon=epsilon
    )
    return views.reshape(y, x.shape)


def _lp_norm(node: Node, x: Tensor) -> Any:
    axis, order = node.get("axis", -1), node.get("p", 2)
    norm = aggregates.vector_norm(x, axis, keepdims=True, ord=order)
    return comparisons.where(norm == 0, x, x / norm)


def _lrn(node: Node, x: Tensor) -> Any:
    """Divides by the mean square of neighbouring channels."""
    size, n, c = node.get("size", 1), x.shape[0], x.shape[1]
    rows = views.reshape(views.transpose(views.reshape(x * x, (n, c, -1)), (0, 2, 1)), (-1, 1, c))
    before = (size - 1) // 2
    means = avg_pool1(pad(rows, [(0, 0), (0, 0), (before, size - 1 - before)]), size, 1)
    means = views.reshape(views.transpose(views.reshape(means, (n, -1, c)), (0, 2, 1)), x.shape)
    scale = means * node.get("alpha", 1e-4) + node.get("bias", 1.0)
    return x / arithmetic.pow(scale, node.get("beta", 0.75))


def _mean_variance(node: Node, x: Tensor) -> Any:
    axes = tuple(node.ints("axes", None, (0, 2, 3)) or ())
    rest = x - aggregates.mean(x, axes, keepdims=True)
    return rest / (exponentials.sqrt(aggregates.mean(rest * rest, axes, keepdims=True)) + 1e-9)


OPERATORS: dict[str, Operator] = {
    "ReduceSum": _reduction(sums.sum),
    "ReduceMean": _reduction(aggregates.mean),
    "ReduceMax": _reduction(aggregates.max),
    "ReduceMin": _reduction(aggregates.min),
    "ReduceProd": _reduction(aggregates.prod),
    "ReduceL1": _reduction(sums.sum, arithmetic.absolute),
    "ReduceL2": _reduction(sums.sum, arithmetic.square, exponentials.sqrt),
    "ReduceSumSquare": _reduction(sums.sum, arithmetic.square),
    "ReduceLogSum": _reduction(sums.sum, None, exponentials.log),
    "ReduceLogSumExp": _reduction(softmax.logsumexp),
    "ArgMax": _place(aggregates.argmax),
    "ArgMin": _place(aggregates.argmin),
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Einsum": _einsum,
    "Softmax": _softmax(softmax.softmax),
    "LogSoftmax": _softmax(softmax.log_softmax),
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "InstanceNormalization": _instance_norm,
    "GroupNormalization": _group_norm,
    "BatchNormalization": _batch_norm,
    "LpNormalization": _lp_norm,
    "LRN": _lrn,
    "MeanVarianceNormalization": _mean_variance,
}
