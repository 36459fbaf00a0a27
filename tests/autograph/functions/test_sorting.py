"""Sorting: the order of NumPy's stable sort on every device, gradients against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograph
from autograph import Parameter, Tensor
from autograph.errors import DtypeError, ShapeError
from krnlpy import SCALAR_TYPES, CaptureError, Device, Feature, bf16, f16, f32, i32, u8
from tests.support.devices import limit_reach
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present, untyped

Array = np.ndarray[Any, Any]

# Short rows, rows of several digits' chunks, axes in the middle, one element, none.
SHAPES = [((7,), 0), ((3, 150), 1), ((70, 3), 0), ((2, 70, 3), -2), ((1,), 0), ((3, 0), 1), ((0, 3), 1)]
LONG = [((9000,), 0), ((2, 5001), 1)]


def has(device: Device, dtype: Any) -> bool:
    return dtype.size < 8 or Feature.INT64 in device.info.features or device.info.index is None


def ordered(x: Array, axis: int, descending: bool = False) -> Array:
    """NumPy's stable order, with NaN behind all others."""
    wide = x.astype(np.float64)
    return np.argsort(-wide if descending else wide, axis=axis, kind="stable")


def shapes_for(device: Device) -> list[tuple[tuple[int, ...], int]]:
    return SHAPES + ([] if device.info.kind == "interpreter" else LONG)


def test_orders(device: Device) -> None:
    for shape, axis in shapes_for(device):
        x = np.random.default_rng(0).integers(-50, 50, shape).astype(np.float32)  # many are equal
        x[x == 7] = np.nan
        x[x == 9] = -0.0
        tensor = Tensor.from_numpy(x, device)
        for descending in (False, True):
            order = ordered(x, axis, descending)
            found = autograph.argsort(tensor, axis, descending=descending)
            assert found.dtype is i32 and found.is_contiguous()
            np.testing.assert_array_equal(found.numpy(), order, err_msg=f"{shape} {descending}")
            values = tensor.sort(axis, descending=descending).numpy()
            expected = np.take_along_axis(x, order, axis)
            np.testing.assert_array_equal(values, expected)
            zeros = values == 0
            np.testing.assert_array_equal(np.signbit(values[zeros]), np.signbit(expected[zeros]))


def test_infinities_and_subnormal_numbers(device: Device) -> None:
    tiny = np.float32(1e-45)
    x = np.array([np.nan, np.inf, -tiny, -np.inf, 0, -0.0, tiny, 3e38, -np.nan, -3e38], np.float32)
    for descending in (False, True):
        order = autograph.argsort(Tensor.from_numpy(x, device), descending=descending).numpy()
        np.testing.assert_array_equal(order, ordered(x, 0, descending))


def test_dtypes(device: Device) -> None:
    rng = np.random.default_rng(0)
    shape = (2, 90) if device.info.kind == "interpreter" else (1, 1100)  # sorted by digits
    for dtype in SCALAR_TYPES:
        if not has(device, dtype):
            continue
        low, high = (-1000, 1000) if dtype.is_float else (dtype.min, dtype.max)
        x = rng.uniform(low, high, shape).round().clip(low, high)
        if dtype.is_integer and dtype.size == 8:
            x = (rng.integers(-(2**62), 2**62, shape) * (1 if dtype.min < 0 else 0)) + (dtype.max // 2)
        tensor = Tensor.from_numpy(x, Device.host()).cast(dtype).to_device(device)
        array = tensor.cast(f32).numpy() if dtype in (f16, bf16) else tensor.numpy()
        exact = array.astype(object) if dtype.size == 8 and dtype.is_integer else array.astype(np.float64)
        for descending in (False, True):
            order = np.argsort(-exact if descending else exact, axis=1, kind="stable")
            np.testing.assert_array_equal(autograph.argsort(tensor, descending=descending).numpy(), order, str(dtype))
            found = autograph.sort(tensor, descending=descending)
            assert found.dtype == dtype
            values = found.cast(f32).numpy() if dtype in (f16, bf16) else found.numpy()
            np.testing.assert_array_equal(values, np.take_along_axis(array, order, 1))


def test_strided_and_repeated(device: Device) -> None:
    x = np.random.default_rng(0).integers(0, 9, (6, 80)).astype(np.float32)
    tensor = Tensor.from_numpy(x, device)
    for view, array in (
        (tensor.transpose(), x.T),
        (tensor[::-1, ::2], x[::-1, ::2]),
        (tensor[:, :1].broadcast_to(6, 33), np.broadcast_to(x[:, :1], (6, 33))),
    ):
        for axis in (0, 1):
            np.testing.assert_array_equal(autograph.argsort(view, axis).numpy(), ordered(array, axis))
            np.testing.assert_array_equal(autograph.sort(view, axis).numpy(), np.sort(array, axis))
            np.testing.assert_array_equal(
                autograph.topk(view, 3, axis).values.numpy(), -np.sort(-array, axis).take(range(3), axis)
            )


def test_topk(device: Device) -> None:
    cases = [((7,), 0, 3), ((3, 40), 1, 2), ((70, 2), 0, 4), ((2, 300), 1, 0), ((2, 100), 1, 1), ((4, 5), -1, 5)]
    if device.info.kind != "interpreter":
        # In a tournament of several rounds; on the host, by NumPy; all, sorted.
        cases += [((2, 20_000), 1, 7), ((2, 20_000), 1, 900), ((5000,), 0, 1), ((5000,), 0, 200)]
    for shape, axis, k in cases:
        x = np.random.default_rng(0).integers(-50, 50, shape).astype(np.float32)
        x.flat[3] = np.nan
        for largest in (False, True):
            order = ordered(x, axis, descending=largest).take(range(k), axis)
            found = autograph.topk(Tensor.from_numpy(x, device), k, axis, largest=largest)
            assert found.indices.dtype is i32
            np.testing.assert_array_equal(found.indices.numpy(), order, err_msg=f"{shape} {k} {largest}")
            np.testing.assert_array_equal(found.values.numpy(), np.take_along_axis(x, order, axis))


def test_topk_of_what_ascends(device: Device) -> None:
    # Each element is greater than all before it: of all cases the most passes of loops, of which drivers end too many.
    n = 300 if device.info.kind == "interpreter" else 20_000
    x = Tensor.from_numpy(np.arange(n, dtype=np.float32), device)
    for k in (30, 64):
        np.testing.assert_array_equal(autograph.topk(x, k).indices.numpy(), np.arange(n - 1, n - 1 - k, -1))


def test_derivatives(device: Device) -> None:
    torch: Any = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    for shape, axis in (((4, 70), 1), ((9, 3), 0)):
        x, direction = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
        for name, of in (
            ("sort", lambda x, axis: autograph.sort(x, axis, descending=True)),
            ("topk", lambda x, axis: autograph.topk(x, 3, axis).values),
        ):
            t = torch.tensor(x, requires_grad=True)
            y = torch.sort(t, axis, descending=True)[0] if name == "sort" else torch.topk(t, 3, axis)[0]
            weights = rng.standard_normal(tuple(y.shape)).astype(np.float32)
            (first,) = torch.autograd.grad((y * y * torch.tensor(weights)).sum(), t, create_graph=True)
            (second,) = torch.autograd.grad((first * torch.tensor(direction)).sum(), t)
            w, v = Tensor.from_numpy(weights, device), Tensor.from_numpy(direction, device)

            def f(x: Tensor, of: Any = of, axis: int = axis, w: Tensor = w) -> Any:
                y = of(x, axis)
                return (y * y * w).sum()

            def along(x: Tensor, f: Any = f, v: Tensor = v) -> Any:
                return (autograph.grad(f)(x) * v).sum()

            tensor = Tensor.from_numpy(x, device)
            np.testing.assert_allclose(autograph.grad(f)(tensor).numpy(), first.detach().numpy(), rtol=1e-6)
            np.testing.assert_allclose(autograph.grad(along)(tensor).numpy(), second.numpy(), rtol=1e-6)


@one_vulkan_device
def test_what_is_recorded_is_sorted_as_what_is_not(device: Device) -> None:
    x = np.array([[0, -0.0, 3, np.nan, -0.0, 0], [-0.0, 0, np.nan, -1, 0, -0.0]], np.float32)
    parameter = Parameter(Tensor.from_numpy(x, device))
    plain = [autograph.sort(parameter, descending=d).numpy() for d in (False, True)]
    parameter.init_grad()
    for expected, descending in zip(plain, (False, True), strict=True):
        found = autograph.sort(parameter, descending=descending)
        np.testing.assert_array_equal(np.signbit(found.numpy()[:, :-1]), np.signbit(expected[:, :-1]))
    found.cast(f32).sum().backward()
    assert present(parameter.grad).numpy().tolist() == [[1] * 6] * 2


def test_within_captured_graphs(device: Device) -> None:
    rng = np.random.default_rng(0)
    n = 90 if device.info.kind == "interpreter" else 3000
    first, then = (rng.standard_normal(n).astype(np.float32) for _ in range(2))
    x = Tensor.from_numpy(first, device)
    operations: list[Any] = [
        autograph.sort,
        autograph.argsort,
        lambda x: autograph.topk(x, 3).values,
        autograph.cumulative_sum,
        lambda x: autograph.cumulative_max(x).indices,
        autograph.median,
    ]
    with device.capture() as graph:
        found = [operation(x) for operation in operations]
    x.writable().copy_from(Tensor.from_numpy(then, device).buffer)
    graph.replay()
    for result, operation in zip(found, operations, strict=True):
        np.testing.assert_array_equal(result.numpy(), operation(Tensor.from_numpy(then, device)).numpy())
    if not device.is_host:
        return
    with pytest.raises(CaptureError), device.capture():
        autograph.unique_values(x)


@one_vulkan_device
def test_errors(device: Device) -> None:
    x = Tensor.ones((2, 3), f32, device)
    for operation in (autograph.sort, autograph.argsort, lambda x, axis: autograph.topk(x, 1, axis)):
        with pytest.raises(ShapeError, match="axis"):
            untyped(operation)(x, 2)
        with pytest.raises(ShapeError, match="axis"):
            untyped(operation)(Tensor.ones((), f32, device), 0)
        with pytest.raises(DtypeError, match="takes a tensor"):
            untyped(operation)(np.ones(2), 0)
    with pytest.raises(ShapeError, match="k=4"):
        autograph.topk(x, 4)
    with pytest.raises(ShapeError, match="k=-1"):
        autograph.topk(x, -1)


def test_rows_in_parts(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.info.backend == "interpreter":
        pytest.skip("its kernels reach whole memories or nothing")
    x = np.random.default_rng(0).integers(0, 200, (200, 90)).astype(np.uint8)
    limit_reach(device, 1 << 14, monkeypatch)
    tensor = Tensor.from_numpy(x, device)
    np.testing.assert_array_equal(autograph.argsort(tensor).numpy(), ordered(x, 1))
    assert autograph.sort(tensor).dtype is u8
    np.testing.assert_array_equal(autograph.topk(tensor, 2).indices.numpy(), ordered(x, 1, True)[:, :2])
