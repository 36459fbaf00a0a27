"""What belongs to a derived function: tangents, and copies of variables and arrays, which no two functions share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from krnlpy.dsl import ir


class Copies:
    """The variables and arrays of one derived function.

    Args:
        function: the function that is derived.
        callers: those of the derived function that calls it, if it touches arrays of its callers.
        directions: how many there are.
    """

    def __init__(self, function: ir.Function, callers: Copies | None, directions: int) -> None:
        self._callers, self._directions = callers, directions
        self._arrays: dict[Any, ir.LocalArray] = {array: replace(array) for array in function.local_arrays}
        self._array_tangents: dict[tuple[Any, int], ir.LocalArray] = {}
        self._variables: dict[ir.Variable, ir.Variable] = {}
        self._tangents: dict[tuple[ir.Variable, int], ir.Variable] = {}

    def arrays(self) -> Iterator[ir.LocalArray]:
        """The arrays that belong to the derived function itself."""
        yield from self._arrays.values()
        yield from self._array_tangents.values()

    def variable(self, variable: ir.Variable) -> ir.Variable:
        """The variable for the values of one of the function's."""
        if variable not in self._variables:
            self._variables[variable] = replace(variable)
        return self._variables[variable]

    def tangent(self, variable: ir.Variable, direction: int) -> ir.Variable:
        """The variable for the tangents of one of the function's."""
        key = (variable, direction)
        if key not in self._tangents:
            suffix = f"_{direction}" if self._directions > 1 else ""
            self._tangents[key] = ir.Variable(f"d_{variable.name}{suffix}", variable.type)
        return self._tangents[key]

    def place(self, place: ir.Place) -> ir.Place:
        """The place for the values of a place of the function's: a buffer stands for itself."""
        if place in self._arrays:
            return self._arrays[place]
        return place if self._callers is None else self._callers.place(place)

    def tangent_array(self, place: ir.Place, direction: int) -> ir.LocalArray:
        """The array for the tangents of an array. They have its type of computation: f16 has too little range."""
        if place not in self._arrays:
            assert self._callers is not None
            return self._callers.tangent_array(place, direction)
        key = (place, direction)
        if key not in self._array_tangents:
            assert isinstance(place, ir.LocalArray)
            name = f"d_{place.name}_{direction}"
            self._array_tangents[key] = ir.LocalArray(name, place.type.compute, place.shape)
        return self._array_tangents[key]

    def replaced(self, node: Any) -> Any:
        """A node, or nodes, with what belongs to the derived function."""
        return ir.substituted(node, self._substitute)

    def _substitute(self, owned: ir.Variable | ir.LocalArray) -> ir.Variable | ir.LocalArray:
        if isinstance(owned, ir.Variable):
            return self.variable(owned)
        place = self.place(owned)
        assert isinstance(place, ir.LocalArray)
        return place


def used_arrays(body: ir.Block) -> Iterator[Any]:
    """The places that a body, or a function that it calls, touches."""
    for node in ir.walk(body):
        place = getattr(node, "place", None)
        if place is not None and not isinstance(place, ir.ConstantArray):
            yield place
        if isinstance(node, ir.Call | ir.Invoke):
            yield from ir.captured_arrays(node.function)


def touches_others(body: ir.Block, own: tuple[ir.LocalArray, ...]) -> bool:
    """Whether a body, or a function that it calls, touches places that are not its own."""
    for node in ir.walk(body):
        place = getattr(node, "place", None)
        if place not in (None, *own) and not isinstance(place, ir.ConstantArray):
            return True
        if isinstance(node, ir.Call | ir.Invoke) and touches_others(
            node.function.body, (*own, *node.function.local_arrays)
        ):
            return True
    return False
