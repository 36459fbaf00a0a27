"""The verifier of the IR: programs that break one rule each are refused, by that rule."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from importlib import import_module
from inspect import getsource
from pathlib import Path
from typing import Any

import pytest

from krnlpy import Global, GlobalMut, InternalCompilerError, Item, ItemMut, Kernel, Out, Spec, func
from krnlpy.cli.compile_backend import CompileBackend
from krnlpy.dsl import (
    CooperativeMatrix,
    atomic_add,
    atomic_compare_exchange,
    barrier,
    bitcast,
    cooperative_multiply_add,
    exp,
    fma,
    global_id,
    group_array,
    isnan,
    item_id,
    local_array,
    memory_fence,
    popcount,
    subgroup_add,
    subgroup_all,
    subgroup_broadcast,
    thread_id,
)
from krnlpy.dsl.frontend.syntax import functions as frontend
from krnlpy.dsl.ir import definite_assignment, rules, verify
from krnlpy.dsl.ir import nodes as N  # noqa: N812
from krnlpy.dsl.ir.formats import Field
from krnlpy.dsl.ir.nodes import Location
from krnlpy.dsl.ir.program import Program, walk
from krnlpy.dsl.passes.cooperative_expansion import expanded
from krnlpy.errors import InvalidProgram
from krnlpy.scalar import Scalar, bf16, boolean, f16, f32, f64, i32, u8, u32
from tests.support import process

WHERE = Location("x.py", 1, 0, 1)
NOWHERE = Location("", 0, 0, 0)


def lower(function: Callable[..., Any]) -> Program:
    return frontend.lower(frontend.read_signature(function), {}, (32, 1, 1))


LEFT = CooperativeMatrix[f16, 16, 8, "a"]
RIGHT = CooperativeMatrix[f16, 8, 16, "b"]
TOTAL = CooperativeMatrix[f32, 16, 16, "accumulator"]


@func
def scaled(x: f32, by: f32):
    return x * by


@func
def parts(x: f32):
    own = local_array(f32, 2)
    own[0] = x
    return own[0], x + 1.0


@func
def put(y: GlobalMut[f32], i: i32) -> None:
    y[i] = 1.0


PRIMES = (2, 3, 5)


def lookups(y: GlobalMut[i32], n: Spec[i32]) -> None:
    y[0] = PRIMES[y[1]] + n


def values(x: Global[f32], y: GlobalMut[f32], o: Out[f32], a: f32, M: Spec[i32] = 4) -> None:
    shared = group_array(f32, 32)
    own = local_array(f32, (M + 1, 2))
    i = global_id()
    shared[thread_id()] = x[i]
    own[1, 0] = -a
    barrier()
    small = i < len(x) and not i < 3
    total = float(f32(f16(a))) if small else 0.5
    bits = ~bitcast(total, u32) & popcount(u32(i)) << u32(M)
    for k in range(3):
        if k > i:
            break
        total += fma(scaled(exp(x[i]), 2.0), a, 1.0) / 3.0
    while isnan(total):
        total = abs(total)
    first, second = parts(total)
    put(y, i)
    assert total > 0.0, f"total {total}"
    print(bits)
    o[i] = first + second + shared[0] + own[0, 0]


def atomics(n: GlobalMut[u32], y: GlobalMut[f32]) -> None:
    own = local_array(u32, 2)
    flags = group_array(bool, 1)
    flags[0] = True
    atomic_add(n[0], 1)
    atomic_compare_exchange(n[0], 1, 2)
    memory_fence()
    n[0] = own[0]
    n[1] = u32(subgroup_add(y[0])) + u32(subgroup_all(y[0] > 1.0)) + u32(subgroup_broadcast(y[0], 1))


def items(x: Item[f32], y: ItemMut[f32], z: Global[f32], n: GlobalMut[u32]) -> None:
    y = scaled(x, z[0]) + f32(item_id())


def matrices(a: Global[f16, 2], b: Global[f16, 2], c: GlobalMut[f32, 2]) -> None:
    own = local_array(f16, (16, 16))
    own[0, 0] = 1.0
    left = LEFT.load(a, 0, 0)
    right = RIGHT.load(b, 0, 0)
    total = cooperative_multiply_add(left, right, TOTAL(0.0))
    total = total * 2.0
    total = total + total
    total.store(c, 0, 0)


def otherwise(x: Global[f32], y: GlobalMut[f32]) -> None:
    for i in range(4):
        if x[i] > 1.0:
            found = i
            break
    else:
        found = -1
    y[0] = f32(found)


@cache
def lowered(function: Callable[..., Any]) -> Program:
    return lower(function)


def bodies(program: Program) -> Iterator[Any]:
    yield from walk(program.body)
    for function in program.functions:
        yield from walk(function.body)


Change = Callable[[Program], None]


def change(kind: type, having: dict[str, Any] | None = None, **values: Any) -> Change:
    """Changes the first node of a kind that has some attributes; functions make of the program and it what it gets."""

    def apply(program: Program) -> None:
        found = (node for node in bodies(program) if isinstance(node, kind))
        node = next(n for n in found if all(getattr(n, k) == v for k, v in (having or {}).items()))
        put_into(program, node, values)

    return apply


def of(path: str, index: int = 0, **values: Any) -> Change:
    """Changes an entry of an attribute of the program."""
    return lambda program: put_into(program, getattr(program, path)[index], values)


def whole(**values: Any) -> Change:
    """Changes the program itself."""
    return lambda program: put_into(program, program, values)


def put_into(program: Program, node: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(node, name, value(program, node) if callable(value) and not isinstance(value, type) else value)


def first(kind: type) -> Callable[[Program], Any]:
    return lambda program: next(node for node in bodies(program) if isinstance(node, kind))


def here(kind: type, *arguments: Any) -> Callable[[Program], Any]:
    return lambda program: kind(*arguments, location=WHERE)


def start(statement: Callable[[Program], Any], function: int | None = None) -> Change:
    """Puts a statement at the start of the kernel or of a function."""

    def apply(program: Program) -> None:
        owner: Any = program if function is None else program.functions[function]
        owner.body = (statement(program), *owner.body)

    return apply


def const(value: Any, type: Any) -> N.Const:
    return N.Const(value, type=type, location=WHERE)


def spec_length(program: Program, node: Any) -> tuple[N.Expr, ...]:
    return (N.SpecValue(program.specs[0], type=i32, location=WHERE),)


def item_store(program: Program) -> N.Stmt:
    return N.Store(program.items[1], (), const(1.0, f32), location=WHERE)


STRANGER = N.GlobalParameter("stranger", f32, WHERE, mutable=True)
STRANGE_ARRAY = N.LocalArray("strange", f32, ())

CASES: list[tuple[str, Callable[..., Any], Change]] = [
    # expressions
    ("a value has a type of computation", values, change(N.Binary, type=f16)),
    ("a constant of ", values, change(N.Const, {"type": f32}, value=0.1)),
    ("a constant of ", values, change(N.Const, {"type": i32}, value=1.0)),
    ("a constant of ", values, change(N.Const, {"type": i32}, value=True)),
    ("a constant of ", values, change(N.Const, {"type": f32}, value=1)),
    ("a variable is read as the type that it has", values, change(N.Local, type=f64)),
    ("a parameter is read in its type of computation", values, change(N.Argument, type=f64)),
    ("a parameter is read in its type of computation", values, change(N.SpecValue, type=u32)),
    ("a length is an i32", values, change(N.Extent, type=u32)),
    ("the axis is one of the place's", values, change(N.Extent, axis=1)),
    ("an id is an i32", values, change(N.Id, type=u32)),
    ("the id is one that there is", values, change(N.Id, name="lane")),
    ("the axis is 0, 1 or 2, of what has axes", values, change(N.Id, axis=3)),
    ("an element has an index along each axis", values, change(N.Load, index=())),
    ("indices are integers", values, change(N.Load, index=lambda p, n: (const(0.0, f32),))),
    ("an element is loaded in its type of computation", values, change(N.Load, type=f64)),
    ("the operator is one that there is", values, change(N.Unary, op="abs")),
    ("the operand has the type of the result", values, change(N.Unary, {"op": "neg"}, type=f64)),
    ("neg is of numbers, invert of integers, not of truth values", values, change(N.Unary, {"op": "neg"}, op="not")),
    ("the operator is one that there is", values, change(N.Binary, op="matmul")),
    ("both operands have the type of the result", values, change(N.Binary, {"op": "div"}, right=const(1, i32))),
    ("div and pow are of floats", values, change(N.Binary, {"type": u32}, op="div")),
    ("shifts are of integers", values, change(N.Binary, {"op": "div"}, op="shl")),
    ("and, or and xor are of integers and truth values", values, change(N.Binary, {"op": "div"}, op="xor")),
    (
        "arithmetic is of numbers",
        values,
        change(N.If, condition=lambda p, n: N.Binary("add", n.condition, n.condition, type=boolean, location=WHERE)),
    ),
    ("the operator is one that there is", values, change(N.Compare, op="is")),
    ("the result is a truth value", values, change(N.Compare, type=i32)),
    ("both operands have one type", values, change(N.Compare, left=const(1, u8))),
    ("truth values are not ordered", values, change(N.Compare, left=const(True, boolean), right=const(True, boolean))),
    ("the operator is one that there is", values, change(N.Logical, op="xor")),
    ("operands and result are truth values", values, change(N.Logical, left=const(1, i32))),
    ("the condition is a truth value", values, change(N.Select, condition=const(1, i32))),
    ("both choices have the type of the result", values, change(N.Select, then=const(1, i32))),
    ("both types have one size", values, change(N.Bitcast, to=u8)),
    ("one of the types is of integers, the other of floats", values, change(N.Bitcast, source=u32)),
    ("the operand has the type whose bits are read", values, change(N.Bitcast, operand=const(1.0, f64))),
    ("the result has the type as which they are read", values, change(N.Bitcast, to=i32)),
    ("it is rounded to f16 or bf16", values, change(N.Round, to=f32)),
    ("operand and result are f32", values, change(N.Round, operand=const(1.0, f64))),
    ("the function is one that there is", values, change(N.Math, name="erf")),
    ("the function has as many operands", values, change(N.Math, name="fma")),
    (
        "the operands have one type",
        values,
        change(N.Math, {"name": "fma"}, operands=lambda p, n: (*n.operands[:2], const(1, i32))),
    ),
    ("the result has the function's type", values, change(N.Math, {"name": "isnan"}, type=f32)),
    (
        "abs is of numbers",
        values,
        change(N.While, condition=lambda p, n: N.Math("abs", (n.condition,), type=boolean, location=WHERE)),
    ),
    ("functions of bits are of u32", values, change(N.Math, {"name": "exp"}, name="clz")),
    ("the function is of floats", values, change(N.Math, {"name": "popcount"}, name="sqrt")),
    ("the result is the function's", values, change(N.Call, type=f64)),
    ("the arguments are of the types of the function's parameters", values, change(N.Call, arguments=())),
    ("the arguments are of the types of the function's parameters", values, change(N.Invoke, arguments=())),
    (
        "the expression is one that the IR has",
        values,
        change(N.Assign, value=lambda p, n: N.Expr(type=n.variable.type, location=WHERE)),
    ),
    # statements
    ("the value has the variable's type", values, change(N.Assign, value=const(1, u8))),
    ("what is written is declared so", values, of("parameters", 2, mutable=False, once=False)),
    ("the value has the place's type of computation", values, change(N.Store, value=const(1, i32))),
    ("the condition is a truth value", values, change(N.If, condition=const(1, i32))),
    ("the condition is a truth value", values, change(N.While, condition=const(1, i32))),
    ("a range counts in integers", values, change(N.For, variable=N.Variable("k", f32))),
    ("start, stop and step have the variable's type", values, change(N.For, step=const(1, u8))),
    ("the targets take the results", values, change(N.Invoke, {"targets": ()}, targets=(N.Variable("t", f32),))),
    ("there is a value of its type for each field of the text", values, change(N.Print, values=())),
    ("there is a value of its type for each field of the text", values, change(N.Assert, format=(Field(u8),))),
    ("the condition is a truth value", values, change(N.Assert, condition=const(1, i32))),
    # atomics and operations of subgroups
    ("the operation is one that there is", atomics, change(N.Atomic, op="mul")),
    (
        "an atomic changes an element of a GlobalMut buffer or a group array",
        atomics,
        change(N.Atomic, place=lambda p, n: p.local_arrays[0]),
    ),
    ("an atomic changes an element of a GlobalMut buffer or a group array", atomics, of("parameters", 0, once=True)),
    ("add, sub, min and max are of numbers", atomics, change(N.Atomic, place=lambda p, n: p.group_arrays[0])),
    (
        "and, or and xor are of integers and truth values",
        atomics,
        change(N.Atomic, op="xor", place=lambda p, n: p.parameters[1]),
    ),
    ("the value has the place's type of computation", atomics, change(N.Atomic, value=const(1, i32))),
    ("compare_exchange, and it alone, expects a value", atomics, change(N.Atomic, op="compare_exchange")),
    (
        "what is expected has the type of the value",
        atomics,
        change(N.Atomic, {"op": "compare_exchange"}, expected=const(1, i32)),
    ),
    ("the target takes the element", atomics, change(N.Atomic, targets=(N.Variable("old", i32),))),
    ("load, and it alone, has no value", atomics, change(N.Atomic, op="load")),
    ("store reads nothing", atomics, change(N.Atomic, op="store", targets=(N.Variable("old", u32),))),
    ("a fence is for a group or the device", atomics, change(N.Fence, scope="all")),
    ("the operation is one that there is", atomics, change(N.Collective, op="sub")),
    ("the operation has an operand", atomics, change(N.Collective, {"op": "add"}, operands=())),
    ("the operands have the operation's types", atomics, change(N.Collective, {"op": "all"}, operands=())),
    ("the operands have the operation's types", atomics, change(N.Collective, {"op": "add"}, op="ballot")),
    (
        "the operands have the operation's types",
        atomics,
        change(N.Collective, {"op": "broadcast"}, op="quad_swap_diagonal"),
    ),
    ("the targets take the results", atomics, change(N.Collective, {"op": "add"}, op="all_equal")),
    ("the targets take the results", atomics, change(N.Collective, {"op": "all"}, op="ballot")),
    ("the targets take the results", atomics, change(N.Collective, {"op": "all"}, op="elect", operands=(), targets=())),
    (
        "a lane that all read is a constant",
        atomics,
        change(
            N.Collective,
            {"op": "broadcast"},
            operands=lambda p, n: (
                n.operands[0],
                N.Load(p.parameters[0], (const(0, i32),), type=u32, location=WHERE),
            ),
        ),
    ),
    (
        "a quad has the places 0 to 3",
        atomics,
        change(
            N.Collective,
            {"op": "broadcast"},
            op="quad_broadcast",
            operands=lambda p, n: (n.operands[0], const(4, u32)),
        ),
    ),
    (
        "sums are of numbers, and, or and xor of integers",
        atomics,
        change(N.Collective, {"op": "add"}, op="exclusive_xor"),
    ),
    ("only reductions are over clusters", atomics, change(N.Collective, {"op": "all"}, cluster=2)),
    ("a cluster is a power of two", atomics, change(N.Collective, {"op": "add"}, cluster=3)),
    # matrices
    ("the value has the matrix's type of computation", matrices, change(N.CooperativeFill, value=const(1, i32))),
    (
        "matrices lie in buffers and group arrays",
        matrices,
        change(N.CooperativeLoad, place=lambda p, n: p.local_arrays[0]),
    ),
    ("matrices lie in places of two dimensions", matrices, of("parameters", 0, ndim=1)),
    ("an element has an index along each axis", matrices, change(N.CooperativeStore, index=())),
    ("matrix and place hold one type", matrices, of("parameters", 2, type=f64)),
    ("what is written is declared so", matrices, of("parameters", 2, mutable=False)),
    ("a product is of an a, a b and an accumulator", matrices, change(N.CooperativeProduct, a=lambda p, n: n.b)),
    ("the shapes fit each other", matrices, change(N.CooperativeProduct, a=lambda p, n: replace(n.a, rows=8))),
    (
        "factors of one type are added up in one that holds their products",
        matrices,
        change(N.CooperativeProduct, a=lambda p, n: replace(n.a, type=bf16)),
    ),
    (
        "the result is what the accumulator is",
        matrices,
        change(N.CooperativeProduct, matrix=lambda p, n: replace(n.c, type=f16)),
    ),
    ("the operator is one that there is", matrices, change(N.CooperativeMap, op="mod")),
    ("the operator has as many operands", matrices, change(N.CooperativeMap, {"op": "mul"}, op="neg")),
    (
        "one of the operands is a matrix",
        matrices,
        change(N.CooperativeMap, {"op": "mul"}, operands=lambda p, n: (n.operands[1],) * 2),
    ),
    (
        "the matrices are what the result is",
        matrices,
        change(N.CooperativeMap, {"op": "mul"}, operands=lambda p, n: (replace(n.matrix, type=f16), n.operands[1])),
    ),
    (
        "a number has the matrix's type of computation",
        matrices,
        change(N.CooperativeMap, {"op": "mul"}, operands=lambda p, n: (n.operands[0], const(1, i32))),
    ),
    ("only mul and div are of a matrix and a number", matrices, change(N.CooperativeMap, {"op": "mul"}, op="add")),
    # arrays
    ("the lengths of a table are constants", lookups, of("constant_arrays", 0, shape=spec_length)),
    ("a table has all of its elements", lookups, of("constant_arrays", 0, values=(1, 2))),
    ("an array holds one of the scalar types", values, of("local_arrays", 0, type=int)),
    ("an array has one to eight dimensions", values, of("local_arrays", 0, shape=())),
    ("a length is an i32", values, of("group_arrays", 0, shape=lambda p, n: (const(4, u32),))),
    ("a length is at least 1", values, of("group_arrays", 0, shape=lambda p, n: (const(0, i32),))),
    (
        "a length is made of constants and specialization constants",
        values,
        of("group_arrays", 0, shape=lambda p, n: (N.Id("threads", type=i32, location=WHERE),)),
    ),
    ("each array is listed once", values, whole(local_arrays=lambda p, n: p.local_arrays * 2)),
    ("group arrays are listed by themselves", values, whole(local_arrays=lambda p, n: p.group_arrays)),
    ("group arrays are listed by themselves", values, whole(group_arrays=lambda p, n: p.local_arrays)),
    (
        "a function touches its own arrays and its callers'",
        values,
        start(lambda p: N.Store(STRANGE_ARRAY, (), const(1.0, f32), location=WHERE), 2),
    ),
    ("the array is one of the program's", values, change(N.Store, place=N.LocalArray("other", f32, (None,)))),
    ("the parameter is one of the program's", values, change(N.Load, place=STRANGER)),
    (
        "the parameter is one of the program's",
        values,
        change(N.Argument, parameter=N.ScalarParameter("b", f32, STRANGER.location)),
    ),
    (
        "the parameter is one of the program's",
        values,
        change(N.SpecValue, parameter=N.SpecParameter("L", i32, STRANGER.location)),
    ),
    # programs and their declarations
    ("a program has a place in the source", values, whole(location=NOWHERE)),
    ("the name is an identifier", values, whole(name="a b")),
    ("a group has threads along three axes", values, whole(threads=(32, 1))),
    ("a group has threads along three axes", values, whole(threads=(32, 0, 1))),
    ("a subgroup has a power of two of threads, 0 for any", values, whole(subgroup_threads=24)),
    ("each parameter has a name of its own", values, of("parameters", 0, name="y")),
    ("each function has a name of its own", values, of("functions", 0, name="values")),
    ("kernels with items have no groups of their own", items, whole(group_arrays=(N.GroupArray("g", f32, ()),))),
    ("a parameter has a place in the source", values, of("parameters", 0, location=NOWHERE)),
    ("a parameter is of one of the scalar types", values, of("parameters", 0, type=Scalar)),
    ("a buffer has dimensions", values, of("parameters", 0, ndim=0)),
    ("what is written once can be written", values, of("parameters", 2, mutable=False)),
    # functions
    ("a function has a place in the source", values, of("functions", 0, location=NOWHERE)),
    ("the name is an identifier", values, of("functions", 0, name="-")),
    (
        "each parameter is a variable of its own",
        values,
        of("functions", 0, parameters=lambda p, n: n.parameters[:1] * 2),
    ),
    ("results have types of computation", values, of("functions", 0, results=(f16,))),
    ("a pure function has one result", values, of("functions", 1, pure=True)),
    ("a pure function touches nothing but its own", values, start(here(N.Breakpoint), 0)),
    ("where a function has results, every path ends in a return", values, of("functions", 0, body=())),
    (
        "a function returns its results, a kernel nothing",
        values,
        start(lambda p: N.Return((const(1, i32),), location=WHERE)),
    ),
    (
        "what a function returns has its results' types",
        values,
        start(lambda p: N.Return((const(1, i32),), location=WHERE), 0),
    ),
    ("a function that is called is listed, callees first", values, whole(functions=lambda p, n: p.functions[1:])),
    ("a function that is called is listed, callees first", values, whole(functions=lambda p, n: p.functions[:-1])),
    (
        "a function that is called is listed, callees first",
        values,
        start(lambda p: N.Invoke((), p.functions[2], (), location=WHERE), 2),
    ),
    ("each function that is listed is called", values, whole(body=())),
    (
        "a pure function is called by an expression",
        values,
        change(N.Invoke, {"targets": ()}, function=lambda p, n: p.functions[0]),
    ),
    ("a function that is not pure is called by a statement", values, of("functions", 0, pure=False)),
    (
        "belongs to one function",
        values,
        start(lambda p: N.Assign(p.functions[0].parameters[0], const(1.0, f32), location=WHERE)),
    ),
    ("has a type of computation", values, lambda p: put_into(p, p.functions[0].parameters[0], {"type": f16})),
    # where statements stand
    ("a statement has a place in the source", values, change(N.Store, location=NOWHERE)),
    ("an expression has a place in the source", values, change(N.Load, location=None)),
    ("break and continue stand in loops", values, start(here(N.Break))),
    ("break and continue stand in loops", values, start(here(N.Continue))),
    ("threads meet in the kernel's own body, not in functions", values, start(here(N.Barrier), 0)),
    ("threads do not meet in kernels with items", items, start(here(N.Barrier))),
    ("threads do not meet in kernels with items", items, start(here(N.Collective, (), "barrier"))),
    ("only kernels with items have their ids", values, change(N.Id, name="items")),
    ("the statement is one that the IR has", values, start(here(N.Stmt))),
    ("only the kernel's own body touches items", items, start(item_store, 0)),
    # what has a value where it is read
    ("the variable finished has a value where it is read", otherwise, whole(body=lambda p, n: p.body[1:])),
    ("the matrix matrix has a value where it is read", matrices, whole(body=lambda p, n: p.body[2:])),
]


@pytest.mark.parametrize(("rule", "function", "breaks"), CASES, ids=[f"{n}-{c[0][:50]}" for n, c in enumerate(CASES)])
def test_a_broken_rule_is_named(rule: str, function: Callable[..., Any], breaks: Change) -> None:
    program = deepcopy(lowered(function))
    verify.verify(program)
    breaks(program)
    with pytest.raises(InvalidProgram, match=re.escape(rule)) as raised:
        verify.verify(program)
    assert raised.value.message.startswith(f"{program.name}: ")
    assert raised.value.line >= 1


def test_every_rule_has_a_program_that_breaks_it() -> None:
    stated = set()
    for module in (rules, verify, definite_assignment):
        for node in ast.walk(ast.parse(getsource(module))):
            match node:  # a rule stands after a truth value
                case (
                    ast.Tuple(elts=[_, ast.Constant(value=str(rule))])
                    | ast.Call(args=[_, ast.Constant(value=str(rule))])
                ):
                    if " " in rule:
                        stated.add(rule)
    broken = {rule for rule, _, _ in CASES}
    assert stated - broken == set()


def test_the_error_points_at_the_line() -> None:
    program = deepcopy(lowered(values))
    change(N.Math, {"name": "exp"}, name="erf")(program)
    with pytest.raises(InvalidProgram) as raised:
        verify.verify(program)
    line = values.__code__.co_firstlineno + 13
    assert str(raised.value).startswith(
        f"{__file__}:{line}: values: Math erf breaks the rule: the function is one that there is\n"
    )
    assert "^^^^^^^^^" in str(raised.value)


def test_a_variable_of_one_way_has_no_value_after_both() -> None:
    program = deepcopy(lowered(otherwise))
    loop = next(node for node in bodies(program) if isinstance(node, N.For))
    flag = program.body[0]
    assert isinstance(flag, N.Assign) and flag.variable.name == "finished"
    # As it is, whoever reads `found` came by the break, which clears the flag, or by the else.
    broken: Any = loop.body[0]
    broken.then = tuple(s for s in broken.then if getattr(s, "variable", flag.variable) is flag.variable)
    with pytest.raises(InvalidProgram, match="the variable found has a value where it is read"):
        verify.verify(program)


@pytest.mark.parametrize("package", ["krnlpy", "autograph"])
def test_all_shipped_programs_keep_the_rules(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the frontend, and what passes make of them."""
    verified = []

    def counted(program: Program) -> None:
        verify.verify(program)
        verified.append(program)

    monkeypatch.setattr(Program, "__post_init__", counted)
    backend = CompileBackend("discrete", Path(__file__).parents[3] / package)
    import_module(f"{package}.krnlpy_workload").workload(backend.device())
    assert backend.shaders
    assert len(verified) > 3


def test_passes_are_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    verified = []
    program = lowered(matrices)
    monkeypatch.setattr(Program, "__post_init__", lambda made: verified.append(made))
    assert [expanded(program, 8)] == verified
    verify.verify(verified[0])


DEBUGGED = """
import sys
from krnlpy import ItemMut, f32, kernel

@kernel
def ones(y: ItemMut[f32]):
    y = 1.0

ones.inspect("ir")
print("krnlpy.dsl.ir.verify" in sys.modules)
"""


@pytest.mark.parametrize("debug", ["0", "1"])
def test_programs_are_verified_in_debug_mode_only(debug: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(DEBUGGED)
    assert process.output(script, KRNLPY_DEBUG=debug) == f"{debug == '1'}\n"


def test_a_kernel_of_which_a_wrong_program_is_made_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(y: ItemMut[f32]) -> None:
        y = y + y

    uncalled = N.Function("f", (), (), (), (), NOWHERE)
    monkeypatch.setattr("krnlpy.dsl.frontend.syntax.functions._called", lambda *_: (uncalled,))
    with pytest.raises(InternalCompilerError, match=r"InvalidProgram: (?s:.)*a function has a place in the source"):
        Kernel(doubled).inspect("ir")
