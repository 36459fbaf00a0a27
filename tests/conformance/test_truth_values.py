"""Truth values in memory: a byte each, in buffers, structs and arrays, on devices without bytes too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import func
from krnlpy.dsl import (
    Vector,
    barrier,
    barrier_any,
    barrier_count,
    cast,
    global_id,
    group_array,
    item_id,
    local_array,
    thread_id,
    where,
)
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Out
from krnlpy.scalar import SCALAR_TYPES, ScalarType, boolean, f16, f32, i32, u8
from tests.support.launching import Launcher

from .values import assert_same, edges

T = TypeVar("T")
B = TypeVar("B", f16, i32, bool)


def flags(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).random(count) < 0.5


def combine(a: Item[bool], b: Item[bool], x: Item[f32], every: Out[u8, 2], last: ItemMut[bool]) -> None:
    i = item_id()
    every[i, 0] = u8(a and b) + u8(a or b) * u8(2) + u8(not a) * u8(4) + u8(a ^ b) * u8(8)
    every[i, 1] = u8(a == b) + u8(a & b) * u8(2) + u8(a | b) * u8(4) + u8(a != (x > 0.0)) * u8(8)
    if a and not last:
        last = b or x > 0.5
    elif last:
        last = x > 0.0 if b else a


def test_operators(launch: Launcher) -> None:
    a, b, last = (flags(101, seed) for seed in range(3))
    x = np.linspace(-1, 1, 101, dtype=np.float32)
    got = launch(combine, a, b, x, np.zeros((101, 2), np.uint8), last)
    first = (a & b) + (a | b) * 2 + ~a * 4 + (a ^ b) * 8
    second = (a == b) + (a & b) * 2 + (a | b) * 4 + (a != (x > 0)) * 8
    assert_same(got[3], np.stack([first, second], 1).astype(np.uint8))
    assert_same(got[4], np.where(a & ~last, b | (x > 0.5), np.where(last, np.where(b, x > 0, a), last)))


def sieve(composite: GlobalMut[bool], n: i32) -> None:
    """One thread: what it reads it has written before."""
    if global_id() == 0:
        composite[0] = True
        composite[1] = True
        for p in range(2, n):
            if not composite[p]:
                for multiple in range(2 * p, n, p):
                    composite[multiple] = True


def test_a_sieve(launch: Launcher) -> None:
    composite = launch(sieve, np.zeros(50, bool), 50, groups=(1, 1, 1))[0]
    assert np.flatnonzero(~composite).tolist() == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]


def count(x: Global[bool], y: Out[i32], sums: Out[f32], n: i32) -> None:
    own = local_array(bool, 8)
    shared = group_array(bool, 16)
    i = global_id()
    shared[thread_id()] = x[i]
    barrier()
    total = 0
    for k in range(8):
        own[k] = shared[(thread_id() + k) % 16] != (k % 2 == 0)
    for k in range(8):
        total += own[k]
    if i < n:
        y[i] = total
        sums[i] = 0.5 * x[i] + own[7]


def test_arrays(launch: Launcher) -> None:
    x = flags(32)
    got = launch(count, x, np.zeros(32, np.int32), np.zeros(32, np.float32), 32, groups=(2, 1, 1))
    near = x.reshape(2, 16)[:, (np.arange(16)[:, None] + np.arange(8)) % 16].reshape(32, 8)
    own = near != (np.arange(8) % 2 == 0)
    assert_same(got[1], own.sum(1).astype(np.int32))
    assert_same(got[2], (0.5 * x + own[:, 7]).astype(np.float32))


@pytest.mark.parametrize("type", SCALAR_TYPES, ids=str)
def test_to_and_from_every_type(launch: Launcher, type: ScalarType) -> None:
    def convert(x: Item[T], on: ItemMut[bool], also: ItemMut[bool], y: ItemMut[T], start: bool) -> None:
        on = bool(x) and start
        also = cast(x, bool)
        y = T(not on)

    x = edges(type)
    want = x.astype(type.compute.dtype) != 0
    _, on, also, y = launch(convert, x, np.ones(x.shape, bool), np.zeros(x.shape, bool), np.zeros_like(x), True)
    assert_same(on, want, x)
    assert_same(also, want, x)
    assert_same(y, (~want).astype(type.dtype), x)


@pytest.mark.parametrize("dtype", [f16, i32, boolean], ids=str)
def test_type_variables(launch: Launcher, dtype: ScalarType) -> None:
    def select(c: Item[bool], x: Item[B], y: ItemMut[B], kind: GlobalMut[i32], all: Global[B]) -> None:
        y = x if c else y
        if item_id() == 0:
            if B is bool:
                kind[0] = 1
            if all.dtype == bool and type(y) is bool and bool is B:
                kind[1] = 1

    c, x, y = flags(40), flags(40, 1).astype(dtype.dtype), flags(40, 2).astype(dtype.dtype)
    got = launch(select, c, x, y, np.zeros(2, np.int32), x)
    assert_same(got[2], np.where(c, x, y))
    assert got[3].tolist() == [dtype is boolean] * 2


@dataclass
class Cell:
    alive: bool
    heat: f32
    sides: Vector[bool, 3]

    @func
    def crowded(self) -> bool:
        return self.alive and self.sides.x and self.sides[2]


def step(cell: ItemMut[Cell], crowded: ItemMut[bool], turned: ItemMut[Vector[bool, 3]]) -> None:
    crowded = cell.crowded()
    turned = cell.sides.zxy
    cell.alive = not cell.alive
    cell.sides.y = cell.heat > 1.0


def test_structs_and_vectors(launch: Launcher) -> None:
    alive, x, y, z = (flags(33, seed) for seed in range(4))
    heat = np.linspace(0, 2, 33, dtype=np.float32)
    cells, turned, crowded = np.stack([alive, x, y, z]), np.zeros((3, 33), bool), np.zeros(33, bool)
    # What a struct or a vector has of one type lies in one memory.
    launch.in_place(step, cells[0], heat, cells[1], cells[2], cells[3], crowded, *turned)
    got = (*cells, crowded, *turned)
    for found, want in zip(got, (~alive, x, heat > 1, z, alive & x & z, z, x, y), strict=True):
        assert_same(found, want)


def read(x: Item[bool], all: Global[bool], y: ItemMut[u8], z: ItemMut[bool], w: ItemMut[f32]) -> None:
    y = u8(x) + u8(all[item_id()]) + (x == all[0]) + (x != (item_id() > 2))
    z = x
    w = 1.0 if x else 0.0


def test_bytes_of_others_are_true_unless_they_are_0(launch: Launcher) -> None:
    """Memory that another library writes may have any byte; what is stored is 0 or 1."""
    bytes = np.array([1, 0, 2, 255, 128, 0, 254], np.uint8)
    x, true = bytes.view(bool), bytes != 0
    got = launch(read, x, x, np.zeros(7, np.uint8), np.zeros(7, bool), np.zeros(7, np.float32))
    assert got[2].tolist() == (true * 2 + (true == True) + (true != (np.arange(7) > 2))).tolist()  # noqa: E712
    assert got[3].view(np.uint8).tolist() == true.tolist()
    assert got[4].tolist() == true.tolist()


ODD = np.arange(5) % 2 == 1
ENDS = (True, False, False, False, True)


def vote(x: Global[bool], y: Out[f32], z: Out[bool, 2], counts: Out[i32]) -> None:
    i = global_id()
    on = x[i]
    y[i] = where(on, 2.0, -1.0) + 0.5 * on - np.float32(ODD[i % 5])
    z[i, 0] = ODD[i % 5] or ENDS[i % 5]
    z[i, 1] = barrier_any(on and thread_id() == 3)
    votes = barrier_count(on)
    counts[i] = votes + (on == True) * 100  # noqa: E712


def test_tables_votes_and_choices(launch: Launcher) -> None:
    x = flags(32)
    got = launch(vote, x, np.zeros(32, np.float32), np.zeros((32, 2), bool), np.zeros(32, np.int32), groups=(2, 1, 1))
    fifths, halves = np.arange(32) % 5, x.reshape(2, 16)
    assert_same(got[1], (np.where(x, 2.0, -1.0) + 0.5 * x - ODD[fifths]).astype(np.float32))
    assert_same(got[2], np.stack([(ODD | np.array(ENDS))[fifths], np.repeat(halves[:, 3], 16)], 1))
    assert_same(got[3], (np.repeat(halves.sum(1), 16) + x * 100).astype(np.int32))


@func
def any_of(row) -> bool:
    found = False
    for on in row:
        found = found or on
    return found


def by_rows(a: GlobalMut[bool, 2], y: Out[bool, 2]) -> None:
    i = global_id()
    if i < a.shape[0]:
        row = a[i]
        y[i, 0] = any_of(row)
        y[i, 1] = any_of(a[i, 1:3])
        row[4] ^= True


def test_rows_and_slices(launch: Launcher) -> None:
    a = flags(35, 5).reshape(7, 5)
    found, y = launch(by_rows, a, np.zeros((7, 2), bool), groups=(1, 1, 1))
    assert_same(y, np.stack([a.any(1), a[:, 1:3].any(1)], 1))
    assert_same(found, a ^ (np.arange(5) == 4))


@pytest.mark.parametrize("strided", [False, True])
def test_views(launch: Launcher, strided: bool) -> None:
    def invert(x: Item[bool], y: ItemMut[bool]) -> None:
        y = not x

    x, y = flags(60).reshape(6, 10), flags(60, 1).reshape(6, 10)
    want = y.copy()
    want[::2, 1::3] = ~x[::-2, :3]
    into = y.copy()
    launch.in_place(invert, x[::-2, :3], into[::2, 1::3], strided=strided)
    assert_same(into, want)
    got = launch(invert, np.broadcast_to(x[0], (4, 10)), np.zeros((4, 10), bool), strided=strided)[1]
    assert_same(got, np.broadcast_to(~x[0], (4, 10)))
