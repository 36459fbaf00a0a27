"""Operations of tensors beside PyTorch's: sums, chains, rows, and what moves elements.

Each iteration is one call, or one call and the gradients of its operands, in f32 on all threads. The last rows are
calls on 100 elements, of which nearly all the time is that of Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import autograph as ag
from autograph import Parameter, Tensor, elementwise
from benches.harness import Case, Runner
from benches.peer_process import ProcessRunner
from benches.selection import TORCH, TORCH_CUDA, TORCHVULKAN, Peer, Selection
from krnlpy import Device

PEERS = (TORCH, TORCH_CUDA, TORCHVULKAN)

Array = np.ndarray[Any, Any]

_MANY, _ROWS = 10_000_000, (1024, 768)


@elementwise
def _chain(x: Any) -> Any:
    return ((x * 2.0 + 1.0) * x - 3.0) * 0.5


@dataclass(frozen=True)
class Operation:
    """A row of the table.

    Attributes:
        name: of the row.
        inputs: makes the operands: floats are in [-1, 1).
        ours: of autograph's tensors.
        theirs: of the module ``torch`` and its tensors.
        expected: of the arrays, in f64.
        tolerance: beside the greatest number that is expected.
        has_gradients: the gradients of the operands of floats for a gradient of ones are computed, too.
    """

    name: str
    inputs: Callable[[np.random.Generator], tuple[Array, ...]]
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    expected: Callable[..., Array]
    tolerance: float = 2.0**-20
    has_gradients: bool = False


def _floats(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], tuple[Array, ...]]:
    return lambda rng: tuple(rng.random(shape, np.float32) * 2 - 1 for shape in shapes)


def _with_places(rng: np.random.Generator) -> tuple[Array, ...]:
    count = 1_000_000
    return rng.random(count, np.float32) * 2 - 1, rng.integers(0, count, count), rng.random(count, np.float32)


def _softmax(x: Array) -> Array:
    powers: Array = np.exp(x - x.max(axis=-1, keepdims=True))
    shares: Array = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _layer_norm(x: Array) -> Array:
    normal: Array = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    return normal


def _scattered(x: Array, places: Array, source: Array) -> Array:
    return x + np.bincount(places, source, len(x))


def _bf16(x: Array) -> Array:
    import ml_dtypes

    return x.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)


def _gelu(x: Array) -> Array:
    from math import erf

    values: Array = 0.5 * x * (1 + np.vectorize(erf)(x / np.sqrt(2)))
    return values


OPERATIONS: Sequence[Operation] = (
    Operation("sum", _floats((_MANY,)), lambda x: x.sum(), lambda _, x: x.sum(), lambda x: x.sum(), 2.0**-10),
    Operation(
        "sum, axis 0", _floats((1000, 10_000)), lambda x: x.sum(axis=0), lambda _, x: x.sum(0), lambda x: x.sum(axis=0)
    ),
    Operation(
        "sum, axis 1", _floats((1000, 10_000)), lambda x: x.sum(axis=1), lambda _, x: x.sum(1), lambda x: x.sum(axis=1)
    ),
    Operation(
        "chain of four", _floats((_MANY,)), lambda x: ((x * 2.0 + 1.0) * x - 3.0) * 0.5,
        lambda _, x: ((x * 2.0 + 1.0) * x - 3.0) * 0.5, lambda x: ((x * 2 + 1) * x - 3) * 0.5,
    ),
    Operation(
        "chain of four, @elementwise", _floats((_MANY,)), _chain,
        lambda _, x: ((x * 2.0 + 1.0) * x - 3.0) * 0.5, lambda x: ((x * 2 + 1) * x - 3) * 0.5,
    ),
    Operation(
        "cast to bf16", _floats((_MANY,)), lambda x: x.cast("bf16"), lambda torch, x: x.to(torch.bfloat16), _bf16
    ),
    Operation("softmax", _floats(_ROWS), lambda x: ag.softmax(x), lambda _, x: x.softmax(-1), _softmax),
    Operation("softmax, gradient", _floats(_ROWS), lambda x: ag.softmax(x), lambda _, x: x.softmax(-1), _softmax,
              has_gradients=True),
    Operation("log_softmax", _floats(_ROWS), lambda x: ag.log_softmax(x), lambda _, x: x.log_softmax(-1),
              lambda x: np.log(_softmax(x))),
    Operation("log_softmax, gradient", _floats(_ROWS), lambda x: ag.log_softmax(x), lambda _, x: x.log_softmax(-1),
              lambda x: np.log(_softmax(x)), has_gradients=True),
    Operation("layer_norm", _floats(_ROWS), lambda x: ag.layer_norm(x),
              lambda torch, x: torch.nn.functional.layer_norm(x, x.shape[-1:]), _layer_norm, 2.0**-18),
    Operation("layer_norm, gradient", _floats(_ROWS), lambda x: ag.layer_norm(x),
              lambda torch, x: torch.nn.functional.layer_norm(x, x.shape[-1:]), _layer_norm, 2.0**-18,
              has_gradients=True),
    Operation("gelu", _floats(_ROWS), lambda x: ag.gelu(x), lambda torch, x: torch.nn.functional.gelu(x), _gelu),
    Operation("gelu, gradient", _floats(_ROWS), lambda x: ag.gelu(x),
              lambda torch, x: torch.nn.functional.gelu(x), _gelu, has_gradients=True),
    Operation("gather", _with_places, lambda x, i, _: ag.take_along_axis(x, i), lambda _, x, i, s: x.gather(0, i),
              lambda x, i, _: x[i]),
    Operation("scatter_add", _with_places, lambda x, i, s: ag.scatter_add(x, i, s),
              lambda _, x, i, s: x.scatter_add(0, i, s), _scattered),
    Operation("sort", _floats((1_000_000,)), lambda x: ag.sort(x), lambda _, x: x.sort()[0], np.sort, 0.0),
    Operation("topk, 100", _floats((1_000_000,)), lambda x: ag.topk(x, 100)[0], lambda _, x: x.topk(100)[0],
              lambda x: np.sort(x)[-100:][::-1], 0.0),
    Operation("cumulative_sum", _floats((1_000_000,)), lambda x: ag.cumulative_sum(x), lambda _, x: x.cumsum(0),
              np.cumsum, 2.0**-14),
    Operation("concat, axis 1", _floats((1000, 5000), (1000, 5000)), lambda x, y: ag.concat([x, y], axis=1),
              lambda torch, x, y: torch.cat([x, y], 1), lambda x, y: np.concatenate([x, y], 1), 0.0),
    Operation("pad, reflect", _floats((64, 32, 64, 64)),
              lambda x: ag.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], "reflect"),
              lambda torch, x: torch.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect"),
              lambda x: np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], "reflect"), 0.0),
    Operation("100 elements: x + y", _floats((100,), (100,)), lambda x, y: x + y, lambda _, x, y: x + y,
              lambda x, y: x + y),
    Operation("100 elements: exp", _floats((100,)), lambda x: ag.exp(x), lambda _, x: x.exp(), np.exp),
    Operation("100 elements: sum", _floats((100,)), lambda x: x.sum(), lambda _, x: x.sum(), lambda x: x.sum()),
)  # fmt: skip


def cases(selection: Selection) -> Iterator[Case]:
    """A case for each operation on the host, and on each Vulkan device by itself."""
    hosts = tuple(device for device in selection.devices if device.info.backend != "vulkan")
    peers = tuple(peer for peer in selection.peers if peer.device != "vulkan")
    for operation in OPERATIONS:
        if hosts or peers:
            yield _case(Selection(hosts, peers), operation)
        for one in selection.by_device():
            if one.devices[0].info.backend == "vulkan":
                yield _case(one, operation, device=one.label)


def _case(selection: Selection, operation: Operation, **more: str) -> Case:
    arrays = operation.inputs(np.random.default_rng(0))

    def ours(device: Device) -> Runner:
        return Autograph(operation, arrays, device)

    def theirs(peer: Peer) -> Runner:
        if peer is TORCHVULKAN:
            device = selection.devices[0].info.name
            return ProcessRunner("benches.operations_torchvulkan", operation.name, device, counts_wait=True)
        import torch

        return PyTorch(operation, arrays, torch, "cuda" if peer.device == "cuda" else "cpu")

    contenders = selection.contenders("autograph", ours, theirs)
    return Case("operations", {"operation": operation.name, **more}, contenders, _judge(operation, arrays))


def sample(result: Array) -> Array:
    """Of many elements some, so that another process can tell them."""
    flat: Array = result.reshape(-1)
    return flat[:: 1 + flat.size // 10_000]


def _judge(operation: Operation, arrays: tuple[Array, ...]) -> Callable[[Array], None]:
    def judge(result: Array) -> None:
        exact = [array.astype(np.float64) if array.dtype == np.float32 else array for array in arrays]
        expected = np.asarray(operation.expected(*exact))
        bound = operation.tolerance * max(1.0, float(np.abs(expected).max()))
        if result.shape != expected.shape:
            expected = sample(expected)
        np.testing.assert_allclose(result, expected, rtol=0, atol=bound)

    return judge


class Autograph(Runner):
    """autograph on a device."""

    def __init__(self, operation: Operation, arrays: tuple[Array, ...], device: Device) -> None:
        self.operation, self.device = operation, device
        tensors = [Tensor.from_numpy(array, device) for array in arrays]
        self.operands = [Parameter(x) if operation.has_gradients else x for x in tensors]
        self.ones: Tensor | None = None

    def result(self) -> Array:
        result = self.operation.ours(*self.operands)
        self.ones = Tensor.ones(result.shape, result.dtype, self.device)
        return np.asarray(result.numpy(), np.float64)

    def run(self, iterations: int) -> None:
        if not self.operation.has_gradients:
            for _ in range(iterations):
                self.operation.ours(*self.operands)
            return
        for _ in range(iterations):
            for operand in self.operands:
                operand.init_grad()  # type: ignore[attr-defined]  # a Parameter
            self.operation.ours(*self.operands).backward(self.ones)

    def wait(self) -> None:
        self.device.wait()


class PyTorch(Runner):
    """PyTorch on a device of its own."""

    def __init__(self, operation: Operation, arrays: tuple[Array, ...], torch: Any, device: str) -> None:
        self.torch, self.operation, self.device = torch, operation, device
        tensors = [torch.from_numpy(array.copy()).to(device) for array in arrays]
        self.operands = [x.requires_grad_(operation.has_gradients) for x in tensors]
        self.ones: Any = None

    def result(self) -> Array:
        result = self.operation.theirs(self.torch, *self.operands).detach()
        self.ones = self.torch.ones_like(result)
        return np.asarray(result.cpu().float().numpy(), np.float64)

    def run(self, iterations: int) -> None:
        if not self.operation.has_gradients:
            for _ in range(iterations):
                self.operation.theirs(self.torch, *self.operands)
            return
        for _ in range(iterations):
            for operand in self.operands:
                operand.grad = None
            self.operation.theirs(self.torch, *self.operands).backward(self.ones)

    def wait(self) -> None:
        if self.device == "cuda":
            self.torch.cuda.synchronize()
