"""Kernels for the tests of `krnlpy inspect`."""

from typing import TypeVar

from krnlpy import Global, Item, ItemMut, Out, Spec, bf16, f32, f64, func, i32, kernel, u8
from krnlpy.dsl import barrier, group_array, group_id, thread_id

T = TypeVar("T", f32, bf16)


@func
def lerp(a, b, t):
    return a + t * (b - a)


@kernel
def axpy(alpha: T, x: Item[T], y: ItemMut[T]) -> None:
    y += alpha * x


@kernel(threads=(16, 16))
def transpose(a: Global[f32, 2], b: Out[f32, 2], TILE: Spec[i32]) -> None:
    tile = group_array(f32, (TILE, TILE))
    i, j = thread_id(1), thread_id(0)
    tile[i, j] = a[group_id(1) * TILE + i, group_id(0) * TILE + j]
    barrier()
    b[group_id(0) * TILE + i, group_id(1) * TILE + j] = tile[j, i]


@kernel
def everything(n: i32, x: Item[u8], y: ItemMut[f64]) -> None:
    total = 0.5
    for k in range(n):
        if k % 3 == 0 and not k < x:
            total = 0.125
        elif x > 3:
            total = min(total, 2.0) ** 0.5
        else:
            total = -(total - (1.0 - total)) if x == u8(7) else lerp(total, 1.0, 0.25)
    while total > 1.0:
        total /= 2.0
        break
    y = total


@kernel
def broken(x: ItemMut[f32]) -> None:
    x = nothing  # noqa: F821
