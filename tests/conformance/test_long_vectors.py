"""Vectors and matrices of more than four: as values, in arrays and buffers, and in the functions of linear algebra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import Buffer, Device, DtypeError, ShapeError, StructBuffer, func, kernel, struct_dtype
from krnlpy.dsl import (
    Matrix,
    Vector,
    barrier,
    determinant,
    distance,
    dot,
    exp,
    global_id,
    group_array,
    inverse,
    length,
    local_array,
    normalize,
    outer,
    thread_id,
    transpose,
    unroll,
    value_and_partials,
    vec2,
)
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.scalar import ScalarType, bf16, f16, f32, i32, u8

T = TypeVar("T")
V7, V16 = Vector[f32, 7], Vector[f32, 16]
M5, M57, M8 = Matrix[f32, 5, 5], Matrix[f32, 5, 7], Matrix[f32, 8, 8]
M16, M162 = Matrix[f32, 16, 16], Matrix[f32, 16, 2]


def random(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@func
def rotated(v: V7, by: i32) -> V7:
    result = V7(0)
    for i in range(7):
        result[(i + by) % 7] = v[i]
    return result


def test_operations_of_vectors(device: Device) -> None:
    @kernel(threads=4)
    def compute(a: Global[V7], b: Global[V7], out: GlobalMut[V7, 2], numbers: GlobalMut[f32, 2], scale: V7) -> None:
        i = global_id()
        if i >= len(a):
            return
        x, y = a[i], b[i]
        out[i, 0] = (x + y) * 2.0 - x / (1.0 + abs(y))
        out[i, 1] = max(x, y) if dot(x, y) > 0.0 else -exp(x)
        out[i, 2] = normalize(x) * scale
        out[i, 3] = rotated(x, 2 + i)
        x[i % 7] += 10.0
        x[-1], x[0] = x[0], x[6]
        out[i, 4] = x
        out[i, 4][(i + 1) % 7] = 5.0
        out[i, 5] = V7(1.0, 2, y[2], V7(x)[i % 7], 5, 6, 7)
        numbers[i, 0], numbers[i, 1] = length(x), distance(a[i], y)
        numbers[i, 2] = sum(y) + len(y) + f32(any(y > 1.5)) + f32(all(y < 9.0)) + b[i][(i * 3) % 7]
        top, low = x[:3], x[4:]
        x[1:7:3] = x[:2] * 0.0 + top[::-2] + low[:2]
        numbers[i, 3], numbers[i, 4] = x[1], x[4]
        numbers[i, 5] = sum(x[-3:])

    n = 5
    a, b, scale = random(n, 7), random(n, 7, seed=1), np.arange(7, dtype=np.float32)
    out, numbers = Buffer.zeros((n, 6, 7), f32, device), Buffer.zeros((n, 6), f32, device)
    compute.with_global_threads(n)(Buffer.from_numpy(a, device), Buffer.from_numpy(b, device), out, numbers, scale)
    got, found = out.numpy(), numbers.numpy()
    each = np.arange(n)
    close = {"rtol": 1e-5, "atol": 1e-6}  # a few roundings of f32, of values of about 1
    np.testing.assert_allclose(got[:, 0], (a + b) * 2 - a / (1 + abs(b)), **close)
    positive = (a * b).sum(1, keepdims=True) > 0
    np.testing.assert_allclose(got[:, 1], np.where(positive, np.maximum(a, b), -np.exp(a)), **close)
    np.testing.assert_allclose(got[:, 2], a / np.linalg.norm(a, axis=1, keepdims=True) * scale, **close)
    assert all((got[i, 3] == np.roll(a[i], 2 + i)).all() for i in range(n))
    x = a.copy()
    x[each, each % 7] += 10
    x[:, 6], x[:, 0] = x[:, 0].copy(), x[:, 6].copy()
    np.testing.assert_allclose(found[:, 0], np.linalg.norm(x, axis=1), rtol=1e-5)
    want = x.copy()
    want[each, (each + 1) % 7] = 5
    assert (got[:, 4] == want).all()
    assert (got[:, 5] == np.stack([[1, 2, b[i, 2], x[i, i % 7], 5, 6, 7] for i in range(n)])).all()
    np.testing.assert_allclose(found[:, 1], np.linalg.norm(a - b, axis=1), **close)
    flags = (b > 1.5).any(1) * 1.0 + (b < 9).all(1) + 7
    np.testing.assert_allclose(found[:, 2], b.sum(1) + flags + b[each, each * 3 % 7], **close)
    sliced = x[:, 2::-2] + x[:, 4:6]
    x[:, 1:7:3] = sliced
    np.testing.assert_allclose(found[:, 3:5], sliced, **close)
    np.testing.assert_allclose(found[:, 5], x[:, -3:].sum(1), **close)


@pytest.mark.one_vulkan_device
def test_operations_of_matrices(device: Device) -> None:
    @kernel(threads=4)
    def compute(m: Global[M57], v: Global[V7], out: GlobalMut[M5], w: GlobalMut[V16]) -> None:
        i = global_id()
        if i >= len(m):
            return
        a, b = m[i], m[i] * 0.5
        out[i] = a @ transpose(b) + outer(a @ v[i], Vector[f32, 5](2.0))
        out[i][i % 5, 2] += 100.0
        out[i][4] = Vector[f32, 5](i)
        result = V16(0)
        for row in unroll(range(5)):
            result[row] = (b @ v[i])[row]
        for row in range(5):
            result[5 + row] = m[i][row, 0] + m[i][row][6]
        result[10], result[11] = b.T[6, 4], f32(a.shape[1] + len(b))
        b[1] = v[i]
        b[i % 5, 3] = 7.0
        result[12], result[13], result[14] = b[1, 2], b[i % 5, 3], b[1][4]
        w[i] = result

    n = 3
    m, v = random(n, 5, 7), random(n, 7, seed=1)
    out, w = Buffer.zeros((n, 5, 5), f32, device), Buffer.zeros((n, 16), f32, device)
    compute.with_global_threads(n)(Buffer.from_numpy(m, device), Buffer.from_numpy(v, device), out, w)
    got, i = w.numpy(), np.arange(n)
    close = {"rtol": 1e-5, "atol": 2e-5}  # sums of seven products of about 1 in f32
    product = np.einsum("nij,nj->ni", m, v)
    want = np.einsum("nij,nkj->nik", m, m / 2) + product[:, :, None] * 2
    want[i, i % 5, 2] += 100
    want[:, 4] = i[:, None]
    np.testing.assert_allclose(out.numpy(), want, **close)
    np.testing.assert_allclose(got[:, :5], product / 2, **close)
    np.testing.assert_allclose(got[:, 5:10], m[:, :, 0] + m[:, :, 6], **close)
    changed = m / 2
    changed[:, 1] = v
    changed[i, i % 5, 3] = 7
    np.testing.assert_allclose(got[:, 10], m[:, 4, 6] / 2, **close)
    assert (got[:, 11] == 12).all()
    np.testing.assert_allclose(got[:, 12:15], changed[:, 1, [2, 3, 4]] * (1, 0, 1) + [[0, 7, 0]], **close)


@pytest.mark.one_vulkan_device
@pytest.mark.parametrize("size", [5, 8])
def test_determinants_and_inverses(device: Device, size: int) -> None:
    if device.info.backend == "vulkan" and size > 5:
        pytest.skip("the same loops, and drivers take seconds to compile them")

    @func
    def invert(m, d: GlobalMut[f32], t, i):
        if i < len(m):
            d[i] = determinant(m[i])
            t[i] = inverse(m[i])

    @kernel(threads=4)
    def of_five(m: Global[M5], d: GlobalMut[f32], t: GlobalMut[M5]) -> None:
        invert(m, d, t, global_id())

    @kernel(threads=4)
    def of_eight(m: Global[M8], d: GlobalMut[f32], t: GlobalMut[M8]) -> None:
        invert(m, d, t, global_id())

    order = np.roll(np.arange(size), 2)
    order[:2] = order[1::-1]
    permutation = np.eye(size, dtype=np.float32)[order]
    singular = np.ones((size, size), np.float32)
    m = np.stack([permutation, permutation * 2, singular, np.zeros_like(singular), *random(4, size, size)])
    d, t = Buffer.zeros(8, f32, device), Buffer.zeros(m.shape, f32, device)
    compute = of_five if size == 5 else of_eight
    compute.with_global_threads(8)(Buffer.from_numpy(m, device), d, t)
    sign = np.linalg.det(permutation)
    assert d.numpy()[:4].tolist() == [round(sign), round(sign) * 2**size, 0, 0]
    assert (t.numpy()[0] == permutation.T).all() and (t.numpy()[1] == permutation.T / 2).all()
    assert not np.isfinite(t.numpy()[2:4]).all((1, 2)).any()
    rest = m[4:].astype(np.float64)
    np.testing.assert_allclose(d.numpy()[4:], np.linalg.det(rest), rtol=1e-4, atol=1e-4)
    # The error of an inverse in f32 is about the condition number (below 200 here) times 1e-7, of elements up to 20.
    np.testing.assert_allclose(t.numpy()[4:], np.linalg.inv(rest), rtol=2e-4, atol=4e-4)


@pytest.mark.one_vulkan_device
def test_a_product_of_matrices_of_sixteen(device: Device) -> None:
    @kernel(threads=1)
    def whole(a: Global[M16], b: Global[M16], c: GlobalMut[M16]) -> None:
        c[0] = a[0] @ b[0]

    @kernel(threads=1)
    def narrow(a: Global[M162], b: Global[vec2], c: GlobalMut[V16]) -> None:
        c[0] = a[0] @ b[0]

    narrows = device.info.backend == "vulkan"  # drivers take long to compile 8,192 operations
    a, b = (random(1, 16, 2), random(1, 2, seed=1)) if narrows else (random(1, 16, 16), random(1, 16, 16, seed=1))
    c = Buffer.zeros((1, 16) if narrows else (1, 16, 16), f32, device)
    compute = narrow if narrows else whole
    compute.with_groups(1)(Buffer.from_numpy(a, device), Buffer.from_numpy(b, device), c)
    np.testing.assert_allclose(c.numpy()[0], a[0] @ b[0], rtol=1e-5, atol=2e-5)  # sums of 16 products of about 1


@dataclass
class Link:
    spatial: Vector[f32, 6]
    inertia: Matrix[f32, 5, 5]
    kind: u8
    short: Vector[f16, 9]


def test_in_structs_items_arrays_and_other_types(device: Device) -> None:
    @kernel
    def items(x: ItemMut[Vector[f32, 6]], link: Item[Link], y: ItemMut[f32]) -> None:
        x = x + link.spatial * 2.0
        x[i32(link.kind) % 6] = f32(link.short[8])
        y = link.inertia[4, i32(link.kind)]

    @kernel(threads=4)
    def threads(links: GlobalMut[Link], brain: GlobalMut[Vector[bf16, 16]]) -> None:
        k = thread_id()
        shared, own = group_array(Vector[i32, 5], 4), local_array(Link, 2)
        shared[k][(k + 2) % 5] = k + 1
        barrier()
        own[1].spatial[k] = f32(shared[(k + 1) % 4][((k + 1) % 4 + 2) % 5])
        own[1].inertia[k, 4] = 2.0
        links[k].spatial = own[1].spatial + own[0].spatial
        links[k].inertia[k] = own[1].inertia[k]
        links[k].short[k + 5] += f16(0.1)
        brain[k] = Vector[bf16, 16](0.1)
        brain[k][k * 5] = 3.0

    start = np.zeros(4, struct_dtype(Link))
    start["spatial"], start["inertia"], start["kind"] = random(4, 6), random(4, 5, 5), [0, 1, 3, 4]
    start["short"] = np.arange(36).reshape(4, 9)
    links = StructBuffer.from_numpy(start, device)
    assert links["inertia"].shape == (4, 5, 5) and links.dtype.itemsize == 24 + 100 + 1 + 1 + 18
    x, y = Buffer.from_numpy(random(4, 6, seed=3), device), Buffer.zeros(4, f32, device)
    if device.info.backend != "vulkan" or device.info.extra["max_storage_buffers"] > 60:
        items(x, links, y)  # an item has a buffer for each scalar: 6 + 6 + 25 + 1 + 9 + 1
        want = random(4, 6, seed=3) + 2 * start["spatial"]
        want[np.arange(4), start["kind"]] = start["short"][:, 8]
        np.testing.assert_allclose(x.numpy(), want, rtol=1e-6)
        assert (y.numpy() == start["inertia"][np.arange(4), 4, start["kind"]]).all()
    brain = Buffer.zeros((4, 16), bf16, device)
    threads.with_groups(1)(links, brain)
    got, k = links.numpy(), np.arange(4)
    assert (got["spatial"][k, k] == (k + 1) % 4 + 1).all() and got["spatial"].sum() == 10
    rows = np.zeros((4, 5))
    rows[:, 4] = 2
    assert (got["inertia"][k, k] == rows).all() and (got["inertia"][0, 1:] == start["inertia"][0, 1:]).all()
    assert (got["short"][k, k + 5] == start["short"][k, k + 5] + np.float16(0.1)).all()
    seen = brain.numpy().astype(np.float32)
    assert (seen[k, 5 * k] == 3).all() and (seen[0, 1:] == np.float32(0.1).astype(bf16.dtype)).all()


@pytest.mark.parametrize("type", [i32, f16])
def test_type_variables_and_strided_views(device: Device, type: ScalarType) -> None:
    @kernel(threads=4)
    def double(a: GlobalMut[Vector[T, 5], 2], at: i32) -> None:
        v = a[thread_id(), 1] + a[thread_id(), 1]
        v[at] = T(1)
        a[thread_id(), 1] = v

    whole = np.zeros((8, 2, 10), type.dtype)
    whole[...] = np.arange(10)
    a = Buffer.from_numpy(whole, device)
    double.with_groups(1)(a[::-2, :, 1::2], 3)
    want = whole.copy()
    want[1::2, 1, 1::2] *= 2
    want[1::2, 1, 7] = 1
    assert (a.numpy() == want).all()


@func
def energy(v: V7, m: Matrix[f32, 7, 7], k: f32) -> f32:
    w = m @ v
    total = 0.0
    for i in range(7):
        total += w[i] * v[6 - i]
    return total * k + length(v)


@func
def general(v: Vector[f32, 5]) -> f32:
    m = outer(v, v) + Matrix[f32, 5, 5](1.0)
    return determinant(m) + inverse(m)[0, 1]


def test_gradients(device: Device) -> None:
    @kernel(threads=1)
    def compute(v: Global[V7], m: Global[Matrix[f32, 7, 7]], by: GlobalMut[V7], value: GlobalMut[f32]) -> None:
        value[0], by[0] = value_and_partials(energy, "v")(v[0], m[0], 0.5)

    v, m = random(1, 7), random(1, 7, 7, seed=1)
    by, value = Buffer.zeros((1, 7), f32, device), Buffer.zeros(1, f32, device)
    compute.with_groups(1)(Buffer.from_numpy(v, device), Buffer.from_numpy(m, device), by, value)
    flipped = m[0][::-1]  # total = v @ (flipped @ v)
    want = 0.5 * (flipped + flipped.T) @ v[0] + v[0] / np.linalg.norm(v[0])
    np.testing.assert_allclose(by.numpy()[0], want, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(value.numpy()[0], 0.5 * v[0] @ flipped @ v[0] + np.linalg.norm(v[0]), rtol=1e-5)


def test_gradients_through_elimination(device: Device) -> None:
    if device.info.backend == "vulkan":
        pytest.skip("the rules are the same, and drivers take long to compile five directions of it")

    @kernel(threads=1)
    def compute(v: Global[Vector[f32, 5]], by: GlobalMut[Vector[f32, 5]]) -> None:
        _, by[0] = value_and_partials(general)(v[0])

    v = random(1, 5)
    by = Buffer.zeros((1, 5), f32, device)
    compute.with_groups(1)(Buffer.from_numpy(v, device), by)
    # det(1 + v v') = 1 + v.v, and its inverse is 1 - v v' / (1 + v.v).
    x, s = v[0].astype(np.float64), 1 + float((v[0] ** 2).sum())
    want = 2 * x + 2 * x * x[0] * x[1] / s**2
    want[0] -= x[1] / s
    want[1] -= x[0] / s
    np.testing.assert_allclose(by.numpy()[0], want, rtol=1e-4, atol=1e-5)


def test_what_is_refused(device: Device) -> None:
    with pytest.raises(DtypeError, match="length of 2 to 16"):
        Vector[f32, 17]
    with pytest.raises(DtypeError, match="2 to 16 of each"):
        Matrix[f32, 17, 2]

    @kernel(threads=1)
    def compute(v: Global[V7]) -> None:
        print(v[0][0])

    with pytest.raises(ShapeError, match=r"last axes \(7,\)"):
        compute.with_groups(1)(Buffer.zeros((2, 6), f32, device))
    with pytest.raises(ShapeError, match="1 dimensions and last axes"):
        compute.with_groups(1)(Buffer.zeros((2, 2, 7), f32, device))
    assert V7(1, 2, 3, 4, 5, 6, 7).tolist() == [1, 2, 3, 4, 5, 6, 7]
