"""Wrong kernels: each gets one of our errors, with the file, the line, and a caret under what is wrong."""

from __future__ import annotations

import importlib.util
import textwrap
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

from krnlpy.dsl.frontend.receiver import Receiver
from krnlpy.dsl.frontend.syntax import functions as frontend
from krnlpy.errors import KernelError, KernelNameError, KernelSyntaxError, KernelTypeError
from krnlpy.kernels.objects import Objects
from krnlpy.scalar import SCALAR_TYPES

HEADER = """
import math
from typing import TypeVar
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Out, Spec
from krnlpy.scalar import bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64
from krnlpy.dsl import barrier, exp, global_id, group_array, item_id, local_array, subgroup_add, thread_id, unroll
from krnlpy.dsl.frontend.syntax.functions import func
T = TypeVar("T", f32, bf16)
"""

_modules = count()


def load(tmp_path: Path, source: str) -> ModuleType:
    """A module from source text, as a user's file."""
    path = tmp_path / f"wrong_{next(_modules)}.py"
    path.write_text(HEADER + textwrap.dedent(source))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compile_kernel(module: ModuleType) -> None:
    signature = frontend.read_signature(module.kernel)
    types = {v: (v.__constraints__ or SCALAR_TYPES)[0] for v in signature.type_variables}
    receiver = None
    if signature.receiver:
        objects = Objects(module.instance, signature.receiver)
        receiver = Receiver(objects.root, objects.look)
    frontend.lower(signature, types, (64, 1, 1), receiver=receiver)


ON = "x: Item[f32], on: ItemMut[bool], n: GlobalMut[i32]"


def body(statements: str, parameters: str = "x: Item[f32], y: ItemMut[f32], a: GlobalMut[f32], n: i32, m: u32") -> str:
    return f"def kernel({parameters}):\n" + textwrap.indent(textwrap.dedent(statements).strip("\n"), "    ") + "\n"


# What is wrong, the error's class, a part of its message, and the text that the caret marks.
WRONG: list[tuple[str, type[KernelError], str, str]] = [
    (body("y = x + undefined_name"), KernelNameError, "undefined_name is not defined", "undefined_name"),
    (body("if n > 0:\n    v = 1.0\ny = v"), KernelNameError, "may not have a value here", "v"),
    (body("for k in range(n):\n    v = 1.0\ny = v"), KernelNameError, "may not have a value", "v"),
    (body("y = math.nothing(x)"), KernelNameError, "math has no nothing", "math.nothing"),
    (body("y = x * i64(n)"), KernelTypeError, "* of f32 and i64", "x * i64(n)"),
    (body("y = f32(n + m)"), KernelTypeError, "+ of i32 and u32", "n + m"),
    (body("y = f32(i64(n) * 0.5)"), KernelTypeError, "convert the i64 first", "0.5"),
    (body("y = f32(n / 2)"), KernelTypeError, "write // for a whole result", "n / 2"),
    (body("t = 0\nt = 2.5"), KernelTypeError, "t, which is i32 since line 10; begin it there with a type that", "2.5"),
    (body("t = 0\nt = 2.5"), KernelTypeError, "holds both: t = 0.0; i32(...) truncates it", "2.5"),
    (body("t = x\nt = f64(x)"), KernelTypeError, "type f64 does not fit t, which is f32 since line 10", "f64(x)"),
    (body("t = x\nt = f64(x)"), KernelTypeError, "holds both: t = f64(...)", "f64(x)"),
    (body("t = 0.0\nt = abs(f64(x))"), KernelTypeError, "holds both: t = f64(0.0)", "abs(f64(x))"),
    (body("t = 0.0\nt = i64(n)"), KernelTypeError, "holds both: t = f64(0.0)", "i64(n)"),
    (body("t = 2\nt = x"), KernelTypeError, "holds both: t = 2.0; i32(...) truncates it", "x"),
    (body("t = 2\nt += x"), KernelTypeError, "holds both: t = 2.0; i32(...) truncates it", "t += x"),
    (body("t = n\nt = x"), KernelTypeError, "holds both: t = f32(...); i32(...) truncates it", "x"),
    (body("t = 0\nt = m"), KernelTypeError, "holds both: t = u32(0)", "m"),
    (body("t = n\nt = m"), KernelTypeError, "holds both: t = i64(...)", "m"),
    (body("t = i64(n)\nt = x"), KernelTypeError, "holds both: t = f64(...); i64(...) truncates it", "x"),
    (body("t = 1\nt = 0.5 if n > 0 else 1.5"), KernelTypeError, "holds both: t = 1.0", "0.5 if n > 0 else 1.5"),
    (body("y = n + m"), KernelTypeError, "convert the u32: i32(...) if it is below 2**31, else i64(...)", "n + m"),
    (body("y = i64(n) + u64(m)"), KernelTypeError, "convert the u64: i64(...) if it is below 2**63", "i64(n) + u64(m)"),
    (body("y = i64(n) / 2"), KernelTypeError, "write // for a whole result, or convert first: f64(...)", "i64(n) / 2"),
    (body("x = 2.0"), KernelTypeError, "x is read only; declare it ItemMut[f32]", "x"),
    (body("n = 2"), KernelTypeError, "the parameter n cannot be assigned", "n"),
    (body("a = 2.0"), KernelTypeError, "index it: a[i] = ...", "a"),
    (body("y = x[0]"), KernelTypeError, "x is an item, one element", "x"),
    (body("y = a[1.5]"), KernelTypeError, "an index must be an integer", "1.5"),
    (body("t = local_array(f32, 4)\ny = t[-5]"), KernelTypeError, "index -5 is out of range", "-5"),
    (body("y = a[0, 1]"), KernelTypeError, "a has 1 dimensions, indexed with 2", "a[0, 1]"),
    (body("y = a[0:2]"), KernelTypeError, "expected a number, found a slice of the array a", "a[0:2]"),
    (body("y = a"), KernelTypeError, "expected a number, found the array a", "a"),
    (body("y = f64(x)"), KernelTypeError, "does not fit y, which holds f32", "f64(x)"),
    (body("y = x & 1"), KernelTypeError, "& needs integers or truth values", "x & 1"),
    (body("y = x << 1"), KernelTypeError, "shifts need integers", "x << 1"),
    (body("y = ~x"), KernelTypeError, "~ needs an integer", "~x"),
    (body("y = n ** -1"), KernelTypeError, "no negative powers", "n ** -1"),
    (body("y = x ** i64(n)"), KernelTypeError, "** of f32 and i64", "x ** i64(n)"),
    (body("y = 1.0 if x is n else 2.0"), KernelSyntaxError, "have `is` between types and None only", "x is n"),
    (body("y = exp(i64(n))"), KernelTypeError, "exp needs an f32 or f64, not i64", "exp(i64(n))"),
    (body("y = exp(x, x)"), KernelTypeError, "exp takes 1 argument", "exp(x, x)"),
    (body("y = sorted(x)"), KernelTypeError, "sorted cannot be called from a kernel", "sorted(x)"),
    (body("abs(x)"), KernelSyntaxError, "its value is not used", "abs(x)"),
    (body("try:\n    y = x\nexcept ValueError:\n    pass"), KernelSyntaxError, "no exceptions", "try:"),
    (body("with n:\n    pass"), KernelSyntaxError, "no with statement", "with n:"),
    (body("y = (lambda q: q)(x)"), KernelSyntaxError, "define a function with @func", "lambda q: q"),
    (body("y = [x for i in range(3)]"), KernelTypeError, "expected a number, found a list", "[x for i in range(3)]"),
    (body("y = 'text'"), KernelSyntaxError, "no str values", "'text'"),
    (body("import os"), KernelSyntaxError, "import at the top of the module", "import os"),
    (body("def inner():\n    pass"), KernelSyntaxError, "define it outside with @func", "def inner():"),
    (body("for v in n:\n    y = x"), KernelTypeError, "a loop goes over range(...), arrays, vectors and", "n"),
    (body("for v in range(1, 9, 0):\n    y = x"), KernelTypeError, "must not be 0", "range(1, 9, 0)"),
    (body("for v in range(x):\n    y = x"), KernelTypeError, "range takes integers, not f32", "range(x)"),
    (
        body("for v in unroll(range(4)):\n    if x > 0.0:\n        break"),
        KernelSyntaxError,
        "break in an unrolled loop",
        "break",
    ),
    (body("return x"), KernelTypeError, "a kernel returns nothing", "return x"),
    (body("barrier()"), KernelSyntaxError, "no groups of its own", "barrier()"),
    (body("y = i64(item_id())"), KernelTypeError, "does not fit y", "i64(item_id())"),
    (body("a[0] = f32(item_id())", "a: GlobalMut[f32]"), KernelTypeError, "needs a kernel with Item", "item_id()"),
    (body("t = local_array(f32, (n,))"), KernelTypeError, "constants and Spec values", "n"),
    (body("if n > 0:\n    t = group_array(f32, 4)"), KernelSyntaxError, "at the top of the", "group_array(f32, 4)"),
    (body("t = local_array(f32, 4)\ny = t[4]"), KernelTypeError, "out of range: t has length 4", "4"),
    (body("t = local_array(f32, 0)"), KernelTypeError, "at least 1", "0"),
    (body("y = global_id(3)"), KernelTypeError, "takes an axis: 0, 1 or 2", "global_id(3)"),
    (body("y = global_id(1.0)"), KernelTypeError, "takes an axis: 0, 1 or 2", "global_id(1.0)"),
    (body("p, q = 1.0, 2.0, 3.0\ny = p"), KernelTypeError, "3 values for 2 targets", "1.0, 2.0, 3.0"),
    (body("v: u8 = 300\ny = x"), KernelTypeError, "300 does not fit u8", "300"),
    (body("on = x", ON), KernelTypeError, "of type f32 does not fit on, which holds bool; write bool(...)", "x"),
    (body("on = 1", ON), KernelTypeError, "the number 1 is not of type bool; write bool(1)", "1"),
    (body("on += 1", ON), KernelTypeError, "a value of type i32 does not fit on, which holds bool", "on += 1"),
    (body("on = on < True", ON), KernelTypeError, "truth values are not ordered", "on < True"),
    (body("n[on] = 1", ON), KernelTypeError, "an index must be an integer, this is bool; write i32(...)", "on"),
    (body("n[0] = on", ON), KernelTypeError, "a value of type bool does not fit n, which holds i32", "on"),
    (body("for v in range(on):\n    n[v] = 1", ON), KernelTypeError, "range takes integers, not bool", "range(on)"),
    (body("v = u8(n) + 256\ny = x"), KernelTypeError, "256 does not fit u8", "256"),
    (body("y = 1e39"), KernelTypeError, "too large for f32", "1e39"),
    (body("y = x if x < i64(n) else 0.0"), KernelTypeError, "comparison of f32 and i64", "x < i64(n)"),
    (body("y = subgroup_add(x)"), KernelSyntaxError, "a kernel with items has no groups", "subgroup_add(x)"),
    (body("pass", "x"), KernelTypeError, "parameter x has no annotation", "x"),
    (body("pass", "x: float"), KernelTypeError, "float has no width here; write i32 or f32", "float"),
    (body("pass", "x: 'Missing'"), KernelNameError, "Missing of this annotation is not defined", "'Missing'"),
    (body("pass", "*x: f32"), KernelSyntaxError, "plain parameters only", "x: f32"),
    (body("pass", "x: Item[f32] = 1"), KernelTypeError, "a buffer has no default", "x: Item[f32]"),
    (
        "@func\ndef again(v: f32):\n    return again(v)\n" + body("y = again(x)"),
        KernelSyntaxError, "kernels have no recursion", "again(v)",
    ),
    (
        "@func\ndef partial(v: f32):\n    if v > 0:\n        return v\n" + body("y = partial(x)"),
        KernelTypeError, "may end without a value", "def partial(v: f32):",
    ),
    (
        "@func\ndef two(v: f32):\n    if v > 0:\n        return 1\n    return v\n" + body("y = two(x)"),
        KernelTypeError, "the function's result, which is i32", "return v",
    ),
    (
        "@func\ndef one(v: f32):\n    return v\n" + body("y = one()"),
        KernelTypeError, "one lacks an argument for v", "one()",
    ),
    (
        "def plain(v):\n    return v\n" + body("y = plain(x)"),
        KernelTypeError, "decorate a function with @func", "plain(x)",
    ),
    (
        "import krnlpy\n@krnlpy.kernel\ndef other(v: ItemMut[f32]):\n    v = 1.0\n" + body("other(x)"),
        KernelTypeError, "other is a kernel, which is launched from Python; put what it does", "other(x)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("source", "error", "message", "marked"), WRONG, ids=[w[2][:40] or "none" for w in WRONG])
def test_wrong_kernel(tmp_path: Path, source: str, error: type[KernelError], message: str, marked: str) -> None:
    module = load(tmp_path, source)
    with pytest.raises(error) as raised:
        compile_kernel(module)
    text = str(raised.value)
    assert message in text
    head, line, caret = text.splitlines()
    assert head.startswith(f"{module.__file__}:{raised.value.line}: ")
    first = caret.index("^")
    assert caret.strip() == "^" * len(marked)
    assert line[first : first + len(marked)] == marked


def test_caret_counts_characters_not_bytes(tmp_path: Path) -> None:
    module = load(tmp_path, body('"é" ; y = x + nowhere'))
    with pytest.raises(KernelNameError) as raised:
        compile_kernel(module)
    _, line, caret = str(raised.value).splitlines()
    assert line[caret.index("^") :].startswith("nowhere")


def test_a_kernel_without_source_text() -> None:
    scope: dict[str, object] = {}
    exec("def kernel(): pass", scope)
    with pytest.raises(KernelSyntaxError, match="define it in a file or a notebook cell"):
        frontend.read_signature(scope["kernel"])


def test_lambda_is_no_kernel() -> None:
    with pytest.raises(KernelSyntaxError, match="defined by def"):
        frontend.read_signature(lambda: None)
