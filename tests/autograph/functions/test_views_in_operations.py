"""Every operation takes every view: with gaps, backwards, beginning late, with axes in another order, broadcast.

What it gives of a view, and the gradient that goes back, are those of a copy of the view. All numbers are whole and
small, so that no order of addition matters and nothing may differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor, unfold
from krnlpy import Device, ScalarType
from krnlpy.scalar import bf16, f16, f32, i32, u8
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

pytestmark = one_vulkan_device

SHAPE = (2, 3, 4, 6)
VIEWS = {
    "with gaps": ((2, 6, 4, 12), lambda x: x[:, ::2, :, 1::2]),
    "backwards": (SHAPE, lambda x: x[:, ::-1, ::-1]),
    "beginning late": ((4, 3, 5, 8), lambda x: x[2:, :, 1:, 2:]),
    "in another order": ((6, 2, 4, 3), lambda x: x.transpose(1, 3, 2, 0)),
    "all of it": ((9, 5, 2, 6), lambda x: x.transpose(2, 3, 1, 0)[:, ::2, 1:, 7:1:-1]),
    "broadcast": ((3, 1, 6), lambda x: x.broadcast_to(SHAPE)),
}


def small(seed: int, shape: tuple[int, ...], dtype: ScalarType, device: Device) -> Any:
    return Tensor.from_numpy(np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype.dtype), device)


def rows(x: Tensor) -> Tensor:
    return x.reshape((-1, x.shape[-1]))


OPERATIONS = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: y - x,
    "*": lambda x, y: x * y[0],
    "-x": lambda x, y: -x,
    "with a number": lambda x, y: 3 - 2 * x,
    "relu": lambda x, y: x.relu(),
    "cast": lambda x, y: x.cast(f16),
    "scaled_cast": lambda x, y: x.scaled_cast(2, f32),
    "reshape": lambda x, y: x.reshape((6, 24)),
    "flatten": lambda x, y: x.flatten(),
    "copy": lambda x, y: x.copy(),
    "contiguous": lambda x, y: x.contiguous(),
    "index": lambda x, y: x[1, ..., ::-2],
    "sum": lambda x, y: x.sum(),
    "sum of an axis": lambda x, y: x.sum(1),
    "sum of axes": lambda x, y: x.sum((0, 3)),
    "@ to the left": lambda x, y: x[0, 1] @ rows(y).T,
    "@ to the right": lambda x, y: rows(y) @ x[1, 2].T,
    "conv2 of": lambda x, y: x.conv2(y[:, :, :2, :3], stride=(2, 1), padding=(1, 0)),
    "conv2 with": lambda x, y: y.conv2(x[..., 1:3, 2:5], dilation=(1, 2)),
    "max_pool2": lambda x, y: x.max_pool2((2, 3), stride=(1, 2)),
    "conv1": lambda x, y: x[0].conv1(y[1, ..., :2]),
    "max_pool1": lambda x, y: x[:, 2].max_pool1(2, stride=1),
    "unfold": lambda x, y: unfold(x, (2, 2), padding=(0, 1)),
}


@pytest.mark.parametrize("dtype", [f32, bf16], ids=str)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_view_is_as_good_as_its_copy(operation: Any, dtype: ScalarType, device: Device) -> None:
    function = OPERATIONS[operation]
    for name, (shape, view) in VIEWS.items():
        y = small(2, SHAPE, dtype, device)
        found = []
        for given in (view, lambda x, view=view: view(x).copy()):
            x = Parameter(small(1, shape, dtype, device))
            x.init_grad()
            value = function(given(x), y)
            value.backward(small(3, value.shape, value.dtype, device))
            found.append((value.numpy(), present(x.grad).numpy()))
        for of_view, of_copy in zip(*found, strict=True):
            np.testing.assert_array_equal(of_view, of_copy, err_msg=name)
        assert found[0][0].any() and found[0][1].any()


@pytest.mark.parametrize("view", VIEWS)
def test_losses_and_classes_of_views(view: Any, device: Device) -> None:
    shape, function = VIEWS[view]
    x = function(small(1, shape, f32, device))[0, 0]
    classes = function(small(4, shape, i32, device))[1, 2, :, 3] * function(small(4, shape, i32, device))[1, 2, :, 3]
    wanted = np.minimum(classes.numpy(), 5)
    assert len(x) == len(wanted)
    logits = x.numpy().astype(np.float64)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    # Four losses below 20, of f32 functions good to a few times 2**-24 of their size.
    expected = -np.log(chances[np.arange(4), wanted]).mean()
    assert x.cross_entropy_loss(wanted).item() == pytest.approx(expected, abs=20 * 2**-22)
    assert x.accuracy(wanted).item() == (logits.argmax(1) == wanted).mean()
    np.testing.assert_array_equal(classes.cast(u8).one_hot(17, f16).numpy(), np.eye(17)[classes.numpy()])
