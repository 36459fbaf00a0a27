"""Operations of subgroups, of each type, over whole and partial subgroups, in divergent control flow.

Which threads make a subgroup is the device's choice: kernels say it, and what is expected is computed from that. Each
test runs with the device's own operations, and with none of them.
"""

from __future__ import annotations

import dataclasses
import itertools
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
    subgroup_id,
    subgroup_inverse_ballot,
    subgroup_shuffle_xor,
    subgroup_thread_id,
    subgroup_threads,
    subgroups,
    thread_id,
    threads,
    vec3,
)
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, Out
from krnlpy.features import Feature
from krnlpy.scalar import ScalarType, bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64
from tests.support.launching import Launcher
from tests.support.tiers import sampled

from .subgroup_reference import Threads
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
    """Launches kernels with the device's operations of subgroups, and as on devices that have few, or basic ones."""
    info = launch.backend.info
    if request.param != "native":
        if info.backend != "vulkan":
            pytest.skip("has all operations")
        lacks = {f for f in Feature if f.startswith("subgroup")} - {Feature.SUBGROUP_BASIC}
        if request.param == "shuffles":
            lacks -= {Feature.SUBGROUP_SHUFFLE, Feature.SUBGROUP_BALLOT, Feature.SUBGROUP_EXTENDED_TYPES}
        poor = dataclasses.replace(info, features=info.features - lacks)
        backend: Any = launch.backend
        monkeypatch.setattr(backend._device, "info", poor)
    return launch


@func
def linear():
    """The thread's number in the dispatch: groups one after another."""
    t = (thread_id(2) * threads(1) + thread_id(1)) * threads(0) + thread_id(0)
    g = (group_id(2) * groups(1) + group_id(1)) * groups(0) + group_id(0)
    return g * (threads(0) * threads(1) * threads(2)) + t


def layout(launch: Launcher, geometry: str) -> tuple[Any, Any]:
    """A number for each thread's subgroup, and its lane."""

    def kernel(ids: Out[i32, 2]) -> None:
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
    assert ((ids[:, 1] >= 0) & (ids[:, 1] < width)).all()
    assert ((ids[:, 0] >= 0) & (ids[:, 0] < ids[:, 2])).all()
    number = np.arange(len(ids)) // total * total + ids[:, 0]
    assert len(np.unique(number * width + ids[:, 1])) == len(ids)
    return number, ids[:, 1]


def values(type: ScalarType, count: int, op: str = "add") -> Any:
    """Values of a type of which no sum or product of some is rounded."""
    rng = np.random.default_rng(3)
    if type.is_integer:
        return rng.integers(type.min, type.max, count, type.dtype, endpoint=True)
    if op == "mul":
        return rng.choice([0.5, 1, 2, -1], count).astype(type.dtype)
    return rng.integers(-8, 8, count).astype(type.dtype)


def lacks(launch: Launcher, type: ScalarType) -> bool:
    """Whether a device cannot compute with a type."""
    needed = Feature.FLOAT64 if type is f64 else Feature.INT64
    return type.size == 8 and needed not in launch.backend.info.features


# Each is compiled for each type. A case has a part of these; the cases of every change have all, of some operation.
FLOWS = itertools.product(["add", "mul", "min", "max", "and", "or", "xor"], ["uniform", "branch", "loop"], range(3))


@pytest.mark.parametrize(("op", "flow", "third"), sampled(list(FLOWS), 8))
def test_arithmetic(subgroups_of: Launcher, op: str, flow: str, third: int) -> None:
    launch = subgroups_of
    reduce_, inclusive, exclusive, clustered = (
        getattr(dsl, f"subgroup_{kind}{op}") for kind in ("", "inclusive_", "exclusive_", "clustered_")
    )

    def uniform(x: Global[T], take: Global[i32], y: GlobalMut[T, 2]) -> None:
        i = linear()
        y[0, i] = reduce_(x[i])
        y[1, i] = inclusive(x[i])
        y[2, i] = exclusive(x[i])
        y[3, i] = clustered(x[i], 2)
        y[4, i] = clustered(x[i], 128)

    def branch(x: Global[T], take: Global[i32], y: GlobalMut[T, 2]) -> None:
        i = linear()
        if take[i] > 0:
            y[0, i] = reduce_(x[i])
            y[1, i] = inclusive(x[i])
            y[2, i] = exclusive(x[i])
            y[3, i] = clustered(x[i], 2)
            y[4, i] = clustered(x[i], 128)

    def loop(x: Global[T], take: Global[i32], y: GlobalMut[T, 2]) -> None:
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
        for type in (INTEGERS if op in ("and", "or", "xor") else NUMBERS)[third::3]:
            if (
                type.size == 8
                and (Feature.FLOAT64 if type is f64 else Feature.INT64) not in launch.backend.info.features
            ):
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
                assert_same(g + type.dtype.type(0), w.astype(type.dtype) + type.dtype.type(0), np.full(count, row))


# Pairs of an operation and what moves values: lanes within the subgroup, at its ends, and outside.
MOVES: dict[str, tuple[int, ...]] = {
    "shuffle_up": (0, 1, 3, 200),
    "shuffle_down": (0, 1, 3, 200),
    "shuffle_xor": (0, 1, 2, 64),
    "broadcast": (0, 1, 3, 100),
    "quad_broadcast": (0, 1, 2, 3),
}
MOVED = (u8, i16, i32, f32, u64, f64, bf16)


CONSTANT_MOVES = itertools.product(
    [*MOVES, "quad_swap_horizontal", "quad_swap_vertical", "quad_swap_diagonal"], ["partial", "full"], range(2)
)


@pytest.mark.parametrize(("op", "geometry", "half"), sampled(list(CONSTANT_MOVES), 3))
def test_moves_by_constants(subgroups_of: Launcher, op: str, geometry: str, half: int) -> None:
    launch = subgroups_of
    move = getattr(dsl, f"subgroup_{op}")
    a, b, c, d = MOVES.get(op, (0, 0, 0, 0))
    swaps = op not in MOVES

    def kernel(x: Global[T], take: Global[i32], y: GlobalMut[T, 2]) -> None:
        i = linear()
        if swaps:
            y[0, i] = move(x[i])
        else:
            y[0, i] = move(x[i], a)
            y[1, i] = move(x[i], b)
            y[2, i] = move(x[i], c)
        if take[i] > 0:
            y[3, i] = move(x[i]) if swaps else move(x[i], d)

    number, lane = layout(launch, geometry)
    take = np.random.default_rng(6).integers(0, 2, len(lane), np.int32)
    for type in MOVED[half::2]:
        if lacks(launch, type):
            continue
        x = values(type, len(lane))
        nothing = np.zeros_like(x)
        everybody, some = Threads(number, lane), Threads(number, lane, take > 0)
        want = [everybody.move(op, x, [n] * len(x), nothing) for n in ((a,) if swaps else (a, b, c))]
        want += [nothing] * (3 - len(want)) + [some.move(op, x, [d] * len(x), nothing)]
        size, groups_ = GEOMETRIES[geometry]
        got = launch(kernel, x, take, np.zeros((4, len(x)), type.dtype), threads=size, groups=groups_)[2]
        assert_same(got, np.stack(want))


CHOSEN_MOVES = list(itertools.product(["shuffle", "shuffle_up", "shuffle_down", "shuffle_xor"], range(4)))


@pytest.mark.parametrize(("op", "quarter"), sampled(CHOSEN_MOVES, 5))
def test_unchecked_moves_ask_for_lanes_that_exist(subgroups_of: Launcher, op: str, quarter: int) -> None:
    """Scans move values from before the first lane and leave them unused; a driver may die of such a lane."""
    launch = subgroups_of
    if launch.backend.info.kind == "interpreter":
        pytest.skip("the interpreter raises where an unchecked kernel breaks its promise")
    move = getattr(dsl, f"subgroup_{op}")

    def kernel(x: Global[T], y: GlobalMut[T, 2]) -> None:
        i = linear()
        y[0, i] = move(x[i], 2)
        y[1, i] = move(x[i], 3_000_000)

    number, lane = layout(launch, "full")
    for type in MOVED[quarter::4]:
        if lacks(launch, type):
            continue
        x = values(type, len(lane))
        nothing = np.zeros_like(x)
        want = Threads(number, lane).move(op, x, [2] * len(x), nothing)
        # 0 is moved to no thread but by a lane that is not there.
        there = Threads(number, lane).move(op, np.ones_like(x), [2] * len(x), nothing) != 0
        size, groups_ = GEOMETRIES["full"]
        got = launch(kernel, x, np.zeros((2, len(x)), type.dtype), threads=size, groups=groups_, unchecked=True)[1]
        assert_same(got[0][there], want[there])


@pytest.mark.parametrize(("op", "quarter"), sampled(CHOSEN_MOVES, 5))
def test_moves_chosen_by_each_thread(subgroups_of: Launcher, op: str, quarter: int) -> None:
    launch = subgroups_of
    move = getattr(dsl, f"subgroup_{op}")

    def kernel(x: Global[T], place: Global[i32], y: GlobalMut[T, 2], flags: GlobalMut[u32]) -> None:
        i = linear()
        y[0, i] = move(x[i], place[i])
        while True:
            if place[i] % 2 != 0:
                y[1, i] = move(x[i], place[i])
                break
            flags[i] = u32(move(x[i] > T(2), u32(place[i])))
            break

    geometry = "partial"
    number, lane = layout(launch, geometry)
    # SPIR-V leaves lanes far outside to the device; the language does not.
    place = np.random.default_rng(6).integers(-3, 12, len(lane), np.int32)
    place[::7] = 2**31 - 1
    place[1::7] = -(2**31)
    odd = place % 2 != 0
    for type in MOVED[quarter::4]:
        if lacks(launch, type):
            continue
        x = values(type, len(lane))
        nothing = np.zeros_like(x)
        unsigned = place.astype(np.uint32).astype(object)
        want = [Threads(number, lane, active).move(op, x, unsigned, nothing) for active in (None, odd)]
        flags = Threads(number, lane, ~odd).move(op, (x > 2).astype(np.uint32), unsigned, np.zeros(len(x), np.uint32))
        size, groups_ = GEOMETRIES[geometry]
        y = np.zeros((2, len(x)), type.dtype)
        got = launch(kernel, x, place, y, np.zeros(len(x), np.uint32), threads=size, groups=groups_)
        assert_same(got[2], np.stack(want))
        assert_same(got[3], flags)


def test_votes(subgroups_of: Launcher) -> None:
    launch = subgroups_of

    def kernel(x: Global[i32], z: Global[f32], y: GlobalMut[i32, 2]) -> None:
        i = linear()
        y[0, i] = i32(subgroup_all(x[i] > 0))
        y[1, i] = i32(subgroup_any(x[i] > 2))
        y[2, i] = i32(subgroup_all_equal(z[i]))
        y[3, i] = i32(subgroup_elect())
        if x[i] > 0:
            y[4, i] = i32(subgroup_all(x[i] > 1))
            y[5, i] = i32(subgroup_any(x[i] == 3))
            y[6, i] = i32(subgroup_all_equal(x[i] > 2))
            y[7, i] = i32(subgroup_elect())
            y[8, i] = subgroup_broadcast_first(i)
            y[9, i] = i32(subgroup_broadcast_first(x[i] == 2))

    for geometry in GEOMETRIES:
        number, lane = layout(launch, geometry)
        count = len(lane)
        rng = np.random.default_rng(8)
        x = rng.integers(0, 4, count, np.int32)
        x[number == number[-1]] = 3
        z = (number % 2 * (lane > 2)).astype(np.float32)
        z[number == number[0]] = np.nan
        nothing = np.zeros(count, np.int32)
        all_, some = Threads(number, lane), Threads(number, lane, x > 0)
        want = [
            all_.vote("all", x > 0, nothing),
            all_.vote("any", x > 2, nothing),
            all_.vote("all_equal", z, nothing),
            all_.vote("elect", x, nothing),
            some.vote("all", x > 1, nothing),
            some.vote("any", x == 3, nothing),
            some.vote("all_equal", x > 2, nothing),
            some.vote("elect", x, nothing),
            some.move("broadcast_first", np.arange(count), nothing, nothing),
            some.move("broadcast_first", (x == 2).astype(np.int32), nothing, nothing),
        ]
        size, groups_ = GEOMETRIES[geometry]
        got = launch(kernel, x, z, np.zeros((10, count), np.int32), threads=size, groups=groups_)[2]
        assert_same(got, np.stack(want))


def test_ballots(subgroups_of: Launcher) -> None:
    launch = subgroups_of

    def kernel(x: Global[i32], y: GlobalMut[u32, 2]) -> None:
        i = linear()
        ballot = subgroup_ballot(x[i] > 1)
        y[0, i] = ballot.x
        y[1, i] = ballot.y
        y[2, i] = ballot.z
        y[3, i] = ballot.w
        y[4, i] = subgroup_ballot_bit_count(ballot)
        y[5, i] = subgroup_ballot_inclusive_bit_count(ballot)
        y[6, i] = subgroup_ballot_exclusive_bit_count(ballot)
        y[7, i] = subgroup_ballot_find_lsb(ballot)
        y[8, i] = subgroup_ballot_find_msb(ballot)
        y[9, i] = u32(subgroup_inverse_ballot(ballot))
        y[10, i] = u32(subgroup_ballot_bit_extract(ballot, 2))
        if x[i] > 0:
            y[11, i] = subgroup_ballot(True).x

    for geometry in GEOMETRIES:
        number, lane = layout(launch, geometry)
        count = len(lane)
        x = np.random.default_rng(8).integers(0, 4, count, np.int32)
        x[number == number[0]] = 0
        ballots = Threads(number, lane).ballot(x > 1)
        active = Threads(number, lane, x > 0).ballot(x > 0)
        want = [[b >> shift & 0xFFFFFFFF for b in ballots] for shift in (0, 32, 64, 96)]
        want += [
            [b.bit_count() for b in ballots],
            [(b & ((2 << n) - 1)).bit_count() for b, n in zip(ballots, lane.tolist(), strict=True)],
            [(b & ((1 << n) - 1)).bit_count() for b, n in zip(ballots, lane.tolist(), strict=True)],
            [(b & -b).bit_length() - 1 if b else 128 for b in ballots],
            [b.bit_length() - 1 if b else 128 for b in ballots],
            [b >> n & 1 for b, n in zip(ballots, lane.tolist(), strict=True)],
            [b >> 2 & 1 for b in ballots],
            [max(b, 0) & 0xFFFFFFFF for b in active],
        ]
        size, groups_ = GEOMETRIES[geometry]
        got = launch(kernel, x, np.zeros((12, count), np.uint32), threads=size, groups=groups_)[1]
        assert_same(got, np.array(want, np.uint32))


def test_arithmetic_of_any_ballot(launch: Launcher) -> None:
    def kernel(words: Global[u32, 2], y: Out[u32, 2]) -> None:
        i = thread_id()
        ballot = dsl.uvec4(words[i, 0], words[i, 1], words[i, 2], words[i, 3])
        y[i, 0] = subgroup_ballot_bit_count(ballot)
        y[i, 1] = subgroup_ballot_find_lsb(ballot)
        y[i, 2] = subgroup_ballot_find_msb(ballot)
        y[i, 3] = u32(subgroup_ballot_bit_extract(ballot, 40 + i))

    rng = np.random.default_rng(2)
    words = rng.integers(0, 2**32, (32, 4), np.uint32)
    for i in range(16):
        words[i, np.arange(4) != i % 4] = 0  # one word alone
        words[i, i % 4] = 1 << (i * 2) | 1 << 31 - i
    words[20] = 0
    numbers = [sum(int(w) << 32 * k for k, w in enumerate(row)) for row in words]
    want = [
        [b.bit_count(), (b & -b).bit_length() - 1 if b else 128, b.bit_length() - 1 if b else 128, b >> 40 + i & 1]
        for i, b in enumerate(numbers)
    ]
    got = launch(kernel, words, np.zeros((32, 4), np.uint32), threads=(32, 1, 1), groups=(1, 1, 1))[1]
    assert_same(got, np.array(want, np.uint32))


def test_control_flow_around_operations(launch: Launcher) -> None:
    """Nested branches and loops, jumps out of them, values that live through them."""

    def kernel(x: Global[i32], y: GlobalMut[i32, 2]) -> None:
        i = linear()
        total = 0
        rounds = 0
        for k in range(6):
            if x[i] == k:
                continue
            if x[i] + k > 9:
                break
            seen = subgroup_add(1)
            if k % 2 == 0:
                if x[i] > 4:
                    total += subgroup_add(x[i])
                else:
                    total -= subgroup_add(seen)
                    if x[i] == 0:
                        break
            j = x[i]
            while j > 2:
                total += subgroup_add(j)
                j -= 2
                if j == 5:
                    continue
                total += 1
            rounds += 1
        else:
            total += 1000 * subgroup_add(1)
        y[0, i] = total
        y[1, i] = rounds
        if x[i] == 3:
            return
        y[2, i] = subgroup_add(1)

    number, lane = layout(launch, "partial")
    count = len(lane)
    x = np.random.default_rng(9).integers(0, 10, count, np.int32)
    size, groups_ = GEOMETRIES["partial"]
    got = launch(kernel, x, np.zeros((3, count), np.int32), threads=size, groups=groups_)[1]
    want = np.zeros((3, count), np.int64)
    for subgroup in np.unique(number):
        members = [int(i) for i in np.flatnonzero(number == subgroup)]
        inside, finished = list(members), []
        for k in range(6):
            live = [i for i in inside if x[i] != k]
            gone = [i for i in live if x[i] + k > 9]
            live = [i for i in live if i not in gone]
            for i in live:
                if k % 2 == 0 and x[i] > 4:
                    want[0, i] += sum(x[j] for j in live if x[j] > 4)
                elif k % 2 == 0:
                    want[0, i] -= len(live) * sum(1 for j in live if x[j] <= 4)
            if k % 2 == 0:
                gone += [i for i in live if x[i] == 0]
                live = [i for i in live if x[i] != 0]
            left = {i: int(x[i]) for i in live}
            while any(n > 2 for n in left.values()):
                here = [i for i in live if left[i] > 2]
                total = sum(left[i] for i in here)
                for i in here:
                    left[i] -= 2
                    want[0, i] += total + (left[i] != 5)
            for i in live:
                want[1, i] += 1
            inside = [i for i in inside if i not in gone]
        finished = inside
        for i in finished:
            want[0, i] += 1000 * len(finished)
        stay = [i for i in members if x[i] != 3]
        for i in stay:
            want[2, i] = len(stay)
    assert_same(got, want.astype(np.int32))


def test_while_a_subgroup_agrees(launch: Launcher) -> None:
    def kernel(x: Global[i32], y: GlobalMut[i32]) -> None:
        i = linear()
        left = x[i]
        rounds = 0
        while subgroup_any(left > 0):
            left -= 1
            rounds += 1
        y[i] = rounds

    number, lane = layout(launch, "full")
    x = np.random.default_rng(9).integers(0, 10, len(lane), np.int32)
    size, groups_ = GEOMETRIES["full"]
    got = launch(kernel, x, np.zeros(len(x), np.int32), threads=size, groups=groups_)[1]
    assert_same(got, Threads(number, lane).reduce("max", x, np.zeros_like(x)))


def test_vectors_go_element_by_element(launch: Launcher) -> None:
    def kernel(x: Global[f32], y: Out[f32, 2]) -> None:
        i = linear()
        v = subgroup_add(vec3(x[i], 1.0, 2.0))
        w = subgroup_shuffle_xor(v * x[i], 1)
        y[i, 0] = v.x
        y[i, 1] = v.y
        y[i, 2] = v.z
        y[i, 3] = w.z

    number, lane = layout(launch, "full")
    x = values(f32, len(lane))
    size, groups_ = GEOMETRIES["full"]
    got = launch(kernel, x, np.zeros((len(x), 4), np.float32), threads=size, groups=groups_)[1]
    threads_ = Threads(number, lane)
    sums = [threads_.reduce("add", column, np.zeros_like(x)) for column in (x, np.ones_like(x), 2 * np.ones_like(x))]
    moved = threads_.move("shuffle_xor", sums[2] * x, [1] * len(x), np.zeros_like(x))
    assert_same(got + 0, np.stack([*sums, moved], -1) + 0)


def test_a_reduction_of_groups(subgroups_of: Launcher) -> None:
    """The usual one: each subgroup adds up its values, then one adds up what subgroups found."""

    def kernel(x: Global[f32], sums: Out[f32]) -> None:
        partial = group_array(f32, 128)
        total = subgroup_add(x[linear()])
        if subgroup_elect():
            partial[subgroup_id()] = total
        barrier()
        if subgroup_id() == 0:
            found = 0.0
            at = subgroup_thread_id()
            while at < subgroups():
                found += partial[at]
                at += subgroup_threads()
            found = subgroup_add(found)
            if subgroup_elect():
                sums[group_id()] = found

    x = np.random.default_rng(1).integers(-8, 8, 5 * 100).astype(np.float32)
    got = subgroups_of(kernel, x, np.zeros(5, np.float32), threads=(100, 1, 1), groups=(5, 1, 1))[1]
    assert_same(got, x.reshape(5, 100).sum(axis=1))


def test_threads_of_a_subgroup_see_writes_after_its_barrier(launch: Launcher) -> None:
    def kernel(x: Global[i32], y: GlobalMut[i32]) -> None:
        shared = group_array(i32, 16)
        t = thread_id()
        at = subgroup_id() * subgroup_threads() + subgroup_thread_id()
        if x[t] > 0:
            shared[at] = x[t]
            subgroup_barrier()
            if subgroup_elect():
                total = 0
                for k in range(subgroup_threads()):
                    if at + k < 16:
                        total += shared[at - subgroup_thread_id() + k]
                y[subgroup_id()] = total

    number, lane = layout(launch, "full")
    x = np.random.default_rng(9).integers(1, 10, 16, np.int32)
    x[1::3] = 0
    got = launch(kernel, x, np.zeros(16, np.int32), threads=(16, 1, 1), groups=(1, 1, 1))[1]
    first = np.flatnonzero(lane[:16] == 0)
    assert [int(got[number[i]]) for i in first] == [int(x[number[:16] == number[i]].sum()) for i in first]


def test_operations_in_functions(launch: Launcher) -> None:
    @func
    def mean(value: f32):
        return subgroup_add(value) / f32(subgroup_add(1))

    def kernel(x: Global[f32], y: Out[f32]) -> None:
        y[linear()] = mean(x[linear()]) + mean(2.0) * f32(subgroup_broadcast(linear(), 0) * 0)

    number, lane = layout(launch, "full")
    x = 8 * values(f32, len(lane))
    size, groups_ = GEOMETRIES["full"]
    got = launch(kernel, x, np.zeros_like(x), threads=size, groups=groups_)[1]
    threads_ = Threads(number, lane)
    counts = threads_.reduce("add", np.ones_like(x), np.zeros_like(x))
    assert_same(got + 0, threads_.reduce("add", x, np.zeros_like(x)) / counts + 0)
