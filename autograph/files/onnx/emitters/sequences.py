"""Attention and recurrences."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np

from autograph.files.onnx.graph import Dim, Graph, Operand, Unsupported
from autograph.functions.attention import positions, scaled_dot_product
from autograph.functions.recurrence import steps
from krnlpy import scalar_type

from .shapes import Arguments, Results

GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "tanh": (0,), "relu": (0,)}
"""Where ONNX's gates are among autograph's."""


def _attention(g: Graph, a: Arguments, results: Results) -> str:
    q, k, v, mask = a["q"], a["k"], a["v"], a["mask"]
    if a["dropout"]:
        raise Unsupported("dropout")
    features, heads, of_keys = q.shape[-1], q.shape[-3] if q.ndim > 2 else 1, k.shape[-3] if k.ndim > 2 else 1
    if heads != of_keys and of_keys != 1:
        k, v = (_repeated(g, x, heads) for x in (k, v))
    turned = g.add("Transpose", k.name, perm=[*range(k.ndim - 2), k.ndim - 1, k.ndim - 2])
    scale = float(features) ** -0.5 if a["scale"] is None else a["scale"]
    scores = g.add("Mul", g.add("MatMul", q.name, turned), g.constant(scale, q.dtype))
    if a["causal"]:
        if isinstance(q.shape[-2], Dim) or isinstance(k.shape[-2], Dim):
            raise Unsupported("a batch of lengths")
        seen = np.tril(np.ones((q.shape[-2], k.shape[-2]), bool), a["offset"])
        scores = g.add("Where", g.constant(seen), scores, g.constant(-inf, q.dtype))
    if mask is not None and mask.dtype.kind != "bool":
        scores, mask = g.add("Add", scores, g.cast(mask, q.dtype).name), None
    if mask is not None:
        scores = g.add("Where", mask.name, scores, g.constant(-inf, q.dtype))
    weights = g.add("Softmax", scores, axis=-1)
    # A query that sees no key has only NaN, and the result 0.
    weights = g.add("Where", g.add("IsNaN", weights), g.constant(0, q.dtype), weights)
    return str(g.add("MatMul", weights, v.name))


def _repeated(g: Graph, x: Operand, heads: Any) -> Operand:
    """Neighbouring heads of queries share one of keys."""
    *leading, few, length, features = x.shape
    times = heads // few
    name = g.reshape(x.name, (*leading, few, 1, length, features))
    name = g.add("Expand", name, g.lengths((*leading, few, times, length, features)))
    return x._replace(name=g.reshape(name, (*leading, heads, length, features)))


def _rotary(g: Graph, a: Arguments, results: Results) -> str:
    x, first = a["x"], a["positions"]
    *_, length, features = x.shape
    if isinstance(first, Operand) or isinstance(length, Dim):
        raise Unsupported("positions as a tensor")
    rates = a["base"] ** (-2.0 * np.arange(features // 2) / features)
    angles = np.arange(first, first + length)[:, None] * rates
    sine, cosine = (g.constant(of(angles), x.dtype) for of in (np.sin, np.cos))
    halves = g.add("Split", x.name, g.constant([features // 2] * 2, "i64"), results=2, axis=-1)
    parts = []
    for kind, (one, other) in (("Sub", halves), ("Add", halves[::-1])):
        parts.append(g.add(kind, g.add("Mul", one, cosine), g.add("Mul", other, sine)))
    return str(g.add("Concat", *parts, axis=-1))


def _recur(g: Graph, a: Arguments, results: Results) -> tuple[str, ...]:
    """ONNX multiplies inputs with a matrix by itself; here that is one which only puts gates in ONNX's order."""
    x, weight, cell = a["x"], a["weight"], a["cell"]
    hidden = int(weight.shape[1])
    rows = np.concatenate([np.arange(hidden) + hidden * gate for gate in GATES[cell.name]])
    order = np.eye(len(rows))[rows]
    matrix = g.constant(order, x.dtype)
    both = [g.add("MatMul", matrix, name.name) for name in (weight, *a["biases"])]
    first = g.constant([0], "i64")
    bias = g.add("Unsqueeze", g.add("Concat", *both[1:], axis=0), first) if a["biases"] else None
    lengths = None if a["lengths"] is None else g.cast(a["lengths"], scalar_type("i32")).name
    states = [g.add("Unsqueeze", state.name, first) for state in a["states"]]
    kind = {"lstm": "LSTM", "gru": "GRU"}.get(cell.name, "RNN")
    given = g.add(
        kind,
        x.name,
        g.constant(order[None], x.dtype),
        g.add("Unsqueeze", both[0], first),
        bias,
        lengths,
        *states,
        results=len(results),
        hidden_size=hidden,
        direction="reverse" if a["is_reverse"] else "forward",
        activations=None if kind != "RNN" else [cell.name.title()],
        linear_before_reset=1 if kind == "GRU" else None,
    )
    outputs = g.add("Squeeze", given[0], g.constant([1], "i64"))
    return outputs, *(g.add("Squeeze", state, first) for state in given[1:])


EMITTERS: dict[Any, Callable[..., Any]] = {
    scaled_dot_product.scaled_dot_product_attention: _attention,
    positions.rotary_embedding: _rotary,
    steps.recur: _recur,
}
