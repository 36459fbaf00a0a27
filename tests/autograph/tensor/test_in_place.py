"""Tensors that are changed in place by others: assign, add_assign, scaled_add, sums into a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from krnlpy import Device, ScalarType
from krnlpy.scalar import bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64
from tests.autograph.reference import draw, tensor
from tests.support.devices import requires
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present, untyped

pytestmark = one_vulkan_device

TYPES = [u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_assign_converts(dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    for other in TYPES:
        if other.size == 8 and dtype.size < 8:
            continue
        x = Tensor.zeros((2, 3), dtype, device)
        x.assign(Tensor.from_numpy(np.array([1, 2, 100]).astype(other.dtype), device))
        assert x.dtype is dtype
        np.testing.assert_array_equal(x.numpy(), np.array([[1, 2, 100]] * 2).astype(dtype.dtype))


def test_assign_converts_as_casts_do(device: Device) -> None:
    x = Tensor.zeros(4, u8, device)
    x.assign(Tensor.from_numpy(np.array([-1.0, 2.9, 300.0, np.nan], np.float32), device))
    np.testing.assert_array_equal(x.numpy(), [0, 2, 255, 0])


def test_assign_of_itself(device: Device) -> None:
    x = tensor(np.arange(6.0), f32, device).reshape((2, 3))
    x.assign(x[:, ::-1])
    np.testing.assert_array_equal(x.numpy(), [[2, 1, 0], [5, 4, 3]])


@pytest.mark.parametrize("dtype", [f16, bf16, f32], ids=str)
def test_scaled_add_rounds_once(dtype: ScalarType, device: Device) -> None:
    x, y = draw(1, (3, 50), dtype), draw(2, (50,), dtype)
    t = tensor(x, dtype, device)
    t.scaled_add(-0.3, tensor(y, dtype, device))
    # The product and the sum, below 2, are rounded to f32, the result to the dtype: by half the distance of numbers
    # from 1 to 2.
    atol = 2 * 2.0**-24 + {f16: 2.0**-11, bf16: 2.0**-8, f32: 2.0**-24}[dtype]
    np.testing.assert_allclose(t.numpy().astype(np.float64), x - 0.3 * y, rtol=0, atol=atol)


def test_scaled_add_of_another_dtype(device: Device) -> None:
    x = Tensor.full((2, 2), 1.5, f32, device)
    x.scaled_add(0.5, Tensor.from_numpy(np.array([[1], [3]], np.int16), device))
    np.testing.assert_array_equal(x.numpy(), [[2, 2], [3, 3]])
    x = Tensor.full(2, 250, u8, device)
    x.scaled_add(3, Tensor.from_numpy(np.array([1.9, 2.0], np.float32), device))
    np.testing.assert_array_equal(x.numpy(), [253, 0])  # 1.9 is converted to 1 first; 256 wraps


def test_others_that_share_the_memory_keep_their_values(device: Device) -> None:
    x = tensor(np.arange(6.0), f32, device)
    view = x.reshape((2, 3))
    x.scaled_add(1, x)
    x.assign(x * 2)
    np.testing.assert_array_equal(view.numpy().reshape(-1), np.arange(6))
    np.testing.assert_array_equal(x.numpy(), 4 * np.arange(6))


@pytest.mark.parametrize("operation", ["assign", "add_assign", "scaled_add"])
def test_what_does_not_fit_changes_nothing(operation: Any, device: Device) -> None:
    x = tensor(np.arange(6.0), f32, device).reshape((2, 3))

    def change(other: Any, alpha: int = 1) -> None:
        if operation == "scaled_add":
            x.scaled_add(alpha, other)
        else:
            getattr(x, operation)(other)

    with pytest.raises(ShapeError, match=r"of shapes \(2, 3\) and \(2, 2\): the result does not fit the left one"):
        change(Tensor.zeros((2, 2), f32, device))
    with pytest.raises(ShapeError, match=r"of shapes \(2, 3\) and \(4, 2, 3\)"):
        change(Tensor.zeros((4, 2, 3), f32, device))
    elsewhere = Device.interpreter() if device.info.kind != "interpreter" else Device.host()
    with pytest.raises(DeviceError, match=r"move one with tensor.to_device\(device\)"):
        change(Tensor.zeros((2, 3), f32, elsewhere))
    np.testing.assert_array_equal(x.numpy().reshape(-1), np.arange(6))
    tracked = Parameter(x)
    tracked.init_grad()
    computed = tracked * 2
    with pytest.raises(AutographError, match="cannot be changed in place"):
        computed.assign(x)


def test_alpha_must_be_a_number_of_the_dtype(device: Device) -> None:
    x = Tensor.ones(2, u8, device)
    with pytest.raises(DtypeError, match=r"scaled_add of u8 and 1\.5: expected a whole number from 0 to 255"):
        x.scaled_add(1.5, x)
    with pytest.raises(DtypeError, match="scaled_add takes a tensor or a number, not str"):
        x.scaled_add(untyped("2"), x)
    assert x.numpy().tolist() == [1, 1]


def test_empty(device: Device) -> None:
    x = Tensor.zeros((0, 3), f32, device)
    x.assign(Tensor.ones(3, f32, device))
    x.add_assign(Tensor.ones(3, f32, device))
    x.scaled_add(2, Tensor.ones(3, f32, device))
    assert x.shape == (0, 3)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("beta", [0, 1, 3])
def test_sum_into_a_tensor(beta: Any, dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    array = (np.arange(24) % 5).astype(dtype.dtype).reshape(2, 3, 4)
    x = Tensor.from_numpy(array, device)
    for axis in (None, 1, (0, 2)):
        plain = x.sum(axis)
        out = Tensor.full(plain.shape, 2, plain.dtype, device)
        assert x.sum(axis, out=out, beta=beta) is out
        np.testing.assert_array_equal(out.numpy(), plain.numpy() + 2 * beta)


def test_a_sum_into_a_tensor_is_rounded_once(device: Device) -> None:
    # 1 + 2**-8 is halfway between two bf16 numbers, and 2**-10 more is not: the sum must not be rounded before.
    x = tensor(np.array([2.0**-8, 2.0**-10]), bf16, device)
    out = Tensor.ones((), bf16, device)
    x.sum(out=out, beta=1)
    assert out.item() == 1 + 2.0**-7


def test_a_sum_overwrites_what_is_no_number(device: Device) -> None:
    out = Tensor.full((), float("nan"), f32, device)
    Tensor.ones(3, f32, device).sum(out=out)
    assert out.item() == 3


def test_sums_that_do_not_fit(device: Device) -> None:
    x, out = Tensor.ones((2, 3), f32, device), Tensor.zeros(3, f32, device)
    with pytest.raises(ShapeError, match=r"has the shape \(2,\), out has \(3,\)"):
        x.sum(1, out=out)
    with pytest.raises(DtypeError, match="sum of f32 gives f32, out is bf16"):
        x.sum(0, out=out.cast(bf16))
    with pytest.raises(AutographError, match=r"beta=2\) without out"):
        x.sum(0, beta=2)
    parameter = Parameter(x)
    parameter.init_grad()
    with pytest.raises(AutographError, match="records nothing"):
        parameter.sum(0, out=out)
    with pytest.raises(DtypeError, match="expected a whole number"):
        Tensor.ones(3, i32, device).sum(out=Tensor.zeros((), i32, device), beta=0.5)
    assert out.numpy().tolist() == [0, 0, 0]


def test_classes_that_have_no_row(device: Device) -> None:
    with pytest.raises(DtypeError, match="one_hot takes classes as integers, not f32"):
        Tensor.zeros(2, f32, device).one_hot(3)
    classes = Tensor.from_numpy(np.array([[0, 1], [3, 2]], np.int8), device)
    for count in (0, -1, 1.5):
        with pytest.raises(ShapeError, match="expected a whole number of at least 1"):
            classes.one_hot(untyped(count))
    if device.is_host:
        with pytest.raises(ShapeError, match=r"class 3 at \(1, 0\) is out of range: expected one of 3 classes, 0 to 2"):
            classes.one_hot(3)
    else:
        assert classes.one_hot(3).numpy()[1].tolist() == [[0, 0, 0], [0, 0, 1]]


def test_borrowed_arrays_are_not_written_to() -> None:
    array = np.arange(6, dtype=np.float32)
    x = Tensor.from_numpy(array[::-2], copy=False)
    np.testing.assert_array_equal(x.numpy(), [5, 3, 1])
    array[5] = 7
    assert x.numpy()[0] == 7
    x.fill(0)
    assert array.tolist() == [0, 1, 2, 3, 4, 7] and x.numpy().tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "same",
    [
        lambda x: x.contiguous(),
        lambda x: x.to_device(x.device),
        lambda x: x.cast(x.dtype),
        lambda x: x.reshape(x.shape),
        lambda x: x.broadcast_to(x.shape),
        lambda x: x.transpose(0, 1),
        lambda x: x[...],
        lambda x: x.detach(),
    ],
    ids=["contiguous", "to_device", "cast", "reshape", "broadcast_to", "transpose", "index", "detach"],
)
def test_what_changes_nothing_is_another_tensor(same: Any, device: Device) -> None:
    x = Tensor.ones((2, 2), f32, device)
    y = same(x)
    assert y.buffer.memory is x.buffer.memory  # until one of the two is changed
    y.fill(3)
    assert x.numpy().tolist() == [[1, 1], [1, 1]]
    z = same(x)
    x.fill(2)
    assert z.numpy().tolist() == [[1, 1], [1, 1]] and y.numpy().tolist() == [[3, 3], [3, 3]]


@pytest.mark.parametrize("same", [lambda x: x.contiguous(), lambda x: x.to_device(x.device)])
def test_gradients_go_through_what_changes_nothing(same: Any, device: Device) -> None:
    x = Parameter(Tensor.full((2, 2), 3.0, f32, device))
    x.init_grad()
    y = same(x)
    assert type(y) is Tensor and y.tracked
    (y * y).sum().backward()
    assert present(x.grad).numpy().tolist() == [[6, 6], [6, 6]]


def test_layout(device: Device) -> None:
    x = Tensor.zeros((2, 3, 1, 4), f32, device)
    assert x.strides == (12, 4, 4, 1) and x.is_contiguous() and not x.is_contiguous("F")
    y = x.transpose()
    assert y.is_contiguous("F") and not y.is_contiguous()
    assert y.contiguous().is_contiguous() and y.contiguous().shape == y.shape
    assert x[:, ::-1].strides[1] == -4 and not x[:, :2].is_contiguous()
    assert x.broadcast_to((5, 2, 3, 1, 4)).strides[0] == 0
    for empty in (Tensor.zeros((0, 3), f32, device), Tensor.zeros((), f32, device)):
        assert empty.is_contiguous() and empty.is_contiguous("F")
    with pytest.raises(AutographError, match="expected 'C' or 'F'"):
        x.is_contiguous(untyped("K"))
