"""The namespace's own functions: what the standard names or passes otherwise than autograph does."""

from __future__ import annotations

import numpy as np
import pytest

from autograph import array_api as xp
from autograph.errors import DtypeError, ShapeError
from krnlpy import Device, SharingError
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device


def test_astype(device: Device) -> None:
    x = xp.asarray([1.5, -2.5], device=device)
    assert xp.astype(x, xp.int8).numpy().tolist() == [1, -2]
    assert xp.astype(x, xp.float32, copy=False) is x
    other = xp.astype(x, xp.float32)
    x.fill(0)
    assert other.numpy().tolist() == [1.5, -2.5] and other.device == device
    assert xp.astype(other, xp.int32, device=Device.host()).device == Device.host()
    assert xp.astype(other, xp.float32, device=Device.host(), copy=False).device == Device.host()


def test_reshape(device: Device) -> None:
    x = xp.asarray(np.arange(6, dtype=np.float32).reshape(2, 3), device=device)
    assert xp.reshape(x, (3, -1)).numpy().tolist() == [[0, 1], [2, 3], [4, 5]]
    for copy in (None, False):
        assert xp.reshape(x, shape=(6,), copy=copy).buffer.memory is x.buffer.memory
    assert xp.reshape(x, (6,), copy=True).buffer.memory is not x.buffer.memory
    assert xp.reshape(x.T, (6,)).numpy().tolist() == [0, 3, 1, 4, 2, 5]
    with pytest.raises(SharingError, match=r"reshape\(copy=False\)"):
        xp.reshape(x.T, (6,), copy=False)
    with pytest.raises(ShapeError):
        xp.reshape(x, (4,))


def test_complex_parts_of_real_numbers(device: Device) -> None:
    x = xp.asarray([-0.0, 2.0], device=device)
    for part in (xp.real(x), xp.conj(x)):
        assert part.numpy().tolist() == [0, 2] and np.signbit(part.numpy()).tolist() == [True, False]
    assert xp.imag(x).numpy().tolist() == [0, 0] and xp.imag(x).dtype == xp.float32


def test_differences_with_what_stands_beside(device: Device) -> None:
    x = xp.asarray([[1, 4, 9]], device=device)
    zero = xp.zeros((1, 2), dtype=xp.int32, device=device)
    found = xp.diff(x, prepend=zero, append=x)
    assert found.numpy().tolist() == np.diff(x.numpy(), prepend=zero.numpy(), append=x.numpy()).tolist()


@pytest.mark.parametrize("name", ["astype", "broadcast_to", "conj", "imag", "real", "reshape"])
def test_what_is_no_tensor(name: str) -> None:
    arguments = {"astype": ("f32",), "broadcast_to": ((2,),), "reshape": ((2,),)}.get(name, ())
    with pytest.raises(DtypeError, match=f"{name} takes a tensor"):
        getattr(xp, name)([1, 2], *arguments)
