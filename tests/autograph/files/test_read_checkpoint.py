"""Checkpoints as they are read without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest

from autograph import (
    SGD,
    Dense,
    Layer,
    LayerBuffer,
    Tensor,
    asarray,
    load_checkpoint,
    random,
    read_checkpoint,
    save_checkpoint,
)
from autograph.errors import CheckpointError
from autograph.files.container import read_container, write_container
from krnlpy.scalar import bf16


class Model(Layer):
    def __init__(self) -> None:
        self.dense = Dense(2, 3, seed=0, dtype=bf16)
        self.count = LayerBuffer(Tensor.full((), 7))
        self.generator = random.Generator(5, 9)


def test_everything_is_there_without_a_model(tmp_path: Path) -> None:
    model = Model()
    SGD(0.9).update(model.dense.weight, Tensor.ones((2, 3), bf16), 0.1)
    save_checkpoint(tmp_path / "m", model, SGD(0.9), epoch=3)
    found = read_checkpoint(tmp_path / "m")
    assert found.parameters.keys() == {"dense.weight"}
    weight = found.parameters["dense.weight"]
    assert (weight.shape, weight.dtype, weight.tobytes()) == ((2, 3), bf16.dtype, model.dense.weight.numpy().tobytes())
    assert {name: array.item() for name, array in found.buffers.items()} == {"count": 7}
    assert found.generators == {"generator": {"seed": 5, "counter": 9}}
    assert found.optimizer is not None
    assert (found.optimizer["name"], found.optimizer["settings"]["momentum"]) == ("SGD", 0.9)
    assert {name: array.dtype.name for name, array in found.optimizer["state"]["dense.weight"].items()} == {
        "velocity": "float32", "master": "float32"
    }  # fmt: skip
    assert found.metadata == {"epoch": 3}
    assert [line.split() for line in str(found).splitlines()] == [
        ["parameter", "dense.weight", "bf16", "(2,", "3)"],
        ["buffer", "count", "i32", "()"],
        ["generator", "generator"],
        ["optimizer", "SGD(momentum=0.9,", "dampening=0.0,", "weight_decay=0.0,", "nesterov=False)"],
        ["metadata", "epoch"],
    ]


def test_a_model_alone(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", Layer())
    found = read_checkpoint(tmp_path / "m")
    assert (found.parameters, found.buffers, found.generators, found.optimizer, found.metadata) == (
        {},
        {},
        {},
        None,
        {},
    )
    assert str(found) == ""


def test_tensors_and_truth_values_are_saved(tmp_path: Path) -> None:
    mask = np.array([[True, False], [False, True]])
    looks_like_one: Any = {"dtype": "bool", "shape": [1], "bits": b"\x01"}
    save_checkpoint(
        tmp_path / "m", Layer(), mask=mask, kept=asarray(mask).T, half=Tensor.ones(2, bf16), other=looks_like_one
    )
    found = load_checkpoint(tmp_path / "m", Layer())
    np.testing.assert_array_equal(found["mask"], mask)
    np.testing.assert_array_equal(found["kept"], mask.T)
    assert found["mask"].dtype == found["kept"].dtype == bool and found["half"].dtype == bf16.dtype
    assert found["other"] == looks_like_one


def test_a_truth_value_of_two_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", Layer(), mask=np.array([True]))
    payload = bytearray(read_container(tmp_path / "m"))
    payload[-1] = 2  # the last byte is the mask's
    write_container(tmp_path / "m", bytes(payload))
    with pytest.raises(CheckpointError, match=r"content\.metadata\.mask: a bool is neither 0 nor 1"):
        read_checkpoint(tmp_path / "m")


def test_files_of_older_versions_are_read(tmp_path: Path) -> None:
    """Those had neither buffers nor generators, and sometimes no settings."""
    model = Dense(2, 1, seed=0)
    save_checkpoint(tmp_path / "m", model, SGD(), epoch=1)
    content = cbor2.loads(read_container(tmp_path / "m"))
    del content["buffers"], content["generators"], content["optimizer"]["settings"]
    write_container(tmp_path / "m", cbor2.dumps(content))
    found = read_checkpoint(tmp_path / "m")
    assert (found.buffers, found.generators, found.metadata) == ({}, None, {"epoch": 1})
    assert found.optimizer == {"name": "SGD", "settings": {}, "state": {"weight": {}}}
    other = Dense(2, 1, seed=1)
    assert load_checkpoint(tmp_path / "m", other, SGD()) == {"epoch": 1}
    assert other.weight.numpy().tobytes() == model.weight.numpy().tobytes()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"buffers": 3}, "buffers or generators are not maps"),
        ({"buffers": {"mean": 3}}, "mean is not an array"),
        ({"generators": {"g": {"seed": -1, "counter": 0}}}, "the generator g: seed=-1"),
        ({"optimizer": {"name": "SGD", "state": {}, "settings": 3}}, "settings are not a map"),
    ],
)
def test_what_is_no_checkpoint(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", Layer())
    content = cbor2.loads(read_container(tmp_path / "m")) | changed
    write_container(tmp_path / "m", cbor2.dumps(content))
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "m")
