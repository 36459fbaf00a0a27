"""MNIST and Fashion-MNIST: where they are looked for, and what is refused."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

from autograph.data import Mnist, load_mnist, mnist, write_idx
from autograph.data.idx import pack_idx
from autograph.errors import DatasetError
from tests.support.typed import untyped

from .http_server import Site, serve

SAMPLE = Path(mnist.__file__).parent / "samples" / "mnist-sample"
WHOLE = Path(os.environ.get("AUTOGRAPH_DATA", "../shared/data")).absolute()
NOWHERE = "http://127.0.0.1:9/"
LENGTHS = {"train": 60, "t10k": 20}  # in place of 60,000 and 10,000


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No file of this machine is found, no mirror is there, and "whole" sets are small; returns the cache folder."""
    monkeypatch.delenv("AUTOGRAPH_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.setattr(mnist, "_LENGTHS", LENGTHS)
    set_mirrors(monkeypatch, NOWHERE)
    return tmp_path / "cache" / "autograph"


def set_mirrors(monkeypatch: pytest.MonkeyPatch, *mirrors: str) -> None:
    for kind, source in mnist._SOURCES.items():
        monkeypatch.setitem(mnist._SOURCES, kind, replace(source, mirrors=mirrors))


def arrays(seed: int, lengths: dict[str, int] = LENGTHS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}
    for part, n in lengths.items():
        made[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        made[f"{part}-labels-idx1-ubyte"] = rng.integers(0, 10, n, dtype=np.uint8)
    return made


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, dict[str, np.ndarray]]:
    """A "whole" set of each kind, known by its hashes and served as ``site`` does."""
    sets = {"mnist": arrays(1), "fashion": arrays(2), "kmnist": arrays(4)}
    unpacked = {name: hashlib.sha256(pack_idx(array)).hexdigest() for name, array in sets["mnist"].items()}
    monkeypatch.setitem(mnist._SOURCES, "mnist", replace(mnist._SOURCES["mnist"], unpacked_sha256=unpacked))
    for kind in ("fashion", "kmnist"):
        packed = {name: hashlib.sha256(compressed(array, tmp_path)).hexdigest() for name, array in sets[kind].items()}
        monkeypatch.setitem(mnist._SOURCES, kind, replace(mnist._SOURCES[kind], packed_sha256=packed))
    return sets


def compressed(array: np.ndarray, folder: Path) -> bytes:
    path = folder / "compressed.gz"
    write_idx(path, array)
    return path.read_bytes()


def save(folder: Path, made: dict[str, np.ndarray], suffix: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in made.items():
        write_idx(folder / f"{name}{suffix}", array)
    return folder


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, known: dict[str, dict[str, np.ndarray]], tmp_path: Path) -> Iterator[Site]:
    """A mirror of both sets."""
    with serve(Site()) as site:
        for kind, made in known.items():
            for name, array in made.items():
                site.files[f"{kind}/{name}.gz"] = compressed(array, tmp_path)
            source = mnist._SOURCES[kind]
            monkeypatch.setitem(mnist._SOURCES, kind, replace(source, mirrors=(NOWHERE, f"{site.url}{kind}/")))
        yield site


def check(data: Mnist, made: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(data.train_images[:, 0], made["train-images-idx3-ubyte"])
    np.testing.assert_array_equal(data.train_classes, made["train-labels-idx1-ubyte"])
    np.testing.assert_array_equal(data.test_images[:, 0], made["t10k-images-idx3-ubyte"])
    np.testing.assert_array_equal(data.test_classes, made["t10k-labels-idx1-ubyte"])


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("kind", ["mnist", "fashion", "kmnist"])
@pytest.mark.parametrize("named", ["data_dir", "AUTOGRAPH_DATA"])
@pytest.mark.parametrize("inside", [True, False], ids=["subfolder", "directly"])
def test_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str, kind: mnist.Kind, suffix: str, inside: bool
) -> None:
    made = arrays(3, {"train": 7, "t10k": 4})
    folder = tmp_path / "data"
    save(folder / mnist._SOURCES[kind].folder if inside else folder, made, suffix)
    if named == "AUTOGRAPH_DATA":
        monkeypatch.setenv(named, str(folder))
    data = load_mnist(kind, folder if named == "data_dir" else None)
    check(data, made)
    assert data.train_images.shape == (7, 1, 28, 28)
    assert data.train_images.dtype == data.test_classes.dtype == np.uint8
    assert str(folder) in data.source


def test_data_dir_comes_before_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    small = {"train": 5, "t10k": 5}
    monkeypatch.setenv("AUTOGRAPH_DATA", str(save(tmp_path / "environment", arrays(1, small))))
    check(load_mnist("mnist", save(tmp_path / "argument", arrays(2, small))), arrays(2, small))
    (tmp_path / "empty").mkdir()
    check(load_mnist("mnist", tmp_path / "empty"), arrays(1, small))


@pytest.mark.parametrize("kind", ["mnist", "fashion", "kmnist"])
def test_downloaded_once(site: Site, known: dict[str, dict[str, np.ndarray]], cache: Path, kind: mnist.Kind) -> None:
    data = load_mnist(kind, progress=False)
    check(data, known[kind])
    assert "downloaded to" in data.source
    assert len(site.requests) == 4
    again = load_mnist(kind, download=False)
    check(again, known[kind])
    assert len(site.requests) == 4
    assert str(cache) in again.source


@pytest.mark.parametrize("kind", ["mnist", "fashion", "kmnist"])
def test_damaged_cache_is_downloaded_again(
    site: Site, known: dict[str, dict[str, np.ndarray]], cache: Path, kind: mnist.Kind
) -> None:
    load_mnist(kind, progress=False)
    [path] = cache.rglob("t10k-images-idx3-ubyte.gz")
    path.write_bytes(path.read_bytes()[:-100])
    check(load_mnist(kind, progress=False), known[kind])
    assert len(site.requests) == 5


@pytest.mark.parametrize("kind", ["mnist", "fashion", "kmnist"])
def test_corrupt_download_is_an_error(site: Site, tmp_path: Path, kind: mnist.Kind) -> None:
    name = "train-labels-idx1-ubyte"
    site.files[f"{kind}/{name}.gz"] = compressed(arrays(9)[name], tmp_path)  # sound IDX, but another's
    with pytest.raises(DatasetError, match=r"damaged file.*SHA-256.*expected"):
        load_mnist(kind, progress=False)


def test_progress_bar(site: Site, known: dict[str, dict[str, np.ndarray]], capsys: pytest.CaptureFixture[str]) -> None:
    load_mnist("mnist", progress=True)
    said = capsys.readouterr().err
    assert all(f"{name}.gz" in said for name in known["mnist"]) and said.count(" 100% ") == 4


@pytest.mark.parametrize("options", [{}, {"download": False}])
def test_sample_where_there_is_nothing_else(options: dict[str, Any]) -> None:
    data = load_mnist("mnist", progress=False, **options)
    assert data.train_images.shape == (5000, 1, 28, 28)
    assert data.test_images.shape == (1000, 1, 28, 28)
    assert "a sample of MNIST that the package carries (5,000 training and 1,000 test images)" in data.source
    # Of each class its share of the whole set: 9.04 % of fives to 11.24 % of ones.
    shares = np.bincount(data.train_classes) / 5000
    assert shares.min() == pytest.approx(5421 / 60000, abs=1 / 5000)
    assert shares.max() == pytest.approx(6742 / 60000, abs=1 / 5000)


def test_fashion_has_no_sample() -> None:
    with pytest.raises(DatasetError, match=r"Fashion-MNIST is not on this machine.*AUTOGRAPH_DATA"):
        load_mnist("fashion", progress=False)


def test_unknown_kind() -> None:
    with pytest.raises(DatasetError, match="no data set 'emnist', expected one of 'mnist', 'fashion', 'kmnist'"):
        load_mnist(untyped("emnist"))


@pytest.mark.parametrize("named", ["data_dir", "AUTOGRAPH_DATA"])
def test_no_such_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str) -> None:
    folder = tmp_path / "typo"
    if named == "AUTOGRAPH_DATA":
        monkeypatch.setenv(named, str(folder))
    with pytest.raises(DatasetError, match=f"{named} names .*typo"):
        load_mnist("mnist", folder if named == "data_dir" else None)


def test_some_files_missing(tmp_path: Path) -> None:
    save(tmp_path / "data", arrays(1))
    (tmp_path / "data" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DatasetError, match=r"only some of the files of MNIST; missing.* t10k-labels-idx1-ubyte$"):
        load_mnist("mnist", tmp_path / "data")


BAD_ARRAYS: dict[str, tuple[str, Any, str]] = {
    "image size": ("train-images-idx3-ubyte", np.zeros((5, 28, 27), np.uint8), r"shape \[5, 28, 27\].*expected"),
    "image axes": ("train-images-idx3-ubyte", np.zeros((5, 784), np.uint8), r"shape \[5, 784\]"),
    "image type": ("t10k-images-idx3-ubyte", np.zeros((5, 28, 28), np.float32), "holds float32"),
    "label axes": ("train-labels-idx1-ubyte", np.zeros((5, 1), np.uint8), "expected u8 labels"),
    "label range": ("train-labels-idx1-ubyte", np.array([1, 2, 10, 3, 4], np.uint8), "label 10 at 2, expected 0 to 9"),
    "label number": ("t10k-labels-idx1-ubyte", np.zeros(4, np.uint8), "5 images in .*, but 4 labels in"),
    "no images": ("train-images-idx3-ubyte", np.zeros((0, 28, 28), np.uint8), r"shape \[0, 28, 28\]"),
}


@pytest.mark.parametrize("what", BAD_ARRAYS)
def test_wrong_form(tmp_path: Path, what: str) -> None:
    name, array, message = BAD_ARRAYS[what]
    folder = save(tmp_path / "data", arrays(1, {"train": 5, "t10k": 5}))
    write_idx(folder / name, array)
    with pytest.raises(DatasetError, match=message) as error:
        load_mnist("mnist", folder)
    assert str(folder / name) in str(error.value)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_truncated_file(tmp_path: Path, name: str, suffix: str) -> None:
    folder = save(tmp_path / "data", arrays(1, {"train": 5, "t10k": 5}), suffix)
    path = folder / f"{name}{suffix}"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DatasetError, match="truncated") as error:
        load_mnist("mnist", folder)
    assert str(path) in str(error.value)


def test_full_size_is_known_by_its_hash(tmp_path: Path, known: dict[str, dict[str, np.ndarray]]) -> None:
    folder = save(tmp_path / "data", known["mnist"])
    check(load_mnist("mnist", folder), known["mnist"])
    with pytest.raises(DatasetError, match="is MNIST's, expected Fashion-MNIST's"):
        load_mnist("fashion", folder)
    images = known["mnist"]["train-images-idx3-ubyte"].copy()
    images[17, 3, 3] ^= 1
    write_idx(folder / "train-images-idx3-ubyte", images)
    with pytest.raises(DatasetError, match=r"train-images.* is not MNIST's: SHA-256 unpacked is .*, expected"):
        load_mnist("mnist", folder)


@pytest.mark.skipif(not (WHOLE / "mnist").is_dir(), reason="needs the whole of MNIST (AUTOGRAPH_DATA)")
def test_whole_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mnist, "_LENGTHS", {"train": 60_000, "t10k": 10_000})
    data = load_mnist("mnist", WHOLE)
    assert data.train_images.shape == (60_000, 1, 28, 28)
    assert np.bincount(data.test_classes).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # The sample's images are the set's, with the set's labels.
    whole = {
        (image.tobytes(), label)
        for images, labels in ((data.train_images, data.train_classes), (data.test_images, data.test_classes))
        for image, label in zip(images, labels.tolist(), strict=True)
    }
    sample = load_mnist("mnist", SAMPLE)
    for images, labels in ((sample.train_images, sample.train_classes), (sample.test_images, sample.test_classes)):
        assert all((image.tobytes(), label) in whole for image, label in zip(images, labels.tolist(), strict=True))
    # One damaged byte in a file of the full size.
    folder = tmp_path / "data"
    shutil.copytree(WHOLE / "mnist", folder)
    folder.chmod(0o755)
    labels = data.test_classes.copy()
    labels[5000] = (labels[5000] + 1) % 10
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    write_idx(folder / "t10k-labels-idx1-ubyte", labels)
    with pytest.raises(DatasetError, match=r"t10k-labels.*is not MNIST's"):
        load_mnist("mnist", folder)
