"""Tensors that repeat one element are changed in place as others are: they are copied first."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograph import SGD, Parameter, Tensor, load_checkpoint, save_checkpoint
from autograph.nn import Layer
from krnlpy import Device, DTypeLike, ScalarType, bf16, f16, f32
from tests.autograph.reference import tensor
from tests.conformance.values import NUMBERS
from tests.support.devices import requires
from tests.support.kernels import accumulate
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

pytestmark = one_vulkan_device


def repeated(device: Device, dtype: DTypeLike = f32) -> Any:
    """``[[3, 3, 3], [3, 3, 3]]``, of which nothing else holds the memory."""
    result = tensor(3, dtype, device).broadcast_to(2, 3)
    gc.collect()
    assert result.buffer.is_broadcast()
    return result


CHANGES = {
    "fill": (lambda x: x.fill(5), [[5] * 3] * 2),
    "assign": (lambda x: x.assign(row(x)), [[1, 2, 3]] * 2),
    "assign of itself": (lambda x: x.assign(x), [[3] * 3] * 2),
    "add_assign": (lambda x: x.add_assign(row(x)), [[4, 5, 6]] * 2),
    "add_assign of itself": (lambda x: x.add_assign(x), [[6] * 3] * 2),
    "scaled_add": (lambda x: x.scaled_add(2, row(x)), [[5, 7, 9]] * 2),
    "sum out": (lambda x: rows(x).sum(0, out=x), [[2, 4, 6]] * 2),
    "sum out with beta": (lambda x: rows(x).sum(0, out=x, beta=2), [[8, 10, 12]] * 2),
    "a kernel": (lambda x: accumulate(Tensor.ones((2, 3), f32, x.device).buffer, x.writable()), [[4] * 3] * 2),
}


def row(x: Tensor) -> Tensor:
    return tensor([1, 2, 3], x.dtype, x.device)


def rows(x: Tensor) -> Tensor:
    return tensor([[[1, 2, 3]] * 2] * 2, x.dtype, x.device)


@pytest.mark.parametrize("change", CHANGES)
def test_changes(change: Any, device: Device) -> None:
    changed, expected = CHANGES[change]
    x = repeated(device)
    changed(x)
    np.testing.assert_array_equal(x.numpy(), expected)


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_every_dtype(dtype: ScalarType, device: Device) -> None:
    requires(device, dtype)
    x = repeated(device, dtype)
    x.scaled_add(2, row(x))
    x[0].fill(1)  # what is made by an index is another tensor
    x.add_assign(row(x))
    np.testing.assert_array_equal(x.numpy().astype(float), [[6, 9, 12]] * 2)


@pytest.mark.parametrize("change", ["fill", "assign", "add_assign", "scaled_add"])
def test_the_gradient_of_a_sum(change: Any, device: Device) -> None:
    """It is one number, repeated: the gradient that users clip and scale most often."""
    p = Parameter(Tensor.zeros((2, 3), f32, device))
    p.init_grad()
    p.sum().backward()
    gc.collect()
    assert present(p.grad).buffer.is_broadcast()
    other = tensor([1, 2, 3], f32, device)
    {
        "fill": lambda: present(p.grad).fill(2),
        "assign": lambda: present(p.grad).assign(other),
        "add_assign": lambda: present(p.grad).add_assign(other),
        "scaled_add": lambda: present(p.grad).scaled_add(-0.5, other),
    }[change]()
    expected = {"fill": [2, 2, 2], "assign": [1, 2, 3], "add_assign": [2, 3, 4], "scaled_add": [0.5, 0, -0.5]}
    np.testing.assert_array_equal(present(p.grad).numpy(), [expected[change]] * 2)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("dtype", [f16, bf16, f32], ids=str)
def test_sgd_of_a_repeated_parameter(dtype: ScalarType, momentum: float, device: Device) -> None:
    p = Parameter(repeated(device, dtype))
    gc.collect()
    for _ in range(2):
        SGD(momentum).update(p, tensor([[1, 2, 4]] * 2, dtype, device), 0.25)
    # 3 - 0.25 g and again; with momentum the second step is 1.5 times as long.
    scale = 2.5 if momentum else 2
    np.testing.assert_array_equal(p.numpy().astype(float), 3 - 0.25 * scale * np.array([[1, 2, 4]] * 2))


def test_sgd_with_state_that_is_repeated(device: Device) -> None:
    p = Parameter(Tensor.zeros((2, 3), f32, device))
    p.state["velocity"] = repeated(device)
    SGD(0.5).update(p, Tensor.ones((2, 3), f32, device), 1.0)
    np.testing.assert_array_equal(p.numpy(), np.full((2, 3), -2.5))


def test_others_keep_their_values(device: Device) -> None:
    base = tensor([[1, 2, 3]], f32, device)
    x = base.broadcast_to(2, 3)
    y = x[:, 1:]
    x.fill(7)
    np.testing.assert_array_equal(base.numpy(), [[1, 2, 3]])
    np.testing.assert_array_equal(y.numpy(), [[2, 3]] * 2)
    del base, x
    gc.collect()
    y.add_assign(y)
    np.testing.assert_array_equal(y.numpy(), [[4, 6]] * 2)


def test_a_repeated_parameter_is_saved_and_loaded(device: Device, tmp_path: Path) -> None:
    class Model(Layer):
        def __init__(self) -> None:
            self.weight = Parameter(repeated(device))

    model = Model()
    save_checkpoint(tmp_path / "model", model)
    model.weight.fill(0)
    load_checkpoint(tmp_path / "model", model)
    model.weight.fill(4)
    np.testing.assert_array_equal(model.weight.numpy(), np.full((2, 3), 4))
