"""``unchecked(a)[i]``: the same elements without a check, which debug mode and the interpreter make all the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import Buffer, Device, StructBuffer, func, kernel
from krnlpy.dsl import (
    CooperativeMatrix,
    atomic_add,
    barrier,
    global_id,
    group_array,
    local_array,
    thread_id,
    unchecked,
    vec2,
)
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.errors import KernelIndexError, KernelTypeError
from krnlpy.scalar import SCALAR_TYPES, ScalarType, boolean, f32, i32, u32
from tests.support.launching import Launcher, lower

from .values import assert_same

T = TypeVar("T")
TABLE = np.array([3, 1, 4, 1, 5], np.int32)


@dataclass
class Body:
    place: vec2
    mass: f32


@pytest.mark.parametrize("strided", [False, True], ids=["contiguous", "strided"])
@pytest.mark.parametrize("type", SCALAR_TYPES, ids=str)
def test_elements_of_every_type(launch: Launcher, type: ScalarType, strided: bool) -> None:
    def reverse(x: Global[T, 2], y: GlobalMut[T, 2]) -> None:
        row = global_id()
        if row < x.shape[0]:
            for j in range(x.shape[1]):
                unchecked(y)[row, x.shape[1] - 1 - j] = unchecked(x)[row, j]

    numbers = np.arange(35).reshape(5, 7) % (2 if type is boolean else 100)
    x, y = numbers.astype(type.dtype), np.zeros((5, 7), type.dtype)
    if strided:
        x, y = x.T.copy().T, y.T.copy().T
    assert_same(launch(reverse, x, y, groups=(1, 1, 1))[1], x[:, ::-1])


def test_rows_slices_names_and_functions(launch: Launcher) -> None:
    @func
    def add_up(values: Global[f32]) -> f32:
        total = 0.0
        for i in range(len(values)):
            total += values[i]
        return total

    def sums(x: Global[f32, 2], y: GlobalMut[f32, 2], n: i32) -> None:
        i = global_id()
        if i < x.shape[0]:
            row, out = unchecked(x)[i], unchecked(y)
            out[i, 0] = add_up(row)
            out[i, 1] = add_up(unchecked(x)[i, 1:n])
            out[i, 2] = unchecked(x[i, 1:])[n - 1]
            out[i, 3] += unchecked(row)[len(row) - 1]
            unchecked(y)[i, 4:] = row[:2]

    x = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
    got = launch(sums, x, np.zeros((6, 6), np.float32), 3, groups=(1, 1, 1))[1]
    total, some = np.float32(0) + x[:, 0], x[:, 1] + x[:, 2]
    for j in range(1, 5):
        total = total + x[:, j]
    assert_same(got, np.stack([total, some, x[:, 3], x[:, 4], x[:, 0], x[:, 1]], 1))


def test_arrays_tables_and_atomics(launch: Launcher) -> None:
    def shuffle(x: Global[i32], y: GlobalMut[i32], counts: GlobalMut[u32]) -> None:
        own, mine = group_array(i32, 16), local_array(i32, 4)
        i = thread_id()
        unchecked(own)[i] = x[i]
        unchecked(mine)[i % 4] = TABLE[i % 5]
        barrier()
        y[i] = unchecked(own)[15 - i] * 100 + unchecked(mine)[i % 4] * 10 + unchecked(TABLE)[i % 5]
        atomic_add(unchecked(counts)[x[i] % 3], 2)

    x = np.arange(16, dtype=np.int32)
    got = launch(shuffle, x, np.zeros(16, np.int32), np.zeros(3, np.uint32), groups=(1, 1, 1))
    table = TABLE[x % 5]
    assert_same(got[1], (x[::-1] * 100 + table * 11).astype(np.int32))
    assert_same(got[2], np.array([12, 10, 10], np.uint32))


def test_structs_and_vectors(device: Device) -> None:
    @kernel(threads=8)
    def push(bodies: GlobalMut[Body], places: GlobalMut[vec2]) -> None:
        i = global_id()
        unchecked(bodies)[i].place.x += unchecked(bodies.mass)[i]
        unchecked(places)[i] = 2.0 * unchecked(bodies)[i].place
        atomic_add(unchecked(places)[i].y, 1.0)

    bodies = StructBuffer.zeros(8, Body, device)
    mass = bodies["mass"]
    assert isinstance(mass, Buffer)
    mass.fill(3.0)
    places = Buffer.zeros((8, 2), f32, device)
    push.with_groups(1)(bodies, places)
    assert_same(places.numpy(), np.tile(np.float32([6, 1]), (8, 1)))


def test_cooperative_matrices(device: Device) -> None:
    Sum = CooperativeMatrix[f32, 8, 8, "accumulator"]  # noqa: N806

    @kernel
    def double(x: Global[f32, 2], y: GlobalMut[f32, 2]) -> None:
        tile = Sum.load(unchecked(x), 2, 1, transposed=True)
        (tile * 2.0).store(unchecked(y), 1, 3)

    x = np.random.default_rng(0).standard_normal((10, 9)).astype(np.float32)
    y = Buffer.zeros((9, 11), f32, device)
    double.with_threads(device.info.subgroup_threads).with_groups(1)(Buffer.from_numpy(x, device), y)
    want = np.zeros((9, 11), np.float32)
    want[1:, 3:] = 2 * x[2:, 1:].T
    assert_same(y.numpy(), want)


def load(x: Global[f32, 2], y: GlobalMut[f32, 2], i: i32) -> None:
    y[0, 0] = unchecked(x)[1, i]


def store(x: Global[f32, 2], y: GlobalMut[f32, 2], i: i32) -> None:
    unchecked(y)[1, i] = x[0, 0]


def within_a_slice(x: Global[f32, 2], y: GlobalMut[f32, 2], i: i32) -> None:
    y[0, 0] = unchecked(x[1, :2])[i]


def atomic(x: Global[f32, 2], y: GlobalMut[f32, 2], i: i32) -> None:
    atomic_add(unchecked(y)[1, i], 1.0)


@pytest.mark.parametrize("function", [load, store, within_a_slice, atomic], ids=lambda f: f.__name__)
@pytest.mark.parametrize("i", [-1, 3])
def test_it_is_checked_when_debugging(launch: Launcher, function: Callable[..., Any], i: int) -> None:
    x = np.ones((2, 3), np.float32)
    with pytest.raises(KernelIndexError) as caught:
        launch(function, x, x, i, threads=(1, 1, 1), groups=(1, 1, 1), debug=True)
    lines, first = inspect.getsourcelines(function)
    assert caught.value.line == first + next(n for n, line in enumerate(lines) if "unchecked" in line)
    assert caught.value.file == __file__


def test_the_interpreter_always_checks() -> None:
    launch = Launcher(Device.interpreter().backend)
    x = np.ones((2, 3), np.float32)
    with pytest.raises(KernelIndexError, match=r"index 3 is out of range"):
        launch(load, x, x, 3, threads=(1, 1, 1), groups=(1, 1, 1))


def test_what_it_refuses() -> None:
    def of_a_number(x: GlobalMut[f32]) -> None:
        x[0] = unchecked(3.0)[0]

    def of_an_item(x: Item[f32], y: ItemMut[f32]) -> None:
        y = unchecked(x)[0]

    def of_two(x: GlobalMut[f32]) -> None:
        x[0] = unchecked(x, x)[0]  # type: ignore[call-arg]

    def of_what_is_read(x: Global[f32]) -> None:
        unchecked(x)[0] = 1.0

    for function, text in (
        (of_a_number, "the number 3.0 cannot be indexed"),
        (of_an_item, "x is an item"),
        (of_two, "takes 1 argument"),
        (of_what_is_read, "x is read only"),
    ):
        with pytest.raises(KernelTypeError, match=text):
            lower(function)
