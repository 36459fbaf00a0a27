"""Cooperative matrices that the device lacks, expanded to loops over arrays of each thread.

Each thread holds the factors of a product as a whole, and those elements of an accumulator whose number modulo the
subgroup's size is its lane. So threads wait for each other at stores only, and no product is computed
twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

from krnlpy.dsl import ir
from krnlpy.scalar import ScalarType, boolean, i32

Native = Callable[[ir.Program], bool]


def cooperative_matrices(program: ir.Program) -> list[ir.CooperativeMatrix]:
    """The matrices that a program has, in order of first use."""
    found: dict[ir.CooperativeMatrix, None] = {}
    for node in ir.walk(program.body):
        if isinstance(node, ir.CooperativeStmt):
            for f in fields(node):
                value = getattr(node, f.name)
                for part in value if isinstance(value, tuple) else (value,):
                    if isinstance(part, ir.CooperativeMatrix):
                        found[part] = None
    return list(found)


def products(program: ir.Program) -> list[ir.CooperativeProduct]:
    """The products that a program has."""
    return [node for node in ir.walk(program.body) if isinstance(node, ir.CooperativeProduct)]


def expanded(program: ir.Program, lanes: int) -> ir.Program:
    """The program without cooperative matrices.

    Args:
        lanes: the least count of threads that a subgroup has on the device; all subgroups are full.
    """
    matrices = cooperative_matrices(program)
    if not matrices:
        return program
    expansion = _Expansion(matrices, lanes, program.location)
    body = expansion.block(program.body)
    return replace(program, body=body, local_arrays=(*program.local_arrays, *expansion.arrays.values()))


class _Expansion:
    def __init__(self, matrices: Sequence[ir.CooperativeMatrix], lanes: int, where: ir.Location) -> None:
        self.arrays = {matrix: self._array(matrix, lanes, where) for matrix in matrices}

    @staticmethod
    def _array(matrix: ir.CooperativeMatrix, lanes: int, where: ir.Location) -> ir.LocalArray:
        size = matrix.rows * matrix.columns
        own = -(-size // lanes) if matrix.use == "accumulator" else size
        return ir.LocalArray(matrix.name, matrix.type, (ir.const(own, i32, where),))

    def block(self, block: ir.Block) -> ir.Block:
        return tuple(new for statement in block for new in self._statement(statement))

    def _statement(self, s: ir.Stmt) -> list[ir.Stmt]:
        match s:
            case ir.If():
                return [replace(s, then=self.block(s.then), otherwise=self.block(s.otherwise))]
            case ir.While() | ir.For():
                return [replace(s, body=self.block(s.body))]
            case ir.CooperativeFill():
                value = ir.Variable("value", s.value.type)
                w = _Writer(s.location)
                body = w.store(self.arrays[s.matrix], w.read(slot := w.variable("slot")), w.read(value))
                return [w.assign(value, s.value), self._slots(s.matrix, slot, w, (body,))]
            case ir.CooperativeLoad():
                return self._load(s)
            case ir.CooperativeStore():
                return self._store(s)
            case ir.CooperativeProduct():
                return self._product(s)
            case ir.CooperativeMap():
                return self._map(s)
        return [s]

    # ------------------------------------------------------------------------------------------------ loops

    def _slots(self, matrix: ir.CooperativeMatrix, slot: ir.Variable, w: _Writer, body: ir.Block) -> ir.Stmt:
        """For each element that the thread holds."""
        (count,) = self.arrays[matrix].shape
        return w.loop(slot, count, body)

    def _element(self, matrix: ir.CooperativeMatrix, slot: ir.Expr, w: _Writer) -> ir.Expr:
        """The number of an element in its matrix, row by row."""
        if matrix.use != "accumulator":
            return slot
        lanes = ir.Id("subgroup_threads", type=i32, location=w.where)
        lane = ir.Id("subgroup_thread_id", type=i32, location=w.where)
        return w.add(w.mul(slot, lanes), lane)

    def _each(
        self,
        matrix: ir.CooperativeMatrix,
        w: _Writer,
        body: Callable[[ir.Expr, ir.Expr, ir.Expr], list[ir.Stmt]],
    ) -> ir.Stmt:
        """For each element that the thread holds: its slot, row and column."""
        slot, element = w.variable("slot"), w.variable("element")
        columns, size = w.number(matrix.columns), w.number(matrix.rows * matrix.columns)
        number = w.read(element)
        row, column = w.binary("floordiv", number, columns), w.binary("mod", number, columns)
        inner = tuple(body(w.read(slot), row, column))
        inside = ir.Compare("lt", number, size, type=boolean, location=w.where)
        statements: tuple[ir.Stmt, ...] = (w.assign(element, self._element(matrix, w.read(slot), w)),)
        return self._slots(matrix, slot, w, (*statements, ir.If(inside, inner, (), location=w.where)))

    # -------------------------------------------------------------------------------------------- memory

    def _corner(
        self, s: ir.CooperativeLoad | ir.CooperativeStore, w: _Writer
    ) -> tuple[list[ir.Stmt], list[ir.Expr], ir.Expr]:
        """Statements that find where a matrix starts; its first row and column; whether it lies within the place."""
        sides = (s.matrix.columns, s.matrix.rows) if s.transposed else (s.matrix.rows, s.matrix.columns)
        statements: list[ir.Stmt] = []
        starts: list[ir.Expr] = []
        inside: ir.Expr | None = None
        for axis, (index, side) in enumerate(zip(s.index, sides, strict=True)):
            start = w.variable("start")
            # What does not fit an i32 is out of range anyway: it becomes -1.
            statements.append(w.assign(start, _as_index(index, w)))
            starts.append(w.read(start))
            extent = ir.Extent(s.place, axis, type=i32, location=w.where)
            low = ir.Compare("ge", w.read(start), w.number(0), type=boolean, location=w.where)
            room = w.binary("sub", extent, w.number(side))
            high = ir.Compare("le", w.read(start), room, type=boolean, location=w.where)
            both = ir.Logical("and", low, high, type=boolean, location=w.where)
            inside = both if inside is None else ir.Logical("and", inside, both, type=boolean, location=w.where)
        assert inside is not None
        return statements, starts, inside

    def _outside(self, s: ir.CooperativeLoad | ir.CooperativeStore, starts: list[ir.Expr], w: _Writer) -> list[ir.Stmt]:
        """Loads of two corners if one is out of range, which debug mode and the interpreter report."""
        sides = (s.matrix.columns, s.matrix.rows) if s.transposed else (s.matrix.rows, s.matrix.columns)
        ends = [w.binary("add", start, w.number(side - 1)) for start, side in zip(starts, sides, strict=True)]
        kind = s.place.type.compute
        result: list[ir.Stmt] = []
        for corner in (starts, ends):
            load = ir.Load(s.place, tuple(corner), s.checked, type=kind, location=w.where)
            result.append(w.assign(ir.Variable("outside", kind), load))
        return result

    def _load(self, s: ir.CooperativeLoad) -> list[ir.Stmt]:
        w, array, kind = _Writer(s.location), self.arrays[s.matrix], s.matrix.type.compute
        statements, (row0, column0), inside = self._corner(s, w)

        def take(slot: ir.Expr, row: ir.Expr, column: ir.Expr) -> list[ir.Stmt]:
            if s.transposed:
                row, column = column, row
            index = (w.add(row0, row), w.add(column0, column))
            return [w.store(array, slot, ir.Load(s.place, index, s.checked, type=kind, location=w.where))]

        zero = ir.const(0.0 if kind.is_float else 0, kind, w.where)
        slot = w.variable("slot")
        clear = self._slots(s.matrix, slot, w, (w.store(array, w.read(slot), zero),))
        otherwise = (clear, *self._outside(s, [row0, column0], w))
        return [*statements, ir.If(inside, (self._each(s.matrix, w, take),), otherwise, location=w.where)]

    def _store(self, s: ir.CooperativeStore) -> list[ir.Stmt]:
        w, array, kind = _Writer(s.location), self.arrays[s.matrix], s.matrix.type.compute
        statements, (row0, column0), inside = self._corner(s, w)

        def give(slot: ir.Expr, row: ir.Expr, column: ir.Expr) -> list[ir.Stmt]:
            if s.transposed:
                row, column = column, row
            value = ir.Load(array, (slot,), type=kind, location=w.where)
            index = (w.add(row0, row), w.add(column0, column))
            return [ir.Store(s.place, index, value, s.checked, location=w.where)]

        each: list[ir.Stmt] = [self._each(s.matrix, w, give)]
        if s.matrix.use != "accumulator":  # all threads hold all of it: one writes
            lane = ir.Id("subgroup_thread_id", type=i32, location=w.where)
            first = ir.Compare("eq", lane, w.number(0), type=boolean, location=w.where)
            each = [ir.If(first, tuple(each), (), location=w.where)]
        outside = tuple(self._outside(s, [row0, column0], w))
        # What other threads of the subgroup loaded before, and load after, is not what this one stores meanwhile.
        before, after = (ir.Collective((), "barrier", location=w.where) for _ in range(2))
        return [*statements, before, ir.If(inside, tuple(each), outside, location=w.where), after]

    # ---------------------------------------------------------------------------------------- arithmetic

    def _product(self, s: ir.CooperativeProduct) -> list[ir.Stmt]:
        w, kind = _Writer(s.location), s.c.type.compute
        a, b, c = self.arrays[s.a], self.arrays[s.b], self.arrays[s.c]
        depth = s.a.columns

        def factor(array: ir.LocalArray, at: ir.Expr) -> ir.Expr:
            value = ir.Load(array, (at,), type=array.type.compute, location=w.where)
            return value if value.type is kind else ir.Cast(value, type=kind, location=w.where)

        def multiply(slot: ir.Expr, row: ir.Expr, column: ir.Expr) -> list[ir.Stmt]:
            total, k = ir.Variable("total", kind), w.variable("k")
            left = factor(a, w.add(w.mul(row, w.number(depth)), w.read(k)))
            right = factor(b, w.add(w.mul(w.read(k), w.number(s.b.columns)), column))
            sum = w.add(w.read(total), w.mul(left, right))
            start = ir.Load(c, (slot,), type=kind, location=w.where)
            loop = w.loop(k, w.number(depth), (w.assign(total, sum),))
            return [w.assign(total, start), loop, w.store(self.arrays[s.matrix], slot, w.read(total))]

        return [self._each(s.matrix, w, multiply)]

    def _map(self, s: ir.CooperativeMap) -> list[ir.Stmt]:
        w, kind = _Writer(s.location), s.matrix.type.compute
        slot = w.variable("slot")
        statements: list[ir.Stmt] = []
        values: list[ir.Expr] = []
        for operand in s.operands:
            if isinstance(operand, ir.CooperativeMatrix):
                values.append(ir.Load(self.arrays[operand], (w.read(slot),), type=kind, location=w.where))
            else:
                number = ir.Variable("number", operand.type)
                statements.append(w.assign(number, operand))
                values.append(w.read(number))
        if s.op == "copy":
            result = values[0]
        elif s.op == "neg":
            result = ir.Unary("neg", values[0], type=kind, location=w.where)
        else:
            result = w.binary(s.op, *values)
        return [*statements, self._slots(s.matrix, slot, w, (w.store(self.arrays[s.matrix], w.read(slot), result),))]


def _as_index(index: ir.Expr, w: _Writer) -> ir.Expr:
    kind = index.type
    if kind is i32:
        return index
    if kind.max <= i32.max and kind.min >= i32.min:
        return ir.Cast(index, type=i32, location=w.where)
    fits: ir.Expr = ir.Compare("le", index, ir.const(i32.max, kind, w.where), type=boolean, location=w.where)
    if kind.is_signed:
        low = ir.Compare("ge", index, ir.const(0, kind, w.where), type=boolean, location=w.where)
        fits = ir.Logical("and", low, fits, type=boolean, location=w.where)
    cast = ir.Cast(index, type=i32, location=w.where)
    return ir.Select(fits, cast, w.number(-1), type=i32, location=w.where)


class _Writer:
    """Makes IR for one place in the source."""

    def __init__(self, where: ir.Location) -> None:
        self.where = where

    def variable(self, name: str) -> ir.Variable:
        return ir.Variable(name, i32)

    def read(self, variable: ir.Variable) -> ir.Expr:
        return ir.Local(variable, type=variable.type, location=self.where)

    def number(self, value: int, type: ScalarType = i32) -> ir.Const:
        return ir.const(value, type, self.where)

    def binary(self, op: ir.BinaryOp, a: ir.Expr, b: ir.Expr) -> ir.Expr:
        return ir.Binary(op, a, b, type=a.type, location=self.where)

    def add(self, a: ir.Expr, b: ir.Expr) -> ir.Expr:
        return self.binary("add", a, b)

    def mul(self, a: ir.Expr, b: ir.Expr) -> ir.Expr:
        return self.binary("mul", a, b)

    def assign(self, variable: ir.Variable, value: ir.Expr) -> ir.Stmt:
        return ir.Assign(variable, value, location=self.where)

    def store(self, array: ir.LocalArray, at: ir.Expr, value: ir.Expr) -> ir.Stmt:
        return ir.Store(array, (at,), value, location=self.where)

    def loop(self, variable: ir.Variable, count: ir.Expr, body: ir.Block) -> ir.Stmt:
        return ir.For(variable, self.number(0), count, self.number(1), body, location=self.where)
