"""Scans of buffers, without gradients: by the whole device, always in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from math import prod
from typing import Any, Literal

from autograph.functions.launch import MAX_PASSES, grid_stride, reshape_or_copy
from autograph.functions.reducers.kernels import COLUMN_LANES, Form, Step
from autograph.functions.reducers.reducer import Identity, Reducer, Steps
from krnlpy import Buffer, Func, ScalarType

from .kernels import written_scan, written_totals

LIGHT = 1 << 20
"""Elements of a row that a thread of the host scans, where to combine them takes no longer than to read them."""

_THREADS = 1 << 14  # on a device: enough to fill a large GPU
_MIN_CHUNK = 32  # elements that a thread of a device scans: fewer do not pay for what stands before chunks
_HOST_ITEMS = 1 << 10  # chunks, and so the most threads of the host that take part


class Scanner:
    """What a scan computes: each element along an axis combined with all before it.

    Args:
        name: of the operation, for messages.
        map: from an element of each operand to a number or several, the state; and from its place on the axis, if it
            has one parameter more. None: the element itself.
        combine: from two states to one, associative; None: the sum.
        finish: from the state to the result or several; None: the state.
        identity: the state that changes nothing, or a function that gives it for a dtype.
        operands: their number.
        widens: integers give at least 32 bits, as sums do.
        commutes: two states give the same in any order.
        host_chunk: how many elements of a row a thread of the host scans: fewer where combining them takes so long that
            more threads are worth that elements are read twice.
    """

    def __init__(
        self,
        name: str,
        map: Callable[..., Any] | None = None,
        combine: Callable[..., Any] | None = None,
        finish: Callable[..., Any] | None = None,
        identity: Identity | Callable[[ScalarType], Identity] = (0,),
        operands: int = 1,
        widens: bool = False,
        commutes: bool = True,
        host_chunk: int = 1 << 16,
    ) -> None:
        map, combine, finish = (f if f is None or isinstance(f, Func) else Func(f) for f in (map, combine, finish))
        self._reducer = Reducer(name, map, combine, finish, identity, operands, widens)
        self._commutes = commutes
        self._host_chunk = host_chunk
        self._kernels: dict[Any, Any] = {}

    def scanned(
        self,
        buffers: list[Buffer],
        axis: int,
        dtype: ScalarType,
        results: tuple[ScalarType, ...] = (),
        *,
        is_reversed: bool = False,
    ) -> list[Buffer]:
        """The results for buffers of one shape, which are promoted to a dtype.

        Args:
            buffers: the operands.
            axis: counted from the front.
            dtype: in which they are computed.
            results: the dtypes of the results, if others than the functions give.
            is_reversed: each element is combined with all behind it, the last one first.

        Raises:
            DtypeError: the functions do not compile for the dtype.
        """
        steps = self._reducer.steps(tuple(buffer.dtype for buffer in buffers), dtype)
        steps = steps.giving(results) if results else steps
        shape = buffers[0].shape
        outs = [Buffer.empty(shape, dtype, buffers[0].device) for dtype in steps[True, True].results]
        if outs[0].size:
            form = (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))
            ways = [reshape_or_copy(buffer, form) for buffer in buffers], [out.reshape(form) for out in outs]
            if is_reversed:
                ways = [b[:, ::-1] for b in ways[0]], [b[:, ::-1] for b in ways[1]]
            self._scan(steps, (True, True), *ways)
        return outs

    def _scan(self, steps: Steps, kind: tuple[bool, bool], inputs: list[Buffer], outs: list[Buffer]) -> None:
        """Scans the middle axis of ``[outer, n, inner]`` by a step: of elements or states, to results or states."""
        device, (outer, n, inner) = inputs[0].device, inputs[0].shape
        step = steps[kind]
        form, length = _work(device.is_host, outer, n, inner, self._host_chunk)
        chunks = -(-n // length)
        if chunks == 1:
            self._launch((step, form, "begins"), [*inputs, *outs], 1, length)
            return
        totals, before = ([Buffer.empty((outer, chunks, inner), s, device) for s in step.states] for _ in range(2))
        pieces = _pieces([*inputs, *outs], length, chunks)
        for first, end in pieces:
            if form == "rows" and self._commutes:
                self._fast_totals(steps, kind, inputs, totals, slice(first, min(end, chunks - 1)), length)
                continue
            elements, states = slice(first * length, end * length), slice(first + 1 if first else 0, end + 1)
            given = [*(b[:, elements] for b in inputs), *(b[:, states] for b in totals)]
            self._launch((step, form, "totals"), given, given[-1].shape[1], length, 0 if first else -1)
        self._scan(steps, (False, False), totals, before)
        for first, end in pieces:
            elements = slice(first * length, end * length)
            given = [*(b[:, elements] for b in inputs), *(b[:, first:end] for b in before)]
            given += [b[:, elements] for b in outs]
            self._launch((step, form, "continues"), given, end - first, length)

    def _fast_totals(
        self, steps: Steps, kind: tuple[bool, bool], inputs: list[Buffer], totals: list[Buffer], chunks: slice, n: int
    ) -> None:
        """What stands before the chunks behind some, each of n elements, in vectors: by a pass of a reduction, which
        combines elements in any order."""
        if not chunks.start:
            for total, value in zip(totals, steps[kind].identity, strict=True):
                total[:, :1].fill(value)
        given = [b[:, chunks.start * n : chunks.stop * n] for b in inputs]
        given += [b[:, chunks.start + 1 : chunks.stop + 1] for b in totals]
        for some in _within_reach(given):
            built = grid_stride(steps.kernel((kind[0], False), "rows"), some[-1].size)
            built(*(b.reshape(b.shape[:2]) for b in some))

    def _launch(self, key: tuple[Step, Form, What], buffers: list[Buffer], chunks: int, *numbers: int) -> None:
        step, form, what = key
        if key not in self._kernels:
            written = written_totals(step, form) if what == "totals" else written_scan(step, form, what == "begins")
            self._kernels[key] = written
        passes = numbers[0] + numbers[0] // 8 + 2
        for some in _within_reach(buffers):
            outer, _, inner = some[0].shape
            columns = -(-inner // COLUMN_LANES) if form == "columns" else inner
            flat = [b.reshape(b.shape[:2]) for b in some] if form == "rows" else some
            grid_stride(self._kernels[key], outer * chunks * columns, passes)(*flat, *numbers)


What = Literal["begins", "totals", "continues"]


@lru_cache(maxsize=1024)
def _work(is_host: bool, outer: int, n: int, inner: int, host_chunk: int) -> tuple[Form, int]:
    """The form of the kernels, and the length of chunks: by the shape alone, so that the order in which elements are
    combined never changes."""
    if is_host and inner > 1:
        strips = -(-inner // COLUMN_LANES)
        return "columns", -(-n // max(1, min(n // _MIN_CHUNK, _HOST_ITEMS // 16 // max(1, outer * strips))))
    if is_host:
        return "rows", -(-n // max(1, min(n // host_chunk, _HOST_ITEMS // max(1, outer))))
    return "device", -(-n // max(-(-n // (MAX_PASSES // 2)), min(n // _MIN_CHUNK, _THREADS // (outer * inner)), 1))


def _within_reach(buffers: list[Buffer]) -> Iterator[list[Buffer]]:
    """Splits buffers ``[outer, n, inner]`` that kernels do not reach: along the first axis, or else the last."""
    axis = 0 if buffers[0].shape[0] > 1 else 2
    n = buffers[0].shape[axis]
    if n == 1 or all(buffer.can_be_indexed for buffer in buffers):
        yield buffers
        return
    for half in (slice(n // 2), slice(n // 2, None)):
        yield from _within_reach([buffer[(*(slice(None),) * axis, half)] for buffer in buffers])


def _pieces(buffers: list[Buffer], length: int, chunks: int) -> list[tuple[int, int]]:
    """Ranges of chunks so short that kernels reach all that a row has of them."""
    count = 1
    while count < chunks and not all(b[:1, : -(-chunks // count) * length].can_be_indexed for b in buffers):
        count *= 2
    size = -(-chunks // count)
    return [(first, min(first + size, chunks)) for first in range(0, chunks, size)]
