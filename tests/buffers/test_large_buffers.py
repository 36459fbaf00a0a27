"""Buffers of which kernels reach a part at a time: with limits lowered, and larger than this device's real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import krnlpy.views.layout
import krnlpy.views.view
from krnlpy import (
    Buffer,
    Device,
    Global,
    GlobalMut,
    ItemMut,
    StructBuffer,
    bf16,
    f32,
    func,
    i32,
    i64,
    kernel,
    struct_dtype,
    u8,
    u16,
)
from krnlpy.dsl import item_id
from krnlpy.errors import LaunchError, LimitExceeded, ShapeError
from tests.support.devices import limit_reach
from tests.support.kernels import accumulate

LIMIT = 4096


@kernel
def look_up(table: Global[f32, 1], more: f32, y: ItemMut[f32]) -> None:
    y = more
    for i in range(3):
        y += table[i]


@func
def place() -> i32:
    return item_id()


@kernel
def number(y: ItemMut[f32]) -> None:
    y = f32(place())


@dataclass
class Particle:
    place: f32
    step: i32


@kernel
def move(particle: ItemMut[Particle], seconds: f32) -> None:
    particle.place += seconds * f32(particle.step)
    particle.step += 1


@kernel
def add_one(x: ItemMut[u8]) -> None:
    x += 1


@kernel
def first_and_last(x: Global[u16, 2], out: GlobalMut[u16, 1]) -> None:
    out[0] = x[0, 0]
    out[1] = x[x.shape[0] - 1, x.shape[1] - 1]


@pytest.fixture
def limited(device: Device, monkeypatch: pytest.MonkeyPatch) -> Device:
    limit_reach(device, LIMIT, monkeypatch)
    return device


def test_kernels_work_on_slices(limited: Device) -> None:
    values = np.arange(10_000, dtype=np.float32)
    x, y = Buffer.from_numpy(values, limited, copy=True), Buffer.zeros(10_000, f32, limited)
    assert not x.can_be_indexed and x[3:900].can_be_indexed and x[9100:].can_be_indexed
    for first, end in ((0, 900), (900, 1001), (9101, 10_000)):
        accumulate(x[first:end], y[first:end])
    accumulate(x[::-1][:900], y[::-1][:900])
    expected = np.zeros(10_000, np.float32)
    expected[:1001], expected[9101:] = values[:1001], values[9101:]
    expected[9100:] += values[9100:]
    assert np.array_equal(y.numpy(), expected)


def test_items_of_any_size(limited: Device) -> None:
    values = np.arange(10_000, dtype=np.float32)
    x, y = Buffer.from_numpy(values, limited, copy=True), Buffer.zeros(10_000, f32, limited)
    accumulate.prepare(x, y)
    assert not y.numpy().any()
    accumulate(x, y)
    accumulate.with_groups(1)(x[::-1], y)
    assert np.array_equal(y.numpy(), values + values[::-1])
    square = y.reshape((100, 100))
    accumulate(square.transpose(), square[::-1].copy())
    accumulate(x.reshape((100, 100)).transpose(), square)  # the parts of one are not those of the other
    assert np.array_equal(square.numpy(), (values + values[::-1]).reshape(100, 100) + values.reshape(100, 100).T)
    accumulate(x[:100].broadcast_to((100, 100)), square)
    accumulate(x[::100], y[:100])


def test_narrow_items_of_any_size(limited: Device) -> None:
    buffer = Buffer.zeros(9001, u8, limited)
    for _ in range(3):
        add_one(buffer)
    assert (buffer.numpy() == 3).all()


def test_more_items_than_kernels_count(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(krnlpy.views.layout, "MAX_INDEX", 1000)
    # Layouts that are known stay as they are.
    monkeypatch.setattr(krnlpy.views.view, "layout_of", krnlpy.views.layout.layout_of.__wrapped__)
    x, y = Buffer.ones(1, f32, device).broadcast_to((37, 81)), Buffer.zeros((37, 81), f32, device)
    assert not x.can_be_indexed and not y.can_be_indexed and y[:, :20].can_be_indexed
    accumulate(x, y)
    accumulate(x, y.reshape((81, 37)).transpose())
    assert (y.numpy() == 2).all()


def test_structs_of_any_size(limited: Device) -> None:
    """The fields lie among each other: a part takes all fields of its items."""
    before = np.zeros(3000, struct_dtype(Particle))
    before["place"], before["step"] = np.arange(3000), np.arange(3000) % 7
    particles = StructBuffer.from_numpy(before, limited)
    move(particles, 0.5)
    move(particles, 0.5)
    after = particles.numpy()
    # steps * 0.5 + (steps + 1) * 0.5: halves, which f32 holds
    assert np.array_equal(after["place"], before["place"] + before["step"] + 0.5)
    assert np.array_equal(after["step"], before["step"] + 2)


def test_views_of_any_size(limited: Device) -> None:
    random = np.random.default_rng(0)
    for _ in range(60):
        values = random.integers(0, 100, random.integers(1, 40, random.integers(1, 4))).astype(np.float32)
        axes = [int(axis) for axis in random.permutation(values.ndim)]
        key = tuple(slice(None, None, int(step)) for step in random.choice([1, -1, 2, -2], values.ndim))
        x = Buffer.from_numpy(values, limited, copy=True).transpose(*axes)[key]
        y = Buffer.ones(x.shape, f32, limited)
        accumulate(x, y)
        assert np.array_equal(y.numpy(), values.transpose(axes)[key] + 1)


def test_parts_with_tables_and_numbers(limited: Device) -> None:
    """What is no item is the same in each part."""
    table = np.array([5, 7, 11], np.float32)
    y = Buffer.zeros(5000, f32, limited)
    look_up(Buffer.from_numpy(table, limited), 0.5, y)
    assert (y.numpy() == table.sum() + 0.5).all()


def test_parts_in_a_graph(limited: Device) -> None:
    x, y = Buffer.ones(5000, f32, limited), Buffer.zeros(5000, f32, limited)
    with limited.capture() as graph:
        accumulate(x, y)
    before = y.numpy().copy()
    for _ in range(3):
        graph.replay()
    assert (y.numpy() - before == 3).all()


def test_a_wrong_launch_of_parts_does_nothing(limited: Device) -> None:
    x, y = Buffer.ones(10_000, f32, limited), Buffer.zeros(10_000, f32, limited)
    with pytest.raises(ShapeError, match=r"accumulate: items have unequal shapes: x \(9999,\), y \(10000,\)"):
        accumulate(x[1:], y)
    with pytest.raises(LaunchError, match="y is written to and shares elements with x at other indices"):
        accumulate(y[1:], y[:-1])  # in no half do they meet but where the halves do
    with pytest.raises(LaunchError, match="look_up: more is f32; got '1'"):
        look_up(x[:3], "1", y)
    assert not y.numpy().any()


def test_what_has_no_parts(limited: Device) -> None:
    x, y = Buffer.zeros(10_000, f32, limited), Buffer.zeros(10_000, f32, limited)
    far = r"has 10000 elements in 40000 bytes of memory; .* reach 4096 bytes of a buffer on .*\. "
    with pytest.raises(LimitExceeded, match=f"look_up: table {far}It is no Item: launch on slices"):
        look_up(x, 1.0, y[:10])
    with pytest.raises(LimitExceeded, match=f"number: y {far}The kernel asks for ids, which parts would change"):
        number(y)
    for whole in (y, y.reshape((100, 100)).transpose()):
        assert whole.copy().shape == whole.shape


def test_globals_of_a_part(limited: Device) -> None:
    values = np.arange(20_000, dtype=np.uint16).reshape(100, 200)
    x, out = Buffer.from_numpy(values, limited, copy=True), Buffer.zeros(2, u16, limited)
    for key in ((slice(0, 10),), (slice(95, 100), slice(3, 150)), (slice(50, 40, -1), slice(199, 100, -7))):
        first_and_last.with_threads(1).with_groups(1)(x[key], out)
        assert out.numpy().tolist() == [values[key][0, 0], values[key][-1, -1]]


def test_narrow_elements_beside_each_other(limited: Device) -> None:
    buffer = Buffer.zeros(9001, u8, limited)
    for first in range(0, 9001, 1001):
        add_one(buffer[first : first + 1001])
    assert (buffer.numpy() == 1).all()


@pytest.mark.parametrize("dtype", [u8, bf16, f32, i64], ids=str)
def test_transfers_fills_and_casts_of_any_size(limited: Device, dtype: Any) -> None:
    values = (np.arange(7 * 300 * 11) % 100).astype(dtype.dtype).reshape(7, 300, 11)
    buffer = Buffer.from_numpy(values, limited, copy=True)
    assert np.array_equal(buffer.numpy(), values) and np.array_equal(buffer.copy().numpy(), values)
    turned = buffer.transpose()
    assert np.array_equal(turned.copy().numpy(), values.T)
    assert np.array_equal(buffer[::-1, ::2].copy().numpy(), values[::-1, ::2])
    buffer[:, ::3].fill(5)
    values[:, ::3] = 5
    assert np.array_equal(turned.numpy(), values.T)
    if dtype is not i64:
        assert np.array_equal(turned.cast(u16).numpy(), values.T.astype(np.uint16))
        assert np.array_equal(buffer.cast(f32).numpy(), values.astype(np.float32))


def test_hazards_between_a_part_and_the_whole(limited: Device) -> None:
    """A part has the whole's last use: what is uploaded waits for kernels, and what is downloaded for what they did."""
    whole, one = Buffer.zeros(5000, f32, limited), Buffer.ones(900, f32, limited)
    for i in range(30):
        accumulate(one, whole[4100:])
        whole[4500:].fill(i)
        accumulate(one, whole[4100:])
        whole[4999:].copy_from(np.full(1, 99, np.float32))
    assert whole.numpy()[[0, 4100, 4499, 4500, 4998, 4999]].tolist() == [0, 60, 60, 30, 30, 99]


def test_larger_than_the_devices_own_limit(device: Device) -> None:
    """Nothing is lowered here: lavapipe's kernels reach 128 MiB of a buffer."""
    info = device.info
    nbytes = info.max_binding_bytes + (1 << 20)
    if nbytes > min(info.max_buffer_bytes, 160 << 20):
        pytest.skip(f"kernels reach {info.max_binding_bytes} bytes here")
    x = Buffer.zeros(nbytes, u8, device)
    tail = x[info.max_binding_bytes - 10 :]
    add_one(tail)
    x[-1].fill(9)
    assert x[:20].numpy().tolist() == [0] * 20
    assert x[info.max_binding_bytes - 12 :][:4].numpy().tolist() == [0, 0, 1, 1] and x[-2:].numpy().tolist() == [1, 9]
    add_one(x)
    assert x[info.max_binding_bytes - 12 :][:4].numpy().tolist() == [1, 1, 2, 2] and x[-2:].numpy().tolist() == [2, 10]
    assert x[:: info.max_binding_bytes // 2].numpy().tolist() == [1, 1, 2]
