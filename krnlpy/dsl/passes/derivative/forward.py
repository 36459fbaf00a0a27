"""The body of a function with tangents: what gives a variable its value gives its tangents theirs just before.

No value reads a tangent, and the tangents of a direction read those of that direction only. Hence values are what they
were bit for bit, and a derivative does not depend on which others are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from krnlpy.dsl import ir
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import ScalarType, boolean

from .activity import Activity, Mask
from .copies import Copies, touches_others, used_arrays
from .rules import Applied, Partials, Rules, operands_of
from .tangents import Tangents, add, cast, div, mul, neg
from .unread import without_unread

ZERO, ONE, HANDED = 0, 1, 2
"""What the tangent of a parameter is along a direction: 0, 1, or a parameter of the derived function."""

Seeds = tuple[tuple[int, ...], ...]
"""For each parameter of a function one of these for each direction."""

Callee = Callable[
    [ir.Function, Seeds, int, dict[ir.LocalArray, Mask], Copies | None], tuple[ir.Function, tuple[Mask, ...]]
]
"""Makes what a derived function calls in place of a function."""


class ForwardMode:
    """Writes the derived body of one function.

    Args:
        rules: what the pass must be told.
        callee: makes the derived functions that it calls.
        function: the function.
        seeds: the tangents of its parameters.
        count: how many directions there are.
        activity: what of it changes.
        copies: the variables and arrays of the derived function.
    """

    def __init__(
        self,
        rules: Rules,
        callee: Callee,
        function: ir.Function,
        seeds: Seeds,
        count: int,
        activity: Activity,
        copies: Copies,
    ) -> None:
        self._rules, self._callee, self._function, self._seeds = rules, callee, function, seeds
        self._count = count
        self._activity, self._copies = activity, copies
        self._out: list[ir.Stmt] = []
        self._constant: dict[tuple[ir.Variable, int], ir.Expr] = {}

    def run(
        self, with_value: bool, all_results: bool, casts: Sequence[ScalarType | None], name: str, origin: object = None
    ) -> ir.Function:
        """The derived function.

        Args:
            with_value: it has the function's results, before their tangents.
            all_results: it has the tangents of all results; else of those that change.
            casts: for each direction the type of its tangents; None: each result's own.
            name: what it is called.
            origin: what it is lowered from.
        """
        function = self._function
        self._with_value, self._all, self._casts = with_value, all_results, casts
        for node in ir.walk(function.body):
            # What is made of bits would be taken for unchanging, as whole numbers are.
            if isinstance(node, ir.Bitcast) and self._activity.of(node.operand):
                raise KernelTypeError(
                    "no derivative through a bitcast of what changes with the argument; give the function its"
                    " derivatives by define_partials",
                    *node.location,
                )
        handed = self._parameters()
        self._statements(function.body)
        results = list(function.results) if with_value else []
        for j in range(self._count):
            results += [casts[j] or type for i, type in enumerate(function.results) if self._is_given(i, j)]
        body = without_unread(tuple(self._out), self._copies.arrays())
        used = set(used_arrays(body))
        arrays = tuple(array for array in self._copies.arrays() if array in used)
        return ir.Function(
            name,
            (*map(self._copies.variable, function.parameters), *handed),
            tuple(results),
            body,
            arrays,
            function.location,
            pure=len(results) == 1 and not touches_others(body, arrays),
            origin=origin,
        )

    def _parameters(self) -> list[ir.Variable]:
        """Gives the parameters their tangents; returns those that are handed over."""
        function = self._function
        assigned = set(ir.assigned_variables(function.body))
        handed = []
        for variable, row in zip(function.parameters, self._seeds, strict=True):
            for j, seed in enumerate(row):
                if seed == HANDED:
                    handed.append(self._copies.tangent(variable, j))
                elif variable in assigned and self._activity.variables[variable] >> j & 1:
                    value = ir.const(float(seed), variable.type, function.location)
                    self._out.append(ir.Assign(self._copies.tangent(variable, j), value, location=function.location))
                elif seed == ONE:
                    self._constant[variable, j] = ir.const(1.0, variable.type, function.location)
        return handed

    def _is_given(self, i: int, j: int) -> bool:
        """Whether the tangent of a result along a direction is one of the derived function's results."""
        return self._all or bool(self._activity.results[i] >> j & 1)

    # ------------------------------------------------------------------------------------------------- statements

    def _statements(self, block: ir.Block) -> None:
        for statement in block:
            self._statement(statement)

    def _nested(self, block: ir.Block) -> ir.Block:
        outer, self._out = self._out, []
        self._statements(block)
        made, self._out = tuple(self._out), outer
        return made

    def _statement(self, s: ir.Stmt) -> None:
        match s:
            case ir.Assign():
                value, tangents = self._dual(s.value)
                self._assign(s.variable, tangents, s.location)
                self._out.append(replace(s, variable=self._copies.variable(s.variable), value=value))
            case ir.Store():
                value, tangents = self._dual(s.value)
                mask = self._activity.arrays.get(s.place, 0)
                if mask:
                    index = tuple(self._keep(self._plain(i)) for i in s.index)
                    value = self._keep(value)
                else:
                    index = self._plain(s.index)
                for j in self._directions(mask):
                    tangent = tangents[j] or ir.const(0.0, s.value.type, s.location)
                    self._out.append(
                        ir.Store(self._copies.tangent_array(s.place, j), index, tangent, s.checked, location=s.location)
                    )
                self._out.append(replace(s, place=self._copies.place(s.place), index=index, value=value))
            case ir.If():
                condition = self._plain(s.condition)
                self._out.append(
                    replace(s, condition=condition, then=self._nested(s.then), otherwise=self._nested(s.otherwise))
                )
            case ir.While():
                self._out.append(replace(s, condition=self._plain(s.condition), body=self._nested(s.body)))
            case ir.For():
                self._out.append(replace(self._plain(replace(s, body=())), body=self._nested(s.body)))
            case ir.Return():
                self._return(s)
            case ir.Invoke() if self._is_derived(s):
                values, tangents_of = self._call(s)
                for variable, value, row in zip(s.targets, values, tangents_of, strict=True):
                    self._assign(variable, row, s.location)
                    self._out.append(ir.Assign(self._copies.variable(variable), value, location=s.location))
            case _:
                for variable in ir.targets(s):
                    self._assign(variable, [None] * self._count, s.location)
                self._out.append(self._plain(s))

    def _is_derived(self, call: ir.Call | ir.Invoke) -> bool:
        """Whether a call has tangents, or touches arrays, whose places are others in the derived function."""
        return any(self._activity.of(a) for a in call.arguments) or bool(ir.captured_arrays(call.function))

    def _assign(self, variable: ir.Variable, tangents: Tangents, where: ir.Location) -> None:
        for j in self._directions(self._activity.variables.get(variable, 0)):
            value = tangents[j] or ir.const(0.0, variable.type, where)
            self._out.append(ir.Assign(self._copies.tangent(variable, j), value, location=where))

    def _return(self, s: ir.Return) -> None:
        duals = [self._dual(v) for v in s.values]
        values = [value for value, _ in duals] if self._with_value else []
        for j in range(self._count):
            for i, (value, tangents) in enumerate(duals):
                if self._is_given(i, j):
                    tangent = tangents[j] or ir.const(0.0, value.type, s.location)
                    values.append(cast(tangent, self._casts[j] or tangent.type))
        self._out.append(replace(s, values=tuple(values)))

    # ------------------------------------------------------------------------------------------------ expressions

    def _dual(self, e: ir.Expr) -> tuple[ir.Expr, Tangents]:
        """An expression and its tangents; what they share is put into variables."""
        mask = self._activity.of(e)
        if not mask:
            return self._plain(e), [None] * self._count
        match e:
            case ir.Local():
                return self._plain(e), [self._read(e, j) if mask >> j & 1 else None for j in range(self._count)]
            case ir.Load():
                return self._load(e, mask)
            case ir.Unary():  # neg
                value, tangents = self._dual(e.operand)
                return replace(e, operand=value), [neg(t) for t in tangents]
            case ir.Cast():
                value, tangents = self._dual(e.operand)
                return replace(e, operand=value), [cast(t, e.type) for t in tangents]
            case ir.Round():
                value, tangents = self._dual(e.operand)
                return replace(e, operand=value), tangents
            case ir.Select():
                return self._select(e)
            case ir.Call():
                values, rows = self._call(e)
                return values[0], rows[0]
            case ir.Binary() | ir.Math():
                partials = self._rules.partials(e)
                return self._arithmetic(e) if partials is None else self._by_rule(e, partials)
        raise NotImplementedError(f"the derivative of {type(e).__name__}")

    def _load(self, e: ir.Load, mask: int) -> tuple[ir.Expr, Tangents]:
        index = tuple(self._keep(self._plain(i)) for i in e.index)
        tangents: Tangents = [None] * self._count
        for j in self._directions(mask):
            tangents[j] = replace(e, place=self._copies.tangent_array(e.place, j), index=index)
        return replace(e, place=self._copies.place(e.place), index=index), tangents

    def _arithmetic(self, e: ir.Binary | ir.Math) -> tuple[ir.Expr, Tangents]:
        """Operations whose derivatives need no function."""
        duals = [self._kept_dual(operand) for operand in operands_of(e)]
        value = _applied(e, tuple(operand for operand, _ in duals))
        rows = list(zip(*(tangents for _, tangents in duals), strict=True))
        operation = e.op if isinstance(e, ir.Binary) else e.name
        operands = [operand for operand, _ in duals]
        match operation:
            case "add":
                return value, [add(x, y) for x, y in rows]
            case "sub":
                return value, [add(x, neg(y)) for x, y in rows]
            case "mul":
                a, b = operands
                return value, [add(mul(x, b), mul(y, a)) for x, y in rows]
            case "div":
                _, b = operands
                if any(y is not None for _, y in rows):
                    value = self._keep(value)
                return value, [div(add(x, neg(mul(y, value))), b) for x, y in rows]
            case "mod":
                a, b = operands
                whole = ir.Binary("floordiv", a, b, type=e.type, location=e.location)
                return value, [add(x, neg(mul(y, whole))) for x, y in rows]
            case "min" | "max" | "fast_min" | "fast_max":
                return value, self._extremum(operation.endswith("min"), operands, rows)
            case "fma":
                a, b, _ = operands
                return value, [add(add(mul(x, b), mul(y, a)), z) for x, y, z in rows]
        raise NotImplementedError(f"the derivative of {operation}")

    def _extremum(self, least: bool, operands: list[ir.Expr], rows: list[tuple[ir.Expr | None, ...]]) -> Tangents:
        """The tangent of the operand that is the result; where they are equal the mean of both, which makes the
        derivative of smooth functions that are composed of kinks right where the kinks cancel."""
        a, b = operands
        where = a.location
        second = self._keep(ir.Compare("lt" if least else "gt", b, a, type=boolean, location=where))
        tie = self._keep(ir.Compare("eq", a, b, type=boolean, location=where))
        tangents: Tangents = []
        for x, y in rows:
            if x is None and y is None:
                tangents.append(None)
                continue
            zero = ir.const(0.0, a.type, where)
            half = mul(add(x, y), ir.const(0.5, a.type, where))
            assert half is not None
            one = ir.Select(second, y or zero, x or zero, type=a.type, location=where)
            tangents.append(ir.Select(tie, half, one, type=a.type, location=where))
        return tangents

    def _select(self, e: ir.Select) -> tuple[ir.Expr, Tangents]:
        """Only the chosen one is evaluated, and so are its tangents."""
        where = e.location
        condition = self._keep(self._plain(e.condition))
        outer = self._out
        arms = []
        for arm in (e.then, e.otherwise):
            self._out = []
            arms.append((*self._dual(arm), self._out))
        self._out = outer
        (a, da, then), (b, db, otherwise) = arms
        zero = ir.const(0.0, e.type, where)
        changing = [j for j in range(self._count) if da[j] is not None or db[j] is not None]
        tangents: Tangents = [None] * self._count
        if not (then or otherwise):
            for j in changing:
                tangents[j] = ir.Select(condition, da[j] or zero, db[j] or zero, type=e.type, location=where)
            return replace(e, condition=condition, then=a, otherwise=b, weak=()), tangents
        for j in changing:
            variable = ir.Variable("d_chosen", e.type)
            then.append(ir.Assign(variable, da[j] or zero, location=where))
            otherwise.append(ir.Assign(variable, db[j] or zero, location=where))
            tangents[j] = ir.Local(variable, type=e.type, location=where)
        chosen = ir.Variable("chosen", e.type)
        then.append(ir.Assign(chosen, a, location=where))
        otherwise.append(ir.Assign(chosen, b, location=where))
        self._out.append(ir.If(condition, tuple(then), tuple(otherwise), location=where))
        return ir.Local(chosen, type=e.type, location=where), tangents

    def _by_rule(self, e: Applied, partials: Partials) -> tuple[ir.Expr, Tangents]:
        duals = [self._kept_dual(operand) for operand in operands_of(e)]
        operands = tuple(operand for operand, _ in duals)
        value = self._keep(_applied(e, operands))
        tangents: Tangents = [None] * self._count
        for partial, (_, row) in zip(partials, duals, strict=True):
            if partial is None or all(t is None for t in row):
                continue
            call = self._rules.partial_function(partial, operands, value)
            factor = self._keep(cast(call, value.type))
            tangents = [add(t, mul(cast(x, value.type), factor)) for t, x in zip(tangents, row, strict=True)]
        return value, tangents

    def _call(self, call: ir.Call | ir.Invoke) -> tuple[list[ir.Expr], list[Tangents]]:
        """The results of a call with their tangents."""
        partials = self._rules.partials(call)
        if partials is not None:
            value, tangents = self._by_rule(call, partials)
            return [value], [tangents]
        duals = [self._kept_dual(argument) for argument in call.arguments]
        captured = bool(ir.captured_arrays(call.function))
        # A function that touches arrays has their directions; of any other those along which its arguments change.
        directions = [j for j in range(self._count) if captured or any(row[j] is not None for _, row in duals)]
        seeds = tuple(tuple(ZERO if row[j] is None else HANDED for j in directions) for _, row in duals)
        masks = {a: self._activity.arrays.get(a, 0) for a in ir.captured_arrays(call.function)}
        target, changing = self._callee(
            call.function, seeds, len(directions), masks, self._copies if captured else None
        )
        handed = [t for _, row in duals for j in directions if (t := row[j]) is not None]
        variables = [ir.Variable("value", type) for type in target.results]
        arguments = (*(value for value, _ in duals), *handed)
        if target.pure:
            result = ir.Call(target, arguments, type=target.results[0], location=call.location)
            self._out.append(ir.Assign(variables[0], result, location=call.location))
        else:
            self._out.append(ir.Invoke(tuple(variables), target, arguments, location=call.location))
        reads: Iterator[ir.Expr] = iter([ir.Local(v, type=v.type, location=call.location) for v in variables])
        results = [next(reads) for _ in call.function.results]
        rows: list[Tangents] = [[None] * self._count for _ in results]
        for k, j in enumerate(directions):
            for i, mask in enumerate(changing):
                if mask >> k & 1:
                    rows[i][j] = next(reads)
        return results, rows

    # ----------------------------------------------------------------------------------------------- small pieces

    def _directions(self, mask: int) -> list[int]:
        return [j for j in range(self._count) if mask >> j & 1]

    def _read(self, e: ir.Local, j: int) -> ir.Expr:
        constant = self._constant.get((e.variable, j))
        return constant or ir.Local(self._copies.tangent(e.variable, j), type=e.type, location=e.location)

    def _plain(self, node: Any) -> Any:
        """What has no tangents, in the derived function's own variables and arrays."""
        return self._copies.replaced(node)

    def _keep(self, e: ir.Expr) -> ir.Expr:
        """Evaluates an expression here, into a variable."""
        if isinstance(e, ir.Const | ir.Local | ir.Argument | ir.SpecValue | ir.Id | ir.Extent):
            return e
        variable = ir.Variable("value", e.type)
        self._out.append(ir.Assign(variable, e, location=e.location))
        return ir.Local(variable, type=e.type, location=e.location)

    def _kept_dual(self, e: ir.Expr) -> tuple[ir.Expr, Tangents]:
        value, tangents = self._dual(e)
        return self._keep(value), [None if t is None else self._keep(t) for t in tangents]


def _applied(node: Applied, operands: tuple[ir.Expr, ...]) -> ir.Expr:
    """What a node applies, to other operands."""
    match node:
        case ir.Binary():
            return replace(node, left=operands[0], right=operands[1])
        case ir.Math():
            return replace(node, operands=operands)
        case ir.Call():
            return replace(node, arguments=operands)
    return ir.Call(node.function, operands, type=node.function.results[0], location=node.location)
