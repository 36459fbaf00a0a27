"""Buffers that are NumPy's memory, arrays that are a buffer's, and what is written into given arrays."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

from krnlpy import SCALAR_TYPES, Buffer, Device, Feature, Item, ItemMut, ScalarType, bf16, f32, i16, i32, kernel, u8
from krnlpy.errors import DtypeError, LaunchError, ShapeError, SharingError
from tests.support.devices import requires
from tests.support.kernels import accumulate, double
from tests.support.tiers import one_vulkan_device
from tests.support.typed import untyped

pytestmark = one_vulkan_device


@kernel
def add(x: Item[i16], y: ItemMut[i16]) -> None:
    y += x


@pytest.fixture
def sharing(device: Device) -> Device:
    """Each device that can use the process's memory."""
    requires(device, Feature.SHARED_HOST_MEMORY)
    return device


def test_a_kernel_works_in_the_array(sharing: Device) -> None:
    array = np.arange(5000, dtype=np.float32)
    buffer = Buffer.from_numpy(array, sharing, copy=False)
    assert (buffer.shape, buffer.dtype, buffer.device) == ((5000,), f32, sharing)
    double(buffer)
    sharing.wait()
    assert np.array_equal(array, np.arange(0, 10_000, 2))
    array[:] = 3
    double(buffer)
    assert np.array_equal(buffer.numpy(), np.full(5000, 6, np.float32))
    buffer[1000:2000].fill(7)
    buffer[:10].copy_from(buffer[1500:1510])
    sharing.wait()
    assert array[:10].tolist() == [7] * 10 and array[1500] == 7 and array[2500] == 6


@pytest.mark.parametrize("dtype", [u8, i16, bf16, i32], ids=str)
def test_parts_of_an_array_wherever_they_lie(sharing: Device, dtype: ScalarType) -> None:
    """Aligned to their elements and nothing more; what lies beside them stays as it is."""
    base = np.full(9000, 1, dtype.dtype)
    want = base.copy()
    for first, count in ((1, 1), (3, 7), (4090, 5), (5000, 3999)):
        buffer = Buffer.from_numpy(base[first : first + count], sharing, copy=False)
        buffer.fill(2)
        want[first : first + count] = 2
        assert np.array_equal(buffer.copy().numpy(), want[first : first + count])
    sharing.wait()
    assert np.array_equal(base, want)


def test_strides_are_kept(sharing: Device) -> None:
    array = np.arange(4 * 6 * 5, dtype=np.int16).reshape(4, 6, 5)
    want = array.copy()
    for key in ((slice(None, None, -1),), (slice(1, None), slice(5, None, -2), slice(0, 4, 3))):
        view, expected = array[key].T, want[key].T
        buffer = Buffer.from_numpy(view, sharing, copy=False)
        add(Buffer.from_numpy(np.ones(view.shape, np.int16), sharing), buffer)
        expected += 1
    sharing.wait()
    assert np.array_equal(array, want)


def test_buffers_of_one_array_wait_for_each_other(sharing: Device) -> None:
    """Each shares by itself, other parts of the array, which overlap: work is ordered by where the bytes are."""
    count, rounds = (2000, 2) if sharing.info.backend == "interpreter" else (300_000, 20)
    rest = count - 1000
    array = np.zeros(count, np.float32)
    whole, tail = Buffer.from_numpy(array, sharing, copy=False), Buffer.from_numpy(array[1000:], sharing, copy=False)
    assert whole.shares_memory(tail) and not whole[:1000].shares_memory(tail)
    for i in range(rounds):
        whole.fill(i)
        double(tail)
        double(whole[:1000])
        other = tail.copy()
        tail.fill(0)
        assert np.array_equal(other.numpy(), np.full(rest, 2 * i, np.float32))
        double(tail)
        assert not whole[1000:].numpy().any()
        double(tail)
        whole[1500:].copy_from(np.ones(count - 1500, np.float32))  # not before what is queued is done
        tail.fill(0)
    sharing.wait()
    assert (array[:1000] == 2 * rounds - 2).all() and not array[1000:].any()
    whole.fill(1)
    tail.fill(2)
    assert whole.numpy()[[0, 999, 1000, -1]].tolist() == [1, 1, 2, 2]
    array[:] = np.arange(count)
    tail.copy_from(whole[:-1000])
    assert np.array_equal(tail.numpy(), np.arange(rest))
    shifted = Buffer.from_numpy(array[1:1001], sharing, copy=False)
    accumulate(whole[:1000], Buffer.from_numpy(array[:1000], sharing, copy=False))  # the same elements: no matter
    with pytest.raises(LaunchError, match="y is written to and shares elements with x at other indices"):
        accumulate(whole[:1000], shifted)


def test_the_array_lives_as_long_as_the_device_uses_it(sharing: Device) -> None:
    array = np.zeros(100_000, np.float32)
    gone = weakref.ref(array)
    buffer = Buffer.from_numpy(array, sharing, copy=False)
    view = buffer[50_000:]
    view.fill(4)
    del array, buffer
    gc.collect()
    double(view)
    assert view[0].numpy() == 8 and gone() is not None
    double(view)
    del view
    gc.collect()
    sharing.wait()
    sharing.wait()  # what is found to be unused by the first is given back
    assert gone() is None


def test_what_cannot_be_shared(sharing: Device) -> None:
    readonly = np.zeros(4, np.float32)
    readonly.flags.writeable = False
    misaligned = np.zeros(17, np.uint8)[1:].view(np.float32)
    record = np.zeros(4, [("a", np.uint8), ("b", np.float32)])["b"]
    for array, reason in (
        (readonly, "it is read-only"),
        (np.broadcast_to(np.float32(1), 4), "it is read-only"),
        (misaligned, "its elements are not aligned"),
        (record, "its elements are not aligned"),
        (np.zeros(4, ">f4"), "its byte order is not the machine's"),
    ):
        with pytest.raises(SharingError, match=rf"an array of shape \(4,\) .* can't be shared: {reason}; copy=True"):
            Buffer.from_numpy(array, sharing, copy=False)
        assert np.array_equal(Buffer.from_numpy(array, sharing).numpy(), array)
    with pytest.raises(SharingError, match="a float32 is not a NumPy array"):
        Buffer.from_numpy(np.float32(1), sharing, copy=False)
    assert Buffer.from_numpy(np.zeros((0, 3)), sharing, copy=False).shape == (0, 3)


def test_devices_that_share_nothing(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.info.index is None:
        pytest.skip("shares memory")
    array = np.zeros(4, np.float32)
    if Feature.SHARED_HOST_MEMORY not in device.info.features:
        with pytest.raises(SharingError, match="can't use memory of the process; copy=True copies the array"):
            Buffer.from_numpy(array, device, copy=False)
    buffer = Buffer.from_numpy(array, device)
    array[:] = 1
    assert buffer.numpy().tolist() == [0] * 4


def test_copy_is_a_copy(device: Device) -> None:
    array = np.arange(4, dtype=np.float32)
    buffer = Buffer.from_numpy(array, device, copy=True)
    array[:] = 9
    assert buffer.numpy().tolist() == [0, 1, 2, 3]


def test_an_array_where_it_can_be(device: Device) -> None:
    """``numpy.asarray`` and ``numpy.array`` with each ``copy``."""
    buffer = Buffer.from_numpy(np.arange(4, dtype=np.float32), device, copy=True)
    copied = np.array(buffer, copy=True)
    buffer.fill(9)
    assert copied.tolist() == [0, 1, 2, 3]
    if device.info.index is None:
        shared = np.asarray(buffer, copy=False)
        buffer.fill(7)
        assert shared.tolist() == [7] * 4
        with pytest.raises(ValueError, match="the elements are of type f32; an array of int32 is a copy"):
            np.asarray(buffer, np.int32, copy=False)
    else:
        with pytest.raises(ValueError, match="always a copy"):
            np.asarray(buffer, copy=False)


def test_the_buffer_protocol(device: Device) -> None:
    buffer = Buffer.from_numpy(np.arange(6, dtype=np.int32).reshape(2, 3), device)
    view: Any = memoryview(untyped(buffer.numpy()))
    assert (view.shape, view.format, view.tolist()) == ((2, 3), "i", [[0, 1, 2], [3, 4, 5]])
    with pytest.raises(TypeError):  # with Python 3.12 too, where classes may offer it: one program, one meaning
        memoryview(untyped(buffer))


@pytest.mark.parametrize("dtype", SCALAR_TYPES, ids=str)
def test_into_a_given_array(device: Device, dtype: ScalarType) -> None:
    values = np.arange(24).reshape(4, 6).astype(dtype.dtype)
    buffer = Buffer.from_numpy(values, device, copy=True)
    out = np.zeros((4, 6), dtype.dtype)
    assert buffer.numpy(out) is out and np.array_equal(out, values)
    turned = np.zeros((6, 8), dtype.dtype)
    buffer.numpy(out=turned.T[::-2])
    assert np.array_equal(turned.T[::-2], values) and not turned.T[::2].any()
    buffer[::-1].transpose().numpy(out.reshape(6, 4))
    assert np.array_equal(out.reshape(6, 4), values[::-1].T)


def test_given_arrays_that_do_not_fit(device: Device) -> None:
    buffer = Buffer.zeros((2, 3), f32, device)
    with pytest.raises(ShapeError, match=r"copy_from a buffer of shape \(2, 3\) to one of shape \(3, 2\)"):
        buffer.numpy(np.zeros((3, 2), np.float32))
    with pytest.raises(DtypeError, match="copy_from a buffer of f32 to one of f64"):
        buffer.numpy(np.zeros((2, 3)))
    with pytest.raises(SharingError, match="read-only"):
        buffer.numpy(np.broadcast_to(np.float32(0), (2, 3)))
    assert Buffer.zeros(0, f32, device).numpy(np.zeros(0, np.float32)).size == 0


def test_from_any_array(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """What must be rearranged is so in pieces; arrays that are read are not written, nor need they be writable."""
    monkeypatch.setattr("krnlpy.buffers.arrays.PIECE_BYTES", 100)
    base = np.arange(7 * 8 * 9, dtype=np.int32).reshape(7, 8, 9)
    readonly = base.copy()
    readonly.flags.writeable = False
    buffer = Buffer.zeros((7, 8, 9), i32, device)
    for array in (base, base[::-1], base.T[::2].T, base.swapaxes(0, 1).swapaxes(0, 1), base.astype(">i4"), readonly):
        assert np.array_equal(Buffer.from_numpy(array, device, copy=True).numpy(), array)
        part = buffer[:, :, : array.shape[2]]
        part.fill(0)
        part.copy_from(array)
        assert np.array_equal(part.numpy(), array)
    for shape in ((), (1, 1000), (1000, 1), (3, 0, 5)):
        array = np.arange(int(np.prod(shape)), dtype=">i4").reshape(shape)
        assert np.array_equal(Buffer.from_numpy(array, device).numpy(), array)
    assert np.array_equal(base, readonly)


def test_pickles_and_copies(device: Device) -> None:
    """krnl's serde: all types, any shape, and what comes back is on the host."""
    for dtype in SCALAR_TYPES:
        values = np.arange(6).reshape(2, 3).astype(dtype.dtype)
        buffer = Buffer.from_numpy(values, device, copy=True)
        again = pickle.loads(pickle.dumps(buffer.transpose()))
        assert again.device == Device.host() and again.dtype is dtype and np.array_equal(again.numpy(), values.T)
        for copied in (copy.copy(buffer), copy.deepcopy({"a": buffer})["a"]):
            assert copied.device == device and not copied.shares_memory(buffer)
            assert np.array_equal(copied.numpy(), values)
    assert pickle.loads(pickle.dumps(Buffer.zeros((0, 2), f32, device))).shape == (0, 2)


def test_shares_memory(device: Device) -> None:
    buffer = Buffer.zeros((4, 6), f32, device)
    assert buffer.shares_memory(buffer.transpose()) and buffer[:, ::2].shares_memory(buffer[:, 2])
    assert not buffer[:, ::2].shares_memory(buffer[:, 1::2]) and not buffer[:2].shares_memory(buffer[2:])
    assert buffer[::-1].shares_memory(buffer[3]) and not buffer[:1:-1].shares_memory(buffer[:2])
    assert not buffer.shares_memory(Buffer.zeros((4, 6), f32, device)) and not buffer[:0].shares_memory(buffer)


def test_memory_stats(device: Device) -> None:
    before = device.memory_stats()
    buffer = Buffer.zeros(1 << 20, f32, device)
    other = buffer.copy()
    view = other[10:]
    stats = device.memory_stats()
    assert stats.in_use - before.in_use == 8 << 20
    assert stats.peak >= stats.in_use and stats.reserved >= stats.in_use
    del buffer, other
    assert device.memory_stats().in_use - before.in_use == 4 << 20
    del view
    after = device.memory_stats()
    assert after.in_use == before.in_use and after.peak == stats.peak
    array = np.zeros(1 << 20, np.float32)
    if Feature.SHARED_HOST_MEMORY in device.info.features:
        shared: Any = Buffer.from_numpy(array, device, copy=False)
        assert device.memory_stats().in_use == before.in_use and shared.size == 1 << 20
