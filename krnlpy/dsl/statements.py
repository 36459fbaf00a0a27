"""Statements: from Python's syntax tree to typed IR, with proof that every variable has a value where it is read."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TypeVar

from krnlpy.errors import KernelNameError, KernelSyntaxError, KernelTypeError
from krnlpy.scalar import ScalarType, i32

from . import builtins, ir
from .conversions import Static, Value, assignable, default_type, describe, is_number, typed, unify, widen, widens
from .expressions import ExpressionLowering, LocalName, ProgramState
from .source import Source
from .types import element_type


class StatementLowering(ExpressionLowering):
    """Lowers the statements of one function."""

    def __init__(self, source: Source, state: ProgramState, is_kernel: bool) -> None:
        super().__init__(source, state, is_kernel)
        self.local_arrays: list[ir.LocalArray] = []
        self.result: ScalarType | None = None
        self.depth = 0
        self.loops = 0

    def without_docstring(self) -> list[ast.stmt]:
        body = self.source.tree.body
        first = body[0]
        is_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        return body[1:] if is_doc and isinstance(first.value.value, str) else body  # type: ignore[attr-defined]

    # ------------------------------------------------------------------------------------------------ statements

    def block(self, statements: list[ast.stmt]) -> tuple[ir.Block, bool]:
        """The statements in order, and whether control can reach their end; what follows that is left out."""
        result: list[ir.Stmt] = []
        for statement in statements:
            reaches = self.statement(statement, result)
            if not reaches:
                return tuple(result), False
        return tuple(result), True

    def statement(self, node: ast.stmt, out: list[ir.Stmt]) -> bool:
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is None or isinstance(node, ast.expr):
            raise KernelSyntaxError(_unsupported(node), *self.at(node))
        reaches = method(node, out)
        return reaches is not False

    def _Pass(self, node: ast.Pass, out: list[ir.Stmt]) -> None:  # noqa: N802
        pass

    def _Expr(self, node: ast.Expr, out: list[ir.Stmt]) -> None:  # noqa: N802
        call = node.value
        if isinstance(call, ast.Constant) and call.value is ...:
            return
        if isinstance(call, ast.Call):
            target = self.value(call.func)
            if isinstance(target, Static) and target.value is builtins.barrier:
                self._barrier(call, out)
                return
        raise KernelSyntaxError("this statement does nothing: its value is not used", *self.at(node))

    def _barrier(self, call: ast.Call, out: list[ir.Stmt]) -> None:
        where = self.at(call)
        if not self.is_kernel:
            raise KernelSyntaxError("barrier() stands only in kernels, not in functions", *where)
        if self.state.has_items:
            raise KernelSyntaxError("a kernel with items has no groups of its own, hence no barriers", *where)
        if call.args or call.keywords:
            raise KernelTypeError("barrier takes no arguments", *where)
        out.append(ir.Barrier(location=where))

    def _Assign(self, node: ast.Assign, out: list[ir.Stmt]) -> None:  # noqa: N802
        if self._array_declaration(node):
            return
        value = self.value(node.value)
        targets = node.targets
        if len(targets) > 1:
            value = self._taken(value, out)
        for target in targets:
            self._assign(target, value, out, self.at(node.value))

    def _AnnAssign(self, node: ast.AnnAssign, out: list[ir.Stmt]) -> None:  # noqa: N802
        where = self.at(node.annotation)
        if not isinstance(node.target, ast.Name):
            raise KernelSyntaxError("only variables are annotated", *where)
        if node.value is None:
            raise KernelSyntaxError("a variable gets a value where it is annotated", *self.at(node))
        annotation = self.value(node.annotation)
        if not (isinstance(annotation, Static)):
            raise KernelTypeError("expected a scalar type", *where)
        try:
            storage = element_type(annotation.value)
        except TypeError as error:
            raise KernelTypeError(str(error), *where) from None
        assert not isinstance(storage, TypeVar)
        name = node.target.id
        known = self.locals.get(name)
        if known is not None and known.storage is not storage:
            raise KernelTypeError(
                f"{name} is {known.storage} since line {known.line}; use another name for the {storage}",
                *where,
            )
        value = self.value(node.value)
        if known is None:
            self._check_new_name(node.target)
            self.locals[name] = LocalName(ir.Variable(name, storage.compute), storage, node.lineno)
        self._assign(node.target, value, out, self.at(node.value))

    def _AugAssign(self, node: ast.AugAssign, out: list[ir.Stmt]) -> None:  # noqa: N802
        where = self.at(node)
        if isinstance(node.op, ast.MatMult):
            raise KernelSyntaxError("kernels have no @ operator; write the loops", *where)
        target = node.target
        if isinstance(target, ast.Subscript):
            place = self.place(self.value(target.value), target.value)
            # The index is evaluated once, as in Python: what is more than a name goes through a temporary.
            index = tuple(self._steady(i, out) for i in self.index(target.slice))
            self.check_rank(place, index, self.at(target))
            old: Value = ir.Load(place, index, type=place.type.compute, location=self.at(target))
            value = self.binary(node.op, old, self.value(node.value), where)
            self._store(place, index, value, out, self.at(target), self.at(node.value))
            return
        if not isinstance(target, ast.Name):
            raise KernelSyntaxError("kernels assign to variables and to elements of arrays", *self.at(target))
        old = self.value(ast.copy_location(ast.Name(target.id, ast.Load()), target))
        self._assign(target, self.binary(node.op, old, self.value(node.value), where), out, where)

    def _steady(self, value: ir.Expr, out: list[ir.Stmt]) -> ir.Expr:
        if isinstance(value, ir.Const | ir.Local | ir.Argument | ir.SpecValue | ir.Id):
            return value
        return self._temporary(value, out, "index")

    def _temporary(self, value: ir.Expr, out: list[ir.Stmt], name: str = "value") -> ir.Expr:
        variable = ir.Variable(name, value.type)
        out.append(ir.Assign(variable, value, location=value.location))
        return ir.Local(variable, type=value.type, location=value.location)

    def _assign(self, target: ast.expr, value: Value, out: list[ir.Stmt], where: ir.Location) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            self._assign_tuple(target, value, out, where)
        elif isinstance(target, ast.Subscript):
            place = self.place(self.value(target.value), target.value)
            index = self.index(target.slice)
            self.check_rank(place, index, self.at(target))
            self._store(place, index, value, out, self.at(target), where)
        elif isinstance(target, ast.Name):
            self._assign_name(target, value, out, where)
        else:
            raise KernelSyntaxError("kernels assign to variables and to elements of arrays", *self.at(target))

    def _assign_tuple(self, target: ast.Tuple | ast.List, value: Value, out: list[ir.Stmt], where: ir.Location) -> None:
        if not (isinstance(value, Static) and isinstance(value.value, tuple)):
            raise KernelTypeError(f"{describe(value)} cannot be unpacked", *where)
        if len(value.value) != len(target.elts):
            raise KernelTypeError(f"{len(value.value)} values for {len(target.elts)} targets", *where)
        # A value that a target before it may change is taken first: a, b = b, a.
        values = [
            self._taken(v, out) if any(self._may_change(t, v) for t in target.elts[:n]) else v
            for n, v in enumerate(value.value)
        ]
        for element, one in zip(target.elts, values, strict=True):
            self._assign(element, one, out, where)

    def _taken(self, value: Value, out: list[ir.Stmt]) -> Value:
        """The value as it is now, whatever is assigned later."""
        if isinstance(value, ir.Expr):
            return self._temporary(value, out)
        if isinstance(value.value, tuple):
            return Static(tuple(self._taken(v, out) for v in value.value), value.location)
        return value

    def _may_change(self, target: ast.expr, value: Value) -> bool:
        """Whether assigning a target may change a value."""
        if not isinstance(value, ir.Expr):
            return isinstance(value.value, tuple) and any(self._may_change(target, v) for v in value.value)
        if isinstance(target, ast.Name) and not (self.is_kernel and target.id in self.state.parameters):
            known = self.locals.get(target.id)
            reads = (e.variable for e in ir.walk(value) if isinstance(e, ir.Local))
            return known is not None and known.variable in reads
        return any(isinstance(e, ir.Load | ir.Call) for e in ir.walk(value))  # an element is written

    def _assign_name(self, target: ast.Name, value: Value, out: list[ir.Stmt], where: ir.Location) -> None:
        name = target.id
        if self.is_kernel and name in self.state.parameters and name not in self.locals:
            parameter = self.state.parameters[name]
            if isinstance(parameter, ir.ItemParameter):
                self._store(parameter, (), value, out, self.at(target), where)
                return
            how = "index it: a[i] = ..." if isinstance(parameter, ir.GlobalParameter) else "use another name"
            raise KernelTypeError(f"the parameter {name} cannot be assigned; {how}", *self.at(target))
        if name in self.arrays:
            raise KernelTypeError(f"the array {name} cannot be assigned; index it", *self.at(target))
        if not isinstance(value, ir.Expr) and not is_number(value.value):
            value = typed(value)
        known = self.locals.get(name)
        if known is None:
            self._check_new_name(target)
            kind = value.type if isinstance(value, ir.Expr) else default_type(value.value)
            known = self.locals[name] = LocalName(ir.Variable(name, kind), kind, target.lineno)
        what = f"{name}, which is {known.storage} since line {known.line}"
        result = assignable(value, known.storage, what, where)
        if known.storage is not known.variable.type:
            result = ir.Round(result, known.storage, type=result.type, location=where)
        out.append(ir.Assign(known.variable, result, location=self.at(target)))
        self.assigned.add(name)

    def _check_new_name(self, target: ast.Name) -> None:
        if target.id in self.arrays or (self.is_kernel and target.id in self.state.parameters):
            raise KernelNameError(f"the name {target.id} is taken", *self.at(target))

    def _store(
        self,
        place: ir.Place,
        index: tuple[ir.Expr, ...],
        value: Value,
        out: list[ir.Stmt],
        where: ir.Location,
        value_where: ir.Location,
    ) -> None:
        if not self.is_kernel and not isinstance(place, ir.LocalArray):
            raise KernelTypeError("functions write to no buffers; return the value", *where)
        if isinstance(place, ir.ItemParameter | ir.GlobalParameter) and not place.mutable:
            better = "ItemMut" if isinstance(place, ir.ItemParameter) else "GlobalMut"
            raise KernelTypeError(f"{place.name} is read only; declare it {better}[{place.type}] to write", *where)
        result = assignable(value, place.type, f"{place.name}, which holds {place.type}", value_where)
        out.append(ir.Store(place, index, result, location=where))

    # ------------------------------------------------------------------------------------------------- arrays

    def _array_declaration(self, node: ast.Assign) -> bool:
        if not (isinstance(node.value, ast.Call) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            return False
        callee = self.value(node.value.func)
        if not isinstance(callee, Static) or not isinstance(callee.value, Callable):  # type: ignore[arg-type]
            return False
        if callee.value not in (builtins.local_array, builtins.group_array):
            return False
        group = callee.value is builtins.group_array
        what = "group_array" if group else "local_array"
        where = self.at(node.value)
        name = node.targets[0].id
        if self.depth:
            raise KernelSyntaxError(f"{what} stands at the top of the function, not inside if or a loop", *where)
        if group and not self.is_kernel:
            raise KernelSyntaxError("group arrays are declared in kernels, not in functions", *where)
        if group and self.state.has_items:
            raise KernelSyntaxError("a kernel with items has no groups of its own, hence no group arrays", *where)
        if name in self.arrays or name in self.locals or (self.is_kernel and name in self.state.parameters):
            raise KernelNameError(f"the name {name} is taken", *self.at(node.targets[0]))
        arguments = dict(zip(("type", "shape"), node.value.args, strict=False))
        arguments.update({k.arg: k.value for k in node.value.keywords if k.arg})
        if set(arguments) != {"type", "shape"} or len(node.value.args) + len(node.value.keywords) != 2:
            raise KernelTypeError(f"write {what}(type, shape), for example {what}(f32, (16, 16))", *where)
        element = self.value(arguments["type"])
        try:
            type = element_type(element.value if isinstance(element, Static) else element)
        except TypeError as error:
            raise KernelTypeError(str(error), *self.at(arguments["type"])) from None
        assert not isinstance(type, TypeVar)
        array = (ir.GroupArray if group else ir.LocalArray)(name, type, self._array_shape(arguments["shape"]))
        self.arrays[name] = array
        if isinstance(array, ir.GroupArray):
            self.state.group_arrays.append(array)
        else:
            self.local_arrays.append(array)
        return True

    def _array_shape(self, node: ast.expr) -> tuple[ir.Expr, ...]:
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        if not 1 <= len(parts) <= 3:
            raise KernelTypeError("local and group arrays have one to three dimensions", *self.at(node))
        shape = []
        for part in parts:
            extent = self.typed(part, i32)
            for inner in ir.walk(extent):
                fixed = isinstance(inner, ir.Const | ir.SpecValue | ir.Cast) or (
                    isinstance(inner, ir.Binary) and inner.op in ("add", "sub", "mul", "floordiv")
                )
                if not fixed:
                    raise KernelTypeError(
                        "the size of an array is made of constants and Spec values with + - * //",
                        *self.at(part),
                    )
            if not extent.type.is_integer:
                raise KernelTypeError(f"the size of an array is an integer, not {extent.type}", *self.at(part))
            if extent.type is not i32 and not widens(extent.type, i32):
                extent = ir.Cast(extent, type=i32, location=extent.location)
            extent = widen(extent, i32)
            if isinstance(extent, ir.Const) and extent.value < 1:
                raise KernelTypeError("the size of an array must be at least 1", *self.at(part))
            shape.append(extent)
        return tuple(shape)

    # --------------------------------------------------------------------------------------------- control flow

    def _nested(self, statements: list[ast.stmt]) -> tuple[ir.Block, bool]:
        self.depth += 1
        try:
            return self.block(statements)
        finally:
            self.depth -= 1

    def _If(self, node: ast.If, out: list[ir.Stmt]) -> bool:  # noqa: N802
        test = self.value(node.test)
        if isinstance(test, Static) and (is_number(test.value) or test.value is None):
            # Decided while compiling: the other branch need not even be valid, as with types that differ.
            block, reaches = self.block(node.body if test.value else node.orelse)
            out.extend(block)
            return reaches
        condition = self.truth(test, node.test)
        before = set(self.assigned)
        then, then_reaches = self._nested(node.body)
        after_then = self.assigned
        self.assigned = set(before)
        otherwise, otherwise_reaches = self._nested(node.orelse)
        after_otherwise = self.assigned
        if then_reaches and otherwise_reaches:
            self.assigned = after_then & after_otherwise
        else:
            self.assigned = after_then if then_reaches else after_otherwise
        out.append(ir.If(condition, then, otherwise, location=self.at(node)))
        return then_reaches or otherwise_reaches

    def _loop_body(self, node: ast.For | ast.While) -> ir.Block:
        if node.orelse:
            raise KernelSyntaxError("loops have no else in kernels; use a variable", *self.at(node.orelse[0]))
        before = set(self.assigned)
        self.loops += 1
        body, _ = self._nested(node.body)
        self.loops -= 1
        self.assigned = before
        return body

    def _While(self, node: ast.While, out: list[ir.Stmt]) -> None:  # noqa: N802
        condition = self.condition(node.test)
        out.append(ir.While(condition, self._loop_body(node), location=self.at(node)))

    def _For(self, node: ast.For, out: list[ir.Stmt]) -> None:  # noqa: N802
        where = self.at(node)
        if not isinstance(node.target, ast.Name):
            raise KernelSyntaxError("a for loop has one variable", *self.at(node.target))
        callee = self.value(node.iter.func) if isinstance(node.iter, ast.Call) else None
        if not isinstance(node.iter, ast.Call) or not isinstance(callee, Static) or callee.value is not range:
            raise KernelSyntaxError("kernels loop over range(...) only", *self.at(node.iter))
        arguments = [self.value(a) for a in node.iter.args]
        if node.iter.keywords or not 1 <= len(arguments) <= 3:
            raise KernelTypeError("range takes one to three numbers", *self.at(node.iter))
        zero, one = Static(0, where), Static(1, where)
        start: Value = arguments[0] if len(arguments) > 1 else zero
        stop = arguments[1] if len(arguments) > 1 else arguments[0]
        step: Value = arguments[2] if len(arguments) > 2 else one
        if isinstance(step, Static) and step.value == 0:
            raise KernelTypeError("the step of a range must not be 0", *self.at(node.iter))
        first, last = unify(start, stop, "range", self.at(node.iter))
        stride, _ = unify(step, first, "range", self.at(node.iter))
        if stride.type is not first.type:
            first, last = widen(first, stride.type), widen(last, stride.type)
        if not first.type.is_integer:
            raise KernelTypeError(f"range takes integers, not {first.type}", *self.at(node.iter))
        name = node.target.id
        known = self.locals.get(name)
        if name in self.arrays or (self.is_kernel and name in self.state.parameters):
            raise KernelNameError(f"the name {name} is taken", *self.at(node.target))
        if known is None or known.variable.type is not first.type:
            # A loop's variable may be used anew by a later loop over another type, unless it was a variable before.
            if known is not None and name in self.assigned:
                raise KernelTypeError(
                    f"{name} is {known.storage} since line {known.line}; this range counts in {first.type}; use another"
                    " name",
                    *self.at(node.target),
                )
            known = LocalName(ir.Variable(name, first.type), first.type, node.lineno)
            self.locals[name] = known
        was_assigned = name in self.assigned
        self.assigned.add(name)
        body = self._loop_body(node)
        if not was_assigned:
            self.assigned.discard(name)  # the range may have been empty
        out.append(ir.For(known.variable, first, last, stride, body, location=where))

    def _Break(self, node: ast.Break, out: list[ir.Stmt]) -> bool:  # noqa: N802
        out.append(ir.Break(location=self.at(node)))
        return False

    def _Continue(self, node: ast.Continue, out: list[ir.Stmt]) -> bool:  # noqa: N802
        out.append(ir.Continue(location=self.at(node)))
        return False

    def _Return(self, node: ast.Return, out: list[ir.Stmt]) -> bool:  # noqa: N802
        where = self.at(node)
        if self.is_kernel:
            if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
                raise KernelTypeError("a kernel returns nothing; write to an ItemMut, GlobalMut or Out", *where)
            out.append(ir.Return(None, location=where))
            return False
        if node.value is None:
            raise KernelTypeError("a function returns a value", *where)
        value = self.value(node.value)
        if isinstance(value, Static) and isinstance(value.value, tuple):
            raise KernelSyntaxError("functions return one value", *where)
        if self.result is None:
            self.result = typed(value).type
        result = assignable(value, self.result, f"the function's result, which is {self.result}", where)
        out.append(ir.Return(result, location=where))
        return False


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
    ast.Assert: "no assert yet: write if",
    ast.AsyncFor: "no async",
    ast.AsyncWith: "no async",
}


def _unsupported(node: ast.stmt) -> str:
    return f"kernels have {_STATEMENTS.get(type(node), f'no {type(node).__name__}')}"
