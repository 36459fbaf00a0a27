"""Tensors: creation, views, sharing and changing in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from autograph.errors import AutographError, ShapeError
from krnlpy import Device, ScalarType, UnsizedError, bf16, f32, i32
from tests.autograph.reference import tensor
from tests.conformance.values import NUMBERS
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present, untyped

pytestmark = one_vulkan_device


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_to_numpy_and_back(dtype: ScalarType, device: Device) -> None:
    x = np.arange(24).reshape(2, 3, 4).astype(dtype.dtype)
    found = Tensor.from_numpy(x, device)
    assert (found.shape, found.ndim, found.size, found.dtype) == ((2, 3, 4), 3, 24, dtype)
    assert found.device == device
    np.testing.assert_array_equal(found.numpy(), x)
    assert found[1, 2, 3].item() == 23


def test_creation(device: Device) -> None:
    np.testing.assert_array_equal(Tensor.full((2, 2), 1.5, bf16, device).numpy().astype(float), [[1.5] * 2] * 2)
    np.testing.assert_array_equal(Tensor.ones(3, i32, device).numpy(), [1, 1, 1])
    np.testing.assert_array_equal(Tensor.zeros((), f32, device).numpy(), 0)
    assert Tensor.empty((4, 5), f32, device).shape == (4, 5)


def test_a_tensor_is_not_changed_by_its_array() -> None:
    x = np.zeros(3, np.float32)
    found = Tensor.from_numpy(x)
    x[:] = 1
    np.testing.assert_array_equal(found.numpy(), [0, 0, 0])


def test_an_array_is_not_changed_by_its_tensor(device: Device) -> None:
    x = Tensor.zeros(3, f32, device)
    before = x.numpy()
    x.fill(2)
    np.testing.assert_array_equal(before, [0, 0, 0])
    np.testing.assert_array_equal(x.numpy(), [2, 2, 2])


@pytest.mark.parametrize("change", ["fill", "assign", "add_assign"])
@pytest.mark.parametrize("shared", ["view", "whole"])
def test_no_tensor_sees_a_change_of_another(change: Any, shared: Any, device: Device) -> None:
    x = tensor(np.arange(6.0).reshape(2, 3), f32, device)
    y = x.T[1:] if shared == "view" else x.detach()
    before = y.numpy().copy()
    if change == "fill":
        x.fill(7)
    else:
        getattr(x, change)(Tensor.full((), 7.0, f32, device))
    np.testing.assert_array_equal(y.numpy(), before)
    expected = np.arange(6.0).reshape(2, 3) + 7 if change == "add_assign" else np.full((2, 3), 7)
    np.testing.assert_array_equal(x.numpy(), expected)


def test_unshared_memory_is_changed_where_it_is(device: Device) -> None:
    x = Tensor.zeros(4, f32, device)
    memory = x.buffer.memory
    view = x[1:]
    del view
    x.fill(1)
    assert x.buffer.memory is memory


def test_a_view_is_changed_alone(device: Device) -> None:
    x = Tensor.zeros((2, 2), f32, device)
    row = x[0]
    row.fill(5)
    np.testing.assert_array_equal(x.numpy(), np.zeros((2, 2)))
    np.testing.assert_array_equal(row.numpy(), [5, 5])


def test_views(device: Device) -> None:
    x = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    t = Tensor.from_numpy(x, device)
    for found, expected in [
        (t[1], x[1]),
        (t[..., 1:3], x[..., 1:3]),
        (t[:, ::2, -1], x[:, ::2, -1]),
        (t.transpose(), x.T),
        (t.transpose(1, 0, 2), x.transpose(1, 0, 2)),
        (t.transpose((1, 0, 2)), x.transpose((1, 0, 2))),
        (t.reshape((4, -1)), x.reshape(4, -1)),
        (t.reshape(untyped(np.int64(8)), 3), x.reshape(8, 3)),
        (t[0, 0, 0].reshape(()), x[0, 0, 0]),
        (t.transpose().reshape((6, 4)), x.T.reshape(6, 4)),
        (t.flatten(), x.reshape(24)),
        (t[0, 0, 0].flatten(), x[:1, 0, 0].reshape(1)),
        (t[:, :1].broadcast_to((5, 2, 3, 4)), np.broadcast_to(x[:, :1], (5, 2, 3, 4))),
        (t.transpose(2, 0, 1).copy(), x.transpose(2, 0, 1)),
    ]:
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found.numpy(), expected)
    assert [row.shape for row in t] == [(3, 4), (3, 4)]


def test_gradients_of_views(device: Device) -> None:
    x = Parameter(tensor(np.arange(12.0).reshape(3, 4), f32, device))

    def gradient_of(function: Callable[..., Any]) -> Any:
        x.init_grad()
        function(x).sum().backward()
        return present(x.take_grad()).numpy()

    weights = Tensor.from_numpy(np.arange(24, dtype=np.float32).reshape(4, 6), device)
    np.testing.assert_array_equal(gradient_of(lambda x: x[1:, ::2]), [[0] * 4, [1, 0, 1, 0], [1, 0, 1, 0]])
    found = gradient_of(lambda x: x.T.reshape((2, 6)) * weights[1:3])
    np.testing.assert_array_equal(found, np.arange(6, 18).reshape(4, 3).T)
    np.testing.assert_array_equal(gradient_of(lambda x: x.broadcast_to((5, 3, 4))), np.full((3, 4), 5))
    np.testing.assert_array_equal(gradient_of(lambda x: x[:1].broadcast_to((3, 4)).copy())[0], [3] * 4)
    np.testing.assert_array_equal(gradient_of(lambda x: x.flatten().to_device(device)), np.ones((3, 4)))


def test_moving_between_devices(device: Device) -> None:
    from krnlpy import Device

    x = Parameter(Tensor.ones((2, 3)))
    x.init_grad()
    y = x.to_device(device)
    assert y.device == device
    (y * 2).sum().backward()
    assert present(x.grad).device == Device.host()
    np.testing.assert_array_equal(present(x.grad).numpy(), np.full((2, 3), 2))


def test_what_does_not_fit(device: Device) -> None:
    x = Tensor.zeros((2, 3), f32, device)
    with pytest.raises(ShapeError, match=r"6 elements and cannot be reshaped to \(4,\)"):
        x.reshape(4)
    with pytest.raises(ShapeError, match=r"expected integers, one by one or as a tuple, not \(1.5, 4\)"):
        x.reshape(untyped(1.5), 4)
    with pytest.raises(ShapeError, match="cannot be broadcast"):
        x.broadcast_to((3, 3))
    with pytest.raises(ShapeError, match="not a permutation of the 2 axes"):
        x.transpose(0, 0)
    with pytest.raises(ShapeError, match="out of range"):
        x[2]
    with pytest.raises(ShapeError, match="6 elements, not one"):
        x.item()
    with pytest.raises(ShapeError, match="does not fit the left one"):
        x[0].add_assign(x)


def test_a_computed_tensor_is_not_changed_in_place(device: Device) -> None:
    x = Parameter(Tensor.zeros(3, f32, device))
    x.init_grad()
    y = x + 1
    with pytest.raises(AutographError, match="cannot be changed in place"):
        y.fill(0)


def test_a_tensor_without_axes_has_no_length(device: Device) -> None:
    """As a buffer has none, with the same error."""
    assert len(Tensor.zeros((2, 3), device=device)) == 2
    with pytest.raises(UnsizedError, match=r"len\(\) of an array of shape \(\): it has no axes"):
        len(Tensor.zeros((), device=device))
