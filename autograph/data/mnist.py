"""MNIST and Fashion-MNIST: found on this machine, else downloaded, else (MNIST) a sample that the package carries."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import platformdirs

from autograph.errors import DatasetError, DownloadError
from krnlpy import files

from .idx import pack_idx, read_idx

Kind = Literal["mnist", "fashion"]
Bytes = npt.NDArray[np.uint8]

_CLASSES = 10
_SIDE = 28
_LENGTHS = {"train": 60_000, "t10k": 10_000}
_IMAGES, _LABELS = "{}-images-idx3-ubyte", "{}-labels-idx1-ubyte"
_NAMES = [name.format(part) for part in _LENGTHS for name in (_IMAGES, _LABELS)]


@dataclass(frozen=True)
class _Source:
    """What a set is called, where it comes from and how it is known."""

    title: str
    folder: str
    mirrors: tuple[str, ...]
    unpacked_sha256: dict[str, str] = field(default_factory=dict)
    packed_sha256: dict[str, str] = field(default_factory=dict)
    sample: Path | None = None


_SOURCES: dict[str, _Source] = {
    "mnist": _Source(
        title="MNIST",
        folder="mnist",
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


def load_mnist(
    kind: Kind = "mnist",
    data_dir: str | os.PathLike[str] | None = None,
    *,
    download: bool = True,
    progress: bool = True,
) -> Mnist:
    """Load MNIST or Fashion-MNIST.

    The four IDX files, plain or ``.gz``, are looked for in ``data_dir``, then in the folder that the environment
    variable ``AUTOGRAPH_DATA`` names, directly or in a subfolder ``mnist`` or ``fashion-mnist``; then in the user's
    cache folder, into which they are downloaded if they are not there. Where no mirror can be reached, MNIST is the
    sample of 5,000 training and 1,000 test images that the package carries, and ``source`` says so.

    Files of ``data_dir`` and ``AUTOGRAPH_DATA`` may hold fewer images than the set has; files of its full size are
    known by their hash, as are those of the cache. (Of Fashion-MNIST, no hash of the unpacked files is published: there
    the hash of the compressed files is checked after downloading, and elsewhere only the form.)

    Args:
        kind: ``"mnist"`` or ``"fashion"``.
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
    for folder, why in ((data_dir, "data_dir"), (os.environ.get("AUTOGRAPH_DATA"), "AUTOGRAPH_DATA")):
        if folder and (paths := _find(Path(folder), why, source)):
            return _load(source, paths, f"{source.title} from {paths[_NAMES[0]].parent}")
    cache = Path(platformdirs.user_cache_dir("autograph")) / source.folder
    paths = {name: cache / f"{name}.gz" for name in _NAMES}
    if all(path.exists() for path in paths.values()):
        # A damaged file is downloaded again.
        with suppress(DatasetError):
            return _load(source, paths, f"{source.title} from {cache}")
    try:
        if not download:
            raise DownloadError("downloading was not asked for")
        for name, path in paths.items():
            _download(source, name, path, progress)
    except DownloadError as error:
        return _load_sample(source, error)
    return _load(source, paths, f"{source.title} downloaded to {cache}")


def _find(folder: Path, why: str, source: _Source) -> dict[str, Path] | None:
    if not folder.is_dir():
        raise DatasetError(f"{why} names {folder}, which is not a folder")
    for place in (folder / source.folder, folder):
        found: dict[str, Path] = {}
        for name in _NAMES:
            for path in (place / f"{name}.gz", place / name):
                if path.is_file():
                    found[name] = path
        if found and len(found) < len(_NAMES):
            missing = ", ".join(name for name in _NAMES if name not in found)
            raise DatasetError(
                f"{place} has only some of the files of {source.title}; missing, plain or .gz: {missing}"
            )
        if found:
            return found
    return None


def _load(source: _Source, paths: dict[str, Path], sentence: str) -> Mnist:
    train_images, train_classes = _load_part(source, paths, "train")
    test_images, test_classes = _load_part(source, paths, "t10k")
    return Mnist(train_images, train_classes, test_images, test_classes, sentence)


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
    expected = source.packed_sha256.get(name)
    if expected is not None:
        with files.opened(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != expected:
            raise DatasetError(f"{path}: SHA-256 is {digest}, expected {expected}")
    array = _read(path)
    full = _LENGTHS[name.split("-")[0]]
    if len(array) != full:
        raise DatasetError(f"{path}: holds {len(array)} examples, expected {full}")
    _check_identity(source, name, array, path)


def _download(source: _Source, name: str, path: Path, progress: bool) -> None:
    from .download import download  # HTTP, which takes longer to import than most programs need it

    unpacked = _LENGTHS[name.split("-")[0]] * (_SIDE * _SIDE if "images" in name else 1)
    urls = [f"{mirror}{name}.gz" for mirror in source.mirrors]
    verify = partial(_check_download, source, name)
    download(urls, path, max_bytes=unpacked + (1 << 16), verify=verify, progress=progress)


def _load_sample(source: _Source, error: DownloadError) -> Mnist:
    if source.sample is None:
        raise DatasetError(
            f"{source.title} is not on this machine, and {error}. Put its four files into a folder and name that by "
            "data_dir or AUTOGRAPH_DATA"
        ) from None
    sample = _load(source, {name: source.sample / f"{name}.gz" for name in _NAMES}, "")
    sentence = (
        f"a sample of {source.title} that the package carries ({len(sample.train_images):,} training and "
        f"{len(sample.test_images):,} test images): the whole set is not on this machine, and {error}"
    )
    return replace(sample, source=sentence)
