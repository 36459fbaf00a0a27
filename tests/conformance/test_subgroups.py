"""Operations of subgroups, of each type, over whole and partial subgroups, in divergent control flow.

Which threads make a subgroup is the device's choice: kernels say it, and what is expected is computed from that. Each
test runs with the device's own operations, and with none of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import dsl
from krnlpy.dsl import (
    barrier,
    group_array,
    group_id,
    groups,
    subgroup_add,
    subgroup_all,
    subgroup_all_equal,
    subgroup_any,
    subgroup_ballot,
    subgroup_ballot_bit_count,
    subgroup_ballot_bit_extract,
    subgroup_ballot_exclusive_bit_count,
    subgroup_ballot_find_lsb,
    subgroup_ballot_find_msb,
    subgroup_ballot_inclusive_bit_count,
    subgroup_barrier,
    subgroup_broadcast,
    subgroup_broadcast_first,
    subgroup_elect,
    subgroup_exclusive_add,
    subgroup_id,
    subgroup_inverse_ballot,
    subgroup_quad_broadcast,
    subgroup_shuffle,
    subgroup_shuffle_down,
    subgroup_shuffle_xor,
    subgroup_thread_id,
    subgroup_threads,
    subgroups,
    thread_id,
    threads,
    vec3,
)
from krnlpy.dsl.frontend import func
from krnlpy.dsl.types import Global, GlobalMut, Out
from krnlpy.features import Feature
from krnlpy.scalar import ScalarType, bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64

from .launcher import Launcher
from .subgroup_reference import SOURCES, Threads
from .values import assert_same

T = TypeVar("T")

INTEGERS = (u8, i8, u16, i16, u32, i32, u64, i64)
NUMBERS = (*INTEGERS, f32, f64, f16, bf16)
GEOMETRIES = {
    "full": ((16, 1, 1), (3, 1, 1)),
    "partial": ((13, 1, 1), (2, 1, 1)),
    "three-dimensional": ((5, 3, 2), (2, 1, 2)),
}


@pytest.fixture(params=["native", "shuffles", "memory"])
def subgroups_of(request: pytest.FixtureRequest, launch: Launcher, monkeypatch: pytest.MonkeyPatch) -> Launcher:
    """Launches kernels with the device's operations of subgroups, and as on devices that have few, or the basic ones."""
    info = launch.backend.info
    if request.param != "native":
        if info.backend != "vulkan":
            pytest.skip("has all operations")
        lacks = {f for f in Feature if f.startswith("subgroup")} - {Feature.SUBGROUP_BASIC}
        if request.param == "shuffles":
            lacks -= {Feature.SUBGROUP_SHUFFLE, Feature.SUBGROUP_BALLOT, Feature.SUBGROUP_EXTENDED_TYPES}
        poor = dataclasses.replace(info, features=info.features - lacks)
        monkeypatch.setattr(launch.backend._device, "info", poor)  # type: ignore[attr-defined]
    return launch


@func
def linear():
    """The thread's number in the dispatch: groups one after another."""
    t = (thread_id(2) * threads(1) + thread_id(1)) * threads(0) + thread_id(0)
    g = (group_id(2) * groups(1) + group_id(1)) * groups(0) + group_id(0)
    return g * (threads(0) * threads(1) * threads(2)) + t


def layout(launch: Launcher, geometry: str) -> tuple[Any, Any]:
    """A number for each thread's subgroup, and its lane."""

    def kernel(ids: Out[i32, 2]):
        ids[linear(), 0] = subgroup_id()
        ids[linear(), 1] = subgroup_thread_id()
        ids[linear(), 2] = subgroups()
        ids[linear(), 3] = subgroup_threads()

    size, count = GEOMETRIES[geometry]
    total = int(np.prod(size))
    (ids,) = launch(kernel, np.zeros((total * int(np.prod(count)), 4), np.int32), threads=size, groups=count)
    width = int(ids[0, 3])
    assert (ids[:, 3] == width).all()
    assert (ids[:, 2] == -(-total // width)).all()
    assert ((0 <= ids[:, 1]) & (ids[:, 1] < width)).all()
    assert ((0 <= ids[:, 0]) & (ids[:, 0] < ids[:, 2])).all()
    number = np.arange(len(ids)) // total * total + ids[:, 0]
    if len(np.unique(number * width + ids[:, 1])) != len(ids):  # seen in Mesa 22
        pytest.skip("the driver gives several subgroups of a group of this shape one id")
    return number, ids[:, 1]


def values(type: ScalarType, count: int, op: str = "add") -> Any:
    """Values of a type of which no sum or product of some is rounded."""
    rng = np.random.default_rng(3)
    if type.is_integer:
        return rng.integers(type.min, type.max, count, type.dtype, endpoint=True)
    if op == "mul":
        return rng.choice([0.5, 1, 2, -1], count).astype(type.dtype)
    return rng.integers(-8, 8, count).astype(type.dtype)


@pytest.fixture(params=GEOMETRIES)
def geometry(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("flow", ["uniform", "branch", "loop"])
@pytest.mark.parametrize("op", ["add", "mul", "min", "max", "and", "or", "xor"])
def test_arithmetic(subgroups_of: Launcher, op: str, flow: str) -> None:
    launch = subgroups_of
    reduce_, inclusive, exclusive, clustered = (
        getattr(dsl, f"subgroup_{kind}{op}") for kind in ("", "inclusive_", "exclusive_", "clustered_")
    )

    def uniform(x: Global[T], take: Global[i32], y: GlobalMut[T, 2]):
        i = linear()
        y[0, i] = reduce_(x[i])
        y[1, i] = inclusive(x[i])
        y[2, i] = exclusive(x[i])
        y[3, i] = clustered(x[i], 2)
        y[4, i] = clustered(x[i], 128)

    def branch(x: Global[T], take: Global[i32], y: GlobalMut[T, 2]):
        i = linear()
        if take[i] > 0:
            y[0, i] = reduce_(x[i])
            y[1, i] = inclusive(x[i])
            y[2, i] = exclusive(x[i])
            y[3, i] = clustered(x[i], 2)
            y[4, i] = clustered(x[i], 128)

    def loop(x: Global[T], take: Global[i32], y: GlobalMut[T, 2]):
        i = linear()
        for k in range(take[i]):
            y[0, i] = reduce_(x[i])
            y[1, i] = inclusive(x[i])
            if k == 1:
                break
            y[2, i] = exclusive(x[i])
            y[3, i] = clustered(x[i], 2)
            y[4, i] = clustered(x[i], 128)

    for geometry in ["full"] if flow == "branch" else ["partial"] if flow == "loop" else ["three-dimensional"]:
        number, lane = layout(launch, geometry)
        count = len(lane)
        take = np.random.default_rng(5).integers(0, 4, count, np.int32)
        passes = [np.ones(count, bool)] if flow == "uniform" else [take > 0]
        if flow == "loop":
            passes.append(take > 1)
        for type in INTEGERS if op in ("and", "or", "xor") else NUMBERS:
            if type.size == 8 and (Feature.FLOAT64 if type is f64 else Feature.INT64) not in launch.backend.info.features:
                continue
            x = values(type, count, op)
            wide = x.astype(type.compute.dtype)
            want = np.zeros((5, count), wide.dtype)
            for turn, active in enumerate(passes):
                threads_ = Threads(number, lane, active)
                want[0] = threads_.reduce(op, wide, want[0])
                want[1] = threads_.scan(op, "inclusive", wide, want[1])
                if turn:
                    break
                want[2] = threads_.scan(op, "exclusive", wide, want[2])
                want[3] = threads_.reduce(op, wide, want[3], 2)
                want[4] = threads_.reduce(op, wide, want[4])
            size, groups_ = GEOMETRIES[geometry]
            kernel = {"uniform": uniform, "branch": branch, "loop": loop}[flow]
            y = np.zeros((5, count), type.dtype)
            got = launch(kernel, x, take, y, threads=size, groups=groups_)[2]
            for row, (g, w) in enumerate(zip(got, want, strict=True)):
                assert_same(g + type.dtype.type(0), w.astype(type.dtype) + type.dtype.type(0)), (geometry, type, row)
