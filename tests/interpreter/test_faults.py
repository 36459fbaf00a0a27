"""What a thread must not do: found in the interpreter, with the line and the thread."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from krnlpy.dsl import barrier, global_id, group_array, local_array, thread_id
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Out
from krnlpy.errors import KernelError, KernelIndexError
from krnlpy.scalar import f32, i32, u32, u64
from tests.support.launching import Launcher
from tests.support.typed import untyped


def line_of(function: Callable[..., Any], text: str) -> int:
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if text in line)


def test_a_load_out_of_range(launch: Launcher) -> None:
    def kernel(x: Global[f32], y: GlobalMut[f32]) -> None:
        i = global_id()
        y[i] = x[i + 3] + 1.0

    with pytest.raises(KernelIndexError) as caught:
        launch(kernel, np.zeros(10, np.float32), np.zeros(16, np.float32), threads=(4, 1, 1), groups=(4, 1, 1))
    error = caught.value
    assert error.line == line_of(kernel, "x[i + 3]") and error.file == __file__
    assert "index 10 is out of range: x has length 10 along axis 0" in error.message
    assert "global_id (7, 0, 0): group (1, 0, 0), thread (3, 0, 0)" in error.message
    source = inspect.getsourcelines(kernel)[0][2]
    assert source[error.column : error.end_column] == "x[i + 3]"
    assert "^^^^^^^^" in str(error)


def test_a_store_out_of_range(launch: Launcher) -> None:
    def kernel(y: GlobalMut[i32]) -> None:
        y[global_id() - 1] = 7

    with pytest.raises(KernelIndexError, match=r"index -1 is out of range: y has length 4 along axis 0"):
        launch(kernel, np.zeros(4, np.int32), groups=(1, 1, 1))


def test_each_axis_is_checked(launch: Launcher) -> None:
    def kernel(x: Global[f32, 3], i: i32, j: i32, k: u64, y: GlobalMut[f32]) -> None:
        y[0] = x[i, j, k]

    x, y = np.zeros((2, 3, 4), np.float32), np.zeros(1, np.float32)
    one = {"threads": (1, 1, 1), "groups": (1, 1, 1)}
    launch(kernel, x, 1, 2, 3, y, **one)
    # Within the buffer, but not along its axis: only a check of each axis can tell.
    for index, axis in (((0, 0, 4), 2), ((0, 3, 0), 1), ((2, 0, 0), 0), ((-1, 0, 0), 0), ((0, -1, 9), 1)):
        with pytest.raises(KernelIndexError, match=f"has length {x.shape[axis]} along axis {axis}"):
            launch(kernel, x, *index, y, **one)
    with pytest.raises(KernelIndexError, match=str(2**64 - 1)):
        launch(kernel, x, 0, 0, 2**64 - 1, y, **one)


def test_local_and_group_arrays_are_checked(launch: Launcher) -> None:
    def local(n: i32, y: ItemMut[f32]) -> None:
        a = local_array(f32, (2, 3))
        y = a[1, n]

    def group(n: i32, y: GlobalMut[f32]) -> None:
        a = group_array(f32, (2, 3))
        if thread_id() == 0:
            a[n, 2] = 1.0
            y[0] = a[0, 0]

    y = np.zeros(1, np.float32)
    launch(local, 2, y)
    with pytest.raises(KernelIndexError, match="index 3 is out of range: a has length 3 along axis 1"):
        launch(local, 3, y)
    launch(group, 1, y, groups=(1, 1, 1))
    with pytest.raises(KernelIndexError, match="index 2 is out of range: a has length 2 along axis 0"):
        launch(group, 2, y, groups=(1, 1, 1))


@func
def pick(n: i32):
    table = local_array(f32, 3)
    return table[n]


def test_a_fault_in_a_function_shows_its_line_and_the_kernels(launch: Launcher) -> None:
    def kernel(n: Item[i32], y: ItemMut[f32]) -> None:
        y = pick(n)

    with pytest.raises(KernelIndexError, match="index 5") as caught:
        launch(kernel, np.array([0, 5], np.int32), np.zeros(2, np.float32))
    assert caught.value.line == line_of(untyped(pick).function, "table[n]")
    frames = {(frame.name, frame.lineno) for frame in traceback.extract_tb(caught.value.__traceback__)}
    assert ("kernel", line_of(kernel, "pick(n)")) in frames
    assert ("pick_i32", line_of(untyped(pick).function, "table[n]")) in frames


def test_an_out_element_written_twice(launch: Launcher) -> None:
    def kernel(y: Out[i32, 2]) -> None:
        i = global_id()
        y[i // 3, i % 2] = i

    with pytest.raises(KernelError, match=r"element \(0, 0\) of y is written a second time") as caught:
        launch(kernel, np.zeros((2, 2), np.int32), threads=(4, 1, 1), groups=(1, 1, 1))
    assert caught.value.line == line_of(kernel, "y[i // 3")
    assert "global_id (2, 0, 0)" in caught.value.message


@pytest.mark.parametrize("transposed", [False, True])
def test_an_out_element_that_is_not_written(launch: Launcher, transposed: bool) -> None:
    def kernel(y: Out[i32, 2]) -> None:
        i = global_id()
        if i < 5:
            y[i // 3, i % 3] = i

    y = np.zeros((3, 2), np.int32).T if transposed else np.zeros((2, 3), np.int32)
    with pytest.raises(KernelError, match=r"1 of the 6 elements of y were not written, the first at \(1, 2\)"):
        launch(kernel, y, threads=(8, 1, 1), groups=(1, 1, 1))


def test_an_out_index_out_of_range(launch: Launcher) -> None:
    def kernel(y: Out[i32]) -> None:
        y[global_id()] = 1

    with pytest.raises(KernelIndexError, match="index 3 is out of range: y has length 3"):
        launch(kernel, np.zeros(3, np.int32), groups=(1, 1, 1))


# Divergent barriers. The frontend refuses those that it can see; what it lets pass depends on values.


def test_a_barrier_that_only_some_threads_reach(launch: Launcher) -> None:
    def kernel(ids: Global[i32], y: GlobalMut[i32]) -> None:
        if ids[global_id()] == 5:
            return
        barrier()
        y[0] = 1

    check_divergent(launch, kernel, 15, r"thread \(5, 0, 0\) has ended")


def test_two_different_barriers(launch: Launcher) -> None:
    def kernel(ids: Global[i32], y: GlobalMut[i32]) -> None:
        if ids[thread_id()] < 8:
            barrier()
            y[0] = 1
        else:
            barrier()
            y[0] = 2

    check_divergent(launch, kernel, 8, "waits at the barrier in line")


def test_one_barrier_in_different_iterations(launch: Launcher) -> None:
    def kernel(ids: Global[i32], y: GlobalMut[i32]) -> None:
        for i in range(2):
            if ids[thread_id()] != 3 or i == 1:
                barrier()
        y[0] = 1

    check_divergent(launch, kernel, 15, "is there in another iteration of the loop")


def check_divergent(launch: Launcher, kernel: Callable[..., Any], waiting: int, why: str) -> None:
    with pytest.raises(KernelError, match=why) as caught:
        launch(kernel, np.arange(16, dtype=np.int32), np.zeros(1, np.int32), groups=(1, 1, 1))
    assert f"divergent barrier: {waiting} of the 16 threads of group (0, 0, 0) wait here" in caught.value.message
    assert caught.value.line == line_of(kernel, "barrier()")


def test_an_index_of_a_narrow_type(launch: Launcher) -> None:
    def kernel(x: Global[u32], at: Item[u32], y: ItemMut[u32]) -> None:
        y = x[at]

    at = np.array([0, 2**32 - 1], np.uint32)
    with pytest.raises(KernelIndexError, match="index 4294967295"):
        launch(kernel, np.zeros(3, np.uint32), at, np.zeros_like(at))
