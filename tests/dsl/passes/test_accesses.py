"""Which buffers a program reads and writes, wherever it does."""

from __future__ import annotations

from typing import Any

from krnlpy import Global, GlobalMut, Item, ItemMut, Kernel, Out, f32, func, i32, kernel, u32
from krnlpy.dsl import atomic_add, global_id
from krnlpy.dsl.passes.accesses import buffer_accesses

READ, WRITTEN, BOTH, UNUSED = (True, False), (False, True), (True, True), (False, False)


def accesses(made: Kernel) -> Any:
    return buffer_accesses(made.definition.program({}))


def test_items_and_globals() -> None:
    @kernel
    def mixed(a: Item[f32], b: ItemMut[f32], c: Global[f32], d: GlobalMut[f32], e: Item[f32]) -> None:
        b += a
        if c[0] > 0.0:
            d[global_id(0)] = 1.0

    assert accesses(mixed) == (READ, BOTH, READ, WRITTEN, UNUSED)


def test_out_and_atomics() -> None:
    @kernel
    def counted(x: Global[u32], y: Out[u32], count: GlobalMut[u32]) -> None:
        i = global_id(0)
        y[i] = x[i]
        atomic_add(count[0], x[i])

    assert accesses(counted) == (READ, WRITTEN, BOTH)


@func
def put(to: Any, i: i32, value: f32) -> None:
    to[i] = value


@func
def first(values: Any) -> f32:
    return values[0]


def test_functions() -> None:
    @kernel
    def through(x: Global[f32], y: GlobalMut[f32]) -> None:
        put(y, global_id(0), first(x))

    assert accesses(through) == (READ, WRITTEN)
