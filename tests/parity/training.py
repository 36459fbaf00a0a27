"""What is compared of a line: the value, the gradients, and twenty steps, with PyTorch in f64 from the same numbers.

Differences are of the largest number of what is compared (of gradients, of the largest of all of them), and bounds in
halves of an ulp of f32, 2**-24. A sum of ``n`` products is rounded ``2 n`` times, up as often as down, each time by
0.58 of that at the root of the mean square: four times the root of all is ``3.3 sqrt(n)``. Functions such as exp are
right to 4 ulp, 8 halves. Gradients are made of such values and of such factors: twice as much. In twenty steps at a
rate of 0.05, momentum adds up ten gradients, and steps add up: four times as much again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

import autograph as ag
from autograph import Parameter, Tensor
from krnlpy import Device

from .networks import ARGUMENTS, Line

torch: Any = import_module("torch")
RATE, STEPS = 0.05, 20


class Differences(NamedTuple):
    """How far ours are from PyTorch's, of the largest number; NaN of what a kind does not have."""

    value: float
    gradients: float
    steps: float


def bounds(line: Line) -> Differences:
    """How far they may be."""
    unit = (3.3 * line.terms**0.5 + 8) * 2.0**-24
    return Differences(unit, 2 * unit, 8 * unit)


def compare(kind: str, line: Line, device: Device) -> Differences:
    """The differences of a line on a device."""
    return {"layers": _layer, "losses": _loss, "optimizers": _optimizer}[kind](line, device)


def _apart(ours: Any, theirs: Any, largest: float | None = None) -> float:
    found = np.asarray(ours.numpy() if isinstance(ours, Tensor) else ours, np.float64)
    expected = np.asarray(theirs.detach().numpy() if hasattr(theirs, "detach") else theirs, np.float64)
    assert found.shape == expected.shape, f"{found.shape}, not {expected.shape}"
    if largest is None:
        largest = float(np.max(np.abs(expected), initial=0))
    return float(np.max(np.abs(found - expected), initial=0) / (largest or 1))


def _wide(array: Any) -> Any:
    array = np.asarray(array)
    return torch.tensor(array.astype(np.float64) if array.dtype.kind == "f" else array)


def _layer(line: Line, device: Device) -> Differences:
    random = np.random.default_rng(zlib.crc32(line.ours.encode()))
    with ag.seeded(1):
        layer = eval(line.ours, vars(ag.nn))  # the table's own text
    peer = eval(line.theirs, vars(torch.nn)).double()
    if isinstance(line.takes, int):
        inputs = random.integers(0, line.takes, (4, 5)).astype(np.int32)
    else:
        inputs = random.uniform(-2, 2, line.takes).astype(np.float32)
    layer.to_device(device)
    trained = [*layer.parameters()]
    weights = _copied(trained, peer)
    x: Any = Tensor.from_numpy(inputs, device)
    wide = _wide(inputs)
    if not isinstance(line.takes, int):
        x = Parameter(x)
        wide.requires_grad_()
        trained, weights = [x, *trained], [Weight(wide), *weights]
    expected = _called(peer, wide)
    value = _apart(_first(layer(x)), expected)
    target = random.uniform(-2, 2, tuple(expected.shape)).astype(np.float32)
    goal, wide_goal = Tensor.from_numpy(target, device), _wide(target)

    def ours() -> Tensor:
        return ag.mse_loss(_first(layer(x)), goal)

    def theirs() -> Any:
        return torch.nn.functional.mse_loss(_called(peer, wide), wide_goal)

    gradients, steps = _trained(ours, theirs, trained, weights)
    statistics = [buffer for name, buffer in peer.named_buffers() if not name.endswith("num_batches_tracked")]
    for (_, mine), other in zip(layer.named_buffers(), statistics, strict=True):
        steps = max(steps, _apart(mine, other))
    return Differences(value, gradients, steps)


class Weight(NamedTuple):
    """A parameter of PyTorch's, or a part of one, that one of ours is beside.

    Attributes:
        whole: the parameter.
        part: its rows.
        is_transposed: whether ours is the transpose.
    """

    whole: Any
    part: slice = slice(None)
    is_transposed: bool = False

    def of(self, tensor: Any) -> Any:
        """What ours is beside, of the parameter or of its gradient."""
        part = tensor if tensor.ndim == 0 else tensor[self.part]
        return part.T if self.is_transposed else part


def _weights(module: Any) -> Iterator[Weight]:
    """Those of a module of PyTorch's, in our order."""
    nn, own = torch.nn, dict(module.named_parameters(recurse=False))
    if isinstance(module, nn.MultiheadAttention):
        width = module.embed_dim
        for k in range(3):  # the products of queries, keys and values are ours by themselves
            part = slice(k * width, (k + 1) * width)
            yield Weight(own["in_proj_weight"], part, True)
            yield Weight(own["in_proj_bias"], part)
    else:
        for name, parameter in own.items():
            yield Weight(parameter, is_transposed=isinstance(module, nn.Linear) and name == "weight")
    names = [name for name, _ in module.named_children()]
    if isinstance(module, nn.TransformerEncoderLayer):
        names = ["self_attn", "norm1", "linear1", "linear2", "norm2"]
    for name in names:
        yield from _weights(getattr(module, name))


def _copied(trained: list[Parameter], peer: Any) -> list[Weight]:
    """PyTorch's parameters, with our numbers."""
    theirs = list(_weights(peer))
    with torch.no_grad():
        for ours, weight in zip(trained, theirs, strict=True):
            weight.of(weight.whole).copy_(_wide(ours.numpy()))
    return theirs


def _first(found: Any) -> Any:
    """A result, of several the first one."""
    return found[0] if isinstance(found, tuple) else found


def _called(peer: Any, x: Any) -> Any:
    """What a module of PyTorch's gives."""
    return _first(peer(x, x, x, need_weights=False) if isinstance(peer, torch.nn.MultiheadAttention) else peer(x))


def _loss(line: Line, device: Device) -> Differences:
    names = line.takes.split()
    trained = Parameter(Tensor.from_numpy(ARGUMENTS[names[0]], device))
    wide = _wide(ARGUMENTS[names[0]]).requires_grad_()
    given: dict[str, Any] = {}
    for name in names[1:]:
        array = ARGUMENTS[name]
        given[name] = array if array.dtype.kind == "i" else Tensor.from_numpy(array, device)
    mine = {names[0]: trained, **given}
    others = {names[0]: wide, **{name: _wide(ARGUMENTS[name]) for name in names[1:]}}
    functions = {**vars(torch.nn.functional), "sigmoid": torch.sigmoid}

    def ours() -> Tensor:
        found: Tensor = eval(line.ours, vars(ag), mine)
        return found

    def theirs() -> Any:
        return eval(line.theirs, functions, others)

    return Differences(_apart(ours(), theirs()), *_trained(ours, theirs, [trained], [Weight(wide)]))


def _trained(ours: Any, theirs: Any, trained: list[Parameter], weights: list[Weight]) -> tuple[float, float]:
    """How far gradients are apart in the first step, and losses and weights in all."""
    optimizer, peer = (
        ag.SGD(0.9),
        torch.optim.SGD(list({id(w.whole): w.whole for w in weights}.values()), lr=RATE, momentum=0.9),
    )
    gradients, steps, scale = 0.0, 0.0, 1.0
    for step in range(STEPS):
        for parameter in trained:
            parameter.init_grad()
        peer.zero_grad()
        loss, expected = ours(), theirs()
        loss.backward()
        expected.backward()
        if step == 0:
            scale = abs(expected.item()) or 1.0
            largest = max(float(weight.whole.grad.abs().max()) for weight in weights)
            for parameter, weight in zip(trained, weights, strict=True):
                gradients = max(gradients, _apart(parameter.grad, weight.of(weight.whole.grad), largest))
        steps = max(steps, abs(loss.item() - expected.item()) / scale)
        for parameter in trained:
            gradient = parameter.take_grad()
            assert gradient is not None
            optimizer.update(parameter, gradient, RATE)
        peer.step()
    for parameter, weight in zip(trained, weights, strict=True):
        steps = max(steps, _apart(parameter, weight.of(weight.whole)))
    return gradients, steps


def _optimizer(line: Line, device: Device) -> Differences:
    """Of weights ``w`` that are to make ``x @ w`` equal to targets; the value is that of one step."""
    random = np.random.default_rng(5)
    numbers = [random.uniform(-1, 1, shape).astype(np.float32) for shape in ((8, 4), (4, 3), (8, 3))]
    x, start, target = (Tensor.from_numpy(array, device) for array in numbers)
    wide_x, wide_start, wide_target = map(_wide, numbers)
    weight, wide = Parameter(start), wide_start.requires_grad_()
    optimizer = eval(line.ours, vars(ag.optim))
    peer = eval(line.theirs, vars(torch.optim), {"w": [wide]})
    value = 0.0
    for step in range(STEPS):
        weight.init_grad()
        peer.zero_grad()
        ag.mse_loss(x @ weight, target).backward()
        torch.nn.functional.mse_loss(wide_x @ wide, wide_target).backward()
        gradient = weight.take_grad()
        assert gradient is not None
        optimizer.update(weight, gradient, line.takes)
        peer.step()
        if step == 0:
            value = _apart(weight, wide)
    return Differences(value, float("nan"), _apart(weight, wide))
