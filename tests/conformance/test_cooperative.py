"""Cooperative matrices: products, element-wise operators, loads and stores, on devices with and without them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest

from krnlpy import Buffer, Device, DtypeError, Feature, LimitExceeded, kernel
from krnlpy.dsl import (
    CooperativeMatrix,
    barrier,
    cooperative_multiply_add,
    group_array,
    group_id,
    local_array,
    thread_id,
    threads,
    unroll,
)
from krnlpy.dsl.frontend.syntax import functions as frontend
from krnlpy.dsl.glsl import emit as glsl
from krnlpy.dsl.glsl.cooperative import is_native
from krnlpy.dsl.glsl.devices import Capabilities, shader_for
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.spirv import module as spirv
from krnlpy.dsl.spirv.tools import disassemble
from krnlpy.dsl.types.annotations import Global, GlobalMut, ItemMut
from krnlpy.errors import KernelError, KernelIndexError, KernelSyntaxError, KernelTypeError
from krnlpy.scalar import ScalarType, bf16, f16, f32, i8, i32, u8

T = TypeVar("T", f16, bf16, f32)
I = TypeVar("I", i8, u8)  # noqa: E741
A = CooperativeMatrix[T, 16, 8, "a"]
B = CooperativeMatrix[T, 8, 16, "b"]
C = CooperativeMatrix[f32, 16, 16, "accumulator"]
C16 = CooperativeMatrix[f16, 16, 16, "accumulator"]
A16 = CooperativeMatrix[f16, 16, 8, "a"]
B16 = CooperativeMatrix[f16, 8, 16, "b"]
A4, B4 = CooperativeMatrix[f16, 4, 4, "a"], CooperativeMatrix[f16, 4, 4, "b"]
C4 = CooperativeMatrix[f32, 4, 4, "accumulator"]


@kernel
def product(a: Global[T, 2], b: Global[T, 2], c: GlobalMut[f32, 2]) -> None:
    row, column = group_id(1) * 16, group_id(0) * 16
    total = C(0.0)
    for k in range(0, a.shape[1], 8):
        total = cooperative_multiply_add(A.load(a, row, k), B.load(b, column, k, transposed=True), total)
    total.store(c, row, column)


def launcher(kernel, device: Device, groups: tuple[int, ...] = (1,)):
    return kernel.with_threads(device.info.subgroup_threads).with_groups(*groups)


@pytest.mark.parametrize("type", [f16, bf16, f32], ids=str)
def test_product(device: Device, type: ScalarType) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((16, 24)).astype(type.dtype), rng.standard_normal((32, 24)).astype(type.dtype)
    c = Buffer.zeros((16, 32), f32, device)
    launcher(product, device, (2, 1))(Buffer.from_numpy(a, device), Buffer.from_numpy(b, device), c)
    x, y = a.astype(np.float64), b.astype(np.float64)
    # 24 products and their sum: at most 25 roundings of at most the sum of the magnitudes.
    bound = 25 * 2**-24 * (abs(x) @ abs(y).T)
    assert (abs(c.numpy() - x @ y.T) <= bound).all()


@pytest.mark.parametrize("type", [i8, u8], ids=str)
def test_integers_are_added_up_exactly(device: Device, type: ScalarType) -> None:
    left, right = CooperativeMatrix[I, 8, 16, "a"], CooperativeMatrix[I, 16, 8, "b"]
    sums = CooperativeMatrix[i32, 8, 8, "accumulator"]

    @kernel
    def multiply(a: Global[I, 2], b: Global[I, 2], c: Global[i32, 2], y: GlobalMut[i32, 2]) -> None:
        start = sums.load(c, 0, 0)
        sums_of = cooperative_multiply_add(left.load(a, 0, 0), right.load(b, 0, 0), start)
        sums_of.store(y, 0, 0, transposed=True)

    rng = np.random.default_rng(1)
    a, b = (rng.integers(type.min, type.max, shape, endpoint=True).astype(type.dtype) for shape in ((8, 16), (16, 8)))
    c = rng.integers(-9, 9, (8, 8)).astype(np.int32)
    out = Buffer.zeros((8, 8), i32, device)
    launcher(multiply, device)(*(Buffer.from_numpy(array, device) for array in (a, b, c)), out)
    assert (out.numpy() == (a.astype(np.int32) @ b.astype(np.int32) + c).T).all()


def test_operators(device: Device) -> None:
    @kernel
    def operate(x: Global[f32, 2], y: GlobalMut[f32, 2]) -> None:
        a = C.load(x, 0, 0)
        b = -a * 3.0
        b += C(2.0)
        for _ in range(2):
            b = b - a * a
            b /= 2.0
        b = 4.0 * b
        b.store(y, 0, 0)

    x = np.random.default_rng(2).standard_normal((16, 16)).astype(np.float32)
    y = Buffer.zeros((16, 16), f32, device)
    launcher(operate, device)(Buffer.from_numpy(x, device), y)
    b = -x * np.float32(3) + np.float32(2)
    for _ in range(2):
        b = (b - x * x) / np.float32(2)
    assert (y.numpy() == np.float32(4) * b).all()


def test_in_place(device: Device) -> None:
    @kernel
    def turn(x: GlobalMut[f32, 2]) -> None:
        for _ in range(3):
            a = C.load(x, 0, 0)
            (a + a).store(x, 0, 0, transposed=True)

    x = np.random.default_rng(4).standard_normal((16, 16)).astype(np.float32)
    y = Buffer.from_numpy(x.copy(), device)
    launcher(turn, device)(y)
    assert (y.numpy() == 8 * x.T).all()


def test_narrow_accumulators_are_rounded(device: Device) -> None:
    @kernel
    def third(x: Global[f16, 2], y: GlobalMut[f16, 2]) -> None:
        a = C16.load(x, 0, 0) / 3.0
        (a + a).store(y, 0, 0)

    x = np.random.default_rng(3).standard_normal((16, 16)).astype(np.float16)
    y = Buffer.zeros((16, 16), f16, device)
    launcher(third, device)(Buffer.from_numpy(x, device), y)
    quotient = (x.astype(np.float32) / np.float32(3)).astype(np.float16)
    assert (y.numpy() == quotient + quotient).all()


def test_several_subgroups_and_group_arrays(device: Device) -> None:
    matrix = CooperativeMatrix[f32, 4, 4, "accumulator"]

    @kernel
    def exchange(x: Global[f32, 2], y: GlobalMut[f32, 2]) -> None:
        shared = group_array(f32, (4, 8))
        matrix.load(x, 0, group_id() * 4, transposed=True).store(shared, 0, 0)
        barrier()
        (matrix.load(shared, 0, 0) * 2.0).store(y, group_id() * 4, 0)

    x = np.arange(32, dtype=np.float32).reshape(4, 8)
    y = Buffer.zeros((8, 4), f32, device)
    # One subgroup a group, so that no two write the group array.
    launcher(exchange, device, (2,))(Buffer.from_numpy(x, device), y)
    assert (y.numpy() == np.vstack([x[:, :4].T, x[:, 4:].T]) * 2).all()


@kernel
def staged(a: Global[f16, 2], b: Global[f16, 2], c: GlobalMut[f32, 2]) -> None:
    """A product whose factors go through group memory, in rows that are longer than a matrix."""
    left, right = group_array(f16, (16, 12)), group_array(f16, (8, 24))
    row, column = group_id(1) * 16, group_id(0) * 16
    total = C(0.0)
    for k in range(0, a.shape[1], 8):
        for i in range(thread_id(), 128, threads()):
            left[i // 8, i % 8] = a[row + i // 8, k + i % 8]
            right[i // 16, i % 16] = b[k + i // 16, column + i % 16]
        barrier()
        total = cooperative_multiply_add(A16.load(left, 0, 0), B16.load(right, 0, 0), total)
        barrier()
    total.store(c, row, column)


def test_factors_of_f16_in_group_arrays(device: Device) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((32, 24)).astype(np.float16), rng.standard_normal((24, 16)).astype(np.float16)
    c = Buffer.zeros((32, 16), f32, device)
    launcher(staged, device, (1, 2))(Buffer.from_numpy(a, device), Buffer.from_numpy(b, device), c)
    x, y = a.astype(np.float64), b.astype(np.float64)
    bound = 25 * 2**-24 * (abs(x) @ abs(y))
    assert (abs(c.numpy() - x @ y) <= bound).all()


@kernel
def tiles(a: Global[f16, 2], b: Global[f16, 2], c: GlobalMut[f32, 2]) -> None:
    """Two by three matrices a subgroup: each factor is loaded once for several products."""
    row, column = group_id(1) * 8, group_id(0) * 12
    sums = local_array(C4, (2, 3))
    for k in range(0, a.shape[1], 4):
        left = local_array(A4, 2)
        spare = local_array(C4, 1)  # zeros at the start of each pass
        for i in unroll(range(2)):
            left[i] = A4.load(a, row + i * 4, k)
        for j in unroll(range(3)):
            right = B4.load(b, k, column + j * 4)
            for i in unroll(range(2)):
                sums[i, j] = cooperative_multiply_add(left[i], right, sums[i, j]) + spare[0]
        spare[0] += C4(7.0)
    sums[1, -1] *= 2.0
    sums[0][0], sums[1, 0] = sums[1, 0], sums[0, 0]
    one, other = sums[0, 1], sums[1, 1]
    one, other = other, one
    sums[0, 1], sums[1, 1] = one, other
    for i in unroll(range(2)):
        for j in unroll(range(3)):
            sums[i, j].store(c, row + i * 4, column + j * 4)


def test_arrays_of_matrices(device: Device) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((8, 12)).astype(np.float16), rng.standard_normal((12, 12)).astype(np.float16)
    c = Buffer.zeros((8, 12), f32, device)
    launcher(tiles, device)(Buffer.from_numpy(a, device), Buffer.from_numpy(b, device), c)
    x, y = a.astype(np.float64), b.astype(np.float64)
    want, bound = x @ y, 13 * 2**-24 * (abs(x) @ abs(y))
    for each in (want, bound):
        each[4:, 8:] *= 2
        each[:, :8] = np.vstack([each[4:, :8], each[:4, :8]])
    assert (abs(c.numpy() - want) <= bound).all()


def test_what_arrays_of_matrices_refuse() -> None:
    def moving_index(c: GlobalMut[f32, 2]) -> None:
        sums = local_array(C, 2)
        for i in range(2):
            sums[i].store(c, 0, 0)

    def beyond(c: GlobalMut[f32, 2]) -> None:
        sums = local_array(C, (2, 3))
        sums[1, 3].store(c, 0, 0)

    def another_matrix(c: GlobalMut[f32, 2]) -> None:
        sums = local_array(C, 2)
        sums[0] = CooperativeMatrix_8(0.0)

    def a_number(c: GlobalMut[f32, 2]) -> None:
        sums = local_array(C, 2)
        sums[0] = 1.0

    def a_row(c: GlobalMut[f32, 2]) -> None:
        sums = local_array(C, (2, 2))
        sums[0] = C(1.0)

    def another_name(c: GlobalMut[f32, 2]) -> None:
        sums = local_array(C, 2)
        sums = C(0.0)

    def another_shape(c: GlobalMut[f32, 2]) -> None:
        sums = local_array(C, 2)
        sums = local_array(C, 3)

    def of_a_group(c: GlobalMut[f32, 2]) -> None:
        sums = group_array(C, 2)

    def too_many(c: GlobalMut[f32, 2]) -> None:
        sums = local_array(C, 257)

    check(moving_index, KernelTypeError, r"has to be known while compiling.*unroll")
    check(beyond, KernelTypeError, "index 3 is out of range: sums has length 3")
    check(another_matrix, KernelTypeError, r"sums\[0\] is a CooperativeMatrix\[f32, 16, 16")
    check(a_number, KernelTypeError, "takes a matrix; this is the number 1.0")
    check(a_row, KernelTypeError, "takes a matrix")
    check(another_name, KernelTypeError, "sums is no longer free")
    check(another_shape, KernelTypeError, "sums is an array of other matrices")
    check(of_a_group, KernelTypeError, "expected|type")
    check(too_many, KernelTypeError, "256 matrices at most")


def test_what_does_not_lie_within_is_out_of_range(device: Device) -> None:
    @kernel
    def copy(x: Global[f32, 2], y: GlobalMut[f32, 2], row: i32, column: i32) -> None:
        a = C.load(x, row, column) + C(1.0)
        a.store(y, row, column)

    x = Buffer.ones((20, 20), f32, device)
    for row, column, inside in ((4, 4, True), (5, 0, False), (0, -1, False), (2**31 - 8, 0, False)):
        y = Buffer.zeros((20, 20), f32, device)
        if not inside and device.info.kind == "interpreter":
            with pytest.raises(KernelIndexError, match="is out of range: x has length 20"):
                launcher(copy, device)(x, y, row, column)
            continue
        launcher(copy, device)(x, y, row, column)
        want = np.zeros((20, 20))
        if inside:
            want[row : row + 16, column : column + 16] = 2
        assert (y.numpy() == want).all()


def test_subgroups_must_be_full(device: Device) -> None:
    threads = device.info.subgroup_threads + 1
    if device.info.subgroup_threads == 1:
        pytest.skip("subgroups of one thread are always full")
    x = Buffer.zeros((16, 8), f32, device)
    with pytest.raises(LimitExceeded, match="is not a multiple of a subgroup"):
        product.with_threads(threads).with_groups(1)(x, x, Buffer.zeros((16, 16), f32, device))


# --------------------------------------------------------------------------------------- what the device itself has

SHAPES = {(16, 16, 8, f16, f16, f32)}
CONTIGUOUS = Variant(0, (True, True, True))


def lowered(type: ScalarType):
    return frontend.lower(product.signature, {T: type}, (32, 1, 1))


def test_native_where_the_device_lists_the_shape() -> None:
    assert is_native(lowered(f16), CONTIGUOUS, SHAPES)
    assert not is_native(lowered(bf16), CONTIGUOUS, SHAPES)
    assert not is_native(lowered(f16), Variant(0, (True, False, True)), SHAPES)
    assert not is_native(lowered(f16), CONTIGUOUS, set())


@pytest.mark.parametrize("type", [f16, f32], ids=str)
def test_native_shader_is_valid(type: ScalarType) -> None:
    options = glsl.GlslOptions(storage8=True, storage16=True, debug=False, max_parameter_bytes=128)
    shader = glsl.emit(lowered(type), CONTIGUOUS, options)
    assert Feature.COOPERATIVE_MATRIX in shader.features
    assert "coopMatMulAdd" in shader.source
    spirv.compile_shader(shader.source, "product")  # which is validated, as all that tests compile


def test_native_matrices_lie_in_group_arrays_of_f16() -> None:
    program = frontend.lower(staged.signature, {}, (32, 1, 1))
    assert is_native(program, CONTIGUOUS, SHAPES)
    options = glsl.GlslOptions(storage8=True, storage16=True, debug=False, max_parameter_bytes=128)
    source = glsl.emit(program, CONTIGUOUS, options).source
    assert "shared float16_t left[192];" in source and "coopMatLoad" in source
    text = disassemble(spirv.compile_shader(source, "staged"))
    of_matrices = [line for line in text.splitlines() if "OpCooperativeMatrixLoadKHR" in line]
    assert len(of_matrices) == 2 and all(line.endswith("NonPrivatePointer") for line in of_matrices)
    assert "MakePointer" not in text  # the barriers do it, for all at once
    barriers = {line.split()[-1] for line in text.splitlines() if "OpControlBarrier" in line}
    assert barriers == {f"%uint_{0x8 | 0x100 | 0x2000 | 0x4000}"}  # AcquireRelease, WorkgroupMemory, available, visible


def test_elsewhere_group_arrays_of_f16_hold_f32() -> None:
    program = frontend.lower(staged.signature, {}, (32, 1, 1))
    _, shader = shader_for(program, CONTIGUOUS, Capabilities(shapes=()), debug=False)
    assert "shared float left[192];" in shader.source and "float16_t" not in shader.source


# ----------------------------------------------------------------------------------------------------------- errors


def check(body, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        frontend.lower(frontend.read_signature(body), {}, (32, 1, 1))


def test_errors() -> None:
    a16, b16 = CooperativeMatrix[f16, 16, 8, "a"], CooperativeMatrix[f16, 8, 16, "b"]

    def wrong_use(x: Global[f16, 2]) -> None:
        a = a16.load(x, 0, 0)
        c = cooperative_multiply_add(a, a, C(0.0))

    def wrong_shape(x: Global[f16, 2]) -> None:
        c = cooperative_multiply_add(a16.load(x, 0, 0), b16.load(x, 0, 0), CooperativeMatrix_8(0.0))

    def wrong_type(x: Global[f32, 2]) -> None:
        a = a16.load(x, 0, 0)

    def wrong_rank(x: Global[f16]) -> None:
        a = a16.load(x, 0, 0)

    def wrong_index(x: Global[f16, 2]) -> None:
        a = a16.load(x, 0.5, 0)

    def read_only(x: Global[f32, 2]) -> None:
        C(0.0).store(x, 0, 0)

    def wrong_operator(x: GlobalMut[f32, 2]) -> None:
        (C(1.0) + 1.0).store(x, 0, 0)

    def wrong_variable(x: GlobalMut[f16, 2]) -> None:
        a = a16.load(x, 0, 0)
        a = C(0.0)

    def no_value(x: GlobalMut[f32, 2]) -> None:
        a = C(0.0).store(x, 0, 0)

    def no_groups(x: GlobalMut[f32, 2], y: ItemMut[f32]) -> None:
        C(0.0).store(x, 0, 0)

    check(
        wrong_use, KernelTypeError, r'of the uses "a", "b" and "accumulator"; here CooperativeMatrix\[f16, 16, 8, "a"\]'
    )
    check(wrong_shape, KernelTypeError, "16x8 @ 8x16 \\+ 8x8: the shapes do not fit")
    check(wrong_type, KernelTypeError, "x holds f32, the matrix f16")
    check(wrong_rank, KernelTypeError, "buffers and group arrays of two dimensions; this is the array x")
    check(wrong_index, KernelTypeError, "an index must be an integer, this is f32")
    check(read_only, KernelTypeError, "x is read only; declare it GlobalMut")
    check(wrong_operator, KernelTypeError, "cooperative matrices of one type have")
    check(wrong_variable, KernelTypeError, r'a is a CooperativeMatrix\[f16, 16, 8, "a"\]')
    check(no_value, KernelError, "store returns nothing")
    check(no_groups, KernelSyntaxError, "a kernel with items has no groups of its own, hence no subgroups")
    with pytest.raises(DtypeError, match="write CooperativeMatrix"):
        CooperativeMatrix[f16, 16, 16, "c"]
    with pytest.raises(DtypeError, match="write CooperativeMatrix"):
        CooperativeMatrix[f16, 0, 16, "a"]


CooperativeMatrix_8 = CooperativeMatrix[f32, 8, 8, "accumulator"]
