"""Which variables, arrays and results of a function change along which directions."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from krnlpy.dsl import ir

from .rules import Applied, Partials, Rules, operands_of

Mask = int
"""A bit for each direction along which a value changes."""

Arrays = Mapping[ir.LocalArray, Mask]


class Activities:
    """The activities of the functions of a program, each found once."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._found: dict[Any, Activity] = {}

    def of(self, function: ir.Function, masks: tuple[Mask, ...], arrays: Arrays) -> Activity:
        """The activity of a function.

        Args:
            function: the function.
            masks: of its parameters.
            arrays: of its callers' arrays that it touches, before the call.
        """
        captured = tuple((array, arrays.get(array, 0)) for array in ir.captured_arrays(function))
        key = (function, masks, captured)
        if key not in self._found:
            self._found[key] = Activity(self, function, masks, dict(captured))
        return self._found[key]


class Activity:
    """The fixed point over a function's body.

    Attributes:
        variables: the masks of its parameters and variables; those that are missing do not change.
        arrays: the masks of its own arrays and of its callers'.
        results: the masks of its results.
    """

    def __init__(
        self, activities: Activities, function: ir.Function, masks: tuple[Mask, ...], captured: Mapping[Any, Mask]
    ) -> None:
        self._activities = activities
        self.variables: dict[ir.Variable, Mask] = dict(zip(function.parameters, masks, strict=True))
        self.arrays: dict[Any, Mask] = {**dict.fromkeys(function.local_arrays, 0), **captured}
        self.results: list[Mask] = [0] * len(function.results)
        self._known: dict[ir.Expr, Mask] | None = None
        statements = [node for node in ir.walk(function.body) if isinstance(node, ir.Stmt)]
        self._changed = True
        while self._changed:
            self._changed = False
            for statement in statements:
                self._statement(statement)
        self._known = {}

    def _statement(self, s: ir.Stmt) -> None:
        match s:
            case ir.Assign():
                self._add(self.variables, s.variable, self.of(s.value))
            case ir.Store():
                self._add(self.arrays, s.place, self.of(s.value))
            case ir.Return():
                for i, value in enumerate(s.values):
                    self._add_result(i, self.of(value))
            case ir.Invoke():
                for variable, mask in zip(s.targets, self.of_call(s), strict=True):
                    self._add(self.variables, variable, mask)
        # A call in an expression is pure: it changes no array.

    def _add(self, masks: MutableMapping[Any, Mask], key: Any, mask: Mask) -> None:
        before = masks.get(key, 0)
        if before | mask != before:
            masks[key] = before | mask
            self._changed = True

    def _add_result(self, i: int, mask: Mask) -> None:
        if self.results[i] | mask != self.results[i]:
            self.results[i] |= mask
            self._changed = True

    def of(self, e: ir.Expr) -> Mask:
        """The directions along which an expression changes."""
        if not e.type.is_float:
            return 0
        if self._known is None:
            return self._of(e)
        if e not in self._known:
            self._known[e] = self._of(e)
        return self._known[e]

    def _of(self, e: ir.Expr) -> Mask:
        match e:
            case ir.Local():
                return self.variables.get(e.variable, 0)
            case ir.Load():
                return self.arrays.get(e.place, 0)
            case ir.Select():
                return self.of(e.then) | self.of(e.otherwise)
            case ir.Unary() | ir.Cast() | ir.Round():
                return self.of(e.operand)
            case ir.Bitcast():
                return self.of(e.operand)
            case ir.Call():
                return self.of_call(e)[0]
            case ir.Binary() | ir.Math():
                return self._of_rule(self._activities.rules.partials(e), e)
        return 0

    def _of_rule(self, partials: Partials | None, node: Applied) -> Mask:
        mask = 0
        for i, operand in enumerate(operands_of(node)):
            if partials is None or partials[i] is not None:
                mask |= self.of(operand)
        return mask

    def of_call(self, call: ir.Call | ir.Invoke) -> tuple[Mask, ...]:
        """The directions along which each result of a call changes; it may change arrays as well."""
        partials = self._activities.rules.partials(call)
        if partials is not None:
            return (self._of_rule(partials, call),)
        masks = tuple(self.of(a) for a in call.arguments)
        captured = ir.captured_arrays(call.function)
        if not any(masks) and not any(self.arrays.get(array) for array in captured):
            return (0,) * len(call.function.results)
        activity = self._activities.of(call.function, masks, self.arrays)
        for array in captured:
            self._add(self.arrays, array, activity.arrays[array])
        return tuple(activity.results)
