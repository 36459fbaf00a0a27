"""Saved files: what comes back, and what becomes of damaged ones and of full disks."""

import hashlib
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

import cbor2
import numpy as np
import pytest

from autograph import SGD, Dense, Layer, Relu, Tensor, load_checkpoint, save_checkpoint
from autograph.errors import CheckpointError
from krnlpy import SCALAR_TYPES, Device, bf16, f32

HEADER = 56


class Model(Layer):
    def __init__(self, seed=0, width=3, device=None, dtype=f32):
        self.dense1 = Dense(2, width, bias=True, seed=seed, device=device, dtype=dtype)
        self.relu = Relu()
        self.dense2 = Dense(width, 2, seed=seed, device=device, dtype=dtype)


def train(model, optimizer, steps, first=0):
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


def values(model):
    return [(p.numpy().tobytes(), {k: v.numpy().tobytes() for k, v in p.state.items()}) for p in model.parameters()]


@pytest.mark.parametrize("dtype", [f32, bf16], ids=str)
def test_going_on_is_as_if_it_had_not_stopped(dtype, device, tmp_path):
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


def test_between_devices(device, tmp_path):
    model = Model(device=device)
    train(model, SGD(0.5), 1)
    save_checkpoint(tmp_path / "m", model, SGD(0.5))
    there = Model(seed=1, device=Device.host())
    load_checkpoint(tmp_path / "m", there, SGD(0.5))
    assert values(there) == values(model)
    assert there.dense1.weight.device == Device.host()


def test_metadata_comes_back(tmp_path):
    arrays = {t.name: np.arange(6).reshape(2, 3).astype(t.dtype) for t in SCALAR_TYPES}
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


@pytest.mark.parametrize("value", [object(), {1: 2}, [{3}], np.array(["a"]), np.zeros(1, complex)], ids=repr)
def test_what_cannot_be_saved(value, tmp_path):
    with pytest.raises(CheckpointError, match=r"metadata.thing"):
        save_checkpoint(tmp_path / "m", Model(), thing=value)
    assert list(tmp_path.iterdir()) == []


def test_the_format_is_what_the_documentation_says(tmp_path):
    model = Model(dtype=bf16)
    save_checkpoint(tmp_path / "m", model, epoch=1)
    data = (tmp_path / "m").read_bytes()
    assert data[:8] == b"\x89AGRAPH\n"
    assert struct.unpack("<IIQ", data[8:24]) == (1, 0, len(data) - HEADER)
    assert data[24:56] == hashlib.sha256(data[HEADER:]).digest()
    content = cbor2.loads(data[HEADER:])
    weight = content["parameters"]["dense1.weight"]
    assert (weight["dtype"], weight["shape"], weight["bits"].tag) == ("bf16", [2, 3], 69)
    assert weight["bits"].value == model.dense1.weight.numpy().tobytes()
    save_checkpoint(tmp_path / "m", Model())
    tag = cbor2.loads((tmp_path / "m").read_bytes()[HEADER:])["parameters"]["dense1.weight"]
    assert (tag.tag, list(tag.value[0]), tag.value[1].tag) == (40, [2, 3], 85)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    model = Model()
    train(model, SGD(0.9), 1)
    path = tmp_path_factory.mktemp("saved") / "model.cbor"
    save_checkpoint(path, model, SGD(0.9), epoch=1)
    return path.read_bytes()


def refused(path, data):
    path.write_bytes(data)
    model = Model(seed=5)
    before = values(model)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, model, SGD(0.9))
    assert str(path) in str(caught.value)
    assert values(model) == before
    return str(caught.value)


def test_every_truncation_is_noticed(saved, tmp_path):
    for length in range(len(saved)):
        message = refused(tmp_path / "m", saved[:length])
        assert "truncated" in message, (length, message)


def test_a_longer_file_is_noticed(saved, tmp_path):
    assert "longer than it says" in refused(tmp_path / "m", saved + b"\x00")


def test_every_flipped_bit_is_noticed(saved, tmp_path):
    for position in range(len(saved)):
        # One bit of each byte, another from byte to byte.
        damaged = bytearray(saved)
        damaged[position] ^= 1 << position % 8
        message = refused(tmp_path / "m", bytes(damaged))
        where = "no autograph file" if position < 8 else "version" if position < 16 else "bytes"
        assert where in message, (position, message)


def sealed(content):
    payload = content if isinstance(content, bytes) else cbor2.dumps(content)
    header = struct.pack("<8sIIQ", b"\x89AGRAPH\n", 1, 0, len(payload))
    return header + hashlib.sha256(payload).digest() + payload


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "premature end"),
        (b"\xff", "does not hold a checkpoint"),
        (b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", "premature end"),
        (b"\x81" * 100_000, "does not hold a checkpoint"),
        ([1, 2], "something else"),
        ({"format": "other"}, "something else"),
        ({"format": "autograph checkpoint"}, "missing"),
        ({"format": "autograph checkpoint", "parameters": {"w": 1}, "metadata": {}}, "w is no array"),
        ({"format": "autograph checkpoint", "parameters": {}, "metadata": {}, "optimizer": 3}, "no state"),
        (
            {"format": "autograph checkpoint", "parameters": {}, "metadata": {}, "optimizer": {"state": {"w": 3}}},
            "state of w is no map",
        ),
        ({"a": cbor2.CBORTag(40, [[2**40, 2**40], cbor2.CBORTag(85, b"1234")])}, "bytes are not"),
        ({"a": cbor2.CBORTag(40, [[-1], cbor2.CBORTag(85, b"")])}, "is no shape"),
        ({"a": cbor2.CBORTag(40, [[1], cbor2.CBORTag(85, "abcd")])}, "typed array"),
        ({"a": cbor2.CBORTag(40, 5)}, "tag 40"),
        ({"a": cbor2.CBORTag(4711, 5)}, "tag 4711"),
        ({"a": {"dtype": "bf16", "shape": [1], "bits": cbor2.CBORTag(85, b"1234")}}, "not uint16"),
        ({"a": {"dtype": "bf16", "shape": [3], "bits": cbor2.CBORTag(69, b"12")}}, "2 bytes are not 3 elements"),
    ],
)
def test_a_whole_file_with_other_content(content, message, tmp_path):
    assert message in refused(tmp_path / "m", sealed(content))


def test_every_difference_is_listed(tmp_path):
    save_checkpoint(tmp_path / "m", Model(), SGD())
    other = Model(width=4, dtype=bf16)
    other.dense3 = Dense(1, 1)
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


def test_the_optimizer_must_be_the_one_that_was_saved(tmp_path):
    class Adam(SGD):
        pass

    save_checkpoint(tmp_path / "m", Model(), SGD())
    with pytest.raises(CheckpointError, match="the file's optimizer is SGD, not Adam"):
        load_checkpoint(tmp_path / "m", Model(), Adam())
    save_checkpoint(tmp_path / "m", Model())
    with pytest.raises(CheckpointError, match="no optimizer"):
        load_checkpoint(tmp_path / "m", Model(), SGD())


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "m", Model())


def test_a_disk_that_is_full(tmp_path, monkeypatch):
    path = tmp_path / "m"
    save_checkpoint(path, Model(), epoch=1)
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"No space left on device; a file that was there before is unchanged"):
        save_checkpoint(path, Model(seed=1), epoch=2)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_write_that_stops_in_the_middle(tmp_path):
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
    limits = {"env": {**os.environ, "KRNLPY_NO_CACHE": "1"}, "cwd": Path(__file__).parents[2]}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **limits)
    assert "File too large" in run.stdout
    assert (tmp_path / "m").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="was not written"):
        save_checkpoint(tmp_path / "file" / "m", Model())


def test_files_have_the_usual_permissions(tmp_path):
    save_checkpoint(tmp_path / "m", Model())
    (tmp_path / "plain").touch()
    mode = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("m", "plain")]
    assert mode[0] == mode[1]
