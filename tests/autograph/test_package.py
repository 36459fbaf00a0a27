"""The package as a whole: what importing it takes, what tensors say of themselves, and what a training step costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph
from autograph import SGD, Tensor
from krnlpy import Device, bf16, f32
from tests.support import process

from .lenet5 import LeNet5

ROOT = Path(__file__).resolve().parents[2]


def test_importing_loads_no_backend_and_no_compiler() -> None:
    program = "import sys, autograph; print([m for m in ('vulkan', 'llvmlite', 'torch') if m in sys.modules])"
    assert process.output("-c", program) == "[]\n"


def test_what_few_programs_need_is_loaded_when_asked_for() -> None:
    program = """
import sys, autograph
print([m for m in ("http.client", "ssl", "csv", "gzip", "autograph.files.checkpoints") if m in sys.modules])
print(set(autograph.__all__) - set(dir(autograph)))
print(autograph.data.read_idx.__name__, autograph.save_checkpoint.__name__)
from autograph import data, load_checkpoint
"""
    assert process.output("-c", program) == "[]\nset()\nread_idx save_checkpoint\n"


def test_the_host_trains_without_a_driver() -> None:
    program = """
import numpy as np
from autograph import SGD, Dense, Tensor
model = Dense(2, 2, seed=0)
for _ in range(2):
    model.init_parameter_grads()
    loss = model(Tensor.ones((3, 2))).cross_entropy_loss(np.zeros(3, int))
    loss.backward()
    model.update(0.1, SGD(0.9))
    print(loss.item())
"""
    printed = process.output("-c", program, VK_DRIVER_FILES="/nonexistent.json", VK_ICD_FILENAMES="")
    first, second = map(float, printed.split())
    assert second < first


def test_all_names_are_there_and_told_of() -> None:
    for name in autograph.__all__:
        assert getattr(autograph, name).__doc__, name


@pytest.mark.parametrize("rank", range(9))
def test_tensors_of_any_rank(rank: int, device: Device) -> None:
    shape = (2, 3, 1, 2, 1, 3, 2, 1, 2)[:rank]
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    x = Tensor.from_numpy(array, device)
    assert (x.ndim, x.shape, x.size) == (rank, shape, array.size)
    np.testing.assert_array_equal(x.transpose().numpy(), array.T)
    np.testing.assert_array_equal((x + x).numpy(), array + array)
    np.testing.assert_array_equal(x.transpose().copy().numpy(), array.T)
    np.testing.assert_array_equal((x.transpose() + 1).reshape(-1).numpy(), (array.T + 1).reshape(-1))
    np.testing.assert_array_equal(x.broadcast_to((2, *shape)).sum(0).numpy(), 2 * array)
    for axis in range(rank):
        np.testing.assert_array_equal(x.sum(axis).numpy(), array.sum(axis))
    assert x.sum().item() == array.sum()


@pytest.mark.parametrize("dtype", [f32, bf16], ids=str)
def test_a_training_step_of_lenet5_takes_at_most_60_dispatches(dtype: Any, device: Device) -> None:
    if device.info.kind in ("host", "interpreter"):
        pytest.skip("dispatches are a GPU's")
    model, optimizer = LeNet5(device, dtype), SGD(0.9)
    images = Tensor.zeros((4, 1, 28, 28), "u8", device)
    classes = Tensor.zeros(4, "u8", device)

    def step() -> None:
        model.init_parameter_grads()
        logits = model(images.scaled_cast(1 / 255, dtype))
        loss = logits.cross_entropy_loss(classes)
        logits.accuracy(classes)
        loss.backward()
        model.update(0.1, optimizer)

    step()  # the optimizer makes its state
    with device.profile() as profile:
        step()
    kinds = [record.kind for record in profile.records]
    assert 20 < kinds.count("kernel") <= len(kinds) <= 60
    assert kinds.count("download") == kinds.count("upload") == 0
