"""GLSL from the IR: it compiles, the validator accepts it, and it reads like the kernel. What it computes is tested
with the other targets, in tests/conformance."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import config
from krnlpy.dsl import (
    barrier,
    exp,
    global_id,
    group_array,
    group_id,
    ir,
    item_id,
    local_array,
    subgroup_add,
    subgroups,
    thread_id,
)
from krnlpy.dsl.frontend.syntax import functions as frontend
from krnlpy.dsl.glsl import emit as glsl
from krnlpy.dsl.glsl.context import Context
from krnlpy.dsl.glsl.fragments import SHADERS, Library, library_names
from krnlpy.dsl.glsl.names import Names
from krnlpy.dsl.glsl.reports import Reporter
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.spirv import glslang
from krnlpy.dsl.spirv import module as spirv
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Out, Spec
from krnlpy.errors import CompileError
from krnlpy.features import FLOAT_PRESERVE, Feature, Features
from krnlpy.scalar import (
    SCALAR_TYPES,
    ScalarType,
    bf16,
    f16,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    scalar_type,
    u8,
    u16,
    u32,
    u64,
)
from tests.conformance.values import NUMBERS
from tests.support import process
from tests.support.launching import lower

T = TypeVar("T")
NATIVE = glsl.GlslOptions(storage8=True, storage16=True, debug=False, max_parameter_bytes=128)
PACKED = glsl.GlslOptions(storage8=False, storage16=False, debug=False, max_parameter_bytes=0)
DEBUG = glsl.GlslOptions(storage8=True, storage16=True, debug=True, max_parameter_bytes=128)


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "cache_dir", None)


def emit(
    program: ir.Program, options: glsl.GlslOptions = NATIVE, item_rank: int = 0, contiguous: bool = True
) -> glsl.Shader:
    return glsl.emit(program, Variant(item_rank, (contiguous,) * len(program.buffers)), options)


def body(shader: glsl.Shader) -> str:
    """The kernel's own code: what follows the accessors, without directives."""
    lines = [line for line in shader.source.splitlines() if not line.startswith("#line")]
    start = next(n for n, line in enumerate(lines) if line in ("void kernel_body() {", "void main() {"))
    return "\n".join(lines[start + 1 : lines.index("}", start)])


def check(shader: glsl.Shader) -> bytes:
    """Compiles a shader; tests/conftest.py validates the module."""
    return spirv.compile_shader(shader.source, "kernel")


# -------------------------------------------------------------------------------------------------- kernels


def axpy(alpha: T, x: Item[T], y: ItemMut[T]) -> None:
    y += alpha * x


def matmul(a: Global[T, 2], b: Global[T, 2], c: Out[T, 2], TILE: Spec[i32] = 16) -> None:
    a_tile = group_array(T, (TILE, TILE))
    b_tile = group_array(T, (TILE, TILE))
    i = thread_id(1)
    j = thread_id(0)
    row = group_id(1) * TILE + i
    column = group_id(0) * TILE + j
    total = T(0)
    for k in range(0, a.shape[1], TILE):
        a_tile[i, j] = a[row, k + j]
        b_tile[i, j] = b[k + i, column]
        barrier()
        for n in range(TILE):
            total += a_tile[i, n] * b_tile[n, j]
        barrier()
    c[row, column] = total


def everything(x: Item[T], y: ItemMut[T], z: Global[T, 3], out: GlobalMut[T, 1], n: i32) -> None:
    a = local_array(T, (2, 3))
    for i in range(n):
        a[i, 0] = z[i, 0, i] + x
        if a[i, 0] > T(3):
            continue
        while x > a[0, i] and i < n:
            a[0, i] = -a[0, i] * T(2)
            if a[1, 1] == T(7):
                break
    for i in range(n, 0, -2):
        out[i] = min(a[i // 2, i % 3], T(5)) - (T(1) if x < T(0) else max(x, y))
    y = a[1, 2] // T(2) + y % T(3)


@frontend.func
def lerp(a: f32, b: f32, t: f32):
    return a + t * (b - a)


def functions(x: Item[f32], y: ItemMut[f32]) -> None:
    y = lerp(x, exp(y), 0.25) + x**0.5


ALL_OPTIONS = [
    glsl.GlslOptions(storage, storage, debug, 128 * storage) for storage in (True, False) for debug in (True, False)
]


@pytest.mark.parametrize("type", NUMBERS, ids=str)
@pytest.mark.parametrize("options", ALL_OPTIONS, ids=["native-debug", "native", "packed-debug", "packed"])
def test_every_type_compiles(type: ScalarType, options: glsl.GlslOptions) -> None:
    for kernel in (axpy, matmul, everything):
        program = lower(kernel, T=type)
        for rank in (0, 1, 3) if program.items else (0,):
            for contiguous in (True, False):
                check(emit(program, options, rank, contiguous))


def flags(x: Item[bool], y: ItemMut[bool], z: GlobalMut[bool, 2]) -> None:
    y = not x and z[0, 1]
    z[item_id(), 0] = x


@pytest.mark.parametrize("options", ALL_OPTIONS, ids=["native-debug", "native", "packed-debug", "packed"])
def test_truth_values_are_bytes(options: glsl.GlslOptions) -> None:
    for rank in (0, 2):
        for contiguous in (True, False):
            shader = emit(lower(flags), options, rank, contiguous)
            check(shader)
            assert shader.features == ({Feature.STORAGE8} if options.storage8 else set())
            assert ("uint8_t" in shader.source) == options.storage8
            assert ("bitfieldInsert" in shader.source) == (not options.storage8)


def test_functions_compile() -> None:
    shader = emit(lower(functions))
    check(shader)
    assert "lerp_" in shader.source
    assert shader.features == frozenset()


def test_shader_says_what_it_needs() -> None:
    for type in NUMBERS:
        needed = {
            u8: {Feature.STORAGE8},
            i8: {Feature.STORAGE8},
            u16: {Feature.STORAGE16},
            i16: {Feature.STORAGE16},
            f16: {Feature.STORAGE16},
            bf16: {Feature.STORAGE16},
            u64: {Feature.INT64},
            i64: {Feature.INT64},
            f64: {Feature.FLOAT64},
        }.get(type, set())
        assert emit(lower(axpy, T=type)).features == needed
        packed = emit(lower(axpy, T=type), PACKED)
        assert packed.features == needed - {Feature.STORAGE8, Feature.STORAGE16}
        assert ("atomicCompSwap" in packed.source) == (type.size < 4)


def test_bindings() -> None:
    program = lower(everything, T=f32)
    shader = emit(program)
    assert (shader.parameters, shader.binding_count) == ("push", 4)
    assert (shader.parameter_binding, shader.report_binding) == (None, None)
    assert shader.reads == (True, True, True, False)
    assert shader.writes == (False, True, False, True)
    shader = emit(program, glsl.GlslOptions(True, True, True, shader.layout.size - 8))
    assert (shader.parameters, shader.binding_count) == ("buffer", 6)
    assert (shader.parameter_binding, shader.report_binding) == (4, 5)
    packed = emit(lower(everything, T=u8), PACKED)
    assert packed.reads == (True, True, True, True), "a packed store reads the word around it"


def test_kernel_without_parameters_needs_no_block() -> None:
    def nothing() -> None:
        pass

    shader = emit(lower(nothing))
    assert (shader.parameters, shader.binding_count) == ("none", 0)
    check(shader)


def test_specialization_constants() -> None:
    def kernel(
        y: GlobalMut[f32],
        a: Spec[u8],
        b: Spec[i16] = -3,
        c: Spec[bf16] = 1.5,
        d: Spec[i64] = -(2**40),
        e: Spec[f64] = 0.1,
    ) -> None:
        array = local_array(f32, (a, 2))
        y[i32(b)] = c * array[0, 0] + f32(d) + f32(e)

    shader = emit(lower(kernel))
    assert shader.spec_ids == {"a": (3, u32), "b": (4, i32), "c": (5, f32), "d": (6, i64), "e": (7, f64)}
    assert "layout(constant_id = 4) const int b_constant = -3;\nint b = b_constant;\n" in shader.source
    assert "const uint a_constant = 1u;\nlayout" in shader.source, "only a length: code needs no variable"
    assert "float array[int(a_constant) * 2 > 0 ? int(a_constant) * 2 : 1];" in shader.source
    check(shader)


def test_parameter_block_has_the_layouts_offsets() -> None:
    def kernel(a: u8, b: i64, c: f16, d: f64, x: Item[f32], y: Global[f32, 3], z: GlobalMut[u64]) -> None:
        z[i32(a)] = u64(b) + u64(d * f64(c * x)) + u64(y[0, 1, 2])

    shader = emit(lower(kernel), item_rank=2, contiguous=False)
    words = spirv._words(check(shader), "kernel")
    names: dict[Any, Any] = {}
    offsets: dict[Any, Any] = {}
    for place, op, count in spirv._instructions(words, "kernel"):
        if op == 5:  # OpName
            names[words[place + 1]] = _text(words[place + 2 : place + count])
        elif op == 72 and words[place + 3] == 35:  # OpMemberDecorate Offset
            offsets.setdefault(words[place + 1], {})[words[place + 2]] = words[place + 4]
    (block,) = [identifier for identifier, name in names.items() if name == "Launch"]
    assert list(offsets[block].values()) == [field.offset for field in shader.layout.fields]


def _text(words: tuple[int, ...]) -> str:
    return np.array(words, np.uint32).tobytes().split(b"\0")[0].decode()


# --------------------------------------------------------------------------------------------------- reading


def test_saxpy_reads_like_the_kernel() -> None:
    def saxpy(alpha: f32, x: Item[f32], y: ItemMut[f32]) -> None:
        y += alpha * x

    shader = emit(lower(saxpy))
    assert body(shader).splitlines() == [
        "    uint at_x = launch.x_offset + item;",
        "    uint at_y = launch.y_offset + item;",
        "    y[at_y] = y[at_y] + launch.alpha * x[at_x];",
    ]
    assert "readonly buffer Buffer0 { float x[]; };" in shader.source


def test_variables_are_declared_where_they_are_first_set() -> None:
    def kernel(x: Global[f32], y: GlobalMut[f32], n: i32) -> None:
        total = 0.0
        for i in range(n):
            if x[i] > 0.0:
                s = x[i]
            else:
                s = -x[i]
            total += s
        for i in range(n):
            twice = 2.0 * x[i]
            y[i] = total + twice
        last = 0
        for k in range(n):
            last = k
        y[last] = 0.0

    text = body(emit(lower(kernel)))
    assert "    float total = 0.0;\n    for (int i = 0; i < launch.n; ++i) {\n        float s;\n" in text
    assert "        float twice = 2.0 * load_x(uint(i));" in text
    assert text.count("for (int i = 0;") == 2
    assert text.count("float s") == 1
    assert "int k = 0; k < launch.n; ++k" in text


def test_loop_variable_that_is_used_after_the_loop_or_assigned_in_it() -> None:
    def kernel(y: GlobalMut[i32], n: i32) -> None:
        for i in range(n):
            y[i] = i
            i = 2 * i
            y[i] = i
        k = 7
        for k in range(n):
            y[k] = k
        y[5] = k

    shader = emit(lower(kernel))
    check(shader)
    assert "const uint i_count = range_count(0, launch.n, 1);" in body(shader)
    assert "        k = int(k_number);\n" in body(shader)


def test_bounds_of_a_loop_are_evaluated_once() -> None:
    def kernel(x: Global[i32], y: GlobalMut[i32]) -> None:
        n = x[0]
        for i in range(n):
            n = x[i]
        for i in range(x[1]):
            y[i] = n
        for i in range(0, 9, 3):
            y[i] = i
        for i in range(0, 2147483647, 3):
            y[i] = i

    shader = emit(lower(kernel))
    check(shader)
    text = body(shader)
    assert "const int i_stop = n;" in text
    assert "const int i_stop_2 = load_x(1u);" in text
    assert "for (int i = 0; i < 9; i += 3)" in text
    assert "range_count(0, 2147483647, 3)" in text, "i + 3 would overflow"


def test_no_more_parentheses_than_needed() -> None:
    def kernel(a: i32, b: i32, c: u8, y: GlobalMut[i32]) -> None:
        y[0] = a - (b - a) - b * (a + b) & ~(a | b) ^ -(-a)  # noqa: B002
        y[1] = 1 if a < b and (b < 3 or a != b) else -2
        y[2] = i32(c + c) - -1

    text = body(emit(lower(kernel)))
    assert "store_y(0u, launch.a - (launch.b - launch.a) - launch.b * (launch.a + launch.b)" in text
    assert "& ~(launch.a | launch.b) ^ -(-launch.a));" in text
    assert "launch.a < launch.b && (launch.b < 3 || launch.a != launch.b) ? 1 : -2" in text
    assert "int(launch.c + launch.c & 0xFFu) - -1" in text


def test_every_name_a_user_may_choose() -> None:
    def kernel(
        launch: f32,
        item: f32,
        x_offset: f32,
        input: Item[f32],
        at: ItemMut[f32],
        value: GlobalMut[f32],
        i: GlobalMut[f32],
        x: Global[f32],
        load_x: Global[f32],
        float16_t: f32,
    ) -> None:
        gl_Position = launch + item * x_offset  # noqa: N806
        power = input**gl_Position
        a__b = power + x[0] + load_x[1]
        main = exp(a__b)
        größe = main + float16_t
        bits = local_array(f32, 2)
        for slot in range(3):
            bits[slot] = größe
            value[slot] = bits[0]
        threads = local_array(f32, 4)
        min = threads[0]
        i[0] = min
        void = min if min < largest(min) else 0.0
        at = void

    shader = emit(lower(kernel))
    check(shader)
    check(emit(lower(kernel), DEBUG, 2, False))


@frontend.func
def largest(max: f32):
    return 2.0 * max


def test_names() -> None:
    names = Names()
    names.reserve("own_exp")
    assert [names.unique(n) for n in ("x", "x", "input", "a__b", "a_b", "gl_x", "own_exp", "über")] == [
        "x",
        "x_2",
        "input_",
        "a_b",
        "a_b_2",
        "k_gl_x",
        "own_exp_2",
        "ufcber",
    ]
    inner = Names(names)
    assert inner.unique("x") == "x_3"
    assert Names(names).unique("x") == "x_3", "sibling scopes share nothing"


def test_errors_name_the_python_line() -> None:
    def kernel(y: GlobalMut[f32]) -> None:
        y[0] = 1.0
        y[1] = exp(y[0])

    shader = emit(lower(kernel))
    line = kernel.__code__.co_firstlineno + 2
    with pytest.raises(CompileError, match=rf"test_glsl\.py:{line}: 'own_exp_no'"):
        glslang.compile_glsl(shader.source.replace("own_exp(load", "own_exp_no(load"), "kernel")
    assert "#line 0" not in shader.source


def test_strange_file_names() -> None:
    where = ir.Location('a/b\\"\n;.py', 1, 0, 0)
    y = ir.GlobalParameter("y", f32, where, mutable=True)
    one = ir.const(1.0, f32, where)
    store = ir.Store(y, (ir.const(0, i32, where),), one, location=where)
    program = ir.Program("kernel", where, (y,), (store,), (), (), (), (1, 1, 1))
    check(emit(program))


# ------------------------------------------------------------------------------------------------- semantics


def test_checks_of_indices() -> None:
    def kernel(x: Global[f32, 2], y: GlobalMut[f32], n: i64) -> None:
        y[n] = x[global_id(), 3]

    checked = emit(lower(kernel)).source
    assert "if (i < launch.x_shape[0] && j < launch.x_shape[1]) {" in checked
    assert "if (i < launch.y_shape[0]) {" in checked
    assert "store_y(index_of(launch.n), load_x(gl_GlobalInvocationID.x, 3u));" in checked
    unchecked = emit(lower(kernel, unchecked=True)).source
    assert "< launch.x_shape" not in unchecked
    for unchecked_too in (False, True):
        debug = emit(lower(kernel, unchecked=unchecked_too), DEBUG).source
        assert "if (in_range(i, launch.x_shape[0], site) && in_range(j, launch.x_shape[1], site + 1u)) {" in debug
        assert "store_y(index_of(launch.n), load_x(gl_GlobalInvocationID.x, 3u, 1u), 3u)" in debug


def test_qualifiers_of_buffers() -> None:
    def reads_own_writes(x: Global[f32], y: GlobalMut[f32], z: GlobalMut[f32]) -> None:
        y[thread_id()] = x[thread_id()]
        barrier()
        z[thread_id()] = y[thread_id() + 1]

    source = emit(lower(reads_own_writes)).source
    assert "readonly buffer Buffer0 { float x[]; };" in source
    assert "coherent buffer Buffer1 { float y[]; };" in source
    assert "writeonly buffer Buffer2 { float z[]; };" in source
    assert "restrict" not in source, "the same buffer may be bound twice"

    def alone(y: GlobalMut[f32]) -> None:
        y[0] = 1.0

    assert "restrict writeonly buffer Buffer0" in emit(lower(alone)).source


def test_group_arrays_start_at_zero_behind_a_barrier() -> None:
    def kernel(y: GlobalMut[f32], N: Spec[i32] = 8) -> None:
        a = group_array(bf16, N)
        a[thread_id()] = 1.0
        barrier()
        y[thread_id()] = a[0]

    text = body(emit(lower(kernel)))
    clearing = r"\s+for \(uint slot = gl_LocalInvocationIndex; slot < uint\(N_constant\); .*\) a\[slot\] = 0\.0;"
    assert re.match(clearing + r"\s+barrier\(\);\s+store_a", text)


def test_subgroups() -> None:
    def kernel(x: Global[T], y: GlobalMut[T]) -> None:
        y[thread_id()] = subgroup_add(x[thread_id()]) + T(subgroups())

    for type in (i32, u32, f32, i64, u64, f64):
        shader = emit(lower(kernel, T=type))
        assert shader.features >= {Feature.SUBGROUP_BASIC, Feature.SUBGROUP_ARITHMETIC}
        assert "gl_NumSubgroups" not in shader.source, "rounded down by lavapipe"
        check(shader)


def test_item_id_in_a_function() -> None:
    def kernel(y: ItemMut[i32]) -> None:
        y = twice_the_item()

    check(emit(lower(kernel)))


@frontend.func
def twice_the_item():
    return 2 * item_id()


def literal(value: float, type: ScalarType) -> str:
    program = ir.Program("k", ir.Location("f", 1, 0, 0), (), (), (), (), (), (1, 1, 1))
    shader = emit(program)
    return Context(program, Variant(0, ()), NATIVE, shader.layout).literal(value, type)


def test_literals_mean_exactly_the_value() -> None:
    assert [literal(v, f32) for v in (0.0, -0.0, 1.0, 0.1, -1e30)] == ["0.0", "-0.0", "1.0", "0.1", "-1e+30"]
    assert literal(0.1, f64) == "0.1lf"
    assert literal(float("inf"), f32) == "uintBitsToFloat(0x7f800000u)"
    assert literal(-float("inf"), f64) == "packDouble2x32(uvec2(0x00000000u, 0xfff00000u))"
    assert literal(1e-40, f32) == "uintBitsToFloat(0x000116c2u)"
    assert literal(5e-324, f64) == "packDouble2x32(uvec2(0x00000001u, 0x00000000u))"
    assert literal(i32.min, i32) == "int(0x80000000u)"
    assert literal(i64.min, i64) == "int64_t(0x8000000000000000ul)"
    assert [literal(v, t) for v, t in ((7, u8), (-7, i16), (u64.max, u64), (-1, i64))] == [
        "7u",
        "-7",
        "18446744073709551615ul",
        "-1l",
    ]
    rng = np.random.default_rng(0)
    for single in rng.integers(0x00800000, 0x7F800000, 2000, np.uint32).view(np.float32):
        assert np.float32(float(literal(single.item(), f32))) == single


def test_literals_reach_the_module() -> None:
    values = [0.1, -0.0, 1e-40, float("inf"), float("nan"), 3.4028235e38, 16777217.0, 1.1754942e-38]

    def kernel(y: GlobalMut[f32], z: GlobalMut[i32]) -> None:
        y[0] = 0.1
        y[1] = 1e-40
        y[2] = 3.4028235e38
        z[0] = -2147483648

    module = check(emit(lower(kernel)))
    words = np.frombuffer(module, np.uint32)
    for value in (values[0], values[2], values[5]):
        assert np.float32(value).view(np.uint32) in words
    assert np.uint32(0x80000000) in words


# ----------------------------------------------------------------------------------------------- the library


def test_every_fragment_compiles_alone() -> None:
    extensions = "#extension GL_GOOGLE_cpp_style_line_directive : require\n"
    extensions += "#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require\n"
    kinds = {
        "floor_signed": ("int", "int64_t"),
        "floor_unsigned": ("uint", "uint64_t"),
        "floor_float": ("float", "double"),
        "shift": ("int", "uint", "int64_t", "uint64_t"),
        "minimum": ("float", "double"),
        "least": ("int", "uint", "int64_t", "uint64_t"),
        "to_integer": ("float", "double"),
        "to_integer64": ("float", "double"),
        "range_count": ("int", "uint", "int64_t", "uint64_t"),
        "index64": ("int64_t", "uint64_t"),
        **dict.fromkeys(("divide", "exact_product", "exp", "log", "pow", "sin", "tanh"), ("float", "double")),
    }
    report = "\n".join(Reporter(lambda _: None, str).declarations(0, "gl_GlobalInvocationID"))
    folder = SHADERS
    for file in sorted(folder.glob("*.glsl")):
        for kind in kinds.get(file.stem, (None,)):
            library = Library()
            library.need(file.stem, kind)
            library.need(file.stem, kind)
            text = library.text(" ".join(library_names()))
            glslang.compile_glsl(f"#version 460\n{extensions}{report}\n{text}\nvoid main() {{}}", file.stem)


def test_only_what_is_used_of_a_fragment_is_included() -> None:
    library = Library()
    library.need("exp", "float")
    library.need("floor_signed", "int")
    text = library.text("y = own_exp2(x);  // not own_exp(x)")
    assert "float own_exp2(" in text and "float scale_exp2(" in text and "bool is_nan(" in text
    for name in ("own_exp(", "is_inf(", "floor_div"):
        assert name not in text
    # Directives give the lines that the functions have in their file.
    file = (SHADERS / "exp.glsl").read_text().splitlines()
    assert f'#line {file.index("T own_exp(T x) {") + 1} "exp.glsl"\nfloat own_exp(' in library.text("own_exp")
    assert library.text("nothing") == ""


def test_a_fragment_is_of_its_type() -> None:
    """Literals, names and polynomials; comments stay as they are."""
    texts = {}
    for type in ("float", "double"):
        library = Library()
        library.need("exact_product", type)
        library.need("tanh", type)
        texts[type] = library.text("exact_product own_tanh")
    assert "vec2 exact_product(float a, float b) {\n    float t = a * 4097.0;" in texts["float"]
    assert "dvec2 exact_product(double a, double b) {\n    double t = a * 134217729.0lf;" in texts["double"]
    assert all("// A product and what it was rounded by: T. J. Dekker" in text for text in texts.values())
    assert "float p = (((-5.717025604099035e-3 * z + 2.065056934952736e-2) * z + " in texts["float"]


def test_names_of_the_library_are_reserved() -> None:
    assert {"own_exp", "power", "floor_div", "TWO_OVER_PI", "f64_to_f32", "in_range"} <= library_names()


def test_emitting_twice_gives_the_same_text() -> None:
    for type in (f32, i8, f64):
        program = lower(everything, T=type)
        assert emit(program).source == emit(program).source
        assert emit(lower(everything, T=type)).source == emit(program).source


def test_no_module_of_a_device_is_loaded() -> None:
    modules = "sys, krnlpy.dsl.glsl.emit, krnlpy.dsl.spirv.module"
    code = f"import {modules}; assert not {{'vulkan', 'llvmlite', 'cffi'}} & set(sys.modules)"
    process.output("-c", code)


def test_scalar_types_are_all_known() -> None:
    assert all(scalar_type(t.name).glsl for t in SCALAR_TYPES)


def test_small_arrays_do_not_take_the_layout_of_the_parameter_block() -> None:
    def kernel(a: GlobalMut[u32, 2]) -> None:
        shape_like = group_array(u32, 2)
        strides_like = group_array(i32, 2)
        own = local_array(u32, 2)
        shape_like[1] = a[0, 0]
        strides_like[1] = 2
        own[1] = shape_like[0]
        a[0, 1] = own[1] + u32(strides_like[0])

    for contiguous in (True, False):
        check(emit(lower(kernel), contiguous=contiguous))  # spirv-val refuses shared memory with strides


# ---------------------------------------------------------------------------------------- zeros, infinities and NaN


@pytest.mark.parametrize(("type", "modes"), [(f32, {32}), (bf16, {32}), (f64, {64}), (i32, set()), (u8, set())])
@pytest.mark.parametrize("allowed", [FLOAT_PRESERVE, frozenset({Feature.FLOAT32_PRESERVE}), frozenset[Feature]()])
def test_compilers_are_told_to_keep_what_is_special(type: ScalarType, modes: set[int], allowed: Features) -> None:
    options = replace(NATIVE, float_preserve=allowed)
    shader = emit(lower(axpy, T=type), options)
    bits = {32: Feature.FLOAT32_PRESERVE, 64: Feature.FLOAT64_PRESERVE}
    check(shader)
    told = {int(width) for width in re.findall(r"spirv_execution_mode\(.*4461, (\d+)\);", shader.source)}
    assert told == {width for width in modes if bits[width] in allowed}
    assert not shader.features & FLOAT_PRESERVE


def test_fragments_of_both_widths_stand_together() -> None:
    library = Library()
    for name in ("floor_float", "log", "minimum", "pow", "sin", "tanh", "to_integer"):
        for type in ("float", "double"):
            library.need(name, type)
    text = library.text(" ".join(library_names()))
    assert "double divide(" in text
    assert "float divide(" in text
    head = "#version 460\n#extension GL_GOOGLE_cpp_style_line_directive : require\nlayout(local_size_x_id = 0) in;\n"
    spirv.compile_shader(f"{head}{text}\nvoid main() {{}}\n", "library")
