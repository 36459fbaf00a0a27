"""Sums over axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Tensor
from autograph.errors import ShapeError
from autograph.functions.reducers import reducer
from krnlpy import Device, ScalarType, bf16, f32, hooks, i8, i32, u8, u32
from tests.autograph.reference import DTYPES, check, draw, tensor


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (1, 2), ()], ids=str)
def test_axes(axis: Any, dtype: ScalarType, device: Device) -> None:
    x = draw(1, (3, 4, 5), dtype)
    check(lambda x: x.sum(axis), lambda x: x.sum(axis), [x], dtype, device)


@pytest.mark.parametrize("shape", [(100_003,), (3, 5_001), (5_001, 3), (1, 1), (2, 0, 3)], ids=str)
def test_lengths_that_take_several_passes(shape: tuple[int, ...], device: Device) -> None:
    if device.info.kind == "interpreter" and np.prod(shape) > 20_000:
        shape = (2_003,)
    x = draw(2, shape, f32)
    t = tensor(x, f32, device)
    # Partial sums of at most 32 numbers below 1, then of at most 32 of those, ...: each pass rounds 2**-24 of sums
    # that stay below the count of elements in it; 4 passes at most.
    for axis in range(len(shape)):
        atol = 4 * 32 * 2.0**-24 * max(1, shape[axis]) ** 0.5
        np.testing.assert_allclose(t.sum(axis).numpy(), x.sum(axis), rtol=0, atol=max(atol, 1e-6))


def test_strided_input(device: Device) -> None:
    x = draw(3, (6, 7, 8), f32)
    t = tensor(x, f32, device).transpose(2, 0, 1)[1:, ::2]
    expected = x.transpose(2, 0, 1)[1:, ::2]
    for axis in (0, 1, 2, (0, 2), None):
        # At most 147 numbers below 1.
        np.testing.assert_allclose(t.sum(axis).numpy(), expected.sum(axis), rtol=0, atol=147 * 147 * 2.0**-24)


def test_integers_do_not_overflow_their_width(device: Device) -> None:
    x = Tensor.full(300, 255, u8, device).sum()
    assert (x.dtype, x.item()) == (u32, 300 * 255)
    x = Tensor.full(300, -128, i8, device).sum()
    assert (x.dtype, x.item()) == (i32, -300 * 128)


def test_sums_of_parts_are_rounded_once_at_the_end(device: Device) -> None:
    """288 elements are summed in nine parts of 289 each, which bf16 does not hold; their sum, 2601, rounds to 2608, and
    that of rounded parts would be 2592."""
    x = np.full(288, 9.0)
    x[::32] = 10
    assert tensor(x, bf16, device).sum().item() == 2608


def test_few_elements_take_one_launch(device: Device) -> None:
    x = tensor(np.arange(600.0).reshape(3, 200), f32, device)
    launches: list[hooks.Launch] = []
    with hooks.on_launch(launches.append):
        rows, columns, last = x.sum(1), x.sum(0, keepdims=True), x[2].sum()
    assert len(launches) == 3
    assert np.array_equal(rows.numpy(), x.numpy().sum(1))
    assert np.array_equal(columns.numpy(), x.numpy().sum(0, keepdims=True))
    assert last.item() == x.numpy()[2].sum()


def test_sums_over_ever_new_shapes_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reducer, "_MOST_SINGLES", 4)
    x = tensor(np.arange(40.0), f32, Device.host())
    assert [x[:n].sum().item() for n in range(40)] == [n * (n - 1) / 2 for n in range(40)]


def test_a_sum_is_the_same_each_time(device: Device) -> None:
    count = 2_000 if device.info.kind == "interpreter" else 70_000
    x = tensor(draw(4, (count,), f32), f32, device)
    assert len({x.sum().item() for _ in range(5)}) == 1


def test_what_does_not_fit(device: Device) -> None:
    x = Tensor.zeros((2, 3), f32, device)
    with pytest.raises(ShapeError, match="axis=2"):
        x.sum(2)
    with pytest.raises(ShapeError, match="each once"):
        x.sum((0, -2))


def test_over_many_elements_of_no_rows(device: Device) -> None:
    x = Tensor.zeros((20, 30, 0), device=device)
    assert x.sum((0, 1)).shape == x.max((0, 1)).shape == (0,)
