"""Rows, slices and what loops go over, used wrongly: each is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from krnlpy.errors import KernelError, KernelNameError, KernelSyntaxError, KernelTypeError

from .test_kernel_errors import body, compile_kernel, load

HELPERS = """
from dataclasses import dataclass
from krnlpy.dsl import atomic_add, grid, vec3

@func
def fill(values: GlobalMut[f32], x):
    values[0] = x

@func
def first(values: Global[f32, 2]):
    return values[0]
"""

ARRAYS = "a: GlobalMut[f32, 2], b: GlobalMut[f32, 2], r: Global[f32, 2], v: GlobalMut[vec3], n: i32, z: f32"

WRONG: list[tuple[str, type[KernelError], str, str]] = [
    # --------------------------------------------------------------------------------------------- rows and slices
    (body("a[0] += 1.0", ARRAYS), KernelTypeError, "a row of the array a is changed one element at a time", "a[0]"),
    (body("a[0, 1:n] *= 2.0", ARRAYS), KernelTypeError, "a slice of the array a is changed one", "a[0, 1:n]"),
    (body("a[0] = (1.0, 2.0)", ARRAYS), KernelTypeError, "2 values for a row of the array a of a length that", ""),
    (body("t = local_array(f32, 5)\nt[1:4] = [z, z]", ARRAYS), KernelTypeError, "2 values for a slice of", "[z, z]"),
    (body("t = local_array(f32, 5)\nt[1:4] = t[:2]", ARRAYS), KernelTypeError, "2 values for 3 elements", "t[:2]"),
    (body("a[:, 0:2] = a[0]", ARRAYS), KernelTypeError, "a row of the array a has 1 axes, a slice of the array a", ""),
    (body("a[:, :] = b[0:2, ::2]\na[1:, 1:] = a[:-1, :-1]", ARRAYS), KernelTypeError, "may overlap in a", ""),
    (body("a[0, :] = a[:, 0]", ARRAYS), KernelTypeError, "may overlap in a, and neither order is right", ""),
    (body("a[0] = a[0, ::-1]", ARRAYS), KernelTypeError, "copy it to a local_array first", ""),
    (body("r[0] = 1.0", ARRAYS), KernelTypeError, "r is read only; declare it GlobalMut[f32]", "r[0]"),
    (body("v[:] = z", ARRAYS), KernelTypeError, "f32 does not fit a target of type Vector[f32, 3]", "z"),
    (body("a[0] = v[0]", ARRAYS), KernelTypeError, "3 values for a row of the array a of a length", "v[0]"),
    (body("row = a[0]\nrow += 1.0", ARRAYS), KernelTypeError, "a row of the array a cannot be assigned; index", "row"),
    (body("row = a[0]\nrow = z", ARRAYS), KernelTypeError, "row is a row of the array a since line", "z"),
    (body("row = z\nrow = a[0]", ARRAYS), KernelTypeError, "row is f32 since line", "a[0]"),
    (body("x = a[0] + 1.0", ARRAYS), KernelTypeError, "a row of the array a is no vector or matrix here", ""),
    (body("x = z + a[0, 1:]", ARRAYS), KernelTypeError, "a slice of the array a is no vector or matrix here", ""),
    (body("z[0:2] = 1.0", ARRAYS), KernelTypeError, "f32 cannot be indexed", "z"),
    (body("x = z[1]", ARRAYS), KernelTypeError, "f32 cannot be indexed", "z"),
    (body("r[0][1] = 1.0", ARRAYS), KernelTypeError, "r is read only; declare it GlobalMut[f32]", "r[0][1]"),
    (body("fill(r[0], z)", ARRAYS), KernelTypeError, "a row of the array r is Global[f32, 1]", "r[0]"),
    (body("fill(a, z)", ARRAYS), KernelTypeError, "the array a is GlobalMut[f32, 2]", "a"),
    (body("fill(a[0][1], z)", ARRAYS), KernelTypeError, "is an array; this is f32", "a[0][1]"),
    (body("x = first(a)", ARRAYS), KernelTypeError, "expected a number, found a row of the array a", "values[0]"),
    (body("a[0][1][2] = z", ARRAYS), KernelTypeError, "a value of type f32 has no elements to assign", "a[0][1][2]"),
    (body("x = a[0][1, 2]", ARRAYS), KernelTypeError, "a has 1 dimensions, indexed with 2", "a[0][1, 2]"),
    (body("x = a[..., ..., 0][0]", ARRAYS), KernelSyntaxError, "a subscript has one ... at most", "..."),
    (body("row = a[0, ::n]", ARRAYS), KernelTypeError, "the step of a slice is a whole number known", "::n"),
    (body("row = a[0, ::0]", ARRAYS), KernelTypeError, "and not 0", "::0"),
    (body("row = a[0, z:]", ARRAYS), KernelTypeError, "an index must be an integer, this is f32", "z:"),
    (body("row = a[vec3(z), :]", ARRAYS), KernelTypeError, "an index must be an integer, this is Vector", "vec3(z)"),
    (body("t = local_array(f32, 5)[1:4]", ARRAYS), KernelSyntaxError, "local_array may only be used", ""),
    (
        body("t = local_array(f32, 5)\ns = t[1:4]\ns[3] = z", ARRAYS),
        KernelTypeError, "index 3 is out of range: t has length 3 there", "3",
    ),
    (body("row = v[0].x\nrow[0] = z", ARRAYS), KernelTypeError, "f32 cannot be indexed", "row"),
    (body("x = v.x[0]", ARRAYS), KernelNameError, "arrays have shape, ndim, size and dtype, not x", "v.x"),
    (body("atomic_add(a[0], 1.0)", ARRAYS), KernelTypeError, "a row of the array a is changed one element", "a[0]"),
    # ------------------------------------------------------------------------------------ names for rows of two arrays
    (
        body("row = a[0]\nif n > 0:\n    row = b[0]\nrow[0] = z", ARRAYS),
        KernelTypeError, "row is a row of the array a since line", "b[0]",
    ),
    (
        body("if n > 0:\n    row = a[0]\nelse:\n    row = b[0]\nrow[0] = z", ARRAYS),
        KernelNameError, "the variable row may not have a value here", "row",
    ),
    (
        body("while True:\n    if n:\n        r1 = a[0]\n        break\n    r1 = b[0]\n    break\nr1[0] = z", ARRAYS),
        KernelNameError, "the variable r1 may not have a value here", "r1",
    ),
    (body("for i in range(n):\n    row = a[i]\nrow[0] = z", ARRAYS), KernelNameError, "may not have a value", "row"),
    (body("row = a[0] if n > 0 else b[0]", ARRAYS), KernelTypeError, "expected a number, found a row of", "a[0]"),
    (body("for i in range(0):\n    x = z\na[0, 0] = x", ARRAYS), KernelNameError, "may not have a value", "x"),
    (
        body("for i in range(3):\n    if n > i:\n        continue\n    x = z\na[0, 0] = x", ARRAYS),
        KernelNameError, "may not have a value", "x",
    ),
    (
        body("for i in range(3):\n    if n > i:\n        break\n    x = z\na[0, 0] = x", ARRAYS),
        KernelNameError, "may not have a value", "x",
    ),
    (body("for i in range(3):\n    x = z\na[i, 0] = x", ARRAYS), KernelNameError, "may not have a value", "i"),
    # ------------------------------------------------------------------------------------------- what loops go over
    (body("for r[0] in a:\n    x = z", ARRAYS), KernelSyntaxError, "the variables of a loop are names", "r[0]"),
    (body("for x, n in a:\n    y = z", ARRAYS), KernelNameError, "the name n is taken", "x, n"),
    (body("for x, y in a:\n    y = z", ARRAYS), KernelTypeError, "a row of the array a cannot be unpacked", "a"),
    (body("for x in z:\n    y = z", ARRAYS), KernelTypeError, "a loop goes over range(...), arrays, vectors and", "z"),
    (
        body("for x in (1.0, vec3(z)):\n    if z > 0.0:\n        break", ARRAYS),
        KernelTypeError, "a tuple whose entries have one type; these differ", "(1.0, vec3(z))",
    ),
    (body("for x in enumerate():\n    y = z", ARRAYS), KernelTypeError, "write enumerate(items)", "enumerate()"),
    (body("for x in enumerate(a, by=1):\n    y = z", ARRAYS), KernelTypeError, "write enumerate(items)", ""),
    (body("for x in zip():\n    y = z", ARRAYS), KernelTypeError, "zip takes one or more things", "zip()"),
    (body("for x in zip(a, b, strict=True):\n    y = z", ARRAYS), KernelTypeError, "things of one length", ""),
    (body("for x in zip(a, b, by=True):\n    y = z", ARRAYS), KernelTypeError, "the only keyword of zip", ""),
    (body("for x in reversed(a, b):\n    y = z", ARRAYS), KernelTypeError, "reversed takes one thing", ""),
    (body("for x in grid():\n    y = z", ARRAYS), KernelTypeError, "grid takes lengths and ranges", "grid()"),
    (body("for x in grid(n, by=2):\n    y = z", ARRAYS), KernelTypeError, "grid takes lengths and ranges", ""),
    (body("for i, j in grid(n, z):\n    y = z", ARRAYS), KernelTypeError, "range takes integers, not f32", "z"),
    (body("for i, j in grid(n, n, n):\n    y = z", ARRAYS), KernelTypeError, "3 values for 2 targets", ""),
    (body("x = enumerate(a)", ARRAYS), KernelSyntaxError, "enumerate may only be used in `for i, x in", ""),
    (body("for k in unroll((1, 2)):\n    for k in range(n):\n        x = 1", ARRAYS), KernelNameError, "taken", "k"),
    (body("for x in unroll(a):\n    y = z", ARRAYS), KernelTypeError, "how often a loop is unrolled is known", ""),
    (body("if a[0]:\n    z = 1.0", ARRAYS), KernelTypeError, "expected a number, found a row of", "a[0]"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "error", "message", "marked"), WRONG, ids=[w[0].splitlines()[-1] for w in WRONG])
def test_wrong_rows(tmp_path: Path, source: str, error: type[KernelError], message: str, marked: str) -> None:
    module = load(tmp_path, HELPERS + source)
    with pytest.raises(error) as caught:
        compile_kernel(module)
    assert message in str(caught.value)
    *_, line, caret = str(caught.value).splitlines()
    start = caret.index("^")
    assert line[start : start + caret.count("^")] == marked or not marked
