"""Buffers of truth values: NumPy's bool kept and shared, views, structs, graphs, and bytes that others wrote."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    Device,
    DtypeError,
    Feature,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    Spec,
    StructBuffer,
    autotune,
    f32,
    func,
    i32,
    kernel,
    struct_dtype,
    u8,
)
from krnlpy.dsl import Vector, global_id
from tests.support.tiers import one_vulkan_device

MASK = np.random.default_rng(1).random((6, 10)) < 0.4


def test_numpys_bool_is_kept(device: Device) -> None:
    buffer = Buffer.from_numpy(MASK, device)
    assert buffer.dtype == bool and buffer.nbytes == 60
    for view, expected in (
        (buffer, MASK),
        (buffer.transpose(), MASK.T),
        (buffer[::-2, 1::3], MASK[::-2, 1::3]),
        (buffer[0].broadcast_to((4, 10)), np.broadcast_to(MASK[0], (4, 10))),
        (buffer[:, ::2].copy(), MASK[:, ::2]),
        (buffer.cast(u8).bitcast(bool), MASK),
    ):
        found = view.numpy()
        assert found.dtype == bool and np.array_equal(found, expected)
    assert Buffer.from_numpy([True, False], device).dtype == bool
    out = np.zeros((10, 12), bool)
    buffer.transpose().numpy(out=out[:, ::2])
    assert np.array_equal(out[:, ::2], MASK.T) and not out[:, 1::2].any()
    buffer[1::2, ::3].fill(True)
    buffer[:, 4].fill(np.bool_(False))
    buffer[0].copy_from(np.arange(10) > 3)
    expected = MASK.copy()
    expected[1::2, ::3], expected[:, 4], expected[0] = True, False, np.arange(10) > 3
    assert np.array_equal(buffer.numpy(), expected)


def test_python_protocols() -> None:
    buffer = Buffer.from_numpy(MASK[:2, :3])
    assert repr(buffer).startswith("Buffer(bool, (2, 3), Device.host(), [[") and "True" in repr(buffer)
    again = pickle.loads(pickle.dumps(buffer))
    assert again.dtype == bool and np.array_equal(again.numpy(), MASK[:2, :3])
    assert np.asarray(buffer).dtype == bool and np.asarray(buffer, np.float32).dtype == np.float32
    with pytest.raises(DtypeError, match="filled with an int or a float"):
        buffer.fill("yes")


def test_memory_is_shared(device: Device) -> None:
    if Feature.SHARED_HOST_MEMORY not in device.info.features:
        pytest.skip("the device has memory of its own")
    array = MASK.copy()
    buffer = Buffer.from_numpy(array, device, copy=False)

    @kernel
    def invert(x: ItemMut[bool]) -> None:
        x = not x

    invert(buffer[:, ::2])
    device.wait()
    expected = MASK.copy()
    expected[:, ::2] ^= True
    assert np.array_equal(array, expected)
    if device.info.index is None:
        assert np.shares_memory(buffer.numpy(copy=False), array)


def test_bytes_of_others(device: Device) -> None:
    """Copies move them as they are; what is computed, casts too, is 0 or 1."""
    values = np.array([0, 1, 2, 255, 0, 128], np.uint8)
    buffer = Buffer.from_numpy(values, device).bitcast(bool)
    for copied in (buffer.copy(), buffer[::1].contiguous(), buffer.reshape((2, 3)).transpose().copy().transpose()):
        assert copied.bitcast(u8).numpy().reshape(-1).tolist() == values.tolist()
    strided = Buffer.zeros(12, bool, device)
    strided[::2].copy_from(buffer)
    assert strided.bitcast(u8).numpy()[::2].tolist() == values.tolist()
    true = (values != 0).tolist()
    for dtype in (u8, i32, f32):
        assert buffer.cast(dtype).numpy().tolist() == true
    assert buffer.bitcast(u8).cast(bool).bitcast(u8).numpy().tolist() == true
    assert "[False,  True,  True,  True, False,  True]" in repr(buffer)


@dataclass
class Cell:
    alive: bool
    heat: f32
    open: Vector[bool, 3]

    @func
    def spreads(self) -> bool:
        return self.alive and (self.open.x or self.open.z)


@kernel
def spread(cell: ItemMut[Cell], spreads: ItemMut[bool], open: Item[Vector[bool, 3]]) -> None:
    spreads = cell.spreads()
    cell.open = open
    cell.alive = cell.heat > 1.0 and open.y


def test_structs(device: Device) -> None:
    assert struct_dtype(Cell) == np.dtype([("alive", "?"), ("heat", "f4"), ("open", "?", (3,))], align=True)
    array = np.zeros(10, struct_dtype(Cell))
    array["alive"], array["heat"], array["open"] = MASK[0], np.linspace(0, 2, 10), MASK.reshape(-1)[:30].reshape(10, 3)
    packed = array.astype([("alive", "?"), ("heat", "f4"), ("open", "?", (3,))])
    cells = StructBuffer.from_numpy(packed, device)
    assert np.array_equal(cells.numpy(), array)
    alive: Any = cells["alive"]
    assert alive.dtype == bool and np.array_equal(alive.numpy(), MASK[0])
    spreads, open = Buffer.zeros(10, bool, device), Buffer.from_numpy(MASK.reshape(-1)[30:].reshape(10, 3), device)
    spread(cells, spreads, open)
    found = cells.numpy()
    assert np.array_equal(spreads.numpy(), MASK[0] & (array["open"][:, 0] | array["open"][:, 2]))
    assert np.array_equal(found["open"], open.numpy())
    assert np.array_equal(found["alive"], (array["heat"] > 1) & open.numpy()[:, 1])
    assert np.array_equal(found["heat"], array["heat"])


@kernel
def mark(x: Global[bool], y: GlobalMut[bool], value: bool, STEP: Spec[i32] = 1) -> None:
    i = global_id()
    if i % STEP == 0 and i < len(y):
        y[i] = x[i] != value


def test_graphs(device: Device) -> None:
    x, y = Buffer.from_numpy(MASK[0], device), Buffer.zeros(10, bool, device)
    with device.capture() as graph:
        y.fill(graph.parameter("start", False))
        mark.with_global_threads(10)(graph.parameter("x", x), y, graph.parameter("value", True), STEP=2)
    for start, row, value in ((False, 0, True), (True, 1, True), (True, 2, False)):
        graph.replay(start=start, x=Buffer.from_numpy(MASK[row], device), value=value)
        expected = np.full(10, start)
        expected[::2] = MASK[row, ::2] != value
        assert np.array_equal(y.numpy(), expected)


@one_vulkan_device
def test_autotuned_kernels_agree_on_masks(device: Device) -> None:
    """However much floats may differ, a truth value may not."""
    tuned = autotune([{"STEP": 1}, {"STEP": 1, "threads": 32}], rtol=0.5)(mark)
    x, y = Buffer.from_numpy(MASK[0], device), Buffer.zeros(10, bool, device)
    tuned.with_global_threads(10)(x, y, False)
    assert np.array_equal(y.numpy(), MASK[0])
