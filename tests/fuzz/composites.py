"""Vectors, structs and tuples.

Their components are variables of a scope: ``v.x``, ``s.mass`` and ``t[1]`` are named and assigned as ``x`` is.
"""

from __future__ import annotations

from dataclasses import dataclass

from krnlpy.scalar import ScalarType

from .kinds import Draw, Type, computed
from .scope import Variable
from .statements import Lines, Statements

Parts = tuple[tuple[str, ScalarType], ...]
LENGTHS = (2, 2, 3, 3, 4, 4, 5, 7)
"""Of vectors."""


def components(count: int) -> list[str]:
    """The components of a vector, as they are named: ``x``, and of a longer one ``[0]``."""
    return list("xyzw"[:count]) if count <= 4 else [f"[{i}]" for i in range(count)]


@dataclass(eq=False)
class Composite:
    """A vector or struct that has a name: its type as it is written, and its parts' names and types."""

    name: str
    type: str
    parts: Parts
    uniform: bool


class Composites(Statements):
    """Writes statements about composites."""

    def __init__(self, random: Draw, types: tuple[ScalarType, ...]) -> None:
        super().__init__(random, types)
        self.structs: list[tuple[str, Parts]] = []
        """The dataclasses of the module, with their fields."""
        self.changes: dict[str, Type] = {}
        """What ``changed_...`` of each of them takes."""
        self._made: list[tuple[Variable, Composite]] = []

    def struct(self, name: str) -> Lines:
        """A dataclass, and a function that changes one."""
        fields = tuple((f"x{i}", self.random.choice(self.stored)) for i in range(self.random.randint(1, 4)))
        self.structs.append((name, fields))
        changed, type = self.random.choice(fields)
        self.changes[name] = computed(type)
        return [
            "@dataclass", f"class {name}:", *(f"    {field}: {of.name}" for field, of in fields), "", "",
            "@func", f"def changed_{name}(s: {name}, value: {computed(type)}):",
            f"    s.{changed} = value", "    return s", "", "",
        ]  # fmt: skip

    def composites(self) -> list[Composite]:
        """The composites that can be named here: those of which all parts can."""
        names = {id(v) for v in self.scope.variables}
        return [c for v, c in self._made if id(v) in names]

    def _composite(self, name: str, type: str, parts: Parts, uniform: bool) -> None:
        made = Composite(name, type, parts, uniform)
        for field, of in parts:
            path = f"{name}{field}" if field.startswith("[") else f"{name}.{field}"
            kept = Variable(path, computed(of), uniform, stored=None if computed(of) is of else of)
            self.scope.variables.append(kept)
        self._made.append((kept, made))

    def _values(self, parts: Parts, depth: int = 2) -> str:
        return ", ".join(self.expr(computed(of), depth) for _, of in parts)

    def _s_composite(self, depth: int) -> Lines:
        uniform = self.together()
        with self.scope.within(uniform_only=uniform):
            if self.structs and self.random.chance(0.5):
                type, parts = self.random.choice(self.structs)
                text = f"{type}({self._values(parts)})"
                if self.random.chance(0.2):
                    text = f"{type}({', '.join(f'{n}={self.expr(computed(t), 2)}' for n, t in parts)})"
            else:
                of, n = self.random.choice(self.types), self.random.choice(LENGTHS)
                type, parts = f"Vector[{of}, {n}]", tuple((c, of) for c in components(n))
                text = f"{type}({self._values(parts)})"
        name = self.scope.new_name(self.random)
        self._composite(name, type, parts, uniform)
        return [f"{name} = {text}"]

    def _s_change_composite(self, depth: int) -> Lines | None:
        """A composite as a whole, or several components of a vector at once."""
        scope, random = self.scope, self.random
        choices = [c for c in self.composites() if scope.uniform_flow or not c.uniform]
        if not choices:
            return None
        target = random.choice(choices)
        with scope.within(uniform_only=target.uniform):
            others = [c for c in self.composites() if c.type == target.type and (c.uniform or not target.uniform)]
            other = random.choice(others).name
            if random.chance(0.3):
                return [f"{target.name} = {other} if {self.condition(2)} else {random.choice(others).name}"]
            if not target.type.startswith("Vector"):
                return [f"{target.name} = changed_{target.type}({other}, {self.expr(self.changes[target.type], 2)})"]
            of = target.parts[0][1]
            with scope.within(nonzero=scope.nonzero or of.is_float):
                operand = random.choice((other, self.expr(of, 2), f"{target.type}({self._values(target.parts, 1)})"))
            operator = random.choice("+-*" if of.is_float else ("+", "-", "*", "//", "%", "&", "|", "^"))
            count = random.randint(2, len(target.parts))
            letters = [n for n, _ in target.parts]
            left, right = random.sample(letters, count), [random.choice(letters) for _ in range(count)]
            swapped = f"{target.name}[0], {target.name}[{count - 1}] = {target.name}[{count - 1}], {target.name}[0]"
            swizzled = f"{target.name}.{''.join(left)} = {other}.{''.join(right)}"
            return [
                random.choice(
                    (
                        f"{target.name} = {other} {operator} {operand}",
                        f"{target.name} {operator}= {operand}",
                        swizzled if len(letters) <= 4 else swapped,
                        f"{target.name} = {random.choice(('min', 'max'))}({target.name}, {other})",
                        f"{target.name}[{random.randrange(-count, count)}] = {self.expr(of, 2)}",
                        f"{target.name}[{self.index(count, 1)}] = {other}[{self.index(count, 1)}]",
                    )
                )
            ]

    def _component(self, type: Type, depth: int) -> str | None:
        """A component of a vector that has no name."""
        if not isinstance(type, ScalarType):
            return None
        n = self.random.choice(LENGTHS)
        one, two = (f"Vector[{type}, {n}]({', '.join(self.expr(type, depth - 1) for _ in range(n))})" for _ in "ab")
        if not type.is_float and self.random.chance(0.3):
            return f"sum({one})"
        whole = one if self.random.chance(0.5) else f"({one} {self.random.choice('+-*')} {two})"
        component = self.random.choice(components(n))
        return f"{whole}{component}" if component.startswith("[") else f"{whole}.{component}"

    def _truth_of_vector(self, type: Type, depth: int) -> str:
        of, n = self.random.choice(self.types), self.random.randint(2, 4)
        one, two = (f"Vector[{of}, {n}]({', '.join(self.expr(of, depth - 1) for _ in range(n))})" for _ in "ab")
        return f"{self.random.choice(('any', 'all'))}({one} {self.random.choice(('<', '>=', '==', '!='))} {two})"

    def _s_tuple(self, depth: int) -> Lines:
        uniform = self.together()
        with self.scope.within(uniform_only=uniform):
            types = [self.any_type(truth=True) for _ in range(self.random.randint(2, 3))]
            text = ", ".join(self.expr(t, 2) for t in types)
        name = self.scope.new_name(self.random)
        for i, type in enumerate(types):
            self.scope.variables.append(Variable(f"{name}[{i}]", type, uniform, fixed=True))
        return [f"{name} = ({text})"]
