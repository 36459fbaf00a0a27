"""Saved files: what comes back, and what becomes of damaged ones and of full disks."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograph import (
    SGD,
    Conv1,
    Dense,
    Flatten,
    Layer,
    MaxPool1,
    Relu,
    Sequential,
    Tensor,
    load_checkpoint,
    save_checkpoint,
)
from autograph.errors import CheckpointError
from krnlpy import Device, ScalarType
from krnlpy.errors import FileError
from krnlpy.scalar import bf16, f32
from tests.conformance.values import NUMBERS
from tests.support import process

pytestmark = pytest.mark.one_vulkan_device


class Model(Layer):
    def __init__(self, seed: int = 0, width: int = 3, device: Device | None = None, dtype: ScalarType = f32) -> None:
        self.dense1 = Dense(2, width, bias=True, seed=seed, device=device, dtype=dtype)
        self.relu = Relu()
        self.dense2 = Dense(width, 2, seed=seed, device=device, dtype=dtype)


def train(model: Any, optimizer: Any, steps: int, first: int = 0) -> Any:
    device, dtype = model.dense1.weight.device, model.dense1.weight.dtype
    losses = []
    for step in range(first, first + steps):
        rng = np.random.default_rng(step)
        x = Tensor.from_numpy(rng.standard_normal((8, 2)).astype(dtype.dtype), device)
        model.init_parameter_grads()
        loss = model(x).cross_entropy_loss(rng.integers(0, 2, 8))
        losses.append(loss.item())
        loss.backward()
        model.update(0.1, optimizer)
    return losses


def values(model: Any) -> Any:
    return [(p.numpy().tobytes(), {k: v.numpy().tobytes() for k, v in p.state.items()}) for p in model.parameters()]


@pytest.mark.parametrize("dtype", [f32, bf16], ids=str)
def test_going_on_is_as_if_it_had_not_stopped(dtype: ScalarType, device: Device, tmp_path: Path) -> None:
    whole = Model(device=device, dtype=dtype)
    losses = train(whole, SGD(0.9), 6)
    stopped = Model(device=device, dtype=dtype)
    optimizer = SGD(0.9)
    before = train(stopped, optimizer, 3)
    save_checkpoint(tmp_path / "a" / "model.cbor", stopped, optimizer, epoch=3)
    resumed, optimizer = Model(seed=9, device=device, dtype=dtype), SGD(0.9)
    assert load_checkpoint(tmp_path / "a" / "model.cbor", resumed, optimizer) == {"epoch": 3}
    assert before + train(resumed, optimizer, 3, first=3) == losses
    assert values(resumed) == values(whole)


def test_between_devices(device: Device, tmp_path: Path) -> None:
    model = Model(device=device)
    train(model, SGD(0.5), 1)
    save_checkpoint(tmp_path / "m", model, SGD(0.5))
    there = Model(seed=1, device=Device.host())
    load_checkpoint(tmp_path / "m", there, SGD(0.5))
    assert values(there) == values(model)
    assert there.dense1.weight.device == Device.host()


def test_metadata_comes_back(tmp_path: Path) -> None:
    arrays = {t.name: np.arange(6).reshape(2, 3).astype(t.dtype) for t in NUMBERS}
    save_checkpoint(
        tmp_path / "m",
        Model(),
        history=[{"loss": 0.1, "epoch": np.int64(1)}],
        seed=2**80,
        note=None,
        where="x",
        raw=b"\x00",
        good=True,
        arrays=arrays,
        nothing=np.zeros((0, 4), np.float32),
        number=np.array(1.5),
    )
    found = load_checkpoint(tmp_path / "m", Model())
    for name, array in arrays.items():
        assert found["arrays"][name].dtype == array.dtype
        np.testing.assert_array_equal(found["arrays"][name], array)
    assert found["nothing"].shape == (0, 4) and found["number"].shape == () and found["number"] == 1.5
    del found["arrays"], found["nothing"], found["number"]
    assert found == {
        "history": [{"loss": 0.1, "epoch": 1}], "seed": 2**80, "note": None, "where": "x", "raw": b"\x00", "good": True
    }  # fmt: skip


@pytest.mark.parametrize(
    "value", [object(), {1: 2}, [{3}], np.array(["a"]), np.zeros(1, complex)], ids=lambda v: type(v).__name__
)
def test_what_cannot_be_saved(value: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"metadata.thing"):
        save_checkpoint(tmp_path / "m", Model(), thing=value)
    assert list(tmp_path.iterdir()) == []


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(metadata=st.dictionaries(st.text(), PLAIN, max_size=3))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_metadata_comes_back(metadata: Any, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", Layer(), data=metadata)
    assert load_checkpoint(tmp_path / "m", Layer())["data"] == metadata


@pytest.mark.parametrize(
    "value",
    [
        {"dtype": "bf16", "shape": [4], "bits": 16},  # which is how arrays of bf16 are written, but for the bits
        {"dtype": "bf16", "shape": [1], "bits": b"ab"},
        {"dtype": "bf16", "shape": [], "bits": {"dtype": "bf16", "shape": [], "bits": None}},
        {"dtype": 5, "shape": 6, "bits": 7},
        {"bits": [2**20_000, -(2**20_000)], "format": "autograph checkpoint", "": {}},
        [[]] * 70_000,
        [0, -1, 23, 24, 255, 256, 65535, 65536, 2**32, 2**64 - 1, -(2**64)],
        ["x" * n for n in (0, 23, 24, 255, 256, 70_000)],
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_what_looks_like_something_else_comes_back(value: Any, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", Layer(), value=value, also=[value])
    assert load_checkpoint(tmp_path / "m", Layer()) == {"value": value, "also": [value]}


def test_a_dict_of_an_array_with_the_keys_of_bf16(tmp_path: Path) -> None:
    bits = np.array([1, 2], np.uint16)
    value = {"dtype": "bf16", "shape": [2], "bits": bits}
    save_checkpoint(tmp_path / "m", Layer(), value=value, array=bits.view(bf16.dtype))
    found = load_checkpoint(tmp_path / "m", Layer())
    assert found["value"]["dtype"] == "bf16" and found["value"]["bits"].dtype == np.uint16
    assert found["value"]["bits"].tolist() == [1, 2]
    assert found["array"].dtype == bf16.dtype and found["array"].view(np.uint16).tolist() == [1, 2]


def test_where_it_is_that_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"metadata\.a\[1\]\.b is of type object, which is not saved"):
        save_checkpoint(tmp_path / "m", Layer(), a=[1, {"b": object()}])
    with pytest.raises(CheckpointError, match=r"metadata\.a is a masked array"):
        save_checkpoint(tmp_path / "m", Layer(), a=np.ma.masked_equal([1, 2], 2))


def test_what_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    deep: list[Any] = []
    itself: list[Any] = []
    for _ in range(100):
        deep = [deep]
    itself.append(itself)
    for value, message in ((deep, "more than 100 lists"), (itself, "was not written"), ("\ud800", "was not written")):
        with pytest.raises(CheckpointError, match=message):
            save_checkpoint(tmp_path / "m", Model(), thing=value)
    assert list(tmp_path.iterdir()) == []


def test_training_goes_on_on_another_device(device: Device, tmp_path: Path) -> None:
    """With the optimizer's state: what was loaded is the same bits, what later steps make of it as near as f32."""
    model, optimizer = Model(device=device), SGD(0.9)
    train(model, optimizer, 3)
    save_checkpoint(tmp_path / "m", model, optimizer)
    there = Device("interpreter") if device.info.kind == "host" else Device.host()
    moved = Model(seed=7, device=there)
    load_checkpoint(tmp_path / "m", moved, optimizer)
    assert values(moved) == values(model)
    losses, there_losses = train(model, optimizer, 3, first=3), train(moved, optimizer, 3, first=3)
    # Three steps whose sums of at most 8 terms below 4 are taken in another order.
    np.testing.assert_allclose(there_losses, losses, rtol=0, atol=3 * 8 * 4 * 2.0**-22)
    for a, b in zip(model.parameters(), moved.parameters(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=3 * 8 * 4 * 2.0**-22)


def test_layers_of_all_kinds_and_nested_lists(device: Device, tmp_path: Path) -> None:
    class Mixed(Layer):
        def __init__(self, seed: int) -> None:
            self.body = Sequential(Conv1(1, 2, 3, bias=True, seed=seed, device=device), Relu(), MaxPool1(2), Flatten())
            self.head = [None, [Dense(4, 2, seed=seed, device=device)]]

    def step(model: Any, optimizer: Any) -> None:
        model.init_parameter_grads()
        x = Tensor.from_numpy(np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 1, 6), device)
        model(x).cross_entropy_loss(np.array([0, 1])).backward()
        model.update(0.1, optimizer)

    model, optimizer = Mixed(0), SGD(0.9)
    step(model, optimizer)
    save_checkpoint(tmp_path / "m", model, optimizer)
    loaded = Mixed(1)
    load_checkpoint(tmp_path / "m", loaded, optimizer)
    step(model, optimizer)
    step(loaded, optimizer)
    assert values(loaded) == values(model)
    names = [name for name, _ in model.named_parameters()]
    assert names == ["body.layers.0.weight", "body.layers.0.bias", "head.1.0.weight"]


@pytest.mark.parametrize(("shape", "fits"), [((), 1), ((3,), 1), ((2, 1), 1), ((2, 3), 1), ((2,), 0), ((1, 2, 3), 0)])
def test_state_must_broadcast_to_its_parameter(shape: tuple[int, ...], fits: Any, tmp_path: Path) -> None:
    model = Model()
    model.dense1.weight.state["row"] = Tensor.ones(shape)
    save_checkpoint(tmp_path / "m", model, SGD())
    if fits:
        load_checkpoint(tmp_path / "m", model, SGD())
        assert model.dense1.weight.state["row"].shape == shape
    else:
        with pytest.raises(CheckpointError, match=r"optimizer's row of dense1.weight is .*does not broadcast"):
            load_checkpoint(tmp_path / "m", model, SGD())


def test_every_difference_is_listed(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", Model(), SGD())
    other = Model(width=4, dtype=bf16)
    setattr(other, "dense3", Dense(1, 1))  # noqa: B010
    del other.dense2
    before = values(other)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "m", other)
    message = str(caught.value)
    for part in [
        "dense3.weight is missing in the file",
        "dense2.weight is in the file only",
        "dense1.weight is f32 (2, 3) in the file, bf16 (2, 4) in the model",
        "dense1.bias is f32 (3,) in the file",
    ]:
        assert part in message
    assert values(other) == before


def test_the_optimizer_must_be_the_one_that_was_saved(tmp_path: Path) -> None:
    class Adam(SGD):
        pass

    save_checkpoint(tmp_path / "m", Model(), SGD())
    with pytest.raises(CheckpointError, match="the file's optimizer is SGD, not Adam"):
        load_checkpoint(tmp_path / "m", Model(), Adam())
    save_checkpoint(tmp_path / "m", Model())
    with pytest.raises(CheckpointError, match="no optimizer"):
        load_checkpoint(tmp_path / "m", Model(), SGD())


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "m", Model())


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m"
    save_checkpoint(path, Model(), epoch=1)
    before = path.read_bytes()

    def full(_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"No space left on device; a file that was there before is unchanged"):
        save_checkpoint(path, Model(seed=1), epoch=2)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_write_that_stops_in_the_middle(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", Model(), epoch=1)
    before = (tmp_path / "m").read_bytes()
    code = f"""
import resource, signal
from autograph import Dense, save_checkpoint
from autograph.errors import CheckpointError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
model = Dense(100, 100, seed=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
try:
    save_checkpoint({str(tmp_path / "m")!r}, model)
except CheckpointError as error:
    print(error)
"""
    assert "File too large" in process.output("-c", code, KRNLPY_NO_CACHE="1")
    assert (tmp_path / "m").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="was not written"):
        save_checkpoint(tmp_path / "file" / "m", Model())


def test_a_killed_save_leaves_nothing_for_long(tmp_path: Path) -> None:
    """What was written of it goes with the next save."""
    save_checkpoint(tmp_path / "m", Model(), epoch=1)
    code = f"""
import os, signal
from autograph import Dense, save_checkpoint
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
save_checkpoint({str(tmp_path / "m")!r}, Dense(100, 100, seed=0))
"""
    for _ in range(2):
        assert process.run("-c", code, KRNLPY_NO_CACHE="1").returncode == -9
    assert len(list(tmp_path.iterdir())) == 2, "of the first nothing is left"
    assert load_checkpoint(tmp_path / "m", Model()) == {"epoch": 1}
    save_checkpoint(tmp_path / "m", Model(), epoch=2)
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_what_is_no_plain_file(tmp_path: Path) -> None:
    """Refused at once: who opens a pipe waits for its other end."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/null"):
        with pytest.raises(FileError, match="expected a plain file"):
            load_checkpoint(path, Model())
        with pytest.raises(CheckpointError, match=r"was not written: it is a .*, expected a plain file"):
            save_checkpoint(path, Model())


@pytest.mark.parametrize("path", ["", "a\0b", "\ud83d", None, 3], ids=repr)
def test_what_is_no_path(path: Path) -> None:
    with pytest.raises(CheckpointError, match="path"):
        save_checkpoint(path, Model())
    with pytest.raises(FileError, match="path"):
        load_checkpoint(path, Model())


def test_files_have_the_usual_permissions(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", Model())
    (tmp_path / "plain").touch()
    mode = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("m", "plain")]
    assert mode[0] == mode[1]
