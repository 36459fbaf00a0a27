"""Scaled dot-product attention: beside PyTorch's and beside f64, in one tile and in many, and what memory it takes."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor, gradcheck, random, scaled_dot_product_attention
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.attention import passes
from autograph.functions.products import stacks
from krnlpy import Device, Feature, bf16, f16, f64
from tests.support.devices import limit_reach
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

Array = np.ndarray[Any, Any]


def opened(array: Array, device: Device) -> Parameter:
    parameter = Parameter(Tensor.from_numpy(array, device))
    parameter.init_grad()
    return parameter


def reference(q: Array, k: Array, v: Array, hidden: Array, dy: Array) -> tuple[Array, ...]:
    """The result and the gradients in f64, of operands with equal leading axes; ``hidden`` is added to the scores."""
    scale = q.shape[-1] ** -0.5
    scores = q @ k.swapaxes(-1, -2) * scale + hidden
    powers = np.exp(scores - np.maximum(scores.max(-1, keepdims=True), -1e30))
    weights = powers / np.maximum(powers.sum(-1, keepdims=True), 1e-30)
    slopes = dy @ v.swapaxes(-1, -2)
    of_scores = weights * (slopes - (weights * slopes).sum(-1, keepdims=True))
    turned = of_scores.swapaxes(-1, -2)
    return weights @ v, of_scores @ k * scale, turned @ q * scale, weights.swapaxes(-1, -2) @ dy


# Queries, keys, values, mask (None; the shape of truth values; the shape of floats), causal.
CASES: list[Any] = [
    ((7, 5), (9, 5), (9, 3), None, True),
    ((2, 4, 7, 5), (2, 4, 9, 5), (2, 4, 9, 3), None, False),
    ((2, 4, 9, 5), (2, 2, 7, 5), (2, 2, 7, 3), None, True),
    ((2, 4, 7, 5), (2, 4, 9, 5), (2, 4, 9, 3), ("bool", (2, 1, 1, 9)), False),
    ((2, 4, 7, 5), (2, 2, 9, 5), (2, 2, 9, 3), ("float", (4, 7, 9)), True),
    ((2, 4, 7, 5), (2, 4, 9, 5), (2, 4, 9, 3), ("float", (2, 1, 7, 1)), False),
]


@pytest.mark.parametrize("most", [None, 70], ids=["one tile", "tiles"])
def test_beside_pytorch(device: Device, most: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    if most:
        monkeypatch.setattr(passes, "most_scores", lambda _: most)
    rng = np.random.default_rng(0)
    for *shapes, mask, causal in CASES if device.info.backend != "interpreter" else CASES[2:5:2]:
        arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
        options: dict[str, Any] = {}
        theirs: dict[str, Any] = {"is_causal": causal}
        if mask is not None:
            added = rng.standard_normal(mask[1]).astype(np.float32)
            array = added > 0 if mask[0] == "bool" else added
            if mask[0] == "bool":
                array[0] = False  # of these queries none sees a key
            options["mask"] = Tensor.from_numpy(array, device) if mask[0] == "bool" else opened(array, device)
            theirs["attn_mask"] = given = torch.tensor(array, requires_grad=mask[0] == "float")
            if causal:  # PyTorch takes one of both
                seen = torch.ones(shapes[0][-2], shapes[1][-2], dtype=torch.bool).tril()
                theirs = {"attn_mask": given.masked_fill(~seen, -torch.inf)}
        ours = [opened(array, device) for array in arrays]
        peers = [torch.tensor(array, requires_grad=True) for array in arrays]
        y = scaled_dot_product_attention(*ours, causal=causal, **options)
        z = torch.nn.functional.scaled_dot_product_attention(*peers, enable_gqa=y.ndim > 2, **theirs)
        dy = rng.standard_normal(y.shape).astype(np.float32)
        y.backward(Tensor.from_numpy(dy, device))
        z.backward(torch.tensor(dy))
        # Both sum at most 9 products of numbers of about 1 and exponentials in f32, of repeated keys 56.
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-5, atol=2e-6)
        pairs = list(zip(ours, peers, strict=True))
        if mask is not None and mask[0] == "float":
            pairs.append((options["mask"], given))
        for parameter, peer in pairs:
            np.testing.assert_allclose(present(parameter.grad).numpy(), peer.grad.numpy(), rtol=1e-5, atol=5e-6)


@one_vulkan_device
def test_types_and_layouts(device: Device) -> None:
    """f16 and bf16 are computed in f32; operands are read where they lie, as heads of one projection do."""
    rng = np.random.default_rng(1)
    array = rng.standard_normal((2, 6, 3, 2, 4)).astype(np.float32)  # batch, length, which, heads, features
    dy = rng.standard_normal((2, 2, 6, 4)).astype(np.float32)
    for dtype, bound in ((f16, 2.0**-10), (bf16, 2.0**-7), (f64, 1e-13)):
        if dtype is f64 and Feature.FLOAT64 not in device.info.features:
            continue
        joined = Parameter(Tensor.from_numpy(array, device).cast(dtype))
        joined.init_grad()
        parts = joined.transpose(2, 0, 3, 1, 4)
        y = scaled_dot_product_attention(parts[0], parts[1], parts[2])
        y.backward(Tensor.from_numpy(dy, device).cast(dtype))
        assert y.dtype is joined.dtype
        exact = joined.numpy().astype(np.float64).transpose(2, 0, 3, 1, 4)
        slope = Tensor.from_numpy(dy).cast(dtype).numpy().astype(np.float64)
        value, *gradients = reference(exact[0], exact[1], exact[2], np.zeros(6), slope)
        # Rounded once, of numbers up to 4; the gradients add that of the result, of which the means are made.
        np.testing.assert_allclose(y.numpy().astype(np.float64), value, atol=4 * bound, rtol=0)
        found = present(joined.grad).numpy().astype(np.float64).transpose(2, 0, 3, 1, 4)
        for gradient, expected in zip(found, gradients, strict=True):
            np.testing.assert_allclose(gradient, expected, atol=16 * bound, rtol=0)


@one_vulkan_device
def test_what_is_empty_or_sees_nothing(device: Device) -> None:
    for q, k, shape in (((2, 0, 4), (2, 3, 4), (2, 0, 5)), ((2, 3, 4), (2, 0, 4), (2, 3, 5)), ((3, 0), (2, 0), (3, 5))):
        x, y, z = (opened(np.ones(s, np.float32), device) for s in (q, k, (*k[:-1], 5)))
        result = scaled_dot_product_attention(x, y, z)
        assert result.shape == shape
        if result.size:
            result.sum().backward()
            assert not present(x.grad).numpy().any()
    query, key, value = (opened(np.full((3, 2), 1.5, np.float32), device) for _ in range(3))
    result = scaled_dot_product_attention(query, key, value, causal=True, offset=-2)  # the first two see nothing
    assert result.numpy().tolist() == [[0, 0], [0, 0], [1.5, 1.5]]
    result.sum().backward()
    assert present(value.grad).numpy().tolist() == [[1, 1], [0, 0], [0, 0]]
    # Negative infinity in an added mask hides, too; and large scores are no trouble.
    mask = Tensor.from_numpy(np.array([[-np.inf] * 3, [0, -np.inf, 0], [0, 0, 1]], np.float32), device)
    large = scaled_dot_product_attention(query * 1e18, key * 1e18, value, mask=mask).numpy()
    assert large.tolist() == [[0, 0], [1.5, 1.5], [1.5, 1.5]]


@one_vulkan_device
def test_the_last_queries_see_all(device: Device) -> None:
    """With a cache of keys, new queries give what they would give among all."""
    q, k, v = (Tensor.from_numpy(x, device) for x in np.random.default_rng(2).standard_normal((3, 2, 8, 4), np.float32))
    whole = scaled_dot_product_attention(q, k, v, causal=True)
    last = scaled_dot_product_attention(q[:, 5:], k, v, causal=True, offset=5)
    np.testing.assert_allclose(last.numpy(), whole[:, 5:].numpy(), rtol=2e-6, atol=2e-7)


def test_dropout(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that are one row of the identity each show the weights."""
    length = 12 if device.info.backend == "interpreter" else 45
    q, k = (opened(x, device) for x in np.random.default_rng(3).standard_normal((2, 2, length, 4), np.float32))
    v = opened(np.broadcast_to(np.eye(length, dtype=np.float32), (2, length, length)), device)

    def dropped(**options: Any) -> Tensor:
        generator = random.Generator(5)
        return scaled_dot_product_attention(q, k, v, dropout=0.25, generator=generator, **options)

    whole = scaled_dot_product_attention(q, k, v).numpy()
    y = dropped()
    kept = y.numpy() != 0
    np.testing.assert_allclose(y.numpy()[kept], whole[kept] / np.float32(0.75), rtol=1e-5)
    # Of a binomial distribution, five deviations.
    assert abs(kept.mean() - 0.75) < 5 * (0.25 * 0.75 / kept.size) ** 0.5
    host = [Tensor.from_numpy(x.numpy()) for x in (q, k, v)]
    there = scaled_dot_product_attention(*host, dropout=0.25, generator=random.Generator(5))
    assert ((there.numpy() != 0) == kept).all()  # on every device the same
    assert ((dropped(causal=True).numpy() != 0) == kept * np.tri(length, dtype=bool)).all()
    monkeypatch.setattr(passes, "most_scores", lambda _: 2 * length)
    assert ((dropped().numpy() != 0) == kept).all()
    # The gradient drops the same: it is that of the weights times what was kept.
    dy = np.random.default_rng(4).standard_normal(y.shape).astype(np.float32)
    y.backward(Tensor.from_numpy(dy, device))
    weights, factor = whole.astype(np.float64), kept / 0.75
    of_scores = weights * (dy * factor - (weights * dy * factor).sum(-1, keepdims=True))
    np.testing.assert_allclose(present(q.grad).numpy(), of_scores @ k.numpy() / 2, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(present(v.grad).numpy(), (weights * factor).swapaxes(1, 2) @ dy, rtol=1e-4, atol=1e-5)
    assert not scaled_dot_product_attention(q, k, v, dropout=1.0, generator=random.Generator(0)).numpy().any()


def test_second_derivatives() -> None:
    rng = np.random.default_rng(6)
    mask = Tensor.from_numpy(np.array([[[0.5, -np.inf, 0.25]], [[-np.inf, -np.inf, -np.inf]]]))
    q, k, v = (Tensor.from_numpy(rng.standard_normal((2, 2, n, 3))[:, :h]) for h, n in ((2, 2), (1, 3), (1, 3)))
    for options in ({"causal": True, "offset": 1}, {"mask": mask}, {"mask": mask > 0, "dropout": 0.3}):

        def attention(*operands: Tensor, options: dict[str, Any] = options) -> Tensor:
            return scaled_dot_product_attention(*operands, **options, generator=random.Generator(1))

        gradcheck(attention, (q, k, v), order=2)


@one_vulkan_device
def test_more_than_kernels_reach(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.info.backend == "interpreter":
        pytest.skip("its kernels reach whole memories or nothing")
    arrays = np.random.default_rng(7).standard_normal((3, 2, 48, 16)).astype(np.float32)
    mask = Tensor.from_numpy(arrays[:, 0, :, :1] > -1, device)[:2].mT  # for each head: [2, 1, 48]

    def found() -> list[Array]:
        operands = [opened(array, device) for array in arrays]
        y = scaled_dot_product_attention(*operands, causal=True, mask=mask)
        (y * y).sum().backward()
        return [y.numpy(), *(present(x.grad).numpy() for x in operands)]

    whole = found()
    limit_reach(device, 4096, monkeypatch)  # operands have 6144 bytes, scores 18432
    for part, expected in zip(found(), whole, strict=True):
        # Other tiles, and other orders of sums of 48 products.
        np.testing.assert_allclose(part, expected, rtol=1e-5, atol=5e-6)


def test_memory_is_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """At twice the length twice the bytes, forward and backward: scores would take four times as many."""
    device, product, peak = Device.host(), stacks.product_into, 0

    def watched(*arguments: Any) -> None:
        nonlocal peak
        product(*arguments)
        peak = max(peak, device.memory_stats().in_use)

    monkeypatch.setattr(passes, "most_scores", lambda _: 1 << 14)
    monkeypatch.setattr(passes, "product_into", watched)
    taken = []
    for length in (256, 512, 1024):
        operands = [opened(np.ones((2, length, 8), np.float32), device) for _ in range(3)]
        dy = Tensor.ones((2, length, 8))
        gc.collect()
        before, peak = device.memory_stats().in_use, 0
        y = scaled_dot_product_attention(*operands, causal=True)
        assert device.memory_stats().in_use - before <= 4 * 2 * length * (8 + 1)  # the result, and a number a row
        y.backward(dy)
        taken.append(peak - before)
        assert taken[-1] < 4 * (2 * (1 << 14) + 16 * 2 * length * 8)  # two tiles, and some tensors like the operands
    assert taken[2] < 2 * taken[1] < 4 * taken[0]


@one_vulkan_device
def test_what_does_not_fit(device: Device) -> None:
    x = Tensor.ones((2, 4, 3, 8), device=device)
    for wrong, error in (
        (lambda: scaled_dot_product_attention(x, x[..., :4], x), ShapeError),
        (lambda: scaled_dot_product_attention(x, x, x[:, :, :2]), ShapeError),
        (lambda: scaled_dot_product_attention(x, x[:, :3], x[:, :3]), ShapeError),
        (lambda: scaled_dot_product_attention(x[0, 0, 0], x, x), ShapeError),
        (lambda: scaled_dot_product_attention(x, x, x, mask=Tensor.ones((5, 3, 3), bool, device)), ShapeError),
        (lambda: scaled_dot_product_attention(x, x, x.cast("f16")), DtypeError),
        (lambda: scaled_dot_product_attention(*[x.cast("i32")] * 3), DtypeError),
        (lambda: scaled_dot_product_attention(x, x, x, mask=Tensor.ones((3, 3), "i32", device)), DtypeError),
        (lambda: scaled_dot_product_attention(x, x, 1.0), DtypeError),  # type: ignore[arg-type]
        (lambda: scaled_dot_product_attention(x, x, x, dropout=0.5), AutographError),
        (lambda: scaled_dot_product_attention(x, x, x, dropout=2), AutographError),
        (lambda: scaled_dot_product_attention(x, x, x, scale=float("nan")), AutographError),
        (lambda: scaled_dot_product_attention(x, x, x, offset=0.5), AutographError),  # type: ignore[arg-type]
    ):
        with pytest.raises(error, match="scaled_dot_product_attention"):
            wrong()
    if not device.is_host:
        with pytest.raises(DeviceError):
            scaled_dot_product_attention(x, x, Tensor.ones(x.shape))
