"""The extension for linear algebra: NumPy's results on every device, and errors of ours."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from autograph import array_api as xp
from autograph.array_api import linalg
from autograph.errors import AutographError, DtypeError, ShapeError
from krnlpy import Device
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device

X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
SQUARE = (X.mT @ X + np.eye(3, dtype=np.float32)).astype(np.float32)  # symmetric, positive
CLOSE: Any = {"rtol": 1e-5, "atol": 1e-5}  # some 50 units of f32, of numbers of up to 10


def test_factorizations(device: Device) -> None:
    x, square = xp.asarray(X, device=device), xp.asarray(SQUARE, device=device)
    for name, of, array in (
        ("cholesky", square, SQUARE),
        ("det", square, SQUARE),
        ("eigvalsh", square, SQUARE),
        ("inv", square, SQUARE),
        ("matrix_rank", x, X),
        ("pinv", x, X),
        ("svdvals", x, X),
    ):
        found = getattr(linalg, name)(of)
        assert found.device == device
        np.testing.assert_allclose(found.numpy(), getattr(np.linalg, name)(array), **CLOSE, err_msg=name)
    right = xp.asarray(X.mT, device=device)
    np.testing.assert_allclose(linalg.solve(square, right).numpy(), np.linalg.solve(SQUARE, X.mT), **CLOSE)
    u, s, vh = linalg.svd(x, full_matrices=False)
    np.testing.assert_allclose(((u * s[:, None, :]) @ vh).numpy(), X, **CLOSE)
    q, r = linalg.qr(x)
    np.testing.assert_allclose((q @ r).numpy(), X, **CLOSE)
    values, vectors = linalg.eigh(square)
    np.testing.assert_allclose(((vectors * values[:, None, :]) @ vectors.mT).numpy(), SQUARE, **CLOSE)
    sign, logarithm = linalg.slogdet(square)
    np.testing.assert_allclose((sign * xp.exp(logarithm)).numpy(), np.linalg.det(SQUARE), rtol=1e-4)


def test_norms_powers_and_cross_products(device: Device) -> None:
    x = xp.asarray(X, device=device)
    for ord in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        for keepdims in (False, True):
            found = linalg.matrix_norm(x, ord=ord, keepdims=keepdims).numpy()
            np.testing.assert_allclose(found, np.linalg.norm(X, ord, (1, 2), keepdims), **CLOSE)
    square = xp.asarray(SQUARE / 4, device=device)
    for n in (-2, 0, 1, 2, 5):
        np.testing.assert_allclose(linalg.matrix_power(square, n).numpy(), np.linalg.matrix_power(SQUARE / 4, n), 1e-3)
    np.testing.assert_allclose(linalg.cross(x, x[:1, ::-1]).numpy(), np.cross(X, X[:1, ::-1]), **CLOSE)
    turned = xp.moveaxis(x, -1, 0)
    np.testing.assert_allclose(linalg.cross(turned, turned, axis=0).numpy(), np.zeros((3, 2, 4)), atol=1e-6)


def test_what_is_wrong() -> None:
    x = xp.asarray(X)
    for wrong in (
        lambda: linalg.inv(x),
        lambda: linalg.inv(xp.zeros((2, 2))),
        lambda: linalg.cholesky(-xp.eye(2)),
        lambda: linalg.matrix_norm(xp.zeros(2)),
        lambda: linalg.matrix_power(x, 2),
        lambda: linalg.matrix_rank(xp.zeros(2)),
        lambda: linalg.cross(x, x, axis=1),
        lambda: linalg.cross(x, x, axis=3),
    ):
        with pytest.raises(ShapeError):
            wrong()
    operands: Any = (xp.eye(2, dtype=xp.int32), xp.eye(2, dtype=xp.float16), [[1.0]])
    for operand in operands:
        with pytest.raises(DtypeError):
            linalg.det(operand)
    with pytest.raises(AutographError, match="mode='full'"):
        linalg.qr(x, mode="full")
    with pytest.raises(AutographError, match="ord=3"):
        linalg.matrix_norm(x, ord=3)
    parameter = Parameter(Tensor.from_numpy(SQUARE))
    parameter.init_grad()
    with pytest.raises(AutographError, match="detach"):
        linalg.det(parameter)


def test_signatures() -> None:
    strict = pytest.importorskip("array_api_strict")
    for name in linalg.__all__:
        theirs = inspect.signature(getattr(strict.linalg, name)).parameters.values()
        ours = list(inspect.signature(getattr(linalg, name)).parameters.values())
        for place, parameter in enumerate(theirs):
            if parameter.kind is parameter.KEYWORD_ONLY:
                assert parameter.name in [p.name for p in ours], name
            else:
                assert ours[place].kind in (parameter.kind, parameter.POSITIONAL_OR_KEYWORD), name
    assert {*strict.linalg.__all__} - {*linalg.__all__} <= {"eig", "eigvals"}  # which are complex
