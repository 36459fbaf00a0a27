"""A layer beside one of PyTorch: values, gradients, and what a few steps of training make of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import SGD, Layer, Parameter, Tensor
from krnlpy import Device
from tests.support.typed import present

Arrays = dict[str, np.ndarray[Any, Any]]

STEPS = 3


def contents(layer: Layer) -> Arrays:
    """All parameters and buffers, by name."""
    return {name: tensor.numpy() for name, tensor in (*layer.named_parameters(), *layer.named_buffers())}


def agree(layer: Layer, peer: Any, x: Any, device: Device, names: dict[str, str] | None = None, **bounds: Any) -> None:
    """Both layers begin alike, and are trained on ``sum(weights * layer(x))`` for three steps, then evaluated.

    Args:
        layer: on the host; it is moved.
        peer: a module of PyTorch; its parameters are set to those of the layer.
        x: the input, changed a little in each step.
        device: where the layer runs.
        names: from the layer's names to the peer's, where these differ.
        bounds: rtol and atol.
    """
    torch = pytest.importorskip("torch")
    bounds = {"rtol": 1e-4, "atol": 1e-5, **bounds}
    theirs = {**dict(peer.named_parameters()), **dict(peer.named_buffers())}
    names = {name: (names or {}).get(name, name) for name in contents(layer)}
    with torch.no_grad():
        for name, value in contents(layer).items():
            theirs[names[name]].copy_(torch.from_numpy(value.copy()))
    layer.to_device(device)
    rng, optimizer = np.random.default_rng(1), torch.optim.SGD([*peer.parameters(), torch.zeros(1)], lr=0.1)
    for step in range(STEPS):
        array = (x * (1 + 0.25 * step)).astype(np.float32)
        ours, other = Tensor.from_numpy(array, device), torch.from_numpy(array).requires_grad_()
        given = Parameter(ours)
        given.init_grad()
        layer.init_parameter_grads()
        optimizer.zero_grad()
        y, z = layer(given), peer(other)
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), **bounds, err_msg=f"value in step {step}")
        weights = rng.standard_normal(y.shape).astype(np.float32)
        (y * Tensor.from_numpy(weights, device)).sum().backward()
        (z * torch.from_numpy(weights)).sum().backward()
        np.testing.assert_allclose(
            present(given.grad).numpy(), other.grad.numpy(), **bounds, err_msg="gradient of the input"
        )
        for name, parameter in layer.named_parameters():
            gradient, expected = present(parameter.grad).numpy(), theirs[names[name]].grad.numpy()
            np.testing.assert_allclose(gradient, expected, **bounds, err_msg=f"gradient of {name}")
        layer.update(0.1, SGD())
        optimizer.step()
        for name, value in contents(layer).items():
            np.testing.assert_allclose(value, theirs[names[name]].detach().numpy(), **bounds, err_msg=f"{name}, {step}")
    layer.eval()
    peer.eval()
    array = x.astype(np.float32)
    given, other = Parameter(Tensor.from_numpy(array, device)), torch.from_numpy(array).requires_grad_()
    given.init_grad()
    y, z = layer(given), peer(other)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), **bounds, err_msg="value in evaluation")
    if z.requires_grad:
        (y * y).sum().backward()
        (z * z).sum().backward()
        np.testing.assert_allclose(
            present(given.grad).numpy(), other.grad.numpy(), **bounds, err_msg="gradient in evaluation"
        )
