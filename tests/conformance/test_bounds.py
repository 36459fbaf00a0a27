"""Indices out of range: harmless without debugging, an error with the line with it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy.dsl import barrier, global_id, group_array, local_array, thread_id
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.errors import KernelIndexError
from krnlpy.scalar import SCALAR_TYPES, ScalarType, boolean, f32, i32, i64, u32
from tests.support.launching import Launcher

from .values import assert_same

T = TypeVar("T")
ONE = {"threads": (1, 1, 1), "groups": (1, 1, 1)}
every_type = pytest.mark.parametrize("type", SCALAR_TYPES, ids=str)


@pytest.fixture
def lenient(launch: Launcher) -> Launcher:
    """Devices that raise only when debugging: all but the interpreter, which always does."""
    if launch.backend.info.kind == "interpreter":
        pytest.skip("the interpreter checks every index")
    return launch


@every_type
def test_a_load_out_of_range_gives_zero(lenient: Launcher, type: ScalarType) -> None:
    def kernel(x: Global[T], at: Item[i32], y: ItemMut[T]) -> None:
        y = x[at]

    at = np.array([0, 4, 5, 6, -1, 7, 100, -(2**31), 2**31 - 1, 2**30], np.int32)
    # The view ends inside its memory: what lies beyond it must not be seen either.
    whole = np.full(40, 3, type.dtype)
    got = lenient(kernel, whole[8:13], at, np.ones(at.shape, type.dtype))[2]
    assert_same(got, np.where((at >= 0) & (at < 5), 3, 0).astype(type.dtype), at)


@every_type
def test_a_store_out_of_range_does_nothing(lenient: Launcher, type: ScalarType) -> None:
    def kernel(y: GlobalMut[T], at: Item[i32]) -> None:
        y[at] = T(7)

    at = np.array([2, 5, 6, -1, 7, 100, -(2**31), 2**31 - 1], np.int32)
    before = 0 if type is boolean else 3
    whole = np.full(40, before, type.dtype)
    got = lenient(kernel, whole[8:13], at)[0]
    around = np.lib.stride_tricks.as_strided(got, (32,), (type.size,))
    want = np.full(32, before, type.dtype)
    want[2] = 7
    assert_same(np.ascontiguousarray(around), want)


def test_each_axis_has_its_own_range(lenient: Launcher) -> None:
    def kernel(x: Global[f32, 2], i: Item[i32], j: Item[i32], y: ItemMut[f32]) -> None:
        y = x[i, j]

    x = np.ones((3, 4), np.float32)
    i, j = (np.ascontiguousarray(a.reshape(-1).astype(np.int32)) - 2 for a in np.indices((8, 8)))
    want = ((i >= 0) & (i < 3) & (j >= 0) & (j < 4)).astype(np.float32)
    assert_same(lenient(kernel, x, i, j, np.full(64, -1, np.float32))[3], want, i, j)
    assert_same(lenient(kernel, np.ones((4, 3), np.float32).T, i, j, np.full(64, -1, np.float32))[3], want, i, j)


def test_wide_indices_are_not_cut_off(lenient: Launcher) -> None:
    def kernel(x: Global[f32], at: Item[i64], y: ItemMut[f32]) -> None:
        y = x[at]

    at = np.array([1, 2**32 + 1, -(2**32) + 1, 2**62], np.int64)
    got = lenient(kernel, np.ones(3, np.float32), at, np.full(4, -1, np.float32))[2]
    assert_same(got, np.array([1, 0, 0, 0], np.float32), at)


def test_unsigned_indices_beyond_i32(lenient: Launcher) -> None:
    def kernel(x: Global[f32], at: Item[u32], y: ItemMut[f32]) -> None:
        y = x[at]

    at = np.array([1, 2**31 + 1, 2**32 - 1], np.uint32)
    got = lenient(kernel, np.ones(3, np.float32), at, np.full(3, -1, np.float32))[2]
    assert_same(got, np.array([1, 0, 0], np.float32), at)


def test_local_and_group_arrays(lenient: Launcher) -> None:
    def kernel(at: Global[i32], y: GlobalMut[f32, 2]) -> None:
        mine = local_array(f32, (2, 3))
        ours = group_array(f32, 16)
        i = thread_id()
        n = at[i]
        for k in range(3):
            mine[0, k] = 1.0
            mine[1, k] = 1.0
        ours[i] = 2.0
        barrier()
        mine[n, 0] = 5.0
        ours[n * 16 + i] = 6.0
        barrier()
        y[i, 0] = mine[0, n]
        y[i, 1] = ours[n + 3]
        y[i, 2] = mine[0, 0] + mine[1, 0]

    at = np.array([0, 1, 2, 3, -1, 16, -100, 2**27, 0, 0, 0, 0, 0, 0, 0, 0], np.int32)
    got = lenient(kernel, at, np.full((16, 3), -1, np.float32), groups=(1, 1, 1))[1]
    # Threads whose n is 0 store 6 at their own place of the group's array.
    ours = np.where(at == 0, 6.0, 2.0)
    first = np.where(at == 0, 5.0, np.where((at > 0) & (at < 3), 1.0, 0.0))
    second = [ours[n + 3] if 0 <= n + 3 < 16 else 0.0 for n in at.tolist()]
    third = np.where((at == 0) | (at == 1), 6.0, 2.0)
    assert_same(got, np.stack([first, second, third], 1).astype(np.float32))


def load_2d(x: Global[f32, 2], i: i32, j: i32, y: GlobalMut[f32]) -> None:
    y[0] = 1.0
    y[0] = x[i, j] + 1.0


def store(x: Global[f32, 2], i: i32, j: i32, y: GlobalMut[f32]) -> None:
    y[j] = x[0, i]


def in_a_local_array(x: Global[f32, 2], i: i32, j: i32, y: GlobalMut[f32]) -> None:
    a = local_array(f32, 4)
    a[0] = x[0, 0]
    y[i] = a[j]


@pytest.mark.parametrize("unchecked", [False, True])
@pytest.mark.parametrize(
    ("kernel", "i", "j", "text", "index", "length"),
    [
        (load_2d, 0, 4, "x[i, j]", 4, 4),
        (load_2d, 2, 0, "x[i, j]", 2, 2),
        (load_2d, -1, 0, "x[i, j]", -1, 2),
        (store, 0, 3, "y[j]", 3, 1),
        (in_a_local_array, 0, 9, "a[j]", 9, 4),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_debugging_raises_with_the_line(
    launch: Launcher, kernel: Callable[..., Any], i: int, j: int, text: str, index: int, length: int, unchecked: bool
) -> None:
    with pytest.raises(KernelIndexError) as caught:
        launch(
            kernel, np.ones((2, 4), np.float32), i, j, np.zeros(1, np.float32), debug=True, unchecked=unchecked, **ONE
        )
    lines, first = inspect.getsourcelines(kernel)
    assert caught.value.line == first + next(n for n, line in enumerate(lines) if text in line)
    assert caught.value.file == __file__
    assert str(index) in caught.value.message and str(length) in caught.value.message


def test_debugging_names_the_thread(launch: Launcher) -> None:
    def kernel(x: Global[f32], y: GlobalMut[f32]) -> None:
        i = global_id(0) + 8 * global_id(1)
        y[i] = x[i]

    with pytest.raises(KernelIndexError, match=r"\(5, 3, 0\)"):
        launch(
            kernel, np.ones(29, np.float32), np.zeros(30, np.float32), threads=(2, 2, 1), groups=(3, 2, 1), debug=True
        )


def test_debugging_changes_no_right_kernel(launch: Launcher) -> None:
    def kernel(x: Global[f32], y: GlobalMut[f32]) -> None:
        if global_id() < len(x):
            y[global_id()] = x[global_id()] * 2.0

    x = np.arange(20, dtype=np.float32)
    assert_same(launch(kernel, x, np.zeros_like(x), groups=(2, 1, 1), debug=True)[1], 2 * x)


def test_unchecked_kernels_run_alike(launch: Launcher) -> None:
    def kernel(x: Global[f32], y: GlobalMut[f32]) -> None:
        if global_id() < len(x):
            y[global_id()] = x[global_id()] * 2.0

    x = np.arange(20, dtype=np.float32)
    assert_same(launch(kernel, x, np.zeros_like(x), groups=(2, 1, 1), unchecked=True)[1], 2 * x)
