"""Layers of attention and blocks of transformers beside PyTorch's; positions beside their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import (
    LSTM,
    SGD,
    AttentionCache,
    Dense,
    Layer,
    LearnedPositions,
    MultiHeadAttention,
    Parameter,
    Sequential,
    SinusoidalPositions,
    Tensor,
    TransformerBlock,
    capture,
    gradcheck,
    rotary_embedding,
    sinusoidal_positions,
)
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from krnlpy import Device, bf16, f16
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

pytestmark = pytest.mark.one_vulkan_device

Array = np.ndarray[Any, Any]


def draw(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def opened(array: Array, device: Device) -> Parameter:
    parameter = Parameter(Tensor.from_numpy(array, device))
    parameter.init_grad()
    return parameter


def attention_state(layer: MultiHeadAttention, torch: Any, prefix: str = "") -> dict[str, Any]:
    """The weights by the names of PyTorch's layer."""
    weights = {name: torch.tensor(p.numpy().T.copy()) for name, p in layer.named_parameters()}
    parts = [weights[f"{name}.weight"] for name in ("query", "key", "value")]
    state = {"in_proj_bias": torch.cat([weights[f"{name}.bias"] for name in ("query", "key", "value")])}
    state |= {"out_proj.weight": weights["out.weight"], "out_proj.bias": weights["out.bias"]}
    if len({part.shape for part in parts}) == 1:
        state["in_proj_weight"] = torch.cat(parts)
    else:
        state |= {f"{name}_proj_weight": part for name, part in zip("qkv", parts, strict=True)}
    return {prefix + name: value for name, value in state.items()}


def compare(ours: Any, theirs: Any, inputs: list[tuple[Any, Any]], torch: Any, device: Device) -> None:
    """The results, and the gradients of the inputs."""
    # Some 50 products in a row of three or four layers, of numbers of about 1, in f32.
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-5, atol=1e-5)
    slope = draw(9, *ours.shape)
    ours.backward(Tensor.from_numpy(slope, device))
    theirs.backward(torch.tensor(slope))
    for x, y in inputs:
        np.testing.assert_allclose(present(x.grad).numpy(), y.grad.numpy(), rtol=1e-4, atol=5e-5)


@one_vulkan_device
def test_attention_beside_pytorch(device: Device) -> None:
    torch = pytest.importorskip("torch")
    width, heads = 8, 2
    lengths = Tensor.from_numpy(np.array([5, 2], np.int32), device)
    is_padding = torch.arange(5) >= torch.tensor([[5], [2]])
    mask = draw(4, 3, 5) > -0.5
    for is_cross in (False, True):
        options: dict[str, Any] = {"key_width": 6, "value_width": 4} if is_cross else {"causal": True}
        layer = MultiHeadAttention(width, heads, seed=0, device=device, **options)
        peer = torch.nn.MultiheadAttention(
            width, heads, batch_first=True, **({"kdim": 6, "vdim": 4} if is_cross else {})
        )
        peer.load_state_dict(attention_state(layer, torch))
        layer.init_parameter_grads()
        if is_cross:
            arrays = [draw(1, 2, 3, width), draw(2, 2, 5, 6), draw(3, 2, 5, 4)]
            ours = [opened(array, device) for array in arrays]
            theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
            y = layer(*ours, mask=Tensor.from_numpy(mask, device), lengths=lengths)
            z, _ = peer(*theirs, attn_mask=torch.tensor(~mask), key_padding_mask=is_padding)
        else:
            ours = [opened(draw(1, 2, 5, width), device)]
            theirs = [torch.tensor(ours[0].numpy(), requires_grad=True)]
            y = layer(ours[0], lengths=lengths)
            hidden = torch.ones(5, 5, dtype=torch.bool).triu(1)
            z, _ = peer(*theirs * 3, attn_mask=hidden, key_padding_mask=is_padding)
        compare(y, z, list(zip(ours, theirs, strict=True)), torch, device)
        gradient = present(layer.out.weight.grad).numpy().T
        np.testing.assert_allclose(gradient, peer.out_proj.weight.grad.numpy(), rtol=1e-4, atol=5e-5)


@one_vulkan_device
@pytest.mark.parametrize("norm_first", [True, False])
def test_block_beside_pytorch(norm_first: bool, device: Device) -> None:
    torch = pytest.importorskip("torch")
    width = 8
    names = {"norm1": "norm1", "wide": "linear1", "narrow": "linear2", "norm2": "norm2"}

    def state(block: TransformerBlock, **further: str) -> dict[str, Any]:
        result = attention_state(block.attention, torch, "self_attn.")
        for ours, theirs in (names | further).items():
            if isinstance(part := getattr(block, ours), MultiHeadAttention):
                result |= attention_state(part, torch, f"{theirs}.")
            else:
                result |= {f"{theirs}.{name}": torch.tensor(p.numpy().T) for name, p in part.named_parameters()}
        return result

    options = {"batch_first": True, "norm_first": norm_first, "dropout": 0.0, "activation": "gelu"}
    block = TransformerBlock(width, 2, 16, norm_first=norm_first, causal=True, seed=0, device=device)
    peer = torch.nn.TransformerEncoderLayer(width, 2, 16, **options)
    peer.load_state_dict(state(block))
    x = opened(draw(1, 2, 5, width), device)
    a = torch.tensor(x.numpy(), requires_grad=True)
    hidden = torch.ones(5, 5, dtype=torch.bool).triu(1)
    compare(block(x), peer(a, src_mask=hidden), [(x, a)], torch, device)

    decoder = TransformerBlock(width, 2, 16, norm_first=norm_first, causal=True, cross=True, seed=1, device=device)
    peer = torch.nn.TransformerDecoderLayer(width, 2, 16, **options)
    peer.load_state_dict(state(decoder, cross="multihead_attn", norm_cross="norm2", norm2="norm3"))
    x, context = opened(draw(2, 2, 5, width), device), opened(draw(3, 2, 3, width), device)
    a, b = (torch.tensor(t.numpy(), requires_grad=True) for t in (x, context))
    y = decoder(x, context, context_lengths=Tensor.from_numpy(np.array([3, 1], np.int32), device))
    is_padding = torch.arange(3) >= torch.tensor([[3], [1]])
    z = peer(a, b, tgt_mask=hidden, memory_key_padding_mask=is_padding)
    compare(y, z, [(x, a), (context, b)], torch, device)


@one_vulkan_device
def test_generation_step_by_step(device: Device) -> None:
    """With a cache, a block gives for each part what it gives for the whole: rotary positions and few heads of keys."""
    x = Tensor.from_numpy(draw(1, 2, 6, 16), device)
    blocks = [TransformerBlock(16, 4, causal=True, rotary=True, key_heads=2, seed=i, device=device) for i in range(2)]
    caches = [AttentionCache() for _ in blocks]
    expected = x
    for block in blocks:
        expected = block(expected)
    for begin, end in ((0, 3), (3, 4), (4, 6)):
        y = x[:, begin:end]
        for block, cache in zip(blocks, caches, strict=True):
            y = block(y, cache=cache)
        np.testing.assert_allclose(y.numpy(), expected[:, begin:end].numpy(), rtol=1e-5, atol=1e-5)
    assert [cache.length for cache in caches] == [6, 6]


def test_dropout() -> None:
    x = Tensor.from_numpy(draw(1, 2, 5, 8))
    block = TransformerBlock(8, 2, dropout=0.5, seed=0)
    assert len([*block.named_generators()]) == 2
    first, second = (block(x).numpy() for _ in range(2))
    assert (first != second).any()
    again = TransformerBlock(8, 2, dropout=0.5, seed=0)
    np.testing.assert_array_equal(again(x).numpy(), first)
    block.eval()
    np.testing.assert_array_equal(block(x).numpy(), block(x).numpy())
    assert TransformerBlock(8, 2, seed=0).dropout is None


@one_vulkan_device
def test_captured_steps_are_eager_ones(device: Device) -> None:
    """Bit for bit: a recurrent layer, a block of a transformer, and a product."""
    layers = [
        LSTM(8, 8, seed=0, device=device),
        TransformerBlock(8, 2, causal=True, seed=1, device=device),
        Dense(8, 3, seed=2, device=device),
    ]
    model, optimizer = Sequential(First(layers[0]), *layers[1:]), SGD()

    def step(x: Tensor, slope: Tensor) -> Tensor:
        model.init_parameter_grads()
        y: Tensor = model(x)
        y.backward(slope)
        model.update(0.1, optimizer)
        return y.detach()

    first = [parameter.numpy() for parameter in model.parameters()]
    found = []
    for run in (step, capture(step)):
        for parameter, value in zip(model.parameters(), first, strict=True):
            parameter[...] = Tensor.from_numpy(value, device)
        for i in range(3):
            inputs = [Tensor.from_numpy(draw(i, 2, 5, n), device) for n in (8, 3)]
            found.append(run(*inputs).numpy())
    np.testing.assert_array_equal(found[:3], found[3:])


class First(Layer):
    """The first of several results."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        return self.layer(x)[0]


@one_vulkan_device
def test_rotary_embedding(device: Device) -> None:
    x = draw(1, 2, 3, 5, 6)
    angles = np.arange(5)[:, None] * 10000.0 ** (-np.arange(0, 6, 2) / 6)
    turns = np.exp(1j * angles)

    def expected(array: Array, turns: Array) -> Array:
        points = (array[..., :3] + 1j * array[..., 3:]) * turns
        return np.concatenate([points.real, points.imag], axis=-1)

    t = Tensor.from_numpy(x, device)
    # Sines of angles of up to 5 in f32, and of up to 1005, which are rounded to 2**-14.
    np.testing.assert_allclose(rotary_embedding(t).numpy(), expected(x, turns), rtol=0, atol=2e-6)
    far = np.exp(1j * (angles + 1000 * angles[1]))
    np.testing.assert_allclose(rotary_embedding(t, 1000).numpy(), expected(x, far), rtol=0, atol=5e-4)
    places = Tensor.from_numpy(np.array([[3, 0, 1, 1, 4]], np.int32), device)
    np.testing.assert_allclose(
        rotary_embedding(t, places).numpy(), expected(x, turns[[3, 0, 1, 1, 4]]), rtol=0, atol=2e-6
    )
    for dtype, bound in ((f16, 2.0**-10), (bf16, 2.0**-7)):
        y = rotary_embedding(t.cast(dtype))
        assert y.dtype is t.cast(dtype).dtype
        rounded = t.cast(dtype).numpy().astype(np.float64)
        np.testing.assert_allclose(y.numpy().astype(np.float64), expected(rounded, turns), rtol=0, atol=4 * bound)


def test_rotary_gradients() -> None:
    gradcheck(lambda x: rotary_embedding(x, 2), Tensor.from_numpy(draw(2, 3, 4).astype(np.float64)), order=2)


@one_vulkan_device
def test_tables_of_positions(device: Device) -> None:
    table = sinusoidal_positions(7, 6, offset=2, device=device).numpy()
    angles = np.arange(2, 9)[:, None] / 10000.0 ** (np.arange(0, 6, 2) / 6)
    np.testing.assert_allclose(table[:, ::2], np.sin(angles), rtol=0, atol=1e-7)
    np.testing.assert_allclose(table[:, 1::2], np.cos(angles), rtol=0, atol=1e-7)
    x = Tensor.zeros((2, 7, 6), device=device)
    np.testing.assert_array_equal(SinusoidalPositions()(x, offset=2)[1].numpy(), table)
    layer = LearnedPositions(9, 6, device=device, seed=0)
    layer.init_parameter_grads()
    layer(x, offset=2).sum().backward()
    assert present(layer.weight.grad).numpy()[:, 0].tolist() == [0, 0, *[2] * 7]


@one_vulkan_device
def test_what_does_not_fit(device: Device) -> None:
    x = Tensor.ones((2, 3, 8), device=device)
    layer = MultiHeadAttention(8, 2, device=device, seed=0)
    block = TransformerBlock(8, 2, device=device, seed=0)
    wrongs: list[tuple[Any, Any]] = [
        (lambda: MultiHeadAttention(8, 3), ShapeError),
        (lambda: MultiHeadAttention(8, 4, key_heads=3), ShapeError),
        (lambda: MultiHeadAttention(6, 2, rotary=True), ShapeError),
        (lambda: MultiHeadAttention(8, 2, dropout=-1), AutographError),
        (lambda: layer(x[0]), ShapeError),
        (lambda: layer(x, lengths=Tensor.ones(3, "i32", device)), ShapeError),
        (lambda: layer(x, lengths=Tensor.ones(2, device=device)), DtypeError),
        (lambda: layer(x, x, x[:, :2]), ShapeError),
        (lambda: block(x, x), AutographError),
        (lambda: TransformerBlock(8, 2, cross=True, device=device, seed=0)(x), AutographError),
        (lambda: LearnedPositions(4, 8, device=device)(x, offset=2), ShapeError),
        (lambda: rotary_embedding(x[..., :3]), ShapeError),
        (lambda: rotary_embedding(x.cast("i32")), DtypeError),
        (lambda: rotary_embedding(x, 0.5), DtypeError),  # type: ignore[arg-type]
        (lambda: rotary_embedding(x, base=0), AutographError),
        (lambda: rotary_embedding(x, Tensor.ones((5, 3), "i32", device)), ShapeError),
        (lambda: sinusoidal_positions(-1, 4), ShapeError),
        (lambda: sinusoidal_positions(1, 4, dtype="i32"), DtypeError),
    ]
    for wrong, error in wrongs:
        with pytest.raises(error):
            wrong()
    if not device.is_host:
        with pytest.raises(DeviceError):
            rotary_embedding(x, Tensor.ones(3, "i32"))
