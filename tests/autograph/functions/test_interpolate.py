"""Images at other sizes, beside PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograph
from autograph import Parameter, Tensor, Upsample, grad, interpolate
from autograph.errors import AutographError, DtypeError, ShapeError
from krnlpy import Device, f32, i32
from tests.autograph.reference import draw, tensor
from tests.support.typed import present, untyped

from .test_pools_torch import compare, rounds, some

torch = pytest.importorskip("torch")
functional = torch.nn.functional

# Weights of two neighbours are off by roundings of places up to 9, which PyTorch computes in f32; numbers are up to 3.
LINEAR = 3 * 3 * 9 * 2 * 2.0**-23


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_sizes(ndim: int, device: Device) -> None:
    theirs = {"mode": ("linear", "bilinear", "trilinear")[ndim - 1]}
    for seed in rounds(device)[::2]:
        rng = np.random.default_rng((seed, ndim))
        size, options = some(rng, 1, 10, ndim), {"mode": "linear", "align_corners": bool(seed % 4)}
        x = rng.integers(-3, 4, (2, 3, *some(rng, 1, 7, ndim))).astype(np.float32)
        compare(interpolate, functional.interpolate, x, device, 0, size)
        # A pixel is in up to 9 of the new ones along each axis.
        tolerance = LINEAR * 9 ** (ndim - 1)
        compare(interpolate, functional.interpolate, x, device, tolerance, size, theirs_only=theirs, **options)


@pytest.mark.parametrize("scale", [0.5, (2.0, 1.0), (1.5, 0.75)], ids=str)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_scales(scale: Any, mode: str, device: Device) -> None:
    x = np.random.default_rng(1).integers(-3, 4, (1, 2, 6, 5)).astype(np.float32)

    def theirs(x: Any) -> Any:
        return functional.interpolate(x, scale_factor=scale, mode="nearest" if mode == "nearest" else "bilinear")

    def ours(x: Tensor) -> Tensor:
        return interpolate(x, scale=scale, mode=untyped(mode))

    compare(ours, theirs, x, device, 0 if mode == "nearest" else LINEAR)


def test_whole_numbers_and_second_derivatives(device: Device) -> None:
    x = np.arange(12, dtype=np.int32).reshape(1, 2, 2, 3)
    found = interpolate(tensor(x, i32, device), (4, 6))
    np.testing.assert_array_equal(found.numpy(), x.repeat(2, 2).repeat(2, 3))

    def cubes(x: Tensor) -> Any:
        y = interpolate(x, 4)
        return (y * y * y).sum()

    second = grad(lambda x: grad(cubes)(x).sum())(tensor([[[1.0, 2.0]]], f32, device))
    assert second.numpy().tolist() == [[[12.0, 24.0]]]  # 6 x, of two each


def test_pixel_shuffle(device: Device) -> None:
    x = draw(2, (2, 18, 2, 3), f32)
    p = Parameter(tensor(x, f32, device))
    p.init_grad()
    y = autograph.pixel_shuffle(p, 3)
    np.testing.assert_array_equal(y.numpy(), functional.pixel_shuffle(torch.tensor(x), 3).numpy())
    np.testing.assert_array_equal(autograph.pixel_unshuffle(y, 3).numpy(), x)
    y.backward(y.detach())
    np.testing.assert_array_equal(present(p.grad).numpy(), x)


def test_what_was_done_before_can_be_captured(device: Device) -> None:
    x = tensor(np.arange(16).reshape(1, 1, 4, 4), f32, device)
    expected = autograph.avg_pool2(interpolate(x, 6, mode="linear"), 3).numpy()
    with device.capture() as graph:
        y = autograph.avg_pool2(interpolate(x, 6, mode="linear"), 3)
    graph.replay()
    np.testing.assert_array_equal(y.numpy(), expected)


def test_layer(device: Device) -> None:
    x = tensor(draw(3, (1, 2, 3, 4), f32), f32, device)
    layer = Upsample(scale=2, mode="linear")
    np.testing.assert_array_equal(layer(x).numpy(), interpolate(x, scale=2, mode="linear").numpy())
    assert repr(layer) == "Upsample(scale=2, mode='linear')" and repr(Upsample((3, 4))) == "Upsample((3, 4))"
    assert interpolate(x[:0], 5).shape == (0, 2, 5, 5)


def test_what_does_not_fit() -> None:
    x = Tensor.zeros((1, 1, 4, 4))
    with pytest.raises(ShapeError, match="either size or scale"):
        interpolate(x)
    with pytest.raises(ShapeError, match="either size or scale"):
        interpolate(x, 2, scale=2)
    with pytest.raises(ShapeError, match=r"gives the size \(0, 0\)"):
        interpolate(x, scale=0.1)
    with pytest.raises(ShapeError, match="expected numbers above 0"):
        interpolate(x, scale=-1)
    with pytest.raises(ShapeError, match=r"not \(4, 4\)"):
        interpolate(x[0, 0], 2)
    with pytest.raises(AutographError, match="expected 'nearest' or 'linear'"):
        interpolate(x, 2, mode=untyped("cubic"))
    with pytest.raises(AutographError, match="only 'linear' aligns corners"):
        interpolate(x, 2, align_corners=True)
    with pytest.raises(DtypeError, match="takes floats, not i32"):
        interpolate(x.cast(i32), 2, mode="linear")
    with pytest.raises(ShapeError, match="a multiple of 9 channels"):
        autograph.pixel_shuffle(x, 3)
    with pytest.raises(ShapeError, match="multiples of 3 rows"):
        autograph.pixel_unshuffle(x, 3)
