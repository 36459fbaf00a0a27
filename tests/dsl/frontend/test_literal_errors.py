"""Wrong lists, tables of constants, and what else is known while compiling."""

from __future__ import annotations

from pathlib import Path

import pytest

from krnlpy.errors import KernelError, KernelNameError, KernelSyntaxError, KernelTypeError

from .test_kernel_errors import body, compile_kernel, load

HELPERS = """
import numpy as np
from krnlpy.dsl import atomic_add
W = np.array([1, 2, 3], np.float32)
EMPTY, WORDS, COMPLEX = np.zeros((0, 3)), np.array(["a"]), np.zeros(3, complex)
BIG = np.zeros((1000, 1000), np.float32)
DEEP = np.zeros((1,) * 9, np.int32)
LARGE = (1, 2**40)
RAGGED = ((1, 2), (3,))
ONES = [1, 2, 3]

@func
def summed(v):
    if v[0] > 1.0:
        return [1.0] * 99
    return [1.0] * 99

@func
def keywords(x, **others):
    return x
"""

WRONG: list[tuple[str, type[KernelError], str, str]] = [
    (body("W[n] = 1.0"), KernelTypeError, "W is a table, compiled in as it was", "W[n]"),
    (body("ONES[n] = 1"), KernelTypeError, "a list from outside, is a constant: nothing can be stored", "ONES"),
    (body("W[n] += 1.0"), KernelTypeError, "W is a table, compiled in as it was", "W[n]"),
    (body("atomic_add(W[n], 1.0)"), KernelTypeError, "W", "W[n]"),
    (body("y = W[3]"), KernelTypeError, "index 3 is out of range: W has length 3", "3"),
    (body("y = W[n, n]"), KernelTypeError, "W has 1 dimensions, indexed with 2", "W[n, n]"),
    (body("y = W[x]"), KernelTypeError, "an index must be an integer", "x"),
    (body("y = EMPTY[n, n]"), KernelTypeError, "has elements and 1 to 8 axes", "EMPTY"),
    (body("y = WORDS[n]"), KernelTypeError, "not of a type of kernels", "WORDS"),
    (body("y = COMPLEX[n]"), KernelTypeError, "array of complex128 of shape (3,), cannot be a table", "COMPLEX"),
    (body("y = DEEP[n]"), KernelTypeError, "1 to 8 axes", "DEEP"),
    (body("y = BIG[n, n]"), KernelTypeError, "4,000,000 bytes; a table has up to 1,048,576: hand it", "BIG[n, n]"),
    (body("y = f32(LARGE[n])"), KernelTypeError, "does not fit int32", "LARGE[n]"),
    (body("y = f32(a.shape[1.0])"), KernelTypeError, "an index must be an integer, this is the number 1.0", "1.0"),
    (body("y = f32(RAGGED[n])"), KernelTypeError, "", "RAGGED[n]"),
    # ------------------------------------------------------------------------------------------------------- lists
    (body("p = []"), KernelTypeError, "a list has 1 to 1024 entries", "[]"),
    (body("p = [x] * 2000"), KernelTypeError, "this has 2000 of shape (2000,); write local_array", "[x] * 2000"),
    (body("p = [x, W]"), KernelTypeError, "the array W in a list would be a second name for it", "[x, W]"),
    (body("p = [n, m]"), KernelTypeError, "its rows of one length; these are i32 and u32", "[n, m]"),
    (body("p = [[1, 2], [3]]"), KernelTypeError, "its rows of one length; these are a list; a tuple", "[[1, 2], [3]]"),
    (
        body("p = [[1, 2], 3]"),
        KernelTypeError,
        "one type, and its rows of one length; these are a list and the number 3",
        "",
    ),
    (body("p = q = [1, 2]"), KernelTypeError, "each name would mean the same list", "p = q = [1, 2]"),
    (body("p = [1, 2]\np = [1, 2, 3]"), KernelTypeError, "a list of 3 entries does not fit", "[1, 2, 3]"),
    (body("p = [1, 2]\nq = p\np = [3, 4]"), KernelTypeError, "p has another name, or a row of it has one", "[3, 4]"),
    (body("p = [1, 2]\np[0] = 1.5"), KernelTypeError, "the number 1.5 does not fit p, which holds i32", "1.5"),
    (body("p = [1, 2]\np[2] = 1"), KernelTypeError, "index 2 is out of range: p has length 2", "2"),
    (body("if n > 0:\n    p = [1, 2]\ny = p[0]"), KernelNameError, "may not have a value here", "p"),
    (body("y = [x, 1][x]"), KernelTypeError, "an index must be an integer, this is f32", "x"),
    (
        body("p = local_array(f32, 99)\ny = sum(p * 2.0)"),
        KernelTypeError,
        "the array p is no vector or matrix here",
        "p * 2.0",
    ),
    (body("y = 1.0 if any(x) else 0.0"), KernelTypeError, "any takes a vector, a tuple or a list, not f32", "any(x)"),
    (body("y = summed([x] * 99)"), KernelTypeError, "of 99 entries is no value", ""),
    (body("y = float(list(a)[0])"), KernelTypeError, "list takes what has a length known while compiling", "list(a)"),
    (body("y = sum(x for i in range(n))"), KernelTypeError, "how many values a comprehension has is known", "range(n)"),
    (
        body("p = [i for i in range(9) if i < n]"),
        KernelSyntaxError,
        "the condition of a comprehension is known",
        "i < n",
    ),
    (body("p = [i for i in range(2000)]"), KernelTypeError, "more than 1024 values; write a loop over", ""),
    (body("p = {1, 2}"), KernelSyntaxError, "kernels have no sets, but after `in`", "{1, 2}"),
    # ------------------------------------------------------------------------------------ membership, arguments
    (body("y = 1.0 if n in x else 0.0"), KernelTypeError, "`in` takes a tuple, a list, a set, a range", "n in x"),
    (body("y = 1.0 if x in range(4) else 0.0"), KernelTypeError, "a range has integers, this is f32", "x in range(4)"),
    (
        body("y = 1.0 if n in range(0, 4, n) else 0.0"),
        KernelTypeError,
        "is a constant other than 0",
        "n in range(0, 4, n)",
    ),
    (body("y = 1.0 if n in range() else 0.0"), KernelTypeError, "range takes one to three numbers", "range()"),
    (body("y = keywords(x)"), KernelSyntaxError, "functions of kernels take no **; name them", "others"),
    (
        body("pass", "x: 'Item[f32] | None'"),
        KernelTypeError,
        "a kernel's parameters are never None",
        "",
    ),
]


@pytest.mark.parametrize(("source", "error", "message", "marked"), WRONG, ids=[w[0].splitlines()[1] for w in WRONG])
def test_wrong_kernel(tmp_path: Path, source: str, error: type[KernelError], message: str, marked: str) -> None:
    module = load(tmp_path, HELPERS + source)
    with pytest.raises(error) as raised:
        compile_kernel(module)
    text = str(raised.value)
    assert message in text
    _, line, caret = text.splitlines()
    first = caret.index("^")
    assert not marked or line[first : first + len(caret.strip())] == marked
