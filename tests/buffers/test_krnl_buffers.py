"""krnl's own tests of buffers (tests/integration_tests.rs), on every device, with more values than krnl tries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import krnlpy
from krnlpy import SCALAR_TYPES, Buffer, Device, Feature, MissingFeatures, ScalarType
from krnlpy.errors import LimitExceeded, ShapeError
from krnlpy.scalar import boolean, convert, f32, i32, u8, u32
from tests.conformance.exact_casts import cast_exactly

PAIRS = [(x, y) for x in SCALAR_TYPES for y in SCALAR_TYPES]
RING = list(zip(SCALAR_TYPES, [*SCALAR_TYPES[1:], SCALAR_TYPES[0]], strict=True))
"""Each type once on either side; tests/conformance/test_casts.py has all pairs."""


def values_of(dtype: ScalarType) -> np.ndarray[Any, Any]:
    """krnl's 10 ... 19, the ends of every type, and what lies beside them; for floats NaN and infinities too."""
    ends = [end for t in SCALAR_TYPES if t.is_integer for end in (t.min, t.max, t.max + 1, t.min - 1)]
    if dtype.is_float:
        floats = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-8, 6e-8, 65504.0, 65520.0, 3.4e38, np.nan, np.inf, -np.inf]
        return np.asarray(convert(np.array([*range(10, 20), *ends, *floats], np.float64), dtype))
    if dtype is boolean:
        return np.array([False, True, True, False, True])
    return np.array([*range(10, 20), *(n for n in ends if dtype.min <= n <= dtype.max)], dtype.dtype)


def lacks(device: Device, *types: ScalarType) -> bool:
    needed = {Feature.FLOAT64 if t.is_float else Feature.INT64 for t in types if t.size == 8}
    return not needed <= device.info.features


@pytest.mark.parametrize("length", [0, 1, 3, 4, 16, 345, 9_337_791])
def test_buffer_from_vec(device: Device, length: int) -> None:
    if length > 1_000_000 and device.info.backend == "interpreter":
        length = 100_000  # its memory is the host's
    array = np.arange(length, dtype=np.int32)
    assert np.array_equal(Buffer.from_numpy(array, device, copy=True).numpy(), array)


def test_device_buffer_too_large(device: Device) -> None:
    limit = device.info.max_buffer_bytes
    with pytest.raises(LimitExceeded, match=f"takes {limit // 4 * 4 + 4} bytes; .* allows {limit} a buffer"):
        Buffer.empty(limit // 4 + 1, u32, device)


def test_buffer_device_to_device(device: Device) -> None:
    array = np.arange(10_000, dtype=np.int32)
    others = [Device(i) for i in range(len(krnlpy.devices()))]
    for other in (Device.host(), Device.interpreter(), *others):
        there = Buffer.from_numpy(array, device, copy=True).to_device(other)
        assert there.device == other
        assert np.array_equal(there.to_device(Device.host()).numpy(), array)


@pytest.mark.parametrize("dtype", SCALAR_TYPES, ids=str)
def test_buffer_fill(device: Device, dtype: ScalarType) -> None:
    """Needs no features, where krnl needs those of narrow and wide integers."""
    for length in (0, 1, 3, 4, 16, 67, 157):
        buffer = Buffer.zeros(length, dtype, device)
        buffer.fill(1)
        assert np.array_equal(buffer.numpy(), np.ones(length, dtype.dtype))


@pytest.mark.parametrize(("x", "y"), [*RING, *((y, x) for x, y in RING)], ids=lambda t: str(t))
def test_buffer_cast(device: Device, x: ScalarType, y: ScalarType) -> None:
    array = values_of(x)
    source = Buffer.from_numpy(array, device, copy=True)
    if x is not y and lacks(device, x, y):
        with pytest.raises(MissingFeatures, match=f"cast_{x}_{y} needs"):
            source.cast(y)
        return
    got, expected = source.cast(y).numpy(), cast_exactly(array, y)
    assert got.dtype == y.dtype
    np.testing.assert_array_equal(got.astype(np.float64), expected.astype(np.float64))


@pytest.mark.parametrize(("x", "y"), PAIRS, ids=[f"{x}_{y}" for x, y in PAIRS])
def test_buffer_bitcast(x: ScalarType, y: ScalarType) -> None:
    bitcast_all_parts(Device.host(), x, y)


def test_buffer_bitcast_on_devices(device: Device) -> None:
    for x, y in ((u8, u32), (u32, u8), (f32, i32), (i32, f32)):
        bitcast_all_parts(device, x, y)


def bitcast_all_parts(device: Device, x: ScalarType, y: ScalarType) -> None:
    """All parts of 16 elements: as bytemuck's ``try_cast_slice``, but that an empty part can always be cast."""
    array = np.arange(16 * x.size, dtype=np.uint8).view(x.dtype)
    buffer = Buffer.from_numpy(array, device, copy=True)
    for first in range(17):
        for end in range(first, 17):
            part = buffer[first:end]
            fits = part.size == 0 or (first * x.size % y.size == 0 and part.nbytes % y.size == 0)
            if not fits:
                with pytest.raises(
                    ShapeError, match=f"bitcast of {x} to {y}: .* must be multiples of {y.size // x.size}"
                ):
                    part.bitcast(y)
                continue
            cast = part.bitcast(y)
            assert cast.dtype is y and cast.nbytes == part.nbytes and cast.memory is part.memory
    # The values of the longest parts: a download each.
    for first in range(0, 16, 4):
        expected = np.ascontiguousarray(array[first:]).view(np.uint8)
        if expected.nbytes % y.size == 0 and first * x.size % y.size == 0:
            assert np.array_equal(buffer[first:].bitcast(y).numpy().view(np.uint8), expected)


def test_a_bitcast_is_written_through(device: Device) -> None:
    """krnl's ``bitcast_mut``, which its scalar buffers have but nobody can call."""
    buffer = Buffer.zeros(4, u32, device)
    buffer.bitcast(u8)[4:8].fill(255)
    buffer.bitcast(f32)[2].fill(1.0)
    assert buffer.numpy().tolist() == [0, 0xFFFFFFFF, 0x3F800000, 0]


def test_copies_of_a_slice(device: Device) -> None:
    """krnl's ``copy_from_slice``: equal lengths, equal types; parts of one memory too."""
    buffer = Buffer.from_numpy(np.arange(10, dtype=np.int32), device, copy=True)
    buffer[:3].copy_from(buffer[5:8])
    assert buffer.numpy().tolist() == [5, 6, 7, 3, 4, 5, 6, 7, 8, 9]
    with pytest.raises(ShapeError, match=r"copy_from a buffer of shape \(2,\) to one of shape \(3,\)"):
        buffer[:3].copy_from(buffer[:2])
    with pytest.raises(krnlpy.DtypeError, match="copy_from a buffer of u32 to one of i32"):
        buffer.copy_from(buffer.bitcast(u32))


def test_slices_out_of_bounds(device: Device) -> None:
    """krnl's ``slice`` gives None; a slice here is cut off as Python's are, an index is an error."""
    buffer = Buffer.zeros(4, i32, device)
    assert buffer[2:9].shape == (2,) and buffer[7:9].shape == (0,)
    with pytest.raises(ShapeError, match="index 4 is out of range: axis 0 has length 4"):
        buffer[4]


def test_no_copies_but_where_asked(device: Device) -> None:
    """krnl's ``into_owned``, ``to_owned``, ``into_device`` and ``to_shared``."""
    buffer = Buffer.ones(4, f32, device)
    assert buffer.to_device(device) is buffer and buffer.contiguous() is buffer
    view, copied = buffer[...], buffer.copy()
    buffer.fill(2)
    assert view.numpy().tolist() == [2] * 4 and copied.numpy().tolist() == [1] * 4
    assert view.shares_memory(buffer) and not copied.shares_memory(buffer)
