"""Arithmetic, relu and casts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from autograph.errors import DeviceError, DtypeError, ShapeError
from autograph.functions.elementwise import arithmetic, operation
from krnlpy import Device, ScalarType, bf16, f32, i32, i64, u8
from tests.autograph.reference import DTYPES, Array, apart, check, check_choices, draw, tensor
from tests.support.typed import present

BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("shapes", [((7,), (7,)), ((2, 3, 4), (3, 1)), ((3, 1), (2, 1, 4)), ((), (5,))], ids=str)
def test_arithmetic_of_tensors(name: Any, shapes: Any, dtype: ScalarType, device: Device) -> None:
    x = draw(1, shapes[0], dtype)
    y = draw(2, shapes[1], dtype, 0.5, 1.5)
    # A gradient sums at most 8 repeated elements; on its way it is rounded to the dtype up to four times: the quotient
    # that was computed, its product with the gradient, that divided, the sum.
    check(BINARY[name], BINARY[name], [x, y], dtype, device, terms=8, roundings=4, step=1e-5)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + 3,
        lambda x: 3 + x,
        lambda x: x - 0.75,
        lambda x: 0.75 - x,
        lambda x: x * -0.1,
        lambda x: -0.1 * x,
        lambda x: x / 3,
        lambda x: 2 / x,
        lambda x: -x,
    ],
    ids=["x+n", "n+x", "x-n", "n-x", "x*n", "n*x", "x/n", "n/x", "-x"],
)
def test_arithmetic_with_numbers(function: Callable[..., Any], dtype: ScalarType, device: Device) -> None:
    # One or two f32 operations; rounded up to three times, as above.
    check(function, function, [draw(3, (3, 5), dtype, 0.5, 1.5)], dtype, device, terms=2, roundings=3, step=1e-5)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_relu(dtype: ScalarType, device: Device) -> None:
    def reference(x: Array) -> Any:
        return np.maximum(x, 0)

    check_choices(lambda x: x.relu(), reference, apart(4, (4, 9), dtype), dtype, device)


def test_relu_at_zero_and_nan(device: Device) -> None:
    x = Parameter(tensor([0.0, -0.0, np.nan, 2.0, -np.inf, np.inf], f32, device))
    x.init_grad()
    y = x.relu()
    np.testing.assert_array_equal(y.numpy(), [0.0, 0.0, np.nan, 2.0, 0.0, np.inf])
    y.backward(Tensor.ones(6, f32, device))
    np.testing.assert_array_equal(present(x.grad).numpy(), [0, 0, 1, 1, 0, 1])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_views_of_any_strides_are_operands(dtype: ScalarType, device: Device) -> None:
    x = draw(5, (4, 6), dtype)
    y = draw(6, (3, 4), dtype)
    a, b = tensor(x, dtype, device), tensor(y, dtype, device)
    found = (a[1:, ::2] + b.T[:3] * a.T[:3, :1]).numpy().astype(np.float64)
    # Two roundings of numbers below 2.
    np.testing.assert_allclose(found, x[1:, ::2] + y.T[:3] * x.T[:3, :1], rtol=0, atol=4 * 2.0**-8)


def test_integers(device: Device) -> None:
    x = tensor([1, 2, 250], u8, device)
    np.testing.assert_array_equal((x + 10).numpy(), np.array([11, 12, 4], np.uint8))
    np.testing.assert_array_equal((x * x).numpy(), np.array([1, 4, 250 * 250 % 256], np.uint8))
    with pytest.raises(DtypeError, match=r"u8 and 300: expected a whole number from 0 to 255"):
        x + 300
    assert (x + 0.5).dtype is f32 and (x + 0.5).numpy().tolist() == [1.5, 2.5, 250.5]
    quotients = x / 3
    assert quotients.dtype is f32
    np.testing.assert_array_equal(quotients.numpy(), np.array([1, 2, 250], np.float32) / np.float32(3))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_scaled_cast_of_bytes(dtype: ScalarType, device: Device) -> None:
    x = np.arange(256, dtype=np.uint8)
    found = Tensor.from_numpy(x, device).scaled_cast(1 / 255, dtype)
    assert found.dtype is dtype
    # 1 / 255 is rounded to f32, the product to the dtype; bytes are exact in either.
    np.testing.assert_allclose(found.numpy().astype(np.float64), x / 255, rtol=2.0**-23 + 2.0**-8, atol=0)


def test_cast_there_and_its_gradient_back(device: Device) -> None:
    x = Parameter(tensor([0.1, 1.0, -3.0], f32, device))
    x.init_grad()
    y = x.cast(bf16)
    assert y.dtype is bf16
    y.backward(tensor([1.0, 2.0, 4.0], bf16, device))
    assert present(x.grad).dtype is f32
    np.testing.assert_array_equal(present(x.grad).numpy(), [1, 2, 4])
    np.testing.assert_array_equal(tensor([3.7, -1.5], f32, device).cast(i32).numpy(), [3, -1])


def test_scaled_cast_gradient(device: Device) -> None:
    x = Parameter(tensor([1.0, 2.0], f32, device))
    x.init_grad()
    x.scaled_cast(0.25, bf16).backward(tensor([4.0, 8.0], bf16, device))
    np.testing.assert_array_equal(present(x.grad).numpy(), [1, 2])


def test_what_does_not_fit() -> None:
    x = Tensor.ones((2, 3))
    with pytest.raises(ShapeError, match=r"add of shapes \(2, 3\) and \(2,\)"):
        x + Tensor.ones(2)
    with pytest.raises(DtypeError, match="multiply of f32 and i64: convert the integers"):
        x * Tensor.ones((2, 3), i64)
    with pytest.raises(DeviceError, match="interpreter"):
        x - Tensor.ones((2, 3), f32, Device.interpreter())
    with pytest.raises(DtypeError, match=r"Tensor\.from_numpy"):
        x + np.ones((2, 3), np.float32)
    with pytest.raises(DtypeError, match=r"scaled_cast of u8 and 0\.5: expected a whole number"):
        x.scaled_cast(0.5, u8)


def test_numpy_numbers_are_numbers() -> None:
    two: Any = np.float32(2)
    assert (two * Tensor.full((), 3.0)).item() == 6.0


def test_empty_tensors(device: Device) -> None:
    x = Tensor.zeros((0, 3), f32, device)
    assert (x + x * 2).relu().shape == (0, 3)


def test_what_is_known_of_operands_is_not_taken_for_others(device: Device) -> None:
    x, row = tensor(np.arange(6.0).reshape(2, 3), f32, device), tensor([1.0, 2.0, 3.0], f32, device)
    others: list[Any] = [row, row.reshape((1, 3)), x, x[::-1], 2, 2.5, np.float32(0.5), float("nan"), True]
    for _ in range(2):
        for other in others:
            expected = x.numpy() + (other.numpy() if isinstance(other, Tensor) else np.float32(other))
            np.testing.assert_array_equal((x + other).numpy(), expected)
        with pytest.raises(ShapeError, match="add of shapes"):
            x + row[:2]
        with pytest.raises(DeviceError, match="move one"):
            x + row.to_device(Device.interpreter() if device != Device.interpreter() else Device.host())
        with pytest.raises(DtypeError, match="a whole number"):
            x.cast(u8) + 256
        assert (x.cast(u8) + 255).tolist() == [[255, 0, 1], [2, 3, 4]]


def test_operations_on_ever_new_shapes_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "_MOST_CALLS", 4)
    x = Tensor.ones(30)
    assert [len(x[:n] + x[:n]) for n in range(30)] == [*range(30)]
    assert len(arithmetic.add.calls) <= 4
