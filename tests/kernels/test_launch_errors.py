"""What can be wrong with a launch, and what is said before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest

from autograph import Tensor
from krnlpy import (
    Buffer,
    Device,
    DtypeError,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    KernelSyntaxError,
    KernelTypeError,
    LaunchError,
    LimitExceeded,
    MissingFeatures,
    Out,
    ShapeError,
    Spec,
    bf16,
    f32,
    f64,
    i8,
    i32,
    i64,
    kernel,
    u8,
)
from krnlpy.dsl import barrier, global_id, group_array, thread_id, vec2
from tests.support.kernels import axpy, saxpy
from tests.support.tiers import one_vulkan_device
from tests.support.typed import untyped

pytestmark = one_vulkan_device

T = TypeVar("T")
F = TypeVar("F", f32, bf16)


@kernel
def scaled(x: ItemMut[F], by: f32, N: Spec[i32], M: Spec[i32] = 2) -> None:
    x = x * by * f32(N * M)


@kernel
def transpose(a: Global[f32, 2], out: GlobalMut[f32, 2]) -> None:
    i, j = global_id(0), global_id(1)
    if i < a.shape[0] and j < a.shape[1]:
        out[j, i] = a[i, j]


@kernel
def typed(flag: bool, small: i8, real: f32, half: bf16, out: ItemMut[f32]) -> None:
    out = real + half + f32(small) if flag else 0.0


@kernel
def total(value: T, out: Out[f32]) -> None:
    if global_id() == 0:
        out[0] = f32(value)


X = Buffer.ones(4, f32)


@pytest.fixture(autouse=True)
def nothing_is_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mistake is found before the backend is asked for anything."""

    def launched(*_: Any) -> None:
        raise AssertionError("launched")

    monkeypatch.setattr(type(Device.host().backend), "launch", launched)


class Dlpack:
    """An array of another library's."""

    shape = (4,)

    def __dlpack__(self) -> None: ...


@kernel
def of_vectors(v: ItemMut[vec2]) -> None:
    v *= 2.0


CALLS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    # count and names of arguments
    (lambda: saxpy(1.0, X), LaunchError, "saxpy takes 3 arguments (alpha, x, y); missing: y"),
    (lambda: saxpy(), LaunchError, "saxpy takes 3 arguments (alpha, x, y); missing: alpha, x, y"),
    (lambda: saxpy(1.0, X, X, X), LaunchError, "saxpy takes 3 arguments (alpha, x, y), 4 were given"),
    (lambda: saxpy(1.0, X, X, z=X), LaunchError, "saxpy has no parameter z; it has alpha, x, y"),
    (lambda: saxpy(1.0, X, x=X), LaunchError, "saxpy: x was given twice, by place and by name"),
    (lambda: scaled(X, 1.0, 2), LaunchError, "scaled takes 2 arguments (x, by), 3 were given; give M, N by name or"),
    # kinds of arguments
    (lambda: saxpy(1.0, np.ones(4), X), LaunchError, "saxpy: x is a buffer; got a NumPy array of shape (4,); Buffer"),
    (lambda: saxpy(1.0, [1.0], X), LaunchError, "saxpy: x is a buffer; got [1.0] (list)"),
    (
        lambda: saxpy(1.0, Tensor.ones(4), X),
        LaunchError,
        "saxpy: x is a buffer; got a Tensor of shape (4,); its .buffer is one",
    ),
    (
        lambda: saxpy(1.0, Dlpack(), X),
        LaunchError,
        "saxpy: x is a buffer; got a Dlpack of shape (4,); Buffer.from_dlpack makes one",
    ),
    (lambda: of_vectors(Tensor.ones((4, 2))), LaunchError, "expected a Buffer, got a Tensor; its .buffer is one"),
    (lambda: saxpy(Tensor.ones(4), X, X), LaunchError, "saxpy: alpha is f32; got a Tensor of shape (4,)"),
    (lambda: saxpy(X, X, X), LaunchError, "saxpy: alpha is f32; got a Buffer"),
    (lambda: saxpy("2", X, X), LaunchError, "saxpy: alpha is f32; got '2' (str)"),
    (lambda: saxpy(None, X, X), LaunchError, "saxpy: alpha is f32; got None (NoneType)"),
    (lambda: saxpy(1j, X, X), LaunchError, "saxpy: alpha is f32; got 1j (complex)"),
    (lambda: saxpy(np.ones(()), X, X), LaunchError, "saxpy: alpha is f32; got a NumPy array of shape ()"),
    (lambda: saxpy(np.datetime64(1, "s"), X, X), LaunchError, "saxpy: alpha is f32; got np.datetime64("),
    (lambda: saxpy(1e39, X, X), LaunchError, "saxpy: alpha is f32; 1e+39 (float) is beyond its range"),
    (lambda: saxpy(np.float64(-1e39), X, X), LaunchError, "saxpy: alpha is f32; np.float64(-1e+39) (float64) is"),
    (lambda: saxpy(10**400, X, X), LaunchError, "is beyond its range"),
    (lambda: typed(1, 1, 1.0, 1.0, X), LaunchError, "typed: flag is bool; got 1 (int)"),
    (lambda: typed(True, 128, 1.0, 1.0, X), LaunchError, "typed: small is i8, from -128 to 127; got 128"),
    (lambda: typed(True, np.int64(-129), 1.0, 1.0, X), LaunchError, "typed: small is i8, from -128 to 127; got -129"),
    (lambda: typed(True, 1.0, 1.0, 1.0, X), LaunchError, "typed: small is i8; got 1.0 (float); i8(...) converts"),
    (lambda: typed(True, np.float32(1), 1.0, 1.0, X), LaunchError, "typed: small is i8; got np.float32(1.0) (float32)"),
    (lambda: typed(True, 1, 1.0, 3.4e38, X), LaunchError, "typed: half is bf16; 3.4e+38 (float) is beyond its range"),
    # types, dimensions, shapes
    (lambda: saxpy(1.0, X, Buffer.ones(4, f64)), DtypeError, "saxpy: y is a buffer of f32; got one of f64: .cast(f32)"),
    (lambda: axpy(1, X, Buffer.ones(4, i32)), DtypeError, "axpy: x and y share the type T, but x is f32 and y is i32"),
    (lambda: scaled(Buffer.ones(1, u8), 1.0, N=1), DtypeError, "scaled: x is u8; F is one of f32, bf16"),
    (lambda: total.with_groups(1)(1.0, X), LaunchError, "total: the type of T is not known; give value as a NumPy"),
    (lambda: transpose.with_groups(1)(X, X.reshape((2, 2))), ShapeError, "transpose: a has 2 dimensions; got a buf"),
    (lambda: saxpy(1.0, Buffer.ones(5, f32), X), ShapeError, "saxpy: items have unequal shapes: x (5,), y (4,); .broa"),
    (lambda: saxpy(1.0, Buffer.ones(1, f32), X), ShapeError, "saxpy: items have unequal shapes: x (1,), y (4,)"),
    (lambda: saxpy(1.0, X.reshape((2, 2)), X), ShapeError, "saxpy: items have unequal shapes: x (2, 2), y (4,)"),
    (lambda: saxpy(1.0, X[:0], X), ShapeError, "saxpy: items have unequal shapes: x (0,), y (4,)"),
    # what is written to
    (lambda: saxpy(1.0, X, X[0].broadcast_to(4)), LaunchError, "saxpy: y is written to; got a broadcast buffer (sha"),
    (lambda: transpose.with_groups(1)(X.reshape((2, 2)), X[:2].broadcast_to((2, 2))), LaunchError, "out is written to"),
    (lambda: saxpy(1.0, X[:3], X[1:]), LaunchError, "saxpy: y is written to and shares elements with x at other ind"),
    (lambda: saxpy(1.0, X.reshape((2, 2)).transpose(), X.reshape((2, 2))), LaunchError, "shares elements with x"),
    (lambda: saxpy(1.0, X[:1].broadcast_to(4), X), LaunchError, "saxpy: y is written to and shares elements with x"),
    # specs
    (lambda: scaled(X, 1.0), LaunchError, "scaled: N has no value and no default; .specialize(N=...) gives it one"),
    (lambda: scaled.specialize(K=1), LaunchError, "scaled has no Spec parameter K; it has N, M"),
    (lambda: saxpy.specialize(alpha=1), LaunchError, "saxpy has no Spec parameter alpha; it has none"),
    (lambda: scaled.specialize(N=1.5), LaunchError, "scaled: N is i32; got 1.5 (float)"),
    (lambda: scaled(X, 1.0, N=2**31), LaunchError, "scaled: N is i32, from -2147483648 to 2147483647; got 2147483648"),
    # geometry
    (lambda: transpose(X.reshape((2, 2)), X.reshape((2, 2))), LaunchError, "transpose has no items to count; .with_gr"),
    (lambda: transpose.with_groups(-1), LaunchError, "transpose: groups (-1, 1, 1): expected numbers of at least 0"),
    (lambda: transpose.with_groups(1.0), LaunchError, "transpose: groups (1.0, 1, 1): expected integers"),
    (lambda: transpose.with_groups(True), LaunchError, "transpose: groups (True, 1, 1): expected integers"),
    (lambda: transpose.with_global_threads(1, -1), LaunchError, "transpose: global threads (1, -1, 1): expected num"),
    (lambda: transpose.with_threads(0), LaunchError, "transpose: threads (0, 1, 1): expected numbers of at least 1"),
    (lambda: saxpy.with_threads(4, 4), LaunchError, "saxpy: threads (4, 4, 1): a kernel with items has one axis"),
    (lambda: saxpy.with_groups(4, 4), LaunchError, "saxpy: groups (4, 4, 1): a kernel with items has one axis"),
    (lambda: kernel(threads=(1,) * 4)(untyped(transpose).__wrapped__), LaunchError, "groups have one to three axes"),
    (lambda: kernel(threads=())(untyped(transpose).__wrapped__), LaunchError, "groups have one to three axes"),
    (lambda: kernel(threads=(8, 8))(untyped(saxpy).__wrapped__), LaunchError, "a kernel with items has one axis"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), CALLS, ids=[message[:60] for _, _, message in CALLS])
def test_wrong_calls(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    for _ in range(2):  # nothing is remembered of a call that failed
        with pytest.raises(error) as caught:
            call()
        assert message in str(caught.value)
        assert type(caught.value) is error


def test_a_good_call_does_not_hide_a_bad_one(monkeypatch: pytest.MonkeyPatch) -> None:
    launches: list[Any] = []
    monkeypatch.setattr(type(Device.host().backend), "launch", lambda *a: launches.append(a))
    x, y = Buffer.ones(4, f32), Buffer.ones(4, f32)
    saxpy(1.0, x, y)
    for wrong, error in (
        ((1.0, x[:2], y), ShapeError),
        (("1", x, y), LaunchError),
        ((1.0, x, Buffer.ones(4, i32)), DtypeError),
        ((1.0, x, x.reshape((2, 2))), ShapeError),
        ((1.0, y[:3], y[1:]), LaunchError),
        ((1.0, x.to_device(Device.interpreter()), y), LaunchError),
    ):
        with pytest.raises(error):
            saxpy(*wrong)
    assert len(launches) == 1


def test_buffers_on_several_devices() -> None:
    there = Buffer.ones(4, f32, Device.interpreter())
    with pytest.raises(LaunchError) as caught:
        saxpy(1.0, X, there)
    assert str(caught.value) == (
        "saxpy: y is on Device.interpreter(), x on Device.host(); all buffers of a launch are on one device:"
        " .to_device() moves them"
    )


def test_no_buffers() -> None:
    @kernel
    def alone(x: f32) -> None:
        y = x

    with pytest.raises(LaunchError, match="alone has no buffers"):
        alone.with_groups(1)(1.0)


def test_kernels_that_are_none() -> None:
    with pytest.raises(KernelTypeError, match="parameter x has no annotation"):

        @kernel
        def without(x) -> None:
            pass

    with pytest.raises(KernelSyntaxError):
        kernel(lambda: None)

    @kernel
    def mistaken(x: Item[f32], n: i64, y: ItemMut[f32]) -> None:
        y = x * n

    for _ in range(2):
        with pytest.raises(KernelTypeError, match=r"test_launch_errors\.py:\d+: \* of f32 and i64"):
            mistaken(X, 1, Buffer.ones(4, f32))


# ------------------------------------------------------------------------------------------------------------ limits


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Gives the interpreter other limits, for kernels that no plan exists of."""
    backend = Device.interpreter().backend

    def limit(**limits: Any) -> None:
        monkeypatch.setattr(backend, "info", replace(backend.info, **limits))

    return limit


def test_threads_beyond_the_device(device: Device) -> None:
    a = Buffer.ones((2, 2), f32, device)
    most = device.info.max_threads
    with pytest.raises(
        LimitExceeded, match=rf"transpose: groups of \({most}, 2, 1\) are {2 * most} threads; .* at most"
    ):
        transpose.with_threads(most, 2).with_groups(1)(a, a)
    z = device.info.max_threads_xyz[2]
    with pytest.raises(LimitExceeded, match="along x, y and z; choose by threads= or"):
        transpose.with_threads(1, 1, z + 1).with_groups(1)(a, a)


def test_more_groups_than_ids_can_count(device: Device) -> None:
    a = Buffer.ones((2, 2), f32, device)
    launch = transpose.with_threads(1)
    with pytest.raises(LimitExceeded, match=r"transpose: \(1, 2147483648, 1\) groups of \(1, 1, 1\)"):
        launch.with_groups(1, 2**31)(a, a)
    with pytest.raises(LimitExceeded, match="along an axis"):
        launch.with_global_threads(2**31)(a, a)


def test_ids_are_counted_in_32_bits() -> None:
    a = Buffer.ones((2, 2), f32)
    with pytest.raises(LimitExceeded, match="more than 2147483647 along an axis"):
        transpose.with_threads(2).with_groups(2**30)(a, a)


def test_fewer_threads_where_the_device_has_fewer(
    limited: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    @kernel
    def plain(out: ItemMut[f32]) -> None:
        out = 1.0

    @kernel
    def shares(out: GlobalMut[f32]) -> None:
        a = group_array(f32, 256)
        a[thread_id()] = 1.0
        barrier()
        out[0] = a[255]

    limited(max_threads=128)
    out = Buffer.zeros(300, f32, Device.interpreter())
    launched: list[Any] = []
    monkeypatch.setattr(type(out.device.backend), "launch", lambda *a: launched.append((a[1].threads, a[2])))
    plain(out)
    assert launched == [((128, 1, 1), (3, 1, 1))]
    with pytest.raises(LimitExceeded, match=r"shares: groups of \(256, 1, 1\) are 256 threads; .* at most 128"):
        shares.with_groups(1)(out)
    with pytest.raises(LimitExceeded, match=r"plain: groups of \(256, 1, 1\)"):
        plain.with_threads(256)(out)


def test_more_elements_than_kernels_count() -> None:
    """The limits are those of indices, not of memory: a broadcast view needs none."""
    one = Buffer.ones(1, u8)

    @kernel
    def read(x: Item[u8], table: Global[u8], y: ItemMut[u8]) -> None:
        y = x + table[0]

    many = one.broadcast_to(2**31)
    assert not many.can_be_indexed and one.broadcast_to(2**31 - 1).can_be_indexed
    with pytest.raises(
        LimitExceeded, match="read: table has 2147483648 elements in 1 bytes of memory; kernels count to 2147483647"
    ):
        read(one, many, one)


def test_types_that_the_device_has_not(device: Device) -> None:
    if "float64" in device.info.features:
        pytest.skip("has all types")

    @kernel
    def double(x: ItemMut[f64]) -> None:
        x = x * 2.0

    x = Buffer.ones(3, f64, device)
    with pytest.raises(MissingFeatures, match=r"double.* needs float64"):
        double(x)
    assert x.numpy().tolist() == [1, 1, 1]  # stored and copied it is all the same
