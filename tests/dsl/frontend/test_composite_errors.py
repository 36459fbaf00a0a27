"""Wrong uses of vectors, matrices, structs, tuples, functions and loops: the exact message and what it points at."""

from __future__ import annotations

from pathlib import Path

import pytest

from krnlpy.errors import KernelError, KernelNameError, KernelSyntaxError, KernelTypeError

from .test_kernel_errors import body, compile_kernel, load

HELPERS = """
from dataclasses import dataclass
from krnlpy.dsl import FixedArray, Matrix, Vector, cross, determinant, dot, mat2, normalize, polar, quat_inverse
from krnlpy.dsl import subgroup_add, trace, unroll, vec2, vec3, vec4
from krnlpy.dsl.types.annotations import Global

@dataclass
class Body:
    position: vec3
    mass: f32

@func
def put(values: GlobalMut[f32], i, v):
    values[i] = v

@func
def read(values: Global[i32]):
    return values[0]

@func
def nothing(v):
    return

@func
def mixed(v):
    if v > 0:
        return
    return v

@func
def mixed_back(v):
    if v > 0:
        return v
    return

@func
def waits(v):
    if v > 0.0:
        return v
    barrier()
    return v
"""

WRONG: list[tuple[str, type[KernelError], str, str]] = [
    (body("v = vec3(1.0, 2.0)"), KernelTypeError, "Vector[f32, 3] has 3 elements, 2 given", "vec3(1.0, 2.0)"),
    (
        body("v = vec3(1, 2, i64(n))"),
        KernelTypeError,
        "a value of type i64 does not fit an element",
        "vec3(1, 2, i64(n))",
    ),
    (body("v = vec2(1)\ny = v.z"), KernelNameError, "Vector[f32, 2] has the components x, y and their", "v.z"),
    (body("v = vec2(1)\ny = v[2]"), KernelTypeError, "index 2 is out of range: there are 2 elements", "v[2]"),
    (body("v = vec2(1)\ny = v[x]"), KernelTypeError, "an index must be an integer, this is f32", "x"),
    (body("v = vec2(1)\nv.xx = v"), KernelTypeError, "xx names a component twice", "v.xx"),
    (body("v = vec2(1)\ny = v"), KernelTypeError, "expected a number, found Vector[f32, 2]", "v"),
    (body("v = vec2(1)\nv = vec3(1)"), KernelTypeError, "Vector[f32, 3] does not fit this variable", "vec3(1)"),
    (body("v = vec2(1) + vec3(1)"), KernelTypeError, "their shapes differ", "vec2(1) + vec3(1)"),
    (
        body("v = vec2(1) if x > 0 else 1.0"),
        KernelTypeError,
        "they are of different types",
        "vec2(1) if x > 0 else 1.0",
    ),
    (body("if vec2(1) > 0.0:\n    y = x"), KernelTypeError, "neither true nor false; write any", "vec2(1) > 0.0"),
    (body("y = dot(vec2(1), 2.0)"), KernelTypeError, "dot takes a vector, not the number 2.0", "dot(vec2(1), 2.0)"),
    (body("y = dot(vec2(1), vec3(2))"), KernelTypeError, "their lengths differ", "dot(vec2(1), vec3(2))"),
    (body("v = cross(vec2(1), vec2(2))"), KernelTypeError, "cross needs vectors of three", "cross(vec2(1), vec2(2))"),
    (
        body("v = normalize(Vector[i32, 2](1, 2))"),
        KernelTypeError,
        "normalize needs floats",
        "normalize(Vector[i32, 2](1, 2))",
    ),
    (body("v = Vector[f32, 17](1)"), KernelTypeError, "a length of 2 to 16", "Vector[f32, 17]"),
    (body("v = Vector[f32, 5](1)\ny = v.x"), KernelNameError, "has components by number, v[0], not x", "v.x"),
    (
        body("v = quat_inverse(vec3(1))"),
        KernelTypeError,
        "quat_inverse takes a vector of four floats there, not",
        "vec3(1)",
    ),
    (body("m = polar(vec3(1))"), KernelTypeError, "polar takes a matrix of 2 x 2 or 3 x 3 floats, not Vector", ""),
    (body("v = vec3(1)\ny = v[n:].x"), KernelTypeError, "is by whole numbers known while compiling", "n:"),
    (body("v = vec3(1)\nv[::0] = v"), KernelTypeError, "the step of a slice must not be 0", "::0"),
    (body("v = vec3(1)\nv = v[2:]"), KernelTypeError, "two elements or more, this has 1 of Vector", "2:"),
    (body("q = mat2(1)\nq = q[:2]"), KernelTypeError, "Matrix[f32, 2, 2] has no slices", ":2"),
    (body("q = FixedArray[f32, 2](1, 2, 3)"), KernelTypeError, "FixedArray[f32, 2] has 2 elements, 3 given", ""),
    (body("q = FixedArray[f32, 2](1)\ny = q[0, 1]"), KernelTypeError, "has fewer axes than 2", "q[0, 1]"),
    (body("q = FixedArray[f32, 2](1)\nq[0, 1] = x"), KernelTypeError, "has fewer axes than 2", "q[0, 1]"),
    (body("y = x @ x"), KernelTypeError, "it takes vectors and matrices", "x @ x"),
    (body("m = mat2(1, 2, 3, 4) @ vec3(1)"), KernelTypeError, "shapes do not fit", "mat2(1, 2, 3, 4) @ vec3(1)"),
    (body("y = determinant(Matrix[f32, 2, 3](1, 2, 3, 4, 5, 6))"), KernelTypeError, "as many rows as columns", ""),
    (body("y = trace(vec3(1))"), KernelTypeError, "takes a matrix", ""),
    (body("q = mat2(1, 2, 3, 4)\ny = q.U"), KernelNameError, "has T, shape and elements", "q.U"),
    (body("b = Body(vec3(1))"), KernelTypeError, "Body lacks a value for mass", "Body(vec3(1))"),
    (body("b = Body(vec3(1), 2.0, size=3)"), KernelTypeError, "Body has no field size, or it is given twice", "size=3"),
    (body("b = Body(vec2(1), 2.0)"), KernelTypeError, "Vector[f32, 2] does not fit Body.position", ""),
    (body("b = Body(vec3(1), 2.0)\ny = b.size"), KernelNameError, "Body has no size; it has position, mass", "b.size"),
    (body("b = Body(vec3(1), 2.0)\nb.size = 1.0"), KernelNameError, "Body has no size to assign", "b.size"),
    (body("b = Body(vec3(1), 2.0)\nc = b + b"), KernelTypeError, "+ of Body and Body", "b + b"),
    (
        body("b = Body(vec3(1), 2.0)\ny = b < b"),
        KernelTypeError,
        "have no such comparison; structs and tuples of one type have == and !=",
        "b < b",
    ),
    (body("t = (x, n)\ny = t[n]"), KernelTypeError, "a tuple is indexed by a constant", "t[n]"),
    (body("t = (x, n)\na1, b1, c1 = t"), KernelTypeError, "2 values for 3 targets", "t"),
    (body("t = (x, n)\nt = (x, n, n)"), KernelTypeError, "does not fit this variable", "(x, n, n)"),
    (body("t = ()"), KernelTypeError, "an empty tuple is not a value in kernels", "()"),
    (body("a1, *b1 = x, x"), KernelSyntaxError, "no starred targets", "a1, *b1"),
    # ------------------------------------------------------------------------------------------------- functions
    (body("put(x, 0, x)"), KernelTypeError, "the parameter values of put is an array; this is f32", "x"),
    (
        body("t = local_array(i32, 4)\nput(t, 0, x)"),
        KernelTypeError,
        "is GlobalMut[f32, 1]; the array t is GlobalMut[i32, 1]",
        "",
    ),
    (body("y = nothing(x)"), KernelTypeError, "nothing returns nothing: it has no value here", "nothing(x)"),
    (body("nothing(x)\ny = mixed(x)"), KernelTypeError, "this function returns nothing elsewhere", "return v"),
    (body("y = mixed_back(x)"), KernelTypeError, "this function returns f32 elsewhere", "return"),
    (
        body("a[0] = waits(a[1])", "a: GlobalMut[f32]"),
        KernelSyntaxError,
        "return at its end only, not under a condition",
        "return v",
    ),
    # ----------------------------------------------------------------------------------------------------- loops
    (
        body("for v in unroll(range(n)):\n    y = x"),
        KernelTypeError,
        "how often a loop is unrolled is known while compiling",
        "",
    ),
    (body("for v in unroll(range(2000)):\n    y = x"), KernelTypeError, "more than 1024 iterations", ""),
    (
        body("for v in unroll(n):\n    y = x"),
        KernelTypeError,
        "a loop goes over range(...), arrays, vectors and tuples; this is i32",
        "n",
    ),
    (body("for v in unroll(range(3)):\n    v = 2"), KernelTypeError, "v is known while compiling", ""),
    (body("y = unroll(range(3))"), KernelSyntaxError, "unroll may only be used in `for i in unroll(range(...))`", ""),
    (body("if x > 0 and (k := n) > 1:\n    y = x\ny = f32(k)"), KernelNameError, "k may not have a value", "k"),
    (
        body("for i in range(n):\n    k = i\n    if k > 2:\n        break\ny = f32(k)"),
        KernelNameError,
        "k may not",
        "k",
    ),
]


@pytest.mark.parametrize(("source", "error", "message", "marked"), WRONG, ids=[w[2][:40] for w in WRONG])
def test_wrong_kernel(tmp_path: Path, source: str, error: type[KernelError], message: str, marked: str) -> None:
    module = load(tmp_path, HELPERS + source)
    with pytest.raises(error) as raised:
        compile_kernel(module)
    text = str(raised.value)
    assert message in text
    _, line, caret = text.splitlines()
    first = caret.index("^")
    if marked:
        assert line[first : first + len(caret.strip())] == marked
