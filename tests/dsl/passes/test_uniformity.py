"""Which conditions surely are the same for all threads of a group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from krnlpy.dsl import group_id, item_id, subgroup_all, subgroup_thread_id, thread_id
from krnlpy.dsl.ir import If, walk
from krnlpy.dsl.passes.uniformity import analyse
from krnlpy.dsl.types.annotations import Global, GlobalMut, ItemMut
from krnlpy.scalar import f32, i32
from tests.support.launching import lower


def of_numbers(n: i32, y: GlobalMut[f32]) -> None:
    if n > 2:
        y[0] = 1.0


def of_groups(y: GlobalMut[f32]) -> None:
    if group_id() > 2:
        y[0] = 1.0


def of_what_is_only_read(x: Global[f32], y: GlobalMut[f32]) -> None:
    if x[group_id()] > 2.0:
        y[0] = 1.0


def of_what_is_written(y: GlobalMut[f32]) -> None:
    if y[1] > 2.0:
        y[0] = 1.0


def of_threads(x: Global[f32], y: GlobalMut[f32]) -> None:
    if x[thread_id()] > 2.0:
        y[0] = 1.0


def of_lanes(y: GlobalMut[f32]) -> None:
    if subgroup_thread_id() > 2:
        y[0] = 1.0


def of_subgroups(n: i32, y: GlobalMut[f32]) -> None:
    if subgroup_all(thread_id() > n):
        y[0] = 1.0


def of_items(y: ItemMut[f32]) -> None:
    if item_id() > 2:
        y = 1.0


@pytest.mark.parametrize("kernel", [of_numbers, of_groups, of_what_is_only_read], ids=lambda k: k.__name__)
def test_uniform(kernel: Callable[..., Any]) -> None:
    assert is_uniform(kernel)


@pytest.mark.parametrize(
    "kernel", [of_what_is_written, of_threads, of_lanes, of_subgroups, of_items], ids=lambda k: k.__name__
)
def test_not_surely_uniform(kernel: Callable[..., Any]) -> None:
    assert not is_uniform(kernel)


def is_uniform(kernel: Callable[..., Any]) -> bool:
    program = lower(kernel)
    (condition,) = (node for node in walk(program.body) if isinstance(node, If))
    return analyse(program.body).is_uniform(condition)
