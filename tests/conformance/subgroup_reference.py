"""What operations of subgroups give, in NumPy, for threads whose subgroups and lanes are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

COMBINE: dict[str, Any] = {
    "add": np.add,
    "mul": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
SOURCES: dict[str, Callable[[int, int], int]] = {
    "shuffle": lambda self, place: place,
    "broadcast": lambda self, place: place,
    "shuffle_xor": lambda self, place: self ^ place,
    "shuffle_up": lambda self, place: self - place,
    "shuffle_down": lambda self, place: self + place,
    "quad_broadcast": lambda self, place: self // 4 * 4 + place,
    "quad_swap_horizontal": lambda self, _: self ^ 1,
    "quad_swap_vertical": lambda self, _: self ^ 2,
    "quad_swap_diagonal": lambda self, _: self ^ 3,
}


def neutral(op: str, dtype: np.dtype[Any]) -> Any:
    """What an exclusive scan starts with."""
    if op in ("min", "max"):
        if dtype.kind == "f":
            return dtype.type(np.inf if op == "min" else -np.inf)
        return np.iinfo(dtype).max if op == "min" else np.iinfo(dtype).min
    if op == "and":
        return np.invert(dtype.type(0))
    return dtype.type(op == "mul")


class Threads:
    """The threads of a launch.

    Args:
        subgroup: a number for each thread that all threads of its subgroup have, and no others.
        lane: of each thread in its subgroup.
        active: which threads take part.
    """

    def __init__(self, subgroup: Any, lane: Any, active: Any = None) -> None:
        self.subgroup, self.lane = subgroup, lane
        self.active = np.ones(len(lane), bool) if active is None else active

    def _each(self, out: Any, function: Callable[[Any], None]) -> Any:
        for number in np.unique(self.subgroup[self.active]):
            members = np.flatnonzero((self.subgroup == number) & self.active)
            function(members[np.argsort(self.lane[members])])
        return out

    def scan(self, op: str, kind: str, x: Any, before: Any) -> Any:
        out = before.copy()

        def one(members: Any) -> None:
            total = neutral(op, x.dtype)
            for i in members:
                after = COMBINE[op](total, x[i]).astype(x.dtype)
                out[i] = total if kind == "exclusive" else after
                total = after

        return self._each(out, one)

    def reduce(self, op: str, x: Any, before: Any, cluster: int = 128) -> Any:
        out = before.copy()

        def one(members: Any) -> None:
            for part in np.unique(self.lane[members] // cluster):
                own = members[self.lane[members] // cluster == part]
                out[own] = COMBINE[op].reduce(x[own], dtype=x.dtype)

        return self._each(out, one)

    def vote(self, op: str, x: Any, before: Any) -> Any:
        out = before.copy()

        def one(members: Any) -> None:
            if op == "all_equal":
                out[members] = (x[members] == x[members[0]]).all()
            elif op == "elect":
                out[members] = np.arange(len(members)) == 0
            else:
                out[members] = (np.all if op == "all" else np.any)(x[members])

        return self._each(out, one)

    def ballot(self, x: Any) -> Any:
        """A ballot for each thread, as Python's integer; -1 of threads that take no part."""
        out = [-1] * len(x)

        def one(members: Any) -> None:
            bits = sum(1 << int(self.lane[i]) for i in members if x[i])
            for i in members:
                out[i] = bits

        return self._each(out, one)

    def move(self, op: str, x: Any, place: Any, before: Any) -> Any:
        out = before.copy()

        def one(members: Any) -> None:
            held = {int(self.lane[i]): x[i] for i in members}
            for i in members:
                source = (
                    int(self.lane[members[0]]) if op == "broadcast_first" else SOURCES[op](int(self.lane[i]), place[i])
                )
                out[i] = held.get(source, 0)

        return self._each(out, one)
