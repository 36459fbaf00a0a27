"""Max pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from autograph.errors import ShapeError
from krnlpy import Device, ScalarType, f32
from tests.autograph.reference import DTYPES, apart, check_choices, max_pool2, tensor
from tests.support.typed import present

CASES = {
    "plain": ((2, 2, 4, 6), (2, 2), (2, 2)),
    "overlapping": ((1, 2, 5, 6), (3, 2), (1, 1)),
    "uncovered edge": ((2, 1, 5, 7), (2, 3), (2, 3)),
    "uncovered between": ((1, 1, 8, 7), (2, 1), (3, 2)),
    "not square": ((1, 2, 3, 8), (3, 1), (1, 3)),
    "whole image": ((2, 3, 4, 3), (4, 3), (4, 3)),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient(case: Any, dtype: ScalarType, device: Device) -> None:
    shape, filter, stride = CASES[case]
    check_choices(
        lambda x: x.max_pool2(filter, stride),
        lambda x: max_pool2(x, filter, stride),
        apart(1, shape, dtype),
        dtype,
        device,
    )


@pytest.mark.parametrize("case", CASES)
def test_threads_that_share_a_row(case: Any, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """As GPUs do it."""
    monkeypatch.setattr("autograph.functions.pooling.maxima.threads_per_row", lambda device: 32)
    test_value_and_gradient(case, f32, device)


def test_the_first_maximum_gets_the_gradient(device: Device) -> None:
    x = Parameter(tensor([[[[1, 2, 2], [2, 2, 2]]]], f32, device))
    x.init_grad()
    x.max_pool2((2, 3)).sum().backward()
    np.testing.assert_array_equal(present(x.grad).numpy(), [[[[0, 1, 0], [0, 0, 0]]]])


def test_nan_is_greatest(device: Device) -> None:
    x = tensor([[[[1, np.nan, 5, -np.inf], [np.nan, 2, 3, -np.inf]]]], f32, device)
    np.testing.assert_array_equal(x.max_pool2(2).numpy(), [[[[np.nan, 5]]]])


def test_strided_images(device: Device) -> None:
    x = apart(2, (4, 6, 2, 3), f32)
    t = tensor(x, f32, device).transpose(3, 2, 1, 0)
    np.testing.assert_array_equal(t.max_pool2(2).numpy(), max_pool2(x.transpose(3, 2, 1, 0), (2, 2), (2, 2)))


def test_what_does_not_fit(device: Device) -> None:
    x = Tensor.zeros((1, 1, 3, 4), f32, device)
    with pytest.raises(ShapeError, match=r"window \(4, 4\) .* does not fit"):
        x.max_pool2(4)
    with pytest.raises(ShapeError, match=r"\[n, c, h, w\]"):
        x[0].max_pool2(2)
    with pytest.raises(ShapeError, match="stride=0"):
        x.max_pool2(2, 0)
