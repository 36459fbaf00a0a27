"""Tensors cut into parts of rows: of any count of rows, none is lost, and none is there twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from autograph.functions.launch import split_rows
from krnlpy import Buffer, Device, f32
from krnlpy.kernels.split_plan import SplitPlan
from tests.support.devices import limit_reach
from tests.support.kernels import accumulate
from tests.support.typed import present

ROWS = [1, 2, 3, 5, 7, 9, 11, 13, 31, 33, 63, 97]


class Far:
    """Rows of which kernels reach some at once: as much of a buffer as ``parts`` asks for."""

    def __init__(self, rows: Any, reach: int) -> None:
        self.rows, self.reach = rows, reach
        self.shape = (len(rows), 2)
        self.can_be_indexed = len(rows) <= reach

    def __getitem__(self, key: Any) -> Any:
        return Far(self.rows[key], self.reach)


@pytest.mark.parametrize("reach", [1, 2, 3, 8])
@pytest.mark.parametrize("count", ROWS)
def test_every_row_is_in_one_part(count: int, reach: int) -> None:
    buffers: list[Any] = [Far(range(count), reach), Far(range(count), 2 * reach)]
    found: list[Any] = list(split_rows(*buffers))
    assert [row for part, _ in found for row in part.rows] == list(range(count))
    assert [part.rows for part, _ in found] == [part.rows for _, part in found]
    assert all(part.can_be_indexed for part, _ in found)


@pytest.fixture
def limited(device: Device, monkeypatch: pytest.MonkeyPatch) -> Any:
    if device.info.backend == "interpreter":
        pytest.skip("its kernels reach whole memories or nothing")
    limit_reach(device, 4096, monkeypatch)
    return device


@pytest.mark.parametrize("shape", [(count, 1025) for count in ROWS] + [(2049,), (3, 5, 411), (1025, 7)], ids=str)
def test_every_item_is_launched_once(shape: tuple[int, ...], limited: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    launched = []
    of = SplitPlan._parts

    def counted(self: Any, arguments: Any) -> Any:
        found = list(of(self, arguments))
        launched.append(sum(part[0].size for part in found))
        return iter(found)

    monkeypatch.setattr(SplitPlan, "_parts", counted)
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    x, y = Buffer.from_numpy(values, limited, copy=True), Buffer.from_numpy(-values, limited, copy=True)
    assert not y.can_be_indexed
    accumulate(x, y)
    accumulate(x, y)
    np.testing.assert_array_equal(y.numpy(), values)
    assert launched[-1] == values.size


@pytest.mark.parametrize("count", [3, 5, 7, 13])
def test_operations_of_odd_counts_of_rows(count: int, limited: Any) -> None:
    """Whole small numbers, each operation beside the same of each row alone."""
    if limited.info.backend != "vulkan":
        pytest.skip("its kernels reach all of its memory")
    rng = np.random.default_rng(count)
    x = rng.integers(-3, 4, (count, 2, 12, 16)).astype(np.float32)
    w = Tensor.from_numpy(rng.integers(-3, 4, (3, 2, 3, 3)).astype(np.float32), limited)
    operations = [lambda t: t.conv2(w), lambda t: t.max_pool2(2), lambda t: t.max_pool2(2, 1)]
    for operation in operations:
        found = []
        for rows in ([x], list(x[:, None])):
            values, gradients = [], []
            for some in rows:
                p = Parameter(Tensor.from_numpy(some).to_device(limited))
                p.init_grad()
                y = operation(p)
                y.backward(Tensor.ones(y.shape, f32, limited))
                values.append(y.numpy())
                gradients.append(present(p.grad).numpy())
            found.append((np.concatenate(values), np.concatenate(gradients)))
        for whole, single in zip(*found, strict=True):
            np.testing.assert_array_equal(whole, single)
    assert not Tensor.from_numpy(x).to_device(limited).buffer.can_be_indexed


@pytest.mark.parametrize("count", [1025, 2051])
def test_losses_and_classes_of_odd_counts_of_rows(count: int, limited: Any) -> None:
    if limited.info.backend != "vulkan":
        pytest.skip("its kernels reach all of its memory")
    classes = np.arange(count, dtype=np.int32) % 5
    logits = Parameter(Tensor.from_numpy(np.eye(5, dtype=np.float32)[classes]).to_device(limited))
    logits.init_grad()
    assert not logits.buffer.can_be_indexed
    assert logits.accuracy(classes).item() == 1
    logits.cross_entropy_loss(classes, "sum").backward()
    power = np.e / (np.e + 4)
    expected = np.where(np.eye(5)[classes] == 1, power - 1, (1 - power) / 4)
    # exp of 1 and its quotient, each good to a few times 2**-24.
    np.testing.assert_allclose(present(logits.grad).numpy(), expected, rtol=0, atol=2.0**-20)
    found = Tensor.from_numpy(classes).to_device(limited).one_hot(5)
    np.testing.assert_array_equal(found.numpy(), np.eye(5)[classes])
