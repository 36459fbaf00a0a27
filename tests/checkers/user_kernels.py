"""A user's module of kernels: mypy --strict has nothing to say of it, and it runs (test_checkers.py)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from krnlpy import (
    Buffer,
    DTypeLike,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    Out,
    Spec,
    bf16,
    f16,
    f32,
    f64,
    func,
    i32,
    i64,
    kernel,
    scalar_type,
    u8,
    u32,
)
from krnlpy.dsl import (
    CooperativeMatrix,
    barrier,
    cooperative_multiply_add,
    dot,
    exp,
    global_id,
    group_array,
    group_id,
    isnan,
    item_id,
    items,
    local_array,
    mat3,
    sqrt,
    subgroup_add,
    thread_id,
    unroll,
    vec3,
)

T = TypeVar("T", f16, bf16, f32)
N = TypeVar("N", i32, u32)

SCALE = 0.5


@kernel
def axpy(alpha: T, x: Item[T], y: ItemMut[T]) -> None:
    y += alpha * x


@kernel
def narrow(x: Item[f32], y: ItemMut[T], flags: ItemMut[u32]) -> None:
    window = local_array(type(y), 3)
    window[1] = type(y)(x * SCALE)
    y = window[1] + type(y)(x)
    if isnan(x) or x > 1.0:
        flags |= u32(1) << (item_id() % 3)
    elif items() > 5:
        flags = 0


@kernel
def mask(on: Item[bool], x: Item[f32], y: ItemMut[bool]) -> None:
    y = not y if on and x > 0.5 else bool(x)


@func
def lerp(a: f32, b: f32, t: f32) -> f32:
    return a + t * (b - a)


@func
def clamped(x: f32, low: f32 = 0.0, high: f32 = 1.0) -> f32:
    if x < low:
        return low
    return min(x, high)


@func
def square(x: T) -> T:
    return x * x


@kernel
def functions(t: f32, x: Item[f32], y: ItemMut[f32]) -> None:
    """Literals are handed to functions as they are."""
    best = 0.0
    for k in range(3):
        best = max(best, lerp(0.0, x, t) * f32(k))
    y = clamped(best, high=2.0) + math.exp(-square(x)) + exp(x) - sqrt(abs(x)) if x < 100 else 1.0


@kernel(threads=(16, 16))
def matmul(a: Global[T, Literal[2]], b: Global[T, Literal[2]], c: Out[T, Literal[2]], TILE: Spec[i32] = 16) -> None:
    a_tile = group_array(a.dtype, (TILE, TILE))
    b_tile = group_array(b.dtype, (TILE, TILE))
    i, j = thread_id(1), thread_id(0)
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
    rows, columns = c.shape
    if row < rows and column < columns:
        c[row, column] = c.dtype(total)


@kernel
def integers(x: Global[N], y: GlobalMut[N], z: GlobalMut[u8], wide: GlobalMut[i64]) -> None:
    counts = local_array(i32, (2, 4))
    i = global_id()
    for k in unroll(range(4)):
        counts[k // 2, k] += i32(x[i] % 5)
    y[i] = x[i] ^ (x[i] << 3) & ~x[i]
    z[i] = u8(x[i]) + 1
    wide[len(x) - 1 - i] = i64(counts[1, 2]) * -3
    while wide[i] > 10 and x[i] != 0:
        wide[i] //= 2


@kernel
def sums(x: Global[f32], y: Out[f32]) -> None:
    total = subgroup_add(x[global_id()])
    if thread_id() == 0:
        y[group_id()] = total


@dataclass
class Particle:
    position: vec3
    mass: f32


@kernel
def particles(step: f32, turn: f32, p: GlobalMut[Particle], energy: Out[f64]) -> None:
    i = global_id()
    if i < len(p):
        velocity = vec3(1.0, 0.0, turn)
        p[i].position += step * velocity
        rotation = mat3(0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
        direction = rotation @ velocity
        energy[i] = f64(p[i].mass * dot(direction, direction) / 2 + p[i].position.x)


Left = CooperativeMatrix[f16, Literal[16], Literal[8], Literal["a"]]
Right = CooperativeMatrix[f16, Literal[8], Literal[16], Literal["b"]]
Sum = CooperativeMatrix[f32, Literal[16], Literal[16], Literal["accumulator"]]


@kernel(threads=32)
def cooperative(a: Global[f16, Literal[2]], b: Global[f16, Literal[2]], c: GlobalMut[f32, Literal[2]]) -> None:
    total = Sum(0.0)
    for k in range(0, a.shape[1], 8):
        total = cooperative_multiply_add(Left.load(a, 0, k), Right.load(b, k, 0), total)
    (total * 2.0).store(c, 0, 0)


def zeros_like(x: Buffer, dtype: DTypeLike = f32) -> Buffer:
    """On the host."""
    return Buffer.zeros(x.shape, scalar_type(dtype), x.device)


def run() -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    x = Buffer.from_numpy(np.linspace(0, 1, 8, dtype=np.float32))
    y = zeros_like(x)
    axpy(2.0, x, y)
    functions(0.25, x, y)
    masked = zeros_like(x, bool)
    mask(masked, x, masked)
    assert masked.dtype == bool
    square_matrix = Buffer.ones((8, 8), bf16)
    product = Buffer.empty((8, 8), bf16)
    matmul.specialize(TILE=4).with_threads(4, 4).with_groups(2, 2)(square_matrix, square_matrix, product)
    return {"y": y.numpy().astype(np.float64), "product": product.numpy().astype(np.float64)}
