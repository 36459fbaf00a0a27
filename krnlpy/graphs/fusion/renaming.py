"""The IR of one kernel as a part of another's: its parameters, variables and functions under names of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any

from krnlpy.dsl import ir


class Names:
    """Gives names that differ from each other, from those taken, and from the fields of their parameter blocks."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._count = 0

    def new(self, name: str) -> str:
        """A name that begins as another does, and ends with a number."""
        base = re.sub(r"_\d+$", "", name)
        while True:
            self._count += 1
            result = f"{base}_{self._count}"
            if result not in self._taken and not any(other.startswith(f"{result}_") for other in self._taken):
                self._taken.add(result)
                return result


class Renamer:
    """Copies IR with other parameters, variables and functions.

    Args:
        names: gives the names of variables and functions; None: they stay.
        parameters: what takes the place of parameters and places.
        load: what takes the place of a load, or None.
        store: the statements that take the place of a store, or None.
        id: what takes the place of an id, or None.
    """

    def __init__(
        self,
        names: Names | None,
        parameters: dict[Any, Any],
        load: Callable[[ir.Load], ir.Expr | None] = lambda node: None,
        store: Callable[[ir.Store], list[ir.Stmt] | None] = lambda node: None,
        id: Callable[[ir.Id], ir.Expr | None] = lambda node: None,
    ) -> None:
        self._names = names
        self._map: dict[Any, Any] = dict(parameters)  # the nodes are told by identity
        self._load = load
        self._store = store
        self._id = id

    def __call__(self, node: Any) -> Any:
        """The copy of a node, or of a tuple of nodes."""
        if isinstance(node, ir.Location):
            return node
        if isinstance(node, tuple):
            result: list[Any] = []
            for part in node:
                new = self(part)
                result += new if isinstance(new, list) else [new]
            return tuple(result)
        if isinstance(node, ir.Expr | ir.Stmt):
            return self._replaced(node) or self._copied(node)
        if isinstance(node, ir.Parameter | ir.LocalArray | ir.Variable | ir.Function) and node in self._map:
            return self._map[node]
        if self._names is not None and isinstance(node, ir.Variable | ir.LocalArray | ir.Function):
            self._map[node] = self._renamed(node, self._names)
            return self._map[node]
        return node

    def _replaced(self, node: ir.Expr | ir.Stmt) -> Any:
        if isinstance(node, ir.Load):
            return self._load(node)
        if isinstance(node, ir.Store):
            return self._store(node)
        return self._id(node) if isinstance(node, ir.Id) else None

    def _copied(self, node: ir.Expr | ir.Stmt) -> Any:
        changed = {}
        for field in fields(node):
            value = getattr(node, field.name)
            if field.name not in ("type", "location"):
                new = self(value)
                if new is not value:
                    changed[field.name] = new
        return replace(node, **changed) if changed else node

    def _renamed(self, node: Any, names: Names) -> Any:
        name = names.new(node.name)
        if isinstance(node, ir.Variable):
            return ir.Variable(name, node.type)
        if isinstance(node, ir.LocalArray):
            return replace(node, name=name, shape=self(node.shape))
        parameters, arrays = self(node.parameters), self(node.local_arrays)
        return replace(node, name=name, parameters=parameters, local_arrays=arrays, body=self(node.body))
