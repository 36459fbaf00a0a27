"""Pools of all ranks beside PyTorch's: values, gradients, and gradients of gradients.

Maxima are of whole numbers, many of them equal, so that their gradients are exact sums. Means of n such numbers up to 3
are products with 1 / n: each factor and product is rounded along each axis, and each sum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph
from autograph import (
    AdaptiveAvgPool1,
    AdaptiveAvgPool3,
    AdaptiveMaxPool2,
    AvgPool1,
    AvgPool2,
    MaxPool1,
    MaxPool3,
    Parameter,
    Tensor,
    grad,
)
from autograph.errors import DtypeError, ShapeError
from krnlpy import Device, ScalarType, bf16, f16, f32, f64, i32
from tests.autograph.reference import draw, tensor
from tests.support.devices import requires
from tests.support.typed import present

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def some(rng: np.random.Generator, low: int, high: int, count: int) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.integers(low, high, count))


def compare(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    x: Any,
    device: Device,
    tolerance: float,
    *arguments: Any,
    theirs_only: dict[str, Any] | None = None,
    **named: Any,
) -> None:
    p, q = Parameter(tensor(x, f32, device)), torch.tensor(x, requires_grad=True)
    p.init_grad()
    y, z = ours(p, *arguments, **named), theirs(q, *arguments, **{**named, **(theirs_only or {})})
    assert y.shape == tuple(z.shape)
    g = np.random.default_rng(0).integers(-3, 4, y.shape).astype(np.float32)
    y.backward(tensor(g, f32, device))
    z.backward(torch.tensor(g))
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=0, atol=tolerance)
    np.testing.assert_allclose(present(p.grad).numpy(), q.grad.numpy(), rtol=0, atol=tolerance)


def rounds(device: Device) -> range:
    return range({"host": 5, "interpreter": 2}.get(device.info.kind, 6))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_windows(ndim: int, device: Device) -> None:
    largest, means = getattr(autograph, f"max_pool{ndim}"), getattr(autograph, f"avg_pool{ndim}")
    their_largest, their_means = getattr(functional, f"max_pool{ndim}d"), getattr(functional, f"avg_pool{ndim}d")
    for seed in rounds(device):
        rng = np.random.default_rng((seed, ndim))
        filter, stride, dilation = some(rng, 1, 4, ndim), some(rng, 1, 4, ndim), some(rng, 1, 3, ndim)
        options: dict[str, Any] = {"padding": tuple(int(rng.integers(f // 2 + 1)) for f in filter)}
        options["ceil_mode"] = bool(rng.integers(2))
        x = rng.integers(-3, 4, (int(rng.integers(3)), 2, *some(rng, 6, 9, ndim))).astype(np.float32)
        compare(largest, their_largest, x, device, 0, filter, stride, dilation=dilation, **options)
        options["count_include_pad"] = bool(rng.integers(2))
        # A window has at most 27 numbers, a pixel lies in at most 27 windows.
        compare(means, their_means, x, device, 27 * 3 * 2.0**-24, filter, stride, **options)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_adaptive_windows(ndim: int, device: Device) -> None:
    for seed in rounds(device)[::2]:
        rng = np.random.default_rng((seed, ndim, 1))
        size = some(rng, 1, 9, ndim)  # more windows than pixels, too
        x = rng.integers(-3, 4, (2, 2, *some(rng, 4, 8, ndim))).astype(np.float32)
        for name, tolerance in ((f"adaptive_max_pool{ndim}", 0.0), (f"adaptive_avg_pool{ndim}", 7**3 * 3 * 2.0**-24)):
            compare(getattr(autograph, name), getattr(functional, f"{name}d"), x, device, tolerance, size)


@pytest.mark.parametrize("passes", [3, 8])
def test_windows_in_pieces(passes: int, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where windows have more elements than a driver lets a thread pass over."""
    for module in ("pooling.maxima", "interpolation.bands", "launch"):
        monkeypatch.setattr(f"autograph.functions.{module}.max_passes", lambda device: passes)
    monkeypatch.setattr("autograph.functions.launch.MAX_PASSES", passes)
    x = np.random.default_rng(2).integers(-3, 4, (2, 1, 4, 5, 6)).astype(np.float32)
    for name, tolerance in (("max_pool3", 0.0), ("avg_pool3", 2.0**-17)):
        compare(
            getattr(autograph, name), getattr(functional, f"{name}d"), x, device, tolerance, (3, 2, 3), 1, padding=1
        )
    compare(autograph.adaptive_max_pool3, functional.adaptive_max_pool3d, x, device, 0, (2, 1, 4))


@pytest.mark.parametrize("dtype", [f16, bf16, f64], ids=str)
def test_every_dtype(dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    a = draw(1, (2, 3, 5, 6), dtype)
    x, q = tensor(a, dtype, device), torch.tensor(a)
    np.testing.assert_array_equal(x.max_pool2(3, 2, padding=1).numpy(), functional.max_pool2d(q, 3, 2, 1).numpy())
    # Nine numbers below 1 are summed in f32 and rounded to the dtype, once.
    unit, rounding = (2.0**-53,) * 2 if dtype is f64 else (2.0**-24, 2.0**-11 if dtype is f16 else 2.0**-8)
    expected = functional.avg_pool2d(q, 3, 2, 1).numpy()
    found = autograph.avg_pool2(x, 3, 2, padding=1).numpy().astype(np.float64)
    assert np.all(np.abs(found - expected) <= rounding * np.abs(expected) + 12 * unit + (2.0**-25) * (dtype is f16))


def test_maxima_with_padding(device: Device) -> None:
    """Padding is less than -infinity, and NaN greatest, wherever it is."""
    x = tensor([[[-np.inf, -np.inf, -5, np.nan, 1]]], f32, device)
    found = x.max_pool1(3, 1, padding=1).numpy()
    np.testing.assert_array_equal(found, [[[-np.inf, -5, np.nan, np.nan, np.nan]]])
    p = Parameter(tensor(np.full((1, 1, 2, 2), -np.inf), f32, device))
    p.init_grad()
    p.max_pool2(2, padding=1).sum().backward()
    np.testing.assert_array_equal(present(p.grad).numpy(), np.ones((1, 1, 2, 2)))


def test_second_derivatives(device: Device) -> None:
    a = np.random.default_rng(3).permutation(2 * 5 * 6).reshape(1, 2, 5, 6).astype(np.float32) % 17

    def ours(x: Tensor) -> Any:
        y = x.max_pool2(3, 2, padding=1)
        z = autograph.avg_pool2(y, 2, 1)
        return (z * z * z).sum()

    q = torch.tensor(a, requires_grad=True)
    z = functional.avg_pool2d(functional.max_pool2d(q, 3, 2, 1), 2, 1)
    (first,) = torch.autograd.grad((z**3).sum(), q, create_graph=True)
    (second,) = torch.autograd.grad((first * first).sum(), q)

    def slope(x: Tensor) -> Any:
        g = grad(ours)(x)
        return (g * g).sum()

    # Means of four are exact, and so are products of numbers of so few bits, up to the last ones.
    np.testing.assert_allclose(grad(slope)(tensor(a, f32, device)).numpy(), second.numpy(), rtol=2.0**-20, atol=0)


def test_layers(device: Device) -> None:
    x = tensor(draw(4, (2, 3, 6, 7, 8), f32), f32, device)
    for layer, images, expected in (
        (MaxPool3(2, padding=1), x, autograph.max_pool3(x, 2, padding=1)),
        (AvgPool2((3, 2), 1, count_include_pad=False), x[:, 0], autograph.avg_pool2(x[:, 0], (3, 2), 1)),
        (AdaptiveMaxPool2((2, 3)), x[0], autograph.adaptive_max_pool2(x[0], (2, 3))),
        (AdaptiveAvgPool3(2), x, autograph.adaptive_avg_pool3(x, 2)),
    ):
        np.testing.assert_array_equal(layer(images).numpy(), expected.numpy())
    assert repr(MaxPool1(3, padding=1)) == "MaxPool1(3, padding=1)" and repr(AvgPool1(2)) == "AvgPool1(2)"
    assert (
        repr(AdaptiveMaxPool2(2)) == "AdaptiveMaxPool2((2, 2))" and repr(AdaptiveAvgPool1(2)) == "AdaptiveAvgPool1(2)"
    )


def test_what_does_not_fit() -> None:
    x = Tensor.zeros((1, 1, 4, 4))
    with pytest.raises(ShapeError, match="at most half the filter"):
        x.max_pool2(2, padding=2)
    with pytest.raises(ShapeError, match=r"dilation \(4, 4\) does not fit"):
        x.max_pool2(2, dilation=4)
    with pytest.raises(ShapeError, match=r"avg_pool2 of images .*window \(5, 5\)"):
        autograph.avg_pool2(x, 5)
    with pytest.raises(ShapeError, match="avg_pool3 takes volumes of shape"):
        autograph.avg_pool3(x, 2)
    with pytest.raises(ShapeError, match="size=0"):
        autograph.adaptive_avg_pool2(x, 0)
    with pytest.raises(ShapeError, match="at least one pixel"):
        autograph.adaptive_max_pool2(x[:, :, :0], 2)
    with pytest.raises(DtypeError, match="avg_pool2 takes f16, bf16, f32, f64, not i32"):
        autograph.avg_pool2(x.cast(i32), 2)
