"""The greatest and the least number of passes that a thread's loops make, as far as a program and a launch show.

For drivers that end loops after some passes. Values are intervals: what is loaded or computed of floats may be
anything of its type, what a loop's body assigns too. A loop that ends by data has no greatest count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from krnlpy.dsl import ir
from krnlpy.scalar import boolean, f64

from .array_sizes import local_arrays
from .intervals import Interval, limits_of, operation

Passes = tuple[int, float]
"""At least, and at most (``math.inf`` where nothing tells)."""

_NO_PASSES: Passes = (0, 0)
_UNROLLED = 256
"""Loops of no more passes may be written out by a driver, and then make none that count."""
_MATH_PASSES = 32
"""Of sin, cos and tan of f64 in GLSL."""
_LIBRARY = str(Path(__file__).parents[1] / "library")
_LIBRARY_PASSES = 512
"""Of a function of the language's library, whatever its loops look like: fmod of f64 has 240, gamma 170."""
_LONGEST = (1 << 31) - 1


@dataclass(frozen=True)
class KnownLaunch:
    """What is known of a launch, or of all that there may be; ids, extents and numbers as intervals.

    Attributes:
        threads: of a group. ``groups``: along each axis.
        specs: the values of specialization constants by name.
        scalars: the numbers handed over, by name. ``shapes``: of buffers, by name.
        items: of an item kernel.
        lanes: threads of a subgroup.
    """

    threads: tuple[int, int, int]
    specs: Mapping[str, int | float | bool]
    lanes: int
    groups: tuple[Interval, Interval, Interval] = ((1, _LONGEST),) * 3
    scalars: Mapping[str, Interval] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    items: Interval = (1, _LONGEST)


def has_loops(program: ir.Program) -> bool:
    """Whether a thread may make a pass of a loop at all."""
    own = program.items or program.group_arrays or local_arrays(program) or program.has_cooperative_matrices
    return bool(own) or has_written_loops(program)


def has_written_loops(program: ir.Program) -> bool:
    """Whether one of the loops is in the program, or in a function that it calls; not one over its items, say."""
    return any(isinstance(node, ir.For | ir.While | ir.Collective) or _math_passes(node) for node in _nodes(program))


def loop_passes(program: ir.Program, launch: KnownLaunch) -> Passes:
    """The passes of all loops of a thread, and of those beside it that a driver runs at once with it."""
    counter = _Counter(launch)
    low, high = counter.function(program.body, program.local_arrays, {})
    threads = math.prod(launch.threads)
    if program.items:
        least, most = (math.prod(n[side] for n in launch.groups) * threads for side in (0, 1))
        turns = -(-launch.items[0] // most), -(-launch.items[1] // least)
        low, high = _repeated(turns, (low, high), True)
    for array in program.group_arrays:
        high += -(-counter.length(array) // threads) + 1
    return low, high + 2 * launch.lanes


def _nodes(program: ir.Program) -> Iterator[ir.Stmt | ir.Expr]:
    for body in (program.body, *(function.body for function in program.functions)):
        yield from ir.walk(body)


def _math_passes(node: ir.Stmt | ir.Expr) -> int:
    is_own = isinstance(node, ir.Math) and node.type is f64 and node.name in ("sin", "cos", "tan")
    return _MATH_PASSES if is_own else 0


def _repeated(turns: Passes, body: Passes, is_whole: bool) -> Passes:
    """A loop's passes and those in it. ``is_whole``: nothing leaves it early."""
    low = 0
    if is_whole:
        low = int(turns[0]) * body[0] + (int(turns[0]) if turns[0] > _UNROLLED else 0)
    # A loop is left in one pass more, which may be of no other effect.
    return low, (turns[1] * (1 + body[1]) if turns[1] else 0) + 1


def _sum(all: Iterable[Passes]) -> Passes:
    low, high = 0, 0.0
    for least, most in all:
        low, high = low + least, high + most
    return low, high


class _Counter:
    """Counts passes. An environment holds the intervals of variables; nothing is known of a variable that it lacks."""

    def __init__(self, launch: KnownLaunch) -> None:
        self._launch = launch
        self._looping: dict[ir.Function, bool] = {}

    # ---------------------------------------------------------------------------------------------------- statements

    def function(
        self, body: ir.Block, arrays: tuple[ir.LocalArray, ...], environment: dict[ir.Variable, Interval]
    ) -> Passes:
        low, high = self.block(body, environment)
        return low, high + sum(self.length(array) + 1 for array in arrays)

    def length(self, array: ir.LocalArray) -> int:
        return math.prod(max(self.interval(n, {})[1], 1) for n in array.shape)

    def block(self, block: ir.Block, environment: dict[ir.Variable, Interval]) -> Passes:
        low, high, goes_on = 0, 0.0, True
        for statement in block:
            least, most = self._statement(statement, environment)
            low, high = low + least * goes_on, high + most
            goes_on = goes_on and not _leaves(statement)
        return low, high

    def _statement(self, s: ir.Stmt, environment: dict[ir.Variable, Interval]) -> Passes:
        if isinstance(s, ir.While):
            return self._while(s, environment)
        called = _sum(self._calls(e, environment) for e in ir.expressions(s))
        match s:
            case ir.Assign():
                environment[s.variable] = self.interval(s.value, environment)
                return called
            case ir.If():
                return _sum([called, self._if(s, environment)])
            case ir.For():
                return _sum([called, self._for(s, environment)])
            case ir.Invoke():
                called = _sum([called, self._call(s, environment)])
            case ir.Collective():
                called = _sum([called, (0, self._launch.lanes + 1)])
            case ir.CooperativeStmt():
                called = _sum([called, (0, s.matrix.rows * s.matrix.columns + 1)])
        for variable in ir.targets(s):
            environment.pop(variable, None)
        return called

    def _if(self, s: ir.If, environment: dict[ir.Variable, Interval]) -> Passes:
        then, otherwise = dict(environment), dict(environment)
        a, b = self.block(s.then, then), self.block(s.otherwise, otherwise)
        for variable in ir.assigned_variables((s,)):
            one, other = (self._variable(variable, e) for e in (then, otherwise))
            environment[variable] = min(one[0], other[0]), max(one[1], other[1])
        return min(a[0], b[0]), a[1] + b[1]  # threads beside each other may go both ways

    def _for(self, loop: ir.For, environment: dict[ir.Variable, Interval]) -> Passes:
        start, stop, step = (self.interval(e, environment) for e in (loop.start, loop.stop, loop.step))
        turns: Passes
        if step[0] >= 0:
            turns = _trip_count(stop[0] - start[1], step[1]), _trip_count(stop[1] - start[0], max(step[0], 1))
            reached = start[0], max(start[0], stop[1] - 1)
        elif step[1] <= 0:
            turns = _trip_count(start[0] - stop[1], -step[0]), _trip_count(start[1] - stop[0], max(-step[1], 1))
            reached = min(start[1], stop[0] + 1), start[1]
        else:
            turns, reached = (0, math.inf), limits_of(loop.variable.type)
        inside = self._forgotten(loop.body, environment)
        if loop.variable not in ir.assigned_variables(loop.body):
            inside[loop.variable] = reached
        body = self.block(loop.body, inside)
        self._forget(loop, environment)
        return _repeated(turns, body, not any(map(_leaves_loop, loop.body)))

    def _while(self, loop: ir.While, environment: dict[ir.Variable, Interval]) -> Passes:
        inside = self._forgotten(loop.body, environment)
        turns = self._while_trip_count(loop, environment, inside)
        called = self._calls(loop.condition, inside)
        body = self.block(loop.body, dict(inside))
        self._forget(loop, environment)
        passes = _repeated(turns, _sum([called, body]), not any(map(_leaves_loop, loop.body)))
        return _sum([passes, (0, called[1])])

    def _while_trip_count(
        self, loop: ir.While, before: dict[ir.Variable, Interval], inside: dict[ir.Variable, Interval]
    ) -> Passes:
        """The passes of a loop whose condition compares a variable that each pass brings nearer to its end; what is
        known of this one when a pass begins is added to ``inside``."""
        conditions = list(_conjuncts(loop.condition))
        found = [self._counted(c, loop.body, before, inside) for c in conditions]
        most = min((turns[1] for turns in found), default=math.inf)
        return (int(found[0][0]) if len(found) == 1 else 0), most

    def _counted(
        self,
        condition: ir.Expr,
        body: ir.Block,
        before: dict[ir.Variable, Interval],
        inside: dict[ir.Variable, Interval],
    ) -> Passes:
        nothing: Passes = (0, math.inf)
        if isinstance(condition, ir.Const) and not condition.value:
            return _NO_PASSES
        if not isinstance(condition, ir.Compare) or condition.op in ("eq", "ne"):
            return nothing
        for variable, end, op in ((condition.left, condition.right, condition.op), (condition.right, condition.left,
                                   _TURNED[condition.op])):  # fmt: skip
            if not isinstance(variable, ir.Local) or not variable.type.is_integer:
                continue
            change = _single_update(variable.variable, body)
            if not isinstance(change, ir.Binary) or not _reads_variable(change.left, variable.variable):
                continue
            first, last = self._variable(variable.variable, before), self.interval(end, inside)
            step, limits = self.interval(change.right, inside), limits_of(variable.type)
            is_same = op in ("le", "ge")  # the end itself counts
            upwards = op in ("lt", "le")
            if change.op in ("add", "sub") and upwards == (change.op == "add") and step[0] >= 1:
                if upwards and last[1] + is_same - 1 + step[1] <= limits[1]:
                    inside[variable.variable] = first[0], last[1] + is_same - 1
                    return (
                        _trip_count(last[0] + is_same - first[1], step[1]),
                        _trip_count(last[1] + is_same - first[0], step[0]),
                    )
                if not upwards and last[0] - is_same + 1 - step[1] >= limits[0]:
                    inside[variable.variable] = last[0] - is_same + 1, first[1]
                    return (
                        _trip_count(first[0] - last[1] + is_same, step[1]),
                        _trip_count(first[1] - last[0] + is_same, step[0]),
                    )
            halves = (change.op == "floordiv" and step[0] >= 2) or (change.op == "shr" and step[0] >= 1)
            if halves and not upwards and last[0] + (not is_same) >= 1:
                return 0, max(first[1], 0).bit_length() + 1
            doubles = (change.op == "mul" and step[0] >= 2) or (change.op == "shl" and step[0] >= 1)
            factor = step[1] if change.op == "mul" else 1 << min(max(step[1], 0), 64)
            if doubles and upwards and first[0] >= 1 and last[1] * factor <= limits[1]:
                inside[variable.variable] = first[0], last[1] + is_same - 1
                return 0, max(last[1], 1).bit_length() + 1
        return nothing

    def _forgotten(self, body: ir.Block, environment: dict[ir.Variable, Interval]) -> dict[ir.Variable, Interval]:
        """What is known whenever a pass of a loop begins."""
        assigned = set(ir.assigned_variables(body))
        return {variable: known for variable, known in environment.items() if variable not in assigned}

    def _forget(self, loop: ir.Stmt, environment: dict[ir.Variable, Interval]) -> None:
        for variable in ir.assigned_variables((loop,)):
            environment.pop(variable, None)

    def _calls(self, e: ir.Expr, environment: dict[ir.Variable, Interval]) -> Passes:
        """The passes of the functions that an expression calls."""
        match e:
            case ir.Select():
                then, otherwise = (self._calls(part, environment) for part in (e.then, e.otherwise))
                either = min(then[0], otherwise[0]), then[1] + otherwise[1]
                return _sum([self._calls(e.condition, environment), either])
            case ir.Logical():
                return _sum([self._calls(e.left, environment), (0, self._calls(e.right, environment)[1])])
        passes = _sum(self._calls(operand, environment) for operand in ir.expressions(e))
        if isinstance(e, ir.Call) and self._loops(e.function):
            passes = _sum([passes, self._call(e, environment)])
        return passes[0], passes[1] + _math_passes(e)

    def _call(self, called: ir.Call | ir.Invoke, environment: dict[ir.Variable, Interval]) -> Passes:
        function = called.function
        arguments = [self.interval(a, environment) for a in called.arguments]
        given = dict(zip(function.parameters, arguments, strict=True))
        low, high = self.function(function.body, function.local_arrays, given)
        is_ours = function.location.file.startswith(_LIBRARY)
        return low, min(high, _LIBRARY_PASSES) if is_ours else high

    def _loops(self, function: ir.Function) -> bool:
        """Whether a function, or one that it calls, has loops."""
        if function not in self._looping:
            self._looping[function] = bool(function.local_arrays) or any(
                isinstance(node, ir.For | ir.While)
                or _math_passes(node)
                or (isinstance(node, ir.Call | ir.Invoke) and self._loops(node.function))
                for node in ir.walk(function.body)
            )
        return self._looping[function]

    # --------------------------------------------------------------------------------------------------- expressions

    def _variable(self, variable: ir.Variable, environment: dict[ir.Variable, Interval]) -> Interval:
        return environment.get(variable) or limits_of(variable.type)

    def interval(self, e: ir.Expr, environment: dict[ir.Variable, Interval]) -> Interval:
        """What a value lies in. It means nothing for floats."""
        limits = limits_of(e.type)
        if not (e.type.is_integer or e.type is boolean):
            return limits
        found = self._interval(e, environment) or limits
        return found if limits[0] <= found[0] and found[1] <= limits[1] else limits

    def _interval(self, e: ir.Expr, environment: dict[ir.Variable, Interval]) -> Interval | None:
        launch = self._launch
        match e:
            case ir.Const():
                return int(e.value), int(e.value)
            case ir.Local():
                return self._variable(e.variable, environment)
            case ir.SpecValue():
                value = int(launch.specs[e.parameter.name])
                return value, value
            case ir.Argument():
                return launch.scalars.get(e.parameter.name)
            case ir.Extent():
                return self._extent(e)
            case ir.Id():
                return self._id(e)
            case ir.Load():
                if isinstance(e.place, ir.ConstantArray) and e.place.type.is_integer:
                    return int(min(0, *e.place.values)), int(max(0, *e.place.values))  # out of range it is 0
                return limits_of(e.place.type) if e.place.type.is_integer or e.place.type is boolean else None
            case ir.Select():
                a, b = self.interval(e.then, environment), self.interval(e.otherwise, environment)
                return min(a[0], b[0]), max(a[1], b[1])
            case ir.Cast() if e.operand.type.is_integer or e.operand.type is boolean:
                return self.interval(e.operand, environment)
            case ir.Unary(op="neg"):
                low, high = self.interval(e.operand, environment)
                return -high, -low
            case ir.Binary():
                a, b = self.interval(e.left, environment), self.interval(e.right, environment)
                return operation(e.op, a, b)
        return None

    def _extent(self, e: ir.Extent) -> Interval:
        if isinstance(e.place, ir.LocalArray):
            return self.interval(e.place.shape[e.axis], {})
        shape = self._launch.shapes.get(e.place.name)
        return (0, _LONGEST) if shape is None else (shape[e.axis], shape[e.axis])

    def _id(self, e: ir.Id) -> Interval:
        launch = self._launch
        threads, groups = launch.threads[e.axis], launch.groups[e.axis]
        all_threads = math.prod(launch.threads)
        most = min(groups[1] * threads, _LONGEST)
        return {
            "global_id": (0, most - 1),
            "global_threads": (groups[0] * threads, most),
            "group_id": (0, groups[1] - 1),
            "groups": groups,
            "thread_id": (0, threads - 1),
            "threads": (threads, threads),
            "subgroup_id": (0, all_threads - 1),
            "subgroups": (1, all_threads),
            "subgroup_thread_id": (0, launch.lanes - 1),
            "subgroup_threads": (launch.lanes, launch.lanes),
            "item_id": (0, launch.items[1]),
            "items": launch.items,
        }[e.name]


_TURNED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


def _trip_count(distance: int, step: int) -> int:
    """Steps until a distance is covered."""
    return max(0, -(-distance // step)) if step else 0


def _conjuncts(e: ir.Expr) -> Iterator[ir.Expr]:
    if isinstance(e, ir.Logical) and e.op == "and":
        yield from _conjuncts(e.left)
        yield from _conjuncts(e.right)
    else:
        yield e


def _single_update(variable: ir.Variable, body: ir.Block) -> ir.Expr | None:
    """What a variable becomes in each pass, where one statement says so, and no pass leaves that out."""
    nodes = list(ir.walk(body))
    if sum(variable in ir.targets(node) for node in nodes if isinstance(node, ir.Stmt)) != 1:
        return None
    for statement in body:
        if isinstance(statement, ir.Assign) and statement.variable is variable:
            return statement.value
        if any(_continues(statement)):
            return None
    return None


def _continues(statement: ir.Stmt) -> Iterator[bool]:
    """Yields for each ``continue`` in a statement of the loop around it."""
    if isinstance(statement, ir.Continue):
        yield True
    elif isinstance(statement, ir.If):
        for inner in (*statement.then, *statement.otherwise):
            yield from _continues(inner)


def _reads_variable(e: ir.Expr, variable: ir.Variable) -> bool:
    return isinstance(e, ir.Local) and e.variable is variable


def _leaves(statement: ir.Stmt) -> bool:
    """Whether what follows may not be reached."""
    return any(isinstance(node, ir.Break | ir.Continue | ir.Return) for node in ir.walk(statement))


def _leaves_loop(statement: ir.Stmt) -> bool:
    return any(isinstance(node, ir.Break | ir.Return) for node in ir.walk(statement))
