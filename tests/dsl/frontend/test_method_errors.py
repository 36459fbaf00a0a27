"""What methods of ordinary classes refuse: the line, what the attribute is, and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from krnlpy.errors import KernelError, KernelNameError, KernelTypeError

from .test_kernel_errors import compile_kernel, load

HELPERS = """
import numpy as np
from dataclasses import dataclass
from krnlpy import Buffer, StructBuffer

@dataclass
class Plain:
    mass: f32

class Base:
    SIZE = 3
    @property
    def own(self):
        return 1.0
    @func
    def helper(self, i):
        return i

class Work(Base):
    declared: Global[f32]
    def __init__(self):
        self.n, self.value, self.x, self.y = 3, 1.5, Buffer.zeros(2, f32), Buffer.zeros(2, f32)
        self.array, self.names, self.rows = np.zeros((50, 50)), {"a": 1}, [1.0, 2.0]
        self.bodies = StructBuffer.zeros(1, Plain)
        self.levels = (self.x, self.y)
        self.declared, self.body, self.wide = self.x, Plain(1.0), np.complex64(1)

    @property
    def failing(self):
        return 1 / 0

    def method(self, x):
        return x

instance = Work()
"""


def method(statement: str) -> str:
    text = "class Wrong(Work):\n    def run(self, i: i32, w: i64):\n        {}\nkernel, instance = Wrong.run, Wrong()\n"
    return text.format(statement)


WRONG: list[tuple[str, type[KernelError], str, str]] = [
    (
        method("self.x[i] = self.nothing"),
        KernelNameError,
        "Wrong has no attribute nothing; it has n, value, x, y, array, names,",
        "self.nothing",
    ),
    (
        method("self.x[i] = self.array[0, 0]"),
        KernelTypeError,
        "self.array: it is a NumPy array of shape (50, 50); kernels take buffers; Buffer.from_numpy makes one",
        "self.array",
    ),
    (
        method("self.x[i] = self.names"),
        KernelTypeError,
        "self.names: it is a dict; kernels take numbers, tuples of numbers, and buffers",
        "self.names",
    ),
    (
        method("self.x[i] = self.levels[0][i]"),
        KernelTypeError,
        "self.levels: it is a tuple; kernels take numbers, tuples of numbers, and buffers",
        "self.levels",
    ),
    (
        method("self.x[i] = self.rows[0]"),
        KernelTypeError,
        "self.rows: it is a list; kernels take tuples of numbers, and buffers",
        "self.rows",
    ),
    (
        method("self.x[i] = self.failing"),
        KernelTypeError,
        "self.failing: its property raised ZeroDivisionError: division by zero",
        "self.failing",
    ),
    (
        method("self.x[i] = self.method(1.0)"),
        KernelTypeError,
        "method cannot be called from a kernel; decorate a function with @func",
        "self.method(1.0)",
    ),
    (
        method("self.x[i] = self.bodies[0].mass"),
        KernelTypeError,
        "self.bodies: it is a StructBuffer; say in the class of what: bodies: GlobalMut[Struct]",
        "self.bodies",
    ),
    (
        method("self.n = 4"),
        KernelTypeError,
        "n is a value of the object, which a kernel cannot change; write to a buffer",
        "self.n",
    ),
    (method("self.n += 4"), KernelTypeError, "n is a value of the object, which a kernel cannot change", "self.n"),
    (method("self.body.mass = 2.0"), KernelTypeError, "mass is a value of the object", "self.body.mass"),
    (method("self.x = 4.0"), KernelTypeError, "the buffer x cannot be assigned; index it: x[i] = ...", "self.x"),
    (method("self.declared[i] = 4.0"), KernelTypeError, "self_declared is read only", "self.declared[i]"),
    (
        method("self.x[i] = self"),
        KernelTypeError,
        "expected a number, found self, an object of the class Wrong",
        "self",
    ),
    (method("i = 1\n        self = 3"), KernelTypeError, "the parameter i cannot be assigned", "i"),
    (
        method("k = 0\n        k = self.value"),
        KernelTypeError,
        "a value of type f32 does not fit k, which is i32 since line",
        "self.value",
    ),
    (method("self.x[i] = w * self.value"), KernelTypeError, "convert the i64 first", "self.value"),
    (method("k = local_array(f32, self.value)"), KernelTypeError, "self.value is a float; write i32", "self.value"),
    (
        method("k = local_array(f32, self.n)"),
        KernelTypeError,
        "an attribute of self is one if the class declares it Final",
        "self.n",
    ),
    (
        method("self.x[i] = (i > 0) if w > 0 else self.n"),
        KernelTypeError,
        "self.n is a number; compare it with 0 for a truth value",
        "self.n",
    ),
    (method("self.x[self.value] = 1.0"), KernelTypeError, "an index must be an integer", "self.value"),
    (
        method("self.x[i] = super().nothing(i)"),
        KernelNameError,
        "the bases of Wrong have no nothing",
        "super().nothing",
    ),
    (method("self.x[i] = super().own"), KernelTypeError, "a property of a base is not read in kernels", "super().own"),
    (
        method("self.x[i] = super(Work, self).helper(i)"),
        KernelTypeError,
        "super() takes no arguments",
        "super(Work, self)",
    ),
    (method("self.x[i] = self.wide"), KernelTypeError, "self.wide: it is a complex64", "self.wide"),
    (
        "def kernel(self, x: ItemMut[f32]):\n    x = self.n\n",
        KernelTypeError,
        "self without a class: kernel is not written in the body of one",
        "self",
    ),
]


@pytest.mark.parametrize(("source", "error", "message", "marked"), WRONG, ids=[w[2][:40] for w in WRONG])
def test_wrong_method(tmp_path: Path, source: str, error: type[KernelError], message: str, marked: str) -> None:
    module = load(tmp_path, HELPERS + source)
    with pytest.raises(error) as raised:
        compile_kernel(module)
    text = str(raised.value)
    assert message in text
    _, line, caret = text.splitlines()
    first = caret.index("^")
    assert line[first : first + caret.count("^")] == marked
