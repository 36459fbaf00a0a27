"""Operations with more work items than threads are launched: each thread loops over what is left.

There are at most 2**22 threads. Most tests lower that, so that small tensors have more items; two do not. Numbers are
whole and small: sums are exact in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograph.functions.launch
from autograph import Parameter, Tensor, fold, unfold
from krnlpy import Device, f32, u8
from tests.autograph.reference import conv2, cross_entropy, max_pool2, summed, tensor, unfolded
from tests.support.typed import present

SHAPE = (3, 4, 20, 19)


@pytest.fixture
def few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """One group; a group has fewer threads than any launch here has items."""
    monkeypatch.setattr(autograph.functions.launch, "MAX_THREADS", 1)


def whole(seed: int, shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float64)


def opened(array: Any, device: Device) -> Parameter:
    result = Parameter(tensor(array, f32, device))
    result.init_grad()
    return result


def equal(tensor: Any, expected: Any) -> None:
    np.testing.assert_array_equal(tensor.numpy().astype(np.float64), expected)


def test_sums(few_threads: Any, device: Device) -> None:
    x = whole(1, (5, 700))
    t = tensor(x, f32, device)
    equal(t.sum(0), x.sum(0))
    equal(t.T.sum(1), x.sum(0))
    equal(tensor(x, f32, device).reshape((5, 10, 70)).sum(1), x.reshape(5, 10, 70).sum(1))
    assert Tensor.full((2, 700), 3, u8, device).sum(0).numpy().tolist() == [6] * 700


@pytest.mark.parametrize(("filter", "stride"), [((1, 2), (1, 2)), ((2, 2), (1, 1)), ((2, 1), (3, 2))], ids=str)
@pytest.mark.parametrize("lanes", [1, 32])
def test_pools(
    filter: tuple[int, int], stride: Any, lanes: Any, few_threads: Any, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograph.functions.pooling.maxima.threads_per_row", lambda device: lanes)
    # Distinct numbers, so that one of each window is the greatest.
    x = np.random.default_rng(2).permutation(4 * 8 * 20 * 6).reshape(4, 8, 20, 6).astype(np.float64)
    p = opened(x, device)
    y = p.max_pool2(filter, stride)
    expected = max_pool2(x, filter, stride)
    equal(y, expected)
    dy = whole(3, expected.shape)
    y.backward(tensor(dy, f32, device))
    dx = np.zeros(x.shape)
    for n, c, oy, ox in np.ndindex(*expected.shape):
        top, left = oy * stride[0], ox * stride[1]
        window = x[n, c, top : top + filter[0], left : left + filter[1]]
        ky, kx = np.unravel_index(window.argmax(), filter)
        dx[n, c, top + ky, left + kx] += dy[n, c, oy, ox]
    equal(p.grad, dx)


def test_convolutions(few_threads: Any, device: Device) -> None:
    x, w = whole(4, SHAPE), whole(5, (6, 4, 2, 3))
    p, q = opened(x, device), opened(w, device)
    y = p.conv2(q)
    equal(y, conv2(x, w))
    dy = whole(6, y.shape)
    y.backward(tensor(dy, f32, device))
    dx = conv2(np.pad(dy, ((0, 0), (0, 0), (1, 1), (2, 2))), w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
    equal(p.grad, dx)
    equal(q.grad, conv2(x.transpose(1, 0, 2, 3), dy.transpose(1, 0, 2, 3)).transpose(1, 0, 2, 3))


def test_windows_as_columns(few_threads: Any, device: Device) -> None:
    x = whole(7, (2, 3, 12, 14))
    columns = unfold(tensor(x, f32, device), (2, 3))
    equal(columns, unfolded(x, (2, 3)))
    equal(fold(columns, (12, 14), (2, 3)), summed(unfolded(x, (2, 3)), x.shape, (2, 3)))


def test_losses(few_threads: Any, device: Device) -> None:
    logits, classes = whole(8, (1500, 3)), np.arange(1500) % 3
    p = opened(logits, device)
    # As many losses of about 1, added 32 at a time, each good to a few times 2**-24.
    assert p.cross_entropy_loss(classes).item() == pytest.approx(cross_entropy(logits, classes), rel=2.0**-18)
    assert p.accuracy(classes).item() == pytest.approx((logits.argmax(1) == classes).mean(), rel=2.0**-22)


COUNT = (1 << 22) + 3


def skip_interpreter(device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("millions of threads")


def test_more_than_4_million_sums(device: Device) -> None:
    skip_interpreter(device)
    x = (np.arange(2 * COUNT) % 11).astype(np.uint8).reshape(2, COUNT)
    found = Tensor.from_numpy(x, device).sum(0).numpy()
    assert np.array_equal(found, x.astype(np.uint32).sum(0))


def test_more_than_4_million_pools(device: Device) -> None:
    skip_interpreter(device)
    x = (np.arange(2 * COUNT) % 13).astype(np.float32).reshape(1, COUNT, 1, 2)
    p = Parameter(Tensor.from_numpy(x, device))
    p.init_grad()
    y = p.max_pool2((1, 2))
    assert np.array_equal(y.numpy()[..., 0], x.max(3))
    y.backward(Tensor.ones(y.shape, f32, device))
    assert np.array_equal(present(p.grad).numpy().reshape(-1, 2), np.eye(2)[x.reshape(-1, 2).argmax(1)])
