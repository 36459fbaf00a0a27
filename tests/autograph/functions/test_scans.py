"""Cumulative operations: values against NumPy in f64, gradients to second order against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph
from autograph import Parameter, Tensor
from autograph.errors import DtypeError, ShapeError
from autograph.functions.type_variables import accumulator
from krnlpy import SCALAR_TYPES, Device, Feature, bf16, f16, f32, i8, i32, u32
from tests.support.devices import limit_reach
from tests.support.tiers import deep, one_vulkan_device
from tests.support.typed import untyped

Array = np.ndarray[Any, Any]
Operation = Callable[..., Any]

# A chunk, several, columns in strips, several axes, none of an axis.
SHAPES = [((7,), 0), ((3, 200), 1), ((2, 3, 5), 0), ((1,), 0), ((3, 0), 1), ((0, 3), 1)]
SPLIT = [((70, 3), 0), ((2, 70, 4), -2)]
LONG = [((20_011,), 0), ((2, 140_001), 1), ((301, 290), 0)]

SCANS: dict[str, tuple[Operation, str]] = {
    "cumulative_sum": (np.cumsum, "cumsum"),
    "cumulative_prod": (np.cumprod, "cumprod"),
    "cumulative_max": (np.maximum.accumulate, "cummax"),
    "cumulative_min": (np.minimum.accumulate, "cummin"),
    "logcumsumexp": (np.logaddexp.accumulate, "logcumsumexp"),
}


def values_of(name: str, x: Tensor, axis: int) -> Any:
    result = getattr(autograph, name)(x, axis)
    return result if isinstance(result, Tensor) else result.values


def elements(name: str, shape: tuple[int, ...], seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    # Products of thousands stay in range where factors are near 1. Extremes are of many equal numbers.
    x = rng.uniform(0.95, 1.05, shape) if name == "cumulative_prod" else rng.standard_normal(shape)
    return np.asarray(x.round(1) if name in ("cumulative_max", "cumulative_min") else x, np.float32)


@pytest.mark.parametrize("name", SCANS)
def test_values(name: str, device: Device) -> None:
    shapes = list(SHAPES)
    if name in ("cumulative_sum", "logcumsumexp"):  # other kernels are made of functions like these
        shapes += SPLIT + ([] if device.info.kind == "interpreter" else LONG)
    for shape, axis in shapes:
        x = elements(name, shape)
        found = values_of(name, Tensor.from_numpy(x, device), axis).numpy()
        expected = SCANS[name][0](x.astype(np.float64), axis=axis)
        # Each sum has some 100 roundings of 2**-24 of the numbers that meet in it; a product of n factors n of its own.
        scale = np.abs(x).sum(axis=axis, keepdims=True, initial=1) if name == "cumulative_sum" else 1
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=3e-6 * np.max(scale, initial=1), err_msg=str(shape))
        if name in ("cumulative_max", "cumulative_min"):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_max"])
def test_strided_and_repeated(name: str, device: Device) -> None:
    x = elements(name, (6, 40))
    for of in (lambda t: t.transpose(), lambda t: t[::-1, ::2], lambda t: t[:, :1].broadcast_to(6, 33)):
        tensor, array = of(Tensor.from_numpy(x, device)), of(torch_like(x))
        for axis in (0, 1):
            expected = SCANS[name][0](array.astype(np.float64), axis=axis)
            np.testing.assert_allclose(values_of(name, tensor, axis).numpy(), expected, rtol=1e-5, atol=1e-5)


def torch_like(x: Array) -> Any:
    """An array with the method of tensors that the test above calls."""

    class Views(np.ndarray[Any, Any]):
        def broadcast_to(self, *shape: int) -> Array:
            return np.broadcast_to(np.asarray(self), shape)

    return x.view(Views)


@pytest.mark.parametrize("name", SCANS)
def test_derivatives(name: str, device: Device) -> None:
    torch: Any = pytest.importorskip("torch")
    reference = getattr(torch, SCANS[name][1])
    for shape, axis in (((2, 40), 1), ((9, 3), 0)):
        x = elements(name, shape)
        if name == "cumulative_prod":
            x[0, :2] = 0  # one zero in a column, two in a row
            x[1] *= -1
        rng = np.random.default_rng(1)
        weights, direction = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
        t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        y = reference(t, axis)
        y = y if isinstance(y, torch.Tensor) else y.values
        (first,) = torch.autograd.grad((y * y * torch.tensor(weights)).sum(), t, create_graph=True)
        (second,) = torch.autograd.grad((first * torch.tensor(direction)).sum(), t)
        w, v = Tensor.from_numpy(weights, device), Tensor.from_numpy(direction, device)

        def f(x: Tensor, axis: int = axis, w: Tensor = w) -> Tensor:
            y = values_of(name, x, axis)
            total: Tensor = (y * y * w).sum()
            return total

        def along(x: Tensor, f: Any = f, v: Tensor = v) -> Tensor:
            total: Tensor = (autograph.grad(f)(x) * v).sum()
            return total

        tensor = Tensor.from_numpy(x, device)
        # Sums of 40 products of numbers of up to 10 (sums squared: 100), each rounded to 2**-24.
        for found, wanted in ((autograph.grad(f)(tensor), first), (autograph.grad(along)(tensor), second)):
            scale = max(1.0, float(wanted.detach().abs().max()))
            np.testing.assert_allclose(found.numpy(), wanted.detach().numpy(), rtol=1e-4, atol=1e-5 * scale)


def test_places(device: Device) -> None:
    torch: Any = pytest.importorskip("torch")
    nan, inf = np.nan, np.inf
    for x in (elements("cumulative_max", (3, 90)), np.array([[1, nan, 3, nan, -inf], [-inf, -inf, inf, 0, inf]], "f4")):
        for name in ("cumulative_max", "cumulative_min"):
            found = getattr(autograph, name)(Tensor.from_numpy(x, device), 1)
            expected = getattr(torch, SCANS[name][1])(torch.tensor(x), 1)
            assert found.indices.dtype is i32
            np.testing.assert_array_equal(found.indices.numpy(), expected.indices.numpy())
            np.testing.assert_array_equal(found.values.numpy(), expected.values.numpy())


def test_infinite_and_nan(device: Device) -> None:
    nan, inf = np.nan, np.inf
    x = Parameter(Tensor.from_numpy(np.array([-inf, -inf, 0, 3, -inf], np.float32), device))
    x.init_grad()
    y = autograph.logcumsumexp(x)
    np.testing.assert_allclose(y.numpy(), [-inf, -inf, 0, 3.0485873, 3.0485873], rtol=1e-6)
    y.sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), [2, 1, 1.0948517, 1.9051483, 0], rtol=1e-5)
    y = autograph.logcumsumexp(Tensor.from_numpy(np.array([1, inf, 2, nan, 0], np.float32), device))
    np.testing.assert_array_equal(y.numpy(), [1, inf, inf, nan, nan])
    y = autograph.cumulative_sum(Tensor.from_numpy(np.array([1, inf, 2, -inf, 0], np.float32), device))
    np.testing.assert_array_equal(y.numpy(), [1, inf, inf, nan, nan])


def test_dtypes(device: Device) -> None:
    x = np.random.default_rng(0).integers(0, 2, (3, 50))
    for dtype in SCALAR_TYPES:
        if dtype.size == 8 and Feature.INT64 not in device.info.features and device.info.index is not None:
            continue
        tensor = Tensor.from_numpy(x.astype(dtype.dtype), device)
        total = autograph.cumulative_sum(tensor, 1)
        assert total.dtype is (dtype if dtype.is_float else accumulator(dtype))
        np.testing.assert_array_equal(total.numpy().astype(np.float32), x.cumsum(1))
        if dtype not in (bool, i8, f16, u32):
            continue  # each dtype has kernels of its own, which differ as those of sums do
        found = autograph.cumulative_max(tensor, 1)
        assert found.values.dtype == dtype and found.indices.dtype is i32
        np.testing.assert_array_equal(found.values.numpy().astype(np.float32), np.maximum.accumulate(x, 1))


def test_sums_of_integers_are_exact_and_wrap(device: Device) -> None:
    x = np.random.default_rng(0).integers(-(2**31), 2**31, 3000 if device.info.kind != "interpreter" else 90)
    expected = np.cumsum(x.astype(np.int32), dtype=np.int32)
    found = autograph.cumulative_sum(Tensor.from_numpy(x.astype(np.int32), device))
    np.testing.assert_array_equal(found.numpy(), expected)


def test_narrow_floats_are_accumulated_in_f32(device: Device) -> None:
    # In f16, 2048 + 1 is 2048: sums would stay there. In bf16 they would at 256.
    for dtype, n in ((f16, 4096), (bf16, 600)):
        if device.info.kind == "interpreter" and dtype is f16:
            continue
        found = autograph.cumulative_sum(Tensor.ones(n, dtype, device))
        assert found.dtype is dtype
        np.testing.assert_array_equal(found.cast(f32).numpy()[-1], n if dtype is f16 else 600)


@one_vulkan_device
def test_arguments_of_the_standard(device: Device) -> None:
    x = Tensor.from_numpy(np.array([[1, 2, 3], [4, 5, 6]], np.int32), device)
    sums = autograph.cumulative_sum(x, axis=1, include_initial=True)
    assert sums.numpy().tolist() == [[0, 1, 3, 6], [0, 4, 9, 15]]
    assert autograph.cumulative_prod(x, axis=0, include_initial=True).numpy().tolist() == [
        [1, 1, 1],
        [1, 2, 3],
        [4, 10, 18],
    ]
    assert str(autograph.cumulative_sum(x, axis=1, dtype="u8").dtype) == "u8"
    assert autograph.cumulative_sum(x.cast(f32), axis=0, dtype=f32).dtype is f32
    assert autograph.cumulative_sum(Tensor.zeros((2, 0), f32, device), axis=1, include_initial=True).shape == (2, 1)
    for name in (*SCANS, "diff"):
        operation = getattr(autograph, name)
        with pytest.raises(ShapeError, match="axis"):
            operation(x.cast(f32), 2)
        with pytest.raises(ShapeError, match="axis"):
            operation(Tensor.zeros((), f32, device), 0)
        with pytest.raises(DtypeError, match="tensor"):
            untyped(operation)(np.ones(2))
    with pytest.raises(ShapeError, match="expected one axis"):
        autograph.cumulative_sum(x)
    with pytest.raises(DtypeError, match="convert to a float type"):
        autograph.logcumsumexp(x, 1)
    with pytest.raises(ShapeError, match="n=-1"):
        autograph.diff(x, n=-1)


def test_diff(device: Device) -> None:
    x = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    parameter = Parameter(Tensor.from_numpy(x, device))
    parameter.init_grad()
    for axis, n in ((0, 1), (-1, 2), (1, 0), (0, 4), (0, 6)):
        found = autograph.diff(parameter, axis=axis, n=n)
        np.testing.assert_array_equal(found.numpy(), np.diff(x, n, axis))
    ends = Tensor.from_numpy(x[:, :2], device)
    found = autograph.diff(parameter, prepend=ends, append=parameter)
    np.testing.assert_array_equal(found.numpy(), np.diff(x, prepend=x[:, :2], append=x))
    (autograph.diff(parameter) * 2).sum().backward()
    assert parameter.grad is not None
    assert parameter.grad.numpy().tolist() == [[-2, 0, 0, 0, 2]] * 4


def test_ten_million_equal_numbers() -> None:
    # No sum is off by more than some 16 roundings: errors do not add up.
    x = np.full(10**7, 0.1, np.float32)
    found = autograph.cumulative_sum(Tensor.from_numpy(x, copy=False)).numpy()
    expected = np.arange(1, 10**7 + 1) * np.float64(np.float32(0.1))
    assert (np.abs(found / expected - 1)).max() < 2e-6


def test_buffers_that_kernels_do_not_reach_at_once(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.info.backend == "interpreter":
        pytest.skip("its kernels reach whole memories or nothing")
    # Pieces give what the whole gives, bit for bit.
    shapes = [((3, 150), 1), ((300, 3), 0), ((2, 30, 5), 1), ((2, 120), 0)]
    shapes += [] if device.is_host else [((600,), 0)]  # the host has longer chunks than it reaches here
    arrays = [elements("cumulative_sum", shape) for shape, _ in shapes]
    tensors = [Tensor.from_numpy(x, device) for x in arrays]
    whole = [autograph.cumulative_sum(x, axis).numpy() for x, (_, axis) in zip(tensors, shapes, strict=True)]
    limit_reach(device, 1024, monkeypatch)
    for x, expected, (shape, axis) in zip(tensors, whole, shapes, strict=True):
        found = autograph.cumulative_sum(x.copy(), axis).numpy()
        np.testing.assert_array_equal(found, expected, err_msg=str(shape))


@deep
def test_more_than_a_kernel_reaches(device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("it would take hours")
    n = 40_000_000  # 160 MB: more than 128 MiB
    found = autograph.cumulative_sum(Tensor.ones(n, i32, device))
    assert found[-1].item() == n and found[n // 2].item() == n // 2 + 1
