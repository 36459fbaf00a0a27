"""Copies of tensors, parameters and models, and pickles of them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from autograph import SGD, Dense, Layer, Parameter, Tensor
from krnlpy import Device, ScalarType, SharingError, bf16, f32
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

pytestmark = one_vulkan_device


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_tensors(copied: Any, device: Device) -> None:
    x = Tensor.from_numpy(np.arange(6, dtype=np.float32).reshape(2, 3), device).T[1:]
    y = copied(x)
    assert y.device == (Device.host() if copied is pickled else device)
    y.fill(7)
    np.testing.assert_array_equal(x.numpy(), [[1, 4], [2, 5]])
    np.testing.assert_array_equal(y.numpy(), np.full((2, 2), 7))


def test_a_deep_copy_borrows_nothing() -> None:
    array = np.zeros(3, np.float32)
    x = Tensor.from_numpy(array, copy=False)
    shallow, deep = copy.copy(x), copy.deepcopy(x)
    array[0] = 1
    assert (shallow.numpy()[0], deep.numpy()[0]) == (1, 0)


def test_what_is_recorded_stays_so_in_a_shallow_copy(device: Device) -> None:
    x = Parameter(Tensor.full((), 3.0, f32, device))
    x.init_grad()
    y = x * x
    assert not copy.deepcopy(y).tracked
    copy.copy(y).backward()
    assert present(x.grad).item() == 6


@pytest.mark.parametrize("slot", ["closed", "empty", "full"])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_parameters(copied: Any, slot: str, device: Device) -> None:
    p = Parameter(Tensor.ones(3, f32, device))
    p.state["memory"] = Tensor.zeros(3, f32, device)
    if slot != "closed":
        p.init_grad()
    if slot == "full":
        p.sum().backward()
    q = copied(p)
    assert type(q) is Parameter and q.tracked == p.tracked
    # Each has a value, a gradient and a state of its own.
    if slot == "closed":
        q.init_grad()
    (q * 2).sum().backward()
    q.fill(5)
    q.state["memory"].fill(5)
    np.testing.assert_array_equal(present(q.take_grad()).numpy(), [3 if slot == "full" else 2] * 3)
    assert p.tracked == (slot != "closed") and (p.grad is not None) == (slot == "full")
    np.testing.assert_array_equal(p.numpy(), [1, 1, 1])
    np.testing.assert_array_equal(p.state["memory"].numpy(), [0, 0, 0])
    if slot == "full":
        np.testing.assert_array_equal(present(p.grad).numpy(), [1, 1, 1])


class Tied(Layer):
    def __init__(self, device: Device, dtype: ScalarType) -> None:
        self.first = Dense(2, 2, bias=True, seed=0, device=device, dtype=dtype)
        self.second = Dense(2, 2, seed=1, device=device, dtype=dtype)
        self.third = [Dense(2, 2, seed=1, device=device, dtype=dtype)]
        self.third[0].weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.third[0](self.second(self.first(x)))
        return y


def train(model: Any, steps: int) -> Any:
    weight = model.first.weight
    x = Tensor.from_numpy(np.ones((3, 2), weight.dtype.dtype), weight.device)
    for _ in range(steps):
        model.init_parameter_grads()
        model(x).cross_entropy_loss(np.array([0, 1, 1])).backward()
        model.update(0.1, SGD(0.9))
    return [p.numpy().tobytes() for p in model.parameters()]


@pytest.mark.parametrize("dtype", [f32, bf16], ids=str)
@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_models_train_on_alike_and_apart(copied: Any, dtype: ScalarType, device: Device) -> None:
    model = Tied(device, dtype)
    before = train(model, 2)
    other = copied(model)
    other.to_device(device)  # from the host, if pickled
    assert other.third[0].weight is other.first.weight  # what is shared is shared in the copy
    after = train(model, 2)
    assert after != before
    assert [p.numpy().tobytes() for p in other.parameters()] == before
    assert train(other, 2) == after


def test_arrays_of_a_tensor(device: Device) -> None:
    """On every device: ``numpy()`` cannot be written to and keeps its values, ``array`` can be, and changes nothing."""
    x = Tensor.ones((2, 3), f32, device)
    seen, written = x.numpy(), np.array(x)
    assert not seen.flags.writeable and not np.asarray(x).flags.writeable
    written[...] = 5
    np.testing.assert_array_equal(x.numpy(), np.ones((2, 3)))
    x.fill(2)
    np.testing.assert_array_equal(seen, np.ones((2, 3)))
    if device.info.index is None:
        np.testing.assert_array_equal(np.asarray(x, copy=False), np.full((2, 3), 2))
    else:
        with pytest.raises(SharingError, match="always a copy"):
            np.asarray(x, copy=False)


def test_a_cast_to_the_same_dtype_is_another_tensor(device: Device) -> None:
    """As to another dtype, and as that of a buffer: no change of one is seen in the other."""
    x = Tensor.ones(3, f32, device)
    y = x.cast(f32)
    assert y is not x and y.buffer.memory is x.buffer.memory
    y.fill(2)
    assert x.numpy().tolist() == [1, 1, 1] and y.numpy().tolist() == [2, 2, 2]
    parameter = Parameter(x)
    assert type(parameter.cast(f32)) is Tensor
    parameter.init_grad()
    (parameter.cast(f32) * 3).sum().backward()
    assert present(parameter.grad).numpy().tolist() == [3, 3, 3]
