"""Expressions: each production writes the text of a value of a type.

What :meth:`Expressions.expr` gives has exactly the type asked for; what :meth:`Expressions.weak` gives is a number
that takes the type of what it meets.
"""

from __future__ import annotations

from krnlpy.scalar import ScalarType, boolean, f32, f64, i32

from .kinds import Draw, Generic, Type, as_text, kind, widened_from
from .scope import Array, Function, Scope

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")

PRODUCTIONS: dict[str, dict[str, float]] = {
    "int": {
        "binary": 6, "whole_division": 2, "bits": 3, "shift": 2, "power": 0.5, "unary": 1, "extremum": 1, "choice": 1,
        "cast": 3, "call": 1.5, "load": 2, "walrus": 0.5, "bit_function": 1.5, "saturate": 0.5, "bitcast": 0.5,
        "component": 0.5, "where": 0.5, "numpy_cast": 0.5,
    },
    "float": {
        "binary": 6, "real_division": 2, "power": 0.4, "unary": 1, "extremum": 1, "choice": 1, "cast": 2, "call": 1.5,
        "load": 2, "whole": 1, "rounded": 1, "walrus": 0.5, "exact": 1, "component": 0.5, "where": 0.5,
        "numpy_cast": 0.5,
    },
    "generic": {"binary": 6, "extremum": 1, "choice": 1, "cast": 1, "call": 1, "load": 2, "power": 0.3, "where": 0.5},
    "bool": {
        "comparison": 6, "logical": 3, "truth_bits": 1, "negation": 1, "choice": 0.5, "cast": 1, "predicate": 0.7,
        "chain": 1.5, "call": 0.5, "truth_of_vector": 0.5, "membership": 1, "numpy_cast": 0.3,
    },
}  # fmt: skip
"""The productions for each kind of type, by weight: methods ``_name(type, depth)``; None where one does not apply."""


class Expressions:
    """Writes expressions."""

    def __init__(self, random: Draw, types: tuple[ScalarType, ...]) -> None:
        self.random = random
        self.types = types
        self.generics: tuple[Generic, ...] = ()
        self.scope = Scope()
        self.special = random.chance(0.3)
        self.zeros = random.chance(0.15)
        self.constants: dict[str, str] = {}
        """Definitions of the module, by name."""
        self.demands: set[str] = set()

    # ------------------------------------------------------------------------------------------------ entry points

    def expr(self, type: Type, depth: int) -> str:
        """A value of a type."""
        if depth <= 0 or self.random.chance(0.1):
            return self.leaf(type)
        name = self.random.pick(PRODUCTIONS[kind(type)])
        with self.scope.within(nonzero=self.scope.nonzero or kind(type) in ("float", "generic")):
            text: str | None = getattr(self, f"_{name}")(type, depth - 1)
            return self.leaf(type) if text is None else text

    def any_type(self, *, generic: bool = True, truth: bool = False) -> Type:
        """Some type of computation."""
        choices: list[Type] = list(self.types)
        if generic and self.generics:
            choices += [*self.generics] * 3
        if truth:
            choices.append(boolean)
        return self.random.choice(choices)

    def condition(self, depth: int) -> str:
        """A truth value: sometimes a number."""
        type = self.any_type() if self.random.chance(0.1) else boolean
        return self.expr(type, depth)

    # ------------------------------------------------------------------------------------------------------ leaves

    def leaf(self, type: Type) -> str:
        """The simplest values: what has a name, or a number."""
        named = self.named()
        names = [text for text, of in named if of is type]
        if names and self.random.chance(0.75):
            return self.random.choice(names)
        if self.random.chance(0.5) and (load := self._load(type, 0)):
            return load
        if named and not isinstance(type, Generic) and self.random.chance(0.65):
            return f"{type}({self.random.choice(named)[0]})"
        return self.strong(type)

    def named(self) -> list[tuple[str, Type]]:
        """What has a name here and is no array."""
        scope = self.scope
        counts = self.zeros or not scope.nonzero  # drivers write loops out, and then see that their counters begin at 0
        named = [
            (v.name, v.type)
            for v in scope.variables
            if (v.uniform or not scope.uniform_only) and (counts or v.below is None)
        ] + scope.uniform_leaves
        return named if scope.uniform_only else named + scope.leaves

    def strong(self, type: Type) -> str:
        """A number of a type."""
        if isinstance(type, Generic):
            names = [text for text, of in self.named() if of is type]
            if names:
                return self.random.choice(names)
            return f"{type.name}({self.random.randrange(1, 100)})"
        if type is boolean:
            return "bool(1)" if self.scope.nonzero else self.random.choice(("bool(1)", "bool(0)"))
        if type is not boolean and self.random.chance(0.2):
            return self.constant(f"np.{type.dtype.name}({self.value_text(type)})")
        return f"{type}({self.value_text(type)})"

    def weak(self, type: Type) -> str:
        """A number without a type, which the type can hold."""
        if isinstance(type, Generic):
            return str(self.random.randrange(1, 100))
        if type is boolean:
            return "True" if self.scope.nonzero else self.random.choice(("True", "False"))
        if self.random.chance(0.1) and (folded := self._folded(type)):
            return folded
        text = self.value_text(type)
        return self.constant(text) if self.random.chance(0.2) else text

    def value_text(self, type: ScalarType) -> str:
        return as_text(self.number(type))

    def number(self, type: ScalarType) -> float:
        """A number that a program knows while it is compiled."""
        if type.is_integer:
            number = self.random.integer(type)
            return 1 if number == 0 and self.scope.nonzero and not self.zeros else number
        whole = self.random.chance(0.2)
        value = self.random.randrange(-100, 100) if whole else self.random.real(self.special)
        if value == 0:
            # Drivers take x * 0 for 0 and x + 0 for x, where they see the zero.
            if not self.zeros:
                return 2
            self.demands.add("zeros")
        return value

    def constant(self, text: str) -> str:
        """A name of the module that stands for a value."""
        name = f"C{len(self.constants)}"
        self.constants[name] = text
        return name

    def _folded(self, type: ScalarType) -> str | None:
        """Python's arithmetic on numbers, done while compiling."""
        a, b = (self.random.randrange(-12, 12) for _ in "ab")
        c = self.random.randrange(1, 9)
        text = self.random.choice(
            (f"({a} + {c} * {b})", f"({a} // {c})", f"({a} % {c})", f"({c} << {c})", f"(~{a} ^ {c})",
            f"({a} if {b} < {c} else {c})",
             f"(-{c} ** 2)", f"(+{c} | {abs(a)} & {abs(b)})", f"abs({a})", f"min({a}, {b})", f"max({a}, {b}, {c})")
        )  # fmt: skip
        value = eval(text)
        if type.is_float:
            text = self.random.choice((text, f"({a} / {c})", f"({a} * 0.5)", f"({a}.0 // {c})", f"({a}.5 % {c})"))
            return text if eval(text) or self.zeros else None
        if value == 0 and self.scope.nonzero:
            return None
        return text if type.min <= value <= type.max else None

    # ------------------------------------------------------------------------------------------------------ places

    def readable(self, type: Type | None) -> list[Array]:
        """The arrays of which an element of a type may be read here."""
        scope = self.scope
        return [
            a
            for a in scope.arrays
            if (type is None or a.type is type)
            and (a.readable or a.own)
            and (a.uniform or not scope.uniform_only)
            and not (scope.uniform_only and a.name in scope.writing)
        ]

    def _load(self, type: Type, depth: int) -> str | None:
        choices = self.readable(type)
        if not choices:
            return None
        array = self.random.choice(choices)
        if not array.readable or array.name in self.scope.writing:
            return self.own_element(array, depth)
        return self.element(array, depth)

    def element(self, array: Array, depth: int) -> str:
        """Any element of an array."""
        return f"{array.name}[{', '.join(self.index(e, depth) for e in array.extents)}]"

    def own_element(self, array: Array, depth: int) -> str:
        """An element that is this thread's own."""
        return f"{array.name}[{array.own.format(self.index(array.spare, min(depth, 1), summand=True))}]"

    def index(self, extent: int | str, depth: int, summand: bool = False) -> str:
        """An index below an extent; as a summand, one that an i32 can be added to."""
        scope = self.scope
        if isinstance(extent, int):
            fit = [
                v.name
                for v in scope.variables
                if v.below is not None and v.below <= extent and (v.uniform or not scope.uniform_only)
            ]
            if fit and self.random.chance(0.4):
                return self.random.choice(fit)
            if self.random.chance(0.3):
                return str(self.random.randrange(extent))
            if self.random.chance(0.1) and not summand:
                return str(-self.random.randint(1, extent))
            types = [i32] if summand else [t for t in self.types if t.is_integer and t.max >= extent]
        else:
            if self.random.chance(0.1):
                return "0"
            types = [i32, *widened_from(i32, self.types)]
        return f"{self.expr(self.random.choice(types), depth)} % {extent}"

    # --------------------------------------------------------------------------------------------------- operators

    def operands(self, type: Type, depth: int) -> tuple[str, str]:
        """Two operands that meet in a type: one may be a weak number or of a narrower type."""
        one = self.expr(type, depth)
        choice = self.random.random()
        narrower = widened_from(type, self.types)
        if choice < 0.2:
            two = self.weak(type)
        elif choice < 0.35 and narrower:
            two = self.expr(self.random.choice(narrower), depth)
        else:
            two = self.expr(type, depth)
        return (one, two) if self.random.chance(0.6) else (two, one)

    def _binary(self, type: Type, depth: int) -> str:
        a, b = self.operands(type, depth)
        return f"({a} {self.random.choice('+-*')} {b})"

    def _whole_division(self, type: Type, depth: int) -> str:
        a, b = self.operands(type, depth)
        return f"({a} {self.random.choice(('//', '%'))} {b})"

    def _real_division(self, type: Type, depth: int) -> str:
        self.demands.add("division")
        a, b = self.operands(type, depth)
        return f"({a} {self.random.choice(('/', '/', '//', '%'))} {b})"

    def _bits(self, type: Type, depth: int) -> str:
        a, b = self.operands(type, depth)
        return f"({a} {self.random.choice('&|^')} {b})"

    def _shift(self, type: Type, depth: int) -> str:
        assert isinstance(type, ScalarType)
        counts = self.random.choice([t for t in self.types if t.is_integer])
        count = self.expr(counts, depth)
        if self.random.chance(0.5):
            count = f"{count} % {min(type.bits + 2, counts.max)}"
        elif self.random.chance(0.5):
            count = str(self.random.randrange(min(type.bits + 2, type.max)))
        value = self.expr(type, depth)
        return f"({value} {self.random.choice(('<<', '>>'))} ({count}))"

    def _power(self, type: Type, depth: int) -> str:
        return f"({self.expr(type, depth)} ** {self.random.randrange(0, 5 if kind(type) != 'int' else 8)})"

    def _unary(self, type: Type, depth: int) -> str:
        value = self.expr(type, depth)
        choices = [f"(-{value})", f"(+{value})", f"abs({value})"]
        choices.append(f"(~{value})" if kind(type) == "int" else f"math.fabs({value})")
        return self.random.choice(choices)

    def _extremum(self, type: Type, depth: int) -> str:
        a, b = self.operands(type, depth)
        if self.random.chance(0.2):
            return f"{self.random.choice(('min', 'max'))}({a}, {b}, {self.expr(type, depth)})"
        return f"{self.random.choice(('min', 'max', 'np.minimum', 'np.maximum'))}({a}, {b})"

    def _choice(self, type: Type, depth: int) -> str:
        a, b = self.operands(type, depth)
        return f"({a} if {self.condition(depth)} else {b})"

    def _cast(self, type: Type, depth: int) -> str | None:
        if isinstance(type, Generic):
            if self.scope.in_function:
                return None
            return f"{type.name}({self.expr(self.any_type(truth=True), depth)})"
        source = self.any_type(truth=True)
        inner = self.expr(source, depth)
        names = [type.name] * 4
        names += {"i32": ["int"], "f32": ["float", "f16", "bf16"], "bool": ["bool"]}.get(type.name, [])
        return f"{self.random.choice(names)}({inner})"

    def _whole(self, type: Type, depth: int) -> str:
        name = self.random.choice(("floor", "ceil", "trunc", "np.floor", "np.trunc"))
        return f"{name}({self.expr(type, depth)})"

    def _rounded(self, type: Type, depth: int) -> str:
        """A correctly rounded function, of a number that is never below zero."""
        self.demands.add("division")
        return f"sqrt(abs({self.expr(type, depth)}))"

    def _exact(self, type: Type, depth: int) -> str:
        """Functions that are exact wherever they are computed."""
        a, b = self.expr(type, depth), self.expr(type, depth)
        return self.random.choice(
            (f"sign({a})", f"rint({a})", f"copysign({a}, {type}({self.expr(i32, depth)}))", f"fmin({a}, {b})",
             f"fmax({a}, {b})", f"clamp({a}, -2.5, {self.random.randint(1, 9)})")
        )  # fmt: skip

    def _bit_function(self, type: Type, depth: int) -> str:
        a = self.expr(type, depth)
        name = self.random.choice(
            ("popcount", "clz", "ctz", "bit_length", "reverse_bits", "byte_swap", "rotl", "rotr", "mul_hi", "add_sat",
             "sub_sat")
        )  # fmt: skip
        if name in ("rotl", "rotr"):
            return f"{name}({a}, {self.expr(self.random.choice([t for t in self.types if t.is_integer]), depth)})"
        return f"{name}({a}, {self.expr(type, depth)})" if name in ("mul_hi", "add_sat", "sub_sat") else f"{name}({a})"

    def _saturate(self, type: Type, depth: int) -> str:
        return f"saturate({self.expr(self.any_type(generic=False), depth)}, {type})"

    def _bitcast(self, type: Type, depth: int) -> str:
        """Of another integer: which bits a NaN has is the target's affair."""
        assert isinstance(type, ScalarType)
        source = self.random.choice([t for t in self.types if t.is_integer and t.size == type.size])
        return f"bitcast({self.expr(source, depth)}, {type})"

    def _walrus(self, type: Type, depth: int) -> str | None:
        if self.scope.uniform_only:
            return None
        free = [v for v in self.scope.variables if v.name.isidentifier()]
        names = [v.name for v in free if v.type is type and not (v.fixed or v.uniform or v.stored)]
        return f"({self.random.choice(names)} := {self.expr(type, depth)})" if names else None

    # ------------------------------------------------------------------------------------------------ truth values

    def _comparison(self, type: Type, depth: int) -> str:
        of = self.any_type()
        a, b = self.operands(of, depth)
        return f"({a} {self.random.choice(COMPARISONS)} {b})"

    def _chain(self, type: Type, depth: int) -> str:
        of = self.any_type()
        parts = [self.expr(of, depth)]
        for _ in range(self.random.randint(2, 3)):
            parts += [
                self.random.choice(COMPARISONS),
                self.weak(of) if self.random.chance(0.1) else self.expr(of, depth),
            ]
        return f"({' '.join(parts)})"

    def _logical(self, type: Type, depth: int) -> str:
        word = self.random.choice((" and ", " or "))
        return f"({word.join(self.condition(depth) for _ in range(self.random.choice((2, 2, 3))))})"

    def _truth_bits(self, type: Type, depth: int) -> str:
        a, b = self.expr(boolean, depth), self.expr(boolean, depth)
        return f"({a} {self.random.choice(('&', '|', '^', '==', '!='))} {b})"

    def _negation(self, type: Type, depth: int) -> str:
        return f"(not {self.condition(depth)})"

    def _predicate(self, type: Type, depth: int) -> str:
        of = f64 if f64 in self.types and self.random.chance(0.3) else f32
        return f"{self.random.choice(('isnan', 'isinf', 'math.isnan', 'np.isinf'))}({self.expr(of, depth)})"

    def array_argument(self, array: Array) -> str:
        """An array for a function."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------------- calls

    def callable(self, type: Type, results: int = 1) -> list[Function]:
        """The functions that may be called here for a value of a type."""
        scope = self.scope
        return [
            f
            for f in scope.functions
            if len(f.results) == results
            and (f.results[0] is type or (isinstance(f.results[0], Generic) and type is not boolean))
            and (f.uniform or not scope.uniform_only)
            and (f.array is None or self.arrays_for(f))
        ]

    def arrays_for(self, function: Function) -> list[Array]:
        """The arrays that may be handed to a function."""
        return [
            a
            for a in self.readable(None)
            if a.type is function.array
            and len(a.extents) == 1
            and a.readable
            and a.name not in self.scope.writing
            and (not function.writes or (a.writable and not a.own))
        ]

    def _call(self, type: Type, depth: int) -> str | None:
        choices = self.callable(type)
        return self.call(self.random.choice(choices), type, depth) if choices else None

    def call(self, function: Function, type: Type, depth: int) -> str:
        """A call with arguments of the right types, by place or by name."""
        arguments = []
        if function.array is not None:
            arguments.append(self.array_argument(self.random.choice(self.arrays_for(function))))
        by_name = self.random.chance(0.2)
        for name, of in function.parameters:
            if name in function.defaults and self.random.chance(0.5):
                by_name = True
                continue
            actual = type if isinstance(of, Generic) else of
            text = self.expr(actual, depth)
            arguments.append(f"{name}={text}" if by_name else text)
        return f"{function.name}({', '.join(arguments)})"
