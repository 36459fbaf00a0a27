"""Atomics do not race with each other, and race with what is none."""

from __future__ import annotations

import pytest

from krnlpy import Buffer, Device, Global, GlobalMut, Kernel, i32, kernel
from krnlpy.dsl import atomic_add, atomic_compare_exchange, global_id, group_array
from krnlpy.errors import KernelRaceError


def launch(name: Kernel, *buffers: Buffer) -> None:
    name.with_threads(4).with_groups(2)(*buffers)


@kernel
def counted(a: GlobalMut[i32], other: Global[i32]) -> None:
    g = group_array(i32, 2)
    atomic_add(g[1], other[0])
    atomic_add(a[0], atomic_compare_exchange(a[1], 5, 6) + other[0])


@kernel
def read_beside(a: GlobalMut[i32]) -> None:
    atomic_add(a[0], a[1] + 1)
    if global_id() == 3:
        a[2] = a[0]


@kernel
def written_for_an_atomic(a: GlobalMut[i32]) -> None:
    a[global_id()] = 1
    atomic_add(a[8], a[0])


def test_atomics_do_not_race_with_each_other() -> None:
    device = Device.interpreter()
    a = Buffer.zeros(3, i32, device)
    launch(counted, a, Buffer.ones(1, i32, device))
    assert a.numpy().tolist() == [8, 0, 0]


def test_a_plain_read_races_with_an_atomic() -> None:
    with pytest.raises(KernelRaceError, match=r"data race on element \(0,\) of a"):
        launch(read_beside, Buffer.zeros(3, i32, Device.interpreter()))


def test_an_operand_is_no_part_of_the_atomic() -> None:
    with pytest.raises(KernelRaceError, match=r"data race on element \(0,\) of a"):
        launch(written_for_an_atomic, Buffer.zeros(9, i32, Device.interpreter()))
