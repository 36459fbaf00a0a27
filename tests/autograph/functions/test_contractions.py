"""Sums of products over shared axes: tensordot, vecdot, outer, einsum, beside NumPy's of small whole numbers."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor, einsum, grad, outer, tensordot, vecdot
from autograph.errors import DeviceError, DtypeError, ShapeError
from autograph.functions.products.einsum import _plan
from krnlpy import Device, bf16, f32
from tests.support.typed import present, untyped

SIZES = dict(zip("abcdehijklmnq", (2, 3, 2, 3, 2, 2, 3, 4, 2, 3, 2, 3, 2), strict=True))
CASES = [
    *("ij,jk->ik", "ij,jk", "ii->i", "ii", "iij->ji", "i,j->ij", "ij->ji", "ij->", "i,i", "ij,ij->i", "iii->i"),
    *("...ij,...jk->...ik", "...i->...", "i...,i...->...", "bqhd,bkhd->bhqk", "ij, kj, kl -> il", "abc,cd,ade->be"),
    *("ij,ij,ij->j", "ab,bc,cd,ad->", "ij,jj->i", "a,b,c->cab", "abc,abd->cd", "aab,bc->ac", "abc,cb->a", ",ij->ij"),
]


def whole(rng: Any, shape: Any) -> Any:
    return rng.integers(-3, 4, shape).astype(np.float32)


def shapes_of(subscripts: str, seed: int) -> list[tuple[int, ...]]:
    """Shapes that fit; the axes of ``...`` and of one operand's letter may be of length 1, or repeated."""
    choice = random.Random(seed)
    shapes = []
    for term in subscripts.replace(" ", "").partition("->")[0].split(","):
        shape: list[int] = []
        for letter in term.replace("...", "."):
            if letter == ".":
                shape += choice.choice([[], [3], [2, 3], [2, 1]])
            else:
                shape.append(1 if choice.random() < 0.1 and term.count(letter) == 1 else SIZES[letter])
        shapes.append(tuple(shape))
    return shapes


@pytest.mark.parametrize("subscripts", CASES)
def test_einsum(subscripts: str, device: Device) -> None:
    torch = pytest.importorskip("torch")
    for seed in range(2):
        rng = np.random.default_rng(seed)
        arrays = [whole(rng, shape) for shape in shapes_of(subscripts, seed)]
        expected = np.einsum(subscripts, *arrays)
        parameters = [Parameter(Tensor.from_numpy(x, device)) for x in arrays]
        for parameter in parameters:
            parameter.init_grad()
        value = einsum(subscripts, *parameters)
        np.testing.assert_array_equal(value.numpy(), expected, strict=True)
        dy = whole(rng, expected.shape)
        value.backward(Tensor.from_numpy(dy, device))
        others = [torch.tensor(x.astype(np.float64), requires_grad=True) for x in arrays]
        (torch.einsum(subscripts, *others) * torch.tensor(dy)).sum().backward()
        for parameter, other in zip(parameters, others, strict=True):
            np.testing.assert_array_equal(present(parameter.grad).numpy(), other.grad.numpy())


@pytest.mark.parametrize("dtype", ["i8", "bool", "bf16"])
def test_einsum_of_narrow_types(dtype: str, device: Device) -> None:
    rng = np.random.default_rng(5)
    for subscripts in ("ij,jk,kl->il", "ij,jk->k", "ii->", "ij,ij->i", "i,j->ij"):
        arrays = [whole(rng, shape) for shape in shapes_of(subscripts, 1)]
        arrays = [x > 0 if dtype == "bool" else x for x in arrays]
        expected = np.einsum(subscripts, *(x.astype(np.int64) for x in arrays))
        found = einsum(subscripts, *(Tensor.from_numpy(x).cast(dtype).to_device(device) for x in arrays))
        assert str(found.dtype) == dtype
        wanted = expected > 0 if dtype == "bool" else expected.astype(np.int8)
        np.testing.assert_array_equal(found.numpy().astype(np.int64), wanted)


def test_einsum_rounds_narrow_types_once(device: Device) -> None:
    """257 ones are no number of bf16; 257 + 1 is."""
    x, y = Tensor.ones((257, 2), bf16, device), Tensor.from_numpy([1.0, 1 / 257]).cast("bf16").to_device(device)
    assert einsum("ij,j->", x, y).item() == 258
    assert einsum("ij,j,k->", x, y, Tensor.ones(1, bf16, device)).item() == 258


def test_einsum_multiplies_first_what_leaves_the_least() -> None:
    plan = _plan("ab,bc,cd->ad", ((100, 2), (2, 100), (100, 2)))
    assert plan.products[0][:2] == (1, 2)  # [2, 2], rather than [100, 100]
    assert _plan("a,b,a->b", ((9,), (8,), (9,))).products[0][:2] == (0, 2)


def test_second_derivatives(device: Device) -> None:
    """Of x^T A x: A + A^T, times a direction."""
    rng = np.random.default_rng(6)
    a, x, v = whole(rng, (3, 3)), whole(rng, 3), whole(rng, 3)
    matrix, direction = Tensor.from_numpy(a, device), Tensor.from_numpy(v, device)

    def slope(x: Tensor) -> Any:
        return vecdot(grad(lambda x: einsum("i,ij,j->", x, matrix, x))(x), direction)

    np.testing.assert_array_equal(grad(slope)(Tensor.from_numpy(x, device)).numpy(), (a + a.T) @ v)
    d = grad(lambda x: tensordot(outer(x, x), matrix, axes=2))(Tensor.from_numpy(x, device))
    np.testing.assert_array_equal(d.numpy(), (a + a.T) @ x)


@pytest.mark.parametrize(
    ("left", "right", "axes"),
    [
        ((2, 3, 4), (4, 3, 5), ((1, 2), (1, 0))),
        ((2, 3, 4), (3, 4), 2),
        ((2, 3), (4,), 0),
        ((2, 3), (2, 3), ((0, -1), (0, -1))),
        ((3, 2, 4), (5, 3), ([0], [1])),
        ((2, 0), (0, 3), 1),
        ((), (2,), 0),
    ],
    ids=str,
)
def test_tensordot(left: Any, right: Any, axes: Any, device: Device) -> None:
    rng = np.random.default_rng(7)
    x, y = whole(rng, left), whole(rng, right)
    found = tensordot(Tensor.from_numpy(x, device), Tensor.from_numpy(y, device), axes=axes)
    np.testing.assert_array_equal(found.numpy(), np.tensordot(x, y, axes), strict=True)


@pytest.mark.parametrize(
    ("left", "right", "axis"),
    [
        ((2, 3), (2, 3), -1),
        ((2, 3), (3,), -1),
        ((2, 3, 4), (1, 3, 1), -2),
        ((2, 1, 3), (5, 3), -1),
        ((2, 3), (2, 3), 0),
        ((2, 0), (2, 0), -1),
        ((3,), (3,), -1),
    ],
    ids=str,
)
def test_vecdot(left: Any, right: Any, axis: int, device: Device) -> None:
    rng = np.random.default_rng(8)
    x, y = whole(rng, left), whole(rng, right)
    p, q = Parameter(Tensor.from_numpy(x, device)), Parameter(Tensor.from_numpy(y, device))
    for parameter in (p, q):
        parameter.init_grad()
    found = vecdot(p, q, axis=axis)
    both = np.broadcast_arrays(x, y)
    np.testing.assert_array_equal(found.numpy(), (both[0] * both[1]).sum(axis), strict=True)
    found.backward(Tensor.ones(found.shape, f32, device))
    for parameter, other in ((p, both[1]), (q, both[0])):
        expected = other
        while expected.ndim > parameter.ndim:
            expected = expected.sum(0)
        repeated = tuple(a for a, n in enumerate(parameter.shape) if n == 1 != expected.shape[a])
        np.testing.assert_array_equal(present(parameter.grad).numpy(), expected.sum(repeated, keepdims=True))


def test_what_does_not_fit() -> None:
    x, y = Tensor.ones((2, 3)), Tensor.ones((3, 4))
    for wrong, what in {
        lambda: einsum("ij", x, y): "takes 1 operands; given were 2",
        lambda: einsum("ij,jk->i%", x, y): "is not made of letters",
        lambda: einsum("ij,jk->ii", x, y): "a letter stands twice",
        lambda: einsum("ij,jk->iz", x, y): "'z' of the result is in no operand",
        lambda: einsum("ijk", x): "'ijk' names 3 axes of a tensor that has 2",
        lambda: einsum("i", x): "'i' names 1 axes of a tensor that has 2",
        lambda: einsum("ij,ik", x, y): "'i' is 2 and 3 long",
        lambda: einsum("ii", x): "'i' is 2 and 3 long",
        lambda: einsum("...j->j", x): "the result lacks the axes",
        lambda: einsum(untyped(x), y): "expected text",
        lambda: tensordot(x, y, axes=3): "have not so many axes",
        lambda: tensordot(x, y, axes=2): "2 and 3 elements do not fit",
        lambda: tensordot(x, y, axes=((0, 0), (0, 1))): "as many axes of each, each once",
        lambda: tensordot(x, y, axes=untyped("a")): "expected a number of axes, or a pair",
        lambda: vecdot(x, y): "3 and 4 elements do not fit",
        lambda: vecdot(x, y[0], axis=-2): "expected an axis from -1 to -1",
        lambda: vecdot(x, Tensor.ones((5, 3))): "must be equal or of length 1",
        lambda: vecdot(x, y, axis=untyped("a")): "expected a whole number",
        lambda: outer(x, y): "outer takes vectors",
    }.items():
        with pytest.raises(ShapeError, match=what):
            wrong()
    with pytest.raises(DtypeError, match="takes a tensor, not ndarray"):
        einsum("i", untyped(np.ones(2)))
    with pytest.raises(DtypeError, match="i64 and f32"):
        einsum("ij,jk", Tensor.ones((2, 3), "i64"), y)
    with pytest.raises(DeviceError, match="tensordot of tensors on host and on interpreter"):
        tensordot(x, y.to_device(Device("interpreter")), axes=1)
