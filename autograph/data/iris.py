"""Fisher's irises, which the package carries."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autograph.errors import DatasetError

_PATH = Path(__file__).parent / "samples" / "iris.csv"
_SHA256 = "2495d965d79282f30ad3b9828f2be678d37de4bb6ecad0825358528d2a75797d"


@dataclass(frozen=True, eq=False)
class Iris:
    """Measurements of 150 irises, 50 of each of three species.

    Attributes:
        features: f32 of shape ``[150, 4]``, in centimetres.
        classes: u8 of shape ``[150]``, 0 to 2, in order.
        feature_names: what the columns of ``features`` are.
        class_names: the species.

    >>> from autograph.data import load_iris
    >>> iris = load_iris()
    >>> iris.feature_names[2], iris.features[0, 2].item(), iris.class_names
    ('petal_length', 1.399999976158142, ('setosa', 'versicolor', 'virginica'))
    """

    features: npt.NDArray[np.float32]
    classes: npt.NDArray[np.uint8]
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]


def load_iris() -> Iris:
    """Load the irises that Edgar Anderson measured.

    The values are those that R. A. Fisher published in "The use of multiple measurements in taxonomic problems", Annals
    of Eugenics, 7(2), 179-188, 1936. (The copy of the UCI repository, which the Rust crate autograph carries, has three
    numbers that differ from it, in the rows 34 and 37.)

    Returns:
        New arrays, which may be changed.

    Raises:
        DatasetError: the package's file is missing or was changed.

    >>> iris = load_iris()
    >>> iris.features.shape, iris.feature_names[0], iris.class_names[iris.classes[149]]
    ((150, 4), 'sepal_length', 'virginica')
    """
    try:
        content = _PATH.read_bytes()
    except OSError as error:
        raise DatasetError(f"{_PATH}, which belongs to autograph, cannot be read: {error}; install it again") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != _SHA256:
        raise DatasetError(
            f"{_PATH}, which belongs to autograph, was changed: its SHA-256 is {digest}, expected {_SHA256}; install it"
            " again"
        )
    header, *rows = csv.reader(content.decode().splitlines())
    class_names = tuple(dict.fromkeys(row[-1] for row in rows))
    return Iris(
        features=np.array([row[:-1] for row in rows], np.float32),
        classes=np.array([class_names.index(row[-1]) for row in rows], np.uint8),
        feature_names=tuple(header[:-1]),
        class_names=class_names,
    )
