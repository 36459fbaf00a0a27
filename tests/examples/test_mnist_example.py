"""The MNIST example, run as a user runs it, on a small part of the sample."""

from __future__ import annotations

import gzip
import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograph import SGD, load_checkpoint
from autograph.data import load_mnist
from examples import mnist
from examples.lenet5 import LeNet5
from krnlpy import Device, DeviceUnavailable, scalar_type
from tests.support import process

ROOT = Path(__file__).resolve().parents[2]


def write_idx(path: Path, array: np.ndarray[Any, Any]) -> None:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), 1))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 600 training and 200 test images, taken from the sample that the package carries."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AUTOGRAPH_DATA", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        sample = load_mnist(download=False, progress=False)
    write_idx(folder / "train-images-idx3-ubyte.gz", sample.train_images[:600, 0])
    write_idx(folder / "train-labels-idx1-ubyte.gz", sample.train_classes[:600])
    write_idx(folder / "t10k-images-idx3-ubyte.gz", sample.test_images[:200, 0])
    write_idx(folder / "t10k-labels-idx1-ubyte.gz", sample.test_classes[:200])
    return folder


def run(data_dir: Path, folder: Path, *more: str) -> None:
    folder.mkdir(exist_ok=True)
    files = ["--save", str(folder / "model.cbor"), "--plot", str(folder / "curves.png")]
    files += ["--history", str(folder / "curves.json")]
    mnist.main(["--device", "host", "--quiet", "--data-dir", str(data_dir), *files, *more])


def history(folder: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = load_checkpoint(folder / "model.cbor", LeNet5(), SGD(momentum=0.9))["history"]
    return entries


def test_last_line_and_files(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(data_dir, tmp_path, "--epochs", "2", "--train-batch-size", "20")
    lines = capsys.readouterr().out.splitlines()
    found = re.fullmatch(r"test accuracy: (\d+\.\d\d) %", lines[-1])
    assert found is not None
    # Sixty steps: far from trained, but far from chance (10 %) too.
    assert float(found[1]) > 50
    assert [line[:9] for line in lines if line.startswith("epoch ")] == ["epoch 1/2", "epoch 2/2"]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert history(tmp_path)[-1]["evaluation_accuracy"] == pytest.approx(float(found[1]) / 100, abs=5e-5)
    curves = json.loads((tmp_path / "curves.json").read_text())
    assert (curves["model"], curves["train_batch_size"], curves["device"]) == ("LeNet5", 20, Device.host().info.name)
    assert curves["epochs"] == history(tmp_path)


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_resumed_training_goes_on_bit_for_bit(data_dir: Path, tmp_path: Path, dtype: str) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(data_dir, whole, "--dtype", dtype, "--epochs", "3")
    run(data_dir, parts, "--dtype", dtype, "--epochs", "2")
    run(data_dir, parts, "--dtype", dtype, "--epochs", "3", "--resume", str(parts / "model.cbor"))

    def made(folder: Path) -> Any:
        """Losses and accuracies, and all bits of the model and of what its optimizer remembers."""
        model = LeNet5(dtype=scalar_type(dtype))
        found = load_checkpoint(folder / "model.cbor", model, SGD(momentum=0.9))["history"]
        figures = [{k: v for k, v in entry.items() if k.startswith(("train_", "evaluation_"))} for entry in found]
        return figures, [
            (p.numpy().tobytes(), {name: value.numpy().tobytes() for name, value in p.state.items()})
            for p in model.parameters()
        ]

    assert made(whole) == made(parts)
    assert len(made(whole)[0]) == 3


def test_device_can_be_named(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="no such thing"):
        mnist.main(["--device", "no such thing", "--data-dir", str(data_dir)])


def test_help_names_every_option() -> None:
    printed = process.output("examples/mnist.py", "--help")
    for option in (
        "device", "dataset", "dtype", "epochs", "train-batch-size", "test-batch-size", "learning-rate", "momentum",
        "seed", "data-dir", "save", "resume", "plot", "history",
    ):  # fmt: skip
        assert f"--{option}" in printed


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--momentum", "nan", "nan is not a finite number of at least 0"),
        ("--learning-rate", "-0.1", "-0.1 is not a finite number of at least 0"),
        ("--epochs", "0", "0 is not above 0"),
        ("--train-batch-size", "many", "invalid positive value: 'many'"),
        ("--dtype", "f64", "invalid choice: 'f64'"),
    ],
)
def test_wrong_arguments(option: str, value: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        mnist.main([option, value])
    assert said in capsys.readouterr().err


def test_errors_are_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.cbor"
    broken.write_bytes(b"not a model")
    done = process.run("examples/mnist.py", "--device", "host", "--resume", broken, "--data-dir", tmp_path)
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr
