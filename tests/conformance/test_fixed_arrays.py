"""Arrays of a fixed length in structs: of numbers, vectors, arrays and structs, and the structs that hold those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, DtypeError, KernelError, LaunchError, StructBuffer, func, kernel, struct_dtype
from krnlpy.dsl import (
    FixedArray,
    Matrix,
    Vector,
    atomic_add,
    barrier,
    derivative,
    dot,
    global_id,
    group_array,
    local_array,
    thread_id,
    value_and_partials,
    vec3,
)
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.errors import KernelIndexError
from krnlpy.scalar import f16, f32, f64, i16, i32, u8


@dataclass
class Leg:
    joint: vec3
    kind: u8
    angles: FixedArray[f32, 2]


@dataclass
class Robot:
    name: u8
    legs: FixedArray[Leg, 3]
    gains: FixedArray[f16, 2, 3]
    mass: f32
    spots: FixedArray[vec3, 2]


@dataclass
class Fleet:
    robots: FixedArray[Robot, 2]
    counts: FixedArray[i32, 5]


def filled(struct: type, count: int) -> np.ndarray[Any, Any]:
    """Structs of which all numbers are small and whole, and differ where they can."""
    array = np.zeros(count, struct_dtype(struct))
    fill(array, iter(range(1, 10_000)))
    return array


def fill(array: np.ndarray[Any, Any], numbers: Any) -> None:
    if array.dtype.names is None:
        array[...] = np.array([next(numbers) % 50 for _ in range(array.size)]).reshape(array.shape)
        return
    for name in array.dtype.names or ():
        fill(array[name], numbers)


def test_the_layout_is_that_of_c(device: Device) -> None:
    dtype = struct_dtype(Fleet)
    leg, robot = struct_dtype(Leg), struct_dtype(Robot)
    assert leg.itemsize == 24 and [leg.fields[n][1] for n in leg.names or ()] == [0, 12, 16]
    # 1 byte, padding to 4, three legs of 24 bytes, six f16, an f32, two vec3
    assert robot.itemsize == 4 + 72 + 12 + 4 + 24 and robot.fields["gains"][0].shape == (2, 3)
    assert dtype.itemsize == 2 * robot.itemsize + 20
    assert dtype == np.dtype([("robots", robot, (2,)), ("counts", np.int32, (5,))], align=True)
    fleets: Any = StructBuffer.from_numpy(filled(Fleet, 4).reshape(2, 2), device)
    expected = filled(Fleet, 4).reshape(2, 2)
    legs = fleets["robots"]["legs"]
    assert legs.shape == (2, 2, 2, 3) and legs["angles"].shape == (2, 2, 2, 3, 2)
    assert (legs["angles"].numpy() == expected["robots"]["legs"]["angles"]).all()
    assert (legs["joint"].numpy() == expected["robots"]["legs"]["joint"]).all()
    assert (fleets["robots"]["gains"].numpy() == expected["robots"]["gains"]).all()
    legs["kind"].fill(7)
    expected["robots"]["legs"]["kind"] = 7
    assert (fleets.numpy() == expected).all()


@func
def turned(leg: Leg, by: f32) -> Leg:
    leg.angles[0] += by
    leg.angles[1] = leg.angles[0] + leg.joint.z
    return leg


@pytest.mark.one_vulkan_device
def test_structs_in_buffers(device: Device) -> None:
    @kernel(threads=4)
    def change(fleets: GlobalMut[Fleet], out: GlobalMut[f32]) -> None:
        i = global_id()
        if i >= len(fleets):
            return
        for r in range(2):
            for k in range(3):
                leg = turned(fleets[i].robots[r].legs[(k + 1) % 3], f32(r))
                fleets[i].robots[r].legs[k].angles = leg.angles
                fleets[i].robots[r].legs[k].joint[k] += 0.5
                fleets[i].robots[r].gains[r, k] += f16(k)
                fleets[i].robots[r].gains[1 - r][k] = f16(out[i])
        r = i % 2
        robot = fleets[i].robots[r]
        robot.spots[r].y = robot.mass
        robot.legs[1] = robot.legs[0]
        robot.legs[2 - r].kind = u8(r)
        fleets[i].robots[r] = robot
        fleets[i].counts[i % 5] += fleets[i].counts[-1]
        atomic_add(fleets[0].counts[1 + i % 2], 100)
        first, second = fleets[i].counts[0], fleets[i].counts[4]
        fleets[i].counts[0], fleets[i].counts[4] = second, first
        out[i] = dot(fleets[i].robots[1].spots[i % 2], fleets[i].robots[0].spots[1])

    array = filled(Fleet, 3)
    fleets, out = StructBuffer.from_numpy(array, device), Buffer.zeros(3, f32, device)
    change.with_groups(1)(fleets, out)
    added = 0
    for i, fleet in enumerate(array):
        for r, robot in enumerate(fleet["robots"]):
            for k in range(3):
                other = robot["legs"][(k + 1) % 3]
                first = other["angles"][0] + r
                robot["legs"][k]["angles"] = [first, first + other["joint"][2]]
                robot["legs"][k]["joint"][k] += 0.5
                robot["gains"][r, k] += k
                robot["gains"][1 - r][k] = 0
        robot = fleet["robots"][i % 2]
        robot["spots"][i % 2][1] = robot["mass"]
        robot["legs"][1] = robot["legs"][0]
        robot["legs"][2 - i % 2]["kind"] = i % 2
        fleet["counts"][i % 5] += fleet["counts"][4]
        added += i % 2
        fleet["counts"][[0, 4]] = fleet["counts"][[4, 0]]
    array[0]["counts"][1] += 200
    array[0]["counts"][2] += 100
    assert (fleets.numpy() == array).all()
    want = [f["robots"][1]["spots"][i % 2] @ f["robots"][0]["spots"][1] for i, f in enumerate(array)]
    assert out.numpy().tolist() == want


def test_items_numbers_and_arrays_of_the_kernel(device: Device) -> None:
    @kernel
    def items(leg: ItemMut[Leg], extra: Item[FixedArray[i16, 3]], by: Leg) -> None:
        leg.angles[i32(leg.kind) % 2] += by.angles[1] + f32(extra[i32(leg.kind) % 3])
        leg.joint = leg.joint + by.joint

    @kernel(threads=4)
    def threads(values: Global[FixedArray[f32, 2, 3]], out: GlobalMut[f32], given: FixedArray[i32, 4]) -> None:
        k = thread_id()
        own, shared = local_array(Leg, 2), group_array(FixedArray[i32, 3], 4)
        shared[k][k % 3] = k + given[(k + 1) % 4]
        own[1].angles[k % 2] = 2.0
        barrier()
        spread = FixedArray[f32, 3](1.0, 2, 4)
        spread[k % 3] *= 10.0
        one = FixedArray[Leg, 2](own[1])
        total = spread[0] + spread[1] + spread[2] + one[k % 2].angles[k % 2]
        whole = values[k]
        same = whole == values[k] and FixedArray[i32, 2](1, 2) != FixedArray[i32, 2](1, 3)
        out[k] = total + f32(shared[(k + 1) % 4][(k + 1) % 4 % 3]) + whole[1, k % 3] * 100.0 + 1000.0 * f32(same)

    array = filled(Leg, 5)
    legs = StructBuffer.from_numpy(array, device)
    extra = np.arange(15, dtype=np.int16).reshape(5, 3)
    items(legs, Buffer.from_numpy(extra, device), Leg(np.float32([1, 2, 3]), 5, [10, 20]))
    k = np.arange(5)
    array["angles"][k, array["kind"] % 2] += 20 + extra[k, array["kind"] % 3]
    array["joint"] += [1, 2, 3]
    assert (legs.numpy() == array).all()
    values, out = np.arange(24, dtype=np.float32).reshape(4, 2, 3), Buffer.zeros(4, f32, device)
    given = [5, 6, 7, 8]
    threads.with_groups(1)(Buffer.from_numpy(values, device), out, given)
    want = []
    for t in range(4):
        spread = [1, 2, 4]
        spread[t % 3] *= 10
        other = (t + 1) % 4
        want.append(sum(spread) + 2 + other + given[(other + 1) % 4] + values[t, 1, t % 3] * 100 + 1000)
    assert out.numpy().tolist() == want


@dataclass
class Net:
    weights: FixedArray[f32, 3]
    inner: FixedArray[Vector[f32, 5], 2]
    bias: f32


@func
def forward(net: Net, x: f32) -> f32:
    total = net.bias
    for k in range(3):
        total += net.weights[k] * x
        x *= x
    own = local_array(Net, 1)
    own[0] = net
    own[0].weights[1] *= 2.0
    return total * total + own[0].weights[1] * net.inner[1][4]


def test_gradients(device: Device) -> None:
    @kernel
    def compute(net: Item[Net], x: Item[f32], y: ItemMut[f32], slope: ItemMut[f32], by: GlobalMut[Net]) -> None:
        y, gradient = value_and_partials(forward, "net")(net, x)  # noqa: RUF059  # the item
        slope = derivative(forward, "x")(net, x)
        by[0] = gradient

    array = np.zeros(1, struct_dtype(Net))
    array["weights"], array["bias"], array["inner"] = [1, 2, 3], 0.5, np.arange(10).reshape(2, 5)
    x = Buffer.full(1, 1.5, f32, device)
    y, slope, by = Buffer.zeros(1, f32, device), Buffer.zeros(1, f32, device), StructBuffer.zeros(1, Net, device)
    compute(StructBuffer.from_numpy(array, device), x, y, slope, by)
    powers = np.array([1.5, 1.5**2, 1.5**4])
    total = 0.5 + powers @ [1, 2, 3]
    got = by.numpy()[0]
    np.testing.assert_allclose(y.numpy(), total**2 + 4 * 9, rtol=1e-6)
    np.testing.assert_allclose(slope.numpy(), 2 * total * (1 + 2 * 2 * 1.5 + 3 * 4 * 1.5**3), rtol=1e-6)
    np.testing.assert_allclose(got["weights"], 2 * total * powers + [0, 18, 0], rtol=1e-6)
    assert got["inner"].tolist() == [[0] * 5, [0, 0, 0, 0, 4]]
    np.testing.assert_allclose(got["bias"], 2 * total, rtol=1e-6)


def test_an_index_out_of_range(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    @kernel(threads=1)
    def read(nets: GlobalMut[Net], at: i32) -> None:
        nets[0].bias = nets[0].weights[at]
        nets[0].weights[at + 1] = 5.0

    nets = StructBuffer.from_numpy(np.ones(1, struct_dtype(Net)), device)
    if device.info.backend == "interpreter":
        with pytest.raises(KernelIndexError, match=r"index 3 is out of range: .* has length 3 along axis 1"):
            read.with_groups(1)(nets, 3)
        return
    read.with_groups(1)(nets, 3)
    got = nets.numpy()[0]
    assert got["bias"] == 0 and (got["weights"] == 1).all() and (got["inner"] == 1).all()


def test_what_is_refused() -> None:
    with pytest.raises(DtypeError, match="a length of 1 to 1024"):
        FixedArray[f32, 0]
    with pytest.raises(DtypeError, match="a length of 1 to 1024"):
        FixedArray[f32]
    with pytest.raises(DtypeError, match="is not a scalar type"):
        FixedArray[str, 2]
    with pytest.raises(DtypeError, match="are fields of structs, not elements of buffers"):
        Global[FixedArray[Leg, 2]]
    with pytest.raises(DtypeError, match="only inside a kernel"):
        FixedArray[vec3, 2](1)
    with pytest.raises(DtypeError, match="does not take these values"):
        FixedArray[f32, 2](1, 2, 3)
    assert FixedArray[f64, 2](1, 2).tolist() == [1, 2]

    @kernel
    def legs(leg: Item[Leg], m: FixedArray[Matrix[f32, 2, 2], 2], all: FixedArray[Leg, 2]) -> None:
        print(leg.angles[0], m[0][1, 0], all[1].kind)

    buffer = StructBuffer.zeros(1, Leg, Device.host())
    leg = Leg([0, 0, 0], 1, [2, 3])
    with pytest.raises(LaunchError, match="all is FixedArray"):
        legs(buffer, [[[1, 2], [3, 4]]] * 2, [leg])
    with pytest.raises(LaunchError, match=r"m\[1\] is Matrix"):
        legs(buffer, [[[1, 2], [3, 4]], 5], [leg, leg])
    legs(buffer, [[[1, 2], [3, 4]]] * 2, [leg, leg])


def added(x: ItemMut[f32]) -> None:
    x = x + FixedArray[f32, 2](1, 2)


def with_a_name(x: ItemMut[f32]) -> None:
    a = FixedArray[f32, 2](1, 2)
    x = a.x


def with_too_many(x: ItemMut[f32]) -> None:
    a = FixedArray[f32, 2](1, 2, 3)
    x = a[0]


def with_too_many_axes(x: ItemMut[f32]) -> None:
    a = FixedArray[f32, 2](1, 2)
    x = a[0, 1]


def assigned_along_too_many_axes(x: ItemMut[f32]) -> None:
    a = FixedArray[f32, 2](1, 2)
    a[0, 1] = x


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (added, r"\+ of f32 and FixedArray\[f32, 2\]"),
        (with_a_name, "has no x"),
        (with_too_many, "has 2 elements, 3 given"),
        (with_too_many_axes, "has fewer axes than 2"),
        (assigned_along_too_many_axes, "has fewer axes than 2"),
    ],
)
def test_wrong_kernels(wrong: Any, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        kernel(wrong).inspect("ir")
