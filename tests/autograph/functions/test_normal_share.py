"""GELU's share of a normal distribution: its error at numbers of all sizes, and that of its slopes."""

from __future__ import annotations

from math import inf, nan, pi
from typing import Any

import numpy as np

from autograph import Parameter, Tensor, gelu, grad
from krnlpy import Device
from tests.conformance.special_functions import erf
from tests.support.typed import present

_X = np.concatenate([np.linspace(-8, 8, 20_001), np.geomspace(8, 3e38, 100), -np.geomspace(8, 3e38, 100)])
_WIDE = _X.astype(np.float32).astype(np.float64)
_SHARE = np.where(np.abs(_WIDE) < 8, 0.5 * (1 + erf(np.clip(_WIDE, -8, 8) / np.sqrt(2))), _WIDE > 0)
_DENSITY = np.exp(-0.5 * np.minimum(_WIDE**2, 1e4)) / np.sqrt(2 * pi)


def _made(device: Device, function: Any) -> Any:
    return function(Tensor.from_numpy(_X.astype(np.float32), device)).numpy().astype(np.float64)


def test_values(device: Device) -> None:
    # The share is off by 1.8 * 2**-24 (3 where a device fuses no products), and the product by half an ulp.
    assert (np.abs(_made(device, gelu) - _WIDE * _SHARE) <= 4 * 2.0**-24 * np.abs(_WIDE)).all()


def test_slopes(device: Device) -> None:
    x = Parameter(Tensor.from_numpy(_X.astype(np.float32), device))
    x.init_grad()
    gelu(x).sum().backward()
    slopes = present(x.take_grad()).numpy().astype(np.float64)
    # The density, at most 0.4, is off by less than 8 ulp; 1.7 is the greatest of it times numbers, plus the sum's ulp.
    np.testing.assert_allclose(slopes, _SHARE + _WIDE * _DENSITY, rtol=0, atol=8 * 2.0**-24)


def test_second_slopes(device: Device) -> None:
    expected = (2 - _WIDE * _WIDE) * _DENSITY
    expected[np.abs(_WIDE) > 20] = 0
    near = np.abs(_WIDE) < 1e18  # whose squares are no infinities
    slope = grad(lambda x: grad(lambda y: gelu(y).sum())(x).sum())
    np.testing.assert_allclose(_made(device, slope)[near], expected[near], rtol=0, atol=16 * 2.0**-24)


def test_numbers_beyond_all_others(device: Device) -> None:
    made = gelu(Tensor.from_numpy(np.array([inf, nan, 0.0, -0.0], np.float32), device)).numpy()
    np.testing.assert_array_equal(made, np.array([inf, nan, 0.0, -0.0], np.float32))
    np.testing.assert_array_equal(np.signbit(made[2:]), [False, True])
