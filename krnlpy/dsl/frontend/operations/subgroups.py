"""The frontend of what subgroups do: calls of ``subgroup_...`` as statements of the IR.

Ballots are vectors of four u32. Each thread computes what it wants to know of one by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, get_args

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.callables import Call
from krnlpy.dsl.frontend.conversions import cast, concretized, typed
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.values import Compound, Static, Value, describe, vector
from krnlpy.dsl.types.composites import VectorType
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import ScalarType, boolean, i32, u32

from .operands import arguments

Handler = Callable[[Lowering, Call], Value]

REDUCTIONS: tuple[ir.CollectiveOp, ...] = ("add", "mul", "min", "max", "and", "or", "xor")
_OPERATIONS: tuple[ir.CollectiveOp, ...] = get_args(ir.CollectiveOp)
_VOTES = ("all", "any", "ballot")
_MOVES = ("shuffle", "shuffle_xor", "shuffle_up", "shuffle_down", "broadcast", "quad_broadcast")
_MAX_LANES = 128
"""A ballot has no more bits."""


# ------------------------------------------------------------------------------------------------------ arguments


def _whole(value: Value, what: str) -> int:
    """A whole number that is known while compiling."""
    if isinstance(value, Static) and isinstance(value.value, int) and not isinstance(value.value, bool):
        return value.value
    raise KernelTypeError(f"{what} is a whole number known while compiling, not {describe(value)}", *value.location)


def _lane(value: Value, what: str) -> ir.Expr:
    """A lane, or a distance of lanes, as u32: a negative one is beyond all lanes."""
    expr = typed(value)
    if not expr.type.is_integer or expr.type.size > 4:
        raise KernelTypeError(
            f"{what} is an integer of at most 32 bits, not {expr.type}; convert it: u32(...)", *expr.location
        )
    return cast(cast(expr, i32) if expr.type.kind == "int" else expr, u32)


# ----------------------------------------------------------------------------------------------------- operations


def _collective(
    lowering: Lowering,
    op: ir.CollectiveOp,
    operands: tuple[ir.Expr, ...],
    results: tuple[ScalarType, ...],
    where: ir.Location,
    cluster: int = 0,
) -> list[ir.Expr]:
    """Adds an operation; returns its results."""
    targets = tuple(lowering.temporary(type, op) for type in results)
    lowering.emit_convergent(ir.Collective(targets, op, operands, cluster, location=where))
    return [ir.Local(target, type=target.type, location=where) for target in targets]


def _barrier(lowering: Lowering, call: Call) -> Value:
    arguments(call, 0, call.name)
    _collective(lowering, "barrier", (), (), call.location)
    return Static(None, call.location)


def _elect(lowering: Lowering, call: Call) -> Value:
    arguments(call, 0, call.name)
    return _collective(lowering, "elect", (), (boolean,), call.location)[0]


def _vote(op: ir.CollectiveOp) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        condition = lowering.truth(arguments(call, 1, call.name)[0], where)
        if op == "ballot":
            return vector(_collective(lowering, op, (condition,), (u32,) * 4, where), where)
        return _collective(lowering, op, (condition,), (boolean,), where)[0]

    return handler


def _all_equal(lowering: Lowering, call: Call) -> Value:
    value = typed(arguments(call, 1, call.name)[0])
    return _collective(lowering, "all_equal", (value,), (boolean,), call.location)[0]


def _reduction(op: ir.CollectiveOp, clustered: bool = False) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        value, *rest = arguments(call, 2 if clustered else 1, call.name)
        operand = typed(value)
        bits = op.endswith(("and", "or", "xor"))
        if operand.type is boolean:
            instead = "write subgroup_all or subgroup_any" if bits else "convert it, for example i32(...)"
            raise KernelTypeError(f"{call.name} of a truth value; {instead}", *where)
        if bits and not operand.type.is_integer:
            raise KernelTypeError(f"{call.name} needs an integer, not {operand.type}", *where)
        cluster = _whole(rest[0], "the size of a cluster") if rest else 0
        if rest and not (1 <= cluster <= _MAX_LANES and cluster & (cluster - 1) == 0):
            raise KernelTypeError(f"the size of a cluster is a power of two up to {_MAX_LANES}, not {cluster}", *where)
        return _collective(lowering, op, (operand,), (operand.type,), where, cluster)[0]

    return handler


def _broadcast_first(lowering: Lowering, call: Call) -> Value:
    value = typed(arguments(call, 1, call.name)[0])
    return _collective(lowering, "broadcast_first", (value,), (value.type,), call.location)[0]


def _move(op: ir.CollectiveOp) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        value, place = arguments(call, 2, call.name)
        operand, chosen = typed(value), op
        if op == "quad_broadcast":
            number = _whole(place, "the place in a quad")
            if not 0 <= number < 4:
                raise KernelTypeError(f"a quad has the places 0 to 3, not {number}", *where)
        lane = _lane(place, "a lane" if op in ("shuffle", "broadcast") else "a distance of lanes")
        if op == "broadcast" and not isinstance(lane, ir.Const):
            chosen = "shuffle"
        return _collective(lowering, chosen, (operand, lane), (operand.type,), where)[0]

    return handler


def _swap(op: ir.CollectiveOp) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        value = typed(arguments(call, 1, call.name)[0])
        return _collective(lowering, op, (value,), (value.type,), call.location)[0]

    return handler


# -------------------------------------------------------------------------------------------- arithmetic of ballots


class _Words:
    """Writes arithmetic of u32 at a place in the source."""

    def __init__(self, lowering: Lowering, where: ir.Location) -> None:
        self.lowering = lowering
        self.where = where

    def number(self, value: int) -> ir.Expr:
        return ir.const(value, u32, self.where)

    def binary(self, op: ir.BinaryOp, left: ir.Expr, right: ir.Expr | int) -> ir.Expr:
        right = self.number(right) if isinstance(right, int) else right
        return ir.Binary(op, left, right, type=u32, location=self.where)

    def evaluate_once(self, value: ir.Expr, name: str = "value") -> ir.Expr:
        return self.lowering.evaluate_once(value, name)

    def select(self, condition: ir.Expr, then: ir.Expr, otherwise: ir.Expr) -> ir.Expr:
        return ir.Select(condition, then, otherwise, type=then.type, location=self.where)

    def is_zero(self, word: ir.Expr) -> ir.Expr:
        return ir.Compare("eq", word, self.number(0), type=boolean, location=self.where)

    def lane(self) -> ir.Expr:
        return cast(ir.Id("subgroup_thread_id", type=i32, location=self.where), u32)

    def ones(self, word: ir.Expr) -> ir.Expr:
        """How many bits are 1: sums of pairs, of nibbles, of bytes, and of all (Warren, Hacker's Delight, 5-1)."""
        word = self.evaluate_once(word, "word")
        word = self.evaluate_once(self.binary("sub", word, self.binary("and", self.binary("shr", word, 1), 0x55555555)))
        pairs = self.binary("and", self.binary("shr", word, 2), 0x33333333)
        word = self.evaluate_once(self.binary("add", self.binary("and", word, 0x33333333), pairs))
        word = self.binary("and", self.binary("add", word, self.binary("shr", word, 4)), 0x0F0F0F0F)
        return self.binary("shr", self.binary("mul", word, 0x01010101), 24)

    def total(self, words: list[ir.Expr]) -> ir.Expr:
        return reduce(lambda a, b: self.binary("add", a, b), map(self.ones, words))

    def below(self, lane: ir.Expr, word: int) -> ir.Expr:
        """A word of the ballot of all lanes below one."""
        # A shift by 32 or more gives 0, and 0 - 1 all bits; lanes before the word become no lanes at all.
        first = self.binary("max", lane, 32 * word)
        return self.binary("sub", self.binary("shl", self.number(1), self.binary("sub", first, 32 * word)), 1)


def _ballot(lowering: Lowering, call: Call, count: int = 1) -> tuple[_Words, list[ir.Expr], list[Value]]:
    """The four words of the ballot that is the first argument, and the other arguments."""
    value, *rest = arguments(call, count, call.name)
    value = concretized(value)
    if not isinstance(value, Compound) or value.type != VectorType(u32, 4):
        raise KernelTypeError(
            f"{call.name} takes what subgroup_ballot returns, a Vector[u32, 4], not {describe(value)}",
            *value.location,
        )
    return _Words(lowering, call.location), [lowering.evaluate_once(typed(p), "ballot") for p in value.parts], rest


def _bit(words: _Words, ballot: list[ir.Expr], lane: ir.Expr) -> ir.Expr:
    lane = words.evaluate_once(lane, "lane")
    number = words.evaluate_once(words.binary("shr", lane, 5))
    chosen = words.number(0)
    for i in (3, 2, 1, 0):
        here = ir.Compare("eq", number, words.number(i), type=boolean, location=words.where)
        chosen = words.select(here, ballot[i], chosen)
    bit = words.binary("and", words.binary("shr", chosen, words.binary("and", lane, 31)), 1)
    return ir.Compare("ne", bit, words.number(0), type=boolean, location=words.where)


def _inverse_ballot(lowering: Lowering, call: Call) -> Value:
    words, ballot, _ = _ballot(lowering, call)
    return _bit(words, ballot, words.lane())


def _bit_extract(lowering: Lowering, call: Call) -> Value:
    words, ballot, (lane,) = _ballot(lowering, call, 2)
    return _bit(words, ballot, _lane(lane, "a lane"))


def _bit_count(kind: str = "") -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        words, ballot, _ = _ballot(lowering, call)
        if kind:
            lane = words.lane()
            lane = words.evaluate_once(words.binary("add", lane, 1) if kind == "inclusive" else lane, "lane")
            ballot = [words.binary("and", word, words.below(lane, i)) for i, word in enumerate(ballot)]
        return words.total(ballot)

    return handler


def _find_lsb(lowering: Lowering, call: Call) -> Value:
    words, ballot, _ = _ballot(lowering, call)
    found = words.number(_MAX_LANES)
    for i in (3, 2, 1, 0):
        lowest = words.binary("and", ballot[i], words.binary("sub", words.number(0), ballot[i]))
        place = words.binary("add", words.ones(words.binary("sub", lowest, 1)), 32 * i)
        found = words.evaluate_once(words.select(words.is_zero(ballot[i]), found, place), "found")
    return found


def _find_msb(lowering: Lowering, call: Call) -> Value:
    words, ballot, _ = _ballot(lowering, call)
    found = words.number(_MAX_LANES)
    for i in range(4):
        word = ballot[i]
        for distance in (1, 2, 4, 8, 16):  # all bits below the highest become 1
            word = words.evaluate_once(words.binary("or", word, words.binary("shr", word, distance)))
        place = words.binary("add", words.ones(word), 32 * i - 1) if i else words.binary("sub", words.ones(word), 1)
        found = words.evaluate_once(words.select(words.is_zero(ballot[i]), found, place), "found")
    return found


_SPECIAL: dict[str, Handler] = {
    "barrier": _barrier,
    "elect": _elect,
    "all_equal": _all_equal,
    "broadcast_first": _broadcast_first,
}


def _handler(op: ir.CollectiveOp) -> Handler:
    if op in _SPECIAL:
        return _SPECIAL[op]
    if op in _VOTES:
        return _vote(op)
    if op in _MOVES:
        return _move(op)
    return _swap(op) if op.startswith("quad_swap") else _reduction(op)


BALLOT_FUNCTIONS: dict[Any, Handler] = {
    builtins.subgroup_inverse_ballot: _inverse_ballot,
    builtins.subgroup_ballot_bit_extract: _bit_extract,
    builtins.subgroup_ballot_bit_count: _bit_count(),
    builtins.subgroup_ballot_inclusive_bit_count: _bit_count("inclusive"),
    builtins.subgroup_ballot_exclusive_bit_count: _bit_count("exclusive"),
    builtins.subgroup_ballot_find_lsb: _find_lsb,
    builtins.subgroup_ballot_find_msb: _find_msb,
}
"""What takes a ballot, which is one vector and not several numbers."""

SUBGROUP_FUNCTIONS: dict[Any, Handler] = {
    **{getattr(builtins, f"subgroup_{op}"): _handler(op) for op in _OPERATIONS},
    **{getattr(builtins, f"subgroup_clustered_{op}"): _reduction(op, clustered=True) for op in REDUCTIONS},
    **BALLOT_FUNCTIONS,
}
