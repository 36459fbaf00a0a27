"""The numbers of a struct or vector share bindings, of which devices have few: one for each type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from krnlpy import Buffer, Device, StructBuffer, kernel, struct_dtype
from krnlpy.dsl import FixedArray, Matrix, atomic_add, item_id, unroll, vec2, vec3, vec4
from krnlpy.dsl.types.annotations import GlobalMut, Item, ItemMut
from krnlpy.scalar import f16, f32, i16, i32, u8, u32


@dataclass
class Wide:
    """More numbers than devices have bindings: those of one type share one."""

    a: FixedArray[f32, 12]
    b: Matrix[f32, 3, 4]
    c: vec4
    counts: FixedArray[i32, 5]
    small: FixedArray[u8, 3]
    halves: FixedArray[f16, 3]
    hits: u32
    d: vec3
    narrow: i16


def test_structs_of_more_numbers_than_bindings(device: Device) -> None:
    @kernel(threads=4)
    def step(items: ItemMut[Wide], weights: Item[vec3], y: ItemMut[f32]) -> None:
        for i in unroll(range(12)):
            items.a[i] += items.c[i % 4] * i
        items.b = items.b + items.b
        items.small[1] = items.small[0] + items.small[2]
        items.halves[2] = items.halves[0] * items.halves[1]
        items.narrow -= i16(items.counts[4])
        items.d *= weights
        y = items.a[11] + items.b[2, 3] + items.d.z

    @kernel(threads=4)
    def whole(items: GlobalMut[Wide], y: ItemMut[f32]) -> None:
        atomic_add(items[1].hits, 2)
        y += items[item_id()].d.x + items[item_id()].a[item_id()]

    rng = np.random.default_rng(3)
    data = np.zeros(5, struct_dtype(Wide))
    for name in data.dtype.names or ():
        data[name] = rng.integers(0, 9, data[name].shape)
    weights = rng.integers(1, 5, (5, 3)).astype(np.float32)
    given, y = StructBuffer.from_numpy(data, device), Buffer.zeros(5, f32, device)
    step(given, Buffer.from_numpy(weights, device), y)
    whole(given, y)
    data["a"] += np.tile(data["c"], 3) * np.arange(12, dtype=np.float32)
    data["b"] *= 2
    data["small"][:, 1] = data["small"][:, 0] + data["small"][:, 2]
    data["halves"][:, 2] = data["halves"][:, 0] * data["halves"][:, 1]
    data["narrow"] -= data["counts"][:, 4].astype(np.int16)
    data["d"] *= weights
    data["hits"][1] += 10
    want = data["a"][:, 11] + data["b"][:, 2, 3] + data["d"][:, 2] + data["d"][:, 0] + data["a"][range(5), range(5)]
    np.testing.assert_array_equal(y.numpy(), want)
    got = given.numpy()
    for name in data.dtype.names or ():
        np.testing.assert_array_equal(got[name], data[name], err_msg=name)


def test_kernels_whose_buffers_share_bindings_in_other_ways(device: Device) -> None:
    """The parts of a vector are bound once; which buffers the others are is not mixed up."""

    @kernel(threads=4)
    def first(p: Item[vec2], b: ItemMut[f32], c: ItemMut[f32]) -> None:
        b = p.x
        c = p.y

    @kernel(threads=4)
    def last(b: Item[f32], c: Item[f32], q: ItemMut[vec2]) -> None:
        q = vec2(c, b)

    one, other = (Buffer.from_numpy(np.arange(8, dtype=np.float32) + n, device) for n in (0, 100))
    for _ in range(2):
        first(one.reshape((4, 2)), other[:4], other[4:])
        assert other.numpy().tolist() == [0, 2, 4, 6, 1, 3, 5, 7]
        last(one[:4], one[4:], other.reshape((4, 2)))
        assert other.numpy().tolist() == [4, 0, 5, 1, 6, 2, 7, 3]
