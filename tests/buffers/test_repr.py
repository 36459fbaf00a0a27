"""Buffers as text: short, with values, and without downloading what is not shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, bf16, f32, i8, i32, u8
from krnlpy.errors import DeviceLost
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device


def test_small_buffers_are_shown_whole(device: Device) -> None:
    assert repr(Buffer.ones(2, f32, device)) == f"Buffer(f32, (2,), {device!r}, [1., 1.])"
    assert repr(Buffer.full((), 3, u8, device)) == f"Buffer(u8, (), {device!r}, 3)"
    assert repr(Buffer.ones(0, i8, device)) == f"Buffer(i8, (0,), {device!r})"
    assert repr(Buffer.full(2, 1.5, bf16, device)) == f"Buffer(bf16, (2,), {device!r}, [1.5, 1.5])"
    values = Buffer.from_numpy(np.arange(6, dtype=np.int32).reshape(2, 3), device)
    assert repr(values[::-1].transpose()).endswith(", [[3, 0],\n [4, 1],\n [5, 2]])")


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((1000,), "[  0,   1,   2, ..., 997, 998, 999]"),
        ((3, 400), "[[   0,    1,    2, ...,  397,  398,  399],"),
        ((400, 3), "[[   0,    1,    2],"),
        ((20, 20, 20), "[[[   0,    1, ...,   18,   19],"),
        ((2, 3, 4, 5, 6), "[[[[[  0, ...,   5],"),
        ((7, 15), "[[  0,   1,   2, ...,  12,  13,  14],"),
    ],
    ids=str,
)
def test_long_axes_are_cut(device: Device, shape: Any, text: str) -> None:
    values = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)
    for array in (values, values[::-1], values.T):
        buffer = Buffer.from_numpy(values, device)
        buffer = buffer if array is values else buffer[::-1] if array.shape == values.shape else buffer.transpose()
        if array.shape != buffer.shape or not np.array_equal(buffer.numpy(), array):
            continue
        edge = 3 if array.ndim <= 2 else 2 if array.ndim == 3 else 1
        numpys = np.array2string(array, separator=", ", threshold=0, edgeitems=edge)
        assert repr(buffer) == f"Buffer(i32, {array.shape}, {device!r}, {numpys})"
        if array is values:
            assert text in numpys


def test_little_is_downloaded(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    downloaded = 0
    download = type(device.backend).download

    def counted(backend: Any, memory: Any, offset: int, out: Any) -> None:
        nonlocal downloaded
        downloaded += out.nbytes
        download(backend, memory, offset, out)

    buffer = Buffer.zeros((2000, 3000), f32, device)
    buffer[-1, -1].fill(2)
    monkeypatch.setattr(type(device.backend), "download", counted)
    assert repr(buffer).endswith("0., 0., 2.]])")
    assert downloaded <= 36 * 4
    assert len(repr(buffer.transpose())) < 500 and downloaded <= 72 * 4


def test_a_lost_device_is_no_obstacle(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be told is: a debugger shows buffers while an exception is looked at."""
    if device.info.index is None:
        pytest.skip("is never lost")
    buffer = Buffer.zeros(3, i32, device)

    def lost(*_: Any) -> None:
        raise DeviceLost("gone")

    with monkeypatch.context() as patch:
        patch.setattr(type(device.backend), "download", lost)
        assert repr(buffer) == f"Buffer(i32, (3,), {device!r}: gone)"


def test_the_interpreter_still_knows_what_was_never_written() -> None:
    buffer = Buffer.empty(4, u8, Device.interpreter())
    repr(buffer)
    assert not buffer.memory.is_written(0, 4)
