"""Statements: from Python's syntax tree to typed IR. Every variable provably has a value where it is read."""

from __future__ import annotations

import ast

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.callables import Func, Method
from krnlpy.dsl.frontend.conversions import coerce, concretized
from krnlpy.dsl.frontend.lowering import ProgramState
from krnlpy.dsl.frontend.operations import cooperative
from krnlpy.dsl.frontend.operations.atomics import without_result
from krnlpy.dsl.frontend.operations.calls import call_user
from krnlpy.dsl.frontend.source import Source
from krnlpy.dsl.frontend.values import Compound, Static, is_number, scalars
from krnlpy.dsl.types.composites import AnyType
from krnlpy.errors import KernelSyntaxError, KernelTypeError

from .loops import Loop, LoopLowering
from .output import lower_assert, lower_breakpoint, lower_print


class StatementLowering(LoopLowering):
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

    def nested(self, statements: list[ast.stmt]) -> tuple[ir.Block, bool]:
        """The statements as a block of their own, and whether control can reach its end."""
        outer, self.out = self.out, []
        self.depth += 1
        try:
            reaches = self.statements(statements)
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
        test = self.value(node.test)
        if isinstance(test, Static) and (is_number(test.value) or test.value is None):
            # Decided while compiling: the other branch may even be invalid, for example because types differ.
            return self.statements(node.body if test.value else node.orelse)
        condition = self.truth(test, self.at(node.test))
        before = set(self.assigned)
        then, then_reaches = self.nested(node.body)
        after_then = self.assigned
        self.assigned = set(before)
        otherwise, otherwise_reaches = self.nested(node.orelse)
        if then_reaches and otherwise_reaches:
            self.assigned = after_then & self.assigned
        elif then_reaches:
            self.assigned = after_then
        self.emit(ir.If(condition, then, otherwise, location=self.at(node)))
        return then_reaches or otherwise_reaches

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


def _unsupported(node: ast.stmt) -> str:
    return f"kernels have {_STATEMENTS.get(type(node), f'no {type(node).__name__}')}"
