"""Operations of subgroups on the host: a subgroup's values lie side by side in memory, and are one LLVM vector.

Reductions go up a tree of neighbours, which needs as many steps as the size has bits and leaves the result in every
lane; so do scans. Lanes that are not active take part with the operation's neutral element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from krnlpy.dsl import ir
from krnlpy.dsl.llvm.builder import ACCESS_GROUP, Builder, literal
from krnlpy.dsl.llvm.context import memory_type
from krnlpy.dsl.semantics.collectives import SOURCES, neutral
from krnlpy.scalar import ScalarType, boolean


def reads_one_lane(s: ir.Collective) -> bool:
    """Whether each thread chooses at run time which lane it reads."""
    return s.op in SOURCES and len(s.operands) > 1 and not isinstance(s.operands[1], ir.Const)


class Lanes:
    """Writes what one subgroup does.

    Args:
        size: threads of a subgroup.
        values: address of the operands' values, for each thread of the group.
        active: address of a byte for each thread, 1 for those that take part; None where all do.
    """

    def __init__(self, b: Builder, size: int, values: str, active: str | None) -> None:
        self._b, self._size = b, size
        self._values, self._active = values, active

    # -- one vector for a subgroup

    def results(self, s: ir.Collective, first: str) -> list[str]:
        """The results of an operation, as vectors of the targets' memory types; ``first`` is the place (i64) of the
        subgroup's first thread."""
        type = s.operands[0].type if s.operands else boolean
        value = self._load(memory_type(type), self._values, first, type.size) if s.operands else ""
        active = self.active(first)
        if s.op in SOURCES:
            return [self._permuted(s, value, active, type)]
        if s.op == "broadcast_first":
            return [
                self._splat(self._b.op(f"extractelement {self._vector(type)} {value}, i32 {self._first(active)}"), type)
            ]
        if s.op in ("elect", "all", "any", "all_equal", "ballot"):
            return self._vote(s, value, active, type)
        return [self._combined(s, value, active, type)]

    def active(self, first: str) -> str | None:
        """Which lanes are active, as a vector of i1."""
        if self._active is None:
            return None
        flags = self._load("i8", self._active, first, 1)
        return self._b.op(f"icmp ne {self._v('i8')} {flags}, zeroinitializer")

    def store(self, target: ScalarType, address: str, first: str, result: str) -> None:
        """Gives the active threads of a subgroup their results."""
        b, t = self._b, memory_type(target)
        active = self.active(first)
        if active is not None:
            old = self._load(t, address, first, target.size)
            result = b.op(f"select {self._v('i1')} {active}, {self._v(t)} {result}, {self._v(t)} {old}")
        at = b.element(address, first, target.size)
        b.store(self._v(t), result, at, f", align {min(64, self._size * target.size)}")

    def _v(self, t: str) -> str:
        return f"<{self._size} x {t}>"

    def _vector(self, type: ScalarType) -> str:
        return self._v(memory_type(type))

    def _load(self, t: str, address: str, first: str, size: int) -> str:
        at = self._b.element(address, first, size)
        return self._b.load(self._v(t), at, f", align {min(64, self._size * size)}")

    def _constants(self, t: str, values: Sequence[str]) -> str:
        return f"<{', '.join(f'{t} {v}' for v in values)}>"

    def _constant(self, value: int | float, type: ScalarType) -> str:
        return self._constants(memory_type(type), [_literal(value, type)] * self._size)

    def _shuffle(self, t: str, a: str, b: str, lanes: Sequence[int]) -> str:
        mask = self._constants("i32", list(map(str, lanes)))
        return self._b.op(f"shufflevector {self._v(t)} {a}, {self._v(t)} {b}, <{self._size} x i32> {mask}")

    def _splat(self, value: str, type: ScalarType) -> str:
        t = memory_type(type)
        one = self._b.op(f"insertelement {self._v(t)} poison, {t} {value}, i32 0")
        return self._shuffle(t, one, "poison", [0] * self._size)

    def _first(self, active: str | None) -> str:
        """The lowest active lane."""
        if active is None:
            return "0"
        b, n = self._b, f"i{self._size}"
        bits = b.op(f"bitcast {self._v('i1')} {active} to {n}")
        lane = b.intrinsic(f"llvm.cttz.{n}", n, (n, bits), ("i1", "false"))
        wide = "trunc" if self._size > 32 else "zext"
        return lane if self._size == 32 else b.op(f"{wide} {n} {lane} to i32")

    def _permuted(self, s: ir.Collective, value: str, active: str | None, type: ScalarType) -> str:
        place = s.operands[1] if len(s.operands) > 1 else None
        number = int(place.value) if isinstance(place, ir.Const) else 0
        lanes = [SOURCES[s.op](lane, number) for lane in range(self._size)]
        lanes = [lane if 0 <= lane < self._size else self._size for lane in lanes]
        if active is not None:
            t = self._vector(type)
            value = self._b.op(f"select {self._v('i1')} {active}, {t} {value}, {t} zeroinitializer")
        return self._shuffle(memory_type(type), value, "zeroinitializer", lanes)

    def _vote(self, s: ir.Collective, value: str, active: str | None, type: ScalarType) -> list[str]:
        b, size, flags = self._b, self._size, self._v("i1")
        if s.op == "elect":
            if active is None:
                return [self._constants("i8", ["1", *["0"] * (size - 1)])]
            lanes = self._constants("i32", list(map(str, range(size))))
            first = b.op(f"insertelement <{size} x i32> poison, i32 {self._first(active)}, i32 0")
            first = self._shuffle("i32", first, "poison", [0] * size)
            chosen = b.op(f"icmp eq <{size} x i32> {lanes}, {first}")
            return [b.op(f"zext {flags} {chosen} to {self._v('i8')}")]
        if s.op == "all_equal":
            one = b.op(f"extractelement {self._vector(type)} {value}, i32 {self._first(active)}")
            compare = "fcmp une" if type.is_float else "icmp ne"
            chosen = b.op(f"{compare} {self._vector(type)} {value}, {self._splat(one, type)}")
        else:
            compare = "eq" if s.op == "all" else "ne"
            chosen = b.op(f"icmp {compare} {self._v('i8')} {value}, zeroinitializer")
        if active is not None:
            chosen = b.op(f"and {flags} {chosen}, {active}")
        bits = b.op(f"bitcast {flags} {chosen} to i{size}")
        if s.op != "ballot":
            # "all" and "all_equal" look for a lane that makes them false.
            found = b.op(f"icmp {'ne' if s.op == 'any' else 'eq'} i{size} {bits}, 0")
            return [self._splat(b.op(f"zext i1 {found} to i8"), boolean)]
        words = []
        for i in range(4):
            if 32 * i >= size:
                words.append("zeroinitializer")
                continue
            word = b.op(f"lshr i{size} {bits}, {32 * i}") if i else bits
            if size != 32:
                word = b.op(f"{'zext' if size < 32 else 'trunc'} i{size} {word} to i32")
            words.append(self._splat(word, s.targets[i].type))
        return words

    def _combined(self, s: ir.Collective, value: str, active: str | None, type: ScalarType) -> str:
        scan, _, op = s.op.rpartition("_")
        t, size = self._vector(type), self._size
        # -0.0 leaves every value as it is in a sum, 0.0 would not leave -0.0.
        none = self._constant(-0.0 if op == "add" and type.is_float else neutral(op, type), type)
        if active is not None:
            value = self._b.op(f"select {self._v('i1')} {active}, {t} {value}, {t} {none}")
        combine = _combiner(self._b, op, type, t)
        distance = 1
        while distance < (min(s.cluster, size) if s.cluster else size):
            if scan:
                lower = [size if i < distance else i - distance for i in range(size)]
                value = combine(self._shuffle(memory_type(type), value, none, lower), value)
            else:
                low, high = ([f(i, distance) for i in range(size)] for f in (_without, _with))
                m = memory_type(type)
                value = combine(self._shuffle(m, value, "poison", low), self._shuffle(m, value, "poison", high))
            distance *= 2
        if scan == "exclusive":
            start = self._constant(neutral(op, type), type)
            return self._shuffle(memory_type(type), value, start, [size, *range(size - 1)])
        return value

    # -- one thread after another

    def read(self, s: ir.Collective, type: ScalarType, lane: str, place: str, position: str) -> str:
        """The value that a thread reads from a lane that it chooses, in the memory type.

        Args:
            lane: of the thread, an i32. place: the operand, an i32. position: of the thread in the group, an i64.
        """
        b, size, t = self._b, self._size, memory_type(type)
        match s.op:
            case "shuffle_xor":
                source = b.op(f"xor i32 {lane}, {place}")
            case "shuffle_up":
                source = b.op(f"sub i32 {lane}, {place}")
                fits = b.op(f"icmp ule i32 {place}, {lane}")
                source = b.select(fits, "i32", source, str(size))
            case "shuffle_down":
                source = b.op(f"add i32 {lane}, {place}")
                source = b.select(b.op(f"icmp ult i32 {place}, {size}"), "i32", source, str(size))
            case _:
                source = place
        inside = b.op(f"icmp ult i32 {source}, {size}")
        safe = b.op(f"and i32 {source}, {size - 1}")
        first = b.op(f"and i64 {position}, {-size}")
        at = b.op(f"add i64 {first}, {b.op(f'zext i32 {safe} to i64')}")
        value = b.load(t, b.element(self._values, at, type.size), ACCESS_GROUP)
        if self._active is not None:
            flag = b.load("i8", b.element(self._active, at, 1), ACCESS_GROUP)
            inside = b.op(f"and i1 {inside}, {b.op(f'icmp ne i8 {flag}, 0')}")
        return b.select(inside, t, value, _literal(0, type))


def _literal(value: int | float, type: ScalarType) -> str:
    return str(int(value)) if type is boolean else literal(value, type)


def _without(lane: int, bit: int) -> int:
    return lane & ~bit


def _with(lane: int, bit: int) -> int:
    return lane | bit


def _combiner(b: Builder, op: str, type: ScalarType, t: str) -> Callable[[str, str], str]:
    def combine(left: str, right: str) -> str:
        if op in ("min", "max"):
            less = "olt" if op == "min" else "ogt"
            sign = "s" if type.is_signed else "u"
            compare = f"fcmp {less}" if type.is_float else f"icmp {sign}{less[1:]}"
            taken = b.op(f"{compare} {t} {right}, {left}")
            flags = t[: t.index(" x ")] + " x i1>"
            return b.op(f"select {flags} {taken}, {t} {right}, {t} {left}")
        name = f"f{op}" if type.is_float else op
        return b.op(f"{name} {t} {left}, {right}")

    return combine
