"""Elements taken, put and added along axes, against NumPy; gradients; sums of one place always in the same order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograph
from autograph import Parameter, Tensor, embedding, index_add, put_along_axis, scatter_add, take, take_along_axis
from autograph.errors import DeviceError, DtypeError, ShapeError
from krnlpy import Device, ScalarType, bf16, config, f16, f32, i32, u8
from tests.support.devices import limit_reach, requires
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

RNG = np.random.default_rng(0)
SHAPES: list[tuple[tuple[int, ...], int]] = [((7,), 0), ((4, 6), 0), ((4, 6), -1), ((3, 5, 4), 1)]


def whole(shape: Any) -> Any:
    """Small whole numbers: their sums are exact in any order."""
    return RNG.integers(-9, 9, shape).astype(np.float32)


def tracked(array: Any, device: Device) -> Parameter:
    x = Parameter(Tensor.from_numpy(array, device))
    x.init_grad()
    return x


def indices(shape: tuple[int, ...], axis: int, count: int, device: Device) -> tuple[Any, Tensor]:
    n = shape[axis]
    index = RNG.integers(-n, n, (*shape[:axis], count, *shape[axis:][1:]) if axis >= 0 else (*shape[:-1], count))
    return index, Tensor.from_numpy(index.astype(np.int32), device)


def add_at(array: Any, key: Any, values: Any) -> None:
    np.add.at(array, key, values)


def at(index: Any, axis: int) -> Any:
    """The places on all axes that indices along one mean."""
    places = list(np.indices(index.shape, sparse=True))
    places[axis] = index
    return tuple(places)


@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_take(shape: tuple[int, ...], axis: int, device: Device) -> None:
    array = whole(shape)
    for index in (np.array([[3, -1, 0], [1, 3, 3]]), np.array(2), np.zeros(0, np.int64)):
        x = tracked(array, device)
        y = take(x, Tensor.from_numpy(index.astype(np.int32), device), axis)
        expected = np.take(array, index, axis)
        np.testing.assert_array_equal(y.numpy(), expected)
        np.testing.assert_array_equal(take(x, index, axis).numpy(), expected)
        dy = whole(y.shape)
        y.backward(Tensor.from_numpy(dy, device))
        slope = np.zeros(shape, np.float32)
        add_at(slope, (*[slice(None)] * (axis % len(shape)), index), dy)
        np.testing.assert_array_equal(present(x.take_grad()).numpy(), slope)


@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_along_axes(shape: tuple[int, ...], axis: int, device: Device) -> None:
    array = whole(shape)
    index, tensor = indices(shape, axis, 9, device)
    x = tracked(array, device)
    y = take_along_axis(x, tensor, axis)
    np.testing.assert_array_equal(y.numpy(), np.take_along_axis(array, index, axis))
    source = whole(index.shape)
    y.backward(Tensor.from_numpy(source, device))
    sums = np.zeros(shape, np.float32)
    add_at(sums, at(index, axis), source)
    np.testing.assert_array_equal(present(x.take_grad()).numpy(), sums)

    x, given = tracked(array, device), tracked(source, device)
    y = scatter_add(x, tensor, given, axis)
    np.testing.assert_array_equal(y.numpy(), array + sums)
    dy = whole(shape)
    y.backward(Tensor.from_numpy(dy, device))
    np.testing.assert_array_equal(present(x.take_grad()).numpy(), dy)
    np.testing.assert_array_equal(present(given.take_grad()).numpy(), np.take_along_axis(dy, index, axis))

    # An element may count or not: it does where the number of each that is stored can be read afterwards.
    x, given = tracked(array, device), tracked(source, device)
    y = put_along_axis(x, tensor, given, axis)
    expected, last = array.copy(), np.full(shape, -1)
    steps = np.broadcast_to(np.arange(9).reshape([-1 if a == axis % x.ndim else 1 for a in range(x.ndim)]), index.shape)
    np.put_along_axis(last, index, steps, axis)
    counts = np.take_along_axis(last, index, axis) == steps
    np.put_along_axis(expected, index, source, axis)
    np.testing.assert_array_equal(y.numpy(), expected)
    y.backward(Tensor.from_numpy(dy, device))
    np.testing.assert_array_equal(present(x.take_grad()).numpy(), np.where(last < 0, dy, 0))
    np.testing.assert_array_equal(
        present(given.take_grad()).numpy(), np.where(counts, np.take_along_axis(dy, index, axis), 0)
    )


def test_index_add(device: Device) -> None:
    array, source, index = whole((4, 3, 2)), whole((4, 6, 2)), np.array([2, 0, -1, 2, 2, 1])
    x, given = tracked(array, device), tracked(source, device)
    y = index_add(x, index, given, axis=1)
    expected = array.copy()
    add_at(expected, (slice(None), index), source)
    np.testing.assert_array_equal(y.numpy(), expected)
    y.backward(Tensor.from_numpy(array, device))
    np.testing.assert_array_equal(present(given.take_grad()).numpy(), array[:, index])


def test_shapes_broadcast(device: Device) -> None:
    array = whole((3, 4))
    index = np.array([[1, 1, 0, 3, 3]])
    x = Tensor.from_numpy(array, device)
    np.testing.assert_array_equal(take_along_axis(x, index, 1).numpy(), np.take_along_axis(array, index, 1))
    many = np.repeat(index, 3, 0)
    np.testing.assert_array_equal(
        take_along_axis(x[:1], many, 1).numpy(), np.take_along_axis(np.repeat(array[:1], 3, 0), many, 1)
    )
    expected = array.copy()
    add_at(expected, at(many, 1), 2)
    np.testing.assert_array_equal(scatter_add(x, many, Tensor.full((1, 1), 2.0, f32, device), 1).numpy(), expected)
    expected = array.copy()
    np.put_along_axis(expected, index[:, :1], array[:, 1:2], 1)
    np.testing.assert_array_equal(put_along_axis(x, index[:, :1], x[:, 1:2], 1).numpy(), expected)


def test_long_runs_and_many_places(device: Device) -> None:
    """Runs of one place that are longer than a chunk, and places that no element goes to."""
    count = 5000 if device.info.backend != "interpreter" else 200
    index = np.where(RNG.random(count) < 0.6, 3, RNG.integers(0, 300, count)).astype(np.int32)
    for columns in ((), (3,)):
        source = whole((count, *columns))
        expected = np.zeros((300, *columns), np.float32)
        add_at(expected, index, source)
        x = Tensor.zeros(expected.shape, f32, device)
        found = index_add(x, Tensor.from_numpy(index, device), Tensor.from_numpy(source, device))
        np.testing.assert_array_equal(found.numpy(), expected)


def test_the_same_bits_whatever_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    index = Tensor.from_numpy(RNG.integers(0, 50, 20_000))
    for shape in ((), (200,)):
        source = Tensor.from_numpy(RNG.standard_normal((20_000, *shape), dtype=np.float32))
        found = []
        for threads in (1, 2, 5):
            monkeypatch.setattr(config, "host_threads", threads)
            found.append(index_add(Tensor.zeros((50, *shape)), index, source).numpy())
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_array_equal(found[0], found[2])
        exact = np.zeros((50, *shape))
        add_at(exact, index.numpy(), source.numpy().astype(np.float64))
        # Some 400 numbers of about 1 are added up: sums of about 20, off by at most 400 roundings of 2**-24 of these.
        np.testing.assert_allclose(found[0], exact, atol=5e-4)


@pytest.mark.parametrize("dtype", [f16, bf16], ids=str)
def test_narrow_floats_are_rounded_once(dtype: ScalarType, device: Device) -> None:
    """A thousandth that is added to 1 is lost in the narrow type; 2,048 of them are not."""
    requires(device, dtype)
    count = 2048 if device.info.backend != "interpreter" else 64
    x = tracked(np.ones(2, np.float32), device)
    x.move(dtype=dtype)
    small = Tensor.full(count, 2.0**-10, dtype, device)
    index = Tensor.zeros(count, i32, device)
    expected = Tensor.full((), 1 + count * 2.0**-10, f32).cast(dtype).item()
    assert scatter_add(x, index, small).numpy().astype(np.float32).tolist() == [expected, 1]
    take(x, index).backward(small)
    assert present(x.take_grad()).numpy().astype(np.float32).tolist() == [expected - 1, 0]


def test_whole_numbers_wrap(device: Device) -> None:
    x = Tensor.full(2, 200, u8, device)
    assert index_add(x, [1, 1], Tensor.full(2, 50, u8, device)).numpy().tolist() == [200, 300 - 256]


@one_vulkan_device
def test_of_more_than_kernels_reach(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into rows, columns, and parts of the axis that is indexed."""
    if device.info.backend != "vulkan":
        pytest.skip("its kernels reach all of its memory")
    arrays = [whole(shape) for shape in ((9, 700), (700, 9), (5000,))]
    keys = [RNG.integers(0, 700, 900).astype(np.int32), RNG.integers(0, 5000, 4000).astype(np.int32)]
    limit_reach(device, 1 << 13, monkeypatch)
    for array, axis in ((arrays[0], 1), (arrays[1], 0), (arrays[2], 0)):
        index = keys[array.ndim == 1]
        x = tracked(array, device)
        places = Tensor.from_numpy(index).to_device(device)
        y = take(x, places, axis)
        np.testing.assert_array_equal(y.numpy(), np.take(array, index, axis))
        dy = whole(y.shape)
        y.backward(Tensor.from_numpy(dy, device))
        slope = np.zeros_like(array)
        add_at(slope, (slice(None), index) if axis else index, dy)
        np.testing.assert_array_equal(present(x.take_grad()).numpy(), slope)
        changed = x.detach()
        key = (slice(None), places) if axis else places
        changed[key] = Tensor.from_numpy(dy, device)
        expected = array.copy()
        expected[(slice(None), index) if axis else index] = dy
        np.testing.assert_array_equal(changed.numpy(), expected)
    mask = RNG.random(30_000) > 0.5
    assert autograph.nonzero(Tensor.from_numpy(mask, device))[0].numpy().tolist() == np.flatnonzero(mask).tolist()


def test_nonzero(device: Device) -> None:
    sizes = (7, 600, 70_000) if device.info.backend != "interpreter" else (7, 600)
    for size in sizes:
        row = RNG.integers(-1, 2, size).astype(np.float32)
        row[3] = np.nan
        found = autograph.nonzero(Tensor.from_numpy(row, device))
        assert found[0].dtype is i32
        np.testing.assert_array_equal(found[0].numpy(), np.flatnonzero(row))
    cube = RNG.integers(0, 2, (3, 4, 5)).astype(np.uint8)
    x = Tensor.from_numpy(cube, device)
    for part, array in ((x, cube), (x.transpose(), cube.T), (x > 7, cube > 7), (x[:0], cube[:0])):
        for place, expected in zip(autograph.nonzero(part), np.nonzero(array), strict=True):
            np.testing.assert_array_equal(place.numpy(), expected)
    np.testing.assert_array_equal(x[autograph.nonzero(x)].numpy(), cube[cube != 0])
    with pytest.raises(ShapeError, match=r"nonzero of a tensor of shape \(\)"):
        autograph.nonzero(Tensor.zeros((), f32, device))


def test_embedding(device: Device) -> None:
    table, index = whole((5, 3)), np.array([[1, 4, 1], [4, 0, 1]])
    for padding in (None, 1, -1):
        weight = tracked(table, device)
        y = embedding(weight, Tensor.from_numpy(index.astype(np.int32), device), padding)
        np.testing.assert_array_equal(y.numpy(), table[index])
        dy = whole(y.shape)
        y.backward(Tensor.from_numpy(dy, device))
        slope = np.zeros_like(table)
        add_at(slope, index, dy)
        if padding is not None:
            slope[padding] = 0
        np.testing.assert_array_equal(present(weight.take_grad()).numpy(), slope)


def test_gradients_and_second_derivatives_against_pytorch(device: Device) -> None:
    torch = pytest.importorskip("torch")
    array, source = whole((3, 4)), whole((3, 6))
    index, tensor = indices((3, 4), 1, 6, device)
    there = torch.from_numpy(np.where(index < 0, index + 4, index))

    def ours(x: Any, y: Any) -> Any:
        taken = take_along_axis(x, tensor, 1)
        added = scatter_add(x * x, tensor, y * taken, 1)
        return (added * added * added).sum()

    def theirs(x: Any, y: Any) -> Any:
        added = (x * x).scatter_add(1, there, y * x.gather(1, there))
        return (added * added * added).sum()

    x, y = (Tensor.from_numpy(a / 8, device) for a in (array, source))
    tx, ty = (torch.from_numpy(a / 8).double().requires_grad_() for a in (array, source))
    first = torch.autograd.grad(theirs(tx, ty), tx, create_graph=True)[0]
    second = torch.autograd.grad((first * first).sum(), ty)[0]
    found = autograph.grad(lambda x: ours(x, y))(x)

    def slope(y: Any) -> Any:
        g = autograph.grad(lambda x: ours(x, y))(x)
        return (g * g).sum()

    # Some twenty products and sums of numbers of up to these sizes, each rounded to 2**-24.
    for given, wanted in ((found, first), (autograph.grad(slope)(y), second)):
        expected = wanted.detach().numpy()
        np.testing.assert_allclose(given.numpy(), expected, rtol=2e-5, atol=2e-6 * np.abs(expected).max())


def test_what_they_refuse() -> None:
    x, ones = Tensor.from_numpy(whole((3, 4))), Tensor.ones((3, 4))
    right = np.zeros((3, 4), np.int64)
    for error, message, call in (
        (ShapeError, r"take of a tensor of shape \(3, 4\): name the axis", lambda: take(x, [0])),
        (ShapeError, "take over axis=2", lambda: take(x, [0], 2)),
        (ShapeError, "take: index 4 is out of range: axis 1 has length 4", lambda: take(x, [0, 4], 1)),
        (ShapeError, "take: index -5 is out of", lambda: take(x, Tensor.from_numpy([-5]), 1)),
        (ShapeError, "take: index 3 is out of", lambda: take(x, Tensor.from_numpy([3]), 0)),
        (ShapeError, "take_along_axis: index 7 is out", lambda: take_along_axis(x, Tensor.full((3, 4), 7, i32), 0)),
        (ShapeError, "scatter_add: index 7 is out", lambda: scatter_add(x, Tensor.full((3, 4), 7, i32), ones, 0)),
        (ShapeError, "scatter_add: index 7 is out", lambda: scatter_add(x, Tensor.full((3, 4), 7, i32), ones, 1)),
        (ShapeError, "put_along_axis: index 7 is", lambda: put_along_axis(x, Tensor.full((3, 4), 7, i32), ones, 1)),
        (ShapeError, "index_add: index 7 is out", lambda: index_add(x, Tensor.full(3, 7, i32), ones)),
        (DtypeError, "take takes indices as whole numbers, not f32", lambda: take(x, ones, 0)),
        (DtypeError, "take takes indices as whole numbers, not bool", lambda: take(x, [True, False, True], 0)),
        (DeviceError, "indices on interp", lambda: take(x, Tensor.zeros(1, i32, Device.interpreter()), 0)),
        (DtypeError, "take takes a tensor, not list", lambda: take([1], [0])),  # type: ignore[arg-type]
        (ShapeError, r"with indices of shape \(4,\)", lambda: take_along_axis(x, [0, 1, 2, 0])),
        (ShapeError, "apart from axis 1 lengths must be equal or 1", lambda: take_along_axis(x, right[:2], 1)),
        (ShapeError, "together they must have", lambda: scatter_add(x, right[:2], ones[:2], 1)),
        (ShapeError, "together they must have", lambda: put_along_axis(x, right, ones[:, :3], 1)),
        (DtypeError, "scatter_add of f32 and f16", lambda: scatter_add(x, right, ones.cast(f16))),
        (DtypeError, "scatter_add of bool", lambda: scatter_add(x > 0, right, ones > 0)),
        (ShapeError, r"expected \(m,\) and \('m', 4\)", lambda: index_add(x, [0, 1], ones)),
        (ShapeError, "embedding takes weight of shape", lambda: embedding(x[0], [0])),
        (ShapeError, "padding_index=3 of a table of 3 rows", lambda: embedding(x, [0], 3)),
    ):
        with pytest.raises(error, match=message):
            call()
