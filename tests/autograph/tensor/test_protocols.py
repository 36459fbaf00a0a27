"""What Python and other libraries ask a tensor for: numbers, lists, memory."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

from autograph import Tensor, from_dlpack
from autograph.errors import DeviceError, DtypeError, ShapeError
from krnlpy import SCALAR_TYPES, Device, SharingError, bf16, f32, i32
from tests.autograph.reference import tensor
from tests.support.typed import untyped


def test_numbers(device: Device) -> None:
    x = Tensor.full((1, 1), 3, i32, device)
    assert operator.index(x) == int(x) == 3 and complex(x) == 3 + 0j and list(range(5))[x] == 3
    for other in (Tensor.ones((), f32, device), Tensor.ones((), bool, device)):
        assert complex(other) == 1
        with pytest.raises(DtypeError, match="no index"):
            operator.index(other)
    with pytest.raises(ShapeError, match="not one"):
        operator.index(Tensor.ones(2, i32, device))


def test_lists(device: Device) -> None:
    for dtype in SCALAR_TYPES:
        x = tensor([[0, 1], [1, 0]], dtype, device).transpose()[::-1]
        found = x.tolist()
        assert found == [[1, 0], [0, 1]]
        assert type(found[0][0]) is (float if dtype.is_float else bool if dtype.kind == "bool" else int)
    assert Tensor.zeros((2, 0), f32, device).tolist() == [[], []]


def test_memory_is_shared_with_other_libraries() -> None:
    x = Tensor.zeros(3)
    assert x.__dlpack_device__() == (1, 0)
    array: np.ndarray[Any, Any] = np.from_dlpack(untyped(x))
    assert np.shares_memory(array, x.buffer.numpy(copy=False))
    x.fill(5)  # copies first
    assert array.tolist() == [0, 0, 0] and x.tolist() == [5, 5, 5]
    copied: np.ndarray[Any, Any] = np.from_dlpack(untyped(x), copy=True)
    assert not np.shares_memory(copied, x.buffer.numpy(copy=False))
    memory = x.buffer.memory
    x.fill(6)  # nobody looks
    assert x.buffer.memory is memory and copied.tolist() == [5, 5, 5]


def test_every_device_gives_copies(device: Device) -> None:
    x = Tensor.from_numpy(np.arange(6).reshape(2, 3), device).transpose()
    array: np.ndarray[Any, Any] = np.from_dlpack(untyped(x), device="cpu")
    np.testing.assert_array_equal(array, x.numpy())
    if device.info.index is not None:
        assert x.__dlpack_device__() == (7, device.info.index)
        with pytest.raises(SharingError, match="to_device"):
            np.from_dlpack(untyped(x))
    again = from_dlpack(x)
    assert again.device == device and again.tolist() == x.tolist()
    assert from_dlpack(x, device=Device.host()).device == Device.host()


def test_pytorch() -> None:
    torch = pytest.importorskip("torch")
    x = tensor([1, 2.5], bf16, Device.host())
    theirs = torch.from_dlpack(x)
    assert theirs.dtype is torch.bfloat16 and theirs.tolist() == [1, 2.5]
    theirs[0] = 7  # one memory
    assert from_dlpack(theirs).tolist() == x.tolist() == [7, 2.5]


def test_a_device_has_no_streams(device: Device) -> None:
    with pytest.raises(DeviceError, match="no streams"):
        Tensor.zeros(2, f32, device).to_device(device, stream=untyped(1))
