"""RNN, LSTM and GRU beside PyTorch's, from the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import GRU, LSTM, RNN, Parameter, Tensor
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from krnlpy import Device, Feature, bf16, f16, f64
from tests.support.devices import limit_reach
from tests.support.tiers import one_vulkan_device
from tests.support.typed import present

pytestmark = pytest.mark.one_vulkan_device

Array = np.ndarray[Any, Any]
KINDS: dict[str, Any] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}


def peer_of(layer: Any, torch: Any) -> Any:
    """PyTorch's layer with the same weights: names, shapes and the order of gates are the same."""
    options = {"bias": layer.bias, "bidirectional": layer.bidirectional, "batch_first": True}
    if isinstance(layer, RNN):
        options["nonlinearity"] = layer._cell.name
    peer = getattr(torch.nn, type(layer).__name__)(layer.inputs, layer.hidden, layer.layers, **options)
    peer.load_state_dict({name: torch.tensor(p.numpy()) for name, p in layer.named_parameters()})
    return peer


def _several(states: Any) -> tuple[Any, ...]:
    return states if isinstance(states, tuple) else (states,)


def compare(layer: Any, torch: Any, device: Device, lengths: list[int] | None, has_states: bool) -> None:
    rng = np.random.default_rng(0)
    batch, steps, count = 3, 4, layer.layers * (1 + layer.bidirectional)
    peer = peer_of(layer, torch)
    arrays = [rng.standard_normal((batch, steps, layer.inputs)).astype(np.float32)]
    if has_states:
        states = 1 + isinstance(layer, LSTM)
        arrays += [rng.standard_normal((count, batch, layer.hidden)).astype(np.float32) for _ in range(states)]
    ours = [Parameter(Tensor.from_numpy(array, device)) for array in arrays]
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
    for parameter in ours:
        parameter.init_grad()
    layer.init_parameter_grads()

    def state(parts: list[Any]) -> Any:
        return None if not parts else parts[0] if len(parts) == 1 else tuple(parts)

    given = None if lengths is None else Tensor.from_numpy(np.array(lengths, np.int32), device)
    y, last = layer(ours[0], state(ours[1:]), lengths=given)
    packed = theirs[0]
    if lengths is not None:
        packed = torch.nn.utils.rnn.pack_padded_sequence(packed, lengths, batch_first=True, enforce_sorted=False)
    z, peer_last = peer(packed, state(theirs[1:]))
    if lengths is not None:
        z, _ = torch.nn.utils.rnn.pad_packed_sequence(z, batch_first=True, total_length=steps)
    found, expected = (y, *_several(last)), (z, *_several(peer_last))
    loss, peer_loss = Tensor.zeros((), device=device), torch.zeros(())
    for a, b in zip(found, expected, strict=True):
        assert a.shape == tuple(b.shape)
        # States below 1, of sums of some 10 products of numbers of about 1, over 4 steps and 2 layers.
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=0, atol=2e-6)
        slope = rng.standard_normal(a.shape).astype(np.float32)
        loss, peer_loss = (
            loss + (a * Tensor.from_numpy(slope, device)).sum(),
            peer_loss + (b * torch.tensor(slope)).sum(),
        )
    loss.backward()
    peer_loss.backward()
    pairs = list(zip(ours, theirs, strict=True))
    pairs += [(p, dict(peer.named_parameters())[name]) for name, p in layer.named_parameters()]
    for parameter, other in pairs:
        # Sums over batch and steps of what is as exact as the states.
        np.testing.assert_allclose(present(parameter.grad).numpy(), other.grad.numpy(), rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("kind", ["lstm", *(pytest.param(kind, marks=one_vulkan_device) for kind in ("gru", "rnn"))])
def test_beside_pytorch(kind: str, device: Device) -> None:
    torch = pytest.importorskip("torch")
    is_slow = device.info.backend == "interpreter"
    layer = KINDS[kind](2 if is_slow else 5, 3 if is_slow else 7, device=device, seed=0)
    compare(layer, torch, device, None, has_states=False)
    compare(layer, torch, device, [2, 4, 1], has_states=True)
    if is_slow:
        return
    compare(KINDS[kind](5, 7, 2, bidirectional=True, device=device, seed=1), torch, device, [3, 1, 4], has_states=True)
    compare(KINDS[kind](5, 7, 2, bias=False, device=device, seed=2), torch, device, None, has_states=True)
    if kind == "rnn":
        relu = RNN(5, 7, bidirectional=True, activation="relu", device=device, seed=3)
        compare(relu, torch, device, [3, 1, 4], has_states=True)


@one_vulkan_device
def test_wider_than_subgroups(device: Device) -> None:
    torch = pytest.importorskip("torch")
    if device.info.backend == "interpreter":
        pytest.skip("one size is like another to it")
    compare(GRU(70, 65, device=device, seed=0), torch, device, [4, 3, 4], has_states=True)


@one_vulkan_device
def test_more_than_kernels_reach(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits, from parts of what a kernel cannot index at once."""
    if device.info.backend == "interpreter":
        pytest.skip("its kernels reach whole memories or nothing")

    def found() -> list[Array]:
        x = Tensor.from_numpy(np.random.default_rng(3).standard_normal((2, 9, 4)).astype(np.float32), device)
        lengths = Tensor.from_numpy(np.array([9, 5], np.int32), device)
        layer = LSTM(4, 40, bidirectional=True, device=device, seed=0)
        layer.init_parameter_grads()
        y, _ = layer(x, lengths=lengths)
        (y * y).sum().backward()
        return [y.numpy(), *(present(parameter.grad).numpy() for parameter in layer.parameters())]

    whole = found()
    # A step's numbers, 2 * 160 * 4 bytes, are reached, those of 9 steps are not.
    limit_reach(device, 8192, monkeypatch)
    for part, expected in zip(found(), whole, strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-5, atol=1e-6)


@one_vulkan_device
def test_types(device: Device) -> None:
    """f16 and bf16 are computed in f32, and rounded where they are results."""
    x = np.random.default_rng(1).standard_normal((2, 3, 4)).astype(np.float32)
    exact, _ = LSTM(4, 5, dtype=f64, seed=0)(Tensor.from_numpy(x.astype(np.float64)))
    for dtype, bound in ((f16, 2.0**-10), (bf16, 2.0**-7), (f64, 1e-15)):
        if dtype is f64 and Feature.FLOAT64 not in device.info.features:
            continue
        layer = LSTM(4, 5, dtype=dtype, device=device, seed=0)
        layer.init_parameter_grads()
        y, (state, _) = layer(Tensor.from_numpy(x, device).cast(dtype))
        assert y.dtype is state.dtype is layer.weight_hh_l0.dtype  # type: ignore[attr-defined]
        # Inputs and weights are rounded, too, of which some ten are multiplied and summed.
        np.testing.assert_allclose(y.numpy().astype(np.float64), exact.numpy(), rtol=0, atol=4 * bound)
        y.sum().backward()
        assert present(layer.weight_hh_l0.grad).dtype is layer.weight_hh_l0.dtype  # type: ignore[attr-defined]


def test_dropout_between_layers_and_states_that_are_changed() -> None:
    x = Tensor.from_numpy(np.random.default_rng(2).standard_normal((2, 3, 4)).astype(np.float32))
    layer = GRU(4, 5, 2, dropout=0.5, seed=0)
    first, second = (layer(x)[0].numpy() for _ in range(2))
    assert (first != second).any()
    layer.eval()
    expected, _ = layer(x)
    np.testing.assert_array_equal(layer(x)[0].numpy(), expected.numpy())
    assert GRU(4, 5, dropout=0.5, seed=0).generator is None  # of one layer nothing is dropped
    # Outputs are views of the states that the gradient needs: who changes a copy does not change these.
    layer.init_parameter_grads()
    y, last = layer(x)
    y.detach().fill(7)
    last.detach().fill(7)
    loss = (y * y).sum()
    del y, last
    loss.backward()
    found = present(layer.weight_hh_l0.grad).numpy()  # type: ignore[attr-defined]
    layer.init_parameter_grads()
    y, _ = layer(x)
    (y * y).sum().backward()
    np.testing.assert_array_equal(found, present(layer.weight_hh_l0.grad).numpy())  # type: ignore[attr-defined]


@one_vulkan_device
def test_what_is_empty(device: Device) -> None:
    layer = LSTM(3, 4, device=device, seed=0)
    for batch, steps in ((0, 3), (2, 0)):
        layer.init_parameter_grads()
        y, (state, _) = layer(Tensor.ones((batch, steps, 3), device=device))
        assert y.shape == (batch, steps, 4) and state.shape == (1, batch, 4) and not state.numpy().any()
        y.sum().backward()
        assert not present(layer.weight_hh_l0.grad).numpy().any()  # type: ignore[attr-defined]


@one_vulkan_device
def test_what_does_not_fit(device: Device) -> None:
    layer, x = LSTM(3, 4, device=device, seed=0), Tensor.ones((2, 5, 3), device=device)
    state = Tensor.zeros((1, 2, 4), device=device)
    for wrong, error in (
        (lambda: layer(x[0]), ShapeError),
        (lambda: layer(x[..., :2]), ShapeError),
        (lambda: layer(x.cast("f16")), DtypeError),
        (lambda: layer(x, state), ShapeError),
        (lambda: layer(x, (state, state[:, :1])), ShapeError),
        (lambda: layer(x, lengths=Tensor.ones(3, "i32", device)), ShapeError),
        (lambda: layer(x, lengths=Tensor.ones(2, device=device)), DtypeError),
        (lambda: LSTM(0, 4), AutographError),
        (lambda: LSTM(3, 4, dropout=2), AutographError),
        (lambda: RNN(3, 4, activation="gelu"), AutographError),  # type: ignore[arg-type]
    ):
        with pytest.raises(error, match=r"LSTM|RNN"):
            wrong()
    if not device.is_host:
        with pytest.raises(DeviceError, match="LSTM"):
            layer(Tensor.ones((2, 5, 3)))
