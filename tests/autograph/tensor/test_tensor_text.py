"""Tensors and parameters as text, and weak references to them."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from autograph.errors import ShapeError
from krnlpy import Device, bf16, f32, i8, u32
from krnlpy.errors import DeviceLost
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device


def test_values_are_shown(device: Device) -> None:
    x = Tensor.zeros((2, 3), i8, device)
    assert repr(x) == str(x) == f"Tensor(i8, (2, 3), {device!r}, [[0, 0, 0],\n [0, 0, 0]])"
    assert repr(Parameter(x)) == f"Parameter(i8, (2, 3), {device!r}, [[0, 0, 0],\n [0, 0, 0]])"
    assert repr(Tensor.full((), 0.5, bf16, device)) == f"Tensor(bf16, (), {device!r}, 0.5)"
    assert repr(Tensor.zeros((0, 2), f32, device)) == f"Tensor(f32, (0, 2), {device!r})"


def test_many_values_are_cut(device: Device) -> None:
    x = Parameter(Tensor.from_numpy(np.arange(3000, dtype=np.float32), device))
    assert repr(x) == (
        f"Parameter(f32, (3000,), {device!r}, [0.000e+00, 1.000e+00, 2.000e+00, ..., 2.997e+03, 2.998e+03, 2.999e+03])"
    )
    assert len(repr(x.reshape((10, 10, 30)).transpose().broadcast_to((5, 30, 10, 10)))) < 1000


def test_text_leaves_what_it_shows_as_it_is(device: Device) -> None:
    """It is not copied where it is changed, as it would be if an array shared its memory, and stays tracked."""
    x = Parameter(Tensor.ones(3, f32, device))
    x.init_grad()
    memory = x.buffer.memory
    assert "1., 1., 1." in repr(x) and "2., 2., 2." in repr(x * 2)
    x.fill(2)
    assert x.buffer.memory is memory and x.tracked and x.grad is None


def test_a_tensor_of_a_lost_device(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.info.index is None:
        pytest.skip("is never lost")
    x = Tensor.zeros(3, f32, device)

    def lost(*_: Any) -> None:
        raise DeviceLost("gone")

    with monkeypatch.context() as patch:
        patch.setattr(type(device.backend), "download", lost)
        assert repr(x) == f"Tensor(f32, (3,), {device!r}: gone)"


def test_formats(device: Device) -> None:
    loss = Tensor.full((), 0.12345, f32, device)
    assert f"{loss:.3f} {loss:8.2e}" == "0.123 1.23e-01"
    assert f"{Tensor.full((1, 1), 7, u32, device):03d}" == "007"
    assert f"{loss}" == str(loss)
    parameter = Parameter(loss)
    parameter.init_grad()
    assert f"{parameter * 2:.2f}" == "0.25"
    with pytest.raises(ShapeError, match=r"item\(\) of a tensor of shape \(2,\): it has 2 elements, not one"):
        format(Tensor.ones(2, f32, device), ".3f")


def test_weak_references(device: Device) -> None:
    tensors = [Tensor.ones(2, f32, device), Parameter(Tensor.ones(2, f32, device))]
    tensors += [tensors[0] + 1, tensors[0][:1]]
    known = weakref.WeakValueDictionary({id(tensor): tensor for tensor in tensors})  # == goes by elements
    references = [weakref.ref(tensor) for tensor in tensors]
    assert len(known) == 4 and all(known[id(tensor)] is tensor for tensor in tensors)
    del tensors[:]
    gc.collect()
    assert not len(known) and all(reference() is None for reference in references)
