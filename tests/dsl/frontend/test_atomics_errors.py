"""Atomics of what has none: each gets a sentence that says what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from krnlpy.errors import KernelError, KernelNameError, KernelSyntaxError, KernelTypeError

from .test_kernel_errors import body, compile_kernel, load

HELPERS = (
    "from krnlpy.dsl import atomic_add, atomic_and, atomic_compare_exchange, atomic_exchange, atomic_or\n"
    "from krnlpy.dsl import mat2, vec2, vec3\n"
)

PARAMETERS = (
    "x: Item[f32], y: ItemMut[f32], a: GlobalMut[f32, 2], r: Global[u32], o: Out[u32], u: GlobalMut[u32],"
    " v: GlobalMut[vec3], n: i32"
)
GROUPS = "u: GlobalMut[u32], n: i32"

# What is wrong, the error's class, a part of its message, and the text that the caret marks.
WRONG: list[tuple[str, type[KernelError], str, str]] = [
    (body("atomic_add(y, 1.0)", PARAMETERS), KernelTypeError, "y is an item, which only one thread accesses", "y"),
    (body("atomic_add(r[0], 1)", PARAMETERS), KernelTypeError, "r is read only; declare it GlobalMut[u32]", "r[0]"),
    (body("atomic_add(o[0], 1)", PARAMETERS), KernelTypeError, "each element of o is written once", "o[0]"),
    (body("atomic_add(u, 0, 1)", PARAMETERS), KernelTypeError, "write atomic_add(a[i], value): an atomic changes", "u"),
    (body("atomic_add(n, 1)", PARAMETERS), KernelTypeError, "write atomic_add(a[i], value): an atomic changes", "n"),
    (body("atomic_add()", PARAMETERS), KernelTypeError, "write atomic_add(a[i], value)", "atomic_add()"),
    (body("atomic_add(u[0])", PARAMETERS), KernelTypeError, "takes 2 arguments, 1 given", "atomic_add(u[0])"),
    (
        body("atomic_compare_exchange(u[0], 1)", PARAMETERS),
        KernelTypeError,
        "write atomic_compare_exchange(a[i], expected, value)",
        "atomic_compare_exchange(u[0], 1)",
    ),
    (body("atomic_add(u[0], value=1)", PARAMETERS), KernelSyntaxError, "keyword", "atomic_add(u[0], value=1)"),
    (body("atomic_add(u[0], 1.5)", PARAMETERS), KernelTypeError, "does not fit u, which holds u32", "1.5"),
    (body("atomic_add(u[0], -1)", PARAMETERS), KernelTypeError, "-1 does not fit u32", "-1"),
    (body("atomic_add(u[0], n)", PARAMETERS), KernelTypeError, "a value of type i32 does not fit u", "n"),
    (body("atomic_compare_exchange(u[0], n, 1)", PARAMETERS), KernelTypeError, "type i32 does not fit u", "n"),
    (
        body("atomic_and(a[0, 0], 1.0)", PARAMETERS),
        KernelTypeError,
        "needs integers or truth values; a holds f32",
        "a[0, 0]",
    ),
    (body("atomic_add(a[0], 1.0)", PARAMETERS), KernelTypeError, "a row of the array a is changed one", "a[0]"),
    (
        body("atomic_exchange(v[0], v[1])", PARAMETERS),
        KernelTypeError,
        "atomic_exchange changes one number, this is Vector[f32, 3]",
        "v[0]",
    ),
    (body("atomic_add(v[0], vec2(1.0))", PARAMETERS), KernelTypeError, "Vector[f32, 2] does not fit v_x", "vec2(1.0)"),
    (body("atomic_or(v[0], 1)", PARAMETERS), KernelTypeError, "atomic_or needs integers", "v[0]"),
    (body("t = vec3(1.0)\natomic_add(t, 1.0)", PARAMETERS), KernelTypeError, "an atomic changes an element", "t"),
    (body("t = mat2(1.0)\natomic_add(t[0], 1.0)", PARAMETERS), KernelTypeError, "not a variable", "t[0]"),
    (body("atomic_add(v[0].w, 1.0)", PARAMETERS), KernelNameError, "no component w", "v[0].w"),
    (body("t = vec3(1.0)\natomic_add(t.x, 1.0)", PARAMETERS), KernelTypeError, "not a variable", "t.x"),
    (
        body("t = local_array(u32, 4)\natomic_add(t[0], 1)", GROUPS),
        KernelTypeError,
        "is private to the thread and needs no atomics",
        "t[0]",
    ),
    (
        body("t = group_array(bool, 4)\natomic_add(t[0], True)", GROUPS),
        KernelTypeError,
        "atomic_add needs numbers; t holds bool: write atomic_or or atomic_and",
        "t[0]",
    ),
    (
        body("t = group_array(bool, 4)\natomic_or(t[0], 1)", GROUPS),
        KernelTypeError,
        "the number 1 is not of type bool; write bool(1)",
        "1",
    ),
]


@pytest.mark.parametrize(("source", "error", "message", "marked"), WRONG, ids=[w[0].splitlines()[-1] for w in WRONG])
def test_wrong_atomics(tmp_path: Path, source: str, error: type[KernelError], message: str, marked: str) -> None:
    module = load(tmp_path, HELPERS + source)
    with pytest.raises(error) as caught:
        compile_kernel(module)
    assert message in str(caught.value)
    *_, line, caret = str(caught.value).splitlines()
    start = caret.index("^")
    assert line[start : start + caret.count("^")] == marked


def test_outside_a_kernel() -> None:
    from krnlpy.dsl import atomic_add
    from krnlpy.errors import KrnlpyError

    with pytest.raises(KrnlpyError, match="only inside a kernel"):
        atomic_add(1, 2)
