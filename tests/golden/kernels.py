"""The kernels whose GLSL is kept in this folder. They are written to be read beside it; few lines should move."""

from typing import TypeVar

from krnlpy import Global, GlobalMut, Item, ItemMut, Out, Spec, bf16, f16, f32, func, i32, i64, kernel, u8, u16, u32
from krnlpy.dsl import (
    barrier,
    exp,
    global_id,
    group_array,
    group_id,
    groups,
    item_id,
    local_array,
    sqrt,
    subgroup_add,
    thread_id,
    threads,
)

T = TypeVar("T", f32, bf16, f16)


@kernel
def saxpy(alpha: f32, x: Item[f32], y: ItemMut[f32]) -> None:
    y += alpha * x


@kernel
def scale_items(alpha: T, x: Item[T], y: ItemMut[T]) -> None:
    y = T(alpha * x) + T(0.5)


@kernel
def packed_bytes(x: Global[u8], y: GlobalMut[u8], z: GlobalMut[u16]) -> None:
    i = global_id()
    y[i] = x[i] + u8(1)
    z[i] ^= u16(x[i]) << 3


@kernel(threads=(16, 16))
def matmul(a: Global[T, 2], b: Global[T, 2], c: Out[T, 2], TILE: Spec[i32] = 16) -> None:
    a_tile = group_array(T, (TILE, TILE))
    b_tile = group_array(T, (TILE, TILE))
    i = thread_id(1)
    j = thread_id(0)
    row = group_id(1) * TILE + i
    column = group_id(0) * TILE + j
    total = 0.0
    for k in range(0, a.shape[1], TILE):
        a_tile[i, j] = a[row, k + j]
        b_tile[i, j] = b[k + i, column]
        barrier()
        for n in range(TILE):
            total += a_tile[i, n] * b_tile[n, j]
        barrier()
    if row < c.shape[0] and column < c.shape[1]:
        c[row, column] = total


@kernel
def reduction(x: Global[f32], partial: Out[f32]) -> None:
    sums = group_array(f32, 256)
    i = thread_id()
    total = 0.0
    for n in range(global_id(), len(x), threads() * groups()):
        total += x[n]
    sums[i] = total
    barrier()
    half = threads() // 2
    while half > 0:
        if i < half:
            sums[i] += sums[i + half]
        barrier()
        half >>= 1
    if i == 0:
        partial[group_id()] = sums[0]


@kernel
def spec_arrays(x: Global[f32], y: GlobalMut[f32], N: Spec[i32] = 4, scale: Spec[f32] = 0.5) -> None:
    window = local_array(f32, N * 2 + 1)
    i = global_id()
    for k in range(2 * N + 1):
        window[k] = x[i + k] * scale
    y[i] = window[N] - window[0]


@kernel
def transpose(a: Global[f32, 2], b: GlobalMut[f32, 2]) -> None:
    row, column = global_id(1), global_id(0)
    b[column, row] = a[row, column]


@func
def lerp(a: f32, b: f32, t: f32):
    return a + t * (b - a)


@func
def smooth(x, t):
    if t <= 0:
        return x
    return lerp(x, exp(-x), t) + lerp(0.0, 1.0, x)


@kernel
def functions(t: f32, x: Item[f32], y: ItemMut[f32]) -> None:
    y = smooth(x, t) if item_id() % 2 == 0 else smooth(-x, 1.0)


@kernel
def loops(n: i32, x: Global[i32], y: GlobalMut[i32]) -> None:
    i = global_id()
    best = x[i]
    for k in range(n):
        if x[k] < 0:
            continue
        if x[k] > 1000:
            break
        best = max(best, x[k])
    for k in range(n, 0, -3):
        best += k
    for k in range(i, i + 9):
        if k % 2 == 1:
            k += 1
            best ^= k
    while best > n and best != 0:
        best //= 2
    y[i] = best


@kernel
def branches(x: Item[f32], y: ItemMut[f32], flags: ItemMut[u32]) -> None:
    if x > 1.0:
        sign = 1.0
        flags |= 1
    elif x < -1.0 or x == 0.0:
        sign = -1.0
    else:
        return
    r = sqrt(x * x + y * y)
    a, b = x, r
    a, b = b, a
    y = sign * (a - (b - r)) / (a * (b + 1.0))


@kernel
def casts(x: Item[f32], n: ItemMut[i32], wide: ItemMut[i64], small: ItemMut[u8]) -> None:
    wide += i64(n) * i64(x)
    n = i32(x) // 3 - (n << 2 & 0xFF)
    small = u8(n)


@kernel
def subgroups(x: Global[u32], y: GlobalMut[u32]) -> None:
    i = global_id()
    total = subgroup_add(x[i])
    y[i] = total
