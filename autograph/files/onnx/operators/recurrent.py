"""Recurrent operators, one direction after the other."""

from __future__ import annotations

from typing import Any

from autograph.errors import OnnxError
from autograph.files.onnx.node import Node
from autograph.functions import creation
from autograph.functions.elementwise import activations, trigonometry
from autograph.functions.products.matrices import matmul
from autograph.functions.recurrence.cells import GRU, LSTM, RELU, TANH, Cell
from autograph.functions.recurrence.steps import recur
from autograph.functions.shapes import joining, views
from autograph.tensor.tensor import Tensor

from .numbers import Operator, together

_ORDERS = {"lstm": (0, 2, 3, 1), "gru": (1, 0, 2), "tanh": (0,), "relu": (0,)}
"""Where autograph's gates are among ONNX's."""
_USUAL = {"lstm": ["Sigmoid", "Tanh", "Tanh"], "gru": ["Sigmoid", "Tanh"], "tanh": ["Tanh"], "relu": ["Relu"]}


def _recurrent(cell: Cell) -> Operator:
    def operator(
        node: Node, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, *others: Tensor | None
    ) -> tuple[Tensor, ...]:
        lengths, state, memory, peepholes = (*others, None, None, None, None)[:4]
        x, w, r = together(x, w, r)
        of = cell
        if node.kind == "RNN":
            of = RELU if "Relu" in node.get("activations", []) else TANH
        ends, hidden = w.shape[0], r.shape[2]
        _require_usual(node, of, ends, peepholes)
        is_batch_first = bool(node.get("layout", 0))
        x = views.transpose(x, (1, 0, 2)) if is_batch_first else x
        order = _ORDERS[of.name]
        firsts = []
        for first in (state, memory)[: 1 + of.has_memory]:
            if first is None:
                first = creation.zeros((ends, x.shape[1], hidden), x.dtype, x.device)
            elif is_batch_first:
                first = views.transpose(first, (1, 0, 2))
            firsts.append(first)

        def ordered(rows: Tensor) -> Tensor:
            parts = joining.split(rows, of.gates, axis=0)
            return joining.concat([parts[gate] for gate in order], axis=0)

        outputs, last = [], []
        for end in range(ends):
            biases = () if b is None else tuple(ordered(part) for part in joining.split(b[end], 2, axis=0))
            product = matmul(x, ordered(w[end]).T)
            given = tuple(first[end] for first in firsts)
            is_reverse = end == 1 or node.get("direction", "forward") == "reverse"
            steps: Any = recur
            if of is GRU and not node.get("linear_before_reset", 0):
                if lengths is not None:
                    raise OnnxError("GRU with linear_before_reset=0 and lengths")
                steps = _reset_before
            results = steps(of, product, ordered(r[end]), biases, given, lengths, is_reverse)
            outputs.append(results[0])
            last.append(results[1:])
        y = joining.stack(outputs, axis=1)
        states = [joining.stack(list(each)) for each in zip(*last, strict=True)]
        if is_batch_first:
            y = views.transpose(y, (2, 0, 1, 3))
            states = [views.transpose(each, (1, 0, 2)) for each in states]
        return y, *states

    return operator


def _require_usual(node: Node, cell: Cell, ends: int, peepholes: Tensor | None) -> None:
    wanted = _USUAL[cell.name] * ends
    given = node.get("activations", wanted)
    others = ("clip", "input_forget", "activation_alpha", "activation_beta")
    if given != wanted or peepholes is not None or any(node.get(name) for name in others):
        raise OnnxError(f"{node.kind} with peepholes, clip, input_forget or other activations than {wanted}")


def _reset_before(
    cell: Cell,
    x: Tensor,
    weight: Tensor,
    biases: tuple[Tensor, ...],
    states: tuple[Tensor, ...],
    lengths: None,
    is_reverse: bool,
) -> tuple[Tensor, ...]:
    """A GRU whose product takes the state after the reset, which PyTorch's and autograph's does not."""
    (h,) = states
    of_reset, of_update, of_new = joining.split(weight, 3, axis=0)
    bias: Any = biases[0] + biases[1] if biases else 0.0
    outputs = []
    for step in joining.unstack(x)[:: -1 if is_reverse else 1]:
        reset, update, new = joining.split(step + bias, 3, axis=1)
        gate = activations.sigmoid(reset + matmul(h, of_reset.T))
        kept = activations.sigmoid(update + matmul(h, of_update.T))
        h = (1 - kept) * trigonometry.tanh(new + matmul(gate * h, of_new.T)) + kept * h
        outputs.append(h)
    return joining.stack(outputs[:: -1 if is_reverse else 1]), h


OPERATORS: dict[str, Operator] = {
    "LSTM": _recurrent(LSTM),
    "GRU": _recurrent(GRU),
    "RNN": _recurrent(TANH),
}
