"""Dropout: how many elements are left, the same ones on every device and in the gradient, of every float type."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest

import autograph.functions.launch
from autograph import Parameter, Tensor, dropout, grad, random
from krnlpy import Device, bf16, f16, f32, f64
from tests.support.devices import limit_reach, requires
from tests.support.typed import present


def test_values_and_gradients(device: Device) -> None:
    values = np.random.default_rng(0).standard_normal((7, 90)).astype(np.float32)
    for x in (Tensor.from_numpy(values, device), Tensor.from_numpy(np.ascontiguousarray(values.T), device).T):
        p = Parameter(x)
        p.init_grad()
        y = dropout(p, 0.25, random.Generator(1))
        kept = dropout(Tensor.ones((7, 90)), 0.25, random.Generator(1)).numpy() > 0
        np.testing.assert_array_equal(y.numpy(), np.where(kept, values * np.float32(4 / 3), 0))
        y.backward(Tensor.from_numpy(values, device))
        np.testing.assert_array_equal(present(p.grad).numpy(), np.where(kept, values * np.float32(4 / 3), 0))
    assert abs(kept.mean() - 0.75) < 5 * sqrt(0.25 * 0.75 / kept.size)


def test_second_derivatives() -> None:
    def f(x: Tensor) -> Tensor:
        y = dropout(x, 0.5, random.Generator(3))
        return (y * y * y).sum()

    x = Tensor.from_numpy(np.linspace(-1, 1, 40, dtype=np.float32))
    kept = dropout(Tensor.ones(40), 0.5, random.Generator(3)).numpy() > 0
    second = grad(lambda x: grad(f)(x).sum())(x)
    np.testing.assert_allclose(second.numpy(), np.where(kept, 48 * x.numpy(), 0), rtol=1e-6)


def test_types(device: Device) -> None:
    ones = np.ones(300)
    kept = dropout(Tensor.ones(300), 0.2, random.Generator(0)).numpy() > 0
    for dtype in (f16, bf16, f32):
        y = dropout(Tensor.from_numpy(ones.astype(np.float32), device).cast(dtype), 0.2, random.Generator(0))
        assert y.dtype is Tensor.ones(1, dtype).dtype
        np.testing.assert_allclose(y.numpy().astype(np.float64), kept * 1.25, rtol=1e-2)
    requires(device, f64)
    y = dropout(Tensor.ones(300, f64, device), 0.2, random.Generator(0))
    # The share of words that are kept is a multiple of 2**-32.
    np.testing.assert_allclose(y.numpy(), kept * 1.25, rtol=2**-32)


def test_ends(device: Device) -> None:
    x = Tensor.from_numpy(np.array([np.nan, np.inf, -1.0], np.float32), device)
    np.testing.assert_array_equal(dropout(x, 0.0, random.Generator(0)).numpy(), x.numpy())
    np.testing.assert_array_equal(dropout(x, 1.0, random.Generator(0)).numpy(), np.zeros(3))
    assert dropout(Tensor.ones((0, 3), device=device), 0.5, random.Generator(0)).shape == (0, 3)
    y = dropout(Tensor.full(200, np.inf, f32, device), 0.5, random.Generator(0)).numpy()
    assert set(y.tolist()) == {0.0, np.inf}


@pytest.mark.parametrize("n", [256 * 9, 256 * 9 + 77])
def test_elements_do_not_depend_on_the_launch(n: int, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.info.backend == "interpreter":
        pytest.skip("its kernels reach whole memories or nothing")
    values: Any = np.random.default_rng(0).standard_normal(n).astype(np.float32)
    expected = dropout(Tensor.from_numpy(values), 0.5, random.Generator(1)).numpy()
    monkeypatch.setattr(autograph.functions.launch, "MAX_THREADS", 1)
    limit_reach(device, 4096, monkeypatch)
    np.testing.assert_array_equal(
        dropout(Tensor.from_numpy(values, device), 0.5, random.Generator(1)).numpy(), expected
    )
