"""What autograph ships compiled: the kernels that this work needs (see ``krnlpy compile --help``).

LeNet5 is trained in the three types that most networks have, in sizes at which sums and products are split and in sizes
at which they are not; arithmetic is done in f32 and i32. The rest of what a tensor
can do is compiled where it is used.
"""

from __future__ import annotations

import numpy as np

from krnlpy import Device, DTypeLike, bf16, f16, f32, i32, scalar_type, u8

from . import SGD, Conv2, Dense, Flatten, Layer, MaxPool2, Relu, Tensor

_LARGE, _SMALL = 128, 2


class _Network(Layer):
    """Convolutions as in LeNet5, once with bias, and dense layers with and without."""

    def __init__(self, device: Device, dtype: DTypeLike) -> None:
        self.conv1 = Conv2(1, 6, (5, 5), device=device, dtype=dtype)
        self.relu1 = Relu()
        self.pool1 = MaxPool2((2, 2))
        self.conv2 = Conv2(6, 16, (5, 5), bias=True, device=device, dtype=dtype)
        self.relu2 = Relu()
        self.pool2 = MaxPool2((2, 2))
        self.flatten = Flatten()
        self.dense1 = Dense(16 * 4 * 4, 128, device=device, dtype=dtype)
        self.relu3 = Relu()
        self.dense2 = Dense(128, 10, bias=True, device=device, dtype=dtype)


def workload(device: Device) -> None:
    """Does what users will do."""
    for dtype in (f32, f16, bf16):
        for batch in (_LARGE, _SMALL):
            _train(device, dtype, batch)
        _multiply(device, dtype)
    for dtype in (f32, i32):
        _operate(device, dtype)


def _train(device: Device, dtype: DTypeLike, batch: int) -> None:
    model = _Network(device, dtype)
    images = Tensor.zeros((batch, 1, 28, 28), u8, device)
    for momentum in (0.0, 0.9):
        model.init_parameter_grads()
        targets = Tensor.zeros(batch, u8, device)
        logits = model(images.scaled_cast(1 / 255, dtype))
        loss = logits.cross_entropy_loss(targets)
        loss.backward()
        model.update(0.1, SGD(momentum))
        logits.accuracy(targets)
    model(Tensor.from_numpy(np.zeros((batch, 1, 28, 28), np.float32), device).cast(dtype))


def _multiply(device: Device, dtype: DTypeLike) -> None:
    """Products with and without transposed operands, short and long sums."""
    for rows, inner in ((_SMALL, 3), (_SMALL, 1 << 12), (16, 3)):
        x, y = Tensor.ones((rows, inner), dtype, device), Tensor.ones((inner, rows), dtype, device)
        x @ y, x @ x.T, y.T @ y, y.T @ x.T


def _operate(device: Device, dtype: DTypeLike) -> None:
    is_float = scalar_type(dtype).is_float
    for shape in ((_SMALL, 3), (1 << 12, 3)):
        x, row = Tensor.ones(shape, dtype, device), Tensor.ones(3, dtype, device)
        for a, b in ((x, x), (x, row), (row, x), (x.T, x.T)):
            a + b, a - b, a * b
            if is_float:
                a / b
        for a in (x, x.T):
            -a, a + 1, 1 - a, a - 1, a * 2, a.relu(), a.copy(), a.reshape(-1)
            if is_float:
                a / 2, 1 / a
            for axis in (0, 1, None):
                a.sum(axis)
        x.add_assign(row)
        x.scaled_add(2, row)
        Tensor.zeros(shape[0], u8, device).one_hot(10, dtype)
        x.scaled_cast(1, f32), x.cast(f32), x.cast(i32)
