"""Bounds of an integer expression, as expressions that have one value in a launch.

So the length of ``for j in range(global_id(), n, global_threads())`` has a bound that is known when a launch begins.
Sums and products are taken not to overflow: a bound serves an estimate, nothing depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from krnlpy.dsl import ir
from krnlpy.scalar import boolean

_INVARIANT = (
    *(ir.Const, ir.SpecValue, ir.Argument, ir.Extent, ir.Local, ir.Id),
    *(ir.Unary, ir.Binary, ir.Compare, ir.Logical, ir.Select, ir.Cast),
)
_COUNTS: dict[ir.IdName, ir.IdName] = {
    "global_id": "global_threads",
    "group_id": "groups",
    "thread_id": "threads",
    "item_id": "items",
}
"""Ids of threads, and the counts that they are less than."""
SIZES: tuple[ir.IdName, ...] = ("global_threads", "groups", "threads", "items", "subgroups", "subgroup_threads")
"""Ids that have one value in a launch."""
_FUEL = 64
"""Expressions that are looked at for a bound. It is written out in full: one that needs more is worth nothing."""


class SymbolicBounds:
    """Bounds of the integer expressions of a kernel.

    Args:
        body: the kernel's.
        static: the value of an integer expression that is known while compiling, or None.
    """

    def __init__(self, body: ir.Block, static: Callable[[ir.Expr], int | None]) -> None:
        self._static, self._fuel = static, _FUEL
        self._values = _single_values(body)
        self._loops: dict[ir.Variable, ir.For] = {}
        self.known: dict[ir.Variable, ir.Expr] = {}
        """The variables that have one value in a launch: the length of a loop is often given a name."""
        for variable, value in self._values.items():
            if self.is_invariant(value):
                self.known[variable] = value

    @contextmanager
    def inside(self, loop: ir.For) -> Iterator[None]:
        """In the body of a loop, the bounds of its variable are known if its direction is."""
        has_direction = self._static(loop.step) is not None or self.is_natural(loop.step)
        own = has_direction and loop.variable not in ir.assigned_variables(loop.body)
        if own:
            self._loops[loop.variable] = loop
        yield
        if own:
            del self._loops[loop.variable]

    def is_invariant(self, e: ir.Expr) -> bool:
        """Whether an expression has one value in a launch."""
        for node in ir.walk(e):
            if not isinstance(node, _INVARIANT):
                return False
            if isinstance(node, ir.Extent) and not isinstance(node.place, ir.GlobalParameter):
                return False
            if isinstance(node, ir.Id) and node.name not in SIZES:
                return False
            if isinstance(node, ir.Local) and node.variable not in self.known:
                return False
        return True

    def least(self, e: ir.Expr) -> ir.Expr | None:
        """What an expression is never less than, or None."""
        self._fuel = _FUEL
        return self._bound(e, False)

    def most(self, e: ir.Expr) -> ir.Expr | None:
        """What an expression is never greater than, or None."""
        self._fuel = _FUEL
        return self._bound(e, True)

    def floor(self, e: ir.Expr) -> int | None:
        """A number that an expression is never less than, or None."""
        self._fuel = _FUEL
        return self._floor(e)

    def is_natural(self, e: ir.Expr) -> bool:
        """Whether an expression is known to be at least 0."""
        floor = self.floor(e)
        return floor is not None and floor >= 0

    def _is_natural(self, e: ir.Expr) -> bool:
        floor = self._floor(e)
        return floor is not None and floor >= 0

    def _floor(self, e: ir.Expr) -> int | None:
        self._fuel -= 1
        if self._fuel < 0 or not e.type.is_integer or e.type is boolean:
            return None
        value = self._static(e)
        if value is not None:
            return value
        found = self._inner_floor(e)
        return 0 if not e.type.is_signed and (found is None or found < 0) else found

    def _inner_floor(self, e: ir.Expr) -> int | None:
        match e:
            case ir.Id() | ir.Extent():
                return 0
            case ir.Local():
                lowest = self._variable(e.variable, False)
                return None if lowest is None else self._floor(lowest)
            case ir.Cast():
                return self._floor(e.operand)
            case ir.Binary(op="mod"):  # has the sign of its divisor
                return 0 if self._is_natural(e.right) else None
            case ir.Binary(op="sub"):
                left, right = self._floor(e.left), self._static(e.right)
                return None if left is None or right is None else left - right
            case ir.Binary(op="max" | "and"):
                known = [n for n in (self._floor(e.left), self._floor(e.right)) if n is not None]
                return 0 if e.op == "and" and any(n >= 0 for n in known) else max(known, default=None)
            case ir.Binary():
                both = self._floor(e.left), self._floor(e.right)
            case ir.Select():
                both = self._floor(e.then), self._floor(e.otherwise)
            case _:
                return None
        if both[0] is None or both[1] is None:
            return None
        if isinstance(e, ir.Select) or e.op == "min":
            return min(both[0], both[1])
        if e.op == "add":
            return both[0] + both[1]
        return 0 if e.op in ("mul", "floordiv", "or", "xor", "shr", "shl") and min(both[0], both[1]) >= 0 else None

    def _bound(self, e: ir.Expr, most: bool) -> ir.Expr | None:
        self._fuel -= 1
        if self._fuel < 0 or not e.type.is_integer or e.type is boolean:
            return None
        if self.is_invariant(e):
            return e
        found = self._inner_bound(e, most)
        if found is None and not most and self._is_natural(e):
            return ir.Const(0, type=e.type, location=e.location)
        return found

    def _inner_bound(self, e: ir.Expr, most: bool) -> ir.Expr | None:
        match e:
            case ir.Id() if most and e.name in _COUNTS:
                return ir.Id(_COUNTS[e.name], e.axis, type=e.type, location=e.location)
            case ir.Local():
                value = self._variable(e.variable, most)
                return None if value is None else self._bound(value, most)
            case ir.Cast():
                inner = self._bound(e.operand, most)
                return None if inner is None else ir.Cast(inner, type=e.type, location=e.location)
            case ir.Select():
                return self._both(e, "max" if most else "min", (e.then, most), (e.otherwise, most))
            case ir.Binary(op="add"):
                return self._both(e, "add", (e.left, most), (e.right, most))
            case ir.Binary(op="sub"):
                return self._both(e, "sub", (e.left, most), (e.right, not most))
            case ir.Binary(op="min" | "max"):
                both = self._both(e, e.op, (e.left, most), (e.right, most))
                if both is None and (e.op == "min") == most:  # one of the two is enough
                    return self._bound(e.left, most) or self._bound(e.right, most)
                return both
            case ir.Binary(op="mul") if self._is_natural(e.left) and self._is_natural(e.right):
                return self._both(e, "mul", (e.left, most), (e.right, most))
            case ir.Binary(op="floordiv") if self.is_invariant(e.right) and self._is_natural(e.right):
                return self._both(e, "floordiv", (e.left, most), (e.right, most))
            case ir.Binary(op="floordiv" | "shr") if most and self._is_natural(e):
                return self._bound(e.left, most)
            case ir.Binary(op="mod") if most and self._is_natural(e.right):
                return self._bound(e.right, most)
            case ir.Binary(op="and") if most:
                return next((self._bound(part, most) for part in (e.right, e.left) if self._is_natural(part)), None)
        return None

    def _both(self, e: ir.Expr, op: ir.BinaryOp, a: tuple[ir.Expr, bool], b: tuple[ir.Expr, bool]) -> ir.Expr | None:
        left, right = self._bound(*a), self._bound(*b)
        if left is None or right is None:
            return None
        return ir.Binary(op, left, right, type=e.type, location=e.location)

    def _variable(self, variable: ir.Variable, most: bool) -> ir.Expr | None:
        """What a variable is, or is at least or most."""
        loop = self._loops.get(variable)
        if loop is None:
            return self._values.get(variable)
        return loop.stop if self._is_increasing(loop) == most else loop.start

    def _is_increasing(self, loop: ir.For) -> bool:
        step = self._static(loop.step)
        return self._is_natural(loop.step) if step is None else step > 0


def _single_values(body: ir.Block) -> dict[ir.Variable, ir.Expr]:
    """The variables that one statement gives a value, and what it gives them."""
    values: dict[ir.Variable, list[ir.Expr | None]] = {}
    for node in ir.walk(body):
        for variable in ir.targets(node) if isinstance(node, ir.Stmt) else ():
            values.setdefault(variable, []).append(node.value if isinstance(node, ir.Assign) else None)
    return {variable: found[0] for variable, found in values.items() if len(found) == 1 and found[0] is not None}
