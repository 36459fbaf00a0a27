"""Loops: ``while``, ``for`` over ranges and items, unrolled loops, and their ``else``."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.conversions import typed
from krnlpy.dsl.frontend.operations.operands import zero
from krnlpy.dsl.frontend.targets import LocalName, ViewName
from krnlpy.dsl.frontend.values import Compound, Static, Value
from krnlpy.errors import KernelNameError, KernelSyntaxError, KernelTypeError
from krnlpy.scalar import boolean, i32

from .iteration import Items, IterationLowering, Range

UNROLL_LIMIT = 1024


@dataclass(eq=False)
class Loop:
    """A loop while its body is lowered.

    Attributes:
        finished: the variable that says whether no ``break`` left the loop, if its ``else`` needs it.
        breaks: for each ``break``, the variables that have a value there.
        continues: the same for each ``continue``.
        unrolled: whether it is unrolled; ``depth`` is then how deep its body is nested, and ``left`` says how control
            left the current iteration.
    """

    finished: ir.Variable | None = None
    breaks: list[set[str | ViewName]] = field(default_factory=list)
    continues: list[set[str | ViewName]] = field(default_factory=list)
    unrolled: bool = False
    depth: int = 0
    left: str = ""


class LoopLowering(IterationLowering):
    """Lowers loops."""

    loops: list[Loop]

    def nested(self, statements: list[ast.stmt], first: Callable[[], None] | None = None) -> tuple[ir.Block, bool]:
        """The statements as a block of their own, and whether control can reach its end."""
        raise NotImplementedError

    def statements(self, statements: list[ast.stmt]) -> bool:
        """Adds statements; returns whether control can reach their end."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------------- loops

    def visit_While(self, node: ast.While) -> bool:
        where = self.at(node)
        before = set(self.assigned)
        outer, self.out = self.out, []
        condition = self.condition(node.test)
        effects, self.out = self.out, outer
        forever = isinstance(condition, ir.Const) and bool(condition.value) and not effects
        known = set(self.assigned)  # what the condition assigns has a value in the body, and after the loop
        loop = self._open_loop(node)
        body, _ = self.nested(node.body)
        if effects:
            # The statements of the condition run in each iteration, also after `continue`.
            stop = ir.If(condition, (), (ir.Break(location=where),), location=where)
            body = (*effects, stop, *body)
            condition = ir.const(True, boolean, where)
        self.emit(ir.While(condition, body, location=where))
        self.assigned = known if effects else before
        return self._close_loop(loop, node, ends=not forever)

    def visit_For(self, node: ast.For) -> bool:
        where = self.at(node)
        names = _names(node.target)
        if names is None:
            raise KernelSyntaxError("the variables of a loop are names", *self.at(node.target))
        for name in names:
            if name in self.arrays or name in self.matrices or (self.is_kernel and name in self.state.parameters):
                raise KernelNameError(f"the name {name} is taken; choose another", *self.at(node.target))
        if isinstance(node.iter, ast.Call):
            callee = self.value(node.iter.func)
            kind = callee.value if isinstance(callee, Static) else None
            if kind is range and isinstance(node.target, ast.Name):
                return self._over_range(node, node.target, self.range_of(node.iter))
            if kind is builtins.grid or kind is np.ndindex:
                return self._over_grid(node, self.grid_ranges(node.iter))
        items = self.items(node.iter)
        is_left = _leaves(node.body, (ast.Break, ast.Continue))
        if isinstance(items.length, Static) and (items.unrolled or (items.apart and not is_left)):
            return self._unrolled(node, items, names)
        return self._over_items(node, items, where)

    def _over_range(self, node: ast.For, target: ast.Name, range: Range) -> bool:
        first, last, stride = range
        name = target.id
        known = self.locals.get(name)
        if name in self.statics:
            raise KernelNameError(f"the name {name} is taken; choose another", *self.at(target))
        if not isinstance(known, LocalName) or known.variable.type is not first.type:
            # A later loop may use a loop's variable again with another type, unless it was a variable before.
            if known is not None and name in self.assigned:
                raise KernelTypeError(
                    f"{name} is {known.type} since line {known.line}; this range counts in {first.type}; use another"
                    " name",
                    *self.at(target),
                )
            known = LocalName(ir.Variable(name, first.type), first.type, node.lineno)
            self.locals[name] = known
        before = set(self.assigned)
        self.assigned.add(name)
        loop = self._open_loop(node)
        body, reaches = self.nested(node.body)
        self._leave_body(node, loop, before, reaches, _has_numbers(range))
        self.emit(ir.For(known.variable, first, last, stride, body, location=self.at(node)))
        return self._close_loop(loop, node, ends=True)

    def _over_items(self, node: ast.For, items: Items, where: ir.Location) -> bool:
        length = typed(items.length, i32)
        variable = self.temporary(length.type, "index")
        index = ir.Local(variable, type=variable.type, location=where)
        before = set(self.assigned)
        loop = self._open_loop(node)
        body, reaches = self.nested(node.body, lambda: self._take(node.target, items.at(index), self.at(node.iter)))
        self._leave_body(node, loop, before, reaches, isinstance(length, ir.Const) and length.value > 0)
        zero, one = (ir.const(n, length.type, where) for n in (0, 1))
        self.emit(ir.For(variable, zero, length, one, body, location=where))
        return self._close_loop(loop, node, ends=True)

    def _over_grid(self, node: ast.For, ranges: list[Range]) -> bool:
        """A loop in a loop for each range. A ``break`` leaves all of them."""
        where = self.at(node)
        variables = [self.temporary(first.type, "index") for first, _, _ in ranges]
        places = tuple(ir.Local(v, type=v.type, location=where) for v in variables)
        place: Value = Static(places, where) if len(places) > 1 else places[0]
        before = set(self.assigned)
        loop = self._open_loop(node, is_nested=len(ranges) > 1)
        body, reaches = self.nested(node.body, lambda: self._take(node.target, place, self.at(node.iter)))
        self._leave_body(node, loop, before, reaches, all(map(_has_numbers, ranges)))
        for variable, (first, last, stride) in reversed(list(zip(variables, ranges, strict=True))):
            inner: ir.Stmt = ir.For(variable, first, last, stride, body, location=where)
            body = (inner,)
            if loop.finished is not None:
                finished = ir.Local(loop.finished, type=boolean, location=where)
                body = (inner, ir.If(finished, (), (ir.Break(location=where),), location=where))
        self.emit(inner)
        return self._close_loop(loop, node, ends=True)

    def _take(self, target: ast.expr, value: Value, where: ir.Location) -> None:
        """Gives the variables of a loop the item of this pass. A variable of another loop may change its type."""
        self._forget(target, value)
        self._assign(target, value, where)

    def _forget(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            parts = value.value if isinstance(value, Static) else getattr(value, "parts", ())
            for element, part in zip(target.elts, parts if isinstance(parts, tuple) else (), strict=False):
                if isinstance(part, Value):
                    self._forget(element, part)
        elif isinstance(target, ast.Name) and isinstance(value, ir.Expr | Compound):
            known = self.locals.get(target.id)
            if known is not None and target.id not in self.assigned and known.type != value.type:
                del self.locals[target.id]

    def _open_loop(self, node: ast.For | ast.While, is_nested: bool = False) -> Loop:
        loop = Loop()
        if (node.orelse or is_nested) and _leaves(node.body, ast.Break):
            where = self.at(node)
            loop.finished = self.temporary(boolean, "finished")
            self.emit(ir.Assign(loop.finished, ir.const(True, boolean, where), location=where))
        self.loops.append(loop)
        return loop

    def _leave_body(
        self, node: ast.For, loop: Loop, before: set[str | ViewName], reaches: bool, is_entered: bool
    ) -> None:
        """Finds which variables have a value after the last pass of a ``for``.

        Args:
            before: those that have one before the loop.
            reaches: whether control can reach the end of the body.
            is_entered: whether there surely is a pass. Then those have one, too, that get it on each way through the
                body, but for the loop's own and rows: these names may mean something else in another loop.
        """
        ways = [*loop.continues, *([self.assigned] if reaches else [])]
        self.assigned = before
        if is_entered and ways:
            found = set.intersection(*ways) - before - set(_names(node.target) or ())
            kept: set[str | ViewName] = {name for name in found if isinstance(name, str) and name in self.locals}
            self.assigned |= kept
            for variable in self.variables_named(kept):
                # The statement that gives it a value is in the body.
                self.emit(ir.Assign(variable, zero(variable.type, self.at(node)), location=self.at(node)))

    def _close_loop(self, loop: Loop, node: ast.For | ast.While, ends: bool) -> bool:
        """Adds the ``else``, and finds which variables have a value after the loop; returns whether control gets there.

        Args:
            ends: whether the loop can end without a ``break``.
        """
        self.loops.pop()
        ways = list(loop.breaks)
        if loop.finished is not None and node.orelse:
            where = self.at(node.orelse[0])
            before = set(self.assigned)
            block, reaches = self.nested(node.orelse)
            finished = ir.Local(loop.finished, type=boolean, location=where)
            self.emit(ir.If(finished, block, (), location=where))
            if reaches and ends:
                ways.append(self.assigned)
            self.assigned = before
        elif node.orelse:
            if ends and not self.statements(node.orelse):
                return False
            ways.append(self.assigned)
        elif ends:
            ways.append(self.assigned)
        if not ways:
            return False
        self.assigned = set.intersection(*ways)
        return True

    def visit_Break(self, node: ast.Break) -> bool:
        where = self.at(node)
        loop = self.loops[-1]
        if loop.unrolled:
            return self._leave_unrolled(loop, "break", where)
        loop.breaks.append(set(self.assigned))
        if loop.finished is not None:
            self.emit(ir.Assign(loop.finished, ir.const(False, boolean, where), location=where))
        self.emit(ir.Break(location=where))
        return False

    def visit_Continue(self, node: ast.Continue) -> bool:
        if self.loops[-1].unrolled:
            return self._leave_unrolled(self.loops[-1], "continue", self.at(node))
        self.loops[-1].continues.append(set(self.assigned))
        self.emit(ir.Continue(location=self.at(node)))
        return False

    # ---------------------------------------------------------------------------------------------------- unrolling

    def _unrolled(self, node: ast.For, items: Items, names: list[str]) -> bool:
        where = self.at(node.iter)
        assert isinstance(items.length, Static)
        if items.length.value > UNROLL_LIMIT:
            raise KernelTypeError(f"more than {UNROLL_LIMIT} iterations to unroll; leave out unroll", *where)
        changed = set() if items.unrolled else {n.id for s in node.body for n in ast.walk(s) if _is_stored(n)}
        outer = {name: self.statics[name] for name in names if name in self.statics}
        last: Value | None = None
        loop = Loop(unrolled=True, depth=self.depth)
        self.loops.append(loop)
        for number in range(items.length.value):
            loop.left = ""
            last = self.snapshot(items.at(Static(number, where)))
            self.name_item(node.target, last, changed)
            if not self.statements(node.body) and not loop.left:
                self.loops.pop()
                return False
            if loop.left == "break":
                break
        self.loops.pop()
        for name in names:
            self.statics.pop(name, None)
        self.statics |= outer
        if last is not None and any(name in self.assigned for name in names):
            self._assign(node.target, last, where)  # a variable before, it is one again
        if node.orelse and loop.left != "break":
            return self.statements(node.orelse)
        return True

    def name_item(self, target: ast.expr, value: Value, changed: set[str]) -> None:
        """Names for the item of an unrolled pass, which may have a type of its own; variables where the body changes
        them."""
        if isinstance(target, ast.Name):
            if target.id in changed:
                self._take(target, value, self.at(target))
            else:
                self.statics[target.id] = value
            return
        assert isinstance(target, ast.Tuple | ast.List)
        for element, part in zip(target.elts, self.unpacked(target, value, self.at(target)), strict=True):
            self.name_item(element, part, changed)

    def _leave_unrolled(self, loop: Loop, how: str, where: ir.Location) -> bool:
        if self.depth != loop.depth:
            raise KernelSyntaxError(
                f"{how} in an unrolled loop may only be under a condition known while compiling; leave out unroll",
                *where,
            )
        loop.left = how
        return False


def _names(target: ast.expr) -> list[str] | None:
    """The names that a loop gives values; None where something else is among them."""
    if isinstance(target, ast.Name):
        return [target.id]
    if not isinstance(target, ast.Tuple | ast.List):
        return None
    found = [_names(element) for element in target.elts]
    return None if None in found else [name for names in found for name in names or ()]


def _has_numbers(bounds: Range) -> bool:
    """Whether a range surely has a number."""
    numbers = [int(n.value) for n in bounds if isinstance(n, ir.Const)]
    return len(numbers) == len(bounds) and len(range(*numbers)) > 0


def _is_stored(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _leaves(statements: list[ast.stmt], kinds: type[ast.stmt] | tuple[type[ast.stmt], ...]) -> bool:
    """Whether statements have a break, or continue, of the loop that they are the body of."""
    for statement in statements:
        if isinstance(statement, kinds):
            return True
        if isinstance(statement, ast.For | ast.While):
            inner = statement.orelse
        else:
            inner = [s for s in ast.iter_child_nodes(statement) if isinstance(s, ast.stmt)]
        if _leaves(inner, kinds):
            return True
    return False
