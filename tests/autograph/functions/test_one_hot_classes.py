"""Classes of all integer types as rows of zeros with a one: those out of range, too, which no 32 bits may hide."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from autograph import Tensor
from autograph.errors import ShapeError
from krnlpy import SCALAR_TYPES, Device, ScalarType, bf16, f32, u8
from tests.support.devices import requires
from tests.support.tiers import one_vulkan_device, sampled

pytestmark = one_vulkan_device

INTEGERS = [type for type in SCALAR_TYPES if type.is_integer]


@pytest.mark.parametrize(("result", "dtype"), sampled([*itertools.product([u8, bf16, f32], INTEGERS)], 3), ids=str)
def test_classes(result: Any, dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    classes = np.array([[0, 3, 1], [2, 3, 0]], dtype.dtype)
    found = Tensor.from_numpy(classes, device).one_hot(4, result)
    assert found.dtype is result
    np.testing.assert_array_equal(found.numpy().astype(int), np.eye(4)[classes])


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_classes_out_of_range(dtype: ScalarType, device: Device) -> None:
    """Those of 64 bits whose lower 32 are a class, too: rows of zeros on a device, an error on the host."""
    requires(device, dtype)
    wrong = [4, dtype.min, dtype.max] if dtype.min else [4, dtype.max]
    if dtype.size == 8:
        wrong += [2**32, 2**32 + 1, 2**32 + 3, 2**40 + 2, 2**62]
        wrong += [-(2**32), 1 - 2**32] if dtype.min else [2**63, 2**64 - 2**32 + 1]
    classes = np.array([*wrong, 1], dtype.dtype)
    tensor = Tensor.from_numpy(classes, device)
    if device.is_host:
        for i in range(len(wrong)):
            with pytest.raises(ShapeError, match="is out of range: expected one of 4 classes, 0 to 3"):
                tensor[i].one_hot(4)
        return
    expected = np.zeros((len(classes), 4))
    expected[-1, 1] = 1
    np.testing.assert_array_equal(tensor.one_hot(4).numpy(), expected)
