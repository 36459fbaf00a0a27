"""CIFAR-10 and CIFAR-100: found on this machine, else downloaded."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from autograph.errors import DatasetError

from . import catalogue
from .archives import read_tar

Bytes = npt.NDArray[np.uint8]

_PIXELS = 3 * 32 * 32
_MIRRORS = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")


@dataclass(frozen=True, kw_only=True)
class _Source(catalogue.Source):
    """An archive, and what is in it.

    Attributes:
        max_bytes: of the archive, with some to spare.
        train: the files of training images, with the number of images in each.
        test: that of test images.
        meta: the file with the names of the classes.
        labels: the bytes before each image; the last of them is its class.
    """

    max_bytes: int
    train: dict[str, int]
    test: dict[str, int]
    meta: str
    labels: int


_SOURCES: dict[int, _Source] = {
    10: _Source(
        title="CIFAR-10",
        folder="cifar-10",
        names=("cifar-10-binary.tar.gz",),
        mirrors=_MIRRORS,
        packed_sha256={"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
        max_bytes=170_052_171,
        train={f"cifar-10-batches-bin/data_batch_{i}.bin": 10_000 for i in range(1, 6)},
        test={"cifar-10-batches-bin/test_batch.bin": 10_000},
        meta="cifar-10-batches-bin/batches.meta.txt",
        labels=1,
    ),
    100: _Source(
        title="CIFAR-100",
        folder="cifar-100",
        names=("cifar-100-binary.tar.gz",),
        mirrors=_MIRRORS,
        packed_sha256={"cifar-100-binary.tar.gz": "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"},
        max_bytes=168_513_733,
        train={"cifar-100-binary/train.bin": 50_000},
        test={"cifar-100-binary/test.bin": 10_000},
        meta="cifar-100-binary/fine_label_names.txt",
        labels=2,
    ),
}


@dataclass(frozen=True, eq=False)
class Cifar:
    """CIFAR-10 or CIFAR-100.

    Attributes:
        train_images: u8 of shape ``[50_000, 3, 32, 32]``, red, green and blue.
        train_classes: u8 of shape ``[50_000]``.
        test_images: u8 of shape ``[10_000, 3, 32, 32]``.
        test_classes: u8 of shape ``[10_000]``.
        source: a sentence that says where the data came from.
        class_names: what the classes are.

    >>> import numpy as np
    >>> from autograph.data import Cifar
    >>> images, classes = np.zeros((2, 3, 32, 32), np.uint8), np.array([1, 0], np.uint8)
    >>> data = Cifar(images, classes, images, classes, "two images of one's own", ("cat", "dog"))
    >>> data.class_names[data.train_classes[0]]
    'dog'
    """

    train_images: Bytes
    train_classes: Bytes
    test_images: Bytes
    test_classes: Bytes
    source: str
    class_names: tuple[str, ...]


def load_cifar(
    classes: Literal[10, 100] = 10,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    download: bool = True,
    progress: bool = True,
) -> Cifar:
    """Load CIFAR-10 or CIFAR-100, by A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

    The archive of the binary version, as it is downloaded, is looked for in ``data_dir``, then in the folder that the
    environment variable ``AUTOGRAPH_DATA`` names, directly or in a subfolder ``cifar-10`` or ``cifar-100``; then in the
    user's cache folder, into which it is downloaded (162 MB) if it is not there. It is known by its SHA-256: that of
    several libraries, which agree; it was not compared with a download of our own.

    Args:
        classes: 10 or 100.
        data_dir: a folder to look in first.
        download: whether to download what is not on this machine.
        progress: whether to draw a progress bar while downloading.

    Raises:
        DatasetError: a folder that was named does not exist, the archive is damaged or not what it should be, or the
            set can be had nowhere.

    >>> from autograph.data import load_cifar
    >>> load_cifar(20)
    Traceback (most recent call last):
    autograph.errors.DatasetError: no CIFAR-20, expected 10 or 100 classes
    """
    if not isinstance(classes, int) or classes not in _SOURCES:
        raise DatasetError(f"no CIFAR-{classes!r}, expected 10 or 100 classes")
    source = _SOURCES[classes]
    [name] = source.names
    data, sentence = catalogue.load(
        source,
        lambda paths: _read(source, classes, paths[name]),
        lambda _: source.max_bytes,
        data_dir,
        download=download,
        progress=progress,
    )
    return replace(data, source=sentence)


def _read(source: _Source, classes: int, path: Path) -> Cifar:
    [name] = source.names
    source.check_packed(name, path)
    size = _PIXELS + source.labels
    wanted = {name: count * size for name, count in (source.train | source.test).items()}
    content = read_tar(path, {**wanted, source.meta: 1 << 14})
    names = tuple(content[source.meta].decode("ascii", "replace").split())
    if len(names) != classes:
        raise DatasetError(f"{path}: {source.meta} in it has {len(names)} names, expected {classes}")
    train_images, train_classes = _part(path, content, source.train, source.labels, classes)
    test_images, test_classes = _part(path, content, source.test, source.labels, classes)
    return Cifar(train_images, train_classes, test_images, test_classes, "", names)


def _part(
    path: Path, content: dict[str, bytes], files: dict[str, int], labels: int, classes: int
) -> tuple[Bytes, Bytes]:
    """Images and classes of some files."""
    size = labels + _PIXELS
    records = np.concatenate([_records(path, name, content.pop(name), n, size) for name, n in files.items()])
    numbers = records[:, labels - 1].copy()
    if numbers.max() >= classes:
        raise DatasetError(f"{path}: class {numbers.max()} at {numbers.argmax()}, expected 0 to {classes - 1}")
    return records[:, labels:].reshape(-1, 3, 32, 32), numbers


def _records(path: Path, name: str, content: bytes, count: int, size: int) -> Bytes:
    if len(content) != count * size:
        raise DatasetError(f"{path}: {name} in it has {len(content)} bytes, expected {count * size}")
    return np.frombuffer(content, np.uint8).reshape(count, size)
