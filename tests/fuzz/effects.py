"""What reaches beyond a thread: atomics whose order, subgroups whose size doesn't matter, asserts and prints."""

from __future__ import annotations

from dataclasses import dataclass

from krnlpy.scalar import ScalarType, boolean, i32

from .composites import Composites
from .kinds import Draw
from .statements import Lines

ORDERLESS = (("add", "sub"), ("min",), ("max",), ("and",), ("or",), ("xor",))
"""Operations that may be mixed on one element in any order."""


@dataclass(frozen=True)
class Accumulator:
    """An array of which all elements are only ever changed by atomics, of operations that commute."""

    name: str
    type: ScalarType
    operations: tuple[str, ...]
    length: int


class Effects(Composites):
    """Writes statements for what they do."""

    def __init__(self, random: Draw, types: tuple[ScalarType, ...]) -> None:
        super().__init__(random, types)
        self.accumulators: list[Accumulator] = []

    def accumulator(self, name: str, length: int) -> Accumulator:
        """A new one, of at most 32 bits."""
        type = self.random.choice([t for t in self.stored if not t.is_float and t.size < 8])
        made = Accumulator(name, type, self.random.choice(ORDERLESS[3:] if type is boolean else ORDERLESS), length)
        self.accumulators.append(made)
        return made

    def _s_atomic(self, depth: int) -> Lines | None:
        if not self.accumulators or self.scope.in_function:
            return None
        to = self.random.choice(self.accumulators)
        element = f"{to.name}[{self.index(to.length, 1)}]"
        return [f"atomic_{self.random.choice(to.operations)}({element}, {self.expr(to.type, 2)})"]

    def _s_subgroup(self, depth: int) -> Lines | None:
        """Of values that all threads of a group share, so that it doesn't matter which of them are a subgroup."""
        scope, random = self.scope, self.random
        if not scope.uniform_flow or scope.has_items or scope.in_function:
            return None
        choices = [t for t in self.types if t.is_integer and t.size < 8]
        type = boolean if random.chance(0.3) else random.choice(choices)
        names = ("all", "any") if type is boolean else ("min", "max", "and", "or", "broadcast_first")
        with scope.within(uniform_only=True):
            text = f"subgroup_{random.choice(names)}({self.expr(type, 2)})"
        return [f"{self.define(type, uniform=True).name} = {text}"]

    def _s_vote(self, depth: int) -> Lines | None:
        """How many threads of the group come with a true condition, which may differ between them."""
        scope = self.scope
        if not scope.has_barriers or not scope.uniform_flow or scope.writing or scope.in_function:
            return None
        what, type = self.random.choice((("count", i32), ("any", boolean), ("all", boolean)))
        text = f"barrier_{what}({self.condition(2)})"
        return [f"{self.define(type, uniform=True).name} = {text}"]

    def _s_assert(self, depth: int) -> Lines:
        type = self.random.choice([t for t in self.types if t.is_integer])
        message = ', "never"' if self.random.chance(0.5) else ""
        return [f"assert 0 <= {self.expr(type, 2)} % 5 < 5{message}"]

    def _s_print(self, depth: int) -> Lines | None:
        if self.scope.in_function or self.scope.trips > 4:
            return None
        values = ", ".join(self.expr(self.any_type(generic=False, truth=True), 2) for _ in range(2))
        return ["if me == 0:", f'    print("values", {values})']
