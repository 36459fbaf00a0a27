"""Vectors, matrices, structs and tuples: in variables, arrays, buffers, items and scalar parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    Device,
    DtypeError,
    LaunchError,
    ShapeError,
    SharingError,
    StructBuffer,
    func,
    kernel,
    struct_dtype,
)
from krnlpy.dsl import (
    Matrix,
    Vector,
    barrier,
    cross,
    determinant,
    distance,
    dot,
    exp,
    global_id,
    group_array,
    inverse,
    ivec3,
    length,
    local_array,
    mat2,
    normalize,
    outer,
    thread_id,
    trace,
    transpose,
    uvec3,
    vec2,
    vec3,
    vec4,
)
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.scalar import ScalarType, bf16, f16, f32, f64, i32, u8, u32
from tests.support.devices import requires
from tests.support.typed import instance, untyped

from .values import NUMBERS

T = TypeVar("T")


@dataclass
class Body:
    position: vec3
    velocity: vec3
    mass: f32
    hits: i32 = 3

    @func
    def energy(self, scale=1.0):
        return 0.5 * self.mass * dot(self.velocity, self.velocity) * scale


@dataclass
class Cell:
    flag: u8
    body: Body
    half: f16
    brain: bf16
    spin: mat2


def run(body, device: Device, *inputs, count: int = 8, dtype: ScalarType = f32) -> np.ndarray:
    """The results that a kernel stores in its first parameter, ``out``."""
    out = Buffer.zeros(count, dtype, device)
    arguments = [Buffer.from_numpy(a, device) if isinstance(a, np.ndarray) else a for a in inputs]
    kernel(body).with_groups(1).with_threads(1)(out, *arguments)
    return out.numpy()


# --------------------------------------------------------------------------------------------------------- vectors


def test_construction_of_nothing_and_of_another_type(device: Device) -> None:
    def body(out: GlobalMut[f32], v: Global[f32]) -> None:
        x = vec3(v[0], v[1], v[2])
        i = ivec3(x)  # truncates, as i32(x) does
        out[0], out[1], out[2] = i.x, i.y, i.z
        out[3] = uvec3(i).y >> 8
        t = Vector[bool, 3](x)
        out[4] = (1 if t.x else 0) + (2 if t.z else 0)
        rounded = Vector[f16, 3](x)
        out[5] = vec3(rounded).z
        zero = vec3() + vec3(i)
        out[6] = zero.x + mat2()[1, 1]
        m = Matrix[i32, 2, 2](mat2(x.x, x.y, x.z, 9.5))
        out[7] = m[1, 1] * 10 + m[0, 0]

    v = np.array([1.7, -2.5, 0.1], np.float32)
    assert run(body, device, v).tolist() == [1, -2, 0, (2**32 - 2) >> 8, 3, np.float16(0.1), 1, 91]


def test_construction_and_components(device: Device) -> None:
    def body(out: GlobalMut[f32]) -> None:
        v = vec3(1.0, 2.0, 3.0)
        w = vec4(v.zy, vec2(7.0))
        out[0] = w.x
        out[1] = w.y
        out[2] = w.w
        out[3] = v.bgr.x
        u = Vector[f32, 2](v.x, 5)
        out[4] = u[-1]
        for i in range(3):
            out[5 + i] = v[i]

    assert run(body, device).tolist() == [3, 2, 7, 3, 5, 1, 2, 3]


def test_assignment_to_components(device: Device) -> None:
    def body(out: GlobalMut[f32]) -> None:
        v = vec4(1.0, 2.0, 3.0, 4.0)
        v.x = 10.0
        v.yz = v.zy
        v.xw += vec2(1.0, 2.0)
        for i in range(4):
            out[i] = v[i]
        for i in range(4):
            v[i] = f32(i) * 2.0
            v[3 - i] += 1.0
        for i in range(4):
            out[4 + i] = v[i]

    # i=0: v=(0, 3, 2, 7); i=1: (0, 2, 3, 7); i=2: (0, 3, 4, 7); i=3: (1, 3, 4, 6)
    assert run(body, device).tolist() == [11, 3, 2, 6, 1, 3, 4, 6]


def test_swap_reads_before_it_writes(device: Device) -> None:
    def body(out: GlobalMut[f32]) -> None:
        v = vec2(1.0, 2.0)
        v = vec2(v.y, v.x)
        w = vec2(3.0, 4.0)
        v, w = w, v
        out[0] = v.x
        out[1] = v.y
        out[2] = w.x
        out[3] = w.y
        v.x, v.y = v.y, v.x
        w[0], w[1] = w[1], w[0]
        m = mat2(1.0, 2.0, 3.0, 4.0)
        m[0], m[1] = m[1], m[0]
        i = 0 if v.x > 1.0 else 1
        m[i, 0], m[1 - i, 1] = m[1 - i, 1], m[i, 0]
        out[4], out[5], out[6], out[7] = v.x, v.y, w.x, w.y
        out[8], out[9], out[10], out[11] = m[0, 0], m[0, 1], m[1, 0], m[1, 1]

    want = [3, 4, 2, 1, 4, 3, 1, 2, 2, 4, 1, 3]
    assert run(body, device, count=12).tolist() == want


@pytest.mark.parametrize("type", NUMBERS, ids=str)
def test_operators_go_element_by_element(device: Device, type: ScalarType) -> None:
    requires(device, type)
    E = type  # noqa: N806

    def body(out: GlobalMut[E], a: Global[E]) -> None:
        v = Vector[E, 3](a[0], a[1], a[2])
        w = Vector[E, 3](a[3], a[4], a[5])
        u = v + w * a[0] - 1
        u = u // 2 + v % 3
        s = max(u, w)
        out[0] = s.x
        out[1] = s.y
        out[2] = s.z
        out[3] = E(sum(v))
        out[4] = E(any(v > w)) + 2 * E(all(v < w)) + 4 * E(any(v == 5))

    a = np.array([1, 7, 3, 4, 2, 9], type.dtype)
    got = run(body, device, a, count=5, dtype=type)
    x = a.astype(np.int64)
    v, w = x[:3], x[3:]
    u = (v + w * x[0] - 1) // 2 + v % 3
    want = [*np.maximum(u, w), v.sum(), 1]
    assert got.astype(np.int64).tolist() == [int(n) for n in want]


def test_functions_of_vectors(device: Device) -> None:
    def body(out: GlobalMut[f32]) -> None:
        v, w = vec3(1.0, 2.0, 2.0), vec3(-1.0, 0.5, 4.0)
        out[0] = dot(v, w)
        c = cross(v, w)
        out[1] = c.x
        out[2] = c.y
        out[3] = c.z
        out[4] = length(v)
        out[5] = distance(v, w)
        n = normalize(v)
        out[6] = n.z
        e = exp(-abs(w))
        out[7] = e.z

    v, w = np.array([1, 2, 2.0]), np.array([-1, 0.5, 4])
    want = [v @ w, *np.cross(v, w), 3.0, np.linalg.norm(v - w), 2 / 3, np.exp(-4.0)]
    # Each is at most three roundings (of 2^-24 relative each) from exact; exp is within 2 ulp.
    np.testing.assert_allclose(run(body, device), want, rtol=4 * 2**-24)


def test_matrices(device: Device) -> None:
    def body(out: GlobalMut[f32], a: Global[f32, 2]) -> None:
        m = Matrix[f32, 3, 3](a[0, 0], a[0, 1], a[0, 2], a[1, 0], a[1, 1], a[1, 2], a[2, 0], a[2, 1], a[2, 2])
        product = m @ inverse(m)
        out[0] = determinant(m)
        out[1] = trace(product)
        out[2] = abs(product[0, 1]) + abs(product[2, 0])
        v = m @ vec3(1.0, 2.0, 3.0)
        out[3] = v.y
        r = vec3(1.0, 2.0, 3.0) @ m
        out[4] = r.y
        t = transpose(m) - m.T
        out[5] = t[0, 1] + t[2, 1]
        m[1, 2] = 100.0
        m[2] = m[1] * 2.0
        out[6] = m[2][2] + m[2, 0]
        o = outer(vec2(1.0, 2.0), vec3(3.0, 4.0, 5.0))
        out[7] = o[1, 2] + o.shape[0] * 100.0 + (vec2(1.0, 2.0) @ vec2(3.0, 4.0))
        out[8] = trace(Matrix[i32, 2, 3](1, 2, 3, 4, 5, 6)) + np.trace(Matrix[f32, 3, 2](1, 2, 3, 4, 5, 6)) * 10.0

    a = np.array([[2, 1, 0], [1, 3, 1], [0.5, 1, 4]], np.float32)
    want = [np.linalg.det(a), 3, 0, (a @ [1, 2, 3])[1], ([1, 2, 3] @ a)[1], 0, 202, 221, 56]
    # Entries below 10, at most a dozen roundings each.
    np.testing.assert_allclose(run(body, device, a, count=9), want, rtol=1e-6, atol=1e-6)


def test_a_matrix_of_one_number_has_it_on_its_diagonal(device: Device) -> None:
    """As in GLSL."""

    @kernel
    def body(a: ItemMut[Matrix[f32, 2, 3]], b: ItemMut[Matrix[i32, 4, 2]], c: ItemMut[mat2], x: Item[f32]) -> None:
        a = Matrix[f32, 2, 3](x * 2.0)
        b = Matrix[i32, 4, 2](7)
        c = c * mat2(0.0)

    a, b = Buffer.ones((1, 2, 3), f32, device), Buffer.ones((1, 4, 2), i32, device)
    c, x = Buffer.ones((1, 2, 2), f32, device), Buffer.full(1, 1.5, f32, device)
    body(a, b, c, x)
    np.testing.assert_array_equal(a.numpy()[0], np.eye(2, 3) * 3)
    np.testing.assert_array_equal(b.numpy()[0], np.eye(4, 2) * 7)
    np.testing.assert_array_equal(c.numpy()[0], np.zeros((2, 2)))


def test_determinant_and_inverse_of_four_rows(device: Device) -> None:
    def body(out: GlobalMut[f32], a: Global[f32, 2]) -> None:
        m = Matrix[f32, 4, 4](
            a[0, 0], a[0, 1], a[0, 2], a[0, 3], a[1, 0], a[1, 1], a[1, 2], a[1, 3],
            a[2, 0], a[2, 1], a[2, 2], a[2, 3], a[3, 0], a[3, 1], a[3, 2], a[3, 3],
        )  # fmt: skip
        n = inverse(m)
        out[16] = determinant(m)
        for i in range(4):
            for j in range(4):
                out[i * 4 + j] = n[i, j]

    a = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32) + 3 * np.eye(4, dtype=np.float32)
    got = run(body, device, a, count=17)
    # A well-conditioned matrix (condition below 10): some forty roundings.
    np.testing.assert_allclose(got[:16].reshape(4, 4), np.linalg.inv(a.astype(np.float64)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got[16], np.linalg.det(a.astype(np.float64)), rtol=1e-5)


# -------------------------------------------------------------------------------------------------- structs, arrays


@func
def pushed(body: Body, force: vec3, dt=0.5):
    body.velocity += force / body.mass * dt
    body.hits += 1
    return body, length(body.velocity)


@func
def _zero_like(value):
    return type(value)(0)


def test_type_of_a_vector(device: Device) -> None:
    @kernel
    def sums(x: Item[vec3], y: ItemMut[f32], v: ItemMut[vec2]) -> None:
        total = _zero_like(x)
        for _ in range(3):
            total += x
        y = total.x + total.y + total.z + _zero_like(y)
        v = type(v)(total.z, type(total.x)(4))

    x = np.array([[1, 2, 3], [4, 5, 7]], np.float32)
    y, v = Buffer.ones(2, f32, device), Buffer.zeros((2, 2), f32, device)
    sums(Buffer.from_numpy(x, device), y, v)
    np.testing.assert_array_equal(y.numpy(), 3 * x.sum(1))
    np.testing.assert_array_equal(v.numpy(), [[9, 4], [21, 4]])


def test_structs_in_variables_and_functions(device: Device) -> None:
    def body(out: GlobalMut[f32]) -> None:
        b = Body(vec3(0.0), velocity=vec3(1.0, 0.0, 0.0), mass=2.0)
        c, speed = pushed(b, vec3(0.0, 8.0, 0.0))
        out[0] = b.velocity.y
        out[1] = c.velocity.y
        out[2] = speed
        out[3] = f32(c.hits * 10 + b.hits)
        d = c if speed > 1.0 else b
        d.position.xy = vec2(4.0, 5.0)
        out[4] = d.position.y
        out[5] = f32(d == c) + 2.0 * f32(b != c)
        out[6] = c.energy() + c.energy(scale=10.0)

    got = run(body, device, count=7)
    # One square root away from exact.
    np.testing.assert_allclose(got, [0, 2, np.sqrt(5), 43, 5, 2, 55], rtol=2**-23)


def test_arrays_of_composites(device: Device) -> None:
    @kernel(threads=4)
    def body(out: GlobalMut[f32]) -> None:
        own = local_array(vec2, (2, 2))
        shared = group_array(Body, 4)
        i = thread_id()
        own[1, 0].y = f32(i)
        own[-1, 1] = own[1, 0].yx
        shared[i] = Body(vec3(f32(i), own[1, 1].x, 0.0), vec3(0.0), 1.0, i)
        shared[i].velocity[i % 3] = 9.0
        barrier()
        other = shared[3 - i]
        out[i] = other.position.x * 100.0 + other.position.y * 10.0 + f32(other.hits)
        out[4 + i] = other.velocity.x + 10.0 * other.velocity.y + 100.0 * other.velocity.z + 1000.0 * f32(len(own))

    out = Buffer.zeros(8, f32, device)
    body.with_groups(1)(out)
    assert out.numpy().tolist() == [333, 222, 111, 0, 2009, 2900, 2090, 2009]


@pytest.mark.parametrize("type", [f32, i32, f16, bf16, u8, f64], ids=str)
def test_buffers_of_vectors(device: Device, type: ScalarType) -> None:
    requires(device, type)

    @kernel
    def body(a: ItemMut[Vector[T, 3]], b: Item[Vector[T, 3]], s: Item[T]) -> None:
        a = a.zyx + b * s
        a.x += 1

    @kernel(threads=4)
    def rotate(a: GlobalMut[Vector[T, 3]], b: Global[Vector[T, 3], 2]) -> None:
        i = global_id()
        if i < len(a):
            a[i] = b[1, i]
            a[i].y = b[0, i].x

    a, b = np.arange(15, dtype=np.float64).reshape(5, 3), np.ones((5, 3))
    s = np.arange(5.0)
    x, y, z = (Buffer.from_numpy(array.astype(type.dtype), device) for array in (a, b, s))
    body(x, y, z)
    want = a[:, ::-1] + b * s[:, None]
    want[:, 0] += 1
    assert x.numpy().astype(np.float64).tolist() == want.tolist()
    both = np.stack([a, a + 100])
    rotate.with_groups(2)(x, Buffer.from_numpy(both.astype(type.dtype), device))
    want = both[1].copy()
    want[:, 1] = both[0, :, 0]
    assert x.numpy().astype(np.float64).tolist() == want.tolist()


def test_views_of_vectors(device: Device) -> None:
    @kernel
    def add(a: ItemMut[vec2], b: Item[vec2]) -> None:
        a += b

    a = Buffer.zeros((4, 3, 2), f32, device)
    b = Buffer.from_numpy(np.arange(24, dtype=np.float32).reshape(4, 3, 2), device)
    add(a[::2], b[1::2])
    add(a[1], Buffer.ones((1, 2), f32, device).broadcast_to((3, 2)))
    want = np.zeros((4, 3, 2), np.float32)
    want[::2] += b.numpy()[1::2]
    want[1] += 1
    assert a.numpy().tolist() == want.tolist()


def test_struct_buffers(device: Device) -> None:
    @kernel
    def fall(body: ItemMut[Body], energy: ItemMut[f32], gravity: vec3, dt: f32) -> None:
        body.velocity += gravity * dt
        body.position += body.velocity * dt
        body.hits += 1
        energy = 0.5 * body.mass * dot(body.velocity, body.velocity)

    bodies = StructBuffer.zeros(100, Body, device)
    host = bodies.numpy()
    rng = np.random.default_rng(1)
    host["position"], host["velocity"] = rng.random((2, 100, 3))
    host["mass"] = 2.0
    bodies = StructBuffer.from_numpy(host, device)
    energy = Buffer.zeros(100, f32, device)
    fall(bodies, energy, (0.0, -10.0, 0.0), 0.5)
    got = bodies.numpy()
    velocity = host["velocity"] + np.array([0, -5, 0], np.float32)
    np.testing.assert_array_equal(got["velocity"], velocity)
    np.testing.assert_array_equal(got["position"], host["position"] + velocity * np.float32(0.5))
    assert (got["hits"] == 1).all()
    # Three products and two sums of positive numbers.
    np.testing.assert_allclose(energy.numpy(), (velocity.astype(np.float64) ** 2).sum(1), rtol=5 * 2**-24)


def test_structs_of_structs_and_narrow_types(device: Device) -> None:
    @kernel(threads=4)
    def change(cells: GlobalMut[Cell, 2], given: Cell) -> None:
        i = global_id()
        if i >= cells.size:
            return
        row, column = i // cells.shape[1], i % cells.shape[1]
        cell = cells[row, column]
        cell.flag += given.flag + u8(i)
        cell.half += given.half / 3.0
        cell.brain *= 1.01
        cell.body.position.z -= given.body.mass
        cell.spin = cell.spin @ given.spin
        cells[row, column] = cell
        cells[row, column].body.hits -= i

    cells = StructBuffer.zeros((2, 3), Cell, device)
    host = cells.numpy()
    host["flag"], host["half"], host["brain"] = 250, 0.5, 3.0
    host["spin"] = [[1, 2], [3, 4]]
    cells = StructBuffer.from_numpy(host, device)
    given = Cell(2, Body((0, 0, 0), (0, 0, 0), 5.0), 1.0, 0.0, np.array([[0, 1], [1, 0]]))
    change.with_groups(2)(cells, given)
    got = cells.numpy()
    number = np.arange(6).reshape(2, 3)
    assert got["flag"].tolist() == ((250 + 2 + number) % 256).tolist()
    half = np.float16(np.float32(0.5) + np.float32(1) / np.float32(3))
    assert (got["half"] == half).all()
    brain = np.float32(3) * np.float32(1.01)  # the literal meets an f32; the product is rounded where it is stored
    assert (got["brain"] == brain.astype(bf16.dtype)).all()
    assert (got["body"]["position"][..., 2] == -5).all()
    assert got["body"]["hits"].tolist() == (-number).tolist()
    assert (got["spin"] == np.array([[2, 1], [4, 3]])).all()


def test_composite_scalars_of_many_kinds(device: Device) -> None:
    @kernel(threads=1)
    def body(out: GlobalMut[f32], v: Vector[u32, 2], m: Matrix[f32, 2, 3], b: Body) -> None:
        out[0] = f32(v.x)
        out[1] = f32(v.y)
        out[2] = m[1, 2]
        out[3] = b.velocity.z
        out[4] = f32(b.hits)

    out = Buffer.zeros(5, f32, device)
    body.with_groups(1)(out, (7, np.uint32(9)), np.arange(6.0).reshape(2, 3), Body((1, 2, 3), np.arange(3.0), 1.5, -4))
    # u32 to f32 is exact here.
    assert out.numpy().tolist() == [7, 9, 5, 2, -4]


def test_struct_buffer_copies_and_fields(device: Device) -> None:
    cells = StructBuffer.zeros((2, 3), Cell, device)
    instance(Buffer, cells["body"]["velocity"]).fill(2.5)
    instance(Buffer, cells["flag"]).fill(7)
    assert cells["spin"].shape == (2, 3, 2, 2)
    again = cells.copy()
    instance(Buffer, cells["flag"]).fill(1)
    assert (again.numpy()["flag"] == 7).all()
    again.copy_from(cells)
    moved = again.to_device(Device.host())
    assert (moved.numpy()["flag"] == 1).all()
    assert (np.asarray(moved)["body"]["velocity"] == 2.5).all()
    assert len(cells) == 2
    assert cells.size == 6
    assert cells.nbytes == 6 * cells.dtype.itemsize
    packed = np.zeros(3, np.dtype([("a", "u1"), ("b", "f4")]))
    packed["b"] = [1, 2, 3]
    assert instance(Buffer, StructBuffer.from_numpy(packed, device)["b"]).numpy().tolist() == [1, 2, 3]


def test_arrays_of_struct_buffers_are_copies(device: Device) -> None:
    host = np.zeros(3, struct_dtype(Cell))
    cells = StructBuffer.from_numpy(host, device)
    for array in (cells.numpy(), np.array(cells), np.asarray(cells)):
        array["flag"] = 5
        assert (cells.numpy()["flag"] == 0).all()
        instance(Buffer, cells["flag"]).fill(2)
        assert (array["flag"] == 5).all() and (host["flag"] == 0).all()
        instance(Buffer, cells["flag"]).fill(0)
    host["flag"] = 4
    assert (cells.numpy()["flag"] == 0).all()
    if device.info.index is None:
        for shared in (cells.numpy(copy=False), np.asarray(cells, copy=False)):
            shared["flag"][1] += 3
        assert instance(Buffer, cells["flag"]).numpy().tolist() == [0, 6, 0]
        with pytest.raises(SharingError, match="is a copy"):
            np.asarray(cells, [("a", "u1")], copy=False)
        return
    for refused in (lambda: cells.numpy(copy=False), lambda: np.asarray(cells, copy=False)):
        with pytest.raises(SharingError, match="always a copy"):
            refused()


# ---------------------------------------------------------------------------------------------------------- errors


def test_wrong_arguments() -> None:
    @kernel
    def body(a: ItemMut[Body], v: vec3) -> None:
        a.position += v

    @kernel
    def vectors(a: ItemMut[vec3], b: Global[vec3]) -> None:
        a += b[0]

    bodies = StructBuffer.zeros(2, Body)
    with pytest.raises(LaunchError, match=r"body: v is Vector\[f32, 3\]: 3 numbers; got \(1, 2\)"):
        body(bodies, (1, 2))
    with pytest.raises(LaunchError, match="body: a holds Body: expected a StructBuffer, got a Buffer"):
        body(Buffer.zeros((2, 8), f32), (1, 2, 3))
    with pytest.raises(DtypeError, match="body: a holds Body, of fields"):
        body(StructBuffer.zeros(2, Cell), (1, 2, 3))
    with pytest.raises(ShapeError, match=r"vectors: a holds Vector\[f32, 3\]: expected last axes \(3,\)"):
        vectors(Buffer.zeros((2, 4), f32), Buffer.zeros((2, 3), f32))
    with pytest.raises(ShapeError, match="expected 1 dimensions and last axes"):
        vectors(Buffer.zeros((2, 3), f32), Buffer.zeros((2, 2, 3), f32))
    with pytest.raises(DtypeError, match="buffer of f32; got one of i32"):
        vectors(Buffer.zeros((2, 3), i32), Buffer.zeros((2, 3), f32))
    with pytest.raises(DtypeError, match="no field 'weight'"):
        bodies["weight"]


def test_wrong_types() -> None:
    @dataclass
    class Wrong:
        name: str

    with pytest.raises(DtypeError, match=r"Wrong\.name: <class 'str'> is not a type that a struct can hold"):
        StructBuffer.zeros(1, Wrong)
    with pytest.raises(DtypeError, match="is not a dataclass"):
        StructBuffer.zeros(1, int)
    with pytest.raises(DtypeError, match="length of 2 to 16"):
        Vector[f32, 17]
    with pytest.raises(DtypeError, match="is not a scalar type"):
        Matrix[str, 2, 2]


def test_vectors_outside_of_kernels() -> None:
    assert vec3(1, 2, 3).tolist() == [1, 2, 3]
    assert vec2(4).tolist() == [4, 4]
    assert untyped(mat2(1, 2, 3, 4)).tolist() == [[1, 2], [3, 4]]
    assert untyped(Matrix[f32, 3, 2](5)).tolist() == [[5, 0], [0, 5], [0, 0]]
