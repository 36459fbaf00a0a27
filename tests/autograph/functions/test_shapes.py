"""Tensors joined, split, padded and rearranged, against NumPy.

Each element of a result is one of the operands' or a constant, so that NumPy's function of the places of the elements
says where each comes from; the gradient of an element is the sum of those of the places that it went to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import Parameter, Tensor, grad
from autograph.errors import AutographError, AxisError, DeviceError, DtypeError, ShapeError
from krnlpy import SCALAR_TYPES, Device, bf16, f32, i8, i16, i32, u64
from tests.autograph.reference import tensor
from tests.support.typed import present

Array = np.ndarray[Any, Any]
WIDTHS: Any = [(1, 0), (2, 1), (0, 3)]

CASES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "concat": (lambda x: ag.concat([x, x[:, :1], x], axis=1), lambda x: np.concatenate([x, x[:, :1], x], 1)),
    "concat of one": (lambda x: ag.concat([x], axis=-1), lambda x: x),
    "concat of the flattened": (lambda x: ag.concat([x[0], x], axis=None), lambda x: np.concatenate([x[0], x], None)),
    "concat with nothing": (lambda x: ag.concat([x, x[:0]]), lambda x: x),
    "stack": (lambda x: ag.stack([x, x], axis=-1), lambda x: np.stack([x, x], -1)),
    "stack in front": (lambda x: ag.stack([x[0], x[1]]), lambda x: np.stack([x[0], x[1]])),
    "split": (lambda x: ag.split(x, 2, axis=2)[1], lambda x: np.split(x, 2, 2)[1]),
    "split at places": (lambda x: ag.split(x, (1, 1), axis=-2)[2], lambda x: np.split(x, (1, 1), -2)[2]),
    "unstack": (lambda x: ag.unstack(x, axis=1)[2], lambda x: x[:, 2]),
    "pad": (lambda x: ag.pad(x, WIDTHS), lambda x: np.pad(x, WIDTHS)),
    "pad by reflection": (lambda x: ag.pad(x, WIDTHS, "reflect"), lambda x: np.pad(x, WIDTHS, "reflect")),
    "pad by the edge": (lambda x: ag.pad(x, WIDTHS, "edge"), lambda x: np.pad(x, WIDTHS, "edge")),
    "pad around": (lambda x: ag.pad(x, WIDTHS, "wrap"), lambda x: np.pad(x, WIDTHS, "wrap")),
    "pad all sides": (lambda x: ag.pad(x, 1, "reflect"), lambda x: np.pad(x, 1, "reflect")),
    "pad by nothing": (lambda x: ag.pad(x, 0, "edge"), lambda x: x),
    "roll": (lambda x: ag.roll(x, (1, -2), axis=(0, 2)), lambda x: np.roll(x, (1, -2), (0, 2))),
    "roll twice along an axis": (lambda x: ag.roll(x, 2, axis=(1, 1)), lambda x: np.roll(x, 2, (1, 1))),
    "roll all": (lambda x: ag.roll(x, 29), lambda x: np.roll(x, 29)),
    "flip": (lambda x: ag.flip(x, axis=(0, -1)), lambda x: np.flip(x, (0, -1))),
    "flip all": (lambda x: ag.flip(x), lambda x: np.flip(x)),
    "tile": (lambda x: ag.tile(x, (2, 1, 1, 3)), lambda x: np.tile(x, (2, 1, 1, 3))),
    "tile the last axis": (lambda x: ag.tile(x, (2,)), lambda x: np.tile(x, 2)),
    "repeat": (lambda x: ag.repeat(x, 3, axis=-2), lambda x: np.repeat(x, 3, -2)),
    "repeat all": (lambda x: ag.repeat(x, 2), lambda x: np.repeat(x, 2)),
    "repeat by counts": (lambda x: ag.repeat(x, (0, 3, 1), axis=1), lambda x: np.repeat(x, (0, 3, 1), 1)),
    "squeeze": (lambda x: ag.squeeze(x[:1, :, 1:2]), lambda x: x[0, :, 1]),
    "squeeze one": (lambda x: ag.squeeze(x[:1, :, 1:2], -1), lambda x: x[:1, :, 1]),
    "expand_dims": (lambda x: ag.expand_dims(x, (0, -2)), lambda x: np.expand_dims(x, (0, -2))),
    "moveaxis": (lambda x: ag.moveaxis(x, (0, 1), (-1, 0)), lambda x: np.moveaxis(x, (0, 1), (-1, 0))),
    "permute_dims": (lambda x: ag.permute_dims(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    "matrix_transpose": (lambda x: ag.matrix_transpose(x), lambda x: np.swapaxes(x, -1, -2)),
    "mT": (lambda x: x.mT, lambda x: np.swapaxes(x, -1, -2)),
    "T": (lambda x: x[0].T, lambda x: x[0].T),
    "flatten": (lambda x: x.flatten(), lambda x: x.flatten()),
    "tril": (lambda x: ag.tril(x), lambda x: np.tril(x)),
    "tril above": (lambda x: ag.tril(x, k=2), lambda x: np.tril(x, 2)),
    "triu": (lambda x: ag.triu(x, k=1), lambda x: np.triu(x, 1)),
    "triu below": (lambda x: ag.triu(x, k=-9), lambda x: np.triu(x, -9)),
    "diagonal": (lambda x: ag.diagonal(x), lambda x: np.diagonal(x, 0, -2, -1)),
    "diagonal above": (lambda x: ag.diagonal(x, offset=2), lambda x: np.diagonal(x, 2, -2, -1)),
    "diagonal below": (lambda x: ag.diagonal(x, offset=-1), lambda x: np.diagonal(x, -1, -2, -1)),
    "diagonal outside": (lambda x: ag.diagonal(x, offset=9), lambda x: np.diagonal(x, 9, -2, -1)),
    "diag": (lambda x: ag.diag(x[0, 1], offset=-2), lambda x: np.diag(x[0, 1], -2)),
    "broadcast_arrays": (lambda x: ag.broadcast_arrays(x[0], x)[0], lambda x: np.broadcast_to(x[0], x.shape)),
    "meshgrid": (
        lambda x: ag.meshgrid(x[0, 0], x[1, :, 0])[1],
        lambda x: np.meshgrid(x[0, 0], x[1, :, 0])[1],
    ),
    "meshgrid by matrices": (
        lambda x: ag.meshgrid(x[0, 0], x[1, :, 0], x[:, 0, 0], indexing="ij")[0],
        lambda x: np.meshgrid(x[0, 0], x[1, :, 0], x[:, 0, 0], indexing="ij")[0],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_elements_and_gradients(name: str, device: Device) -> None:
    """Small whole numbers, whose sums are exact."""
    operation, expected = CASES[name]
    array = np.random.default_rng(1).integers(-9, 10, (4, 3, 2)).astype(np.float32).transpose(2, 1, 0)
    x = Parameter(Tensor.from_numpy(array.T.copy(), device).transpose())  # strided
    x.init_grad()
    y = operation(x)
    np.testing.assert_array_equal(y.numpy(), expected(array))
    places = expected(np.arange(1, array.size + 1).reshape(array.shape))  # 0 for what is of no element
    weights = np.random.default_rng(2).integers(-9, 10, places.shape)

    def pulled(of: Array) -> Array:
        return np.bincount(places.ravel(), of.ravel(), array.size + 1)[1:].reshape(array.shape)

    y.backward(Tensor.from_numpy(weights.astype(np.float32), device))
    np.testing.assert_array_equal(present(x.grad).numpy(), pulled(weights))
    w = Tensor.from_numpy(weights.astype(np.float32), device)
    second = grad(lambda x: grad(lambda x: (operation(x) * operation(x) * w).sum())(x).sum())(x.detach())
    ones = (places != 0) * expected(np.ones_like(array))
    np.testing.assert_array_equal(second.numpy(), pulled(2 * weights * ones))


def layouts(rng: np.random.Generator, device: Device) -> tuple[Tensor, Array]:
    """A tensor of a random shape and random strides, among them 0 and some below 0, and its elements."""
    shape = rng.integers(1, 5, rng.integers(1, 5))
    array: Array = rng.standard_normal(shape).astype(np.float32)
    x = Tensor.from_numpy(array, device)
    order = tuple(rng.permutation(len(shape)).tolist())
    key = tuple(slice(None, None, int(rng.choice([-2, -1, 1, 2]))) for _ in shape)
    repeated = (2, *array.transpose(order)[key].shape) if rng.integers(4) == 0 else array.transpose(order)[key].shape
    return x.transpose(order)[key].broadcast_to(repeated), np.broadcast_to(array.transpose(order)[key], repeated)


def test_random_layouts(device: Device) -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        x, array = layouts(rng, device)
        ndim = array.ndim
        axis, other = (int(a) for a in rng.integers(-ndim, ndim, 2))
        widths = [tuple(rng.integers(0, n, 2).tolist()) for n in array.shape]
        mode: Any = rng.choice(["constant", "reflect", "edge", "wrap"])
        shifts = tuple(rng.integers(-9, 9, 2).tolist())
        times = tuple(rng.integers(0, 3, rng.integers(1, 6)).tolist())
        k = int(rng.integers(-5, 6))
        pairs = [
            (ag.concat([x, ag.flip(x, axis=other)], axis=axis), np.concatenate([array, np.flip(array, other)], axis)),
            (ag.stack([x, x], axis=axis), np.stack([array, array], axis)),
            (ag.pad(x, widths, mode), np.pad(array, widths, mode)),
            (ag.roll(x, shifts, axis=(axis, other)), np.roll(array, shifts, (axis, other))),
            (ag.tile(x, times), np.tile(array, times)),
            (ag.moveaxis(x, axis, other), np.moveaxis(array, axis, other)),
            (ag.unstack(x, axis=axis)[-1], np.moveaxis(array, axis, 0)[-1]),
        ]
        if ndim > 1:
            pairs += [
                (ag.tril(x, k=k), np.tril(array, k)),
                (ag.diagonal(x, offset=k), np.diagonal(array, k, -2, -1)),
            ]
        for found, expected in pairs:
            np.testing.assert_array_equal(found.numpy(), expected)


VIEWS = (
    *("split", "unstack", "flip", "squeeze", "expand_dims", "moveaxis", "permute_dims", "matrix_transpose", "mT", "T"),
    *("diagonal", "diagonal below", "broadcast_arrays", "meshgrid"),
)


@pytest.mark.parametrize("name", VIEWS)
def test_views_share_memory(name: str, device: Device) -> None:
    x = Tensor.zeros((2, 4, 3), f32, device).transpose(0, 2, 1)
    y = CASES[name][0](x)
    assert y.buffer.memory is x.buffer.memory
    x.fill(1)
    assert not y.numpy().any()


def test_all_dtypes(device: Device) -> None:
    """Rearranging computes nothing, so that devices without arithmetic of 64 bits do it, too."""
    for dtype in SCALAR_TYPES:
        array: Array = np.arange(6).reshape(2, 3).astype(dtype.dtype)
        x = Tensor.from_numpy(array, device)
        found = ag.concat([ag.pad(x, 1, "edge"), ag.stack([x, x], axis=1).reshape(4, 3)], axis=1)
        expected = np.concatenate([np.pad(array, 1, "edge"), np.stack([array, array], 1).reshape(4, 3)], 1)
        assert found.dtype is dtype
        np.testing.assert_array_equal(found.numpy(), expected)
        np.testing.assert_array_equal(ag.roll(ag.flip(x), 1).numpy(), np.roll(np.flip(array), 1))


def test_dtypes_are_promoted_when_joined(device: Device) -> None:
    x, y = Tensor.ones(2, i8, device), Tensor.full(2, 300, i16, device)
    assert ag.concat([x, y]).dtype is ag.stack([x, y]).dtype is i16
    assert ag.concat([x, y]).numpy().tolist() == [1, 1, 300, 300]
    w = Parameter(Tensor.ones(2, bf16, device))
    w.init_grad()
    joined = ag.concat([w, Tensor.ones(2, f32, device)])
    assert joined.dtype is f32
    joined.sum().backward()
    assert present(w.grad).dtype is bf16 and present(w.grad).numpy().tolist() == [1, 1]


def test_narrow_floats_are_folded_in_f32(device: Device) -> None:
    """256 + 1 is 256 in bf16: one after the other, the gradients of both borders would be lost."""
    x = Parameter(Tensor.ones(1, bf16, device))
    x.init_grad()
    gradient = tensor([1, 256, 1], bf16, device)
    ag.pad(x, 1, "edge").backward(gradient)
    assert present(x.grad).item() == 258


def test_no_elements(device: Device) -> None:
    x = Tensor.zeros((2, 0, 3), f32, device)
    for y, shape in (
        (ag.concat([x, x], axis=1), (2, 0, 3)),
        (ag.stack([x, x]), (2, 2, 0, 3)),
        (ag.pad(x, [(0, 0), (1, 1), (0, 0)]), (2, 2, 3)),
        (ag.pad(x, [(1, 1), (0, 0), (0, 0)], "edge"), (4, 0, 3)),
        (ag.roll(x, 1, axis=1), (2, 0, 3)),
        (ag.roll(x, 1), (2, 0, 3)),
        (ag.tile(x, (0, 2, 2)), (0, 0, 6)),
        (ag.diagonal(x), (2, 0)),
        (ag.tril(x), (2, 0, 3)),
        (ag.trace(x), (2,)),
        (ag.diag(x[0, :, 0], offset=1), (1, 1)),
        (ag.flip(x), (2, 0, 3)),
    ):
        assert y.shape == shape and not y.numpy().any()
    assert ag.unstack(x, axis=1) == () and len(ag.split(x, 3, axis=1)) == 3


def test_counts_of_repetitions(device: Device) -> None:
    x = Tensor.from_numpy(np.arange(3, dtype=np.int32), device)
    for dtype in ("uint8", "int32", "int64"):
        counts = Tensor.from_numpy(np.array([2, 0, 1], dtype), device)
        assert ag.repeat(x, counts).tolist() == [0, 0, 2]
    assert ag.repeat(x, Tensor.full(1, 2, i32, device)).tolist() == [0, 0, 1, 1, 2, 2]
    assert ag.repeat(x, 0).tolist() == [] and ag.repeat(x, [0, 0, 0]).tolist() == []
    assert ag.repeat(x[:0], []).tolist() == ag.repeat(x[:0], 2).tolist() == []


def test_no_axes(device: Device) -> None:
    x = Tensor.full((), 5.0, f32, device)
    assert ag.concat([x, x], axis=None).numpy().tolist() == ag.stack([x, x]).numpy().tolist() == [5, 5]
    assert ag.expand_dims(x).shape == x.flatten().shape == (1,)
    for y in (ag.squeeze(x), ag.flip(x), ag.roll(x, 1), ag.pad(x, 1), ag.permute_dims(x, ()), ag.tile(x, ())):
        assert y.shape == () and y.item() == 5


def test_all_can_be_captured(device: Device) -> None:
    x = Tensor.ones((3, 3), f32, device)
    with device.capture() as graph:
        y = ag.tril(ag.pad(ag.concat([x, ag.roll(x + 1, 1)], axis=1), 1, "edge")) + ag.eye(5, 8, device=device)
    x.fill(2)
    graph.replay()
    array = np.full((3, 3), 2, np.float32)
    expected = np.tril(np.pad(np.concatenate([array, array + 1], 1), 1, "edge")) + np.eye(5, 8)
    np.testing.assert_array_equal(y.numpy(), expected)


def test_trace(device: Device) -> None:
    array = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    x = Tensor.from_numpy(array, device)
    assert ag.trace(x, offset=1).numpy().tolist() == np.trace(array, 1, -2, -1).tolist()
    assert ag.trace(x, dtype=f32).dtype is f32 and ag.trace(x.cast(i8)).dtype is i32


def test_broadcast_shapes() -> None:
    assert ag.broadcast_shapes((2, 1), (3,), ()) == (2, 3) and ag.broadcast_shapes() == ()
    with pytest.raises(ShapeError, match="must be equal or 1"):
        ag.broadcast_shapes((2,), (3,))


X = Tensor.zeros((2, 3))
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "concat of nothing": (lambda: ag.concat([]), ShapeError, "at least one"),
    "concat of a tensor": (lambda: ag.concat(X), DtypeError, "a list or a tuple"),  # type: ignore[arg-type]
    "concat of other lengths": (lambda: ag.concat([X, X[:, :1]]), ShapeError, "other lengths must be equal"),
    "concat of other axes": (lambda: ag.concat([X, X[0]]), ShapeError, "other lengths must be equal"),
    "concat along no axis": (lambda: ag.concat([X], axis=2), ShapeError, "one of 2 axes, -2 to 1"),
    "concat of scalars": (lambda: ag.concat([X.sum()]), ShapeError, "one of 0 axes"),
    "concat of arrays": (lambda: ag.concat([np.ones(2)]), DtypeError, "takes a tensor"),  # type: ignore[list-item]
    "concat of no common dtype": (lambda: ag.concat([X.cast(u64), X.cast(i8)]), DtypeError, "no integer type"),
    "concat on two devices": (
        lambda: ag.concat([X, X.to_device(Device.interpreter())]),
        DeviceError,
        "to_device",
    ),
    "stack of other shapes": (lambda: ag.stack([X, X[0]]), ShapeError, "must be equal"),
    "stack along no axis": (lambda: ag.stack([X], axis=-4), ShapeError, "one of 3 axes"),
    "split unequally": (lambda: ag.split(X, 2, axis=1), ShapeError, "axis 1 has length 3"),
    "split into none": (lambda: ag.split(X, 0), ShapeError, "into 0 sections"),
    "split backwards": (lambda: ag.split(X, [2, 1], axis=1), ShapeError, "ascending places"),
    "split past the end": (lambda: ag.split(X, [4], axis=1), ShapeError, "ascending places"),
    "split at text": (lambda: ag.split(X, "a"), ShapeError, "number of sections"),  # type: ignore[arg-type]
    "pad by less than nothing": (lambda: ag.pad(X, -1), ShapeError, "at least 0"),
    "pad of other axes": (lambda: ag.pad(X, [(1, 1)]), ShapeError, "for each axis"),
    "pad by too much of a reflection": (lambda: ag.pad(X, [(2, 0), (0, 0)], "reflect"), ShapeError, "at most 1"),
    "pad around too far": (lambda: ag.pad(X, 3, "wrap"), ShapeError, "at most 2"),
    "pad nothing by its edge": (lambda: ag.pad(X[:0], 1, "edge"), ShapeError, "at most 0"),
    "pad otherwise": (lambda: ag.pad(X, 1, "mirror"), AutographError, "'reflect'"),  # type: ignore[arg-type]
    "pad integers by a fraction": (lambda: ag.pad(X.cast(i8), 1, constant_value=0.5), DtypeError, "whole number"),
    "roll by two": (lambda: ag.roll(X, (1, 2), axis=0), ShapeError, "one shift"),
    "squeeze a long axis": (lambda: ag.squeeze(X, 0), ShapeError, "only axes of length 1"),
    "expand_dims too far": (lambda: ag.expand_dims(X, 3), AxisError, "one of 3 axes"),
    "squeeze no axis": (lambda: ag.squeeze(X, 2), AxisError, "axes 0 to 1"),
    "expand_dims twice": (lambda: ag.expand_dims(X, (0, -4)), ShapeError, "named twice"),
    "moveaxis of other counts": (lambda: ag.moveaxis(X, (0, 1), 0), ShapeError, "equally many"),
    "permute_dims of some": (lambda: ag.permute_dims(X, (0,)), ShapeError, "each of its axes once"),
    "tile by less than nothing": (lambda: ag.tile(X, (-1,)), ShapeError, "at least 0"),
    "repeat by less than nothing": (lambda: ag.repeat(X, -1), ShapeError, "at least 0"),
    "repeat by fractions": (lambda: ag.repeat(X, 1.5), DtypeError, "whole numbers"),  # type: ignore[arg-type]
    "repeat by other counts": (lambda: ag.repeat(X, [1, 2], axis=1), ShapeError, r"expected \(3,\)"),
    "tril of a vector": (lambda: ag.tril(X[0]), ShapeError, "a matrix or a stack"),
    "diagonal of a vector": (lambda: ag.diagonal(X[0]), ShapeError, "a matrix or a stack"),
    "diag of a matrix": (lambda: ag.diag(X), ShapeError, "diagonal"),
    "mT of a vector": (lambda: X[0].mT, ShapeError, "a matrix or a stack"),
    "T of a vector": (lambda: X[0].T, ShapeError, r"transpose\(\)"),
    "T of a stack": (lambda: ag.stack([X, X]).T, ShapeError, r"\.mT"),
    "meshgrid of matrices": (lambda: ag.meshgrid(X), ShapeError, "vectors"),
    "meshgrid otherwise": (lambda: ag.meshgrid(X[0], indexing="yx"), AutographError, "'ij'"),  # type: ignore[arg-type]
    "broadcast_arrays that differ": (lambda: ag.broadcast_arrays(X, X.T), ShapeError, "must be equal or 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()
