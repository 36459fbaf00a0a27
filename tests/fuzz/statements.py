"""Statements: each production writes lines; what it defines can be named by what follows in the same block."""

from __future__ import annotations

from typing import Any

from krnlpy.scalar import ScalarType, boolean, i32

from .expressions import COMPARISONS, Expressions
from .kinds import Generic, Type, computed, kind, widened_from
from .scope import Array, Variable

Lines = list[str]

PRODUCTIONS: dict[str, float] = {
    "new": 5, "annotated": 1.5, "assign": 4, "augment": 3, "swap": 1, "chain": 0.5, "results": 1.5, "store": 4,
    "augment_store": 2, "if": 3, "range": 3, "edge_range": 0.7, "while": 1.5, "unroll": 0.7, "jump": 1.5,
    "return": 0.4, "nothing": 0.3, "static_if": 0.3, "exchange": 3, "effect": 0.7, "composite": 1.2,
    "change_composite": 1.5, "tuple": 0.4, "atomic": 1.5, "subgroup": 0.7, "assert": 0.4, "print": 0.1,
    "local_array": 0.5, "vote": 0.7, "view": 3, "fill": 2.5, "list": 2, "table": 1, "over": 6, "kept": 1.5,
}  # fmt: skip
"""The productions, by weight: methods ``_s_name(depth)``; None where one does not apply."""

MOST_TRIPS = 24


def indented(lines: Lines) -> Lines:
    return [f"    {line}" for line in lines]


class Statements(Expressions):
    """Writes statements."""

    def block(self, count: int, depth: int) -> Lines:
        """Some statements, at least one."""
        lines: Lines = []
        for _ in range(count):
            lines += self.statement(depth)
        return lines or ["pass"]

    def statement(self, depth: int) -> Lines:
        while True:
            name = self.random.pick(PRODUCTIONS)
            lines: Lines | None = getattr(self, f"_s_{name}")(depth)
            if lines is not None:
                return lines

    def nested(self, depth: int, *, uniform: bool) -> Lines:
        """The body of an if or a loop; ``uniform`` says whether the threads of a group come to it together."""
        with self.scope.within(uniform_flow=uniform and self.scope.uniform_flow):
            return indented(self.block(self.random.choice((1, 2, 2, 3)), depth - 1))

    def together(self) -> bool:
        """Whether what is written next keeps the threads of a group together: it can, and may have to."""
        return self.scope.uniform_flow and not self.scope.has_items and self.random.chance(0.5)

    # ---------------------------------------------------------------------------------------------------- variables

    def define(self, type: Type, **facts: Any) -> Variable:
        """A new variable, which can be named from now on."""
        variable = Variable(self.scope.new_name(self.random), type, **facts)
        self.scope.variables.append(variable)
        return variable

    def assignable(self, type: Type | None = None) -> list[Variable]:
        """The variables that may be assigned here: those that threads share only where all of them do."""
        return [
            v
            for v in self.scope.variables
            if not v.fixed and (type is None or v.type is type) and (self.scope.uniform_flow or not v.uniform)
        ]

    def value_for(self, variable: Variable, depth: int = 3) -> str:
        """A value that a variable takes: of its type, a number, or of a narrower type."""
        with self.scope.within(uniform_only=variable.uniform):
            choice = self.random.random()
            narrower = widened_from(variable.type, self.types)
            if choice < 0.1:
                return self.weak(variable.type)
            if choice < 0.2 and narrower:
                return self.expr(self.random.choice(narrower), depth)
            return self.expr(variable.type, depth)

    def _s_new(self, depth: int) -> Lines:
        type = self.any_type(truth=True)
        uniform = self.together()
        with self.scope.within(uniform_only=uniform):
            text = self.expr(type, self.random.choice((2, 3, 3, 4)))
        return [f"{self.define(type, uniform=uniform).name} = {text}"]

    def _s_annotated(self, depth: int) -> Lines:
        storage = self.random.choice(self.stored)
        type = computed(storage)
        uniform = self.together()
        probe = Variable("", type, uniform)
        text = self.value_for(probe)
        stored = storage if storage is not type else None
        return [f"{self.define(type, uniform=uniform, stored=stored).name}: {storage.name} = {text}"]

    def _s_assign(self, depth: int) -> Lines | None:
        choices = self.assignable()
        if not choices:
            return None
        variable = self.random.choice(choices)
        return [f"{variable.name} = {self.value_for(variable)}"]

    def _s_augment(self, depth: int) -> Lines | None:
        choices = [v for v in self.assignable() if v.type is not boolean]
        if not choices:
            return None
        variable = self.random.choice(choices)
        return [f"{variable.name} {self.operator(variable.type)}= {self.value_for(variable, 2)}"]

    def operator(self, type: Type) -> str:
        """An operator that an augmented assignment applies."""
        return self.random.choice({"int": "+ - * // % & | ^", "float": "+ - *"}.get(kind(type), "+ - *").split())

    def _s_swap(self, depth: int) -> Lines | None:
        choices = self.assignable()
        if len(choices) < 2:
            return None
        count = self.random.choice((2, 2, 3))
        chosen = [self.random.choice(choices) for _ in range(count)]
        values = [
            self.random.choice([w.name for w in chosen if w.type is v.type and (w.uniform or not v.uniform)])
            if self.random.chance(0.5)
            else self.value_for(v, 2)
            for v in chosen
        ]
        return [f"{', '.join(v.name for v in chosen)} = {', '.join(values)}"]

    def _s_chain(self, depth: int) -> Lines | None:
        type = self.any_type(truth=True)
        choices = [v for v in self.assignable(type) if not v.uniform]
        if not choices:
            return None
        text = self.expr(type, 2)
        old = self.random.choice(choices)
        new = self.define(type)
        return [f"{new.name} = {old.name} = {text}"]

    def _s_results(self, depth: int) -> Lines | None:
        """Several results of a function."""
        choices = [f for f in self.scope.functions if len(f.results) > 1 and (f.array is None or self.arrays_for(f))]
        if not choices or self.scope.uniform_only:
            return None
        function = self.random.choice(choices)
        type = self.any_type()
        text = self.call(function, type, 2)
        results = [type if isinstance(t, Generic) else t for t in function.results]
        if self.random.chance(0.2):
            place = self.random.randrange(len(results))
            return [f"{self.define(results[place]).name} = {text}[{place}]"]
        return [f"{', '.join(self.define(t).name for t in results)} = {text}"]

    def _s_effect(self, depth: int) -> Lines | None:
        """A function that is called for what it does to an array."""
        choices = [f for f in self.scope.functions if f.writes and self.arrays_for(f)]
        if not choices:
            return None
        return [self.call(self.random.choice(choices), self.any_type(), 2)]

    # ------------------------------------------------------------------------------------------------------- places

    def target(self) -> tuple[Array, str] | None:
        """An element that may be written here."""
        scope = self.scope
        choices = [a for a in scope.arrays if a.writable and (not a.group or a.name in scope.writing)]
        if not choices:
            return None
        array = self.random.choice(choices)
        return array, self.own_element(array, 2) if array.own else self.element(array, 2)

    def may_stay_zero(self) -> bool:
        """Whether a new array keeps the zeros that it starts with: drivers see them, as they see constants."""
        if self.random.chance(0.9):
            return False
        self.demands.add("zeros")
        return True

    def filled(self, array: Array) -> Lines:
        """Gives all elements of a local array values."""
        if self.may_stay_zero():
            return []
        names = [self.scope.new_name(self.random) for _ in array.extents]
        lines: Lines = []
        for depth, (name, extent) in enumerate(zip(names, array.extents, strict=True)):
            lines.append(f"{'    ' * depth}for {name} in range({extent}):")
        element = f"{array.name}[{', '.join(names)}]"
        return [*lines, f"{'    ' * len(names)}{element} = {self.expr(array.type, 1)}"]

    def _s_local_array(self, depth: int) -> Lines:
        """An array that is declared here: it holds zeros whenever control comes."""
        type = self.random.choice(self.stored)
        extents = tuple(self.random.randint(1, 4) for _ in range(self.random.randint(1, 2)))
        array = Array(self.scope.new_name(self.random), computed(type), extents, writable=True)
        lines = [f"{array.name} = local_array({type.name}, {extents})", *self.filled(array)]
        self.scope.arrays.append(array)
        return lines

    def _s_store(self, depth: int) -> Lines | None:
        chosen = self.target()
        if chosen is None:
            return None
        array, element = chosen
        return [f"{element} = {self.value_for(Variable('', array.type))}"]

    def _s_augment_store(self, depth: int) -> Lines | None:
        chosen = self.target()
        if chosen is None or chosen[0].type is boolean:
            return None
        array, element = chosen
        return [f"{element} {self.operator(array.type)}= {self.value_for(Variable('', array.type), 2)}"]

    def _s_exchange(self, depth: int) -> Lines | None:
        """Group arrays written, each thread its own elements, between two barriers."""
        scope = self.scope
        groups = [a.name for a in scope.arrays if a.group]
        if not groups or not scope.uniform_flow or scope.writing or scope.in_function:
            return None
        chosen = self.random.sample(groups, self.random.randint(1, len(groups)))
        with scope.within(writing=frozenset(chosen), uniform_flow=False):
            inner = []
            for name in chosen:
                array = next(a for a in scope.arrays if a.name == name)
                inner.append(f"{self.own_element(array, 2)} = {self.expr(array.type, 3)}")
            if self.random.chance(0.4):
                inner += self.block(1, depth - 1)
        return ["barrier()", *inner, "barrier()"]

    # ----------------------------------------------------------------------------------------------------- branches

    def _s_if(self, depth: int) -> Lines | None:
        if depth <= 0:
            return None
        uniform = self.together()

        def test() -> str:
            with self.scope.within(uniform_only=uniform):
                return self.condition(3)

        lines = [f"if {test()}:", *self.nested(depth, uniform=uniform)]
        while self.random.chance(0.25):
            lines += [f"elif {test()}:", *self.nested(depth, uniform=uniform)]
        if self.random.chance(0.5):
            lines += ["else:", *self.nested(depth, uniform=uniform)]
        return lines

    def _s_static_if(self, depth: int) -> Lines | None:
        """A branch decided while compiling; the other one need not have the right types."""
        if depth <= 0:
            return None
        with self.scope.within(can_jump=False):
            taken = self.nested(depth, uniform=True)
        name = self.constant(self.random.choice(("True", "1", "3 > 2", "0.5")))
        wrong = ["    undefined = no_such_name + 'text'"]
        if self.random.chance(0.5):
            return [f"if {name}:", *taken, "else:", *wrong]
        return [f"if not {name}:", *wrong, "else:", *taken]

    def _s_nothing(self, depth: int) -> Lines:
        return [self.random.choice(("pass", "...", "pass  # nothing"))]

    # -------------------------------------------------------------------------------------------------------- loops

    def loop(self, depth: int, trips: int, uniform: bool, counter: Variable | None = None) -> Lines:
        """The body of a loop."""
        scope = self.scope
        with scope.within(trips=scope.trips * trips, loop=uniform and scope.uniform_flow, can_jump=True):
            if counter is not None:
                scope.variables.append(counter)
            return self.nested(depth, uniform=uniform)

    def may_loop(self, depth: int, trips: int) -> bool:
        return depth > 0 and self.scope.trips * trips <= MOST_TRIPS

    def otherwise(self, depth: int, uniform: bool) -> Lines:
        """The else of a loop."""
        if not self.random.chance(0.15):
            return []
        return ["else:", *self.nested(depth, uniform=uniform)]

    def _s_range(self, depth: int) -> Lines | None:
        trips = self.random.choice((2, 3, 4, 6))
        if not self.may_loop(depth, trips):
            return None
        random, uniform = self.random, self.together()
        if random.chance(0.4):
            variable = Variable(self.scope.new_name(random), i32, uniform, fixed=True, below=trips)
            head = f"range({trips})" if random.chance(0.8) else f"range(0, {trips}, 1)"
            if random.chance(0.2):
                head = f"range({trips - 1}, -1, -1)"
        else:
            type = random.choice([t for t in self.types if t.is_integer])
            variable = Variable(self.scope.new_name(random), type, uniform)
            with self.scope.within(uniform_only=uniform):
                start, stop = (f"{self.expr(type, 2)} % {trips + 1}" for _ in "ab")
                step = str(random.randint(1, 3))
                if type.kind == "int" and random.chance(0.5):
                    step = random.choice((f"-{step}", f"{self.expr(type, 1)} % 7 - 3"))
                elif random.chance(0.3):
                    step = f"{self.expr(type, 1)} % 3"
                if type is i32 and random.chance(0.2):
                    start = str(random.randrange(trips))
            head = random.choice((f"range({stop})", f"range({start}, {stop})", f"range({start}, {stop}, {step})"))
        body = self.loop(depth, trips, uniform, variable)
        return [f"for {variable.name} in {head}:", *body, *self.otherwise(depth, uniform)]

    def _s_edge_range(self, depth: int) -> Lines | None:
        """A range that ends near the end of its type."""
        if not self.may_loop(depth, 6):
            return None
        random = self.random
        type = random.choice([t for t in self.types if t.is_integer])
        far = random.randrange(1, 6 * 7)
        step = max(random.randrange(1, 9), -(-far // 6))
        if random.chance(0.2):
            far, step = type.max - type.min, max((type.max - type.min) // random.randint(2, 5), 1)
            step = min(step, type.max)
            far = min(far, step * 6)
        start, stop = type.max - far, type.max - random.randrange(2)
        if type.kind == "int" and random.chance(0.5):
            start, stop, step = type.min + far, type.min + random.randrange(2), -step
        uniform = self.scope.uniform_flow and not self.scope.has_items
        variable = Variable(self.scope.new_name(random), type, uniform)
        body = self.loop(depth, 6, uniform, variable)
        return [
            f"for {variable.name} in range({type}({start}), {stop}, {step}):",
            *body,
            *self.otherwise(depth, uniform),
        ]

    def _s_while(self, depth: int) -> Lines | None:
        trips = self.random.choice((2, 3, 5))
        if not self.may_loop(depth, trips):
            return None
        random, uniform = self.random, self.together()
        step = random.randint(1, 3)
        with self.scope.within(uniform_only=uniform):
            more = f" and {self.condition(2)}" if random.chance(0.6) else ""
            style = random.choice(("up", "down", "true"))
            start = "0" if style != "down" else f"i32({self.expr(i32, 1)} % {trips + 1})"
        name = self.define(i32, uniform=uniform, fixed=True).name
        body = self.loop(depth, trips, uniform)
        lines = {
            "up": [f"{name} = {start}", f"while {name} < {trips * step}{more}:", f"    {name} += {step}"],
            "down": [f"{name} = {start}", f"while {name}{more}:", f"    {name} -= 1"],
            "true": [f"{name} = 0", "while True:", f"    if {name} >= {trips}:", "        break", f"    {name} += 1"],
        }[style]
        return [*lines, *body, *([] if style == "true" else self.otherwise(depth, uniform))]

    def _s_unroll(self, depth: int) -> Lines | None:
        trips = self.random.choice((2, 3))
        if not self.may_loop(depth, trips):
            return None
        name = self.scope.new_name(self.random)
        head = self.random.choice((f"range({trips})", f"range({trips}, 0, -1)", str(tuple(range(5, 5 + trips)))))
        # What is known while compiling is a weak number.
        counter = Variable(f"i32({name})", i32, True, fixed=True, below=8)
        with self.scope.within(trips=self.scope.trips * trips, can_jump=False, loop=None):
            self.scope.variables.append(counter)
            body = self.nested(depth, uniform=True)
            if self.random.chance(0.3):  # a jump under a condition that is known while compiling
                jump = self.random.choice(("break", "continue"))
                test = f"{name} {self.random.choice(COMPARISONS)} {self.random.randrange(4)}"
                body += indented([f"if {test}:", f"    {jump}", *self.block(1, depth - 1)])
        return [f"for {name} in unroll({head}):", *body]

    def _s_jump(self, depth: int) -> Lines | None:
        scope = self.scope
        if scope.loop is None or not scope.can_jump or (scope.loop and not scope.uniform_flow):
            return None
        with scope.within(uniform_only=scope.loop):
            test = self.condition(2)
        return [f"if {test}:", f"    {self.random.choice(('break', 'continue'))}"]

    def _s_return(self, depth: int) -> Lines | None:
        scope = self.scope
        if not scope.returns or not scope.can_jump or (scope.has_barriers and not scope.uniform_flow):
            return None
        with scope.within(uniform_only=scope.has_barriers):
            test = f"{self.condition(2)} and {self.expr(i32, 2)} {self.random.choice(COMPARISONS[:2])} -5"
        return [f"if {test}:", f"    {self.return_text()}"]

    def return_text(self) -> str:
        return self.scope.returns

    @property
    def stored(self) -> tuple[ScalarType, ...]:
        """The types that may be annotated and that buffers may hold."""
        raise NotImplementedError
