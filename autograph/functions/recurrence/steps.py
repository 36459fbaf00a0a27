"""Recurrences over all steps of a batch of sequences: the states, and the gradients through time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from autograph.autograd import differentiable
from autograph.functions.launch import grid_stride
from autograph.functions.products.stacks import product_into
from autograph.functions.reducers.sums import sum_axes, sum_buffers
from autograph.tensor.base import recording
from krnlpy import Buffer, ScalarType, i32

from .cells import Cell, kernels

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


class _Past(NamedTuple):
    """What a gradient needs.

    Attributes:
        kept: of each step, what the cell keeps.
        h: the states: those before the first step, and after each.
        c: the second ones, of cells that have them.
        weight: ``[gates, hidden]``.
        lengths: of the sequences, or None.
        is_reverse: the last step comes first.
    """

    kept: Buffer
    h: Buffer
    c: Buffer
    weight: Buffer
    lengths: Buffer | None
    is_reverse: bool

    def order(self) -> list[tuple[int, int, int]]:
        """The steps in order: their places, and those of the states before and after them."""
        count = self.h.shape[0] - 1
        if self.is_reverse:
            return [(t, t + 1, t) for t in range(count - 1, -1, -1)]
        return [(t, t, t + 1) for t in range(count)]


def recur(
    cell: Cell,
    x: Tensor,
    weight: Tensor,
    biases: tuple[Tensor, ...],
    states: tuple[Tensor, ...],
    lengths: Tensor | None = None,
    is_reverse: bool = False,
) -> tuple[Tensor, ...]:
    """All steps of a layer in one direction. Operands fit each other, and have one dtype of floats.

    Args:
        cell: the kind of cell.
        x: ``[steps, batch, gates]``: what each step's input gives, without bias.
        weight: ``[gates, hidden]``, of the products with states.
        biases: of the inputs and of the products, ``[gates]`` each; or none.
        states: the first ones, ``[batch, hidden]`` each: as many as the cell has.
        lengths: of the sequences, whole numbers ``[batch]``; None: all have all steps. After its end a sequence's state
            stays, and its outputs are 0.
        is_reverse: from the last step to the first.

    Returns:
        The outputs ``[steps, batch, hidden]``, and the last states.
    """
    operands = (x, weight, *biases, *states)
    is_recorded = recording.on and any(operand.node is not None for operand in operands)
    dtype, device = x.dtype.compute, x.device
    steps, batch, _ = x.shape
    n = weight.shape[1]
    past = _Past(
        Buffer.empty((steps if is_recorded else 1, batch, cell.kept * n) if cell.kept else (1, 1, 1), dtype, device),
        Buffer.empty((steps + 1, batch, n), dtype, device),
        Buffer.empty((steps + 1, batch, n) if cell.has_memory else (1, 1, 1), dtype, device),
        _as(weight.buffer, dtype).contiguous(),
        None if lengths is None else lengths.buffer.cast(i32).contiguous(),
        is_reverse,
    )
    has_outputs = lengths is not None or x.dtype is not dtype
    y = Buffer.empty((steps, batch, n), x.dtype, device) if has_outputs else None
    _forward(cell, x.buffer, tuple(bias.buffer for bias in biases), [state.buffer for state in states], y, past)
    # While these tensors live, a change of results in place, which are views of them, does not reach the past.
    every = [x.result(some) for some in (past.h, past.c)[: len(states)]]
    last, shown = (0, slice(None, -1)) if is_reverse else (steps, slice(1, None))
    results = [every[0].view(lambda h: h[shown]) if y is None else x.result(y)]
    results += [some.view(lambda buffer: _as(buffer[last], x.dtype)) for some in every]
    if not is_recorded:
        return tuple(results)
    source, count = x.dtype, len(biases)

    def gradients(dy: Tensor, *of_last: Tensor) -> tuple[Tensor, ...]:
        kept = past._replace(h=every[0].buffer, c=every[-1].buffer)
        dx, dweight, *others = _backward(cell, dy.buffer, [d.buffer for d in of_last], kept)
        return tuple(dy.result(_as(part, source)) for part in (dx, dweight, *others[:count], *others[2:]))

    return differentiable(tuple(results), [(operands, gradients)])


def _as(buffer: Buffer, dtype: ScalarType) -> Buffer:
    return buffer if buffer.dtype is dtype else buffer.cast(dtype)


def _bound(kernel: Any, rows: int, width: int, device: Any) -> Any:
    """A kernel over rows, over which a thread of the host passes, or a subgroup of a device."""
    if device.is_host:
        return grid_stride(kernel, rows)
    threads = device.info.subgroup_threads
    return grid_stride(kernel, rows * threads, 3 * (width // threads + 2))


def _forward(
    cell: Cell, x: Buffer, biases: tuple[Buffer, ...], states: list[Buffer], y: Buffer | None, past: _Past
) -> None:
    h, kept, dtype = past.h, past.kept, past.h.dtype
    steps, batch, gates = x.shape
    for all_states, state in zip((h, past.c), states, strict=False):
        all_states[steps if past.is_reverse else 0].copy_from(_as(state, dtype))
    if not batch or not steps:
        return
    of_x, of_state = [_as(bias, dtype) for bias in biases] or [Buffer.zeros(gates, dtype, x.device)] * 2
    found = kernels(cell, x.device.is_host, dtype, past.lengths is not None, y is not None)
    run = _bound(found.forward, batch, gates, x.device)
    y = Buffer.empty((1, 1, 1), x.dtype, x.device) if y is None else y
    products = Buffer.empty((batch, gates), dtype, x.device)
    turned = past.weight.transpose()
    lengths = past.lengths if past.lengths is not None else Buffer.empty(1, i32, x.device)
    is_reached = all(some.can_be_indexed for some in (x, kept, h, past.c, y))
    for t, before, after in past.order():
        product_into(products, h[before], turned)
        place = t if kept.shape[0] > 1 else 0
        if is_reached:
            run(products, x, of_x, of_state, kept, h, past.c, y, lengths, t, t, before, after, place)
            continue
        low = min(before, after)
        states = [_part(some, low, 2) for some in (h, past.c)]
        some_x, some_kept, some_y = _part(x, t), _part(kept, place), _part(y, t)
        places = before - low, after - low
        run(products, some_x, of_x, of_state, some_kept, *states, some_y, lengths, t, 0, *places, 0)


def _part(x: Buffer, first: int, count: int = 1) -> Buffer:
    """Some steps of what kernels do not reach all of; what has no steps is as it is."""
    return x if x.shape[0] == 1 else x[first : first + count]


def _backward(cell: Cell, dy: Buffer, of_last: list[Buffer], past: _Past) -> list[Buffer]:
    """The gradients of inputs, weights, both biases, and the first states."""
    steps, batch, n = dy.shape
    h, weight, dtype, device = past.h, past.weight, past.h.dtype, dy.device
    gates = weight.shape[0]
    dx = Buffer.empty((steps, batch, gates), dtype, device)
    dp = Buffer.empty(dx.shape, dtype, device) if cell.splits else Buffer.empty((1, 1, 1), dtype, device)
    of_products = dp if cell.splits else dx
    flow, carry = Buffer.zeros((batch, n), dtype, device), _as(of_last[0], dtype).copy()
    dc = _as(of_last[1], dtype).copy() if cell.has_memory else Buffer.empty((1, 1), dtype, device)
    if batch and steps:
        found = kernels(cell, device.is_host, dtype, past.lengths is not None, False)
        run = _bound(found.backward, batch, gates, device)
        lengths = past.lengths if past.lengths is not None else Buffer.empty(1, i32, device)
        is_reached = all(some.can_be_indexed for some in (dy, past.kept, h, past.c, dx, dp))
        for t, before, after in reversed(past.order()):
            if is_reached:
                run(flow, carry, dc, dy, past.kept, h, past.c, dx, dp, lengths, t, t, before, after)
            else:
                low = min(before, after)
                states = [_part(some, low, 2) for some in (h, past.c)]
                some_dy, some_kept, some_dx, some_dp = (_part(some, t) for some in (dy, past.kept, dx, dp))
                places = before - low, after - low
                run(flow, carry, dc, some_dy, some_kept, *states, some_dx, some_dp, lengths, t, 0, *places)
            product_into(flow, of_products[t], weight)
    rows = of_products.reshape((steps * batch, gates))
    earlier = (h[1:] if past.is_reverse else h[:-1]).reshape((steps * batch, n))
    dweight = Buffer.empty(weight.shape, dtype, device)
    product_into(dweight, rows.transpose(), earlier)
    of_state = sum_axes(rows, (0,), dtype)
    of_x = sum_axes(dx.reshape(rows.shape), (0,), dtype) if cell.splits else of_state
    return [dx, dweight, of_x, of_state, sum_buffers([flow, carry]), *([dc] if cell.has_memory else [])]
