"""The rest of the catalogue of wrong kernels; and that every sentence of the frontend stands in one."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from krnlpy import dsl
from krnlpy.errors import KernelError, KernelNameError, KernelSyntaxError, KernelTypeError, SourceError

from . import (
    test_atomics_errors,
    test_composite_errors,
    test_derivative_errors,
    test_kernel_errors,
    test_literal_errors,
    test_math_errors,
    test_method_errors,
    test_row_errors,
    test_subgroup_errors,
)
from .test_kernel_errors import body, compile_kernel, load

HELPERS = """
from dataclasses import dataclass
from krnlpy.dsl import mat2, transpose, unroll, vec2, vec3, Vector

FLAGS = {"on": True}
U = TypeVar("U", i32, u32)
V = TypeVar("V")

@func
def integer(v: U):
    return v

@func
def of_item(v: Item[f32]):
    return 1.0

@func
def pair(a, b=1.0):
    return a + b

@func
def meets(v):
    barrier()
    return v

@func
def shares(v):
    tile = group_array(f32, 4)
    return v

@dataclass
class Body:
    position: vec2
    mass: f32
"""

BYTES = "x: Item[i32], y: ItemMut[u8]"

WRONG: list[tuple[str, type[KernelError], str, str]] = [
    # ---------------------------------------------------------------------------------------------- assignments
    (body("a[0]: f32 = x"), KernelSyntaxError, "only variables are annotated", "f32"),
    (body("v: f32\ny = x"), KernelSyntaxError, "a variable gets a value where it is annotated", "v: f32"),
    (body("v = 1.0\nv: i32 = 2"), KernelTypeError, "v is f32 since line", "i32"),
    (body("v: n = 2"), KernelTypeError, "expected a type such as f32, found i32", "n"),
    (body("v: float = 2.0"), KernelTypeError, "float has no width here; write i32 or f32", "float"),
    (body("t = local_array(f32, 4)\nt = x"), KernelTypeError, "the array t cannot be assigned; index it", "t"),
    (
        body("t = local_array(f32, k)\nt += x", "x: Item[f32], y: ItemMut[f32], k: Spec[i32]"),
        KernelTypeError, "the array t cannot be assigned; index it", "t",
    ),
    (body("n: i32 = 2"), KernelNameError, "the name n is taken", "n"),
    (body("v.x = 1.0"), KernelNameError, "the variable v has no value to change", "v"),
    (body("y.w = 1.0"), KernelTypeError, "a value of type f32 has no parts to assign", "y.w"),
    (body("v = vec2(x)\nv.q = x"), KernelNameError, "Vector[f32, 2] has no component q", "v.q"),
    (body("v = x\nv[0] = x"), KernelTypeError, "f32 cannot be indexed", "v"),
    (body("v = vec2(x)\nv.x[0] = x"), KernelTypeError, "a value of type f32 has no elements to assign", "v.x[0]"),
    (body("v = vec2(x)\nv[0, 1] = x"), KernelTypeError, "Vector[f32, 2] takes one index", "v[0, 1]"),
    (body("t = (x, n)\nt[n] = x"), KernelTypeError, "a tuple is indexed by a constant", "t[n]"),
    (body("v = vec2(x)\nv[2] = x"), KernelTypeError, "index 2 is out of range: there are 2 elements", "v[2]"),
    (body("p, q = x"), KernelTypeError, "f32 cannot be unpacked", "x"),
    (body("*p, = x, x"), KernelSyntaxError, "no starred targets", "*p,"),
    # --------------------------------------------------------------------------------------------------- arrays
    (body("t = local_array(f32, f32(2))"), KernelTypeError, "the size of an array is an integer, not f32", "f32(2)"),
    (body("t = local_array(f32)"), KernelTypeError, "write local_array(type, shape), for", "local_array(f32)"),
    (body("t = local_array(f32, (2, 2, 2, 2))"), KernelTypeError, "one to three dimensions", "(2, 2, 2, 2)"),
    (body("t = local_array(f32, 2.5)"), KernelTypeError, "the number 2.5 is not of type i32", "2.5"),
    (body("n = local_array(f32, 2)"), KernelNameError, "the name n is taken", "n"),
    (body("t = local_array(f32, 2)\nt = local_array(f32, 3)"), KernelTypeError, "another type or shape since line", ""),
    (body("t = group_array(f32, 2)"), KernelSyntaxError, "a kernel with items has no groups of its own, hence no", ""),
    (body("a[0] = shares(a[1])", "a: GlobalMut[f32]"), KernelSyntaxError, "group arrays are declared in kernels", ""),
    (body("y = a[vec2(x)]"), KernelTypeError, "a has 1 dimensions, indexed with 2", "a[vec2(x)]"),
    (body("y = a[a]"), KernelTypeError, "expected a number, found the array a", "a"),
    (body("y = a[-3000000000]"), KernelTypeError, "-3000000000 does not fit i32", "-3000000000"),
    (body("y = a[i64(-3000000000)]"), KernelTypeError, "index -3000000000 is out of range", "i64(-3000000000)"),
    (
        body("a[vec2(1), 0] = 1.0", "a: GlobalMut[f32, 2]"),
        KernelTypeError, "an index must be an integer, this is Vector[f32, 2]", "vec2(1)",
    ),
    (body("y = a.length"), KernelNameError, "arrays have shape, ndim, size and dtype, not length", "a.length"),
    (body("y = f32(a.shape[x])"), KernelTypeError, "an index must be an integer", "x"),
    (body("y = f32(a.shape[1])"), KernelTypeError, "index 1 is out of range: there are 1 entries", "1"),
    (body("y = x.real"), KernelTypeError, "f32 has no attributes in kernels", "x.real"),
    # ------------------------------------------------------------------------------------------------ operators
    (body("y = -(x > 0)"), KernelTypeError, "a truth value has no sign", "-(x > 0)"),
    (body("if (x > 0) < (n > 0):\n    y = x"), KernelTypeError, "truth values are not ordered", "(x > 0) < (n > 0)"),
    (body("y = 1 / 0"), KernelTypeError, "1 and 0: division by zero", "1 / 0"),
    (body("y = (-8) ** 0.5"), KernelTypeError, "is not a number that kernels have", "(-8) ** 0.5"),
    (body("y = ~1.5"), KernelTypeError, "~ needs an integer or a truth value", "~1.5"),
    (body("if f32 < i32:\n    y = x"), KernelTypeError, "cannot be ordered", "f32 < i32"),
    (body("v: u8 = True"), KernelTypeError, "the number True is not of type u8; write u8(True)", "True"),
    (body("y = f32(V(0))"), KernelTypeError, "no parameter of the kernel says what the type V is", "V"),
    # ---------------------------------------------------------------------------------------------------- calls
    (body("y = x(1)"), KernelTypeError, "a value of type f32 cannot be called", "x"),
    (body("y = max(*x)"), KernelTypeError, "* takes a tuple, a list or a vector, whose length is known, not f32", "*x"),
    (body("y = exp(x=x)"), KernelSyntaxError, "only @func functions take keyword arguments", "exp(x=x)"),
    (body("y = abs(x > 0)"), KernelTypeError, "abs of a truth value", "abs(x > 0)"),
    (body("y = min(x)"), KernelTypeError, "min takes two or more values", "min(x)"),
    (body("y = f32(min(x > 0, n > 0))"), KernelTypeError, "min of truth values; write and / or", "min(x > 0, n > 0)"),
    (body("k = range(3)"), KernelSyntaxError, "range may only be used in `for i in range(...)`", "range(3)"),
    (body("y = len(a, a)"), KernelTypeError, "len takes 1 argument(s), 2 given", "len(a, a)"),
    (body("y = pair(x, x, x)"), KernelTypeError, "pair takes 2 arguments, 3 given", "pair(x, x, x)"),
    (body("y = pair(x, a=x)"), KernelTypeError, "pair has no parameter a, or it is given twice", "a=x"),
    (body("y = pair(FLAGS, x)"), KernelTypeError, "{'on': True} cannot be passed to a function", "FLAGS"),
    (body("y = f32(integer(x))"), KernelTypeError, "f32 is not one of the types of U", "v: U"),
    (body("y = of_item(x)"), KernelTypeError, "functions take values, annotated by their type, and arrays", ""),
    (body("y = meets(x)"), KernelSyntaxError, "no groups of its own, hence no barriers", "barrier()"),
    (body("barrier(1)", "a: GlobalMut[f32]"), KernelTypeError, "barrier takes no arguments", "barrier(1)"),
    # ---------------------------------------------------------------------------------------------------- loops
    (body("for i, j in range(3):\n    y = x"), KernelTypeError, "i32 cannot be unpacked", "range(3)"),
    (body("for n in range(3):\n    y = x"), KernelNameError, "the name n is taken", "n"),
    (body("for n in unroll(range(3)):\n    y = x"), KernelNameError, "the name n is taken", "n"),
    (body("for k in range():\n    y = x"), KernelTypeError, "range takes one to three numbers", "range()"),
    (body("for k in unroll(range()):\n    y = x"), KernelTypeError, "range takes one to three numbers", "range()"),
    (body("for k in unroll(range(1, 3, 0)):\n    y = x"), KernelTypeError, "the step of a range must not be 0", ""),
    (body("k = 1\nfor k in unroll((1, 2.5)):\n    y = x"), KernelTypeError, "2.5 does not fit k, which is i32", ""),
    (body("y = 1 if x > 2 else 300", BYTES), KernelTypeError, "300 does not fit u8", "300"),
    (body("y = 1 if x > 2 else 0.5", BYTES), KernelTypeError, "the number 0.5 does not fit y, which holds u8", ""),
    (body("y += 1 if x > 2 else -1", BYTES), KernelTypeError, "-1 does not fit u8", "-1"),
    (body("y = i32(1) if x > 2 else i32(0)", BYTES), KernelTypeError, "a value of type i32 does not fit y", ""),
    (body("y = y + (1 if x > 2 else 0.5)", BYTES), KernelTypeError, "a value of type f32 does not fit y", ""),
    (body("for k in unroll():\n    y = x"), KernelTypeError, "unroll takes a range, a tuple", "unroll()"),
    (body("k = 2.5\nfor k in range(3):\n    y = x"), KernelTypeError, "k is f32 since line", "k"),
    # --------------------------------------------------------------------------------------- vectors, matrices
    (body("v = Vector[f32, n](x)"), KernelTypeError, "Vector[...] takes a type and constants", "Vector[f32, n]"),
    (body("q = mat2(1, 2, 3, 4)\ny = q[0, 0, 0]"), KernelTypeError, "is indexed by row and column: m[i, j]", ""),
    (body("v = vec2(x)\ny = v[0, 0]"), KernelTypeError, "Vector[f32, 2] cannot be indexed like this", "v[0, 0]"),
    (body("b = Body(vec2(x), x, x)"), KernelTypeError, "Body has 2 fields, 3 given", "Body(vec2(x), x, x)"),
    (body("t = (x, n)\nt = -t"), KernelTypeError, "has no sign and no bits; take its parts", "-t"),
    (body("v = not vec2(x)"), KernelTypeError, "neither true nor false", "not vec2(x)"),
    (body("v = vec2(x=x, y=y)"), KernelTypeError, "takes its elements by position, not by name", ""),
    (body("v = exp((x, n))"), KernelTypeError, "expected a number, found a tuple", ""),
    (body("v = max(vec2(x), vec3(x))"), KernelTypeError, "numbers, or vectors of one shape", ""),
    (body("m = transpose(x, x)"), KernelTypeError, "transpose takes 1 argument(s), 2 given", "transpose(x, x)"),
    (body("y = sum(x, x)"), KernelTypeError, "sum takes one vector or tuple", "sum(x, x)"),
    (body("y = sum(x)"), KernelTypeError, "sum takes a vector or a tuple of numbers, not f32", "sum(x)"),
    # -------------------------------------------------------------------------------- print, assert, breakpoint
    (body("print(x, file=n)"), KernelSyntaxError, "takes sep and end, not file", "file=n"),
    (body("print(*x)"), KernelSyntaxError, "kernels have no starred arguments", "*x"),
    (body("print(x, sep=n)"), KernelTypeError, "sep of print is a text that is known while compiling", "n"),
    (body("print(FLAGS)"), KernelTypeError, "cannot be printed as a number; print its elements", "FLAGS"),
    (body("print(f'{x:d}')"), KernelTypeError, "'d' does not format a value of type f32: Unknown format code 'd'", "x"),
    (body("print(f'{n:c}')"), KernelTypeError, "'c' does not format a value of type i32: numbers are", "n"),
    (body("print(f'{2:q}')"), KernelTypeError, "'q' does not format 2: Unknown format code 'q'", "2"),
    (body("y = print(x)"), KernelSyntaxError, "print may only be used as a statement of its own", "print(x)"),
    (body("assert x, f'{n:.2}'"), KernelTypeError, "'.2' does not format a value of type i32", "n"),
    (body("breakpoint(n)"), KernelTypeError, "breakpoint takes no arguments in a kernel", "breakpoint(n)"),
    # ---------------------------------------------------------------------------------------------- declarations
    (body("pass", "x: Item[f32], n: Spec[i32] = 'two'"), KernelTypeError, "the default 'two' is not a number", ""),
    (body("pass", "v: 'Spec[vec2]'"), KernelTypeError, "parameter v: Vector[f32, 2] is not a scalar type", ""),
    (body("pass", "x: 'f32.nothing'"), KernelTypeError, "the annotation f32.nothing cannot be evaluated", ""),
    (
        "def kernel(y: ItemMut[f32]) -> f32:\n    return y\n",
        KernelTypeError, "write its results to ItemMut, GlobalMut or Out parameters", "f32",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("source", "error", "message", "marked"), WRONG, ids=[w[2][:40] for w in WRONG])
def test_wrong_kernel(tmp_path: Path, source: str, error: type[KernelError], message: str, marked: str) -> None:
    module = load(tmp_path, HELPERS + source)
    with pytest.raises(error) as raised:
        compile_kernel(module)
    text = str(raised.value)
    assert message in text
    _, line, caret = text.splitlines()
    first = caret.index("^")
    assert not marked or line[first : first + len(caret.strip())] == marked


TESTED_ELSEWHERE = {
    "source.py": "test_sources.py",
    "function_info.py": "test_function_info.py",
    "cooperative.py": "conformance/test_cooperative.py",
    "breakpoints.py": "interpreter/test_debugger.py",
}
NEVER_SAID = {
    # Said of cooperative matrices, and tested with them.
    "{name} is no longer free for {cooperative.described(value)}",
    "the name {name} is taken; choose another",
    "a matrix of an array takes a matrix; this is {cooperative.described(value)}",
    "store returns nothing: it has no value here",
    # Said by the host alone, and tested with its groups.
    "which differs between the threads of a group; on the host, threads",
    # Python itself refuses such targets.
    "kernels assign to variables and to elements of arrays",
}
"""The beginnings of sentences that no kernel here brings about."""

CATALOGUES = {
    "": test_kernel_errors.WRONG,
    test_composite_errors.HELPERS: test_composite_errors.WRONG,
    test_atomics_errors.HELPERS: test_atomics_errors.WRONG,
    test_math_errors.HELPERS: test_math_errors.WRONG,
    HELPERS: WRONG,
    test_literal_errors.HELPERS: test_literal_errors.WRONG,
    test_subgroup_errors.HELPERS: test_subgroup_errors.WRONG,
    test_derivative_errors.HELPERS: test_derivative_errors.WRONG,
    test_method_errors.HELPERS: test_method_errors.WRONG,
    test_row_errors.HELPERS: test_row_errors.WRONG,
}


def raise_sites() -> Iterator[tuple[str, int, int, str]]:
    """File, first and last line, and text of each ``raise`` of a kernel's error in the frontend."""
    for file in sorted(Path(dsl.__file__).parent.rglob("*.py")):
        if file.name in TESTED_ELSEWHERE:
            continue
        text = file.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
                assert node.end_lineno is not None
                if issubclass(getattr(sys.modules["krnlpy.errors"], node.exc.func.id, object), KernelError):
                    yield str(file), node.lineno, node.end_lineno, ast.get_source_segment(text, node) or ""


def test_every_sentence_stands_in_a_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: set[tuple[str, int]] = set()
    construct = SourceError.__init__

    def recorded(self: SourceError, *arguments: object, **keywords: object) -> None:
        frame = sys._getframe(1)
        said.add((frame.f_code.co_filename, frame.f_lineno))
        construct(self, *arguments, **keywords)

    monkeypatch.setattr(SourceError, "__init__", recorded)
    for helpers, entries in CATALOGUES.items():
        for source, *_ in entries:
            with pytest.raises(KernelError):
                compile_kernel(load(tmp_path, helpers + source))
    missing = [
        f"{file}:{first}: {text}"
        for file, first, last, text in raise_sites()
        if not any((file, line) in said for line in range(first, last + 1))
        and not any(sentence in text for sentence in NEVER_SAID)
    ]
    assert not missing, "each sentence needs a wrong kernel in a catalogue:\n" + "\n".join(missing)
