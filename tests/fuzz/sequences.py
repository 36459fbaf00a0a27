"""Rows and slices, lists, tables, and loops over what consists of elements."""

from __future__ import annotations

from krnlpy.scalar import ScalarType, boolean, i32

from .effects import Effects
from .kinds import Type
from .scope import Array, Variable
from .statements import Lines, indented

MOST_OF_AXIS = 7
"""The greatest length of a buffer that is read."""


class Sequences(Effects):
    """Writes statements about sequences."""

    # ------------------------------------------------------------------------------------------------ rows and slices

    def whole_arrays(self, *, writable: bool = False) -> list[Array]:
        """The arrays of which any part may be taken here: all elements may be read, and written if so asked."""
        found = [a for a in self.readable(None) if a.readable and not a.group and not a.own]
        return [a for a in found if a.writable] if writable else found

    def slice_text(self, extent: int | str) -> tuple[str, int | None]:
        """A slice of an axis that has an element, and its length if that is known."""
        random = self.random
        if isinstance(extent, str) or random.chance(0.2):
            length = extent if isinstance(extent, int) else None
            return random.choice(
                ((":", length), ("::-1", length), ("-1:", 1), (f":{self.index(extent, 1)} + 1", None), ("::2", None))
            )
        if random.chance(0.4):
            return random.choice((f"{self.index(extent, 1)}:", f"{self.index(extent, 1)}::-1")), None
        taken = range(extent)
        start, stop, step = 0, extent, 1
        for _ in range(4):
            one, other, by = (
                random.randrange(extent + 1),
                random.randrange(extent + 3),
                random.choice((1, 1, 2, -1, -2)),
            )
            if len(range(extent)[one:other:by]):
                start, stop, step = one, other, by
                taken = range(extent)[one:other:by]
        return f"{start}:{stop}:{step}" if step != 1 or random.chance(0.3) else f"{start}:{stop}", len(taken)

    def part_of(self, array: Array) -> tuple[str, list[int | None]]:
        """A row or a slice of an array that has an element, and the lengths that it has, where these are known."""
        lengths: list[int | None] = []
        subscripts = []
        row = self.random.randrange(len(array.extents)) if len(array.extents) > 1 else None
        for axis, extent in enumerate(array.extents):
            if axis == row or (row is not None and self.random.chance(0.2) and len(lengths) + 1 < len(array.extents)):
                subscripts.append(self.index(extent, 1))
                continue
            text, length = self.slice_text(extent)
            subscripts.append(text)
            lengths.append(length)
        while subscripts[-1] == ":" and len(subscripts) > 1 and self.random.chance(0.5):
            subscripts.pop()
        return f"{array.name}[{', '.join(subscripts)}]", lengths

    def view(self, name: str, array: Array, lengths: list[int | None], uniform: bool) -> Array:
        """A name for part of an array."""
        extents = tuple(
            length if length is not None else self._length(name, axis, len(lengths))
            for axis, length in enumerate(lengths)
        )
        return Array(name, array.type, extents, writable=array.writable, uniform=array.uniform and uniform)

    def _length(self, name: str, axis: int, rank: int) -> str:
        if axis == 0 and self.random.chance(0.5):
            return f"len({name})"
        return f"{name}.size" if rank == 1 and self.random.chance(0.3) else f"{name}.shape[{axis}]"

    def _s_view(self, depth: int) -> Lines | None:
        """A name for a row or slice; of what threads write to, each takes its own."""
        scope, random = self.scope, self.random
        own = [a for a in scope.arrays if a.own == "me, {}" and a.writable and not a.group]
        if own and random.chance(0.4):
            array = random.choice(own)
            name = scope.new_name(random)
            scope.arrays.append(Array(name, array.type, (array.spare,), writable=True))
            return [f"{name} = {array.name}[me{random.choice(('', ', :'))}]"]
        choices = self.whole_arrays()
        if not choices:
            return None
        array, uniform = random.choice(choices), self.together()
        with scope.within(uniform_only=uniform):
            text, lengths = self.part_of(array)
        if not lengths:
            return None
        name = scope.new_name(random)
        scope.arrays.append(self.view(name, array, lengths, uniform))
        return [f"{name} = {text}"]

    def _s_fill(self, depth: int) -> Lines | None:
        """A row or slice takes one value, or those of another."""
        random = self.random
        choices = self.whole_arrays(writable=True)
        if not choices:
            return None
        array = random.choice(choices)
        extent = array.extents[0]
        others = [
            a
            for a in self.whole_arrays()
            if a.type is array.type and len(a.extents) == 1 and isinstance(a.extents[0], int)
        ]
        if len(array.extents) == 1 and isinstance(extent, int) and others and random.chance(0.6):
            other = random.choice(others)
            assert isinstance(other.extents[0], int)
            count = random.randint(1, min(extent, other.extents[0]))
            return [f"{self._run(array, count)} = {self._run(other, count)}"]
        text, _ = self.part_of(array)
        return [f"{text} = {self.value_for(Variable('', array.type), 2)}"]

    def _run(self, array: Array, count: int) -> str:
        """So many neighbours."""
        assert isinstance(array.extents[0], int)
        start = self.index(array.extents[0] - count + 1, 1, summand=True)
        start = f"({start})" if " " in start else start
        return f"{array.name}[{start} : {start} + {count}]"

    def array_argument(self, array: Array) -> str:
        """An array of one axis, or part of one, for a function."""
        if not self.random.chance(0.4) or array.group:
            return array.name
        return f"{array.name}[{self.slice_text(array.extents[0])[0]}]"

    # ------------------------------------------------------------------------------------------------ lists and tables

    def _s_list(self, depth: int) -> Lines:
        """An array of the thread's own, with the entries of a list."""
        random = self.random
        type = self.any_type(generic=False, truth=True)
        columns = random.randint(1, 4)
        extents: tuple[int, ...] = (columns,)
        if random.chance(0.3):
            text, columns = self._comprehension(type)
            extents = (columns,)
        elif random.chance(0.25):
            rows = random.randint(1, 3)
            text = f"[{', '.join(self._entries(type, columns) for _ in range(rows))}]"
            extents = (rows, columns)
        else:
            text = self._entries(type, columns)
        array = Array(self.scope.new_name(random), type, extents, writable=True, is_counted=True)
        self.scope.arrays.append(array)
        return [f"{array.name} = {text}"]

    def _entries(self, type: Type, count: int) -> str:
        return f"[{', '.join(self.expr(type, 2) for _ in range(count))}]"

    def _comprehension(self, type: Type) -> tuple[str, int]:
        random, scope = self.random, self.scope
        name = scope.new_name(random)
        known = [a for a in self.whole_arrays() if a.is_counted and len(a.extents) == 1]
        if known and random.chance(0.4):
            array = random.choice(known)
            assert isinstance(array.extents[0], int)
            head, count, item = array.name, array.extents[0], Variable(name, array.type, fixed=True)
        else:
            count = random.randint(1, 4)
            head = random.choice((f"range({count})", f"range({count - 1}, -1, -1)"))
            item = Variable(f"i32({name})", i32, True, fixed=True, below=count)
        with scope.within():
            scope.variables.append(item)
            text = self.expr(type, 2)
        return f"[{text} for {name} in {head}]", count

    def _s_table(self, depth: int) -> Lines | None:
        """A table from outside of the kernel, which is indexed while it runs."""
        random = self.random
        type = random.choice(self.types)
        extents = tuple(random.randint(1, 5) for _ in range(random.choice((1, 1, 2))))
        with self.scope.within(nonzero=True):
            rows = [
                [self.value_text(type) for _ in range(extents[-1])] for _ in range(extents[0] if extents[1:] else 1)
            ]
        lists = [f"[{', '.join(row)}]" for row in rows]
        entries = f"[{', '.join(lists)}]" if extents[1:] else lists[0]
        text = f"np.array({entries}, np.{type.dtype.name})"
        self.scope.arrays.append(Array(self.constant(text), type, extents, uniform=True, is_counted=True))
        return []

    # ------------------------------------------------------------------------------------------------------ loops

    def _s_over(self, depth: int) -> Lines | None:
        """A loop over an array, a tuple or several things at once."""
        random, scope = self.random, self.scope
        made = random.choice((self._over_array, self._over_array, self._over_tuple, self._over_grid))()
        if made is None:
            return None
        head, names, trips, variables, arrays = made
        if not self.may_loop(depth, trips):
            return None
        uniform = self.together()
        with scope.within(trips=scope.trips * trips, loop=uniform and scope.uniform_flow, can_jump=True):
            scope.variables += variables
            scope.arrays += arrays
            body = self.nested(depth, uniform=uniform)
        return [f"for {names} in {head}:", *body, *self.otherwise(depth, uniform)]

    def _item(self, type: Type, below: int | None = None) -> Variable:
        return Variable(
            self.scope.new_name(self.random), type, fixed=below is not None or self.random.chance(0.7), below=below
        )

    def _over_array(self) -> tuple[str, str, int, list[Variable], list[Array]] | None:
        random, scope = self.random, self.scope
        choices = self.whole_arrays()
        if not choices:
            return None
        array = random.choice(choices)
        text, extents = array.name, list(array.extents)
        if random.chance(0.3):
            with scope.within():
                text, lengths = self.part_of(array)
            if not lengths:
                return None
            extents = [MOST_OF_AXIS if n is None else n for n in lengths]
        trips = extents[0] if isinstance(extents[0], int) else MOST_OF_AXIS
        variables, arrays = list[Variable](), list[Array]()
        if len(extents) > 1:
            name = scope.new_name(random)
            rest = [e if isinstance(e, int) and text == array.name else None for e in extents[1:]]
            arrays.append(self.view(name, array, rest, False))
        else:
            variables.append(self._item(array.type))
            name = variables[0].name
        if random.chance(0.3):
            text = f"reversed({text})"
        form = random.randrange(4)
        if form == 1:
            index = self._item(i32, below=trips)
            start = random.choice((0, 0, 3))
            if start:
                index.below = None
            variables.append(index)
            return (
                f"enumerate({text}{f', {start}' if start else ''})",
                f"{index.name}, {name}",
                trips,
                variables,
                arrays,
            )
        if form == 2:
            other = self._item(i32, below=3)
            variables.append(other)
            return f"zip(range({random.choice((2, 3))}), {text})", f"{other.name}, {name}", 3, variables, arrays
        return text, name, trips, variables, arrays

    def _over_tuple(self) -> tuple[str, str, int, list[Variable], list[Array]]:
        type = self.any_type(generic=False, truth=True)
        count = self.random.randint(2, 3)
        variable = self._item(type)
        entries = ", ".join(self.expr(type, 2) for _ in range(count))
        vector = isinstance(type, ScalarType) and type is not boolean and self.random.chance(0.3)
        return (
            (f"Vector[{type}, {count}]({entries})" if vector else f"({entries})"),
            variable.name,
            count,
            [variable],
            [],
        )

    def _over_grid(self) -> tuple[str, str, int, list[Variable], list[Array]]:
        lengths = [self.random.randint(1, 3) for _ in range(self.random.randint(1, 3))]
        variables = [self._item(i32, below=n) for n in lengths]
        trips = 1
        for n in lengths:
            trips *= n
        head = f"grid({', '.join(map(str, lengths))})"
        return head, ", ".join(v.name for v in variables), trips, variables, []

    def _s_kept(self, depth: int) -> Lines | None:
        """A variable that gets its value in a loop which surely has a pass."""
        trips = self.random.choice((1, 2, 3))
        if not self.may_loop(depth, trips):
            return None
        scope, random = self.scope, self.random
        counter = Variable(scope.new_name(random), i32, fixed=True, below=trips)
        kept = Variable(scope.new_name(random), self.any_type(truth=True))
        with scope.within(trips=scope.trips * trips, loop=False, can_jump=True, uniform_flow=False):
            scope.variables.append(counter)
            first = f"{kept.name} = {self.expr(kept.type, 2)}"
            scope.variables.append(kept)
            body = self.block(random.choice((0, 1, 2)), depth - 1)
        scope.variables.append(kept)
        return [f"for {counter.name} in range({trips}):", *indented([first, *body])]

    # ------------------------------------------------------------------------------------------------ expressions

    def _where(self, type: Type, depth: int) -> str:
        a, b = self.operands(type, depth)
        return f"{self.random.choice(('where', 'np.where'))}({self.condition(depth)}, {a}, {b})"

    def _numpy_cast(self, type: Type, depth: int) -> str | None:
        if not isinstance(type, ScalarType):
            return None
        name = "bool_" if type is boolean else type.dtype.name
        return f"np.{name}({self.expr(self.any_type(truth=True), depth)})"

    def _membership(self, type: Type, depth: int) -> str:
        of = self.any_type()
        entries = [
            self.weak(of) if self.random.chance(0.3) else self.expr(of, depth) for _ in range(self.random.randint(1, 3))
        ]
        return f"({self.expr(of, depth)} {self.random.choice(('in', 'not in'))} ({', '.join(entries)},))"
