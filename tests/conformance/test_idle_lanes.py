"""Groups that are no whole number of subgroups: the lanes left over take part in no loop, on no driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from krnlpy import Buffer, Device, Global, GlobalMut, f32, i32, kernel, u8, u32, vulkan
from krnlpy.dsl import atomic_max, barrier, barrier_any, group_array, thread_id, threads

SIZES = [12, 77]
"""Of groups: with lanes left over wherever subgroups have 8 and more."""


@pytest.fixture(params=["as found", "guarded"])
def device_of_any_driver(device: Device, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Device:
    """A device; also as if its driver kept such lanes in loops."""
    if request.param == "guarded":
        if device.info.kind in ("host", "interpreter"):
            pytest.skip("a defect of drivers")
        known = vulkan.VulkanBackend._known_defects
        monkeypatch.setattr(vulkan.VulkanBackend, "_known_defects", lambda self: replace(known(self), idle_lanes=True))
    return device


def with_barriers(enough: Global[i32], y: GlobalMut[u32, 2]) -> None:
    i = thread_id()
    round_of = group_array(i32, 1)
    for k in range(100):
        if i == 0:
            round_of[0] = k
        barrier()
        is_last = round_of[0] >= enough[3]
        barrier()
        if is_last:
            break
        y[i, 0] += u32(1)
    y[i, 1] = u32(i)
    more = True
    while more:
        barrier()
        y[i, 2] += u32(1)
        more = enough[i32(y[i, 2])] < 5
    while barrier_any(y[i, 3] < u32(i)):
        y[i, 3] += u32(1)
    y[i, 4] = u32(threads())


def without(enough: Global[i32], y: GlobalMut[u32, 2]) -> None:
    """The driver that has this defect ends loops after 65,535 passes, those of such lanes included."""
    i = thread_id()
    k = 0
    while True:
        if enough[k] >= 4:
            break
        k += 1
    y[i, 0] = u32(k)
    for k in range(1, 50, i32(1 + i % 3)):
        if enough[k] > 40:
            break
        y[i, 1] += u32(1)
    total = 0.0
    for k in range(200):
        total += f32(enough[k])
    y[i, 2] = u32(total)


@pytest.mark.parametrize("size", SIZES)
def test_loops_with_barriers(device_of_any_driver: Device, size: int) -> None:
    got = _run(device_of_any_driver, with_barriers, size)
    i = np.arange(size)
    np.testing.assert_array_equal(got, np.stack([0 * i + 3, i, 0 * i + 5, 0 * i + size - 1, 0 * i + size], axis=1))


@pytest.mark.parametrize("size", SIZES)
def test_loops_without(device_of_any_driver: Device, size: int) -> None:
    got = _run(device_of_any_driver, without, size)
    i = np.arange(size)
    counts = [len(range(1, 41, 1 + int(n) % 3)) for n in i]
    np.testing.assert_array_equal(got[:, :3], np.stack([0 * i + 4, counts, 0 * i + 19900], axis=1))


def test_atomics_that_try_again(device_of_any_driver: Device) -> None:
    """Atomics of bytes are loops where devices have none."""

    @kernel(threads=12)
    def greatest(y: GlobalMut[u8], z: GlobalMut[u8]) -> None:
        i = thread_id()
        atomic_max(y[i % 3], u8(20 * i))
        z[i] = u8(i)

    y, z = (Buffer.zeros(12, u8, device_of_any_driver) for _ in "yz")
    greatest.with_groups(1)(y, z)
    assert y.numpy()[:3].tolist() == [180, 200, 220]
    assert z.numpy().tolist() == list(range(12))


def _run(device: Device, function: Callable[..., None], size: int) -> np.ndarray:
    enough = Buffer.from_numpy(np.arange(200, dtype=np.int32), device)
    y = Buffer.zeros((size, 5), u32, device)
    kernel(threads=size)(function).with_groups(1)(enough, y)
    return y.numpy()
