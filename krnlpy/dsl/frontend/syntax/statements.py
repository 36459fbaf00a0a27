"""Statements: from Python's syntax tree to typed IR. Every variable provably has a value where it is read."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import partial

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.callables import Func, Method
from krnlpy.dsl.frontend.conversions import coerce, concretized
from krnlpy.dsl.frontend.lowering import ProgramState
from krnlpy.dsl.frontend.operations import cooperative
from krnlpy.dsl.frontend.operations.atomics import without_result
from krnlpy.dsl.frontend.operations.calls import call_user
from krnlpy.dsl.frontend.operations.operands import zero
from krnlpy.dsl.frontend.source import Source
from krnlpy.dsl.frontend.targets import ViewName
from krnlpy.dsl.frontend.values import Compound, Static, is_number, scalars
from krnlpy.dsl.types.composites import AnyType, CompositeType, leaves
from krnlpy.errors import KernelSyntaxError, KernelTypeError
from krnlpy.scalar import ScalarType, boolean

from .comprehensions import ComprehensionLowering
from .loops import Loop
from .output import lower_assert, lower_breakpoint, lower_print

LONGEST_NEST = 16
"""So many ``elif`` become conditions in conditions: what goes through them calls itself as often, some times over."""


class StatementLowering(ComprehensionLowering):
    """Lowers the statements of one function.

    Attributes:
        result: the type of what the function returns: None before the first ``return``, () for nothing.
    """

    def __init__(self, source: Source, state: ProgramState, is_kernel: bool) -> None:
        super().__init__(source, state, is_kernel)
        self.result: AnyType | tuple[()] | None = None
        self.loops: list[Loop] = []

    def without_docstring(self) -> list[ast.stmt]:
        body = self.source.tree.body
        first = body[0]
        is_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        return body[1:] if is_doc and isinstance(first.value.value, str) else body  # type: ignore[attr-defined]

    # ------------------------------------------------------------------------------------------------ statements

    def statements(self, statements: list[ast.stmt]) -> bool:
        """Adds statements in order; returns whether control can reach their end. What follows that is left out."""
        return all(self.statement(statement) for statement in statements)

    def nested(self, statements: list[ast.stmt], first: Callable[[], None] | None = None) -> tuple[ir.Block, bool]:
        """The statements as a block of their own, and whether control can reach its end.

        Args:
            statements: what the block does.
            first: adds what it does before.
        """

        def add() -> bool:
            if first is not None:
                first()
            return self.statements(statements)

        return self.nested_by(add)

    def nested_by(self, add: Callable[[], bool]) -> tuple[ir.Block, bool]:
        """What a function adds as a block of its own, and what the function returns."""
        outer, self.out = self.out, []
        self.depth += 1
        try:
            reaches = add()
            return tuple(self.out), reaches
        finally:
            self.depth -= 1
            self.out = outer

    def statement(self, node: ast.stmt) -> bool:
        method = getattr(self, f"visit_{type(node).__name__}", None)
        if method is None or isinstance(node, ast.expr):
            raise KernelSyntaxError(_unsupported(node), *self.at(node))
        return method(node) is not False

    def visit_Pass(self, node: ast.Pass) -> None:
        pass

    def visit_Expr(self, node: ast.Expr) -> None:
        call = node.value
        if isinstance(call, ast.Constant) and (call.value is ... or isinstance(call.value, str)):
            return
        if isinstance(call, ast.Call):
            target = self.value(call.func)
            if isinstance(target, Static) and target.value is builtins.barrier:
                self._barrier(call)
                return
            if isinstance(target, Static) and target.value is print:
                lower_print(self, call)
                return
            if isinstance(target, Static) and target.value is breakpoint:
                lower_breakpoint(self, call)
                return
            before = len(self.out)
            if isinstance(target, Static) and isinstance(target.value, Func | Method):
                call_user(self, target.value, self.call(call))
            elif isinstance(target, Static) and isinstance(target.value, cooperative.Method):
                cooperative.call(self, target.value, self.call(call))
            else:
                value = self.value(call)
                if isinstance(value, Compound):  # of an atomic of a vector, which is one of each number
                    self.out[before:] = [without_result(s, list(scalars(value))) for s in self.out[before:]]
            if len(self.out) > before:  # it has an effect
                self.out[-1] = without_result(self.out[-1])
                return
        raise KernelSyntaxError("this statement does nothing: its value is not used", *self.at(node))

    def visit_Assert(self, node: ast.Assert) -> None:
        lower_assert(self, node)

    def _barrier(self, call: ast.Call) -> None:
        where = self.at(call)
        if call.args or call.keywords:
            raise KernelTypeError("barrier takes no arguments", *where)
        self.emit_convergent(ir.Barrier(location=where))

    # --------------------------------------------------------------------------------------------- control flow

    def visit_If(self, node: ast.If) -> bool:
        arms = [node]
        while len(arms[-1].orelse) == 1 and isinstance(arms[-1].orelse[0], ast.If):
            arms.append(arms[-1].orelse[0])
        tail = arms[-1].orelse
        if len(arms) > LONGEST_NEST:
            return self._long_if(arms, tail)
        return self._if(arms, lambda: self.statements(tail))

    def _if(self, arms: list[ast.If], otherwise: Callable[[], bool]) -> bool:
        """``if`` and ``elif``, each in the one before. ``otherwise`` adds what is done else."""
        if not arms:
            return otherwise()
        node = arms[0]
        test = self.value(node.test)
        if isinstance(test, Static) and (is_number(test.value) or test.value is None):
            # Decided while compiling: the other branch may even be invalid, for example because types differ.
            return self.statements(node.body) if test.value else self._if(arms[1:], otherwise)
        condition = self.truth(test, self.at(node.test))
        before = set(self.assigned)
        then, then_reaches = self.nested(node.body)
        after_then, then_locals = self.assigned, dict(self.locals)
        self.assigned = set(before)
        rest, rest_reaches = self.nested_by(lambda: self._if(arms[1:], otherwise))
        if then_reaches and rest_reaches:
            self.assigned = after_then & self.assigned
            # A loop in one of the two may have used a name again, for a variable of another type.
            self.assigned -= {n for n, known in then_locals.items() if self.locals.get(n) is not known}
        elif then_reaches:
            self.assigned = after_then
        self.emit(ir.If(condition, then, rest, location=self.at(node)))
        return then_reaches or rest_reaches

    def _long_if(self, arms: list[ast.If], tail: list[ast.stmt]) -> bool:
        """A long chain of ``elif``: some, each in the one before; then the next, if none was true; and so on."""
        where, start = self.at(arms[0]), len(self.out)
        before = set(self.assigned)
        undecided = self.temporary(boolean, "undecided")
        is_undecided = ir.Local(undecided, type=boolean, location=where)

        def decide(is_open: bool) -> None:
            self.emit(ir.Assign(undecided, ir.const(is_open, boolean, where), location=where))

        decide(True)
        ways: list[set[str | ViewName]] = []
        open_end: set[str | ViewName] | None = set(before)

        def fall_through() -> bool:
            nonlocal open_end
            open_end = set(self.assigned)
            decide(True)
            return False

        def some(part: list[ast.If]) -> bool:
            decide(False)
            return self._if(part, fall_through)

        for n in range(0, len(arms), LONGEST_NEST):
            part, open_end = arms[n : n + LONGEST_NEST], None
            block, reaches = self.nested_by(partial(some, part))
            self.emit(ir.If(is_undecided, block, (), location=self.at(part[0])))
            if reaches:
                ways.append(self.assigned)
            if open_end is None:
                break  # decided while compiling: what follows may even be invalid
            self.assigned = open_end
        else:
            block, reaches = self.nested(tail)
            self.emit(ir.If(is_undecided, block, (), location=where))
            if reaches:
                ways.append(self.assigned)
        self.assigned = set.intersection(*ways) if ways else before
        # Each way gives these a value, but no longer in one statement.
        self.out[start:start] = [_zero(v, where) for v in self.variables_named(self.assigned - before)]
        if not ways and not self.is_kernel and isinstance(self.result, ScalarType | CompositeType):
            values = tuple(zero(leaf.compute, where) for _, leaf in leaves(self.result))
            self.emit(ir.Return(values, location=where))
        return bool(ways)

    def visit_Return(self, node: ast.Return) -> bool:
        where = self.at(node)
        nothing = node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)
        if self.is_kernel:
            if not nothing:
                raise KernelTypeError("a kernel returns nothing; write to an ItemMut, GlobalMut or Out", *where)
            self.emit(ir.Return(location=where))
            return False
        values: tuple[ir.Expr, ...] = ()
        result = self.result
        if nothing:
            if result not in (None, ()):
                raise KernelTypeError(f"this function returns {self.result} elsewhere", *where)
            self.result = ()
        else:
            assert node.value is not None
            value = self.value(node.value)
            if isinstance(result, tuple):
                raise KernelTypeError("this function returns nothing elsewhere", *where)
            if result is None:
                self.result = result = concretized(value).type
            values = tuple(coerce(value, result, f"the function's result, which is {result}", where))
        self.add_return(values, where)
        return False

    def add_return(self, values: tuple[ir.Expr, ...], where: ir.Location) -> None:
        """Ends the function with its results."""
        self.emit(ir.Return(values, location=where))


_STATEMENTS: dict[type[ast.stmt], str] = {
    ast.Try: "no exceptions: remove the try",
    ast.Raise: "no exceptions: write a value that says what went wrong",
    ast.With: "no with statement",
    ast.FunctionDef: "no inner functions: define it outside with @func",
    ast.ClassDef: "no classes",
    ast.Import: "no imports: import at the top of the module",
    ast.ImportFrom: "no imports: import at the top of the module",
    ast.Global: "no global: values come as parameters, results go to buffers",
    ast.Nonlocal: "no nonlocal: values come as parameters, results go to buffers",
    ast.Delete: "no del",
    ast.Match: "no match: write if and elif",
    ast.TryStar: "no exceptions: remove the try",
    ast.AsyncFor: "no async",
    ast.AsyncWith: "no async",
}


def _zero(variable: ir.Variable, where: ir.Location) -> ir.Stmt:
    return ir.Assign(variable, zero(variable.type, where), location=where)


def _unsupported(node: ast.stmt) -> str:
    return f"kernels have {_STATEMENTS.get(type(node), f'no {type(node).__name__}')}"
