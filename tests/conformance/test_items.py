"""Items: contiguous, strided, transposed, broadcast, sliced."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from krnlpy.dsl import item_id, items
from krnlpy.dsl.types.annotations import Global, Item, ItemMut
from krnlpy.scalar import f32, i32
from tests.support.launching import Launcher

from .values import assert_same

Array = np.ndarray


def combine(x: Item[f32], y: Item[f32], z: ItemMut[f32]) -> None:
    z = x + 100 * y


def ramp(*shape: int) -> Array:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


VIEWS: dict[str, Callable[[], tuple[Array, Array, Array]]] = {
    "one element": lambda: (ramp(1), ramp(1), ramp(1)),
    "contiguous": lambda: (ramp(5, 7), ramp(5, 7), ramp(5, 7)),
    "four axes": lambda: (ramp(2, 3, 4, 5), ramp(2, 3, 4, 5), ramp(2, 3, 4, 5)),
    "transposed": lambda: (ramp(7, 5).T, ramp(5, 7), ramp(5, 7)),
    "all transposed": lambda: (ramp(7, 5).T, ramp(7, 5).T, ramp(7, 5).T),
    "permuted axes": lambda: (ramp(4, 2, 3).transpose(1, 2, 0), ramp(2, 3, 4), ramp(3, 4, 2).transpose(2, 0, 1)),
    "steps": lambda: (ramp(10, 7)[::2], ramp(5, 14)[:, ::2], ramp(5, 7)),
    "offset": lambda: (ramp(100)[31:66].reshape(5, 7), ramp(8, 9)[2:7, 1:8], ramp(5, 7)),
    "written through a view": lambda: (ramp(3, 4), ramp(3, 4), ramp(5, 9)[1:4, ::2][:, 1:]),
    "broadcast row": lambda: (np.broadcast_to(ramp(7), (5, 7)), ramp(5, 7), ramp(5, 7)),
    "broadcast column": lambda: (np.broadcast_to(ramp(5, 1), (5, 7)), ramp(5, 7), ramp(5, 7)),
    "broadcast number": lambda: (ramp(5, 7), np.broadcast_to(ramp(1), (5, 7)), ramp(5, 7)),
}


@pytest.mark.parametrize("case", VIEWS)
def test_views(launch: Launcher, case: str) -> None:
    x, y, z = VIEWS[case]()
    got = launch(combine, x, y, z)
    assert_same(np.ascontiguousarray(got[2]), np.ascontiguousarray(x + 100 * y))
    assert_same(np.ascontiguousarray(got[0]), np.ascontiguousarray(x))


def test_elements_beside_a_view_are_left_alone(launch: Launcher) -> None:
    def kernel(y: ItemMut[f32]) -> None:
        y = -1.0

    whole = ramp(6, 8)
    got = launch(kernel, whole[1:5, 1:7:2])[0]
    base = np.lib.stride_tricks.as_strided(got, (6 * 8 - 9,), (4,))
    want = whole.copy()
    want[1:5, 1:7:2] = -1
    assert_same(np.ascontiguousarray(base), np.ascontiguousarray(want.reshape(-1)[9:]))


@pytest.mark.parametrize("strided", [False, True])
def test_item_ids_count_in_row_major_order(launch: Launcher, strided: bool) -> None:
    def kernel(index: ItemMut[i32], count: ItemMut[i32]) -> None:
        index = item_id()
        count = items()

    index = np.zeros((4, 3), np.int32).T if strided else np.zeros((3, 4), np.int32)
    got = launch(kernel, index, np.zeros((3, 4), np.int32))
    assert_same(np.ascontiguousarray(got[0]), np.arange(12, dtype=np.int32).reshape(3, 4))
    assert (got[1] == 12).all()


def test_items_beside_globals(launch: Launcher) -> None:
    def kernel(table: Global[f32, 2], row: Item[i32], column: Item[i32], y: ItemMut[f32]) -> None:
        y = table[row, column]

    table = ramp(4, 6)[:, ::2]
    row, column = (np.ascontiguousarray(i.astype(np.int32)) for i in np.indices((4, 3)))
    got = launch(kernel, table, row[::-1], column, np.zeros((4, 3), np.float32))
    assert_same(np.ascontiguousarray(got[3]), np.ascontiguousarray(table[::-1]))


def test_strided_globals(launch: Launcher) -> None:
    def kernel(a: Global[f32, 3], y: ItemMut[f32]) -> None:
        i = item_id()
        k = i % a.shape[2]
        j = i // a.shape[2] % a.shape[1]
        y = a[i // a.shape[2] // a.shape[1], j, k]

    for a in (ramp(2, 3, 4), ramp(4, 3, 2).T, ramp(4, 6, 4)[1:3, ::2], np.broadcast_to(ramp(3, 1), (2, 3, 4))):
        got = launch(kernel, a, np.zeros(a.shape, np.float32))[1]
        assert_same(got, np.ascontiguousarray(a))


def test_more_threads_than_items(launch: Launcher) -> None:
    def kernel(y: ItemMut[i32]) -> None:
        y += 1

    for size in (1, 15, 16, 17, 31, 257):
        assert_same(launch(kernel, np.zeros(size, np.int32))[0], np.ones(size, np.int32))
