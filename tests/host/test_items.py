"""Item kernels on the host: all types, strides, broadcasting, all lengths."""

from typing import TypeVar

import numpy as np
import pytest

from krnlpy.dsl import item_id, items
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.scalar import ScalarType, bf16, convert, f16, f32, f64, i32
from tests.conformance.values import NUMBERS

from .launch import launch

T = TypeVar("T")


def saxpy(alpha: T, x: Item[T], y: ItemMut[T]) -> None:
    y += alpha * x


def numbers(type: ScalarType, count: int) -> np.ndarray:
    return (np.arange(count) % 23 + 1).astype(type.dtype)


@pytest.mark.parametrize("type", NUMBERS, ids=repr)
@pytest.mark.parametrize("count", [1, 31, 1000])
def test_saxpy_of_every_type(type: ScalarType, count: int) -> None:
    x, y = numbers(type, count), numbers(type, count)[::-1].copy()
    wide = np.dtype(np.float32) if type.is_float and type.size < 4 else type.dtype
    expected = convert(y.astype(wide) + wide.type(3) * x.astype(wide) if type.size > 2 else
                       convert(y.astype(wide) + np.asarray(3, wide) * x.astype(wide), type), type)  # fmt: skip
    launch(saxpy, 3, x, y, types={T: type})
    assert np.array_equal(y, expected)


def test_more_items_than_one_worker_takes() -> None:
    count = 3_000_001
    x, y = np.arange(count, dtype=np.float32), np.ones(count, np.float32)
    launch(saxpy, 2.0, x, y, types={T: f32})
    assert np.array_equal(y, 1 + 2 * x)


def test_no_items() -> None:
    """What lies around them stays as it is."""
    x, y = np.ones(8, np.float32), np.arange(8, dtype=np.float32)
    launch(saxpy, 2.0, x[4:4], y[4:4], types={T: f32})
    assert np.array_equal(y, np.arange(8, dtype=np.float32))


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::2],
        lambda a: a.reshape(30, 40)[3:, 5:30],
        lambda a: a.reshape(30, 40).T,
        lambda a: a.reshape(2, 15, 2, 20).transpose(2, 0, 3, 1)[:, :, ::3],
        lambda a: np.broadcast_to(a[:40], (30, 40)),
        lambda a: np.broadcast_to(a[:30, None], (30, 40)),
        lambda a: np.broadcast_to(a[:1], (7, 5)),
        lambda a: a[5:6],
    ],
)
@pytest.mark.parametrize("type", [f32, bf16, f64, f16], ids=repr)
def test_strided_items(view, type: ScalarType) -> None:
    x = view(numbers(type, 1200))
    y = numbers(type, x.size).reshape(x.shape)
    expected = (y.astype(np.float64) + 2 * x.astype(np.float64)).astype(type.dtype)
    launch(saxpy, 2.0, x, y, types={T: type}, strided=True)
    assert np.array_equal(y, expected)


def test_strided_results() -> None:
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    whole = np.zeros((6, 8), np.float32)
    y = whole[:, ::2].T
    launch(saxpy, 1.0, x, y, types={T: f32})
    assert np.array_equal(y, x)
    assert not whole[:, 1::2].any()


def test_ids_of_items() -> None:
    def number(y: ItemMut[i32], of: ItemMut[i32]) -> None:
        y = item_id()
        of = items()

    for strided in (False, True):
        y, of = np.zeros((7, 9), np.int32), np.zeros((7, 9), np.int32)
        launch(number, y, of, strided=strided)
        assert np.array_equal(y.reshape(-1), np.arange(63))
        assert (of == 63).all()


def test_items_with_globals() -> None:
    def gather(index: Item[i32], table: Global[f32], y: ItemMut[f32], count: GlobalMut[i32, 2]) -> None:
        y = table[index]
        if index < 0:
            return
        count[0, index] = index

    index = np.array([3, -1, 0, 99, 4], np.int32)
    table = np.arange(10, 15, dtype=np.float32)
    y, count = np.zeros(5, np.float32), np.zeros((1, 5), np.int32)
    launch(gather, index, table, y, count)
    assert y.tolist() == [13, 0, 10, 0, 14]  # out of range reads as 0
    assert count.tolist() == [[0, 0, 0, 3, 4]]


def test_return_ends_the_item() -> None:
    def positive(x: Item[f32], y: ItemMut[f32]) -> None:
        if x < 0.0:
            return
        y = x

    x = np.array([1, -1, 2, -2], np.float32)
    y = np.full(4, 9, np.float32)
    launch(positive, x, y)
    assert y.tolist() == [1, 9, 2, 9]
