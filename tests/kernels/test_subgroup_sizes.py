"""Kernels that require a subgroup size."""

from __future__ import annotations

import numpy as np
import pytest

from krnlpy import Buffer, Device, Global, GlobalMut, LaunchError, LimitExceeded, i32, kernel
from krnlpy.dsl import global_id, subgroup_add, subgroup_id, subgroup_thread_id, subgroup_threads


def body(x: Global[i32], y: GlobalMut[i32, 2]) -> None:
    i = global_id()
    y[0, i] = subgroup_threads()
    y[1, i] = subgroup_add(x[i])
    y[2, i] = subgroup_id() * subgroup_threads() + subgroup_thread_id()


def test_each_size_that_a_device_has(device: Device) -> None:
    assert device.info.subgroup_threads in device.info.subgroup_sizes
    for size in device.info.subgroup_sizes:
        x = np.arange(128, dtype=np.int32)
        y = Buffer.zeros((3, 128), i32, device=device)
        run = kernel(threads=64, subgroup_threads=size)(body).with_groups(2)
        run(Buffer.from_numpy(x, device=device), y)
        got = y.numpy()
        assert (got[0] == size).all()
        place = got[2] + np.repeat([0, 128], 64)
        for subgroup in np.unique(place // size):
            members = place // size == subgroup
            assert (got[1, members] == x[members].sum()).all()


def test_a_size_that_the_device_has_not(device: Device) -> None:
    missing = [n for n in (1, 2, 4, 8, 16, 32, 64, 128) if n not in device.info.subgroup_sizes]
    if not missing:
        pytest.skip("the device has every size")
    run = kernel(threads=64, subgroup_threads=missing[0])(body).with_groups(2)
    x, y = Buffer.zeros(128, i32, device=device), Buffer.zeros((3, 128), i32, device=device)
    with pytest.raises(LimitExceeded, match=f"requires subgroups of {missing[0]} threads; .* has them of "):
        run(x, y)


@pytest.mark.parametrize("size", [3, -1, 256, 8.0, True])
def test_what_is_no_size(size: int) -> None:
    with pytest.raises(LaunchError, match="a power of two up to 128"):
        kernel(subgroup_threads=size)(body)
