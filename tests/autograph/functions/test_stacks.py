"""Products of stacks of matrices and of vectors: broadcasting, strides, dtypes, gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Dense, Parameter, Tensor, grad
from autograph.functions.products import host
from krnlpy import Device, bf16, config, f16, f32, f64, i8, i16, i32, i64, scalar_type, u8, u32
from tests.autograph.reference import check, draw, tensor
from tests.support.devices import limit_reach, requires
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

SHAPES: list[Any] = [
    ((2, 2, 3), (2, 3, 4)),
    ((2, 3), (4, 3, 2)),  # the left matrix is repeated
    ((2, 1, 2, 3), (3, 3, 1)),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (2, 3, 2)),
    ((2, 2, 3), (3, 2)),  # rows of all matrices at once
    ((0, 2, 3), (3, 2)),
    ((2, 1, 0), (2, 0, 3)),
]


@pytest.mark.parametrize("dtype", [f32, bf16], ids=str)
@pytest.mark.parametrize(("left", "right"), SHAPES, ids=str)
def test_values_and_gradients(left: Any, right: Any, dtype: Any, device: Device) -> None:
    x, y = draw(1, left, dtype), draw(2, right, dtype)
    check(lambda x, y: x @ y, lambda x, y: x @ y, [x, y], dtype, device)


def test_views(device: Device) -> None:
    """As heads of attention are: strides that no one leading axis has, and operands that are transposed or repeated."""
    rng = np.random.default_rng(3)
    x, y = (rng.integers(-3, 4, shape).astype(np.float32) for shape in ((2, 4, 3, 5), (2, 4, 3, 5)))
    a, b = Tensor.from_numpy(x, device), Tensor.from_numpy(y, device)
    q, k = x.transpose(0, 2, 1, 3), y.transpose(0, 2, 3, 1)
    found = a.transpose(0, 2, 1, 3) @ b.transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(found.numpy(), q @ k)
    found = (
        a.transpose(3, 1, 0, 2)[::-1] @ b.transpose(3, 1, 2, 0)[1:2]
    )  # three leading axes of their own, one repeated
    np.testing.assert_array_equal(found.numpy(), x.transpose(3, 1, 0, 2)[::-1] @ y.transpose(3, 1, 2, 0)[1:2])
    three = a[:1].broadcast_to(2, 4, 3, 5).reshape(2, 2, 2, 3, 5)
    found = three.transpose(1, 0, 2, 3, 4) @ b[0, 0].T
    expected = np.broadcast_to(x[0], (2, 4, 3, 5)).reshape(2, 2, 2, 3, 5).transpose(1, 0, 2, 3, 4) @ y[0, 0].T
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize(
    ("left", "right", "dtype"),
    [(f32, f16, f32), (bf16, f16, f32), (u8, i8, i16), (i8, f32, f32), (bool, bool, bool), (bool, i32, i32)],
    ids=str,
)
def test_dtypes_are_promoted(left: Any, right: Any, dtype: Any, device: Device) -> None:
    rng = np.random.default_rng(4)
    x = rng.integers(0, 2, (2, 9, 10)).astype(scalar_type(left).dtype)
    y = rng.integers(0, 2, (10, 9)).astype(scalar_type(right).dtype)
    found = Tensor.from_numpy(x, device) @ Tensor.from_numpy(y, device)
    assert found.dtype is scalar_type(dtype)
    expected = x.astype(int) @ y.astype(int)
    np.testing.assert_array_equal(found.numpy().astype(int), expected > 0 if dtype is bool else expected)


def test_gradients_of_two_dtypes(device: Device) -> None:
    x, y = Parameter(Tensor.ones((2, 2, 3), f16, device)), Parameter(Tensor.full((3, 2), 0.5, f32, device))
    for parameter in (x, y):
        parameter.init_grad()
    (x @ y).sum().backward()
    first, second = present(x.grad), present(y.grad)
    assert (first.dtype, second.dtype) == (f16, f32)
    np.testing.assert_array_equal(first.numpy(), np.full((2, 2, 3), 1.0))
    np.testing.assert_array_equal(second.numpy(), np.full((3, 2), 4.0))


def test_a_repeated_operands_gradient_is_rounded_once(device: Device) -> None:
    """The sum of 3 products of 257 (between numbers of bf16) in f32 is 771, of bf16: 772. Of rounded ones: 768."""
    x = Parameter(Tensor.ones((1, 1), bf16, device))
    x.init_grad()
    y = Tensor.ones((3, 1, 257), bf16, device)
    (x @ y).sum().backward()
    assert present(x.grad).item() == 772


@pytest.mark.parametrize(("dtype", "count"), [(bf16, 512), (f16, 4_096)], ids=str)
def test_narrow_types_are_summed_in_f32(dtype: Any, count: int, device: Device) -> None:
    """Sums of ones; added up in their own type, they would stay at half of that."""
    count = 260 if device.info.kind == "interpreter" else count
    for rows, columns in ((1, 1), (4, 16)):
        ones = Tensor.ones((1, 1), dtype, device).broadcast_to(rows, count) @ Tensor.ones(
            (count, columns), dtype, device
        )
        np.testing.assert_array_equal(ones.numpy().astype(int), count)


def test_second_derivatives(device: Device) -> None:
    """Of the sum of (x y)^2, by x in the direction of ones: 2 * (ones y) y^T, for each matrix of a stack."""
    x, y = (draw(seed, shape, f32) for seed, shape in ((5, (2, 3)), (6, (4, 3, 2))))

    def f(x: Tensor) -> Any:
        z = x @ tensor(y, f32, device)
        return (z * z).sum()

    second = grad(lambda x: grad(f)(x).sum())(tensor(x, f32, device))
    expected = sum(2 * np.ones((2, 3)) @ matrix @ matrix.T for matrix in y)
    # Two sums of 3 and 8 products below 1, of numbers below 3: some 24 roundings of 2**-24.
    np.testing.assert_allclose(second.numpy(), expected, rtol=0, atol=24 * 24 * 2.0**-24)


@pytest.mark.parametrize(
    ("left", "right"), [(bf16, bf16), (f16, f32), (f64, f32), (i8, i8), (u32, u32), (i64, i32), (bool, bool)], ids=str
)
def test_types_that_blas_has_not(left: Any, right: Any, device: Device) -> None:
    """As many rows and columns as the host's kernel takes, and more; its last blocks overlap."""
    requires(device, left, right)
    rng = np.random.default_rng(10)
    for m, k, n in ((4, 1, 16), (6, 7, 19), (8, 3, 32)):
        x = rng.integers(0, 3, (2, 1, m, k)).astype(scalar_type(left).dtype)
        y = rng.integers(0, 3, (3, k, n)).astype(scalar_type(right).dtype)
        a, b = Tensor.from_numpy(x, device), Tensor.from_numpy(y, device)
        turned = Tensor.from_numpy(y.transpose(0, 2, 1).copy(), device).transpose(0, 2, 1)
        for found, expected in (
            (a @ b, x.astype(int) @ y.astype(int)),
            (a @ turned, x.astype(int) @ y.astype(int)),
            (a[0] @ turned[:1].broadcast_to(b.shape), x[0].astype(int) @ y[:1].repeat(3, 0).astype(int)),
        ):
            np.testing.assert_array_equal(found.numpy().astype(int), expected > 0 if left is bool else expected)


def test_stacks_on_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(11)
    x, y = (rng.integers(-3, 4, shape).astype(np.float32) for shape in ((5, 2, 8, 9), (2, 9, 7)))
    monkeypatch.setattr(config, "host_threads", 2)
    monkeypatch.setattr(host, "_SHARED_WORK", 1)
    a, b = Tensor.from_numpy(x), Tensor.from_numpy(y)
    np.testing.assert_array_equal((a @ b).numpy(), x @ y)
    with Device.host().capture() as graph:
        product = a @ b
    a.buffer.fill(1.0)
    graph.replay()
    np.testing.assert_array_equal(product.numpy(), np.ones_like(x) @ y)


def test_narrow_stacks_in_blocks(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_CONVERTED_BLOCK", 8)
    rng = np.random.default_rng(7)
    x, y = (rng.integers(-2, 3, shape) for shape in ((3, 1, 2, 3), (2, 3, 5)))
    found = tensor(x, bf16, device) @ tensor(y, bf16, device)
    np.testing.assert_array_equal(found.numpy().astype(int), x @ y)


@one_vulkan_device
def test_stacks_that_kernels_do_not_reach_at_once(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.info.backend != "vulkan":
        pytest.skip("its kernels reach all of its memory")
    limit_reach(device, 1 << 14, monkeypatch)
    rng = np.random.default_rng(8)
    x, y = (rng.integers(-2, 3, shape).astype(np.float32) for shape in ((40, 20, 30), (40, 30, 9)))
    found = Tensor.from_numpy(x, device) @ Tensor.from_numpy(y, device)
    np.testing.assert_array_equal(found.numpy(), x @ y)
    found = Tensor.from_numpy(x, device).transpose(1, 0, 2) @ Tensor.from_numpy(y[0], device)
    np.testing.assert_array_equal(found.numpy(), x.transpose(1, 0, 2) @ y[0])


@one_vulkan_device
def test_more_matrices_than_groups_along_an_axis(device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("thousands of groups")
    count = 65_537
    x = np.arange(count * 2, dtype=np.int32).reshape(count, 1, 2) % 1_000
    found = (
        Tensor.from_numpy(x, device)
        @ Tensor.from_numpy(np.array([[1], [2]], np.int32), device).broadcast_to(count, 2, 1)
    ).numpy()
    np.testing.assert_array_equal(found[:, 0, 0], x[:, 0, 0] + 2 * x[:, 0, 1])


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (2, 0, 4)], ids=str)
def test_dense_layers_of_any_rank(shape: Any, device: Device) -> None:
    layer = Dense(4, 3, bias=True, device=device, seed=0)
    layer.init_parameter_grads()
    x = draw(9, shape, f32)
    y = layer(tensor(x, f32, device))
    w, b = layer.weight.numpy().astype(np.float64), present(layer.bias).numpy().astype(np.float64)
    # 4 products below 1 and a number below 1.
    np.testing.assert_allclose(y.numpy(), x @ w + b, rtol=0, atol=9 * 5 * 2.0**-24)
    y.sum().backward()
    rows = x.reshape(-1, 4)
    expected = np.broadcast_to(rows.sum(0)[:, None], (4, 3))
    np.testing.assert_allclose(present(layer.weight.grad).numpy(), expected, rtol=0, atol=7 * 6 * 2.0**-24)
    np.testing.assert_array_equal(present(present(layer.bias).grad).numpy(), np.full(3, len(rows)))


def test_many_rows_of_no_elements(device: Device) -> None:
    x, y = Tensor.zeros((5, 3, 0), device=device), Tensor.zeros((0, 2), device=device)
    assert (x @ y).numpy().tolist() == np.zeros((5, 3, 2)).tolist()
    assert (x @ y[:, 0]).shape == (5, 3)


def test_repeated_rows_of_a_stack(device: Device) -> None:
    x = Tensor.from_numpy(np.arange(6, dtype=np.float32).reshape(2, 1, 3), device)
    y = Tensor.from_numpy(np.arange(3, dtype=np.float32), device)
    expected = np.broadcast_to(x.numpy(), (2, 4, 3)) @ y.numpy()
    assert (x.broadcast_to(2, 4, 3) @ y).numpy().tolist() == expected.tolist()
