"""autograph trains with the kernels that it ships: no GLSL compiler, no cache."""

from __future__ import annotations

import json

import pytest

import krnlpy
from tests.support import process

PROGRAM = """
import json
import sys
import numpy as np
from krnlpy import Device, bf16, config, f32
from krnlpy.dsl.spirv import glslang
glslang._candidates = lambda: iter(())
config.cache_dir = None
from autograph import SGD, Tensor
from examples.lenet5 import LeNet5

device = Device(int(sys.argv[1]))
rng = np.random.default_rng(0)
batch = int(sys.argv[2])
images = Tensor.from_numpy(rng.integers(0, 256, (batch, 1, 28, 28), np.uint8), device)
classes = Tensor.from_numpy(rng.integers(0, 10, batch, np.uint8), device)
for dtype in (f32, bf16):
    model = LeNet5(device, dtype)
    losses = []
    for _ in range(2):
        model.init_parameter_grads()
        logits = model(images.scaled_cast(1 / 255, dtype))
        loss = logits.cross_entropy_loss(classes)
        loss.backward()
        model.update(0.05, SGD(momentum=0.9))
        losses.append(loss.item())
    right = logits.accuracy(classes).item()
    print(json.dumps([*losses, right]))
"""


@pytest.mark.parametrize("index", range(len(krnlpy.devices())))
def test_lenet5_trains_without_a_compiler(index: int) -> None:
    """Where this fails for want of a compiler, `make kernels` was forgotten, or a kernel in krnlpy_workload.py."""
    batch = 16
    lines = process.output("-c", PROGRAM, index, batch).splitlines()
    for line in lines:
        first, second, right = json.loads(line)
        # A new network says one in ten, whose loss is log(10) = 2.3; a step along the gradient lowers it.
        assert 2.1 < second < first < 2.5
        assert 0 <= right <= batch
    assert len(lines) == 2
