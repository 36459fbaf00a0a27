"""Comprehensions: lists, and tuples that a function such as ``sum`` goes over, of a length known while compiling."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from krnlpy.dsl.frontend.values import Static, Value, is_number
from krnlpy.errors import KernelSyntaxError, KernelTypeError

from .loops import UNROLL_LIMIT, LoopLowering


class ComprehensionLowering(LoopLowering):
    """Writes comprehensions out."""

    def visit_ListComp(self, node: ast.ListComp) -> Value:
        return Static(list(self._generated(node)), self.at(node))

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> Value:
        return Static(tuple(self._generated(node)), self.at(node))

    def _generated(self, node: ast.ListComp | ast.GeneratorExp) -> list[Value]:
        """The values, each evaluated once, in order. The names of a comprehension are its own."""
        outer = dict(self.statics)
        found: list[Value] = []
        try:
            for _ in self._passes(node.generators):
                found.append(self.snapshot(self.value(node.elt)))
                if len(found) > UNROLL_LIMIT:
                    raise KernelTypeError(
                        f"more than {UNROLL_LIMIT} values; write a loop over local_array(type, length)", *self.at(node)
                    )
        finally:
            self.statics = outer
        return found

    def _passes(self, generators: list[ast.comprehension]) -> Iterator[None]:
        if not generators:
            yield
            return
        first, *rest = generators
        items, where = self.items(first.iter), self.at(first.iter)
        if not isinstance(items.length, Static):
            raise KernelTypeError(
                "how many values a comprehension has is known while compiling; write a loop for a length that is not",
                *where,
            )
        for number in range(items.length.value):
            if number > UNROLL_LIMIT:
                return
            self.name_item(first.target, self.snapshot(items.at(Static(number, where))), set())
            if all(map(self._holds, first.ifs)):
                yield from self._passes(rest)

    def _holds(self, node: ast.expr) -> bool:
        test = self.value(node)
        if not isinstance(test, Static) or not (is_number(test.value) or test.value is None):
            raise KernelSyntaxError(
                "the condition of a comprehension is known while compiling; write a loop, or `a if c else b`",
                *self.at(node),
            )
        return bool(test.value)
