"""Whole programs: a kernel of items or of groups with its functions, and a launch of it."""

from __future__ import annotations

import ast
import itertools
import math
from typing import Any

from krnlpy.scalar import ScalarType, boolean, f32, i32

from .case import Case, Data
from .functions import Functions
from .kinds import NARROW, STORED, STORED_NARROW, WIDE, Draw, Generic, Type, computed
from .methods import as_method
from .scope import Array, Scope, Variable
from .statements import Lines, indented

KERNEL_TYPE = Generic("K")

INEXACT = (
    ("exp({})", 4), ("sin({})", 4), ("cos({})", 4), ("tanh({})", 4), ("exp2({})", 4), ("log(1.5 + abs({}))", 4),
    ("log2(1.5 + abs({}))", 4), ("fma({}, 1.25, 3.0)", 4), ("(abs({}) + 0.5) ** 1.5", 4),
)  # fmt: skip
"""Functions that targets may round differently, of an argument of at most so much."""


class Program(Functions):
    """Draws a case. Each element that is written to belongs to one thread; group arrays change hands at barriers."""

    def __init__(self, text: str, seed: int, wide: bool) -> None:
        random = Draw(text)
        super().__init__(random, WIDE if wide else NARROW)
        self.seed = seed
        self.wide = wide
        self.parameters: list[tuple[str, str]] = []
        self.defaults: dict[str, str] = {}
        self.arguments: dict[str, Data | object] = {}
        self.specs: dict[str, object] = {}
        self.kernel_type: ScalarType | None = None
        self.start: Lines = []
        self.finish: list[tuple[str, Type]] = []
        """What is written in the end, so that what was computed is seen."""
        self.last: Lines = []

    @property
    def stored(self) -> tuple[ScalarType, ...]:
        return STORED if self.wide else STORED_NARROW

    def case(self) -> Case:
        """The case of this seed."""
        random = self.random
        functions: list[str] = []
        callees: list[Any] = []
        for i in range(random.choice((0, 0, 1, 2))):
            functions += self.struct(f"P{i}")
        for i in range(random.choice((0, 1, 2, 2, 3))):
            function, lines = self.function(f"f{i}", list(callees))
            callees.append(function)
            functions += [*lines, "", ""]
        self.scope = Scope(functions=callees)
        if random.chance(0.2):
            self.kernel_type = random.choice([t for t in self.stored if t is not boolean])
        self.scope.returns = "return"
        threads, groups, decorator = (self._items if random.chance(0.4) else self._groups)()
        text = self._text(functions, decorator)
        return Case(
            text,
            self.arguments,
            self.specs,
            threads,
            groups,
            random.chance(0.1),
            tuple(sorted(self.demands | ({"special"} if self.special else set()))),
            self.seed,
        )

    def _text(self, functions: Lines, decorator: str) -> str:
        random = self.random
        body = [*self.start, *self.block(random.randint(3, 7), 3)]
        body += [f"{target} = {self.expr(type, 1)}" for target, type in self.finish]
        body += self.last
        if random.chance(0.1):
            body.insert(0, '"""A kernel."""')
        definitions = [f"{name} = {text}" for name, text in self.constants.items()]
        if self.generics:
            definitions.append('K = TypeVar("K")')
        # Python wants parameters without defaults first.
        ordered = sorted(self.parameters, key=lambda p: p[0] in self.defaults)
        declared = ", ".join(f"{n}: {t}" + (f" = {self.defaults[n]}" if n in self.defaults else "") for n, t in ordered)
        lines = [*definitions, "", "", *functions, decorator, f"def kernel({declared}):", *indented(body)]
        return "\n".join(lines)

    # --------------------------------------------------------------------------------------------------- parameters

    def _storage(self, parameter: bool = True) -> tuple[str, ScalarType, Type]:
        """The type of a buffer or array: as it is written, as it is, and as a kernel computes with its elements. Only
        a parameter brings the type variable in."""
        if self.kernel_type is not None and (parameter or self.generics) and self.random.chance(0.5):
            self.generics = (KERNEL_TYPE,)
            return "K", self.kernel_type, KERNEL_TYPE
        type = self.random.choice(self.stored)
        return type.name, type, computed(type)

    def _declare(self, name: str, annotation: str, argument: object) -> None:
        self.parameters.append((name, annotation))
        self.arguments[name] = argument
        self.scope.used.add(name)

    def _data(self, type: ScalarType, shape: tuple[int, ...], views: bool, written: bool, tolerance: float = 0) -> Data:
        """A buffer that has a shape after its views."""
        random = self.random
        steps: list[tuple[str, tuple[object, ...]]] = []
        whole = list(shape)
        if views and random.chance(0.5):
            # From the last view to the first.
            if not written and random.chance(0.3):
                repeated = [random.chance(0.5) for _ in whole]
                steps.append(("broadcast_to", (shape,)))
                whole = [1 if r else n for r, n in zip(repeated, whole, strict=True)]
            if len(whole) > 1 and random.chance(0.5):
                axes = random.sample(range(len(whole)), len(whole))
                steps.append(("transpose", tuple(axes)))
                before = list(whole)
                for axis, source in enumerate(axes):
                    before[source] = whole[axis]
                whole = before
            if random.chance(0.6):
                cuts = []
                for axis, length in enumerate(whole):
                    start, step = random.randrange(3), random.choice((1, 1, 2, 3))
                    whole[axis] = start + (length - 1) * step + 1 + random.randrange(2)
                    cuts.append((start, start + (length - 1) * step + 1, step))
                steps.append(("index", tuple(cuts)))
        return Data(type.name, tuple(whole), random.randrange(10**6), tuple(steps[::-1]), self.special, tolerance)

    def _shared_parameters(self) -> None:
        """What kernels of items and of groups may both have: buffers to read, numbers, specs."""
        random, scope = self.random, self.scope
        for i in range(random.choice((0, 1, 1, 2))):
            text, storage, type = self._storage()
            shape = tuple(random.randint(1, 7) for _ in range(random.choice((1, 1, 2, 3))))
            name = f"g{i}"
            self._declare(name, f"Global[{text}]" if len(shape) == 1 else f"Global[{text}, {len(shape)}]",
                          self._data(storage, shape, True, False))  # fmt: skip
            extents = [f"{name}.shape[{axis}]" for axis in range(len(shape))]
            if len(shape) == 1:
                extents = [random.choice((f"len({name})", f"{name}.size", extents[0]))]
            scope.arrays.append(Array(name, type, tuple(extents), uniform=True))
            scope.uniform_leaves += [(e, i32) for e in extents]
        for i in range(random.choice((0, 0, 1, 2, 3))):
            text, storage, type = self._storage()
            value: Any = self._number(storage)
            if text == "K" and not any(t.endswith("[K]") for _, t in self.parameters):
                value = (storage.name, value)
            self._declare(f"s{i}", text, value)
            scope.uniform_leaves.append((f"s{i}", type))
        for i in range(random.choice((0, 0, 1, 2))):
            storage = random.choice(self.stored)
            name = f"S{i}"
            self.parameters.append((name, f"Spec[{storage.name}]"))
            if random.chance(0.5):
                self.specs[name] = self._number(storage)
            if name not in self.specs or random.chance(0.3):
                self.defaults[name] = repr(self._number(storage)).replace("inf", "INF").replace("nan", "NAN")
            scope.uniform_leaves.append((name, computed(storage)))

    def _number(self, type: ScalarType) -> int | float | bool:
        if type is boolean:
            return self.random.chance(0.5)
        if type.is_integer:
            return self.random.integer(type)
        value = self.number(type)
        return value if abs(value) <= 65504 or math.isinf(value) or math.isnan(value) else 1.5

    def _accumulators(self) -> None:
        """Buffers that all threads change."""
        for i in range(self.random.choice((0, 0, 0, 1, 2))):
            made = self.accumulator(f"n{i}", self.random.randint(1, 9))
            self._declare(made.name, f"GlobalMut[{made.type}]", self._data(made.type, (made.length,), True, True))

    def _local_arrays(self) -> None:
        random = self.random
        for _ in range(random.choice((0, 0, 1, 2))):
            text, _, type = self._storage(parameter=False)
            extents = tuple(random.randint(1, 5) for _ in range(random.choice((1, 1, 2, 3))))
            name = self.scope.new_name(random)
            shape = [str(n) for n in extents]
            sizes = [p for p, t in self.parameters if p == "SIZE"]
            if sizes and random.chance(0.5):
                shape[0] = random.choice(
                    (f"SIZE + {extents[0]}", f"{extents[0]} * SIZE", f"(SIZE * {extents[0]} + 3) // 2")
                )
            what = f"({', '.join(shape)},)" if len(shape) > 1 or random.chance(0.3) else shape[0]
            self.start.append(f"{name} = local_array({text}, {what})")
            array = Array(name, type, extents, writable=True)
            self.start += self.filled(array)
            self.scope.arrays.append(array)

    def _size_spec(self) -> None:
        """A spec that sizes of arrays are made of: at least 2."""
        if self.random.chance(0.4):
            storage = self.random.choice([t for t in self.stored if t.is_integer])
            self.parameters.append(("SIZE", f"Spec[{storage.name}]"))
            self.specs["SIZE"] = self.random.randint(2, 4)
            self.scope.uniform_leaves.append(("SIZE", storage))

    # -------------------------------------------------------------------------------------------------------- items

    def _items(self) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None, str]:
        random, scope = self.random, self.scope
        scope.has_items = True
        scope.uniform_flow = False
        shape = random.choice(((24,), (1,), (5, 6), (2, 3, 5), (33,), (4, 1, 7)))
        count = math.prod(shape)
        strided = random.chance(0.4)
        for i in range(random.randint(1, 3)):
            text, storage, type = self._storage()
            self._declare(f"a{i}", f"Item[{text}]", self._data(storage, shape, strided, False))
            scope.leaves.append((f"a{i}", type))
        for i in range(random.randint(1, 3)):
            text, storage, type = self._storage()
            self._declare(f"b{i}", f"ItemMut[{text}]", self._data(storage, shape, strided, True))
            # An item is read and assigned as a variable is.
            scope.variables.append(Variable(f"b{i}", type, stored=storage))
        scope.variables.append(Variable("me", i32, fixed=True, below=count))
        scope.used.add("me")
        self.start = ["me = item_id()"]
        scope.uniform_leaves.append(("items()", i32))
        scope.leaves.append(("global_id()", i32))
        self._shared_parameters()
        self._size_spec()
        self._outputs(count)
        self._accumulators()
        self._local_arrays()
        threads = random.choice((4, 8, 8, 16))
        groups = (random.randint(1, 3),) if random.chance(0.3) else None
        decorator = f"@kernel(threads={threads})" if random.chance(0.7) else "@kernel"
        if random.chance(0.2):
            decorator = f"@kernel(threads={threads}, unchecked=True)"
        return ((threads,) if decorator == "@kernel" or random.chance(0.2) else None), groups, decorator

    # ------------------------------------------------------------------------------------------------------- groups

    def _groups(self) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None, str]:
        random, scope = self.random, self.scope
        threads = random.choice(((8,), (16,), (5,), (1,), (4, 2), (2, 3), (3, 2, 2), (12,)))
        groups = random.choice(((1,), (2,), (3,), (2, 2), (1, 2), (1, 1, 2)))
        tx, ty, tz = (*threads, 1, 1)[:3]
        gx, gy, gz = (*groups, 1, 1)[:3]
        total, local = tx * ty * tz * gx * gy * gz, tx * ty * tz
        scope.variables.append(Variable("me", i32, fixed=True, below=total))
        scope.variables.append(Variable("lane", i32, fixed=True, below=local))
        scope.used |= {"me", "lane"}
        self.start = [
            "me = (global_id(2) * global_threads(1) + global_id(1)) * global_threads(0) + global_id(0)",
            "lane = (thread_id(2) * threads(1) + thread_id(1)) * threads(0) + thread_id(0)",
        ]
        axis = random.randrange(3)
        scope.leaves += [(f"global_id({axis})", i32), ("thread_id()", i32)]
        scope.uniform_leaves += [(f"group_id({axis})", i32), ("groups()", i32)]
        self._shared_parameters()
        self._size_spec()
        if not self.specs and not self.defaults:
            # glslang makes invalid code of `and` of a specialization constant and gl_WorkGroupSize.
            scope.uniform_leaves.append((f"threads({axis})", i32))
        scope.has_barriers = random.chance(0.6)
        self._outputs(total, (gz * tz, gy * ty, gx * tx))
        self._accumulators()
        self._local_arrays()
        if scope.has_barriers:
            for _ in range(random.randint(1, 2)):
                self._group_array(local, (tz, ty, tx))
            if random.chance(0.3):
                self._group_accumulator(total)
        decorator = f"@kernel(threads={threads})"
        given = None
        if random.chance(0.2):
            decorator, given = "@kernel", threads
        if random.chance(0.2):
            decorator = f"@kernel(threads={threads}, unchecked=True)"
        return given, groups, decorator

    def _group_array(self, local: int, shape: tuple[int, int, int]) -> None:
        random = self.random
        text, _, type = self._storage(parameter=False)
        spare = random.randint(1, 3)
        choices: list[tuple[tuple[int, ...], str, int]] = [
            ((local,), "lane", 1),
            ((local * spare,), f"lane * {spare} + {{}}", spare),
            ((local, spare), "lane, {}", spare),
            ((spare, local), "{}, lane", spare),
            (shape, "thread_id(2), thread_id(1), thread_id(0)", 1),
        ]
        extents, own, spare = random.choice(choices)
        name = self.scope.new_name(random)
        sizes = [str(n) for n in extents]
        if "SIZE" in self.specs and random.chance(0.5):
            sizes[0] = f"{extents[0]} * SIZE"
        self.start.append(f"{name} = group_array({text}, ({', '.join(sizes)},))")
        array = Array(name, type, extents, writable=True, own=own, spare=spare, uniform=True, group=True)
        if self.may_stay_zero():
            return self.scope.arrays.append(array)
        elements = [f"{name}[{own.format(j)}]" for j in range(spare)]
        self.start += [*(f"{element} = {self.expr(type, 1)}" for element in elements), "barrier()"]
        return self.scope.arrays.append(array)

    def _group_accumulator(self, total: int) -> None:
        """A group array that its threads change, and read in the end."""
        length = self.random.randint(1, 5)
        made = self.accumulator(self.scope.new_name(self.random), length)
        self.start.append(f"{made.name} = group_array({made.type}, {length})")
        self._declare("counted", f"GlobalMut[{made.type}]", self._data(made.type, (total,), False, True))
        self.last = ["barrier()", f"counted[me] = {made.name}[lane % {length}]"]

    # ------------------------------------------------------------------------------------------------------ outputs

    def _outputs(self, total: int, shape: tuple[int, ...] | None = None) -> None:
        """Buffers to which each thread writes elements of its own, and what it writes to them in the end."""
        random, scope = self.random, self.scope
        for i in range(random.randint(1, 4)):
            text, storage, type = self._storage()
            name, spare = f"o{i}", random.randint(1, 3)
            choices: list[tuple[tuple[int, ...], str, int]] = [
                ((total * spare,), f"me * {spare} + {{}}", spare),
                ((total * spare,), f"me + {{}} * {total}", spare),
                ((total,), "me", 1),
                ((total, spare), "me, {}", spare),
            ]
            if shape is not None:
                choices.append((shape, "global_id(2), global_id(1), global_id(0)", 1))
            extents, own, spare = random.choice(choices)
            rank = f"[{text}]" if len(extents) == 1 else f"[{text}, {len(extents)}]"
            self._declare(name, f"GlobalMut{rank}", self._data(storage, extents, True, True))
            scope.arrays.append(Array(name, type, extents, readable=False, writable=True, own=own, spare=spare))
            self.finish += [(f"{name}[{own.format(j)}]", type) for j in range(spare)]
        if random.chance(0.3):
            text, storage, type = self._storage()
            self._declare("r", f"Out[{text}]", self._data(storage, (total,), True, True))
            self.start.append(f"r[me] = {self.expr(type, 3)}")
        if random.chance(0.2):
            form, most = random.choice(INEXACT)
            self._declare("near", "GlobalMut[f32]", self._data(f32, (total,), False, True, 1e-5))
            self.start.append(f"near[me] = {form.format(f'f32({self.expr(i32, 2)} % {most * 8}) * 0.125')}")


MOST_NODES = 350
"""Drivers write all calls out: larger programs take them seconds to compile."""


def draw(seed: int, wide: bool | None = None) -> Case:
    """The case of a seed; every sixth computes with 64 bits too, unless told, and every seventh is a method."""
    for attempt in itertools.count():
        case = Program(f"{seed}.{attempt}", seed, seed % 6 == 0 if wide is None else wide).case()
        if written_out(case.source) <= MOST_NODES:
            return as_method(case, f"{seed}.method") if seed % 7 == 0 and wide is None else case
    raise AssertionError


def written_out(source: str) -> int:
    """Count of a kernel's syntax nodes, with those of the functions that it calls wherever it calls them."""
    sizes: dict[str, int] = {}
    for definition in ast.parse(source).body:
        if isinstance(definition, ast.FunctionDef):
            names = [n.id for n in ast.walk(definition) if isinstance(n, ast.Name)]
            sizes[definition.name] = sum(1 for _ in ast.walk(definition)) + sum(sizes.get(n, 0) for n in names)
    return sizes["kernel"]
