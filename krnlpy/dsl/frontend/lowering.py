"""The state of a function's lowering: its names, the statements so far, and the order of effects.

Expressions of the IR have no effects. A kernel's expression that has one (an atomic, a call of a function that writes,
``:=``), or that is convergent, becomes a statement before its own statement, and the expression reads the variable that
this statement sets. What Python evaluates before it is put into variables too, so that the order stays. What Python
evaluates only under a condition stays under it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from krnlpy.dsl import ir
from krnlpy.dsl.passes.derivative.derivations import Derivations
from krnlpy.errors import KernelSyntaxError, KernelTypeError
from krnlpy.scalar import ScalarType

from .callables import Argument, Call, Func
from .receiver import Receiver
from .sequences import entries
from .source import Source
from .tables import frozen, table
from .targets import AnyName, Target, ViewName
from .values import ArrayPlace, Compound, CompoundPlace, Static, Value, describe
from .views import Array, View


@dataclass(eq=False)
class ProgramState:
    """What the functions of one program share while it is lowered.

    Attributes:
        parameters: what the names of the kernel's parameters mean: a parameter of the IR, or for composite types what
            consists of several.
        ir_parameters: those of the IR, in order.
        receiver: of a method, its object.
        functions: those that were lowered, by what they were lowered for.
        captured: what names from outside mean, by function (or module) and name; filled at their first use.
        tables: captured arrays as tables, by what they hold.
        derivations: the derivatives of its functions; None before the first.
        votes: what votes at barriers count with; None before the first.
    """

    types: dict[TypeVar, ScalarType]
    has_items: bool
    captured: dict[tuple[Any, str], Any] = field(default_factory=dict)
    receiver: Receiver | None = None
    parameters: dict[str, ir.Parameter | CompoundPlace | Compound] = field(default_factory=dict)
    ir_parameters: list[ir.Parameter] = field(default_factory=list)
    functions: dict[Any, Any] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    group_arrays: list[ir.GroupArray] = field(default_factory=list)
    calling: list[object] = field(default_factory=list)
    tables: dict[Any, ir.ConstantArray] = field(default_factory=dict)
    derivations: Derivations | None = None
    votes: Any = None

    def capture(self, owner: Any, name: str, find: Callable[[], Any]) -> Any:
        """What a name of a function's or module's surroundings means, from its first use on."""
        if (owner, name) not in self.captured:
            self.captured[owner, name] = frozen(find())
        return self.captured[owner, name]

    def table(self, array: np.ndarray[Any, Any], name: str, where: ir.Location) -> ir.ConstantArray:
        """An array as a table of the program, one for all that hold the same."""
        key = (array.dtype, array.shape, array.tobytes())
        if key not in self.tables:
            self.tables[key] = table(array, name, where)
        return self.tables[key]

    def unique(self, name: str) -> str:
        """A function name not yet taken in this program."""
        taken, count = name, 2
        while taken in self.names:
            taken, count = f"{name}_{count}", count + 1
        self.names.add(taken)
        return taken


class Lowering:
    """The state of the lowering of one function.

    Attributes:
        out: the block that statements are added to.
        locals: the variables, by name. ``assigned`` are those that surely have a value here.
        arrays: local and group arrays, and in a function the places that were handed to it.
        views: names for rows and slices of arrays. ``assigned`` has a view that its name surely means here: of two
            that a name may mean, neither.
        array_lines: the lines where it first declares arrays of its own, by name.
        aliased: the arrays that have other names, or rows with names.
        matrices: the cooperative matrices, and arrays of these, by name.
        statics: names for what is known while compiling: counters of unrolled loops, types handed to a function.
        depth: of the nesting in conditions and loops.
        effects: whether something was added that reaches beyond the function's own variables and arrays.
        is_convergent: whether the function has barriers or operations of subgroups.
        reaches_object: whether it, or one that it calls, reaches a buffer of the object whose method is compiled.
    """

    def __init__(self, source: Source, state: ProgramState, is_kernel: bool) -> None:
        self.source = source
        self.state = state
        self.is_kernel = is_kernel
        self.out: list[ir.Stmt] = []
        self.locals: dict[str, AnyName] = {}
        self.assigned: set[str | ViewName] = set()
        self.arrays: dict[str, ArrayPlace] = {}
        self.views: dict[str, ViewName] = {}
        self.array_lines: dict[str, int] = {}
        self.aliased: set[ArrayPlace] = set()
        self.matrices: dict[str, Any] = {}
        self.statics: dict[str, Value] = {}
        self.local_arrays: list[ir.LocalArray] = []
        self.local_names = _stored_names(source.tree)
        self.depth = 0
        self.effects = False
        self.is_convergent = False
        self.reaches_object = False
        self._temporaries: set[ir.Variable] = set()
        self._positions: set[ir.Expr] = set()

    def at(self, node: ast.AST) -> ir.Location:
        return self.source.location(node)

    def value(self, node: ast.expr) -> Value:
        """Any value: typed, composite, weak, or known only to the compiler."""
        method = getattr(self, f"visit_{type(node).__name__}", None)
        if method is None:
            raise KernelSyntaxError(unsupported_expression(node), *self.at(node))
        result: Value = method(node)
        return result

    def call(self, node: ast.Call) -> Call:
        """A call with its arguments evaluated, from left to right; of a starred one, what it consists of."""
        where = self.at(node)
        name = getattr(node.func, "attr", getattr(node.func, "id", "this function"))
        values = self.values([*map(_unstarred, node.args), *(keyword.value for keyword in node.keywords)])
        positional = [
            Argument(entry, self.at(a))
            for v, a in zip(values, node.args, strict=False)
            for entry in (self._starred(v, a) if isinstance(a, ast.Starred) else (v,))
        ]
        keywords = zip(values[len(node.args) :], node.keywords, strict=True)
        return Call(name, where, tuple(positional), tuple((k.arg, Argument(v, self.at(k))) for v, k in keywords))

    def entries_of(self, nodes: Sequence[ast.expr]) -> tuple[Value, ...]:
        """The entries of a tuple that is written out; of a starred one, what it consists of."""
        found: list[Value] = []
        for value, node in zip(self.values([*map(_unstarred, nodes)]), nodes, strict=True):
            found += self._starred(value, node) if isinstance(node, ast.Starred) else (value,)
        return tuple(found)

    def _starred(self, value: Value, node: ast.expr) -> tuple[Value, ...]:
        found = entries(value)
        if found is None:
            raise KernelTypeError(
                f"* takes a tuple, a list or a vector, whose length is known, not {describe(value)}", *self.at(node)
            )
        return found

    # ------------------------------------------------------------------- made by those who lower syntax, for operations

    def truth(self, value: Value, location: ir.Location) -> ir.Expr:
        """Whether a value is true: numbers are unless they are 0."""
        raise NotImplementedError

    def unary(self, operator: ast.unaryop, value: Value, where: ir.Location) -> Value:
        """An operator of Python's with its operand."""
        raise NotImplementedError

    def binary(self, operator: ast.operator, left: Value, right: Value, where: ir.Location) -> Value:
        """An operator of Python's between two values."""
        raise NotImplementedError

    def compare(self, operator: ast.cmpop, left: Value, right: Value, where: ir.Location) -> Value:
        """A comparison of two values."""
        raise NotImplementedError

    def array_attribute(self, array: Array, name: str, where: ir.Location) -> Value:
        """An attribute of an array, such as its shape."""
        raise NotImplementedError

    def array(self, owner: Value, where: ir.Location) -> Array:
        """The array, or part of one, that a value stands for."""
        raise NotImplementedError

    def target(self, node: ast.expr) -> Target:
        """What an assignment to an expression would change."""
        raise NotImplementedError

    def call_function(self, callee: Func, call: Call) -> Value | None:
        """The call of a ``@func``; None where it returns nothing."""
        raise NotImplementedError

    def library_function(self, callee: Func, operands: tuple[ir.Expr, ...]) -> ir.Function:
        """A function of the library for such operands."""
        raise NotImplementedError

    def apply(self, callee: Func, operands: Sequence[Value], where: ir.Location) -> Value:
        """The value of a ``@func`` without effects, for operands that it converts to the types of its parameters."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------- statements, effects

    def emit(self, statement: ir.Stmt) -> None:
        """Adds a statement that touches variables of the function only."""
        self.out.append(statement)

    def emit_effect(self, statement: ir.Stmt) -> None:
        """Adds a statement that other threads or the host may notice: a function with one has an effect."""
        self.effects = True
        self.out.append(statement)

    def emit_convergent(self, statement: ir.Stmt) -> None:
        """Adds a convergent statement: a barrier or a subgroup operation.

        Raises:
            KernelSyntaxError: the kernel has items.
        """
        if self.state.has_items:
            what = "barriers" if isinstance(statement, ir.Barrier) else "subgroups"
            raise KernelSyntaxError(
                f"a kernel with items has no groups of its own, hence no {what}; take the buffers as Global, and index"
                " them by global_id()",
                *statement.location,
            )
        self.is_convergent = self.effects = True
        self.out.append(statement)

    def temporary(self, type: ScalarType, name: str = "value") -> ir.Variable:
        """A new variable for a value of a type of computation; names need not be unique."""
        variable = ir.Variable(name, type)
        self._temporaries.add(variable)
        return variable

    def assign_temporary(self, value: ir.Expr, name: str = "value") -> ir.Local:
        """Evaluates an expression here, into a variable."""
        variable = self.temporary(value.type, name)
        self.emit(ir.Assign(variable, value, location=value.location))
        return ir.Local(variable, type=value.type, location=value.location)

    def snapshot(self, value: Value, name: str = "value") -> Value:
        """The value as it is here, whatever is assigned later."""
        if isinstance(value, ir.Select) and _is_simple_choice(value):
            return replace(value, condition=self.assign_temporary(value.condition, "condition"))
        if isinstance(value, ir.Expr):
            return value if _is_constant(value) else self.assign_temporary(value, name)
        if isinstance(value, Compound):
            return Compound(value.type, tuple(self.snapshot(p, name) for p in value.parts), value.location)  # type: ignore[misc]
        if isinstance(value.value, View):
            numbers = [n if _is_constant(n) else self.assign_temporary(n, name) for n in value.value.numbers]
            return Static(value.value.of(iter(numbers)), value.location)
        if isinstance(value.value, ir.CooperativeMatrix):
            copy = replace(value.value, name=name)
            self.emit_convergent(ir.CooperativeMap(copy, "copy", (value.value,), location=value.location))
            return Static(copy, value.location)
        if isinstance(value.value, tuple):
            parts = (self.snapshot(p, name) if isinstance(p, Value) else p for p in value.value)
            return Static(tuple(parts), value.location)
        return value

    def evaluate_once(self, value: ir.Expr, name: str = "value") -> ir.Expr:
        """The expression in a form that may be repeated: itself if it is a name or a number, otherwise a variable."""
        if isinstance(value, ir.Const | ir.Local | ir.Argument | ir.SpecValue | ir.Id | ir.Extent):
            return value
        if isinstance(value, ir.Select) and _is_simple_choice(value):
            return replace(value, condition=self.evaluate_once(value.condition, "condition"))
        return self.assign_temporary(value, name)

    def in_order(self, steps: Iterable[Callable[[], Value]]) -> list[Value]:
        """The values of several steps, evaluated one after another: the effects of a later one do not change what an
        earlier one read."""
        values: list[Value] = []
        for step in steps:
            before = len(self.out)
            value = step()
            effects = self.out[before:]
            if not all(isinstance(s, ir.Assign) and s.variable in self._temporaries for s in effects):
                del self.out[before:]
                values = [self.snapshot(v) for v in values]
                self.out += effects
            values.append(value)
        return values

    def values(self, nodes: Sequence[ast.expr]) -> list[Value]:
        """The values of several expressions, evaluated from left to right."""
        return self.in_order([lambda node=node: self.value(node) for node in nodes])  # type: ignore[misc]

    @contextmanager
    def branch(self) -> Iterator[list[ir.Stmt]]:
        """Collects what is added inside as a block that may or may not be executed."""
        outer, assigned = self.out, set(self.assigned)
        self.out = []
        try:
            yield self.out
        finally:
            self.out, self.assigned = outer, assigned


def _unstarred(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Starred) else node


def _is_simple_choice(value: ir.Select) -> bool:
    """Whether a choice is one of two literals, and stays weak if its condition is evaluated early."""
    return bool(value.weak) and not any(isinstance(number, tuple) for number in value.weak)


def _is_constant(value: ir.Expr) -> bool:
    """Whether an expression has the same value wherever it stands."""
    constant = (ir.Const, ir.Argument, ir.SpecValue, ir.Id, ir.Extent)
    return isinstance(value, constant) or (isinstance(value, ir.Cast) and isinstance(value.operand, constant))


def _stored_names(tree: ast.FunctionDef) -> set[str]:
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


_WORDS: dict[type[ast.AST], str] = {
    ast.Lambda: "lambda; define a function with @func",
    ast.Dict: "dictionaries",
    ast.Set: "sets, but after `in`; write a list or a tuple",
    ast.SetComp: "set comprehensions; write a list",
    ast.DictComp: "dictionaries",
    ast.JoinedStr: "strings",
    ast.Await: "await",
    ast.Yield: "yield",
}


def unsupported_expression(node: ast.expr) -> str:
    return f"kernels have no {_WORDS.get(type(node), type(node).__name__)}"
