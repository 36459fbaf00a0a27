"""The GLSL of atomics: what devices must have for them, and which of them are loops of compare-and-exchange."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest

from krnlpy.dsl import (
    atomic_add,
    atomic_and,
    atomic_compare_exchange,
    atomic_exchange,
    atomic_max,
    atomic_min,
    atomic_or,
    atomic_sub,
    atomic_xor,
    global_id,
    group_array,
)
from krnlpy.dsl.glsl import emit as glsl
from krnlpy.dsl.types.annotations import Global, GlobalMut
from krnlpy.features import FLOAT_ATOMICS, Feature
from krnlpy.scalar import ScalarType, f16, f32, f64, i64, u8, u32, u64
from tests.conformance.values import NUMBERS
from tests.support.launching import lower

from .test_glsl import check, emit

T = TypeVar("T")
OPTIONS = [
    glsl.GlslOptions(storage, storage, debug, 128 * storage, atomics)
    for storage, debug, atomics in (
        (True, False, FLOAT_ATOMICS),
        (True, True, frozenset()),
        (False, False, frozenset()),
    )
]


def additions(a: GlobalMut[T, 2], x: Global[T]) -> None:
    g = group_array(T, 4)
    atomic_add(a[0, 1], x[0])
    atomic_sub(g[global_id()], x[1])
    a[1, 1] = a[0, 0] + g[0]
    g[1] = x[0]


def every_other(a: GlobalMut[T, 2], x: Global[T]) -> None:
    g = group_array(T, 4)
    a[0, 0] = atomic_min(a[0, 1], x[0]) + atomic_max(g[1], x[0])
    a[1, 0] = atomic_exchange(a[0, 2], x[0]) + atomic_exchange(g[2], x[0])
    a[2, 0] = atomic_compare_exchange(a[0, 2], x[0], 5) + atomic_compare_exchange(g[2], 3, x[0])
    g[3] = atomic_add(g[3], x[1]) + atomic_add(a[0, 4], x[1])


def bits(a: GlobalMut[T, 2], x: Global[T]) -> None:
    g = group_array(T, 4)
    a[0, 0] = atomic_and(a[0, 1], x[0]) + atomic_and(g[1], x[0])
    a[1, 0] = atomic_or(a[0, 2], x[0]) + atomic_or(g[2], x[0])
    a[2, 0] = atomic_xor(a[0, 2], x[0]) + atomic_xor(g[2], x[0])


@pytest.mark.parametrize("options", OPTIONS, ids=["native", "debug", "packed"])
@pytest.mark.parametrize("type", NUMBERS, ids=str)
def test_every_operation_compiles(type: ScalarType, options: glsl.GlslOptions) -> None:
    kernels: list[Any] = [additions, every_other, *([bits] if type.is_integer else [])]
    for kernel in kernels:
        for contiguous in (True, False):
            check(emit(lower(kernel, T=type), options, contiguous=contiguous))


def test_shaders_say_what_atomics_need() -> None:
    native, without, _ = OPTIONS
    wide = {Feature.INT64, Feature.INT64_ATOMICS, Feature.GROUP_INT64_ATOMICS}
    for type in (u64, i64):
        assert emit(lower(additions, T=type), native).features == wide
    assert emit(lower(additions, T=u32), native).features == frozenset()
    single = {Feature.FLOAT32_ATOMIC_ADD, Feature.GROUP_FLOAT32_ATOMIC_ADD}
    double = {Feature.FLOAT64_ATOMIC_ADD, Feature.GROUP_FLOAT64_ATOMIC_ADD, Feature.FLOAT64}
    assert emit(lower(additions, T=f32), native).features == single
    assert emit(lower(additions, T=f64), native).features == double
    assert emit(lower(additions, T=f32), without).features == frozenset()
    assert emit(lower(additions, T=f64), without).features == wide | {Feature.FLOAT64}
    # One operation that is no addition makes all of the buffer's a matter of words.
    assert emit(lower(every_other, T=f32), native).features == frozenset()
    # A buffer of narrow elements with atomics holds words; the other one does not.
    for type, feature in ((u8, Feature.STORAGE8), (f16, Feature.STORAGE16)):
        assert emit(lower(additions, T=type), native).features == {feature}
        assert emit(lower(additions, T=type), OPTIONS[2]).features == frozenset()


def test_only_what_devices_lack_is_a_loop() -> None:
    native, without, _ = OPTIONS
    for type, options, looped in ((u32, native, False), (f32, native, False), (f32, without, True), (u8, native, True)):
        assert ("atomicCompSwap" in emit(lower(additions, T=type), options).source) == looped


def test_atomics_read_and_write_their_buffer() -> None:
    shader = emit(lower(additions, T=f32))
    assert (shader.reads, shader.writes) == ((True, True), (True, False))


def test_a_result_that_nobody_reads_has_no_name() -> None:
    lines = emit(lower(additions, T=u32)).source.splitlines()
    assert "    atomic_add_a(0u, 1u, load_x(0u));" in lines
