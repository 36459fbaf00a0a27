"""Bounds of expressions that have one value in a launch: right for every thread, and found where loops need them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krnlpy import Global, GlobalMut, Item, ItemMut, Spec, f32, i32
from krnlpy.dsl import global_id, global_threads, ir, item_id, thread_id
from krnlpy.dsl.passes.loop_work import Work
from krnlpy.dsl.passes.symbolic_bounds import SymbolicBounds
from tests.support.launching import lower

THREADS = 6
_HERE = ir.Location("here", 1, 0, 0)
_N, _M = (ir.ScalarParameter(name, i32, _HERE) for name in "nm")


def _typed(kind: type[Any], *parts: Any) -> Any:
    return kind(*parts, type=i32, location=_HERE)


def _binary(op: ir.BinaryOp, a: ir.Expr, b: ir.Expr) -> ir.Expr:
    return ir.Binary(op, a, b, type=i32, location=_HERE)


_LEAVES = st.one_of(
    st.integers(-3, 9).map(lambda n: _typed(ir.Const, n)),
    st.sampled_from([_typed(ir.Argument, _N), _typed(ir.Argument, _M)]),
    st.sampled_from([_typed(ir.Id, "global_id"), _typed(ir.Id, "global_threads")]),
)
_OPS: dict[ir.BinaryOp, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b if b else 0,
    "mod": lambda a, b: a % b if b else 0,
    "min": min,
    "max": max,
    "and": lambda a, b: a & b,
    "shr": lambda a, b: a >> min(max(b, 0), 31),
}
_EXPRESSIONS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(_binary, st.sampled_from(sorted(_OPS)), inner, inner),
        st.builds(lambda a, b, c: _typed(ir.Select, _typed(ir.Compare, "lt", a, b), b, c), inner, inner, inner),
    ),
    max_leaves=8,
)


def _value(e: ir.Expr, n: int, m: int, thread: int) -> int:
    match e:
        case ir.Const():
            return int(e.value)
        case ir.Argument():
            return n if e.parameter is _N else m
        case ir.Id():
            return thread if e.name == "global_id" else THREADS
        case ir.Select():
            chosen = _value(e.condition, n, m, thread)
            return _value(e.then if chosen else e.otherwise, n, m, thread)
        case ir.Compare():
            return int(_value(e.left, n, m, thread) < _value(e.right, n, m, thread))
        case ir.Binary():
            return _OPS[e.op](_value(e.left, n, m, thread), _value(e.right, n, m, thread))
    raise AssertionError(e)


@given(_EXPRESSIONS, st.integers(-4, 20), st.integers(-4, 20))
def test_bounds_hold_for_all_threads(e: ir.Expr, n: int, m: int) -> None:
    bounds = SymbolicBounds((), lambda e: int(e.value) if isinstance(e, ir.Const) else None)
    values = [_value(e, n, m, thread) for thread in range(THREADS)]
    least, most, floor = bounds.least(e), bounds.most(e), bounds.floor(e)
    for bound in (least, most):
        assert bound is None or bounds.is_invariant(bound)
    if least is not None:
        assert _value(least, n, m, 0) <= min(values)
    if most is not None:
        assert _value(most, n, m, 0) >= max(values)
    if floor is not None:
        assert floor <= min(values)


def _grid_stride(x: Global[f32, 2], y: GlobalMut[f32]) -> None:
    rows = x.shape[0]
    for row in range(global_id(), rows, global_threads()):
        for j in range(thread_id() % 4, x.shape[1], 4):
            y[row] += x[row, j]


def _triangle(x: Global[f32, 2], y: GlobalMut[f32]) -> None:
    for i in range(x.shape[0]):
        for j in range(i):
            y[j] += x[i, j]
        for j in range(i, x.shape[0]):
            y[j] -= x[i, j]
        for j in range(x.shape[1], i, -1):
            y[j] -= x[i, j]


def _named_step(x: Global[f32, 2], y: GlobalMut[f32]) -> None:
    columns = x.shape[1]
    for item in range(global_id(), y.size, global_threads()):
        part = item // 3 % columns
        stop = min(part + 8, x.shape[0]) if part > 2 else (part + 1) * 2
        for j in range(part, stop, columns):
            y[item] += x[j, part]


def _windows(x: Global[f32, 1], y: GlobalMut[f32], SIZE: Spec[i32]) -> None:
    for i in range(global_id(), y.size, global_threads()):
        for k in range(max(0, (i - SIZE + 2) // 2), min(i // 2 + 1, x.size)):
            y[i] += x[k]


def _items(x: Item[f32], y: ItemMut[f32], n: i32) -> None:
    for _ in range(item_id() // 2, n):
        y += x


KNOWN = [_grid_stride, _triangle, _named_step, _windows, _items]


@pytest.mark.parametrize("function", KNOWN, ids=lambda f: f.__name__)
def test_loops_are_part_of_what_is_around_them(function: Callable[..., None]) -> None:
    program = lower(function)
    work = Work(program, lambda e: int(e.value) if isinstance(e, ir.Const) else None, 0)
    assert work.loops
    assert not any(loop.polls for loop in work.loops.values())


def _rows(starts: Global[i32], x: Global[f32], y: GlobalMut[f32]) -> None:
    for j in range(starts[0], starts[1]):
        y[0] += x[j]


def _assigned(y: GlobalMut[f32], n: i32) -> None:
    stop = n
    for i in range(n):
        stop = stop * 2 + i
        for _ in range(stop):
            y[0] += 1.0


def _unknown_direction(y: GlobalMut[f32], n: i32, step: i32) -> None:
    for _ in range(0, n, step):
        y[0] += 1.0


@pytest.mark.parametrize("function", [_rows, _assigned, _unknown_direction], ids=lambda f: f.__name__)
def test_loops_of_unknown_length_ask(function: Callable[..., None]) -> None:
    work = Work(lower(function), lambda e: int(e.value) if isinstance(e, ir.Const) else None, 0)
    assert any(loop.polls for loop in work.loops.values())


def test_what_grows_with_each_name_ends() -> None:
    """Each name has the one before twice: written out, the last would have 2 ** 40 parts."""
    e: ir.Expr = _typed(ir.Id, "global_id")
    body = []
    for i in range(40):
        variable = ir.Variable(f"v{i}", i32)
        body.append(ir.Assign(variable, _binary("add", e, e), location=_HERE))
        e = _typed(ir.Local, variable)
    bounds = SymbolicBounds(tuple(body), lambda _: None)
    assert (bounds.least(e), bounds.most(e), bounds.floor(e)) == (None, None, None)
