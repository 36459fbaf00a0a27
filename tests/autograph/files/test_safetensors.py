"""safetensors files: what comes back, lazily and on each device, and what becomes of damaged ones."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograph import Dense, Tensor, load_safetensors, read_safetensors_header, save_safetensors
from autograph.errors import CheckpointError
from autograph.files.safetensors.format import DTYPES
from krnlpy import Device
from krnlpy.errors import FileError, FileMissing
from tests.support.tiers import deep, one_vulkan_device

pytestmark = pytest.mark.one_vulkan_device

EVERY = tuple(DTYPES.values())


def arrays(dtypes: Iterable[Any] = EVERY) -> dict[str, np.ndarray[Any, Any]]:
    """One of each dtype, of odd sizes, so that none is aligned by chance; an empty one and one without axes."""
    rng = np.random.default_rng(0)
    made = {f"{dtype}": rng.integers(0, 2, (3, 1, 5)).astype(dtype.dtype) for dtype in dtypes}
    return {**made, "empty": np.zeros((0, 3), np.float32), "scalar": np.array(-0.0, np.float32)}


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def with_header(path: Path, header: Any, data: bytes) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_every_dtype_comes_back(tmp_path: Path) -> None:
    kept = arrays()
    save_safetensors(tmp_path / "a" / "x", kept, {"by": "ä"})
    assert read_safetensors_header(tmp_path / "a" / "x").metadata == {"by": "ä"}
    loaded = load_safetensors(tmp_path / "a" / "x")
    assert loaded.keys() == kept.keys()
    for name, array in kept.items():
        found = loaded[name].numpy()
        assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes()), name


@one_vulkan_device
def test_on_devices(device: Device, tmp_path: Path) -> None:
    kept = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "y": np.array([True, False])}
    save_safetensors(tmp_path / "x", {name: Tensor.from_numpy(array, device) for name, array in kept.items()})
    loaded = load_safetensors(tmp_path / "x", device, ["y"])
    assert list(loaded) == ["y"]
    assert loaded["y"].device == device
    assert (loaded["y"].numpy() == kept["y"]).all()


def test_the_package_safetensors_agrees(tmp_path: Path) -> None:
    package = pytest.importorskip("safetensors.numpy")
    safetensors = pytest.importorskip("safetensors")
    numpys = [dtype for name, dtype in DTYPES.items() if name != "BF16"]
    kept = arrays(numpys)
    save_safetensors(tmp_path / "ours", kept, {"a": "b"})
    theirs = package.load_file(tmp_path / "ours")
    with safetensors.safe_open(tmp_path / "ours", framework="np") as file:
        assert file.metadata() == {"a": "b"}
    package.save_file(kept, tmp_path / "theirs", {"a": "b"})
    ours = load_safetensors(tmp_path / "theirs")
    for name, array in kept.items():
        for found in (theirs[name], ours[name].numpy()):
            assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes()), name


def test_torch_reads_and_writes_bf16(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("safetensors.torch")
    package.save_file({"x": torch.arange(5).to(torch.bfloat16)}, tmp_path / "theirs")
    loaded = load_safetensors(tmp_path / "theirs")
    assert str(loaded["x"].dtype) == "bf16"
    assert loaded["x"].tolist() == [0, 1, 2, 3, 4]
    save_safetensors(tmp_path / "ours", loaded)
    assert torch.equal(package.load_file(tmp_path / "ours")["x"], torch.arange(5).to(torch.bfloat16))


def test_other_dtypes_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    header = {
        "small": {"dtype": "F8_E4M3", "shape": [3], "data_offsets": [0, 3]},
        "x": {"dtype": "U8", "shape": [2], "data_offsets": [3, 5]},
    }
    path = with_header(tmp_path / "x", header, bytes(range(5)))
    assert load_safetensors(path, names=["x"])["x"].tolist() == [3, 4]
    with pytest.raises(CheckpointError, match=r"small is of F8_E4M3"):
        load_safetensors(path)
    with pytest.raises(CheckpointError, match="no tensor 'y'; it has small, x"):
        load_safetensors(path, names=["y"])
    with pytest.raises(CheckpointError, match="expected several"):
        load_safetensors(path, names="x")


def test_bytes_of_truth_values_that_are_neither(tmp_path: Path) -> None:
    header = {"x": {"dtype": "BOOL", "shape": [3], "data_offsets": [0, 3]}}
    assert load_safetensors(with_header(tmp_path / "x", header, bytes([0, 1, 255])))["x"].tolist() == [
        False,
        True,
        True,
    ]


LIES: dict[str, tuple[Any, bytes, str]] = {
    "huge": ({"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}, b"", "truncated"),
    "shape": ({"x": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, bytes(8), "12 by its shape"),
    "product": (
        {"x": {"dtype": "U8", "shape": [1 << 32, 1 << 32], "data_offsets": [0, 0]}},
        b"",
        "x has 0 bytes by data_offsets",
    ),
    "negative": ({"x": {"dtype": "U8", "shape": [-1], "data_offsets": [0, 1]}}, b"a", "the shape of x"),
    "bool": ({"x": {"dtype": "U8", "shape": [True], "data_offsets": [0, 1]}}, b"a", "the shape of x"),
    "axes": ({"x": {"dtype": "U8", "shape": [1] * 65, "data_offsets": [0, 1]}}, b"a", "the shape of x"),
    "order": ({"x": {"dtype": "U8", "shape": [1], "data_offsets": [1, 0]}}, b"a", "two places in order"),
    "hole": ({"x": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}}, b"ab", "x begins at byte"),
    "overlap": (
        {
            "x": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]},
            "y": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]},
        },
        b"abc",
        "y begins at byte",
    ),
    "longer": ({"x": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}, b"ab", "longer than it says"),
    "keys": ({"x": {"dtype": "U8", "shape": [1]}}, b"a", "x is not a map of"),
    "metadata": ({"__metadata__": {"a": 1}}, b"", "not a map of strings"),
    "list": ([], b"", "not a map"),
    "nesting": (b"[" * 100_000, b"", "not JSON"),
    "digits": (b'{"x":' + b"1" * 5000 + b"}", b"", "not JSON"),
    "constant": (b'{"x": NaN}', b"", "NaN, which is not JSON"),
    "twice": (b'{"x": 1, "x": 1}', b"", "twice"),
    "bytes": (b"\xff", b"", "not JSON"),
}


@pytest.mark.parametrize(("header", "data", "message"), LIES.values(), ids=LIES)
def test_lying_headers(header: Any, data: bytes, message: str, tmp_path: Path) -> None:
    path = with_header(tmp_path / "x", header, data)
    with pytest.raises(CheckpointError, match=message):
        load_safetensors(path)


def test_what_is_no_file_of_the_format(tmp_path: Path) -> None:
    for content, message in ((b"", "fewer than 8"), (b"\xff" * 8, "18446744073709551615 bytes"), (b"\x80\x02}q", "8")):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            read_safetensors_header(tmp_path / "x")
    with pytest.raises(FileMissing):
        load_safetensors(tmp_path / "missing")
    with pytest.raises(FileError):
        load_safetensors(tmp_path)


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    save_safetensors(path, {"x": Tensor.ones(2)})
    before = path.read_bytes()
    wrong: list[tuple[Any, Any, str]] = [
        ({"__metadata__": Tensor.ones(2)}, None, "not a name"),
        ({"x": np.array(["text"])}, None, "x is a ndarray"),
        ({"x": np.zeros(2, np.complex64)}, None, "x is a ndarray"),
        ({"\ud800": Tensor.ones(2)}, None, "no text"),
        ({"x": Tensor.ones(2)}, {"epoch": 1}, "keeps strings"),
        (Tensor.ones(2), None, "takes a layer or tensors by name"),
        (Dense(2, 2), {1: "a"}, "keeps strings"),
    ]
    for tensors, metadata, message in wrong:
        with pytest.raises(CheckpointError, match=message):
            save_safetensors(path, tensors, metadata)
    with pytest.raises(CheckpointError, match="expected 'autograph' or 'pytorch'"):
        save_safetensors(path, Dense(2, 2), convention="jax")  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="it is a folder"):
        save_safetensors(tmp_path, {"x": Tensor.ones(2)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A file some of whose bytes are others, or missing, or more than it had; mostly where it begins."""
    bad = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(0, min(len(bad), int(rng.choice([8, 64, 400, len(bad)]))) or 1))
        match rng.integers(5):
            case 0:
                bad[place : place + 1] = bytes([rng.integers(256)])
            case 1 if bad:
                bad[place % len(bad)] ^= 1 << int(rng.integers(8))
            case 2:
                del bad[place:]
            case 3:
                bad[place:place] = bytes(rng.integers(0, 256, rng.integers(1, 9), np.uint8))
            case _:
                digits = [i for i, byte in enumerate(bad[:400]) if 48 <= byte < 58]
                if digits:
                    bad[int(rng.choice(digits))] = int(rng.integers(48, 58))
    return bytes(bad)


def try_damaged(tmp_path: Path, count: int) -> int:
    save_safetensors(tmp_path / "x", arrays(), {"a": "b"})
    content, refused = (tmp_path / "x").read_bytes(), 0
    for seed in range(count):
        (tmp_path / "y").write_bytes(damaged(content, np.random.default_rng(seed)))
        try:
            loaded = load_safetensors(tmp_path / "y")
        except (CheckpointError, FileError):
            refused += 1
        else:
            assert sum(tensor.size * tensor.dtype.size for tensor in loaded.values()) <= len(content) + 64
    return refused


def test_some_damaged_files(tmp_path: Path) -> None:
    assert try_damaged(tmp_path, 60) > 30


@deep
def test_damaged_files(tmp_path: Path) -> None:
    assert try_damaged(tmp_path, 2000) > 1000
