"""Files of checkpoints, byte by byte: what is in them, and what becomes of damaged and of hostile ones."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograph import SGD, Dense, Layer, Relu, Tensor, load_checkpoint, save_checkpoint
from autograph.errors import CheckpointError
from krnlpy import DTypeLike, bf16, f32
from tests.support.typed import present

HEADER = 56


class Model(Layer):
    def __init__(self, seed: int = 0, dtype: DTypeLike = f32) -> None:
        self.dense1 = Dense(2, 3, bias=True, seed=seed, dtype=dtype)
        self.relu = Relu()
        self.dense2 = Dense(3, 2, seed=seed, dtype=dtype)


def values(model: Any) -> Any:
    return [(p.numpy().tobytes(), {k: v.numpy().tobytes() for k, v in p.state.items()}) for p in model.parameters()]


def test_the_format_is_what_the_documentation_says(tmp_path: Path) -> None:
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
def saved(tmp_path_factory: pytest.TempPathFactory) -> Any:
    model = Model()
    for parameter in model.parameters():
        SGD(0.9).update(parameter, Tensor.ones(parameter.shape), 0.1)
    path = tmp_path_factory.mktemp("saved") / "model.cbor"
    save_checkpoint(path, model, SGD(0.9), epoch=1)
    return path.read_bytes()


def refused(path: Path, data: Any) -> Any:
    path.write_bytes(data)
    model = Model(seed=5)
    before = values(model)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, model, SGD(0.9))
    assert str(path) in str(caught.value)
    assert values(model) == before
    return str(caught.value)


def test_every_truncation_is_noticed(saved: Any, tmp_path: Path) -> None:
    for length in range(len(saved)):
        message = refused(tmp_path / "m", saved[:length])
        assert "truncated" in message, (length, message)


def test_a_longer_file_is_noticed(saved: Any, tmp_path: Path) -> None:
    assert "longer than it says" in refused(tmp_path / "m", saved + b"\x00")


def test_every_flipped_bit_is_noticed(saved: Any, tmp_path: Path) -> None:
    for position in range(len(saved)):
        # One bit of each byte, another from byte to byte.
        damaged = bytearray(saved)
        damaged[position] ^= 1 << position % 8
        message = refused(tmp_path / "m", bytes(damaged))
        where = "not an autograph file" if position < 8 else "version" if position < 16 else "bytes"
        assert where in message, (position, message)


def sealed(content: Any) -> Any:
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
        ({"format": "autograph checkpoint", "parameters": {"w": 1}, "metadata": {}}, "w is not an array"),
        ({"format": "autograph checkpoint", "parameters": {}, "metadata": {}, "optimizer": 3}, "no state"),
        (
            {"format": "autograph checkpoint", "parameters": {}, "metadata": {}, "optimizer": {"state": {"w": 3}}},
            "state of w is not a map",
        ),
        ({"a": cbor2.CBORTag(40, [[2**40, 2**40], cbor2.CBORTag(85, b"1234")])}, "bytes are not"),
        ({"a": cbor2.CBORTag(40, [[-1], cbor2.CBORTag(85, b"")])}, "expected a shape"),
        ({"a": cbor2.CBORTag(40, [[1], cbor2.CBORTag(85, "abcd")])}, "typed array"),
        (
            {"a": cbor2.CBORTag(40, [[2**61] * 20_000, cbor2.CBORTag(85, b"")])},
            "content.a: expected a shape",
        ),
        ({"a": cbor2.CBORTag(40, [[2**40_000], cbor2.CBORTag(85, b"")])}, "expected a shape"),
        ({"a": cbor2.CBORTag(40, [[1] * 65, cbor2.CBORTag(85, b"1234")])}, "expected a shape of at most 64 lengths"),
        ({"a": [1, {"b": cbor2.CBORTag(40, [[2], cbor2.CBORTag(85, b"1234")])}]}, "content.a[1].b: 4 bytes are not 2"),
        (b"\xa2\x61a\x01\x61a\x02", "the key at byte 4 is there twice"),
        (b"\xa2\x61a\x01\x78\x01a\x02", "the key at byte 4 is there twice"),  # written in another way
        (b"\xa1\x61b\x82\xa1\x61a\x01\xa2\x61a\x01\x61a\x02", "the key at byte 12 is there twice"),
        (b"\xa1\x01\x01", "the key at byte 1 is not a string"),
        (b"\x82\x01\xf7", "the simple value 23 at byte 2"),
        (b"\x82\x01\x9f", "the item at byte 2 is of indefinite length"),
        (b"\x82\x01\x19\x01", "the item at byte 2 reaches beyond"),
        ({"format": np.array(0).tolist(), "parameters": {}, "metadata": {}}, "something else"),
        (
            {"format": cbor2.CBORTag(40, [[2], cbor2.CBORTag(64, b"ab")]), "parameters": {}, "metadata": {}},
            "something else",
        ),
        *(
            (
                {
                    "format": "autograph checkpoint",
                    "parameters": {},
                    "metadata": {},
                    "optimizer": {"name": name, "state": {}},
                },
                "the optimizer's name is not a string",
            )
            for name in (cbor2.CBORTag(40, [[2], cbor2.CBORTag(64, b"ab")]), 2**40_000, None)
        ),
        ({"a": cbor2.CBORTag(40, 5)}, "tag 40"),
        ({"a": cbor2.CBORTag(4711, 5)}, "tag 4711"),
        ({"a": {"dtype": "bf16", "shape": [1], "bits": cbor2.CBORTag(85, b"1234")}}, "not uint16"),
        ({"a": {"dtype": "bf16", "shape": [3], "bits": cbor2.CBORTag(69, b"12")}}, "2 bytes are not 3 elements"),
    ],
)
def test_a_whole_file_with_other_content(content: Any, message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path / "m", sealed(content))


def doubled(times: int) -> Any:
    """A list of two times a list of two times ...: each refers to the one before, and 5 bytes double what is built."""
    lists = [b"\xd8\x1c\x81\x00"]
    lists += [b"\xd8\x1c\x82" + 2 * (b"\xd8\x1d" + cbor2.dumps(i)) for i in range(times)]
    return b"\xa1\x61a" + bytes([0x98, len(lists)]) + b"".join(lists)


def test_references_that_would_fill_all_memory_are_refused(tmp_path: Path) -> None:
    assert "tag 28 at byte 5 does not belong" in refused(tmp_path / "m", sealed(doubled(100)))
    assert "tag 28" in refused(tmp_path / "m", sealed(b"\xa1\x61a\xd8\x1c\x81\xd8\x1d\x00"))  # a list of itself
    assert "tag 256" in refused(tmp_path / "m", sealed(cbor2.CBORTag(256, ["text", cbor2.CBORTag(25, 0)])))


@pytest.mark.parametrize("tag", [0, 1, 4, 5, 30, 35, 36, 37, 258, 260])
def test_tags_that_build_objects_are_refused(tag: Any, tmp_path: Path) -> None:
    assert f"tag {tag} at byte 0" in refused(tmp_path / "m", sealed(cbor2.CBORTag(tag, [1, 2])))


@given(data=st.binary(max_size=60), in_map=st.booleans())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused(data: Any, in_map: Any, tmp_path: Path) -> None:
    refused(tmp_path / "m", sealed(b"\xa1\x6aparameters" + data if in_map else data))


def test_a_file_of_another_machine(tmp_path: Path) -> None:
    """Put together byte by byte: what a machine of any byte order writes, and reads."""
    weight, bias, velocity = [1.5, -2.0], [0.25], [3.0, 4.0]
    little = {"f": "<f", "bits": "<H"}

    def array(tag: Any, shape: list[int], letter: Any, values: Any) -> Any:
        data = b"".join(struct.pack(little[letter], value) for value in values)
        return cbor2.CBORTag(40, [shape, cbor2.CBORTag(tag, data)])

    content: Any = {
        "format": "autograph checkpoint",
        "parameters": {
            "weight": array(85, [2, 1], "f", weight),
            # bf16 is the upper half of f32.
            "bias": {
                "dtype": "bf16",
                "shape": [1],
                "bits": cbor2.CBORTag(69, struct.pack("<H", struct.unpack("<I", struct.pack("<f", bias[0]))[0] >> 16)),
            },
        },
        "optimizer": {
            "name": "SGD",
            "settings": {"momentum": 0.5},
            "state": {"weight": {"velocity": array(85, [2, 1], "f", velocity)}},
        },
        "metadata": {"epoch": 2},
    }
    (tmp_path / "m").write_bytes(sealed(content))

    class Mixed(Layer):
        def __init__(self) -> None:
            self.weight, self.bias = Dense(2, 1).weight, Dense(1, 1, bias=True, dtype=bf16).bias

    model = Mixed()
    assert load_checkpoint(tmp_path / "m", model, SGD(0.5)) == {"epoch": 2}
    assert model.weight.numpy().tolist() == [[1.5], [-2.0]] and present(model.bias).numpy().tolist() == [0.25]
    assert model.weight.state["velocity"].numpy().tolist() == [[3.0], [4.0]] and present(model.bias).state == {}
    # And what is written is the same, bit for bit, but for what the file leaves out.
    save_checkpoint(tmp_path / "again", model, SGD(0.5), epoch=2)
    written = cbor2.loads((tmp_path / "again").read_bytes()[HEADER:])
    content["optimizer"]["state"]["bias"] = {}
    content["optimizer"]["settings"] |= {"dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
    content |= {"buffers": {}, "generators": {}}
    assert written == cbor2.loads(cbor2.dumps(content))


@pytest.mark.parametrize("kind", ["u2", "u4", "u8", "i2", "i4", "i8", "f2", "f4", "f8"])
def test_arrays_of_both_byte_orders_are_one_file(kind: Any, tmp_path: Path) -> None:
    for order in "<>":
        save_checkpoint(tmp_path / order, Layer(), values=np.array([1, 2, 300], order + kind))
    assert (tmp_path / "<").read_bytes() == (tmp_path / ">").read_bytes()
    found = load_checkpoint(tmp_path / ">", Layer())["values"]
    assert found.dtype.isnative and found.tolist() == [1, 2, 300]
