"""Random graphs: item kernels, kernels with an ``Out``, products, copies and fills over views of a few buffers."""

# mypy: disable-error-code="assignment,call-overload,misc,operator"
from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import numpy as np

from krnlpy import Buffer, Device, Global, Item, ItemMut, LaunchError, Out, bf16, f16, f32, host_call, i32, kernel, u8
from krnlpy.dsl import exp, global_id, global_threads, item_id, items, sqrt
from krnlpy.scalar import u16

T = TypeVar("T")
U = TypeVar("U")


@kernel
def add(x: Item[T], y: Item[T], o: ItemMut[T]) -> None:
    o = x + y


@kernel
def sub(x: Item[T], y: Item[T], o: ItemMut[T]) -> None:
    o = x - y


@kernel
def mul(x: Item[T], y: Item[T], o: ItemMut[T]) -> None:
    o = x * y


@kernel
def relu(x: Item[T], o: ItemMut[T]) -> None:
    o = max(x, 0)


@kernel
def relu_gradient(y: Item[T], dy: Item[T], o: ItemMut[T]) -> None:
    o = 0 if y <= 0 else dy


@kernel
def ratio(x: Item[f32], k: f32, o: ItemMut[f32]) -> None:
    o = x / (k + x * x)


@kernel
def bounded_exp(x: Item[f32], o: ItemMut[f32]) -> None:
    o = exp(min(x, 3.0))


@kernel
def smoothed(x: Item[f32], y: Item[f32], o: ItemMut[f32]) -> None:
    s = sqrt(abs(x))
    for _ in range(3):
        s = s * 0.5 + y * 0.25
    o = s


@kernel
def sometimes(x: Item[f32], o: ItemMut[f32]) -> None:
    if x > 0.25:
        o = x * 3.0


@kernel
def momentum(rate: f32, g: Item[f32], v: ItemMut[f32], w: ItemMut[f32]) -> None:
    velocity = 0.9 * v + g
    v = velocity
    w -= rate * velocity


@kernel
def accumulate(x: ItemMut[T], y: Item[T]) -> None:
    x += y


@kernel
def numbered(x: Item[f32], o: ItemMut[f32]) -> None:
    o = x + f32(item_id() % 7) + f32(items())


@kernel
def early(x: Item[f32], o: ItemMut[f32]) -> None:
    o = x
    if x < 0.0:
        return
    o = x * 2.0


@kernel
def looked_up(x: Item[f32], t: Global[f32], o: ItemMut[f32]) -> None:
    o = x + t[item_id() % t.shape[0]]


@kernel
def converted(x: Item[T], o: ItemMut[U]) -> None:
    o = U(x)


@kernel
def two(x: Item[f32], a: ItemMut[f32], b: ItemMut[f32]) -> None:
    a = x + 1.0
    b = a * x


@kernel
def stored_before_loaded(x: Item[f32], y: Item[f32], o: ItemMut[f32]) -> None:
    o = y + 1.0
    o = x + y * 2.0


@kernel
def stored_in_a_branch(x: Item[f32], y: Item[f32], o: ItemMut[f32]) -> None:
    if x > 0.0:
        o = y
    else:
        o = -x
        if y > 0.5:
            o = x * y


@kernel(unchecked=True)
def rows(x: Global[f32, Literal[2]], o: Out[f32, Literal[2]]) -> None:
    for i in range(global_id(), o.size, global_threads()):
        r = i // o.shape[1]
        c = i % o.shape[1]
        t = 0.0
        for j in range(x.shape[1]):
            t += x[r, j] * f32(j + c)
        o[r, c] = t


@kernel
def neighbours(x: Global[f32, Literal[2]], o: Out[f32, Literal[2]]) -> None:
    i = global_id()
    if i < o.size:
        o[i // o.shape[1], i % o.shape[1]] = x[i // o.shape[1], (i + 1) % x.shape[1]] * 2.0


OF_ANY: dict[str, Any] = {"add": add, "sub": sub, "mul": mul, "relu_gradient": relu_gradient}
OF_ONE: dict[str, Any] = {"exp": bounded_exp, "numbered": numbered, "early": early}
KINDS = [
    *(*OF_ANY, *OF_ONE, "add", "mul", "ratio", "ratio", "relu", "smoothed", "sometimes", "momentum", "accumulate"),
    *("looked_up", "converted", "two", "rows", "neighbours", "copy", "copy into", "flat", "fill", "call"),
    *("stored_before_loaded", "stored_in_a_branch", "neighbours", "rows", "unknown call", "filled"),
]
SHAPES = [(3, 5), (4, 4), (1, 7), (8, 1), (6, 33)]


class Program:
    """A random sequence of launches, the same for the same seed.

    Args:
        seed: what decides all of it.
        device: where it runs.
        shapes: one of which its buffers have.
        lengths: how many steps it has, from and to.
    """

    def __init__(
        self, seed: int, device: Device, shapes: list[tuple[int, int]] = SHAPES, lengths: tuple[int, int] = (3, 10)
    ) -> None:
        choice = random.Random(seed)
        self.device = device
        self.shape = choice.choice(shapes)
        self.lengths = lengths
        self._seed = choice.randrange(1 << 30)

    def inputs(self, seed: int) -> dict[str, Buffer]:
        """Buffers that it starts with."""
        generator = np.random.default_rng(seed)
        height, width = self.shape
        shapes = {**dict.fromkeys("abcv", self.shape), "row": (1, width), "column": (height, 1)}
        arrays = {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
        return {name: Buffer.from_numpy(array, self.device, copy=True) for name, array in arrays.items()}

    def run(self, inputs: dict[str, Buffer], rate: Any) -> list[Buffer]:
        """Launches all; the buffers that are kept."""
        return _Run(random.Random(self._seed), self, inputs, rate).kept


class _Run:
    def __init__(self, choice: random.Random, program: Program, inputs: dict[str, Buffer], rate: Any) -> None:
        self._choice, self._device, self._shape = choice, program.device, program.shape
        self._inputs, self._rate = inputs, rate
        self._values = [inputs[name] for name in "abc"]
        self.kept: list[Buffer] = []
        for _ in range(choice.randrange(*program.lengths)):
            self._launch(choice.choice(KINDS), choice.choice([f32, f32, f32, f16, bf16, i32, u8]))
            if choice.random() < 0.15:
                self.kept.append(self._values[-1])
        self.kept.append(self._values[-1])
        if choice.random() < 0.3:
            self.kept.append(choice.choice(self._values[1:])[::-1])  # the first input may be replaced

    def _pick(self, dtype: Any = f32) -> Buffer:
        """A view of what there is."""
        choice = self._choice
        fitting = [value for value in self._values if value.dtype is dtype]
        if not fitting:
            converted(self._pick(), made := Buffer.empty(self._shape, dtype, self._device))
            self._values.append(made)
            return made
        buffer = choice.choice(fitting[-4:]) if choice.random() < 0.7 else choice.choice(fitting)
        kind = choice.random()
        views: list[tuple[float, Callable[[], Buffer]]] = [
            (0.06, lambda: buffer[::-1]),
            (0.1, lambda: buffer[:, ::-1]),
            (0.15, lambda: self._inputs["row"].broadcast_to(self._shape) if dtype is f32 else buffer),
            (0.2, lambda: self._inputs["column"].broadcast_to(self._shape) if dtype is f32 else buffer),
            (0.23, lambda: buffer[:1].broadcast_to(self._shape)),
            (0.27, lambda: buffer.transpose() if self._shape[0] == self._shape[1] else buffer),
        ]
        return next((view() for limit, view in views if kind < limit), buffer)

    def _new(self, dtype: Any = f32) -> Buffer:
        kind, (height, width), device = self._choice.random(), self._shape, self._device
        if kind < 0.1:
            return Buffer.zeros((height, 2 * width), dtype, device)[:, ::2]
        if kind < 0.15:
            return Buffer.zeros((2 * height, width), dtype, device)[height:]
        if kind < 0.2:
            return Buffer.empty((width, height), dtype, device).transpose()
        if kind < 0.25:
            return Buffer.empty((height * width,), dtype, device).reshape(self._shape)
        return Buffer.empty(self._shape, dtype, device)

    def _written(self, launch: Any, *arguments: Any, dtype: Any = f32) -> None:
        launch(*arguments, out := self._new(dtype))
        self._values.append(out)

    def _launch(self, kind: str, dtype: Any) -> None:
        choice, values, shape, device = self._choice, self._values, self._shape, self._device
        if kind in OF_ANY:
            self._written(OF_ANY[kind], self._pick(dtype), self._pick(dtype), dtype=dtype)
        elif kind in OF_ONE:
            self._written(OF_ONE[kind], self._pick())
        elif kind == "relu":
            self._written(relu, self._pick(dtype), dtype=dtype)
        elif kind == "ratio":
            self._written(ratio, self._pick(), self._rate if choice.random() < 0.5 else 1.5)
        elif kind == "smoothed":
            self._written(smoothed, self._pick(), self._pick())
        elif kind == "converted":
            self._written(converted, self._pick(), dtype=dtype)
        elif kind == "looked_up":
            table = choice.choice([v for v in values if v.dtype is f32])
            self._written(looked_up, self._pick(), table.contiguous().reshape((table.size,)))
        elif kind == "sometimes":
            x, out = self._pick(), Buffer.zeros(shape, f32, device)
            sometimes(x, out)
            values.append(out)
        elif kind in ("momentum", "accumulate"):
            x = choice.choice(
                [v for v in values if v.dtype is (f32 if kind == "momentum" else dtype)] or [self._pick(dtype)]
            )
            try:
                if kind == "momentum":
                    momentum(self._rate, self._pick(), self._inputs["v"], x)
                else:
                    accumulate(x, self._pick(dtype))
            except LaunchError:
                pass  # what is written overlaps what is read
        elif kind in ("stored_before_loaded", "stored_in_a_branch"):
            launch = stored_before_loaded if kind == "stored_before_loaded" else stored_in_a_branch
            self._written(launch, self._pick(), self._pick())
        elif kind == "two":
            two(self._pick(), a := self._new(), b := self._new())
            values += [a, b]
        elif kind in ("rows", "neighbours"):
            launcher = (
                rows.with_global_threads(16) if kind == "rows" else neighbours.with_global_threads(shape[0] * shape[1])
            )
            launcher(self._pick(), out := Buffer.empty(shape, f32, device))
            values.append(out)
        elif kind == "copy":
            values.append(self._pick(dtype).copy())
        elif kind == "copy into":
            self._inputs[choice.choice("abc")].copy_from(self._pick())
        elif kind == "fill":
            values.append(Buffer.full(shape, 1, dtype, device))
        elif kind == "filled":  # of another length
            values.append(Buffer.full((shape[0], 2 * shape[1]), 1.5, dtype, device)[:, choice.randrange(2) :: 2])
        elif kind == "unknown call" and device.info.index is None:
            x = self._pick().copy()
            host_call(_negate, x)
            values.append(x)
        elif kind == "call" and device.info.index is None:
            host_call(np.negative, self._pick(), out := Buffer.empty(shape, f32, device), outputs=1)
            values.append(out)
        elif kind == "flat" and (x := self._pick()).is_contiguous():
            relu(x.reshape((x.size,)), out := Buffer.empty((x.size,), f32, device))
            values.append(out.reshape(shape))


def _negate(x: Any) -> None:
    np.negative(x, out=x)


def bits(buffers: Any) -> list[bytes]:
    """The bytes of buffers."""
    plain = (b.bitcast(u16) if b.dtype is bf16 else b for b in buffers)
    return [buffer.contiguous().numpy().tobytes() for buffer in plain]
