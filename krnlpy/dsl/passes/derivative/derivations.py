"""The derived functions of a program, each made once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from krnlpy.dsl import ir
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import ScalarType

from .activity import Activities, Mask
from .copies import Copies
from .forward import ForwardMode, Seeds
from .rules import Rules


class Derivations:
    """Makes derivatives of the functions of one program.

    Args:
        rules: what the pass must be told.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._activities = Activities(rules)
        self._made: dict[Any, tuple[ir.Function, tuple[Mask, ...]]] = {}

    def derivative(
        self,
        function: ir.Function,
        directions: tuple[int, ...],
        with_value: bool,
        casts: tuple[ScalarType | None, ...],
        name: str,
        origin: object,
    ) -> ir.Function:
        """A function of the same parameters that gives derivatives.

        Args:
            function: the function; it has no effects.
            directions: the parameters by which it is derived.
            with_value: the function's results come first.
            casts: for each direction the type of its derivatives; None: each result's own.
            name: what it is called.
            origin: what it is lowered from.

        Returns:
            A function whose results are those of the function, if they are wanted, then for each direction the
            derivatives of all of them.

        Raises:
            KernelTypeError: there is no derivative; the error shows the line.
        """
        if (effect := _effect(function.body, function.local_arrays)) is not None:
            raise KernelTypeError(f"{function.name} has effects: it has no derivative", *effect.location)
        places = range(len(function.parameters))
        seeds: Seeds = tuple(tuple(int(direction == i) for direction in directions) for i in places)
        masks = _masks(seeds)
        activity = self._activities.of(function, masks, {})
        mode = ForwardMode(
            self.rules, self.called, function, seeds, len(directions), activity, Copies(function, None, len(directions))
        )
        return mode.run(with_value, True, casts, name, origin)

    def called(
        self,
        function: ir.Function,
        seeds: Seeds,
        count: int,
        arrays: Mapping[ir.LocalArray, Mask],
        callers: Copies | None,
    ) -> tuple[ir.Function, tuple[Mask, ...]]:
        """A function with the tangents of its results, for a derived function to call.

        Args:
            function: the function.
            seeds: the tangents of its parameters.
            count: how many directions there are.
            arrays: the callers' arrays that it touches, and the directions along which they change.
            callers: what belongs to the derived function that calls it, if it touches any.

        Returns:
            A function whose parameters are those of the function, then the tangents handed over, by parameter; and
            whose results are the function's, then for each direction the tangents of those that change. And for each
            result the directions along which it changes.
        """
        key = (function, seeds, count, tuple(arrays.items()), callers)
        if key not in self._made:
            activity = self._activities.of(function, _masks(seeds), arrays)
            copies = Copies(function, callers, count)
            mode = ForwardMode(self.rules, self.called, function, seeds, count, activity, copies)
            made = mode.run(True, False, (None,) * count, self.rules.unique(f"d_{function.name}"))
            self.rules.add(made)
            self._made[key] = made, tuple(activity.results)
        return self._made[key]


def _masks(seeds: Seeds) -> tuple[Mask, ...]:
    return tuple(sum(1 << j for j, seed in enumerate(row) if seed) for row in seeds)


def _effect(body: ir.Block, own: tuple[ir.LocalArray, ...]) -> ir.Stmt | None:
    """The first statement of a function that does more than to change its own variables and arrays."""
    for node in ir.walk(body):
        match node:
            case ir.Store() if node.place not in own:
                return node
            case ir.Call() | ir.Invoke():
                inner = _effect(node.function.body, (*own, *node.function.local_arrays))
                if inner is not None:
                    return inner
            case ir.Print() | ir.Assert() | ir.Breakpoint() | ir.Atomic() | ir.Barrier() | ir.Collective():
                return node
            case ir.Fence():
                return node
            case ir.CooperativeStmt():
                return node
    return None
