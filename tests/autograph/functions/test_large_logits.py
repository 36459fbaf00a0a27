"""Cross-entropy of large logits: the gradient depends on their differences alone, and its rows sum to 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Parameter
from krnlpy import Device, ScalarType
from krnlpy.scalar import bf16, f16, f32
from tests.autograph.reference import ROUNDING, tensor
from tests.support.tiers import sampled
from tests.support.typed import present

DTYPES = [f16, bf16, f32]
SIZES = {f16: [0, 1e4, 6e4], bf16: [0, 1e4, 1e6, 1e8, 1e30], f32: [0, 1e4, 1e6, 1e8, 1e30]}
EACH = [(dtype, size) for dtype in DTYPES for size in SIZES[dtype]]


def gradient(logits: Any, classes: Any, dtype: ScalarType, device: Device, reduction: Any = "sum") -> Any:
    x = Parameter(tensor(logits, dtype, device))
    x.init_grad()
    x.cross_entropy_loss(classes, reduction).backward()
    assert present(x.grad).dtype is dtype
    return present(x.grad).numpy().astype(np.float64)


def softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("sign", "dtype", "size"), sampled([(sign, *of) for sign in (1, -1) for of in EACH], 2), ids=str
)
def test_equal_logits_share_alike(dtype: ScalarType, size: int, sign: Any, device: Device) -> None:
    # exp(0) is 1 on every device, 4 ones are 4, and a quarter is a number of every dtype: nothing is rounded.
    found = gradient(np.full((2, 4), sign * size), np.array([1, 3]), dtype, device)
    np.testing.assert_array_equal(found, [[0.25, -0.75, 0.25, 0.25], [0.25, 0.25, 0.25, -0.75]])


@pytest.mark.parametrize(
    ("reduction", "dtype", "size"),
    sampled([(reduction, *of) for reduction in ("mean", "sum") for of in EACH], 2),
    ids=str,
)
def test_rows_of_large_logits_sum_to_0(dtype: ScalarType, size: float, reduction: str, device: Device) -> None:
    """Logits whose differences are exact in the dtype: steps between its neighbouring numbers at that size."""
    step = max(np.spacing(np.asarray(size, dtype.dtype)).astype(np.float64) if size else 0, 0.5)
    logits = size + step * np.random.default_rng(1).integers(-8, 8, (32, 7))
    logits = logits.astype(dtype.dtype).astype(np.float64)
    classes = np.random.default_rng(2).integers(0, 7, 32)
    found = gradient(logits, classes, dtype, device, reduction)
    scale = 1 / 32 if reduction == "mean" else 1
    expected = (softmax(logits) - np.eye(7)[classes]) * scale
    # exp(-y) is off by 3 + 2y ulp (what Vulkan grants), of 1 at most 3, the sum of 7 of them by as many of itself and 7
    # roundings, the quotient by 2.5 ulp, the difference by one rounding. Then it is rounded to the dtype.
    atol = ((6 + 6 + 7 + 5 + 1) * 2.0**-24 + ROUNDING[dtype]) * scale
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
    # The powers that are divided are those that were summed: what exp is off by does not show. The sum is off by
    # 7 roundings, each quotient by 2.5 ulp, the difference by one, each of at most 1.
    rounded = np.abs(expected).sum(axis=1) * ROUNDING[dtype] * 2
    bound = (7 * 2.0**-24 + 2.5 * 2.0**-23 + 2.0**-24) * scale + rounded
    assert np.all(np.abs(found.sum(axis=1)) <= bound)


def test_logits_far_apart(device: Device) -> None:
    """Differences that f32 does not hold, and infinite ones."""
    logits = np.array([[3e38, -3e38], [-3e38, 3e38], [0, -np.inf], [-np.inf, 1e8]])
    found = gradient(logits, np.array([0, 0, 0, 1]), f32, device)
    np.testing.assert_array_equal(found, [[0, 0], [-1, 1], [0, 0], [0, 0]])
