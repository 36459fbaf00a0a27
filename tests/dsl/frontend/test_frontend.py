"""What the frontend makes of right kernels: types, constants, and the shape of the IR."""

from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import KernelTypeError, function_info
from krnlpy.dsl import global_id, ir, local_array, vec2
from krnlpy.dsl.frontend.syntax import functions as frontend
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Spec
from krnlpy.scalar import bf16, boolean, f32, f64, i32, u8, u32
from tests.support.launching import lower

T = TypeVar("T", f32, bf16)
SCALE = 3
TYPED = np.float64(2.5)


def nodes(program: ir.Program, kind: type) -> list[Any]:
    return [n for n in ir.walk(program.body) if isinstance(n, kind)]


def test_items_load_and_store() -> None:
    def kernel(alpha: f32, x: Item[f32], y: ItemMut[f32]) -> None:
        """A docstring is no statement."""
        y += alpha * x

    (store,) = lower(kernel).body
    assert isinstance(store, ir.Store) and store.place.name == "y" and store.index == ()
    assert isinstance(store.value, ir.Binary) and store.value.op == "add"
    assert [load.place.name for load in nodes(lower(kernel), ir.Load)] == ["y", "x"]


def test_storage_types_compute_in_f32() -> None:
    def kernel(x: Item[T], y: ItemMut[T]) -> None:
        v: T = x * 2
        w = x * 2
        y = v + w + T(0.1)

    program = lower(kernel, T=bf16)
    assert program.name == "kernel_bf16"
    v, w = nodes(program, ir.Assign)
    assert isinstance(v.value, ir.Round) and v.value.to is bf16  # annotated: rounded at each assignment
    assert isinstance(w.value, ir.Binary) and w.value.type is f32
    assert nodes(program, ir.Round)[-1].to is bf16


def test_literals_take_the_type_they_meet() -> None:
    def kernel(a: GlobalMut[f64], b: GlobalMut[u8], n: u32) -> None:
        a[0] = 1 + a[1] * 0.5
        b[n] = b[0] + 255
        v = 7
        w = 7.0
        a[v] = f64(w)

    program = lower(kernel)
    assert [(c.value, c.type) for c in nodes(program, ir.Const)] == [
        (0, i32), (1.0, f64), (1, i32), (0.5, f64), (0, i32), (255, u8), (7, i32), (7.0, f32),
    ]  # fmt: skip


def test_lossless_widening_only() -> None:
    def kernel(a: GlobalMut[f32], b: Global[u8], n: i32) -> None:
        a[0] = b[0] + a[1]
        a[1] = f32(n + b[0])

    casts = nodes(lower(kernel), ir.Cast)
    assert [(c.operand.type, c.type) for c in casts] == [(u8, f32), (i32, f32), (u8, i32)]


def test_captured_values_are_constants() -> None:
    factor = 0.25

    def kernel(y: ItemMut[f64]) -> None:
        y = y * factor + SCALE + TYPED

    assert [(c.value, c.type) for c in nodes(lower(kernel), ir.Const)] == [(0.25, f64), (3.0, f64), (2.5, f64)]


def test_branches_on_constants_are_decided_while_compiling() -> None:
    verbose = False

    def kernel(y: ItemMut[f32]) -> None:
        if verbose:
            y = nonsense  # noqa: F821
        elif SCALE == 3:
            y = 1.0

    (store,) = lower(kernel).body
    assert isinstance(store, ir.Store)


def test_a_branch_on_a_type() -> None:
    def kernel(y: ItemMut[T]) -> None:
        if T is f32:
            y = 1.0
        else:
            y = 2.0

    assert nodes(lower(kernel, T=f32), ir.Const)[0].value == 1.0
    assert nodes(lower(kernel, T=bf16), ir.Const)[0].value == 2.0

    def with_equals(y: ItemMut[T]) -> None:
        if f32 == T:
            y = 1.0
        else:
            y = 2.0

    assert nodes(lower(with_equals, T=bf16), ir.Const)[0].value == 2.0


def test_swap_takes_all_values_first() -> None:
    def kernel(y: ItemMut[f32]) -> None:
        a, b = 1.0, 2.0
        a, b = b, a
        y = a - b

    assigns = nodes(lower(kernel), ir.Assign)
    assert [a.variable.name for a in assigns] == ["a", "b", "value", "a", "b"]


def test_augmented_assignment_evaluates_the_index_once() -> None:
    def kernel(a: GlobalMut[f32], b: Global[i32]) -> None:
        a[b[0]] += 1

    program = lower(kernel)
    assert len([n for n in nodes(program, ir.Load) if n.place.name == "b"]) == 1


def test_unreachable_statements_are_left_out() -> None:
    def kernel(y: ItemMut[f32]) -> None:
        return
        y = 1.0

    assert [type(s) for s in lower(kernel).body] == [ir.Return]


def test_a_name_assigned_in_both_branches_may_be_read() -> None:
    def kernel(y: ItemMut[f32], n: i32) -> None:
        if n > 0:
            v = 1.0
        else:
            v = 2.0
        y = v

    assert len(nodes(lower(kernel), ir.If)) == 1


def test_functions_have_one_instance_for_each_type() -> None:
    @func
    def double(v):
        return v + v

    def kernel(y: ItemMut[f32], n: i32) -> None:
        y = double(y) + double(y) + f32(double(n))

    program = lower(kernel)
    assert [f.name for f in program.functions] == ["double_f32", "double_i32"]
    assert double(4) == 8


def test_function_defaults_and_keywords() -> None:
    @func
    def clamp(v: f32, low: f32 = 0, high: f32 = 1):
        return min(max(v, low), high)

    def kernel(y: ItemMut[f32]) -> None:
        y = clamp(y, high=2.0)

    (call,) = nodes(lower(kernel), ir.Call)
    assert [a.value for a in call.arguments[1:]] == [0.0, 2.0]


def test_whole_powers_multiply() -> None:
    def kernel(y: ItemMut[f32], n: i32) -> None:
        v = y
        y = v**2 + y**3 + y**0.5 + f32(n**5)

    program = lower(kernel)
    assert [f.name for f in program.functions] == ["power3_f32", "power5_i32"]
    assert [b.op for b in nodes(program, ir.Binary)].count("pow") == 1


def test_array_shapes_of_constants_and_specs() -> None:
    def kernel(a: GlobalMut[f32], TILE: Spec[i32] = 4) -> None:
        t = local_array(f32, (TILE * 2, SCALE))
        t[0, 2] = 1.0
        a[0] = t[0, 2]

    program = lower(kernel)
    (array,) = program.local_arrays
    first, second = array.shape
    assert isinstance(first, ir.Binary) and isinstance(second, ir.Const) and second.value == SCALE
    assert program.specs[0].default == 4


def test_extents() -> None:
    def kernel(a: GlobalMut[f32, 2]) -> None:
        for i in range(len(a)):
            for j in range(a.shape[1]):
                a[i, j] = f32(a.size) + f32(a.ndim)

    assert [(e.axis, e.type) for e in nodes(lower(kernel), ir.Extent)] == [(0, i32), (1, i32), (0, i32), (1, i32)]


def test_truth_of_numbers() -> None:
    def kernel(y: ItemMut[f32], n: i32, flag: bool) -> None:
        if (n and not y) or flag:
            y = 1.0
        y = 2.0 if 0 <= n < 8 else 3.0

    compares = nodes(lower(kernel), ir.Compare)
    assert [(c.op, c.left.type) for c in compares] == [("ne", i32), ("ne", f32), ("le", i32), ("lt", i32)]
    assert lower(kernel).scalars[1].type is boolean


def test_type_variables_in_order_of_use() -> None:
    def kernel(x: Item[T], y: ItemMut[f32]) -> None:
        y = x

    assert frontend.read_signature(kernel).type_variables == (T,)


def test_locations_are_those_of_the_file() -> None:
    def kernel(a: GlobalMut[f32]) -> None:
        a[global_id()] = 1.0

    (store,) = lower(kernel).body
    assert store.location.file == __file__
    assert store.location.line == lower(kernel).location.line + 1
    with open(__file__, encoding="utf-8") as file:  # noqa: PTH123
        line = file.read().splitlines()[store.location.line - 1]
    assert line[store.location.column : store.location.end_column] == "a[global_id()]"


def test_function_info_of_what_gives_no_numbers() -> None:
    @func
    def stored(x: f32, values: GlobalMut[f32]) -> None:
        values[0] = x

    @func
    def vector(x: f32) -> vec2:
        return vec2(x, x)

    with pytest.raises(KernelTypeError, match="vector must give numbers, and touch nothing else"):
        function_info(vector, f32)
    with pytest.raises(KernelTypeError, match="the parameter values of stored is an array; this is f32"):
        function_info(stored, f32, f32)
