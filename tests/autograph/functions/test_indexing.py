"""What keys select and change, by NumPy's rules: integers, slices, None, ellipses, masks and whole numbers, mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor, grad
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from krnlpy import SCALAR_TYPES, Device, ScalarType, f16, f32, f64, i8, i32, i64, u8, u64
from krnlpy.errors import CaptureError, LimitExceeded
from tests.support.devices import requires
from tests.support.tiers import deep
from tests.support.typed import present, untyped

Array = np.ndarray[Any, Any]

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5, 3, 2)).astype(np.float32)
ROWS = np.array([[0, -1, 2], [3, 3, 1]])
MASK = RNG.random((4, 5)) > 0.5
NONE = np.zeros((5, 3), bool)

KEYS: list[Any] = [
    ROWS,
    (slice(None), ROWS),
    (ROWS, ROWS),
    (ROWS, slice(None), np.array([0, 1, 2])),  # apart: the axes of the indices come first
    (0, slice(None), ROWS % 2),  # an integer beside indices is one of them
    (slice(None), 0, ROWS % 3),
    (..., ROWS % 2),
    (ROWS, None, ROWS % 3),
    (None, ROWS),
    (slice(1, 3), np.array([1, 0, 1])),
    (slice(None, None, -1), np.array([0, 2]), slice(None), np.array([1, 1])),
    (ROWS, slice(None), slice(None, None, -2), 0),
    np.array(2),
    (np.array(1), ..., np.array(0)),
    (np.int64(1), None, slice(3, None, -2)),
    MASK,
    (MASK, np.array([1])),
    (slice(None), NONE),
    (slice(None), ~NONE, -1),
    np.array(True),
    (slice(None), np.array(False)),
    np.zeros(0, np.int32),
]


def as_tensors(key: Any, device: Device) -> Any:
    """The key with tensors for arrays; 32 bits are known to every device."""
    if isinstance(key, tuple):
        return tuple(as_tensors(k, device) for k in key)
    if isinstance(key, np.ndarray):
        return Tensor.from_numpy(key if key.dtype == bool else key.astype(np.int32), device)
    return key


def test_keys(device: Device) -> None:
    for key in KEYS:
        expected = X[key]
        for given in (key, as_tensors(key, device)):
            x = Parameter(Tensor.from_numpy(X, device))
            x.init_grad()
            found = x[given]
            assert found.shape == expected.shape, key
            np.testing.assert_array_equal(found.numpy(), expected, err_msg=str(key))
        # Small whole numbers, whose sums are exact in any order.
        dy = RNG.integers(-9, 9, expected.shape).astype(np.float32)
        found.backward(Tensor.from_numpy(dy, device))
        slope = np.zeros_like(X)
        np.add.at(slope, key, dy)
        np.testing.assert_array_equal(present(x.take_grad()).numpy(), slope, err_msg=str(key))


def test_changed_keys(device: Device) -> None:
    for i, key in enumerate(KEYS):
        shape = X[key].shape
        values = [RNG.standard_normal(shape).astype(np.float32), RNG.standard_normal(shape[1:]).astype(np.float32), 7.0]
        for given, value in zip((key, as_tensors(key, device)), (values[i % 3], values[(i + 1) % 3]), strict=True):
            expected = X.copy()
            expected[key] = value
            x = Tensor.from_numpy(X, device)
            other = x.detach()
            x[given] = Tensor.from_numpy(value, device) if i % 2 and isinstance(value, np.ndarray) else value
            np.testing.assert_array_equal(x.numpy(), expected, err_msg=str(key))
            np.testing.assert_array_equal(other.numpy(), X)


@deep
@pytest.mark.parametrize("first", range(0, 400, 50))
def test_random_keys(first: int, device: Device) -> None:
    """Read and changed, of tensors that are transposed and reversed."""
    for seed in range(first, first + (50 if device.info.backend != "interpreter" else 5)):
        rng = np.random.default_rng(seed)
        shape = tuple(map(int, rng.integers(1, 5, rng.integers(1, 5))))
        memory = rng.integers(-9, 9, shape).astype(np.float32)
        order = tuple(map(int, rng.permutation(len(shape))))
        array = memory.transpose(order)[::-1]
        x = Tensor.from_numpy(memory, device).transpose(order)[::-1]
        length = int(rng.choice((1, 3)))
        whole: list[Any] = [rng.random(array.shape[: rng.integers(len(shape) + 1)]) < 0.5]
        keys: list[Any] = []
        for n in array.shape:
            low, high = sorted(rng.integers(-n, n + 1, 2).tolist())
            indices = rng.integers(-n, n, ((), (length,), (2, 1), (2, length))[rng.integers(4)])
            keys.append((int(rng.integers(-n, n)), slice(low, high, 2), slice(high, low, -1), indices)[rng.integers(4)])
            if rng.random() < 0.2:
                keys.append(None)
        plain = whole if rng.random() < 0.2 else keys
        key = tuple(plain[: rng.integers(len(plain) + 1)])
        given = as_tensors(key, device) if rng.random() < 0.5 else key
        expected = array[key]
        found = x[given]
        assert found.shape == expected.shape, (seed, key)
        np.testing.assert_array_equal(found.numpy(), expected, err_msg=f"{seed} {key}")
        values = rng.standard_normal(expected.shape[int(rng.integers(expected.ndim + 1)) :]).astype(np.float32)
        changed = array.copy()
        changed[key] = values
        x[given] = values
        np.testing.assert_array_equal(x.numpy(), changed, err_msg=f"{seed} {key}")


def test_of_views_and_in_views(device: Device) -> None:
    """Transposed, reversed and repeated tensors; keys that no view of one form reaches."""
    for make in (lambda a: a.T, lambda a: a[::-1, :, ::2], lambda a: np.broadcast_to(a[:1], a.shape)):
        array = make(X)
        x = Tensor.from_numpy(X, device)
        x = (
            x.transpose()
            if array.shape == X.T.shape
            else x[::-1, :, ::2]
            if array.shape == X[:, :, ::2].shape
            else x[:1]
        )
        x = x.broadcast_to(array.shape)
        for key in ([1, 0, 1], (slice(None), [2, 0], slice(None), [0, 1]), array > 0):
            np.testing.assert_array_equal(x[key].numpy(), array[key])
            expected = array.copy()
            expected[key] = 5
            changed = x.detach()
            changed[key] = 5
            np.testing.assert_array_equal(changed.numpy(), expected)
            np.testing.assert_array_equal(x.numpy(), array)


def test_views_stay_views() -> None:
    x = Tensor.from_numpy(X)
    for key in (0, (slice(None), 1), (..., slice(None, None, 2)), (None, 1), (), (np.int32(1), None), slice(1, 3)):
        found = x[key]
        assert found.share.users is x.share.users
        np.testing.assert_array_equal(found.numpy(), X[key])
    x[0].fill(5)
    np.testing.assert_array_equal(x.numpy(), X)
    assert [row.shape for row in x] == [(5, 3, 2)] * 4


@pytest.mark.parametrize("dtype", SCALAR_TYPES, ids=str)
def test_all_dtypes(dtype: ScalarType, device: Device) -> None:
    """Bits are moved: NaN, infinities and the signs of zeros stay."""
    requires(device, dtype)
    array = np.array([0, 1, 2, 3, 1, 0], np.float32)
    if dtype.is_float:
        array = np.array([-0.0, 1.5, np.nan, -np.inf, 2.0, 0.0], np.float32)
    x = Tensor.from_numpy(array).cast(dtype).to_device(device)
    found = x[as_tensors(np.array([0, 2, -3, -1, 4]), device)]
    assert found.dtype is dtype
    bits = np.dtype(f"u{dtype.size}")
    np.testing.assert_array_equal(found.numpy().view(bits), x.numpy()[[0, 2, 3, 5, 4]].view(bits))
    mask = Tensor.from_numpy(np.array([1, 0, 1, 0, 0, 1], bool), device)
    np.testing.assert_array_equal(x[mask].numpy().view(bits), x.numpy()[[0, 2, 5]].view(bits))
    y = x.detach()
    y[as_tensors(np.array([1, 0, 1]), device)] = x[2:5]  # the last one of two stays
    np.testing.assert_array_equal(y.numpy()[:2].view(bits), x.numpy()[[3, 4]].view(bits))
    y[mask] = x[1]
    np.testing.assert_array_equal(y.numpy()[[0, 2, 5]].view(bits), x.numpy()[[1, 1, 1]].view(bits))


INTEGERS = [type for type in SCALAR_TYPES if type.is_integer]


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_indices_of_all_integer_types(dtype: ScalarType, device: Device) -> None:
    """Those out of range, too, which no 32 bits may hide: an error on the host, NaN or nothing on a device."""
    requires(device, dtype)
    x = Tensor.from_numpy(np.arange(1, 5, dtype=np.float32), device)
    right = np.array([3, 0, 1] + ([-1, -4] if dtype.min else []), dtype.dtype)
    np.testing.assert_array_equal(x[Tensor.from_numpy(right, device)].numpy(), x.numpy()[right])
    wrong = [4, dtype.max] + ([dtype.min, -5] if dtype.min else [])
    if dtype.size == 8:
        wrong += [2**32, 2**32 + 1, 2**40 + 2] + ([-(2**32), 1 - 2**32] if dtype.min else [2**64 - 2**32 + 1])
    index = Tensor.from_numpy(np.array([*wrong, 1], dtype.dtype), device)
    if device.is_host:
        for i in range(len(wrong)):
            with pytest.raises(ShapeError, match=r"index -?\d+ is out of range: axis 0 has length 4"):
                x[index[i]]
        before = x.numpy()
        with pytest.raises(ShapeError, match="is out of range"):
            x[index] = 0
        np.testing.assert_array_equal(x.numpy(), before)
        return
    np.testing.assert_array_equal(x[index].numpy(), [*[np.nan] * len(wrong), 2])
    assert x.cast(i32)[index].numpy().tolist() == [*[0] * len(wrong), 2]
    assert np.isnan(x.cast(f16)[index[:1]].cast(f32).numpy()).all()
    x[index] = 9
    assert x.numpy().tolist() == [1, 9, 3, 4]


def test_of_several_for_one_place_the_last_stays(device: Device) -> None:
    index = RNG.integers(-7, 7, 3000 if device.info.backend != "interpreter" else 40)
    for columns in ((), (3,)):
        values = RNG.standard_normal((index.size, *columns)).astype(np.float32)
        expected = np.zeros((7, *columns), np.float32)
        expected[index] = values
        x = Tensor.zeros(expected.shape, f32, device)
        x[as_tensors(index, device)] = Tensor.from_numpy(values, device)
        np.testing.assert_array_equal(x.numpy(), expected)


def test_values_are_converted_and_broadcast(device: Device) -> None:
    x = Tensor.zeros((2, 3), u8, device)
    x[0] = [1.9, -5, 300]  # as by cast
    x[1:, ::2] = Tensor.from_numpy(np.array([[7], [8]], np.int32)[:1], device)
    assert x.numpy().tolist() == [[1, 0, 255], [7, 0, 7]]
    x[...] = np.array([[[1, 2, 3]]])  # axes of length 1 in front may be left out
    x[:, [0, 2]] = Tensor.from_numpy(np.array([True, False]), device)
    assert x.numpy().tolist() == [[1, 2, 0], [1, 2, 0]]
    x[1] = x[0]
    x[::-1] = x
    x[:, [2, 1, 0]] = x
    assert x.numpy().tolist() == [[0, 2, 1], [0, 2, 1]]
    x[x == 0] += 5
    x[0, 0] = np.float64(4)
    assert x.numpy().tolist() == [[4, 2, 1], [5, 2, 1]]


def test_a_mask_sets_without_waiting(device: Device) -> None:
    """One value for all is stored where the mask is true; in a graph, where nothing can be read back, too."""
    x = Tensor.from_numpy(X, device)
    mask, row = Tensor.from_numpy(MASK, device), Tensor.from_numpy(X[0, 0], device)
    y = Tensor.from_numpy(X, device)
    y[mask] = 0  # compiled before
    with device.capture() as graph:
        x[mask] = row
        x[mask, :1] = 2
    graph.replay()
    expected = X.copy()
    expected[MASK] = X[0, 0]
    expected[MASK, :1] = 2
    np.testing.assert_array_equal(x.numpy(), expected)
    if not device.is_host and device.info.backend == "vulkan":
        with pytest.raises(CaptureError), device.capture():
            y[mask]


def test_a_step_in_a_graph(device: Device) -> None:
    """Indices are looked at in each replay: on the host those out of range raise then, too."""
    weight = Parameter(Tensor.from_numpy(X[:, :, 0, 0].copy(), device))
    index = Tensor.from_numpy(np.array([1, 3, 1], np.int32), device)

    def step() -> None:
        weight.init_grad()
        weight[index].sum().backward()
        weight.scaled_add(1.0, present(weight.take_grad()))
        weight[index[:1]] = 0.5

    step()
    with device.capture() as graph:
        step()
    expected = X[:, :, 0, 0].copy()
    for rows in ([1, 3, 1], [2, 0, 2]):
        index.assign(Tensor.from_numpy(np.array(rows, np.int32), device))
        if rows[0] == 2:
            graph.replay()
        np.add.at(expected, rows, 1)
        expected[rows[0]] = 0.5
    np.testing.assert_array_equal(weight.numpy(), expected)
    if device.is_host:
        index.assign(Tensor.from_numpy(np.array([2, 4, 2], np.int32)))
        with pytest.raises(ShapeError, match="index 4 is out of range: axis 0 has length 4"):
            graph.replay()


def test_second_derivatives(device: Device) -> None:
    array = np.array([1.0, 2.0, 3.0], np.float32)
    index = as_tensors(np.array([2, 0, 2]), device)
    mask = Tensor.from_numpy(np.array([True, False, True]), device)

    def f(x: Tensor) -> Any:
        y, z = x[index], x[mask]
        return (y * y * y).sum() + (z * z * z * x[None, 1]).sum()

    def slope(x: Tensor) -> Any:
        return (grad(f)(x) * Tensor.from_numpy(array, device)).sum()

    a, b, c = array
    # f = a^3 + 2 c^3 + b (a^3 + c^3), and the sum of the products of its slopes with (a, b, c) is 3 (a^3 + 2 c^3) +
    # 4 b (a^3 + c^3) at these numbers; only x varies in it.
    hessian = np.array(
        [[6 * a + 6 * a * b, 3 * a * a, 0], [3 * a * a, 0, 3 * c * c], [0, 3 * c * c, 12 * c + 6 * b * c]]
    )
    np.testing.assert_allclose(grad(slope)(Tensor.from_numpy(array, device)).numpy(), hessian @ array, rtol=1e-6)


def test_what_it_refuses() -> None:
    x = Tensor.from_numpy(X)
    inside = Tensor.zeros(2, i64)
    for key, error, message in (
        ((0,) * 5, ShapeError, "5 indices for a"),
        ((inside,) * 5, ShapeError, r"5 indices for a tensor of 4 dimensions of shape \(4, 5, 3, 2\)"),
        ((..., ...), ShapeError, "one ellipsis"),
        ((..., inside, ...), ShapeError, "one ellipsis"),
        (4, ShapeError, "index 4 is out of range: axis 0 has length 4"),
        ((slice(None), [1, -6]), ShapeError, "index -6 is out of range: axis 1 has length 5"),
        ("a", ShapeError, "'a' is not an index; expected"),
        (1.5, ShapeError, "1.5 is not an index; expected"),
        ([0.5], DtypeError, "indices as whole numbers, not float64"),
        ([[0], [1, 2]], DtypeError, "indices as whole numbers"),
        (Tensor.zeros(2), DtypeError, "an index of f32; expected whole numbers or truth values"),
        (np.zeros((4, 4), bool), ShapeError, r"a mask of shape \(4, 4\) for the axes from 0 on of shape \(4, 5\)"),
        ((0, Tensor.zeros(4, bool)), ShapeError, r"a mask of shape \(4,\) for axis 1 of shape \(5,\)"),
        (([0, 1], [0, 1, 2]), ShapeError, r"indices of shapes \(2,\) and \(3,\) do not broadcast"),
        (Tensor.zeros(2, i32, Device.interpreter()), DeviceError, "indices on interpreter, the tensor on host"),
        (Tensor.zeros(4, bool, Device.interpreter()), DeviceError, "a tensor on host is indexed with one on interpret"),
    ):
        with pytest.raises(error, match=message):
            x[key]
        with pytest.raises(error, match=message):
            x[key] = 0.0
    for value, error, message in (
        ([1, 2, 3], ShapeError, r"a value of shape \(3,\) does not broadcast to \(5, 3, 2\)"),
        ("a", DtypeError, "expected a tensor, an array, a list or a number"),
        (Tensor.zeros((), f32, Device.interpreter()), DeviceError, "host.*interpreter"),
    ):
        for key in (0, x[..., 0, 0] > 9):
            with pytest.raises(error, match=message if key is x else message.replace("5, 3, 2", ".*3, 2")):
                x[key] = untyped(value)
    np.testing.assert_array_equal(x.numpy(), X)
    long = Tensor.zeros(1).broadcast_to(1 << 31)
    for index in ([0], Tensor.zeros(1, i32)):
        with pytest.raises(LimitExceeded, match="an index: 2147483648 places; at most 2147483647 can be indexed"):
            long[untyped(index)]
    p = Parameter(Tensor.from_numpy(X))
    p.init_grad()
    p[0] = 1.0  # a parameter may be changed, what was computed from one not
    with pytest.raises(AutographError, match="cannot be changed in place"):
        (p * 2)[0] = 1.0


def test_of_no_elements(device: Device) -> None:
    x = Tensor.zeros((0, 3), f64 if device.is_host else f32, device)
    none = Tensor.zeros(0, i32, device)
    assert x[none].shape == (0, 3) and x[[]].shape == (0, 3) and x[:, [2, 0]].shape == (0, 2)
    assert x[x > 0].shape == (0,) and x[Tensor.zeros(0, bool, device)].shape == (0, 3)
    x[none] = 1
    x[x > 0] = 1
    with pytest.raises(ShapeError, match="index 0 is out of range: axis 0 has length 0"):
        x[[0]]
    if not device.is_host:
        assert np.isnan(x[Tensor.zeros(2, i32, device)].numpy()).all()
    assert Tensor.zeros((2, 0), i8, device)[[1, 1, 0]].shape == (3, 0)
    assert Tensor.full((), 3, u64 if device.is_host else u8, device)[None, None].shape == (1, 1)
