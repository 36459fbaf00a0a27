"""Programs drawn at random from the IR: each device must give what the interpreter gives, to the last bit.

Only operations with one right result are drawn: no division of floats, no transcendental functions. Drivers fold
x + 0 and x * 0 for constant zeros, as if there were neither a sign of zero nor infinities: floats start finite, and
the sign of a zero is not looked at.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from krnlpy.backend import Backend
from krnlpy.dsl import ir
from krnlpy.dsl.layout import Variant, layout_of
from krnlpy.features import Feature
from krnlpy.interpreter import open_interpreter
from krnlpy.scalar import ScalarType, boolean, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64

from .launcher import Launcher
from .values import assert_same

HERE = ir.Location(__file__, 1, 0, 1)
SIZE = 64
NARROW = (u8, i8, u16, i16, u32, i32, f32)
WIDE = (*NARROW, u64, i64, f64)
INTEGER_OPERATORS: tuple[ir.BinaryOp, ...] = (
    "add", "sub", "mul", "floordiv", "mod", "min", "max", "and", "or", "xor", "shl", "shr"
)  # fmt: skip
FLOAT_OPERATORS: tuple[ir.BinaryOp, ...] = ("add", "sub", "mul", "min", "max")


class Draw:
    """Draws a kernel that reads an item of each type and writes one of each type."""

    def __init__(self, seed: int, types: tuple[ScalarType, ...]) -> None:
        self.random = random.Random(seed)
        self.types = types
        self.inputs = {t: ir.ItemParameter(f"in_{t}", t, HERE, False) for t in types}
        self.outputs = {t: ir.ItemParameter(f"out_{t}", t, HERE, True) for t in types}
        self.variables: dict[ScalarType, list[ir.Variable]] = {t: [] for t in types}
        self.count = 0

    def program(self) -> ir.Program:
        body: list[ir.Stmt] = []
        for type in self.types:
            for _ in range(2):
                body += self.define(type)
        for type in self.types:
            body += self.statement(2)
            body.append(ir.Store(self.outputs[type], (), self.expr(type, 3), location=HERE))
        parameters = (*self.inputs.values(), *self.outputs.values())
        return ir.Program("drawn", HERE, parameters, tuple(body), (), (), (), (16, 1, 1))

    def define(self, type: ScalarType) -> list[ir.Stmt]:
        self.count += 1
        variable = ir.Variable(f"v{self.count}", type)
        value = self.expr(type, 2)
        self.variables[type].append(variable)
        return [ir.Assign(variable, value, location=HERE)]

    def statement(self, depth: int) -> list[ir.Stmt]:
        kind = self.random.choice(("assign", "if", "for", "while") if depth else ("assign",))
        if kind == "assign":
            type = self.random.choice(self.types)
            variable = self.random.choice(self.variables[type])
            return [ir.Assign(variable, self.expr(type, 3), location=HERE)]
        inner = [s for _ in range(2) for s in self.statement(depth - 1)]
        if kind == "if":
            other = tuple(self.statement(depth - 1))
            return [ir.If(self.expr(boolean, 2), tuple(inner), other, location=HERE)]
        self.count += 1
        counter = ir.Variable(f"k{self.count}", i32)
        if kind == "for":
            # At most 8 iterations: both ends are taken modulo 8.
            start, stop = (ir.Binary("mod", self.expr(i32, 1), self.number(8), type=i32, location=HERE) for _ in "ab")
            step = self.number(self.random.choice((1, 2, -1, -3)))
            if self.random.random() < 0.3:
                inner.insert(1, ir.If(self.expr(boolean, 2), (self.jump(),), (), location=HERE))
            return [ir.For(counter, start, stop, step, tuple(inner), location=HERE)]
        local = ir.Local(counter, type=i32, location=HERE)
        count = ir.Assign(counter, ir.Binary("add", local, self.number(1), type=i32, location=HERE), location=HERE)
        few = ir.Compare("lt", local, self.number(5), type=boolean, location=HERE)
        condition = ir.Logical("and", few, self.expr(boolean, 2), type=boolean, location=HERE)
        if self.random.random() < 0.3:
            inner.insert(1, ir.If(self.expr(boolean, 2), (self.jump(),), (), location=HERE))
        start_count = ir.Assign(counter, self.number(0), location=HERE)
        return [start_count, ir.While(condition, (count, *inner), location=HERE)]

    def jump(self) -> ir.Stmt:
        return self.random.choice((ir.Break, ir.Continue))(location=HERE)

    def number(self, value: int) -> ir.Expr:
        return ir.Const(value, type=i32, location=HERE)

    def expr(self, type: ScalarType, depth: int) -> ir.Expr:
        at = {"type": type, "location": HERE}
        if type is boolean:
            return self.truth(depth)
        if not depth or self.random.random() < 0.1:
            choice = self.random.random()
            if choice < 0.3:
                value = self.random.choice(inputs(type).tolist())
                return ir.Const(value, **at)
            if choice < 0.6 and self.variables[type]:
                return ir.Local(self.random.choice(self.variables[type]), **at)
            return ir.Load(self.inputs[type], (), **at)
        choice = self.random.random()
        if choice < 0.55:
            op = self.random.choice(FLOAT_OPERATORS if type.is_float else INTEGER_OPERATORS)
            return ir.Binary(op, self.expr(type, depth - 1), self.expr(type, depth - 1), **at)
        if choice < 0.75:
            source = self.random.choice((*self.types, boolean))
            return ir.Cast(self.expr(source, depth - 1), **at)
        if choice < 0.85:
            then, otherwise = self.expr(type, depth - 1), self.expr(type, depth - 1)
            return ir.Select(self.expr(boolean, depth - 1), then, otherwise, **at)
        operand = self.expr(type, depth - 1)
        if type.is_float:
            name = self.random.choice(("neg", "abs", "floor", "ceil", "trunc"))
            return ir.Unary("neg", operand, **at) if name == "neg" else ir.Math(name, (operand,), **at)  # type: ignore
        return ir.Unary(self.random.choice(("neg", "invert")), operand, **at)

    def truth(self, depth: int) -> ir.Expr:
        at = {"type": boolean, "location": HERE}
        if not depth:
            return ir.Const(self.random.random() < 0.5, **at)
        choice = self.random.random()
        if choice < 0.6:
            type = self.random.choice(self.types)
            op = self.random.choice(("lt", "le", "gt", "ge", "eq", "ne"))
            return ir.Compare(op, self.expr(type, depth - 1), self.expr(type, depth - 1), **at)
        if choice < 0.8:
            op = self.random.choice(("and", "or"))
            return ir.Logical(op, self.truth(depth - 1), self.truth(depth - 1), **at)
        if choice < 0.9:
            op = self.random.choice(("and", "or", "xor"))
            return ir.Binary(op, self.truth(depth - 1), self.truth(depth - 1), **at)
        return ir.Unary("not", self.truth(depth - 1), **at)


def inputs(type: ScalarType) -> np.ndarray[Any, Any]:
    """Values of a type, far from the subnormal numbers, which a device may flush to zero."""
    rng = np.random.default_rng(type.bits)
    if type.is_float:
        special = [0.0, 1.0, -1.0, 255.5, -0.5, 3.0, 1e4, -1e4, 0.75, 16777217.0]
        drawn = rng.normal(0, 50, 54)
        drawn[np.abs(drawn) < 0.1] = 0.25
        numbers = np.concatenate([special, drawn])
        return numbers.astype(type.dtype)
    few = [0, 1, 2, 3, type.max, type.max - 1, type.min, type.min + 1, type.max // 2, 7, type.bits, type.bits - 1]
    return np.concatenate([np.array(few, type.dtype), rng.integers(type.min, type.max, 52, type.dtype, endpoint=True)])


def run(backend: Backend, program: ir.Program, columns: dict[str, np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    variant = Variant(0, (True,) * len(program.buffers))
    executable = backend.build(program, variant, {}, program.threads, False)
    memories = []
    for parameter in program.buffers:
        data = columns.get(parameter.name, np.zeros(SIZE, parameter.type.dtype))
        memories.append(backend.allocate(data.nbytes))
        backend.upload(memories[-1], 0, data.view(np.uint8))
    block = layout_of(program, variant).format.pack(SIZE, *[0] * len(program.buffers))
    backend.launch(executable, (SIZE // 16, 1, 1), [(m, 0, m.nbytes) for m in memories], block)
    results = []
    for parameter, memory in zip(program.buffers, memories, strict=True):
        out = np.empty(SIZE, parameter.type.dtype)
        backend.download(memory, 0, out.view(np.uint8))
        results.append(out)
    return results


@pytest.mark.parametrize("seed", range(24))
def test_random_program(launch: Launcher, seed: int) -> None:
    if launch.backend.info.kind == "interpreter":
        pytest.skip("the interpreter is the judge")
    has_wide = {Feature.INT64, Feature.FLOAT64} <= launch.backend.info.features
    types = WIDE if has_wide else NARROW
    program = Draw(seed, types).program()
    rng = np.random.default_rng(seed)
    columns = {f"in_{t}": rng.permutation(inputs(t)) for t in types}
    want = run(open_interpreter(), program, columns)
    got = run(launch.backend, program, columns)
    for a, b in zip(got, want, strict=True):
        assert_same(a + a.dtype.type(0), b + b.dtype.type(0), np.arange(SIZE))
