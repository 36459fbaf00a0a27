"""Loops: ``while``, ``for`` over a range, unrolled loops, and their ``else``."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.conversions import is_truth, unify, widen
from krnlpy.dsl.frontend.targets import LocalName
from krnlpy.dsl.frontend.values import Static, Value, is_number
from krnlpy.errors import KernelNameError, KernelSyntaxError, KernelTypeError
from krnlpy.scalar import boolean

from .assignments import AssignmentLowering

UNROLL_LIMIT = 1024


@dataclass(eq=False)
class Loop:
    """A loop while its body is lowered.

    Attributes:
        finished: the variable that says whether no ``break`` left the loop, if its ``else`` needs it.
        breaks: for each ``break``, the variables that have a value there.
        unrolled: whether it is unrolled; ``depth`` is then how deep its body is nested, and ``left`` says how control
            left the current iteration.
    """

    finished: ir.Variable | None = None
    breaks: list[set[str]] = field(default_factory=list)
    unrolled: bool = False
    depth: int = 0
    left: str = ""


class LoopLowering(AssignmentLowering):
    """Lowers loops."""

    loops: list[Loop]

    def nested(self, statements: list[ast.stmt]) -> tuple[ir.Block, bool]:
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
        if not isinstance(node.target, ast.Name):
            raise KernelSyntaxError(
                "a for loop has one variable; compute others from it in the body", *self.at(node.target)
            )
        callee = self.value(node.iter.func) if isinstance(node.iter, ast.Call) else None
        kind = callee.value if isinstance(callee, Static) else None
        if kind is builtins.unroll:
            assert isinstance(node.iter, ast.Call)
            return self._unrolled(node, node.target, node.iter)
        if not isinstance(node.iter, ast.Call) or kind is not range:
            raise KernelSyntaxError("kernels loop over range(...), or unroll(range(...)), only", *self.at(node.iter))
        first, last, stride = self._range(node.iter)
        name = node.target.id
        known = self.locals.get(name)
        if name in self.arrays or name in self.statics or (self.is_kernel and name in self.state.parameters):
            raise KernelNameError(f"the name {name} is taken; choose another", *self.at(node.target))
        if not isinstance(known, LocalName) or known.variable.type is not first.type:
            # A later loop may use a loop's variable again with another type, unless it was a variable before.
            if known is not None and name in self.assigned:
                raise KernelTypeError(
                    f"{name} is {known.type} since line {known.line}; this range counts in {first.type}; use another"
                    " name",
                    *self.at(node.target),
                )
            known = LocalName(ir.Variable(name, first.type), first.type, node.lineno)
            self.locals[name] = known
        before = set(self.assigned)
        self.assigned.add(name)
        loop = self._open_loop(node)
        body, _ = self.nested(node.body)
        self.assigned = before  # the range may have been empty
        self.emit(ir.For(known.variable, first, last, stride, body, location=where))
        return self._close_loop(loop, node, ends=True)

    def _range(self, call: ast.Call) -> tuple[ir.Expr, ir.Expr, ir.Expr]:
        where = self.at(call)
        if call.keywords or not 1 <= len(call.args) <= 3:
            raise KernelTypeError("range takes one to three numbers", *where)
        arguments = self.values(call.args)
        zero, one = Static(0, where), Static(1, where)
        start: Value = arguments[0] if len(arguments) > 1 else zero
        stop = arguments[1] if len(arguments) > 1 else arguments[0]
        step: Value = arguments[2] if len(arguments) > 2 else one
        if isinstance(step, Static) and is_number(step.value) and step.value == 0:
            raise KernelTypeError("the step of a range must not be 0", *where)
        if any(map(is_truth, (start, stop, step))):
            raise KernelTypeError("range takes integers, not bool; write i32(...)", *where)
        first, last = unify(start, stop, "range", where)
        stride, _ = unify(step, first, "range", where)
        if stride.type is not first.type:
            first, last = widen(first, stride.type), widen(last, stride.type)
        if not first.type.is_integer:
            raise KernelTypeError(f"range takes integers, not {first.type}", *where)
        return first, last, stride

    def _open_loop(self, node: ast.For | ast.While) -> Loop:
        loop = Loop()
        if node.orelse and _breaks(node.body):
            where = self.at(node)
            loop.finished = self.temporary(boolean, "finished")
            self.emit(ir.Assign(loop.finished, ir.const(True, boolean, where), location=where))
        self.loops.append(loop)
        return loop

    def _close_loop(self, loop: Loop, node: ast.For | ast.While, ends: bool) -> bool:
        """Adds the ``else``, and finds which variables have a value after the loop; returns whether control gets there.

        Args:
            ends: whether the loop can end without a ``break``.
        """
        self.loops.pop()
        ways = list(loop.breaks)
        if loop.finished is not None:
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
        self.emit(ir.Continue(location=self.at(node)))
        return False

    # ---------------------------------------------------------------------------------------------------- unrolling

    def _unrolled(self, node: ast.For, target: ast.Name, call: ast.Call) -> bool:
        where = self.at(node)
        name = target.id
        if name in self.arrays or name in self.matrices or (self.is_kernel and name in self.state.parameters):
            raise KernelNameError(f"the name {name} is taken; choose another", *self.at(target))
        last: Value | None = None
        loop = Loop(unrolled=True, depth=self.depth)
        self.loops.append(loop)
        outer = self.statics.get(name)
        for value in self._unrolled_values(call):
            loop.left = ""
            self.statics[name] = last = value
            if not self.statements(node.body) and not loop.left:
                self.loops.pop()
                return False
            if loop.left == "break":
                break
        self.loops.pop()
        if outer is None:
            self.statics.pop(name, None)
        else:
            self.statics[name] = outer
        if last is not None and name in self.assigned:
            self._assign(target, last, where)  # a variable before, it is one again
        if node.orelse and loop.left != "break":
            return self.statements(node.orelse)
        return True

    def _unrolled_values(self, call: ast.Call) -> list[Value]:
        where = self.at(call)
        if len(call.args) != 1 or call.keywords:
            raise KernelTypeError("unroll takes a range or a tuple", *where)
        inner = call.args[0]
        callee = self.value(inner.func) if isinstance(inner, ast.Call) else None
        if isinstance(inner, ast.Call) and isinstance(callee, Static) and callee.value is range:
            bounds = self.values(inner.args)
            if not 1 <= len(bounds) <= 3 or inner.keywords:
                raise KernelTypeError("range takes one to three numbers", *self.at(inner))
            numbers = []
            for bound in bounds:
                if not isinstance(bound, Static) or isinstance(bound.value, bool) or not isinstance(bound.value, int):
                    raise KernelTypeError(
                        "the bounds of an unrolled range are whole numbers known while compiling; leave out unroll",
                        *where,
                    )
                numbers.append(bound.value)
            if len(numbers) == 3 and numbers[2] == 0:
                raise KernelTypeError("the step of a range must not be 0", *where)
            values: list[Value] = [Static(i, where) for i in range(*numbers)[: UNROLL_LIMIT + 1]]
        else:
            value = self.value(inner)
            if not isinstance(value, Static) or not isinstance(value.value, tuple):
                raise KernelTypeError("unroll takes a range or a tuple", *self.at(inner))
            values = [v if isinstance(v, Value) else Static(v, where) for v in value.value]
        if len(values) > UNROLL_LIMIT:
            raise KernelTypeError(f"more than {UNROLL_LIMIT} iterations to unroll; leave out unroll", *where)
        return values

    def _leave_unrolled(self, loop: Loop, how: str, where: ir.Location) -> bool:
        if self.depth != loop.depth:
            raise KernelSyntaxError(
                f"{how} in an unrolled loop may only be under a condition known while compiling; leave out unroll",
                *where,
            )
        loop.left = how
        return False


def _breaks(statements: list[ast.stmt]) -> bool:
    """Whether statements have a break of the loop that they are the body of."""
    for statement in statements:
        if isinstance(statement, ast.Break):
            return True
        if isinstance(statement, ast.For | ast.While):
            inner = statement.orelse
        else:
            inner = [s for s in ast.iter_child_nodes(statement) if isinstance(s, ast.stmt)]
        if _breaks(inner):
            return True
    return False
