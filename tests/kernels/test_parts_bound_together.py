"""Numbers of a struct or vector share a binding: also where kernels reach only a part of their memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from krnlpy import Buffer, Device, ItemMut, LimitExceeded, StructBuffer, f32, kernel, u32
from krnlpy.dsl import FixedArray, Vector
from tests.support.devices import limit_reach

LIMIT = 1 << 16


@dataclass
class Wide:
    """A field begins some hundred bytes behind another: beyond what starts of bindings are rounded to."""

    first: f32
    rest: FixedArray[f32, 98]
    count: u32
    last: f32


@kernel
def change(x: ItemMut[Wide]) -> None:
    x.first += 1.0
    x.last += 2.0
    x.count += u32(3)
    x.rest[50] = x.first + x.last


@kernel
def turn(x: ItemMut[Vector[f32, 3]]) -> None:
    x = x.zxy


@pytest.fixture
def vulkan(device: Device) -> Device:
    """A device that binds parts of memories; the others' kernels reach whole ones or nothing."""
    if device.info.backend != "vulkan":
        pytest.skip("its kernels reach whole memories or nothing")
    return device


@pytest.mark.parametrize("count", [1, 7, 162, 1000])
def test_structs(count: int, vulkan: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_reach(vulkan, LIMIT, monkeypatch)
    structs = StructBuffer.zeros(count, Wide, vulkan)
    change(structs)
    found = structs.numpy()
    for name, value in (("first", 1), ("last", 2), ("count", 3)):
        np.testing.assert_array_equal(found[name], np.full(count, value))
    np.testing.assert_array_equal(found["rest"], np.full((count, 98), 3.0) * (np.arange(98) == 50))


@pytest.mark.parametrize("count", [5461, 5462, 20_000])
def test_vectors(count: int, vulkan: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_reach(vulkan, LIMIT, monkeypatch)
    array = np.arange(3 * count, dtype=np.float32).reshape(count, 3)
    vectors = Buffer.from_numpy(array, vulkan)
    turn(vectors)
    np.testing.assert_array_equal(vectors.numpy(), array[:, [2, 0, 1]])


def test_what_is_never_in_reach(vulkan: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    structs = StructBuffer.zeros(8, Wide, vulkan)
    limit_reach(vulkan, 256, monkeypatch)
    with pytest.raises(LimitExceeded, match="reach"):
        change(structs)
    np.testing.assert_array_equal(structs.numpy()["first"], np.zeros(8))
