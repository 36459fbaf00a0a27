"""The kernel language: what a kernel may call. ``from krnlpy.dsl import barrier, exp, global_id``."""

from typing import Any

from .builtins import (
    atomic_add,
    atomic_and,
    atomic_compare_exchange,
    atomic_exchange,
    atomic_max,
    atomic_min,
    atomic_or,
    atomic_sub,
    atomic_xor,
    barrier,
    ceil,
    cooperative_multiply_add,
    cos,
    cross,
    determinant,
    distance,
    dot,
    exp,
    exp2,
    floor,
    fma,
    global_id,
    global_threads,
    group_array,
    group_id,
    groups,
    inverse,
    isinf,
    isnan,
    item_id,
    items,
    length,
    local_array,
    log,
    log2,
    normalize,
    outer,
    sin,
    sqrt,
    subgroup_add,
    subgroup_id,
    subgroup_thread_id,
    subgroup_threads,
    subgroups,
    tan,
    tanh,
    thread_id,
    threads,
    transpose,
    trunc,
    unroll,
)
from .composites import (
    Matrix,
    Vector,
    ivec2,
    ivec3,
    ivec4,
    mat2,
    mat3,
    mat4,
    uvec2,
    uvec3,
    uvec4,
    vec2,
    vec3,
    vec4,
)
from .cooperative import CooperativeMatrix

__all__ = [
    "CooperativeMatrix", "Matrix", "Vector", "atomic_add", "atomic_and", "atomic_compare_exchange", "atomic_exchange",
    "atomic_max", "atomic_min", "atomic_or", "atomic_sub", "atomic_xor", "barrier", "ceil", "cooperative_multiply_add",
    "cos", "cross", "determinant", "distance", "dot", "exp", "exp2", "floor", "fma", "global_id", "global_threads",
    "group_array", "group_id", "groups", "inverse", "isinf", "isnan", "item_id", "items", "ivec2", "ivec3", "ivec4",
    "length", "local_array", "log", "log2", "mat2", "mat3", "mat4", "normalize", "outer", "philox", "philox4x32",
    "random_integers", "random_normal", "random_normal4", "random_uniform", "random_uniform4", "sin", "sqrt",
    "subgroup_add", "subgroup_id", "subgroup_thread_id", "subgroup_threads", "subgroups", "tan", "tanh", "thread_id",
    "threads", "transpose", "trunc", "unroll", "uvec2", "uvec3", "uvec4", "vec2", "vec3", "vec4",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:  # random numbers are functions of the language: they come when the compiler does
        from . import random

        return getattr(random, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
