"""MNIST and sets of its form: on this machine, else downloaded, else (MNIST) a sample that the package carries."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from autograph.errors import DatasetError

from . import catalogue
from .idx import pack_idx, read_idx

Kind = Literal["mnist", "fashion", "kmnist"]
Bytes = npt.NDArray[np.uint8]

_CLASSES = 10
_SIDE = 28
_LENGTHS = {"train": 60_000, "t10k": 10_000}
_IMAGES, _LABELS = "{}-images-idx3-ubyte", "{}-labels-idx1-ubyte"
_NAMES = tuple(name.format(part) for part in _LENGTHS for name in (_IMAGES, _LABELS))


@dataclass(frozen=True, kw_only=True)
class _Source(catalogue.Source):
    """A set of the form of MNIST."""

    class_names: tuple[str, ...]
    names: tuple[str, ...] = _NAMES
    suffix: str = ".gz"
    unpacked_sha256: dict[str, str] = field(default_factory=dict)
    sample: Path | None = None


_SOURCES: dict[str, _Source] = {
    "mnist": _Source(
        title="MNIST",
        folder="mnist",
        class_names=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        unpacked_sha256={
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        sample=Path(__file__).parent / "samples" / "mnist-sample",
    ),
    # Of Fashion-MNIST only the hashes of the compressed files are published.
    "fashion": _Source(
        title="Fashion-MNIST",
        folder="fashion-mnist",
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        packed_sha256={
            "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ),
    # Of KMNIST too; these are the hashes of torchvision's prototype of its data sets, and of torchvision-ruby.
    "kmnist": _Source(
        title="KMNIST",
        folder="kmnist",
        class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        mirrors=(
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
        packed_sha256={
            "train-images-idx3-ubyte": "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "train-labels-idx1-ubyte": "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "t10k-images-idx3-ubyte": "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "t10k-labels-idx1-ubyte": "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        },
    ),
}


@dataclass(frozen=True, eq=False)
class Mnist:
    """MNIST, or a set of its form.

    Attributes:
        train_images: u8 of shape ``[n, 1, 28, 28]``, 0 for background.
        train_classes: u8 of shape ``[n]``, 0 to 9.
        test_images: as ``train_images``.
        test_classes: as ``train_classes``.
        source: a sentence that says where the data came from.
        class_names: what the classes are.

    >>> import numpy as np
    >>> from autograph.data import Mnist
    >>> images, classes = np.zeros((2, 1, 28, 28), np.uint8), np.array([3, 7], np.uint8)
    >>> data = Mnist(images, classes, images[:1], classes[:1], source="two images of one's own")
    >>> data.train_images.shape, data.test_classes.tolist()
    ((2, 1, 28, 28), [3])
    """

    train_images: Bytes
    train_classes: Bytes
    test_images: Bytes
    test_classes: Bytes
    source: str
    class_names: tuple[str, ...] = ()


def load_mnist(
    kind: Kind = "mnist",
    data_dir: str | os.PathLike[str] | None = None,
    *,
    download: bool = True,
    progress: bool = True,
) -> Mnist:
    """Load MNIST, Fashion-MNIST or KMNIST (Kuzushiji-MNIST).

    The four IDX files, plain or ``.gz``, are looked for in ``data_dir``, then in the folder that the environment
    variable ``AUTOGRAPH_DATA`` names, directly or in a subfolder ``mnist``, ``fashion-mnist`` or ``kmnist``; then in
    the user's cache folder, into which they are downloaded if they are not there. Where no mirror can be reached, MNIST
    is the sample of 5,000 training and 1,000 test images that the package carries, and ``source`` says so.

    Files of ``data_dir`` and ``AUTOGRAPH_DATA`` may hold fewer images than the set has; files of its full size are
    known by their hash, as are those of the cache. (Of Fashion-MNIST and KMNIST, no hash of the unpacked files is
    published: there the hash of the compressed files is checked after downloading, and elsewhere only the form. The
    hashes are those that other libraries publish; those of MNIST, and of Fashion-MNIST's labels, were compared with
    the files.)

    Args:
        kind: ``"mnist"``, ``"fashion"`` or ``"kmnist"``.
        data_dir: a folder to look in first.
        download: whether to download what is not on this machine.
        progress: whether to draw progress bars while downloading.

    Raises:
        DatasetError: a folder that was named does not exist or has only some of the files, a file is damaged or not
            what it should be, or the set can be had nowhere.

    >>> data = load_mnist(download=False)
    >>> data.train_images.shape[1:]
    (1, 28, 28)
    """
    if kind not in _SOURCES:
        raise DatasetError(f"no data set {kind!r}, expected one of {', '.join(map(repr, _SOURCES))}")
    source = _SOURCES[kind]
    read = partial(_load, source)
    try:
        data, sentence = catalogue.load(
            source,
            read,
            _max_bytes,
            data_dir,
            check=partial(_check_download, source),
            download=download,
            progress=progress,
        )
    except catalogue.NotHere as error:
        if source.sample is None:
            raise
        sample = read({name: source.sample / f"{name}.gz" for name in _NAMES})
        sentence = (
            f"a sample of {source.title} that the package carries ({len(sample.train_images):,} training and "
            f"{len(sample.test_images):,} test images): the whole set is not on this machine, and {error.why}"
        )
        return replace(sample, source=sentence)
    return replace(data, source=sentence)


def _load(source: _Source, paths: dict[str, Path]) -> Mnist:
    train_images, train_classes = _load_part(source, paths, "train")
    test_images, test_classes = _load_part(source, paths, "t10k")
    return Mnist(train_images, train_classes, test_images, test_classes, "", source.class_names)


def _load_part(source: _Source, paths: dict[str, Path], part: str) -> tuple[Bytes, Bytes]:
    names = _IMAGES.format(part), _LABELS.format(part)
    images, classes = (_read(paths[name]) for name in names)
    if len(images) != len(classes):
        raise DatasetError(f"{len(images)} images in {paths[names[0]]}, but {len(classes)} labels in {paths[names[1]]}")
    if len(images) == _LENGTHS[part]:
        for name, array in zip(names, (images, classes), strict=True):
            _check_identity(source, name, array, paths[name])
    return images[:, np.newaxis], classes


def _read(path: Path) -> Bytes:
    array = read_idx(path)
    if "images" in path.name:
        expected, fits = f"u8 images of shape [n, {_SIDE}, {_SIDE}]", array.shape[1:] == (_SIDE, _SIDE)
    else:
        expected, fits = "u8 labels of shape [n]", array.ndim == 1
    if array.dtype != np.uint8 or not fits or not len(array):
        raise DatasetError(f"{path}: holds {array.dtype} of shape {list(array.shape)}, expected {expected}")
    if array.ndim == 1 and array.max() >= _CLASSES:
        raise DatasetError(f"{path}: label {array.max()} at {array.argmax()}, expected 0 to {_CLASSES - 1}")
    return array


def _check_identity(source: _Source, name: str, array: Bytes, path: Path) -> None:
    """Raise DatasetError for an array of the full size that is known not to be this set's."""
    digest = hashlib.sha256(pack_idx(array)).hexdigest()
    for other in _SOURCES.values():
        if other is not source and digest == other.unpacked_sha256.get(name):
            raise DatasetError(f"{path}: is {other.title}'s, expected {source.title}'s")
    expected = source.unpacked_sha256.get(name, digest)
    if digest != expected:
        raise DatasetError(f"{path}: is not {source.title}'s: SHA-256 unpacked is {digest}, expected {expected}")


def _check_download(source: _Source, name: str, path: Path) -> None:
    array = _read(path)
    full = _LENGTHS[name.split("-")[0]]
    if len(array) != full:
        raise DatasetError(f"{path}: holds {len(array)} examples, expected {full}")
    _check_identity(source, name, array, path)


def _max_bytes(name: str) -> int:
    return _LENGTHS[name.split("-")[0]] * (_SIDE * _SIDE if "images" in name else 1) + (1 << 16)
