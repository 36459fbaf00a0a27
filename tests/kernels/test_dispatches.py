"""What is fixed of launches is found by the layouts of buffers: nothing may be fixed that is not the same."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from krnlpy import Buffer, Device, Item, ItemMut, LaunchError, ShapeError, f32, f64, kernel
from krnlpy.kernels import definition
from tests.support.devices import requires


@kernel
def add(factor: f32, x: Item[f32], y: ItemMut[f32]) -> None:
    y += factor * x


@kernel
def put(value: f64, y: ItemMut[f64]) -> None:
    y = value


def test_buffers_that_are_alike_share_a_layout(device: Device) -> None:
    x = Buffer.zeros((4, 6), f32, device)
    alike = [Buffer.ones((4, 6), f32, device), Buffer.empty_like(x), x[:], x.reshape((2, 12)).reshape((4, 6)), x.copy()]
    assert all(other.layout is x.layout for other in alike)
    rows = Buffer.zeros((8, 6), f32, device)
    assert rows[:4].layout is rows[4:].layout is x.layout
    others = [x.transpose(), x[::2], x[:, :3], x.bitcast("i32"), Buffer.zeros((6, 4), f32, device), x[:2, :0]]
    layouts = [other.layout for other in (x, *others)]
    assert len({id(layout) for layout in layouts}) == len(layouts)
    assert Buffer.zeros((4, 6), f32, Device.host()).layout is not Buffer.zeros((4, 6), f32, Device.interpreter()).layout


def test_a_view_by_the_short_way_is_that_by_the_long_one(device: Device) -> None:
    """What is bound, and where elements begin, are the constructor's."""
    x = Buffer.from_numpy(np.arange(48, dtype=np.float32), device)[5:45]
    for view in (x.reshape((5, 8)), x[:8].reshape((2, 4)).transpose().reshape((4, 2, 1)), x[3:4].broadcast_to((3, 7))):
        long = Buffer(view.device, view.dtype, view.memory, view.shape, view.strides, view.offset)
        assert (view.operand, view.layout) == (long.operand, long.layout)
        assert np.array_equal(view.numpy(), long.numpy())
    nothing = x[:1].broadcast_to((0, 3))
    assert nothing.memory is None and nothing.numpy().shape == (0, 3)


def test_offsets_numbers_and_memory_are_those_of_each_launch(device: Device) -> None:
    x = Buffer.from_numpy(np.arange(60, dtype=np.float32), device)
    y = Buffer.zeros(60, f32, device)
    for begin, factor in ((0, 1.0), (20, 2.0), (40, -3.0)):
        add(factor, x[begin : begin + 20], y[begin : begin + 20])
    assert np.array_equal(y.numpy(), np.arange(60) * np.repeat([1, 2, -3], 20))


def test_overlap_is_checked_at_each_launch(device: Device) -> None:
    x, y = Buffer.ones(30, f32, device), Buffer.ones(30, f32, device)
    add(1.0, x[:20], y[:20])  # the same layouts
    with pytest.raises(LaunchError, match="shares elements"):
        add(1.0, x[10:], x[:20])
    with pytest.raises(ShapeError, match="unequal shapes"):
        add(1.0, x[:10], y[:20])
    assert np.array_equal(x.numpy(), np.ones(30))


def test_ever_new_shapes_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definition, "_MOST_DISPATCHES", 5)
    add.definition.forget()
    x, y = Buffer.ones(40), Buffer.zeros(40)
    for n in range(1, 40):
        add(1.0, x[:n], y[:n])
        assert len(add.definition.dispatches) <= 5
    assert np.array_equal(y.numpy(), [*range(39, 0, -1), 0])
    assert len(add.definition.plans) == 1


@pytest.mark.parametrize("value", [0.1, 3, -(2**60) - 1, np.float32(0.1), np.float64(1e-300), float("inf"), -0.0, True])
def test_numbers_are_converted_as_numpy_does(value: float) -> None:
    x, y = Buffer.ones(1), Buffer.full(1, -0.0)
    add(value, x, y)
    assert y.numpy()[0] == np.float32(value)
    wide = Buffer.zeros(1, f64)
    put(value, wide)
    assert wide.numpy()[0] == float(value) and np.signbit(wide.numpy()[0]) == np.signbit(float(value))


@pytest.mark.parametrize("value", [10**400, -(10**400), 10**39])
def test_numbers_beyond_the_range_are_refused(value: int) -> None:
    x, y = Buffer.ones(1), Buffer.zeros(1)
    with pytest.raises(LaunchError, match="beyond its range"):
        add(value, x, y)
    wide = Buffer.zeros(1, f64)
    if abs(value) <= sys.float_info.max:
        put(value, wide)
    else:
        with pytest.raises(LaunchError, match="beyond its range"):
            put(value, wide)
    assert wide.numpy()[0] == (float(value) if abs(value) <= sys.float_info.max else 0)


def test_a_nan_is_a_number(device: Device) -> None:
    requires(device)
    x, y = Buffer.ones(1, f32, device), Buffer.zeros(1, f32, device)
    add(float("nan"), x, y)
    assert np.isnan(y.numpy()[0])
