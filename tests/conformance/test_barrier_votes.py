"""Barriers that count: how many threads of the group came with a true condition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from krnlpy import kernel
from krnlpy.dsl import (
    barrier,
    barrier_all,
    barrier_any,
    barrier_count,
    global_id,
    group_array,
    group_id,
    ivec2,
    thread_id,
)
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, ItemMut
from krnlpy.errors import KernelError
from krnlpy.scalar import i32
from tests.support.launching import Launcher


@pytest.mark.parametrize("threads", [(1, 1, 1), (7, 1, 1), (33, 2, 1), (4, 2, 8)], ids=str)
def test_counts_in_each_group(launch: Launcher, threads: tuple[int, int, int]) -> None:
    """Several votes in a row, in three groups, of which a worker of the host runs one after another."""

    def kernel(x: Global[i32, 2], out: GlobalMut[i32, 3], width: i32, height: i32) -> None:
        g, k = group_id(), (thread_id(2) * height + thread_id(1)) * width + thread_id(0)
        value = x[g, k]
        out[g, k, 0] = barrier_count(value > 0)
        out[g, k, 1] = barrier_count(value > 1)
        out[g, k, 2] = barrier_count(value > 2)
        out[g, k, 3] = i32(barrier_any(value == 3)) + 2 * i32(barrier_all(value > 0)) + 4 * i32(barrier_all(True))

    count = int(np.prod(threads))
    x = np.random.default_rng(2).integers(0, 4, (3, count)).astype(np.int32)
    x[2] = 2
    out = launch(kernel, x, np.zeros((3, count, 4), np.int32), *threads[:2], threads=threads, groups=(3, 1, 1))[1]
    for group, values in enumerate(x):
        flags = int((values == 3).any()) + 2 * int((values > 0).all()) + 4
        assert (out[group] == ((values > 0).sum(), (values > 1).sum(), (values > 2).sum(), flags)).all()


def test_votes_in_expressions_conditions_and_functions(launch: Launcher) -> None:
    @func
    def votes(value: i32, low: i32) -> i32:
        return barrier_count(value > low) * 100 + barrier_count(value <= low)

    def kernel(x: Global[i32], out: GlobalMut[i32, 2]) -> None:
        i = global_id()
        value = x[i]
        out[i, 0] = votes(value, 2) + barrier_count(value) * 10_000
        if barrier_any(value == 9):
            out[i, 1] = 1 if barrier_all(value >= 0) else 2
        if barrier_any(value > 100) and barrier_all(value > 0):
            out[i, 2] = 1
        out[i, 3] = barrier_count(True)

    x = np.array([0, 1, 2, 3, 9, 5, 0, 4, -1, -2, 9, 0, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3, 300], np.int32)
    _, out = launch(kernel, x, np.zeros((24, 4), np.int32), threads=(8, 1, 1), groups=(3, 1, 1))
    for group, values in enumerate(x.reshape(3, 8)):
        got = out[8 * group : 8 * group + 8]
        counts = (values != 0).sum() * 10_000 + (values > 2).sum() * 100 + (values <= 2).sum()
        every = (1 if (values >= 0).all() else 2) if (values == 9).any() else 0
        both = int((values > 100).any() and (values > 0).all())
        assert (got == (counts, every, both, 8)).all(), group


def test_a_loop_that_a_group_ends_together(launch: Launcher) -> None:
    """Odd-even transposition until nothing changes: the condition is a vote, and so is what leaves the other loop."""

    def kernel(x: GlobalMut[i32], rounds: GlobalMut[i32]) -> None:
        own = group_array(i32, 40)
        k = thread_id()
        own[k] = x[global_id()]
        barrier()
        passes = 0
        while barrier_any(k < 39 and own[k] > own[k + 1 if k < 39 else k]):
            for first in range(2):
                if k % 2 == first and k < 39 and own[k] > own[k + 1]:
                    own[k], own[k + 1] = own[k + 1], own[k]
                barrier()
            passes += 1
        x[global_id()] = own[k]
        steps = 0
        for i in range(100):
            if barrier_count(i > k) == 40:
                break
            steps += 1
        rounds[global_id()] = passes * 1000 + steps

    x = np.random.default_rng(4).permutation(80).astype(np.int32)
    got, rounds = launch(kernel, x, np.zeros(80, np.int32), threads=(40, 1, 1), groups=(2, 1, 1))
    assert (got.reshape(2, 40) == np.sort(x.reshape(2, 40), axis=1)).all()
    assert (rounds.reshape(2, 40) == rounds.reshape(2, 40)[:, :1]).all()
    assert (rounds % 1000 == 40).all() and (rounds // 1000 > 5).all()


def divergent(x: GlobalMut[i32]) -> None:
    if thread_id() > 3:
        x[0] = barrier_count(True)


def returned_before(x: GlobalMut[i32]) -> None:
    if thread_id() > 3:
        return
    x[0] = barrier_count(True)


def of_items(x: ItemMut[i32]) -> None:
    x = barrier_count(x > 0)


def of_a_vector(x: GlobalMut[i32]) -> None:
    x[0] = barrier_count(ivec2(1))


def of_two(x: GlobalMut[i32]) -> None:
    x[0] = barrier_count(True, False)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (divergent, "all of them must reach the barrier in line .*: move the barrier out of it"),
        (returned_before, "threads for which it is true return"),
        (of_items, "a kernel with items has no groups of its own, hence no barriers"),
        (of_a_vector, "is neither true nor false"),
        (of_two, r"barrier_count takes 1 argument\(s\), 2 given"),
    ],
)
def test_what_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        kernel(wrong).inspect("ir")
