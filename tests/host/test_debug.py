"""Kernels built for debugging report the first index out of range, and touch nothing."""

import inspect

import numpy as np
import pytest

from krnlpy.dsl import barrier, global_id, group_array, local_array, thread_id
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.errors import KernelIndexError
from krnlpy.scalar import f32, i32, i64

from .launch import launch


def shift(x: Global[f32, 2], y: GlobalMut[f32, 2]) -> None:
    i = global_id(1)
    j = global_id(0)
    y[i, j] = x[i, j + 1]


@pytest.mark.parametrize("unchecked", [False, True])
def test_the_error_names_everything(unchecked: bool) -> None:
    x, y = np.ones((2, 4), np.float32), np.zeros((2, 4), np.float32)
    with pytest.raises(KernelIndexError) as caught:
        launch(shift, x, y, threads=(4, 2, 1), debug=True, unchecked=unchecked)
    error = caught.value
    lines, first = inspect.getsourcelines(shift)
    assert error.file == __file__
    assert error.line == first + len(lines) - 1
    assert error.column == lines[-1].index("x[i, j + 1]")
    for part in ("index 4 is", "x has length 4 along axis 1", "global_id (3, 0, 0)", "group (0, 0, 0)"):
        assert part in error.message
    assert "^^^" in str(error)


def test_no_error_where_all_is_well() -> None:
    x, y = np.ones((2, 5), np.float32), np.zeros((2, 4), np.float32)
    launch(shift, x, y, threads=(4, 2, 1), debug=True)
    assert (y == 1).all()


def test_without_debug_reads_are_zero_and_writes_are_dropped() -> None:
    def scatter(x: Item[i64], z: Global[i32], y: GlobalMut[i32]) -> None:
        y[x] = 1 + z[x - i64(1)]

    whole = np.zeros(9, np.int32)
    y = whole[3:6]
    index = np.array([-(2**63), -3, -1, 0, 1, 3, 4, 2**31, 2**32, 2**32 + 1, 2**63 - 1])
    launch(scatter, index, np.array([10, 20, 30], np.int32), y)
    assert whole.tolist() == [0, 0, 0, 1, 11, 0, 0, 0, 0]


def test_negative_index() -> None:
    def before(x: Item[f32], y: GlobalMut[f32]) -> None:
        y[i32(x) - 3] = x

    with pytest.raises(KernelIndexError, match=r"index -2 is out of range: y has length 5 .*global_id \(1, 0, 0\)"):
        launch(before, np.array([3, 1, 4], np.float32), np.zeros(5, np.float32), debug=True)


@func
def third(x: f32) -> f32:
    kept = local_array(f32, 3)
    kept[0] = x
    return kept[i32(x)]


def test_functions_and_arrays() -> None:
    def call(x: Item[f32], y: ItemMut[f32]) -> None:
        y = third(x)

    def beyond(y: GlobalMut[f32]) -> None:
        shared = group_array(f32, 4)
        shared[thread_id() * 2] = 1.0
        barrier()
        y[thread_id()] = shared[thread_id()]

    x = np.array([0, 1, 2, 3], np.float32)
    with pytest.raises(KernelIndexError, match=r"index 3 .* kept has length 3 .*global_id \(3, 0, 0\)") as caught:
        launch(call, x, np.zeros(4, np.float32), debug=True)
    assert "return kept[i32(x)]" in str(caught.value)
    with pytest.raises(KernelIndexError, match=r"index [46] .* shared has length 4"):
        launch(beyond, np.zeros(4, np.float32), threads=(4, 1, 1), debug=True)
    y = np.zeros(4, np.float32)
    launch(beyond, y, threads=(4, 1, 1))
    assert y.tolist() == [1, 0, 1, 0]


def test_only_one_of_many_failures_is_reported() -> None:
    def wild(y: GlobalMut[f32]) -> None:
        y[global_id() + 100000] = 1.0

    with pytest.raises(KernelIndexError, match="y has length 10"):
        launch(wild, np.zeros(10, np.float32), threads=(64, 1, 1), groups=(100000, 1, 1), debug=True)
