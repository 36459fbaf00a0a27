"""What type checkers find in kernels: each line with a comment has exactly those errors of mypy --strict."""

from __future__ import annotations

from typing import Literal, TypeVar

from krnlpy import Global, GlobalMut, Item, ItemMut, f32, func, i32, kernel
from krnlpy.dsl import barrier, cross, exp, global_id, group_array, local_array, vec2, vec3

T = TypeVar("T", f32, i32)


@func
def lerp(a: f32, b: f32, t: f32) -> f32:
    return a + t * (b - a)


@kernel
def scalars(n: i32, x: Item[f32], y: ItemMut[f32], count: ItemMut[i32]) -> None:
    count = x * 2.0  # expect: assignment
    count = x & n  # expect: operator
    total = 0
    total += x  # expect: assignment
    y = x[0]  # expect: index
    y = undefined  # noqa: F821  # expect: name-defined
    y = "text"  # expect: assignment
    for k in range(x):  # expect: call-overload
        y = k


@kernel
def arrays(a: Global[f32], m: GlobalMut[f32, Literal[2]], n: i32) -> None:
    a[0] = 1.0  # expect: index
    m[0] = 1.0  # expect: index
    m[0, 1] = m[0]  # expect: assignment
    m[0][1] = a[1:][0, 0]  # expect: call-overload
    m[0, 1] = m[0, 1, 2]  # expect: index
    m[0, n] = a[0.5]  # expect: call-overload
    m[0, n] = a.length  # expect: attr-defined
    tile = local_array(f32, (4, 4, 4))
    tile[0, 0] = 1.0  # expect: index
    tile = group_array("f32", 4)  # expect: call-overload


@kernel
def calls(x: Item[f32], y: ItemMut[f32], v: Item[vec3], w: ItemMut[vec2]) -> None:
    y = lerp(x, 1.0)  # expect: call-arg
    y = lerp(x, 1.0, 0.5, t=0.0)  # expect: misc
    y = lerp(x, 1.0, "half")  # expect: arg-type
    y = exp(x, x)  # expect: call-arg
    y = exp("x")  # expect: type-var, assignment
    y = global_id(3)  # expect: arg-type
    y = barrier()  # expect: func-returns-value, assignment
    w = cross(v, v)  # expect: assignment
    w = w + v  # expect: operator


@kernel
def two_dimensions(a: Global[f32, 2]) -> None:  # expect: valid-type
    pass


@kernel
def type_variables(x: Item[T], y: ItemMut[T]) -> None:
    y = T(x)  # expect: misc


scalars.specialise(n=3)  # expect: attr-defined
