"""Barriers that some threads of a group can be seen not to come to."""

from __future__ import annotations

import pytest

from krnlpy.dsl import (
    barrier,
    global_id,
    group_array,
    group_id,
    subgroup_any,
    subgroup_id,
    subgroup_thread_id,
    subgroups,
    thread_id,
    threads,
)
from krnlpy.dsl.frontend.syntax.functions import func, lower, read_signature
from krnlpy.dsl.types.annotations import Global, GlobalMut, Spec
from krnlpy.errors import KernelSyntaxError
from krnlpy.scalar import i32


@func
def meet() -> None:
    barrier()


@func
def place(scale: i32):
    return thread_id() * scale


def in_condition(y: GlobalMut[i32]) -> None:
    if thread_id() == 0:  # here
        barrier()


def in_otherwise(y: GlobalMut[i32]) -> None:
    if global_id() < len(y):  # here
        y[global_id()] = 1
    else:
        barrier()


def through_locals(y: GlobalMut[i32], n: i32) -> None:
    a = n * 2
    b = a + subgroup_thread_id()
    c = b > 3
    if c:  # here
        for _ in range(n):
            barrier()


def through_a_function(y: GlobalMut[i32]) -> None:
    if place(2) > 5:  # here
        barrier()


def in_a_function(y: GlobalMut[i32]) -> None:
    if subgroup_id() == 1:  # here
        meet()


def assigned_under_a_condition(y: GlobalMut[i32]) -> None:
    a = 0
    if thread_id() > 3:
        a = 1
    if a == 1:  # here
        barrier()


def after_a_return(y: GlobalMut[i32], n: i32) -> None:
    if global_id() >= n:  # here
        return
    y[global_id()] = 1
    barrier()


def after_a_return_in_a_loop(y: GlobalMut[i32], n: i32) -> None:
    for k in range(n):
        barrier()
        if thread_id() == k:  # here
            return


def in_a_loop_of_its_own_length(y: GlobalMut[i32]) -> None:
    for _ in range(thread_id()):  # here
        barrier()


def in_a_while(y: GlobalMut[i32]) -> None:
    i = thread_id()
    while i < threads():  # here
        barrier()
        i += 32


def after_a_break(y: GlobalMut[i32], n: i32) -> None:
    while True:
        barrier()
        if thread_id() > n:  # here
            break


def after_a_continue(y: GlobalMut[i32], n: i32) -> None:
    for k in range(n):
        if thread_id() == k:  # here
            continue
        barrier()


def counted_by_a_loop(y: GlobalMut[i32], n: i32) -> None:
    a = 0
    for k in range(n):
        if thread_id() == k:
            break
        a = k
    if a > 2:  # here
        barrier()


WRONG = {
    in_condition: ("thread_id()", "move the barrier out"),
    in_otherwise: ("global_id()", "move the barrier out"),
    through_locals: ("subgroup_thread_id()", "move the barrier out"),
    through_a_function: ("thread_id()", "move the barrier out"),
    in_a_function: ("subgroup_id()", "move the barrier out"),
    assigned_under_a_condition: ("thread_id()", "move the barrier out"),
    after_a_return: ("global_id()", "threads for which it is true return"),
    after_a_return_in_a_loop: ("thread_id()", "threads for which it is true return"),
    in_a_loop_of_its_own_length: ("thread_id()", "move the barrier out"),
    in_a_while: ("thread_id()", "move the barrier out"),
    after_a_break: ("thread_id()", "leave the loop"),
    after_a_continue: ("thread_id()", "skip the rest"),
    counted_by_a_loop: ("thread_id()", "move the barrier out"),
}


@pytest.mark.parametrize("kernel", WRONG, ids=lambda kernel: kernel.__name__)
def test_a_barrier_that_can_be_seen_to_diverge(kernel: object) -> None:
    cause, advice = WRONG[kernel]
    with pytest.raises(KernelSyntaxError, match="all of them must reach the barrier") as caught:
        lower(read_signature(kernel), {}, (16, 1, 1))
    assert cause in caught.value.message
    assert advice in caught.value.message
    assert "# here" in str(caught.value), "the condition's line is shown"


def uniform_conditions(x: Global[i32], y: GlobalMut[i32], n: i32, N: Spec[i32] = 4) -> None:
    if group_id() < n and subgroups() > 1:
        barrier()
    for k in range(n, N):
        if x[k + group_id()] > 0:
            barrier()
            break
    k = n
    while k > 0:
        barrier()
        k -= 1


def unknown_conditions(x: Global[i32], y: GlobalMut[i32]) -> None:
    shared = group_array(i32, 4)
    if x[thread_id()] > 0:
        barrier()
    if y[0] + shared[1] > 0:
        return
    if subgroup_any(thread_id() > 3):  # the same for all if there is one subgroup
        barrier()


def divergence_that_has_ended(y: GlobalMut[i32], n: i32) -> None:
    for k in range(n):
        barrier()
        if thread_id() == k:
            continue
        y[thread_id()] = k
    a = thread_id()
    for _ in range(thread_id()):
        if a == 3:
            break
    a = n
    if a > 0:
        barrier()
    if thread_id() == 0:
        y[0] = 1
    barrier()
    if thread_id() == 1:
        return
    y[thread_id()] = 2


@pytest.mark.parametrize("kernel", [uniform_conditions, unknown_conditions, divergence_that_has_ended])
def test_barriers_that_all_threads_may_come_to(kernel: object) -> None:
    assert lower(read_signature(kernel), {}, (16, 1, 1)).has_barriers
