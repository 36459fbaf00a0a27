"""Checks that a program keeps all rules of the IR, which :mod:`.nodes` and :mod:`.program` state.

Targets rely on these rules without checks. In debug mode and in tests, every program is verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NoReturn

from krnlpy.errors import InvalidProgram
from krnlpy.scalar import SCALAR_TYPES

from .definite_assignment import check_assigned
from .nodes import (
    Argument,
    Assert,
    Atomic,
    Barrier,
    Block,
    Break,
    Breakpoint,
    Call,
    Collective,
    ConstantArray,
    Continue,
    CooperativeStmt,
    Expr,
    Fence,
    For,
    Function,
    GlobalParameter,
    GroupArray,
    Id,
    Invoke,
    Local,
    LocalArray,
    Location,
    Parameter,
    Place,
    Print,
    Return,
    SpecValue,
    Stmt,
    Variable,
    While,
)
from .program import Program, blocks, captured_arrays, expressions, targets, walk
from .rules import COMPUTED, Rules, array_rules, expression_rules, statement_rules, table_rules

_Node = Stmt | Expr | Function | Program | Parameter
_Owner = Function | Program

_ITEM_IDS = ("item_id", "items")


def verify(program: Program) -> None:
    """Checks a program.

    Raises:
        InvalidProgram: it breaks a rule; names the node, the rule and the line of Python.
    """
    _Verifier(program).run()


class _Verifier:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._listed: set[Function] = set()
        self._owners: dict[Variable | LocalArray, _Owner] = {}

    def run(self) -> None:
        program = self._program
        self._check(program, _program_rules(program))
        for parameter in program.parameters:
            self._check(parameter, _parameter_rules(parameter))
        self._arrays(program, (*program.group_arrays, *program.local_arrays))
        for table in program.constant_arrays:
            self._check(program, table_rules(table))
        for function in program.functions:
            self._function(function)
        self._body(program, program.body, in_loop=False)
        check_assigned(program.body, (), self._refuse)
        called = _called(program.body)
        for function in called:
            arrays = set(captured_arrays(function))
            held = arrays <= {*program.local_arrays, *program.group_arrays}
            self._check(function, [(held, "a function touches its own arrays and its callers'")])
        self._check(program, [(self._all_called(called), "each function that is listed is called")])

    def _all_called(self, called: set[Function]) -> bool:
        for function in reversed(self._program.functions):  # callers before callees
            if function in called:
                called |= _called(function.body)
        return called == self._listed

    def _function(self, function: Function) -> None:
        self._check(function, _function_rules(function))
        self._arrays(function, function.local_arrays)
        for variable in function.parameters:
            self._owns(function, variable, function)
        self._body(function, function.body, in_loop=False)
        reaches_end = check_assigned(function.body, function.parameters, self._refuse)
        ends = not (function.results and reaches_end)
        self._check(function, [(ends, "where a function has results, every path ends in a return")])
        touches = any(_touches(function.body, function.local_arrays))
        self._check(function, [(not (function.pure and touches), "a pure function touches nothing but its own")])
        self._listed.add(function)

    def _arrays(self, owner: _Owner, arrays: Iterable[LocalArray]) -> None:
        for array in arrays:
            self._check(owner, array_rules(array))
            self._owns(owner, array, owner)
            for extent in array.shape:
                self._expression(owner, extent)

    def _owns(self, owner: _Owner, owned: Variable | LocalArray, node: Stmt | Expr | Function | Program) -> None:
        """Checks that a variable or an array belongs to one function."""
        alone = self._owners.setdefault(owned, owner) is owner
        self._check(node, [(alone, f"{owned.name} belongs to one function")])
        if isinstance(owned, Variable):
            self._check(node, [(owned.type in COMPUTED, f"the variable {owned.name} has a type of computation")])

    # -------------------------------------------------------------------------------------------------------- bodies

    def _body(self, owner: _Owner, block: Block, in_loop: bool) -> None:
        for statement in block:
            self._check(statement, self._statement_rules(owner, statement, in_loop))
            for expression in expressions(statement):
                self._expression(owner, expression)
            self._check(statement, statement_rules(statement))
            for variable in targets(statement):
                self._owns(owner, variable, statement)
            for inner in blocks(statement):
                self._body(owner, inner, in_loop or isinstance(statement, While | For))

    def _statement_rules(self, owner: _Owner, s: Stmt, in_loop: bool) -> Rules:
        """What holds of a statement where it stands."""
        yield _is_location(s.location), "a statement has a place in the source"
        is_kernel = isinstance(owner, Program)
        match s:
            case Break() | Continue():
                yield in_loop, "break and continue stand in loops"
            case Return():
                results = () if isinstance(owner, Program) else owner.results
                yield len(s.values) == len(results), "a function returns its results, a kernel nothing"
                fit = all(value.type is type for value, type in zip(s.values, results, strict=True))
                yield fit, "what a function returns has its results' types"
            case Barrier() | Collective() | CooperativeStmt():
                yield is_kernel, "threads meet in the kernel's own body, not in functions"
                yield not self._program.items, "threads do not meet in kernels with items"
            case Invoke():
                yield s.function in self._listed, "a function that is called is listed, callees first"
                yield not s.function.pure, "a pure function is called by an expression"
        yield from self._place_rules(owner, s)

    def _expression(self, owner: _Owner, expression: Expr) -> None:
        for node in reversed([*walk(expression)]):  # operands first: what uses a wrong one is not to blame
            assert isinstance(node, Expr)
            self._check(node, self._expression_rules(node))
            self._check(node, self._place_rules(owner, node))
            self._check(node, expression_rules(node))
            if isinstance(node, Local):
                self._owns(owner, node.variable, node)

    def _expression_rules(self, e: Expr) -> Rules:
        """What holds of an expression where it stands."""
        yield _is_location(e.location), "an expression has a place in the source"
        match e:
            case Argument():
                yield e.parameter in self._program.scalars, "the parameter is one of the program's"
            case SpecValue():
                yield e.parameter in self._program.specs, "the parameter is one of the program's"
            case Id() if e.name in _ITEM_IDS:
                yield bool(self._program.items), "only kernels with items have their ids"
            case Call():
                yield e.function in self._listed, "a function that is called is listed, callees first"
                yield e.function.pure, "a function that is not pure is called by a statement"

    def _place_rules(self, owner: _Owner, node: Stmt | Expr) -> Rules:
        place: Place | None = getattr(node, "place", None)
        if place is None:
            return
        if isinstance(place, ConstantArray):
            return  # it is everybody's
        if isinstance(place, LocalArray):
            # A function's use of its callers' arrays is checked where the callers are known.
            own = (*self._program.local_arrays, *self._program.group_arrays)
            yield isinstance(owner, Function) or place in own, "the array is one of the program's"
        else:
            yield place in self._program.buffers, "the parameter is one of the program's"
            is_kernel = isinstance(owner, Program)
            yield is_kernel or isinstance(place, GlobalParameter), "only the kernel's own body touches items"

    # ------------------------------------------------------------------------------------------------------- refusal

    def _check(self, node: _Node, rules: Iterable[tuple[bool, str]]) -> None:
        for holds, rule in rules:
            if not holds:
                self._refuse(node, rule)

    def _refuse(self, node: _Node, rule: str) -> NoReturn:
        where = node.location if _is_location(node.location) else self._program.location
        if not _is_location(where):
            where = Location("", 1, 0, 1)
        raise InvalidProgram(f"{self._program.name}: {_described(node)} breaks the rule: {rule}", *where)


def _described(node: _Node) -> str:
    """A node in a few words: its class, and which of its kind it is."""
    words = [type(node).__name__]
    words += [str(getattr(node, name)) for name in ("op", "name") if hasattr(node, name)]
    words += [
        getattr(node, name).name for name in ("variable", "parameter", "place", "function") if hasattr(node, name)
    ]
    return " ".join(words)


def _is_location(location: object) -> bool:
    return (
        isinstance(location, Location)
        and location.file != ""
        and location.line >= 1
        and 0 <= location.column <= location.end_column
    )


# --------------------------------------------------------------------------------------------------------- declarations


def _program_rules(program: Program) -> Rules:
    yield _is_location(program.location), "a program has a place in the source"
    yield program.name.isidentifier(), "the name is an identifier"
    yield len(program.threads) == 3 and min(program.threads) >= 1, "a group has threads along three axes"
    size = program.subgroup_threads
    yield 0 <= size <= 128 and size & (size - 1) == 0, "a subgroup has a power of two of threads, 0 for any"
    names = [p.name for p in program.parameters]
    yield len(set(names)) == len(names), "each parameter has a name of its own"
    functions = [program.name, *(f.name for f in program.functions)]
    yield len(set(functions)) == len(functions), "each function has a name of its own"
    yield all(isinstance(array, GroupArray) for array in program.group_arrays), "group arrays are listed by themselves"
    owners: tuple[_Owner, ...] = (program, *program.functions)
    own = [array for owner in owners for array in owner.local_arrays]
    yield not any(isinstance(array, GroupArray) for array in own), "group arrays are listed by themselves"
    arrays = [*own, *program.group_arrays]
    yield len(set(arrays)) == len(arrays), "each array is listed once"
    yield not (program.group_arrays and program.items), "kernels with items have no groups of their own"


def _parameter_rules(parameter: Parameter) -> Rules:
    yield _is_location(parameter.location), "a parameter has a place in the source"
    yield parameter.type in SCALAR_TYPES, "a parameter is of one of the scalar types"
    if isinstance(parameter, GlobalParameter):
        yield parameter.ndim >= 1, "a buffer has dimensions"
        yield parameter.mutable or not parameter.once, "what is written once can be written"


def _function_rules(function: Function) -> Rules:
    yield _is_location(function.location), "a function has a place in the source"
    yield function.name.isidentifier(), "the name is an identifier"
    parameters = function.parameters
    yield len(set(parameters)) == len(parameters), "each parameter is a variable of its own"
    yield all(type in COMPUTED for type in function.results), "results have types of computation"
    yield not function.pure or len(function.results) == 1, "a pure function has one result"


def _called(body: Block) -> set[Function]:
    return {node.function for node in walk(body) if isinstance(node, Call | Invoke)}


def _touches(body: Block, own: tuple[LocalArray, ...]) -> Iterator[bool]:
    """For each node of a function, whether it reaches beyond what is the function's own."""
    for node in walk(body):
        match node:
            case Print() | Assert() | Breakpoint() | Atomic() | Fence():
                yield True
            case Call() | Invoke():
                yield from _touches(node.function.body, (*own, *node.function.local_arrays))
            case _:
                place = getattr(node, "place", None)
                yield not (place is None or place in own or isinstance(place, ConstantArray))
