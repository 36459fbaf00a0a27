"""Cells of recurrent networks, as kernels of one step: all that is done between two products, forward and backward."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

from autograph.functions.rows.parts import parts
from autograph.functions.type_variables import T, U
from krnlpy import Global, GlobalMut, ScalarType, func, i32, kernel
from krnlpy.dsl import exp, tanh


class Cell(NamedTuple):
    """A kind of cell.

    Attributes:
        name: what it is called.
        gates: for each number of the state, how many numbers come from the input.
        kept: for each number of the state, how many are kept for the gradient.
        has_memory: there is a second state.
        splits: the gradients of the input's numbers are others than those of the state's products.
        forward: a ``@func``: writes number ``j`` of ``n`` of the next state, from rows of numbers.
        backward: a ``@func``: writes the gradients of the numbers that it came from.
    """

    name: str
    gates: int
    kept: int
    has_memory: bool
    splits: bool
    forward: Any
    backward: Any


@func
def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + exp(-x))


@func
def _both(j: Any, x: Any, products: Any, of_x: Any, of_state: Any) -> Any:
    return (x[j] + of_x[j]) + (products[j] + of_state[j])


@func
def _lstm(
    j: Any, n: Any, x: Any, products: Any, of_x: Any, of_state: Any, kept: Any, h: Any, c: Any, new_h: Any, new_c: Any
) -> None:
    enter = _sigmoid(_both(j, x, products, of_x, of_state))
    forget = _sigmoid(_both(n + j, x, products, of_x, of_state))
    candidate = tanh(_both(2 * n + j, x, products, of_x, of_state))
    leave = _sigmoid(_both(3 * n + j, x, products, of_x, of_state))
    memory = forget * c[j] + enter * candidate
    kept[j] = enter
    kept[n + j] = forget
    kept[2 * n + j] = candidate
    kept[3 * n + j] = leave
    new_c[j] = memory
    new_h[j] = leave * tanh(memory)


@func
def _lstm_back(
    j: Any, n: Any, dh: Any, kept: Any, h: Any, c: Any, new_h: Any, new_c: Any, dc: Any, dx: Any, dp: Any
) -> Any:
    enter, forget, candidate, leave = kept[j], kept[n + j], kept[2 * n + j], kept[3 * n + j]
    shown = tanh(new_c[j])
    of_memory = dc[j] + dh * leave * (1.0 - shown * shown)
    dx[j] = of_memory * candidate * enter * (1.0 - enter)
    dx[n + j] = of_memory * c[j] * forget * (1.0 - forget)
    dx[2 * n + j] = of_memory * enter * (1.0 - candidate * candidate)
    dx[3 * n + j] = dh * shown * leave * (1.0 - leave)
    dc[j] = of_memory * forget
    return 0.0


@func
def _gru(
    j: Any, n: Any, x: Any, products: Any, of_x: Any, of_state: Any, kept: Any, h: Any, c: Any, new_h: Any, new_c: Any
) -> None:
    reset = _sigmoid(_both(j, x, products, of_x, of_state))
    update = _sigmoid(_both(n + j, x, products, of_x, of_state))
    inner = products[2 * n + j] + of_state[2 * n + j]
    new = tanh(x[2 * n + j] + of_x[2 * n + j] + reset * inner)
    kept[j] = reset
    kept[n + j] = update
    kept[2 * n + j] = new
    kept[3 * n + j] = inner
    new_h[j] = new + update * (h[j] - new)


@func
def _gru_back(
    j: Any, n: Any, dh: Any, kept: Any, h: Any, c: Any, new_h: Any, new_c: Any, dc: Any, dx: Any, dp: Any
) -> Any:
    reset, update, new, inner = kept[j], kept[n + j], kept[2 * n + j], kept[3 * n + j]
    of_new = dh * (1.0 - update) * (1.0 - new * new)
    of_reset = of_new * inner * reset * (1.0 - reset)
    of_update = dh * (h[j] - new) * update * (1.0 - update)
    dx[j] = of_reset
    dp[j] = of_reset
    dx[n + j] = of_update
    dp[n + j] = of_update
    dx[2 * n + j] = of_new
    dp[2 * n + j] = of_new * reset
    return dh * update


@func
def _tanh(
    j: Any, n: Any, x: Any, products: Any, of_x: Any, of_state: Any, kept: Any, h: Any, c: Any, new_h: Any, new_c: Any
) -> None:
    new_h[j] = tanh(_both(j, x, products, of_x, of_state))


@func
def _tanh_back(
    j: Any, n: Any, dh: Any, kept: Any, h: Any, c: Any, new_h: Any, new_c: Any, dc: Any, dx: Any, dp: Any
) -> Any:
    dx[j] = dh * (1.0 - new_h[j] * new_h[j])
    return 0.0


@func
def _relu(
    j: Any, n: Any, x: Any, products: Any, of_x: Any, of_state: Any, kept: Any, h: Any, c: Any, new_h: Any, new_c: Any
) -> None:
    value = _both(j, x, products, of_x, of_state)
    new_h[j] = 0.0 if value < 0.0 else value


@func
def _relu_back(
    j: Any, n: Any, dh: Any, kept: Any, h: Any, c: Any, new_h: Any, new_c: Any, dc: Any, dx: Any, dp: Any
) -> Any:
    dx[j] = dh if new_h[j] > 0.0 else 0.0
    return 0.0


LSTM = Cell("lstm", 4, 4, True, False, _lstm, _lstm_back)
"""Long short-term memory: S. Hochreiter, J. Schmidhuber, 1997, with forget gates. Gates: in, forget, candidate, out."""
GRU = Cell("gru", 3, 4, False, True, _gru, _gru_back)
"""Gated recurrent unit: K. Cho et al., 2014, the variant of cuDNN. Gates: reset, update, new."""
TANH = Cell("tanh", 1, 0, False, False, _tanh, _tanh_back)
"""J. L. Elman, "Finding Structure in Time", 1990."""
RELU = Cell("relu", 1, 0, False, False, _relu, _relu_back)


class Kernels(NamedTuple):
    """One step of a cell, and its gradient."""

    forward: Any
    backward: Any


@lru_cache
def kernels(cell: Cell, is_host: bool, dtype: ScalarType, has_lengths: bool, has_outputs: bool) -> Kernels:
    """Those for a kind of device, which compute in a type.

    Args:
        cell: the kind of cell.
        is_host: whether the device is the host.
        dtype: f32 or f64.
        has_lengths: sequences may end before the last step.
        has_outputs: states are stored as outputs, too.
    """
    first_row, row_step, first, step, _, _ = parts(is_host, dtype)
    forward_of, backward_of = cell.forward, cell.backward
    has_memory, keeps, splits = cell.has_memory, cell.kept > 0, cell.splits

    @kernel(unchecked=True)
    def forward(
        products: Global[U, Literal[2]],
        x: Global[T, Literal[3]],
        of_x: Global[U],
        of_state: Global[U],
        kept: GlobalMut[U, Literal[3]],
        h: GlobalMut[U, Literal[3]],
        c: GlobalMut[U, Literal[3]],
        y: GlobalMut[T, Literal[3]],
        lengths: Global[i32],
        time: i32,
        t: i32,
        before: i32,
        after: i32,
        place: i32,
    ) -> None:
        """The step at a time: its inputs are at ``t``; it goes from the states ``before`` to those ``after``, and what
        is kept of it is at ``place``."""
        n = h.shape[2]
        for row in range(first_row(), h.shape[1], row_step()):
            if not has_lengths or time < lengths[row]:
                for j in range(first(), n, step()):
                    forward_of(
                        j, n, x[t, row], products[row], of_x, of_state,
                        kept[place if keeps else 0, row if keeps else 0],
                        h[before, row], c[before if has_memory else 0, row if has_memory else 0],
                        h[after, row], c[after if has_memory else 0, row if has_memory else 0],
                    )  # fmt: skip
                if has_outputs:
                    for j in range(first(), n, step()):
                        y[t, row, j] = h[after, row, j]
            else:
                for j in range(first(), n, step()):
                    h[after, row, j] = h[before, row, j]
                    if has_memory:
                        c[after, row, j] = c[before, row, j]
                    y[t, row, j] = dtype(0.0)

    @kernel(unchecked=True)
    def backward(
        flow: Global[U, Literal[2]],
        carry: GlobalMut[U, Literal[2]],
        dc: GlobalMut[U, Literal[2]],
        dy: Global[T, Literal[3]],
        kept: Global[U, Literal[3]],
        h: Global[U, Literal[3]],
        c: Global[U, Literal[3]],
        dx: GlobalMut[U, Literal[3]],
        dp: GlobalMut[U, Literal[3]],
        lengths: Global[i32],
        time: i32,
        t: i32,
        before: i32,
        after: i32,
    ) -> None:
        """The gradient of a state comes through the products (``flow``), past them (``carry``) and from its output."""
        n = h.shape[2]
        for row in range(first_row(), h.shape[1], row_step()):
            if not has_lengths or time < lengths[row]:
                for j in range(first(), n, step()):
                    carry[row, j] = backward_of(
                        j, n, flow[row, j] + carry[row, j] + dy[t, row, j],
                        kept[t if keeps else 0, row if keeps else 0],
                        h[before, row], c[before if has_memory else 0, row if has_memory else 0],
                        h[after, row], c[after if has_memory else 0, row if has_memory else 0],
                        dc[row if has_memory else 0], dx[t, row], dp[t if splits else 0, row if splits else 0],
                    )  # fmt: skip
            else:
                for j in range(first(), n, step()):
                    carry[row, j] = flow[row, j] + carry[row, j]
                for j in range(first(), dx.shape[2], step()):
                    dx[t, row, j] = dtype(0.0)
                    if splits:
                        dp[t, row, j] = dtype(0.0)

    return Kernels(forward, backward)
