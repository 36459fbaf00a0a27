"""Products of matrices as calls of BLAS's own functions, which the host's threads share."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from autograph.functions.products.blas import gemm, single
from krnlpy import ForeignCalls, call_foreign

SINGLE_WORK = 1 << 18
"""Multiplications of two matrices, which BLAS does on one thread; with more it takes several by itself."""
_CALL_WORK = 1 << 18  # multiplications that are worth a thread
ALONE = -1000
"""An axis that no product has: the calls are not shared, but by graphs."""
_ROW_MAJOR, _PLAIN, _TURNED = 101, 111, 112  # as C's header of BLAS has them

Array = np.ndarray[Any, Any]


class Product:
    """The function of :func:`krnlpy.host_call` that multiplies stacks of matrices, whose leading axes broadcast.

    Args:
        axis: -2 or -1 where the rows or columns of the product are cut in parts; else stacks are.
        length: of the parts.
    """

    __name__ = "matmul"

    def __init__(self, axis: int, length: int) -> None:
        self._axis, self._length = axis, length

    def __call__(self, a: Array, b: Array, out: Array) -> None:
        calls = self.foreign(a, b, out) if self._is_shared(out) else None
        if calls is not None:
            call_foreign(calls)
        elif a.shape[-1] * out.shape[-2] * out.shape[-1] > SINGLE_WORK:
            single(np.matmul, a, b, out)
        else:
            (np.dot if out.ndim == 2 else np.matmul)(a, b, out)

    def _is_shared(self, out: Array) -> bool:
        """Whether there are several calls."""
        return self._length < out.shape[self._axis] if self._axis >= -2 else self._axis > ALONE and out.ndim > 2

    def foreign(self, a: Array, b: Array, out: Array) -> ForeignCalls | None:
        """What is called in a graph; None where BLAS can't take the arrays, or NumPy calls other functions of its."""
        m, n = out.shape[-2:]
        k, size, axis = a.shape[-1], out.itemsize, self._axis
        function, left, right, into = gemm(out.dtype), _matrix(a), _matrix(b), _matrix(out)
        if function is None or left is None or right is None or into is None or into[0] == _TURNED:
            return None
        if min(m, n, k) < 2 or not out.size or (function.integer == "i4" and max(m, n, k, *left, *right, *into) >> 31):
            return None
        lead = out.shape[:-2]
        starts = np.arange(0, out.shape[axis], self._length) if axis >= -2 else np.zeros(1, np.int64)
        table = np.empty((prod(lead), len(starts)), _row(function.integer, out.dtype))
        table[...] = (_ROW_MAJOR, left[0], right[0], m, n, k, 1, 0, left[1], 0, right[1], 0, 0, into[1])
        table["a"] = _places(a, lead) + (starts * a.strides[-2] if axis == -2 else 0)
        table["b"] = _places(b, lead) + (starts * b.strides[-1] if axis == -1 else 0)
        table["c"] = _places(out, lead) + (starts * (out.strides[-2] if axis == -2 else size) if axis >= -2 else 0)
        if axis >= -2:
            table["m" if axis == -2 else "n"] = np.minimum(out.shape[axis] - starts, self._length)
        work = m * n * k
        within = single if work > SINGLE_WORK else None
        return ForeignCalls(function.address, table.reshape(-1), max(1, _CALL_WORK // work), within)


def _row(integer: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The arguments of ``cblas_?gemm``."""
    whole = dict.fromkeys(("order", "turns_a", "turns_b"), "i4") | dict.fromkeys("mnk", integer)
    fields = {**whole, "alpha": dtype.str[1:], "a": "u8", "lda": integer, "b": "u8", "ldb": integer}
    fields |= {"beta": dtype.str[1:], "c": "u8", "ldc": integer}
    return np.dtype(list(fields.items()))


def _matrix(x: Array) -> tuple[int, int] | None:
    """Whether BLAS is to turn a matrix, and the elements from one of its rows or columns to the next; None where it
    can't take it."""
    (down, across), (rows, columns), size = x.strides[-2:], x.shape[-2:], x.itemsize
    if across == size and down % size == 0 and down >= columns * size:
        return _PLAIN, down // size
    if down == size and across % size == 0 and across >= rows * size:
        return _TURNED, across // size
    return None


def _places(x: Array, lead: tuple[int, ...]) -> Any:
    """The addresses of the matrices of a stack that broadcasts, as a column."""
    places: Any = np.full(1, x.__array_interface__["data"][0], np.int64)
    for axis, length in enumerate(lead, x.ndim - 2 - len(lead)):
        step = x.strides[axis] if axis >= 0 and x.shape[axis] > 1 else 0
        places = (places[:, None] + np.arange(length) * step).reshape(-1)
    return places[:, None]
