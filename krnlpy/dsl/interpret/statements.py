"""From IR statements to Python's ast, and from functions to Python's code: part of :mod:`krnlpy.dsl.interpret`."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any

from krnlpy.dsl import ir
from krnlpy.dsl.ir.layout import Variant
from krnlpy.scalar import ScalarType, boolean

from .atomics import as_load_and_store
from .expressions import (
    PREFIX,
    Expressions,
    Scope,
    call,
    is_stored_only,
    locate,
    name,
    number,
    operation,
    strided_index,
    target,
    tuple_of,
)

_GROUP_ID, _THREAD_ID, _GLOBAL_ID = (
    [f"{PREFIX}{id}_{axis}" for axis in range(3)] for id in ("group_id", "thread_id", "global_id")
)
_SUBGROUP_ID, _LANE, _ITEM_ID = (f"{PREFIX}{id}" for id in ("subgroup_id", "subgroup_thread_id", "item_id"))
PER_THREAD_IDS = (*_GROUP_ID, *_THREAD_ID, *_GLOBAL_ID, _SUBGROUP_ID, _LANE, _ITEM_ID)
_POSITION = f"{PREFIX}position"


def suspends(body: ir.Block, suspending: set[ir.Function]) -> bool:
    """Whether statements wait for other threads, themselves or in a function that does."""
    return any(
        isinstance(node, ir.Barrier | ir.Collective)
        or (isinstance(node, ir.Call | ir.Invoke) and node.function in suspending)
        for node in ir.walk(body)
    )


def new_name(wanted: str, taken: set[str]) -> str:
    """The name itself where it is free, else with a number; from now on taken."""
    choices = itertools.chain([wanted], (f"{wanted}_{count}" for count in itertools.count(1)))
    chosen = next(c for c in choices if c not in taken)
    if chosen.startswith(PREFIX):  # not to be taken for one of ours
        return new_name("user" + chosen, taken)
    taken.add(chosen)
    return chosen


def zero(type: ScalarType) -> float:
    """What an element of an array is at first."""
    return False if type is boolean else 0.0 if type.is_float else 0


class Statements(Expressions):
    """Translates the statements of one function or of the kernel's body."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._names: dict[Any, str] = {}
        self._taken = set(scope.arguments.values())

    def variable(self, variable: ir.Variable | ir.LocalArray) -> str:
        if variable not in self._names:
            if isinstance(variable, ir.LocalArray):  # its own name is for debuggers
                self._names[variable] = f"{PREFIX}array_{len(self._names)}"
            else:
                self._names[variable] = new_name(variable.name, self._taken)
        return self._names[variable]

    # ------------------------------------------------------------------------------------------------- functions

    def function(self, function: ir.Function) -> CodeType:
        """The code of a function. It takes a position if it suspends, the ids, and its own arguments."""
        position = [_POSITION] if function in self.scope.suspending else []
        given = [self.variable(parameter) for parameter in function.parameters]
        given += [self.variable(array) for array in ir.captured_arrays(function)]
        arguments = [*position, *self.scope.ids, *given]
        if position:
            self.position = [ast.Starred(name(_POSITION), ast.Load())]
        start = self._arrays(function.local_arrays, function.location)
        return _compile(function.name, arguments, [*start, *self.block(function.body)], function.location)

    def kernel(self, program: ir.Program, variant: Variant, threads: tuple[int, int, int]) -> CodeType:
        """The code of a program's body; :meth:`Interpretation.bind` says what it takes."""
        arguments = [*_GROUP_ID, *_THREAD_ID]
        if suspends(program.body, self.scope.suspending):
            arguments.append(_POSITION)
            self.position = [ast.Starred(name(_POSITION), ast.Load())]
        if program.items:
            arguments.append(_ITEM_ID)
        arguments += [self.variable(array) for array in program.group_arrays]
        start = [*self._ids(threads), *self._items(program, variant)]
        for statement in start:
            locate(statement, program.location)
        start += self._debugger_arrays(program.group_arrays, program.location)
        start += self._arrays(program.local_arrays, program.location)
        return _compile(program.name, arguments, [*start, *self.block(program.body)], program.location)

    def _ids(self, threads: tuple[int, int, int]) -> list[ast.stmt]:
        """Computes the ids that are used and that the kernel's function is not given."""
        result: list[ast.stmt] = []
        for axis in range(3):
            start = operation(ast.Mult(), name(_GROUP_ID[axis]), number(threads[axis]))
            value = operation(ast.Add(), start, name(_THREAD_ID[axis]))
            result += self._define(_GLOBAL_ID[axis], value)
        x, y, z = (name(id) for id in _THREAD_ID)
        plane = operation(ast.Add(), operation(ast.Mult(), z, number(threads[1])), y)
        thread = operation(ast.Add(), operation(ast.Mult(), plane, number(threads[0])), x)
        size = number(int(self.scope.uniform_ids["subgroup_threads", 0]))
        result += self._define(_SUBGROUP_ID, operation(ast.FloorDiv(), thread, size))
        result += self._define(_LANE, operation(ast.Mod(), thread, size))
        return result

    def _define(self, id: str, value: ast.expr) -> list[ast.stmt]:
        return [ast.Assign([target(id)], value)] if id in self.scope.ids else []

    def _items(self, program: ir.Program, variant: Variant) -> list[ast.stmt]:
        """Computes where this thread's element of each item is."""
        if not program.items:
            return []
        result: list[ast.stmt] = []
        coordinates: list[ast.expr] = []
        rest: ast.expr = name(_ITEM_ID)
        for axis in reversed(range(variant.item_rank)):
            length = f"{PREFIX}item_shape_{axis}"
            coordinate = f"{PREFIX}coordinate_{axis}"
            last = operation(ast.Mod(), rest, name(length))
            result.append(ast.Assign([target(coordinate)], last))
            coordinates.insert(0, name(coordinate))
            rest = operation(ast.FloorDiv(), rest, name(length))
        for item in program.items:
            names = self.scope.buffers[item]
            contiguous = operation(ast.Add(), name(names.offset), name(_ITEM_ID))
            at = strided_index(names, coordinates) if variant.item_rank else contiguous
            result.append(ast.Assign([target(names.at)], at))
            if self.scope.debugged:  # the item under its name, as an array without axes
                element = ast.Subscript(name(names.array), tuple_of([name(names.at), number(...)]), ast.Load())
                result.append(ast.Assign([target(new_name(item.name, self._taken))], element))
        return result

    def _arrays(self, arrays: Sequence[ir.LocalArray], where: ir.Location) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for array in arrays:
            element = ast.List([number(zero(array.type))], ast.Load())
            size = number(math.prod(self.scope.shape(array)))
            result.append(ast.Assign([target(self.variable(array))], operation(ast.Mult(), element, size)))
            locate(result[-1], where)
        return [*result, *self._debugger_arrays(arrays, where)]

    def _debugger_arrays(self, arrays: Sequence[ir.LocalArray], where: ir.Location) -> list[ast.stmt]:
        """Gives arrays their own names, for debuggers."""
        result: list[ast.stmt] = []
        for array in arrays if self.scope.debugged else ():
            shape = tuple_of([number(length) for length in self.scope.shape(array)])
            shown = call("shown", name(self.variable(array)), shape, ast.Constant(array.type.name))
            result.append(ast.Assign([target(new_name(array.name, self._taken))], shown))
            locate(result[-1], where)
        return result

    # ------------------------------------------------------------------------------------------------ statements

    def block(self, block: ir.Block) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for node in block:
            method: Callable[[Any], list[ast.stmt]] = getattr(self, f"visit_{type(node).__name__}")
            statements = method(node)
            for statement in statements:
                locate(statement, node.location)
            result += statements
        return result

    def visit_Assign(self, node: ir.Assign) -> list[ast.stmt]:
        return [ast.Assign([target(self.variable(node.variable))], self.expr(node.value))]

    def visit_Store(self, node: ir.Store) -> list[ast.stmt]:
        place = node.place
        value = self.expr(node.value)
        view, at, index = self.element(place, node.index, node.location)
        if isinstance(place, ir.GlobalParameter) and place.once:
            site = self.scope.site(node.location, place.name)
            write = ast.Call(name(self.scope.buffers[place].write), [value, at, site, tuple_of(index)], [])
            return [ast.Expr(write)]
        if isinstance(place, ir.LocalArray) and is_stored_only(place.type):
            value = call(f"round_{place.type.name}", value)
        return [ast.Assign([ast.Subscript(view, at, ast.Store())], value)]

    def visit_If(self, node: ir.If) -> list[ast.stmt]:
        condition = self.expr(node.condition)
        return [ast.If(condition, self._body(node.then), self.block(node.otherwise))]

    def _body(self, block: ir.Block) -> list[ast.stmt]:
        return self.block(block) or [ast.Pass()]

    def visit_While(self, node: ir.While) -> list[ast.stmt]:
        outer = self.position
        in_loop = (ir.If(node.condition, node.body, (), location=node.location),)
        before, first = self._count_iterations(in_loop, node.location)
        loop = ast.While(self.expr(node.condition), [*first, *self._body(node.body)], [])
        self.position = outer
        return [*before, loop]

    def visit_For(self, node: ir.For) -> list[ast.stmt]:
        bounds = [self.expr(bound) for bound in (node.start, node.stop, node.step)]
        certain = isinstance(node.step, ir.Const) and node.step.value
        numbers = call("range" if certain else "range_or_nothing", *bounds)
        outer = self.position
        before, first = self._count_iterations(node.body, node.location)
        loop = ast.For(target(self.variable(node.variable)), numbers, [*first, *self._body(node.body)], [])
        self.position = outer
        return [*before, loop]

    def _count_iterations(self, body: ir.Block, where: ir.Location) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """The statements before a loop and at the start of its body: loops that suspend count iterations."""
        if not suspends(body, self.scope.suspending):
            return [], []
        place = self.scope.site(where, "loop")
        counter = f"{PREFIX}iteration_{len(self.scope.sites)}"
        self.position = [*self.position, place, name(counter)]
        return (
            [ast.Assign([target(counter)], number(0))],
            [ast.AugAssign(target(counter), ast.Add(), number(1))],
        )

    def visit_Break(self, node: ir.Break) -> list[ast.stmt]:
        return [ast.Break()]

    def visit_Continue(self, node: ir.Continue) -> list[ast.stmt]:
        return [ast.Continue()]

    def visit_Return(self, node: ir.Return) -> list[ast.stmt]:
        values = [self.expr(value) for value in node.values]
        if len(values) > 1:
            return [ast.Return(tuple_of(values))]
        return [ast.Return(values[0] if values else None)]

    def visit_Invoke(self, node: ir.Invoke) -> list[ast.stmt]:
        called = self.invoke(node.function, node.arguments, node.location)
        targets: list[ast.expr] = [target(self.variable(v)) for v in node.targets]
        if not targets:
            return [ast.Expr(called)]
        return [ast.Assign([targets[0] if len(targets) == 1 else ast.Tuple(targets, ast.Store())], called)]

    def visit_Atomic(self, node: ir.Atomic) -> list[ast.stmt]:
        before, steps = as_load_and_store(node)
        # What the steps access counts as atomic where races are looked for.
        marks = [ast.Expr(call("atomic", ast.Constant(on))) for on in (True, False)]
        return [*self.block(before), marks[0], *self.block(steps), marks[1]]

    def visit_Barrier(self, node: ir.Barrier) -> list[ast.stmt]:
        site = self.scope.site(node.location, "barrier")
        return [ast.Expr(ast.Yield(tuple_of([self.here(site), site])))]

    def visit_Collective(self, node: ir.Collective) -> list[ast.stmt]:
        values = tuple_of([self.expr(operand) for operand in node.operands])
        site = self.scope.site(node.location, f"subgroup_{node.op}")
        self.scope.collectives[len(self.scope.sites) - 1] = node
        result = ast.Yield(tuple_of([self.here(site), site, values]))
        if not node.targets:
            return [ast.Expr(result)]
        targets: list[ast.expr] = [target(self.variable(v)) for v in node.targets]
        return [ast.Assign([ast.Tuple(targets, ast.Store())], result)]

    def visit_Print(self, node: ir.Print) -> list[ast.stmt]:
        values = [self.expr(value) for value in node.values]
        return [ast.Expr(call("write", self.scope.format(node.format), *values))]

    def visit_Assert(self, node: ir.Assert) -> list[ast.stmt]:
        condition = self.expr(node.condition)
        site = self.scope.site(node.location, "assert")
        values = [self.expr(value) for value in node.values]
        failed = ast.Expr(call("assertion_failed", site, self.scope.format(node.format), *values))
        return [ast.If(ast.UnaryOp(ast.Not(), condition), [failed], [])]

    def visit_Fence(self, node: ir.Fence) -> list[ast.stmt]:
        return [ast.Expr(call("fence", ast.Constant(node.scope)))]

    def visit_Breakpoint(self, node: ir.Breakpoint) -> list[ast.stmt]:
        return [ast.Expr(call("breakpoint"))]


def _compile(function: str, arguments: list[str], body: list[ast.stmt], where: ir.Location) -> CodeType:
    parameters = ast.arguments([], [ast.arg(a) for a in arguments], None, [], [], None, [])
    definition = ast.FunctionDef(function, parameters, body or [ast.Pass()], [], None)
    locate(definition, where)
    code = compile(ast.Module([definition], []), where.file, "exec", dont_inherit=True)
    return next(constant for constant in code.co_consts if isinstance(constant, CodeType))
