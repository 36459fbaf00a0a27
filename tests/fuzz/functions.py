"""``@func`` functions: of numbers, of any type, of arrays; with one result or several; that call each other."""

from __future__ import annotations

from krnlpy.scalar import boolean, f32, i32

from .kinds import Generic, Type, computed
from .scope import Array, Function, Scope, Variable
from .sequences import Sequences
from .statements import Lines, indented

ANY = Generic("T")


class Functions(Sequences):
    """Writes functions."""

    def function(self, name: str, callees: list[Function]) -> tuple[Function, Lines]:
        """A function, and its text."""
        random = self.random
        generic = random.chance(0.35)
        choices: list[Type] = [ANY] if generic else [*self.types, boolean]
        parameters = tuple((f"p{i}", random.choice(choices)) for i in range(random.randint(1, 3)))
        count = random.choice((1, 1, 1, 2, 3))
        results = tuple(random.choice([ANY] * 3 + [i32] if generic else choices) for _ in range(count))
        if generic and count == 1:
            results = (ANY,)
        array = random.choice(self.stored) if random.chance(0.25) else None
        function = Function(name, parameters, results, array, array is not None and random.chance(0.5))
        if not generic and random.chance(0.3):
            function.defaults = tuple(name for name, _ in parameters[random.randrange(len(parameters)) :])
        outer, generics = self.scope, self.generics
        self.scope = Scope(in_function=True, functions=callees, uniform_flow=True, has_items=True)
        self.generics = (ANY,) if generic else ()
        self.results = results
        try:
            lines = self._body(function)
        finally:
            self.scope, self.generics = outer, generics
        if array is not None:
            function.array = computed(array)  # type: ignore[assignment]
        return function, lines

    def _body(self, function: Function) -> Lines:
        random, scope = self.random, self.scope
        declared = []
        if function.array is not None:
            declared.append("p")
            scope.arrays.append(Array("p", computed(function.array), ("len(p)",), writable=function.writes))
        for name, type in function.parameters:
            scope.variables.append(Variable(name, type))
            typed = not isinstance(type, Generic) and random.chance(0.7)
            default = f" = {self.weak(type)}" if name in function.defaults else ""
            declared.append(f"{name}: {type.name}{default}" if typed or default else name)
        scope.used |= set(declared) | {name for name, _ in function.parameters}
        if random.chance(0.15):
            function.uniform = False
            scope.leaves.append((random.choice(("global_id(0)", "global_threads(1)", "thread_id(2)")), i32))
        lines = [f"def {function.name}({', '.join(declared)}):"]
        if random.chance(0.2):
            lines.append('    """A function."""')
        body: Lines = []
        if random.chance(0.3):
            type = random.choice(self.stored)
            extents = tuple(random.randint(1, 4) for _ in range(random.randint(1, 2)))
            name = scope.new_name(random)
            body.append(f"{name} = local_array({type.name}, {extents})")
            array = Array(name, computed(type), extents, writable=True)
            body += self.filled(array)
            scope.arrays.append(array)
        # The first return says of what type the results are.
        if random.chance(0.5):
            scope.trips = 8
            scope.returns = "return"
            body += self.block(random.randint(0, 3), 2)
            if not function.writes:
                body += [f"if {self.condition(2)}:", f"    {self.return_text()}"]
        body.append(self.return_text())
        lines += indented(body)
        return ["@func", *lines]

    def return_text(self) -> str:
        if not self.scope.in_function:
            return super().return_text()
        return "return " + ", ".join(self.expr(t, 2) for t in self.results)

    results: tuple[Type, ...] = (f32,)
