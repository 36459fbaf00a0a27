"""The reference's tests of tensors, ported: the same shapes and types, no looser tolerances."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from krnlpy import Device, ScalarType
from krnlpy.scalar import bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64
from tests.support.devices import requires
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

pytestmark = one_vulkan_device

TYPES = [u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64]
INTEGERS = [u8, i8, u16, i16, u32, i32, u64, i64]
EPSILON = {f32: 2.0**-23, f64: 2.0**-52}


def cyclic(size: int, dtype: ScalarType, period: int = 9) -> Any:
    return (np.arange(size) % period + 1).astype(dtype.dtype)


@pytest.mark.parametrize("rank", range(8))
def test_from_array(rank: int, device: Device) -> None:
    array = np.arange(np.prod(range(2, 2 + rank), dtype=int), dtype=np.uint32).reshape(tuple(range(2, 2 + rank)))
    tensor = Tensor.from_numpy(array, device)
    np.testing.assert_array_equal(tensor.numpy(), array)
    np.testing.assert_array_equal(tensor.transpose().numpy(), array.T)
    assert tensor.strides == tuple(n // 4 for n in array.strides)


@pytest.mark.parametrize("rank", range(8))
def test_an_array_of_the_host_is_borrowed(rank: int) -> None:
    array = np.arange(np.prod(range(2, 2 + rank), dtype=int), dtype=np.uint32).reshape(tuple(range(2, 2 + rank)))
    tensor = Tensor.from_numpy(array.T, copy=False)
    found = tensor.numpy()
    assert np.shares_memory(found, array)
    np.testing.assert_array_equal(found, array.T)
    tensor.fill(7)
    assert (tensor.numpy() == 7).all() and not (array == 7).all()


def test_a_part_is_changed_through_the_buffer(device: Device) -> None:
    """In place of views that write through: the tensor's own buffer has them, and no other tensor sees the change."""
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    x = Tensor.from_numpy(array, device)
    other, row = x.detach(), x[1]
    part = x.writable()[:, 1]
    part.fill(7)
    x.writable()[0, 0, ::2].copy_from(np.array([-1, -2], np.float32))
    expected = array.copy()
    expected[:, 1] = 7
    expected[0, 0, ::2] = -1, -2
    np.testing.assert_array_equal(x.numpy(), expected)
    np.testing.assert_array_equal(other.numpy(), array)
    np.testing.assert_array_equal(row.numpy(), array[1])
    np.testing.assert_array_equal(part.numpy(), expected[:, 1])


STANDARD = [
    (shape, axes)
    for shapes in (
        [(3, 3), (21, 30)],
        [(1, 2, 3), (2, 21, 3)],
        [(1, 2, 3, 3), (2, 21, 3, 30)],
        [(1, 2, 3, 3, 3), (2, 17, 3, 10, 3)],
        [(1, 2, 3, 3, 1, 3), (2, 17, 3, 10, 2, 3)],
    )
    for shape in shapes
    for axes in itertools.islice(itertools.permutations(range(len(shape))), 0, None, max(1, len(shape) ** 2 // 6))
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_standard_layout(dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    for shape, axes in STANDARD[:: 9 if device.info.kind == "interpreter" else 1]:
        array = cyclic(math.prod(shape), dtype, 100).reshape(shape)
        view = Tensor.from_numpy(array, device).transpose(*axes)
        found = view.contiguous()
        assert found.is_contiguous() and (found.buffer.memory is view.buffer.memory) == view.is_contiguous()
        np.testing.assert_array_equal(found.numpy(), array.transpose(axes))


BROADCASTS = [
    *(((2,), tuple(range(2 + n, 1, -1))) for n in range(1, 6)),
    ((3, 2), (5, 4, 3, 2)),
    ((4, 1, 1, 3), (4, 2, 1, 3)),
]


@pytest.mark.parametrize(("shape", "to"), BROADCASTS, ids=str)
def test_broadcast(shape: tuple[int, ...], to: tuple[int, ...], device: Device) -> None:
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    x = Parameter(Tensor.from_numpy(array, device))
    x.init_grad()
    y = x.broadcast_to(to)
    expected = np.broadcast_to(array, to)
    np.testing.assert_array_equal(y.numpy(), expected)
    for n, own, numpys in zip(to, y.strides, expected.strides, strict=True):
        assert own == numpys // 4 or n == 1
    y.backward(Tensor.ones(to, f32, device))
    np.testing.assert_array_equal(present(x.grad).numpy(), np.full(shape, np.prod(to) / np.prod(shape)))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", [(7,), (64,), (300,), (3, 5), (21, 14)], ids=str)
def test_scaled_add(shape: tuple[int, ...], dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    x = cyclic(math.prod(shape), dtype).reshape(shape)
    y = cyclic(math.prod(shape), dtype, 7).reshape(shape)
    t, other = Tensor.from_numpy(x, device), Tensor.from_numpy(y, device)
    t.scaled_add(2, other)
    np.testing.assert_array_equal(t.numpy(), x + dtype.dtype.type(2) * y)
    t = Tensor.from_numpy(x.T.copy(), device).transpose()
    t.scaled_add(2, other)
    np.testing.assert_array_equal(t.numpy(), x + dtype.dtype.type(2) * y)


@pytest.mark.parametrize("dtype", [u8, u16, u32, u64], ids=str)
@pytest.mark.parametrize("to", TYPES, ids=str)
def test_one_hot(dtype: ScalarType, to: ScalarType, device: Device) -> None:
    requires(device, dtype, to)
    for n, classes in itertools.product((1, 7, 64, 300), (1, 5, 10, 100)):
        if device.info.kind == "interpreter" and n * classes > 700:
            continue
        labels = (np.arange(n) % classes).astype(dtype.dtype)
        found = Tensor.from_numpy(labels, device).one_hot(classes, to)
        assert found.dtype is to
        np.testing.assert_array_equal(found.numpy(), np.eye(classes)[labels.astype(int)].astype(to.dtype))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_one_hot_of_any_shape(dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    for shape in ((), (0,), (2, 3), (1, 2, 1, 2)):
        labels = (np.arange(np.prod(shape, dtype=int)) % 4).astype(dtype.dtype).reshape(shape)
        found = Tensor.from_numpy(labels, device).one_hot(4)
        np.testing.assert_array_equal(found.numpy(), np.eye(4, dtype=np.float32)[labels.astype(int)])


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("rank", range(7))
def test_sum(rank: int, dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    array = cyclic(2**rank, dtype).reshape((2,) * rank)
    found = Tensor.from_numpy(array, device).sum()
    expected = array.astype(np.float64).sum()
    assert found.shape == ()
    np.testing.assert_allclose(found.item(), expected, rtol=EPSILON.get(dtype, 0), atol=0)


def lengths(dtype: ScalarType) -> Any:
    return [4, 11] + ([33, 517] if dtype.size > 1 else []) + ([1021] if dtype.size > 2 else [])


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("rank", range(1, 7))
def test_sum_axis(rank: int, dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    for axis, n in itertools.product(range(rank), lengths(dtype)):
        shape = [3 if rank < 5 else 2] * rank
        shape[axis] = n
        if device.info.kind == "interpreter" and np.prod(shape) > 300:
            continue
        array = cyclic(math.prod(shape), dtype, 3).reshape(shape)
        found = Tensor.from_numpy(array, device).sum(axis)
        expected = array.astype(np.float64).sum(axis)
        # Sums below 4,000 are exact in f32 and f64; narrow floats round them once.
        np.testing.assert_array_equal(found.numpy().astype(np.float64), expected.astype(found.dtype.dtype))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("size", [2, 4, 5, 8, 16, 32, 64, 128])
def test_dot(size: int, dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    if device.info.kind == "interpreter" and size > 8:
        pytest.skip("thousands of threads")
    period = 2 if dtype.size == 1 else 9
    base = cyclic(size * size, dtype, period) - (1 if dtype.size == 1 else 0)
    x, y = base.reshape(size, size), base[::-1].reshape(size, size)
    exact = x.astype(np.float64) @ y.astype(np.float64)
    for left, right in itertools.product("nt", repeat=2):
        a = Tensor.from_numpy(x, device) if left == "n" else Tensor.from_numpy(x.T.copy(), device).T
        b = Tensor.from_numpy(y, device) if right == "n" else Tensor.from_numpy(y.T.copy(), device).T
        found = (a @ b).numpy()
        # Sums of whole numbers below 128 * 81 are exact in 32 bits; narrow types round or wrap them once.
        expected = exact.astype(np.int64).astype(dtype.dtype) if dtype.is_integer else exact.astype(dtype.dtype)
        np.testing.assert_array_equal(found, expected)
