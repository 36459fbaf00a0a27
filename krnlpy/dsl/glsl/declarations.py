"""Where GLSL declares the variables of a function; Python has no declarations.

A variable is declared with its first assignment if that is in the innermost block that encloses all its uses; otherwise
right before the first statement of that block that uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from krnlpy.dsl import ir

_Path = tuple[tuple[ir.Block, int], ...]
"""The way to a statement: each enclosing block and the place in it, outermost first."""


@dataclass
class Declarations:
    """Attributes:
    with_assignment: assignments that declare their variable.
    before: variables to declare before a statement.
    in_loop: loops whose variable is their own: no other statement sees it.
    """

    with_assignment: set[ir.Stmt] = field(default_factory=set)
    before: dict[ir.Stmt, list[ir.Variable]] = field(default_factory=dict)
    in_loop: set[ir.Stmt] = field(default_factory=set)


def declarations(body: ir.Block, parameters: tuple[ir.Variable, ...] = ()) -> Declarations:
    """The declarations of a function's variables, but for its parameters."""
    result = Declarations()
    uses: dict[ir.Variable, list[_Path]] = {}
    for path, statement in _statements(body):
        for variable in _variables(statement):
            uses.setdefault(variable, []).append(path)
    own = {v: loops for v, loops in _loop_variables(body, uses).items() if v not in parameters}
    result.in_loop = {loop for variable in own for loop in own[variable]}
    for variable, paths in uses.items():
        if variable in parameters or variable in own:
            continue
        first = _first_statement(paths)
        if isinstance(first, ir.Assign | ir.Invoke | ir.Atomic | ir.Collective) and ir.targets(first) == (variable,):
            result.with_assignment.add(first)
        else:
            result.before.setdefault(first, []).append(variable)
    return result


def _statements(block: ir.Block, above: _Path = ()) -> Iterator[tuple[_Path, ir.Stmt]]:
    for place, statement in enumerate(block):
        path = (*above, (block, place))
        yield path, statement
        for inner in ir.blocks(statement):
            yield from _statements(inner, path)


def _variables(statement: ir.Stmt) -> Iterator[ir.Variable]:
    yield from ir.targets(statement)
    for expression in ir.expressions(statement):
        yield from (e.variable for e in ir.walk(expression) if isinstance(e, ir.Local))


def _first_statement(paths: list[_Path]) -> ir.Stmt:
    """The first of the statements with the given paths or enclosing them, in the innermost block around all."""
    depth = 0
    while all(len(path) > depth + 1 for path in paths):
        (block, place), (inner, _) = paths[0][depth], paths[0][depth + 1]
        same = all(p[depth][1] == place and p[depth + 1][0] is inner for p in paths)
        if not same:
            break
        depth += 1
    block = paths[0][depth][0]
    return block[min(path[depth][1] for path in paths)]


def _loop_variables(body: ir.Block, uses: dict[ir.Variable, list[_Path]]) -> dict[ir.Variable, list[ir.Stmt]]:
    """The loops' variables that nothing but the bodies of these loops reads or assigns, with the loops."""
    loops: dict[ir.Variable, list[tuple[_Path, ir.For]]] = {}
    for path, statement in _statements(body):
        if isinstance(statement, ir.For):
            loops.setdefault(statement.variable, []).append((path, statement))
    result: dict[ir.Variable, list[ir.Stmt]] = {}
    for variable, found in loops.items():
        bodies = [loop.body for _, loop in found]
        nested = any(_enters(path, bodies) for path, _ in found)
        headers = [path for path, _ in found]
        # A loop's own header counts among the uses; a use in a bound would read what a loop before left behind.
        in_bounds = any(_reads_in_bounds(loop, variable) for _, loop in found)
        outside = any(not _enters(path, bodies) and path not in headers for path in uses[variable])
        if not nested and not in_bounds and not outside:
            result[variable] = [loop for _, loop in found]
    return result


def _enters(path: _Path, bodies: list[ir.Block]) -> bool:
    return any(block is body for block, _ in path for body in bodies)


def _reads_in_bounds(loop: ir.For, variable: ir.Variable) -> bool:
    reads = (e for bound in ir.expressions(loop) for e in ir.walk(bound))
    return any(isinstance(e, ir.Local) and e.variable is variable for e in reads)
