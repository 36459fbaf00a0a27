"""Kernels that are built apart from launching, and how what is built is called."""

from __future__ import annotations

import logging
from typing import TypeVar

import numpy as np
import pytest

from krnlpy import Buffer, Device, GlobalMut, ItemMut, LaunchError, Spec, f32, hooks, i32, kernel
from krnlpy.dsl import global_id

T = TypeVar("T", i32, f32)


@kernel
def scale(x: ItemMut[f32], BY: Spec[i32] = 2) -> None:
    x *= f32(BY)


def test_prepared(device: Device) -> None:
    """Everything is built, nothing is launched; the launch builds nothing."""

    @kernel(threads=8)
    def fill(value: f32, x: GlobalMut[f32]) -> None:
        x[global_id()] = value

    x = Buffer.zeros(8, f32, device)
    fill.prepare(3.0, x=x)  # how many groups there will be need not be known
    scale.prepare(x, BY=5)
    scale.prepare(x[::2], BY=5)
    assert x.numpy().tolist() == [0] * 8
    with hooks.on_compile(lambda _: pytest.fail("built by a launch")):
        fill.with_global_threads(8)(3.0, x)
        scale(x, BY=5)
        scale.specialize(BY=5)(x[::2])
    np.testing.assert_array_equal(x.numpy(), [75, 15] * 4)


def test_preparing_checks_arguments(device: Device) -> None:
    with pytest.raises(LaunchError, match="missing: x"):
        scale.prepare(BY=3)
    with pytest.raises(LaunchError, match="no parameter z"):
        scale.prepare(Buffer.zeros(8, f32, device), z=1)


def test_names_tell_the_constants(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    @kernel(threads=8)
    def shift(x: ItemMut[T], N: Spec[i32] = 1) -> None:
        x += T(N)

    assert repr(shift) == "<kernel shift(x, N)>"
    assert repr(shift.specialize(N=7)) == "<kernel shift[N=7](x, N)>"
    x = Buffer.zeros(8, f32, device)
    with caplog.at_level(logging.INFO, "krnlpy"), device.profile() as profile:
        shift(x)
        shift(x, N=7)
    assert sorted(row.name for row in profile.records) == ["shift_f32", "shift_f32[N=7]"]
    assert "built shift_f32[N=7]" in caplog.text
