"""Operations that users make of functions of numbers by ``elementwise``."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor, elementwise
from autograph.autograd import differentiable
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from krnlpy import Buffer, Device, Item, ItemMut, LaunchError, bf16, f16, f32, f64, func, kernel

from krnlpy import i8, i16, i32, i64, u8, u16, u32, u64  # isort: skip
from krnlpy.dsl import cos, define_partials, erf, exp, sin
from tests.support.typed import present, untyped


@elementwise
def gelu(x: Any) -> Any:
    """The Gaussian error linear unit."""
    return 0.5 * x * (1.0 + erf(x * 0.7071067811865476))


@elementwise
def multiply_add(x: Any, y: Any, z: Any = 1) -> Any:
    return x * y + z


@elementwise
def polar(radius: Any, angle: Any) -> Any:
    return radius * cos(angle), radius * sin(angle)


def opened(array: Any, device: Device | None = None) -> Parameter:
    parameter = Parameter(Tensor.from_numpy(np.asarray(array), device))
    parameter.init_grad()
    return parameter


def test_value_and_gradient(device: Device) -> None:
    x = opened(np.array([-1, 0, 1], np.float32), device)
    y = gelu(x)
    np.testing.assert_allclose(y.numpy(), [-0.15865525, 0, 0.84134475], rtol=2e-6)
    y.backward(Tensor.from_numpy(np.array([1, 2, 3], np.float32), device))
    np.testing.assert_allclose(present(x.take_grad()).numpy(), [-0.08331547, 1, 3.2499464], rtol=4e-6)


def test_several_results_and_a_joint_gradient(device: Device) -> None:
    radius, angle = opened(np.array([[1], [2]], np.float32), device), opened(np.array([0, 0.5, 1], np.float32), device)
    x, y = polar(radius, angle)
    assert x.shape == y.shape == (2, 3)
    (x + 2 * y).sum().backward()
    r, a = np.array([[1], [2]], np.float64), np.array([0, 0.5, 1], np.float64)
    np.testing.assert_allclose(
        present(radius.take_grad()).numpy(),
        (np.cos(a) + 2 * np.sin(a)).sum(keepdims=True).repeat(2)[:, None],
        rtol=3e-6,
    )
    np.testing.assert_allclose(
        present(angle.take_grad()).numpy(), (r * (2 * np.cos(a) - np.sin(a))).sum(axis=0), rtol=3e-6, atol=1e-6
    )


def test_a_result_that_nothing_depends_on(device: Device) -> None:
    radius = opened(np.array([1, 2], np.float32), device)
    _, y = polar(radius, 0.5)
    y.sum().backward()
    np.testing.assert_allclose(present(radius.take_grad()).numpy(), np.sin([0.5, 0.5]), rtol=3e-6)


def test_gradients_of_bf16_are_rounded_after_their_sum(device: Device) -> None:
    """1,012 products of 1.5 and 1.0078125 sum up to 1529.9, which is 1528 in bf16; each of them rounded, to 1536."""
    x = Tensor.full((1012, 1), 1.5, f32, device).cast(bf16)
    y = Parameter(Tensor.ones(1, f32, device).cast(bf16))
    y.init_grad()
    multiply_add(x, y).backward(Tensor.full((1012, 1), 1.0078125, f32, device).cast(bf16))
    assert present(y.take_grad()).cast(f32).item() == 1528


def test_changes_in_place_do_not_reach_gradients(device: Device) -> None:
    x, y = opened(np.array([2, 3], np.float32), device), Tensor.full(2, 5.0, f32, device)
    value = multiply_add(x, y)
    y.fill(100)
    value.sum().backward()
    assert present(x.take_grad()).numpy().tolist() == [5, 5]


def test_what_gradients_need_not_is_not_kept() -> None:
    """A sum's gradient needs neither operand."""
    x, y = opened(np.zeros(1000, np.float32)), Tensor.zeros(1000)
    value = x + y
    del y
    gc.collect()
    before = Device.host().memory_stats().in_use
    del value
    gc.collect()
    assert before - Device.host().memory_stats().in_use == 4000  # the value's own


NUMBERS: list[tuple[Any, Any, Any]] = [
    (i32, 2, i32), (u8, 200, u8), (i32, 2.5, f32), (u8, True, u8), (f16, 2.5, f16), (bf16, 3, bf16),
    (f32, np.float64(0.1), f32), (f64, 1, f64), (i64, np.int8(3), i64), (f32, np.bool_(True), f32),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "number", "expected"), NUMBERS, ids=str)
def test_numbers_beside_tensors(dtype: Any, number: Any, expected: Any) -> None:
    x = Tensor.full(3, 2, dtype)
    for found in (x + number, number + x):
        assert found.dtype is expected
        np.testing.assert_array_equal(
            found.numpy(), np.full(3, 2 + np.float32(number), expected.dtype) if expected is not f64 else [3] * 3
        )


# By the standard's tables, but for integers with floats, which it leaves open.
PROMOTED: list[tuple[Any, Any, Any]] = [
    (u8, i8, i16), (u8, i16, i16), (u16, i8, i32), (u32, i32, i64), (u32, i64, i64), (u8, u32, u32), (i8, i64, i64),
    (f16, bf16, f32), (f16, f32, f32), (bf16, f64, f64), (i32, f32, f32), (u8, f16, f16), (u32, f64, f64),
]  # fmt: skip


@pytest.mark.parametrize(("x", "y", "expected"), PROMOTED, ids=str)
def test_dtypes_are_promoted(x: Any, y: Any, expected: Any) -> None:
    for a, b in ((x, y), (y, x)):
        found = Tensor.full(2, 3, a) * Tensor.full(2, 5, b)
        assert found.dtype is expected and found.cast(f64).numpy().tolist() == [15, 15]


@pytest.mark.parametrize(("x", "y"), [(u64, i8), (u64, i64), (i64, f32), (u64, f64)], ids=str)
def test_dtypes_that_nothing_holds_both_of(x: Any, y: Any) -> None:
    with pytest.raises(DtypeError, match="convert"):
        Tensor.ones(2, x) + Tensor.ones(2, y)


def test_gradients_of_promoted_operands(device: Device) -> None:
    x, y = Parameter(Tensor.full(2, 1.5, f16, device)), Parameter(Tensor.full(2, 3.0, f32, device))
    for parameter in (x, y):
        parameter.init_grad()
    multiply_add(x, y, Tensor.full(2, 4, i32, device)).sum().backward()
    dx, dy = present(x.take_grad()), present(y.take_grad())
    assert dx.dtype is f16 and dy.dtype is f32
    assert dx.numpy().tolist() == [3, 3] and dy.numpy().tolist() == [1.5, 1.5]


def test_names_and_defaults() -> None:
    x = Tensor.full(2, 3.0)
    assert multiply_add(x, 2).numpy().tolist() == [7, 7]
    assert multiply_add(x, z=Tensor.full(2, 0.5), y=2).numpy().tolist() == [6.5, 6.5]
    for wrong in (
        lambda: multiply_add(x),
        lambda: multiply_add(x, 1, 2, 3),
        lambda: multiply_add(x, 1, y=2),
        lambda: multiply_add(x, 1, w=2),
    ):
        with pytest.raises(AutographError, match="multiply_add takes x, y, z; given were"):
            wrong()


def test_it_is_a_function_of_kernels_and_of_other_operations(device: Device) -> None:
    @elementwise
    def doubled_gelu(x: Any) -> Any:
        return 2 * gelu(x)

    @kernel
    def apply(x: Item[f32], y: ItemMut[f32]) -> None:
        y = gelu(x)

    x, y = Tensor.full(3, 0.75, f32, device), Buffer.empty(3, f32, device)
    apply(x.buffer, y)
    np.testing.assert_allclose(doubled_gelu(x).numpy(), 2 * y.numpy(), rtol=2.0**-23)


def test_partials_by_hand(device: Device) -> None:
    @func
    def slope(x: Any) -> Any:
        return 10.0 * x

    @elementwise
    def strange(x: Any) -> Any:
        return exp(x)

    define_partials(strange, slope)
    x = opened(np.array([1, 2], np.float32), device)
    strange(x).sum().backward()
    assert present(x.take_grad()).numpy().tolist() == [10, 20]


def test_empty_and_0d(device: Device) -> None:
    x = opened(np.zeros((0, 3), np.float32), device)
    value = gelu(x)
    value.sum().backward()
    assert value.shape == (0, 3) and present(x.take_grad()).shape == (0, 3)
    y = opened(np.float32(1.0), device)
    gelu(y).backward()
    assert present(y.take_grad()).shape == ()


def test_as_a_method() -> None:
    class Activated(Tensor):
        gelu = gelu

    assert Activated(Buffer.ones(2)).gelu().numpy()[0] == gelu(Tensor.ones(1)).item()
    assert repr(gelu) == "<elementwise gelu(x)>" and gelu.__doc__ == "The Gaussian error linear unit."


def test_what_it_refuses() -> None:
    x = Tensor.ones((2, 3))
    with pytest.raises(DtypeError, match=r"gelu of i64: .*test_made_operations.py:\d+: \* of i64 and the number"):
        gelu(Tensor.from_numpy([1, 2]))
    with pytest.raises(DtypeError, match="gelu takes tensors, and numbers beside them; given were float"):
        gelu(0.5)
    with pytest.raises(DtypeError, match=r"multiply_add takes a tensor or a number, not ndarray; Tensor\.from_numpy"):
        multiply_add(x, untyped(np.ones((2, 3), np.float32)))
    with pytest.raises(ShapeError, match=r"multiply_add of shapes \(2, 3\) and \(2,\): aligned at the right"):
        multiply_add(x, Tensor.ones(2))
    with pytest.raises(DeviceError, match="multiply_add of tensors on host and on interpreter"):
        multiply_add(x, Tensor.ones((2, 3), f32, Device.interpreter()))
    with pytest.raises(DtypeError, match="multiply_add of u8 and 300: expected a whole number from 0 to 255"):
        multiply_add(Tensor.ones(2, u8), 300)
    with pytest.raises(LaunchError, match="func of a int"):
        elementwise(untyped(3))


def test_gradient_functions_of_several_inputs_that_give_too_few() -> None:
    x, y = opened(np.array([1], np.float32)), opened(np.array([1], np.float32))
    value = differentiable(x.detach(), [((x, y), lambda gradient: (gradient,))])
    with pytest.raises(AutographError, match="of 2 inputs gave 1 gradients"):
        value.backward()
    value = differentiable(x.detach(), [(x, lambda gradient: None)])
    with pytest.raises(AutographError, match="gave NoneType, not a tensor"):
        value.backward()
