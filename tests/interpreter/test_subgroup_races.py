"""What barriers of subgroups order, and what unchecked kernels must not read."""

from __future__ import annotations

import numpy as np
import pytest

from krnlpy.dsl import subgroup_barrier, subgroup_shuffle_down, thread_id
from krnlpy.dsl.types.annotations import GlobalMut, Out
from krnlpy.errors import KernelError, KernelRaceError
from krnlpy.scalar import i32
from tests.support.launching import Launcher


def test_a_barrier_of_a_subgroup_orders_its_threads(launch: Launcher) -> None:
    def ordered(y: GlobalMut[i32], out: Out[i32]) -> None:
        t = thread_id()
        y[t] = t
        subgroup_barrier()
        out[t] = y[t ^ 1]

    def unordered(y: GlobalMut[i32], out: Out[i32]) -> None:
        t = thread_id()
        y[t] = t
        subgroup_barrier()
        out[t] = y[t ^ 8]  # of another subgroup

    def too_late(y: GlobalMut[i32], out: Out[i32]) -> None:
        t = thread_id()
        subgroup_barrier()
        y[t] = t
        out[t] = y[t ^ 1]

    y, out = np.zeros(16, np.int32), np.zeros(16, np.int32)
    got = launch(ordered, y, out, threads=(16, 1, 1), groups=(1, 1, 1))[1]
    assert (got == np.arange(16) ^ 1).all()
    for kernel in (unordered, too_late):
        with pytest.raises(KernelRaceError, match="data race"):
            launch(kernel, y, out, threads=(16, 1, 1), groups=(1, 1, 1))


def test_an_unchecked_kernel_reads_from_a_lane_that_is_not_active(launch: Launcher) -> None:
    def kernel(out: Out[i32]) -> None:
        out[thread_id()] = subgroup_shuffle_down(thread_id() + 1, 1)

    out = np.zeros(8, np.int32)
    assert launch(kernel, out, threads=(8, 1, 1), groups=(1, 1, 1))[0].tolist() == [2, 3, 4, 5, 6, 7, 8, 0]
    with pytest.raises(KernelError, match="subgroup_shuffle_down reads from a lane of which the thread is not active"):
        launch(kernel, out, threads=(8, 1, 1), groups=(1, 1, 1), unchecked=True)
